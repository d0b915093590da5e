//! The pages of a long answer: where the next one lies, and one JSON document of all.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use url::Url;

use crate::context::HttpResponse;

/// The members that name the next page: those of OData 4 and 3, and of Azure Resource Manager.
const NEXT: [&str; 3] = ["@odata.nextLink", "odata.nextLink", "nextLink"];
/// The member that has the items, where there is one of [`NEXT`].
const ITEMS: &str = "value";

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    content: Content,
    /// The URL of the next one.
    pub(super) next: Option<Url>,
}

#[derive(Debug)]
enum Content {
    /// An array: its items.
    Array(Vec<Box<RawValue>>),
    /// OData: the items of `value`, and the members beside it.
    Collection(Vec<Box<RawValue>>, Members),
    /// Any other document.
    Document(Box<RawValue>),
}

/// The members of an object, in their order.
#[derive(Debug, Default)]
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Page {
    /// Reads what came from `url`.
    ///
    /// # Errors
    /// Why it is no page, in words.
    pub(super) fn read(url: &Url, head: &HttpResponse, body: &[u8]) -> Result<Self, String> {
        let document: Box<RawValue> =
            serde_json::from_slice(body).map_err(|error| format!("it is no JSON: {error}"))?;
        let (content, named) = match document.get().as_bytes().first() {
            Some(b'[') => (Content::Array(parse(document.get())?), None),
            Some(b'{') => collection(document)?,
            _ => (Content::Document(document), None),
        };
        let next = named.or_else(|| linked(head));
        let join = |next: String| {
            let joined = url.join(&next);
            joined.map_err(|_| "what it names as the next page is no URL".to_owned())
        };
        Ok(Self {
            content,
            next: next.map(join).transpose()?,
        })
    }
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

/// An object, and what it names as the next page.
fn collection(document: Box<RawValue>) -> Result<(Content, Option<String>), String> {
    let mut members: Members = parse(document.get())?;
    let is_array = |value: &RawValue| value.get().starts_with('[');
    let Some(place) = members
        .0
        .iter()
        .position(|(name, value)| name == ITEMS && is_array(value))
    else {
        return Ok((Content::Document(document), None));
    };
    let items = parse(members.0.remove(place).1.get())?;
    let mut named = None;
    for name in NEXT {
        let found = members.0.iter().find(|(own, _)| own == name);
        // Null where there is none.
        let text = found.and_then(|(_, value)| serde_json::from_str(value.get()).ok());
        named = named.or(text.flatten());
    }
    members.0.retain(|(name, _)| !NEXT.contains(&name.as_str()));
    let named = named.filter(|next: &String| !next.is_empty());
    Ok((Content::Collection(items, members), named))
}

/// The target of `rel="next"` in the `Link` headers
/// ([RFC 8288 §3](https://www.rfc-editor.org/rfc/rfc8288#section-3)).
fn linked(head: &HttpResponse) -> Option<String> {
    let headers = head.headers.iter().filter(|(name, _)| name == "link");
    let mut links = headers.flat_map(|(_, value)| links(value.expose()));
    links.find_map(|(target, parameters)| is_next(parameters).then(|| target.to_owned()))
}

/// Each target, and what stands behind it.
fn links(header: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, behind)) = rest.split_once('<') {
        let Some((target, behind)) = behind.split_once('>') else {
            return found;
        };
        // The next link begins behind a comma that no quotes hold.
        let parameters = unquoted(behind, ',').next().unwrap_or_default();
        let next = &behind[parameters.len()..];
        found.push((target, parameters));
        rest = next;
    }
    found
}

fn is_next(parameters: &str) -> bool {
    let mut parameters =
        unquoted(parameters, ';').filter_map(|parameter| parameter.split_once('='));
    // Another one does not count.
    let relation = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
    let (_, value) = relation.unwrap_or_default();
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

/// The parts of a text between separators that no quotes hold.
fn unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
}

/// Pages on their way into one document: arrays become one array, collections of OData one
/// collection. Other documents follow one another, a line each.
#[derive(Default)]
pub(super) struct Merged {
    kind: Option<Kind>,
    has_items: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Collection,
    Document,
}

impl Merged {
    /// The text that a page adds.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn add(&mut self, page: Page) -> Result<String, String> {
        let kind = match &page.content {
            Content::Array(_) => Kind::Array,
            Content::Collection(..) => Kind::Collection,
            Content::Document(_) => Kind::Document,
        };
        let is_first = self.kind.is_none();
        if *self.kind.get_or_insert(kind) != kind {
            return Err("it is of another kind than the pages before".to_owned());
        }
        let mut text = String::new();
        let items = match page.content {
            Content::Document(document) => return Ok(format!("{}\n", document.get())),
            Content::Array(items) => {
                text.push_str(if is_first { "[" } else { "" });
                items
            }
            Content::Collection(items, Members(members)) => {
                if is_first {
                    text.push('{');
                    for (name, value) in members {
                        let name = serde_json::Value::from(name);
                        text.push_str(&format!("{name}:{},", value.get()));
                    }
                    text.push_str(&format!("\"{ITEMS}\":["));
                }
                items
            }
        };
        for item in items {
            text.push_str(if self.has_items { "," } else { "" });
            text.push_str(item.get());
            self.has_items = true;
        }
        Ok(text)
    }

    /// The text at the end.
    pub(super) fn end(&self) -> &'static str {
        match self.kind {
            Some(Kind::Array) => "]\n",
            Some(Kind::Collection) => "]}\n",
            Some(Kind::Document) | None => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;
    use zeroize::Zeroizing;

    use super::{Merged, Page};
    use crate::context::HttpResponse;
    use crate::secret::Secret;

    fn page(body: &str, links: &[&str]) -> Result<Page, String> {
        let url = Url::parse("https://api.example/v1/items?page=1").expect("it is one");
        let header = |value: &&str| ("link".to_owned(), Secret::new(*value));
        let head = HttpResponse {
            status: 200,
            headers: links.iter().map(header).collect(),
            body: Zeroizing::default(),
        };
        Page::read(&url, &head, body.as_bytes())
    }

    #[test]
    fn pages_become_one_document() {
        for (pages, expected) in [
            (
                &["[1, 2.50]", "[]", "[{\"b\":1,\"a\":2}]"][..],
                "[1,2.50,{\"b\":1,\"a\":2}]\n",
            ),
            (&["[]"], "[]\n"),
            (
                &[
                    r#"{"@odata.context":"c","@odata.nextLink":"https://n","value":[{"z":1}],"@odata.count":3}"#,
                    r#"{"value":[2,3],"@odata.context":"other"}"#,
                ],
                "{\"@odata.context\":\"c\",\"@odata.count\":3,\"value\":[{\"z\":1},2,3]}\n",
            ),
            (
                &[r#"{"items":[1]}"#, r#"{"items":[2]}"#],
                "{\"items\":[1]}\n{\"items\":[2]}\n",
            ),
            (&["7"], "7\n"),
        ] {
            let mut merged = Merged::default();
            let mut text = String::new();
            for body in pages {
                let page = page(body, &[]).expect(body);
                text.push_str(&merged.add(page).expect(body));
            }
            text.push_str(merged.end());
            assert_eq!(text, expected);
        }
        let mut merged = Merged::default();
        merged.add(page("[1]", &[]).unwrap()).unwrap();
        assert!(merged.add(page("{\"value\":[]}", &[]).unwrap()).is_err());
        for broken in ["", "[1", "{\"value\":[1}", "<html>"] {
            assert!(page(broken, &[]).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_next_page_is_where_the_answer_says() {
        for (body, links, expected) in [
            ("[]", &[][..], None),
            (
                "[]",
                &[
                    "<https://api.example/v1/items?page=2>; rel=\"next\", <https://api.example/9>; rel=\"last\"",
                ],
                Some("https://api.example/v1/items?page=2"),
            ),
            (
                "[]",
                &[
                    "<https://a/>; rel=prev; title=\"a, <b>; rel=next\"",
                    "</v1/items?a=b,c>;REL=\"last NEXT\"",
                ],
                Some("https://api.example/v1/items?a=b,c"),
            ),
            (
                "[]",
                &["<?page=2>; rel=next"],
                Some("https://api.example/v1/items?page=2"),
            ),
            (
                "[]",
                &[
                    "<https://a/>; rel=nextcloud",
                    "<https://a/; rel=next",
                    "rel=next",
                ],
                None,
            ),
            (
                r#"{"value":[],"@odata.nextLink":"https://api.example/n?$skip=1"}"#,
                &[],
                Some("https://api.example/n?$skip=1"),
            ),
            (
                r#"{"value":[],"nextLink":"https://api.example/n"}"#,
                &[],
                Some("https://api.example/n"),
            ),
            (r#"{"value":[],"nextLink":null}"#, &[], None),
            (r#"{"value":[],"nextLink":""}"#, &[], None),
            (
                r#"{"value":[],"@odata.nextLink":"https:\\\\evil.example"}"#,
                &[],
                Some("https://evil.example/"),
            ),
            (r#"{"nextLink":"https://api.example/n"}"#, &[], None),
        ] {
            let next = page(body, links).expect(body).next;
            assert_eq!(next.as_ref().map(Url::as_str), expected, "{body} {links:?}");
        }
    }
}

//! One member of a JSON object written, replaced or taken out; every other byte of the text stays.

use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// A member of an object, and where it stands in the text.
pub(super) struct Member {
    pub(super) key: String,
    start: usize,
    pub(super) value: Range<usize>,
}

/// The members of the object that stands there, in order.
pub(super) fn members(text: &str, object: Range<usize>) -> serde_json::Result<Vec<Member>> {
    struct Members<'t>(&'t str);

    impl<'t> Visitor<'t> for Members<'t> {
        type Value = Vec<Member>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let place = |raw: &RawValue| {
                let start = raw.get().as_ptr().addr() - self.0.as_ptr().addr();
                start..start + raw.get().len()
            };
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                members.push(Member {
                    key: serde_json::from_str(key.get()).map_err(serde::de::Error::custom)?,
                    start: place(key).start,
                    value: place(value),
                });
            }
            Ok(members)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(&text[object]);
    let members = reader.deserialize_map(Members(text))?;
    reader.end()?;
    Ok(members)
}

/// The last member of that name: it is the one that counts.
pub(super) fn find<'m>(members: &'m [Member], key: &str) -> Option<&'m Member> {
    members.iter().rfind(|member| member.key == key)
}

/// The text with this in the place of what stands there.
pub(super) fn replace(text: &str, place: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..place.start], &text[place.end..])
}

/// The text with one more member at the end of an object, laid out as the one before it; `depth`
/// says how deep the object lies, for one that has none yet.
pub(super) fn insert(
    text: &str,
    object: Range<usize>,
    members: &[Member],
    key: &str,
    value: impl Fn(&Layout) -> String,
    depth: usize,
) -> String {
    let key = serde_json::Value::from(key);
    let layout = Layout::of(text, &object, members, depth);
    let colon = layout.colon;
    let member = format!("{}{key}{colon}{}", layout.lead, value(&layout));
    match members.last() {
        Some(last) => replace(text, last.value.end..last.value.end, &format!(",{member}")),
        None => replace(text, object, &format!("{{{member}{}}}", layout.end)),
    }
}

/// The text without a member.
pub(super) fn remove(
    text: &str,
    object: Range<usize>,
    members: &[Member],
    key: &str,
) -> Option<String> {
    let index = members.iter().rposition(|member| member.key == key)?;
    let own = &members[index];
    let place = match (index.checked_sub(1), members.get(index + 1)) {
        (Some(before), _) => members[before].value.end..own.value.end,
        (None, Some(next)) => own.start..next.start,
        (None, None) => return Some(replace(text, object, "{}")),
    };
    Some(replace(text, place, ""))
}

/// How the members of an object are laid out.
pub(super) struct Layout<'t> {
    /// What stands before each.
    pub(super) lead: String,
    /// What stands behind the last.
    pub(super) end: String,
    /// What stands between key and value.
    pub(super) colon: &'t str,
    /// What each level is indented by; `None` if all is in one line.
    unit: Option<&'t str>,
}

impl<'t> Layout<'t> {
    fn of(text: &'t str, object: &Range<usize>, members: &[Member], depth: usize) -> Self {
        let Some(last) = members.last() else {
            // docker's own layout.
            let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            return Self::indented(line_end, "\t", depth);
        };
        let before = &text[object.start..last.start];
        let lead = &before[before.trim_end().len()..];
        let key = &text[last.start..last.value.start];
        let colon = key.trim_end().trim_end_matches(':').trim_end().len();
        let levels = depth.max(1);
        let indentation = lead.trim_start_matches(['\r', '\n']);
        let unit = &indentation[..indentation.len() / levels];
        Self {
            lead: lead.to_owned(),
            end: String::new(),
            colon: &key[colon..],
            unit: lead.contains('\n').then_some(unit),
        }
    }

    fn indented(line_end: &str, unit: &'t str, depth: usize) -> Self {
        Self {
            lead: format!("{line_end}{}", unit.repeat(depth)),
            end: format!("{line_end}{}", unit.repeat(depth - 1)),
            colon: ": ",
            unit: Some(unit),
        }
    }

    /// An object with one member, one level below.
    pub(super) fn object(&self, key: &str, value: &str) -> String {
        let key = serde_json::Value::from(key);
        let colon = self.colon;
        match self.unit {
            None => format!("{{{key}{colon}{value}}}"),
            Some(unit) => {
                let lead = &self.lead;
                format!("{{{lead}{unit}{key}{colon}{value}{lead}}}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{find, insert, members, remove};

    /// Adds `"h": "x"` to `"credHelpers"`, which is made if it is not there.
    fn added(text: &str) -> String {
        let outer = members(text, 0..text.len()).expect("it is an object");
        match find(&outer, "credHelpers") {
            Some(member) => {
                let inner = members(text, member.value.clone()).expect("it is an object");
                insert(
                    text,
                    member.value.clone(),
                    &inner,
                    "h",
                    |_| "\"x\"".to_owned(),
                    2,
                )
            }
            None => {
                let value = |layout: &super::Layout<'_>| layout.object("h", "\"x\"");
                insert(text, 0..text.len(), &outer, "credHelpers", value, 1)
            }
        }
    }

    #[test]
    fn a_member_is_added_in_the_layout_of_its_neighbours_and_taken_out_without_a_trace() {
        for (text, with) in [
            (
                "{\n\t\"auths\": {}\n}\n",
                "{\n\t\"auths\": {},\n\t\"credHelpers\": {\n\t\t\"h\": \"x\"\n\t}\n}\n",
            ),
            (
                "{\r\n  \"a\" : 1\r\n}",
                "{\r\n  \"a\" : 1,\r\n  \"credHelpers\" : {\r\n    \"h\" : \"x\"\r\n  }\r\n}",
            ),
            (
                r#"{"auths":{"k":{"auth":"…"}}}"#,
                r#"{"auths":{"k":{"auth":"…"}},"credHelpers":{"h":"x"}}"#,
            ),
            (
                r#"{ "credHelpers": { "\u0068\"i": "y" }, "a": 1 }"#,
                r#"{ "credHelpers": { "\u0068\"i": "y", "h": "x" }, "a": 1 }"#,
            ),
            ("{}", "{\n\t\"credHelpers\": {\n\t\t\"h\": \"x\"\n\t}\n}"),
            (
                "{\n  \"credHelpers\": {\n    \"g\": \"y\"\n  },\n  \"a\": 1\n}",
                "{\n  \"credHelpers\": {\n    \"g\": \"y\",\n    \"h\": \"x\"\n  },\n  \"a\": 1\n}",
            ),
        ] {
            assert_eq!(added(text), with);
            let outer = members(with, 0..with.len()).expect("it is an object");
            let member = find(&outer, "credHelpers")
                .expect("it is there")
                .value
                .clone();
            let inner = members(with, member.clone()).expect("it is an object");
            let without = if inner.len() == 1 {
                remove(with, 0..with.len(), &outer, "credHelpers")
            } else {
                remove(with, member, &inner, "h")
            };
            assert_eq!(without.as_deref(), Some(text));
        }
    }

    #[test]
    fn the_first_of_several_members_is_taken_out() {
        let text = "{\n  \"a\": 1,\n  \"b\": 2\n}";
        let outer = members(text, 0..text.len()).expect("it is an object");
        let without = remove(text, 0..text.len(), &outer, "a");
        assert_eq!(without.as_deref(), Some("{\n  \"b\": 2\n}"));
        assert_eq!(remove(text, 0..text.len(), &outer, "c"), None);
    }
}

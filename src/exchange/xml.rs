//! The texts of a small XML document, by the path of their elements.
//!
//! AWS answers in XML, and four texts of it are wanted. This reads what such an answer is made of, and
//! refuses all else: document types, instructions, CDATA, entities that are not XML's own. Namespaces
//! are not told apart: an element that comes twice has no text.

use zeroize::Zeroizing;

/// How deep may elements lie in each other? An answer has four levels.
const DEEPEST: usize = 16;

/// What stands in the elements that hold no others.
pub(super) struct Document(Vec<(String, Zeroizing<String>)>);

impl Document {
    /// The text of the one element at a path: the names of the elements, without their prefixes.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(own, _)| own == path);
        let (_, text) = found.next()?;
        found.next().is_none().then(|| text.trim())
    }
}

/// An element that has not ended yet.
struct Open<'t> {
    name: &'t str,
    text: Zeroizing<String>,
    holds_others: bool,
}

/// Reads a document whole.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(bytes: &[u8]) -> Result<Document, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    if rest.starts_with("<?xml") {
        rest = after(rest, "?>")?;
    }
    let mut document = Document(Vec::new());
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut has_root = false;
    while let Some(start) = rest.find('<') {
        let (before, markup) = rest.split_at(start);
        take_text(&mut open, before)?;
        if let Some(comment) = markup.strip_prefix("<!--") {
            rest = after(comment, "-->")?;
            continue;
        }
        let end = end_of_tag(markup).ok_or("a tag has no end")?;
        let tag = &markup[1..end];
        rest = &markup[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            close(&mut open, name.trim_end(), &mut document)?;
            continue;
        }
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let name = tag
            .split(|one: char| one.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        if name.is_empty() || !name.chars().all(is_of_name) {
            return Err("a tag has no name");
        }
        if open.is_empty() && has_root {
            return Err("it does not end with its first element");
        }
        has_root = true;
        if open.len() == DEEPEST {
            return Err("its elements lie too deep");
        }
        if let Some(parent) = open.last_mut() {
            parent.holds_others = true;
        }
        open.push(Open {
            name,
            text: Zeroizing::default(),
            holds_others: false,
        });
        if is_empty {
            close(&mut open, name, &mut document)?;
        }
    }
    take_text(&mut open, rest)?;
    if !has_root || !open.is_empty() {
        return Err("it has no end");
    }
    Ok(document)
}

/// What follows the first `end`.
fn after<'t>(text: &'t str, end: &str) -> Result<&'t str, &'static str> {
    let (_, rest) = text.split_once(end).ok_or("it has no end")?;
    Ok(rest)
}

/// Where the tag ends that the text begins with: at the first `>` outside of quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return Some(index),
            _ => {}
        }
    }
    None
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || "_-.:".contains(character)
}

/// Adds text to the innermost element. Outside of all there are blanks alone.
fn take_text(open: &mut [Open<'_>], text: &str) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(element) => decode(text, &mut element.text),
        None if text.trim().is_empty() => Ok(()),
        None => Err("it is not XML"),
    }
}

fn close(
    open: &mut Vec<Open<'_>>,
    name: &str,
    document: &mut Document,
) -> Result<(), &'static str> {
    let names: Vec<&str> = open.iter().map(|element| local(element.name)).collect();
    let path = names.join("/");
    let element = open.pop().filter(|element| element.name == name);
    let element = element.ok_or("an element ends that did not begin")?;
    if !element.holds_others {
        document.0.push((path, element.text));
    }
    Ok(())
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Adds text in which entities stand for characters.
fn decode(text: &str, decoded: &mut String) -> Result<(), &'static str> {
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        let foreign = "it has an entity that is none of XML's own";
        let (name, behind) = entity.split_once(';').ok_or(foreign)?;
        decoded.push_str(before);
        decoded.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => character(name).ok_or(foreign)?,
        });
        rest = behind;
    }
    decoded.push_str(rest);
    Ok(())
}

/// The character of `#65` or `#x41`.
fn character(name: &str) -> Option<char> {
    let number = name.strip_prefix('#')?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    number.ok().filter(|_| is_plain).and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_text_is_found_by_the_names_around_it() {
        for (text, expected) in [
            ("<a><b>x</b></a>", Some("x")),
            (
                "\u{feff}<?xml version=\"1.0\"?>\n<a xmlns=\"urn:>x\"><c/>\n <b y='<>'> x </b ></a>\n",
                Some("x"),
            ),
            (
                "<n:a xmlns:n='u'><n:b>x<!-- <b>y</b> --></n:b></n:a>",
                Some("x"),
            ),
            (
                "<a><b>&lt;&amp;amp;&quot;&apos;&gt;&#65;&#x42;</b></a>",
                Some("<&amp;\"'>AB"),
            ),
            ("<a><b/></a>", Some("")),
            ("<a><b>x</b><b>y</b></a>", None),
            ("<a><b>x</b></a><!-- the end -->", Some("x")),
            ("<a><b><c>x</c></b></a>", None),
            ("<b>x</b>", None),
        ] {
            let document = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(document.text("a/b"), expected, "{text}");
        }
    }

    #[test]
    fn what_no_answer_is_made_of_is_refused() {
        let deep = "<a>".repeat(17);
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "<>x</>",
            "< a/>",
            "<a",
            "<a b='>",
            "<a><!-- ",
            "<?xml ",
            "<?php ?><a/>",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<a><![CDATA[x]]></a>",
            "<a>&b;</a>",
            "<a>&amp</a>",
            "<a>& </a>",
            "<a>&#;</a>",
            "<a>&#xD800;</a>",
            "<a>&#+65;</a>",
            &deep,
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_read_or_refused_and_never_more() {
        let whole = "<?xml version='1.0'?><a x=\"1\"><!-- c --><b>&#x41;é</b><c/></a>";
        assert!(read(whole.as_bytes()).is_ok());
        for end in 0..whole.len() {
            assert!(read(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            for byte in *b"<>&;\"'/!?-#x \0\xff" {
                let mut changed = whole.as_bytes().to_vec();
                changed[at] = byte;
                drop(read(&changed));
            }
        }
    }
}

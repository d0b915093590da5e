//! JSON in which some members are replaced, added or removed, and every other byte stays as it is:
//! another program's file, whose unknown rows and fields are not ours to rewrite.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

/// The cache, its sections and their rows are looked into; what is in a row's field is not.
const DEPTH: usize = 3;

/// A document.
#[derive(Debug)]
pub(super) struct Document<'t> {
    /// What stands before and behind the object.
    around: (&'t str, &'t str),
    /// The object.
    pub(super) root: Object<'t>,
    /// How long the text was.
    length: usize,
    /// What a member stands behind on a line of its own, once for each object that it is in; `None`
    /// where all stands in one line.
    indent: Option<String>,
}

/// An object: its members in their order.
#[derive(Debug, Default)]
pub(super) struct Object<'t> {
    members: Vec<Member<'t>>,
    /// The blanks before the closing brace.
    tail: Cow<'t, str>,
}

#[derive(Debug)]
struct Member<'t> {
    /// The name, without escapes.
    name: String,
    /// All before the value: blanks, the name as it is written, the colon.
    before: Cow<'t, str>,
    value: Value<'t>,
    /// The blanks behind the value.
    after: &'t str,
}

#[derive(Debug)]
enum Value<'t> {
    Object(Object<'t>),
    /// Anything, as it is written.
    Raw(&'t str),
    /// A new text, as JSON. It may be secret.
    New(Zeroizing<String>),
}

impl<'t> Value<'t> {
    fn new(text: &str) -> Self {
        Self::New(quoted(text))
    }

    fn object(&self) -> Option<&Object<'t>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Raw(_) | Self::New(_) => None,
        }
    }
}

impl<'t> Document<'t> {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// What is wrong with it, in words that hold nothing of it.
    pub(super) fn parse(text: &'t str) -> Result<Self, String> {
        let problem = |error: &serde_json::Error| {
            format!(
                "it is no JSON at line {}, column {}",
                error.line(),
                error.column()
            )
        };
        let start = text.len()
            - text
                .trim_start_matches(['\u{feff}', ' ', '\t', '\n', '\r'])
                .len();
        let (before, rest) = text.split_at(start);
        // From here on it is known to be well formed.
        serde_json::from_str::<IgnoredAny>(rest).map_err(|error| problem(&error))?;
        if !rest.starts_with('{') {
            return Err("it is no JSON object".to_owned());
        }
        let mut scanner = Scanner { rest };
        let root = scanner.object(DEPTH).ok_or("it is no JSON object")?;
        Ok(Self {
            around: (before, scanner.rest),
            root,
            length: text.len(),
            indent: indent_of(rest),
        })
    }

    /// The text, with what was changed.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        /// How much can an answer add? What grows leaves copies behind.
        const ROOM: usize = 256 * 1024;
        let mut text = Zeroizing::new(String::with_capacity(self.length + ROOM));
        text.push_str(self.around.0);
        self.root.write(&mut text);
        text.push_str(self.around.1);
        text
    }

    /// Whether rows can be added to a section.
    pub(super) fn has_room(&self, section: &str) -> bool {
        let raw = self.root.raw(section);
        raw.is_none_or(|raw| raw == "null")
    }

    /// Adds a row to a section, which is made where it is not there.
    pub(super) fn add_row(&mut self, section: &str, key: &str, row: Object<'t>) {
        let indent = self.indent.as_deref();
        if self.root.object_mut(section).is_none() {
            let empty = Value::Object(Object::default());
            self.root.put(section, empty, indent, 1);
        }
        if let Some(rows) = self.root.object_mut(section) {
            rows.put(key, Value::Object(row.laid_out(indent, 3)), indent, 2);
        }
    }

    /// Removes a field of a row.
    pub(super) fn remove_field(&mut self, section: &str, row: &str, field: &str) {
        let rows = self.root.object_mut(section);
        if let Some(row) = rows.and_then(|rows| rows.object_mut(row)) {
            row.remove_member(field);
        }
    }

    /// Sets a field of a row to a text. It is added where it is not there.
    pub(super) fn set_field(&mut self, section: &str, row: &str, field: &str, text: &str) {
        let indent = self.indent.as_deref();
        let rows = self.root.object_mut(section);
        if let Some(row) = rows.and_then(|rows| rows.object_mut(row)) {
            row.put(field, Value::new(text), indent, 3);
        }
    }
}

impl<'t> Object<'t> {
    /// Removes the members of that name.
    fn remove_member(&mut self, name: &str) {
        self.members.retain(|member| member.name != name);
    }

    /// An object of text fields; one without a value is left out.
    pub(super) fn of_texts(fields: &[(&str, Option<&str>)]) -> Self {
        let mut object = Self::default();
        for (name, value) in fields {
            if let Some(value) = value {
                object.put(name, Value::new(value), None, 0);
            }
        }
        object
    }

    /// The members that are objects, in their order. Of two with one name the last counts.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, &Object<'t>)> {
        let named = self.members.iter().enumerate();
        let last: HashMap<&str, usize> = named
            .map(|(index, member)| (member.name.as_str(), index))
            .collect();
        let members = self.members.iter().enumerate();
        members.filter_map(move |(index, member)| {
            let name = member.name.as_str();
            let object = member.value.object()?;
            (last.get(name) == Some(&index)).then_some((name, object))
        })
    }

    /// The member of that name; of several the last.
    fn member(&self, name: &str) -> Option<&Value<'t>> {
        let mut members = self.members.iter().rev();
        let found = members.find(|member| member.name == name);
        found.map(|member| &member.value)
    }

    /// The member of that name, if it is an object.
    pub(super) fn object(&self, name: &str) -> Option<&Self> {
        self.member(name)?.object()
    }

    fn object_mut(&mut self, name: &str) -> Option<&mut Self> {
        let mut members = self.members.iter_mut().rev();
        match &mut members.find(|member| member.name == name)?.value {
            Value::Object(object) => Some(object),
            Value::Raw(_) | Value::New(_) => None,
        }
    }

    /// The member of that name as it is written, if it is no object.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            Value::Object(_) => None,
            Value::Raw(raw) => Some(raw),
            Value::New(text) => Some(text),
        }
    }

    /// Removes rows of a section.
    pub(super) fn remove(&mut self, section: &str, keys: &HashSet<String>) {
        if let Some(rows) = self.object_mut(section) {
            rows.members.retain(|member| !keys.contains(&member.name));
        }
    }

    /// Sets a member. One that is there keeps its place.
    fn put(&mut self, name: &str, value: Value<'t>, indent: Option<&str>, depth: usize) {
        let mut members = self.members.iter_mut().rev();
        if let Some(member) = members.find(|member| member.name == name) {
            member.value = value;
            return;
        }
        let before = match (self.members.last(), indent) {
            // As the one before it stands.
            (Some(last), _) => {
                let blanks = last.before.len() - last.before.trim_start().len();
                let colon = if last.before.ends_with(' ') {
                    ": "
                } else {
                    ":"
                };
                [&last.before[..blanks], quoted(name).as_str(), colon].concat()
            }
            (None, Some(indent)) => {
                self.tail = Cow::Owned(format!("\n{}", indent.repeat(depth - 1)));
                ["\n", &indent.repeat(depth), quoted(name).as_str(), ": "].concat()
            }
            (None, None) => {
                self.tail = Cow::Borrowed("");
                [quoted(name).as_str(), ":"].concat()
            }
        };
        self.members.push(Member {
            name: name.to_owned(),
            before: Cow::Owned(before),
            value,
            after: "",
        });
    }

    /// The same with each member on a line of its own, or all in one.
    fn laid_out(self, indent: Option<&str>, depth: usize) -> Self {
        let mut object = Self::default();
        for member in self.members {
            object.put(&member.name, member.value, indent, depth);
        }
        object
    }

    fn write(&self, text: &mut String) {
        text.push('{');
        for (index, member) in self.members.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&member.before);
            match &member.value {
                Value::Object(object) => object.write(text),
                Value::Raw(raw) => text.push_str(raw),
                Value::New(new) => text.push_str(new),
            }
            text.push_str(member.after);
        }
        text.push_str(&self.tail);
        text.push('}');
    }
}

/// What the first member of a document stands behind. An empty one is filled as Python would.
fn indent_of(text: &str) -> Option<String> {
    let members = text.strip_prefix('{')?;
    let first = members.trim_start();
    if first.starts_with('}') {
        return Some(" ".repeat(4));
    }
    let blanks = &members[..members.len() - first.len()];
    let (_, indent) = blanks.rsplit_once('\n')?;
    Some(indent.to_owned())
}

/// A text as JSON in ASCII, as Python writes it. It does not grow: nothing of it is left behind.
fn quoted(text: &str) -> Zeroizing<String> {
    /// How long is an escape? A byte becomes one at most.
    const ESCAPE: usize = "\\u0000".len();
    let mut quoted = Zeroizing::new(String::with_capacity(ESCAPE * text.len() + 2));
    quoted.push('"');
    for character in text.chars() {
        let short = match character {
            '"' | '\\' => Some(character),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            _ => None,
        };
        match short {
            Some(short) => quoted.extend(['\\', short]),
            None if matches!(character, ' '..='~') => quoted.push(character),
            None => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Reads well-formed JSON.
struct Scanner<'t> {
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn blanks(&mut self) -> &'t str {
        let length = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.take(length)
    }

    /// An object, and what is in it as deep as that. `None` for anything else.
    fn object(&mut self, depth: usize) -> Option<Object<'t>> {
        self.rest.strip_prefix('{')?;
        self.take(1);
        let mut members = Vec::new();
        loop {
            let start = self.rest;
            let tail = self.blanks();
            if self.rest.starts_with('}') {
                self.take(1);
                return Some(Object {
                    members,
                    tail: Cow::Borrowed(tail),
                });
            }
            let length = string_length(self.rest)?;
            let written = self.take(length);
            // Half of a surrogate pair is no text: such a name is told from others as it is written.
            let name = serde_json::from_str(written).unwrap_or_else(|_| written.to_owned());
            self.blanks();
            self.take(1);
            self.blanks();
            let before = &start[..start.len() - self.rest.len()];
            let value = self.value(depth)?;
            let after = self.blanks();
            let is_last = self.rest.starts_with('}');
            members.push(Member {
                name,
                before: Cow::Borrowed(before),
                value,
                after: if is_last { "" } else { after },
            });
            if is_last {
                self.take(1);
                return Some(Object {
                    members,
                    tail: Cow::Borrowed(after),
                });
            }
            self.take(1);
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value<'t>> {
        if depth > 1 && self.rest.starts_with('{') {
            return self.object(depth - 1).map(Value::Object);
        }
        let length = value_length(self.rest)?;
        Some(Value::Raw(self.take(length)))
    }
}

/// How long the string is that the text begins with.
fn string_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// How long the value is that the text begins with.
fn value_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut index = 0;
    loop {
        let rest = &text[index..];
        match rest.bytes().next()? {
            b'"' => index += string_length(rest)?,
            b'{' | b'[' => {
                depth += 1;
                index += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                index += 1;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => index += 1,
            // A number or a word.
            _ => {
                let end = rest.find([' ', '\t', '\n', '\r', ',', ':', '}', ']']);
                index += end.unwrap_or(rest.len());
            }
        }
        if depth == 0 {
            return Some(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Object, quoted};

    const PYTHON: &str = include_str!("../../../tests/msal/cache.json");

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        for text in [
            PYTHON,
            "{}",
            " {\n}\r\n",
            "\u{feff}{\"a\":{\"b\" : {\"c\":[1,{\"d\":\"}\\\"\"}] , \"e\":-1.5e3 }\t},\"f\":null}",
            r#"{"a":{"a":{"a":{"a":{}}}},"a":1,"\u0061":true}"#,
        ] {
            let document = Document::parse(text).expect(text);
            assert_eq!(document.to_text().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        for (text, problem) in [
            ("", "it is no JSON at line 1, column 0"),
            ("{\"a\":\n1", "it is no JSON at line 2, column 1"),
            ("{} {}", "it is no JSON at line 1, column 4"),
            ("[]", "it is no JSON object"),
            ("1", "it is no JSON object"),
        ] {
            assert_eq!(Document::parse(text).expect_err(text), problem);
        }
    }

    #[test]
    fn rows_are_added_and_removed_and_fields_set_in_the_manner_of_the_file() {
        let row = || Object::of_texts(&[("x", Some("1")), ("none", None), ("y", Some("ä\""))]);
        for (text, expected) in [
            (
                "{\"S\": {\"k\": {\"f\": \"1\", \"z\": [ ]}, \"gone\": {}}}",
                "{\"S\": {\"k\": {\"f\": \"2\", \"z\": [ ], \"g\": \"3\"},\"new\": {\"x\":\"1\",\"y\":\"\\u00e4\\\"\"}},\"T\": {\"t\":{\"x\":\"1\",\"y\":\"\\u00e4\\\"\"}}}",
            ),
            (
                "{\n  \"S\": {\n    \"gone\": {},\n    \"k\": {\n      \"f\": 1\n    }\n  }\n}\n",
                "{\n  \"S\": {\n    \"k\": {\n      \"f\": \"2\",\n      \"g\": \"3\"\n    },\n    \"new\": {\n      \"x\": \"1\",\n      \"y\": \"\\u00e4\\\"\"\n    }\n  },\n  \"T\": {\n    \"t\": {\n      \"x\": \"1\",\n      \"y\": \"\\u00e4\\\"\"\n    }\n  }\n}\n",
            ),
        ] {
            let mut document = Document::parse(text).expect(text);
            document.root.remove("S", &["gone".to_owned()].into());
            document.set_field("S", "k", "f", "2");
            document.set_field("S", "k", "g", "3");
            document.set_field("S", "absent", "g", "3");
            document.add_row("S", "new", row());
            document.add_row("T", "t", row());
            assert_eq!(document.to_text().as_str(), expected);
            let kept = document.to_text();
            Document::parse(&kept).expect("it is JSON still");
        }
    }

    #[test]
    fn an_empty_cache_is_filled_as_python_writes_one() {
        let mut document = Document::parse("{}").expect("it is one");
        document.add_row("S", "k", Object::of_texts(&[("f", Some("v"))]));
        let expected =
            "{\n    \"S\": {\n        \"k\": {\n            \"f\": \"v\"\n        }\n    }\n}";
        assert_eq!(document.to_text().as_str(), expected);
    }

    #[test]
    fn of_members_with_one_name_the_last_counts() {
        let text = r#"{"S":{"k":{"f":"1"},"k":{"f":"2"}}}"#;
        let document = Document::parse(text).expect(text);
        let rows = document.root.object("S").expect("it is there");
        let fields: Vec<_> = rows
            .objects()
            .map(|(key, row)| (key, row.raw("f")))
            .collect();
        assert_eq!(fields, [("k", Some("\"2\""))]);
    }

    #[test]
    fn text_is_written_in_ascii_and_never_moves() {
        let all: String = ('\0'..='\u{ff}').collect();
        for text in ["", "a\u{1f600}\u{e4}\n", "\"\\/\u{7f}", &all, "\u{1}\u{2}"] {
            let written = quoted(text);
            assert!(written.is_ascii(), "{written:?}");
            let read: String = serde_json::from_str(&written).expect("it is a string");
            assert_eq!(read, text);
            assert_eq!(written.capacity(), 6 * text.len() + 2);
        }
        let python = "\"a\\ud83d\\ude00\\u00e4\\n\\r\\t\\b\\f\\u0001\"";
        let text = "a\u{1f600}\u{e4}\n\r\t\u{8}\u{c}\u{1}";
        assert_eq!(quoted(text).as_str(), python);
    }

    #[test]
    fn half_of_a_surrogate_pair_is_kept_as_it_is_written() {
        let text =
            r#"{"S":{"\ud83d":{"f":"\udc00"},"\uDE00x":{"f":"1"},"k":{"\ud800":1,"f":"2"}}}"#;
        let mut document = Document::parse(text).expect(text);
        assert_eq!(document.to_text().as_str(), text);
        document.set_field("S", "k", "f", "3");
        assert_eq!(
            document.to_text().as_str(),
            text.replace(r#""f":"2""#, r#""f":"3""#)
        );
        let rows = document.root.object("S").expect("it is there");
        assert_eq!(rows.objects().count(), 3);
    }
}

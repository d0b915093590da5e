//! The text of a profile file with one profile more, less or other. What is said of anything else stays
//! byte for byte, comments and line ends too; where lines end in two ways, a change has all end in one.

use toml_edit::{DocumentMut, InlineTable, Item, Key, RawString, Table, Value};

use crate::exchange::EXCHANGES;
use crate::profile::PROFILE_KEYS;
use crate::text::printable;

/// Tables of a profile that have a header of their own, as those of exchanges; the others stand in one
/// line.
const OWN_HEADERS: [&str; 4] = ["endpoints", "extra", "tls", "session"];

/// A profile as it is written, below its comment, if it has one.
pub(super) fn text_of(name: &str, keys: &toml::Table, comment: &str) -> String {
    let header = |below: &str| format!("[profiles.{}{below}]\n", written(name));
    let mut text = String::new();
    if !comment.is_empty() {
        text.push_str(&format!("# {}\n", printable(comment)));
    }
    text.push_str(&header(""));
    let mut tables = String::new();
    for key in in_order(keys) {
        let is_exchange = EXCHANGES.iter().any(|entry| entry.name == key);
        match (&keys[key], is_exchange || OWN_HEADERS.contains(&key)) {
            (toml::Value::Table(table), true) => {
                tables.push_str(&format!("\n{}", header(&format!(".{}", written(key)))));
                for (key, value) in table {
                    tables.push_str(&format!("{} = {value}\n", written(key)));
                }
            }
            (toml::Value::Table(table), false) => {
                text.push_str(&format!("{} = {}\n", written(key), in_a_line(table)));
            }
            (value, _) => text.push_str(&format!("{} = {value}\n", written(key))),
        }
    }
    text + &tables
}

/// A table in one line, which begins with what it is.
fn in_a_line(table: &toml::Table) -> String {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| *key != "type");
    let rows: Vec<String> = rows
        .into_iter()
        .map(|(key, value)| format!("{} = {value}", written(key)))
        .collect();
    format!("{{ {} }}", rows.join(", "))
}

/// A key of a file, in quotation marks where it needs them.
fn written(key: &str) -> String {
    Key::new(key).display_repr().into_owned()
}

/// The parts of a key that lies in tables; `None`, if it is none.
pub(super) fn parts(key: &str) -> Option<Vec<String>> {
    let parts = Key::parse(key.trim()).ok()?;
    Some(parts.iter().map(|part| part.get().to_owned()).collect())
}

/// The keys as people write them: the preset first, and then as the documentation has them.
fn in_order(keys: &toml::Table) -> Vec<&str> {
    let place = |key: &&str| match PROFILE_KEYS.iter().position(|(known, _)| known == key) {
        _ if *key == "preset" => 0,
        Some(place) => place + 1,
        None => usize::MAX,
    };
    let mut keys: Vec<&str> = keys.keys().map(String::as_str).collect();
    keys.sort_by_key(place);
    keys
}

/// The text with the profile: in the place of one of that name, below its comment, else behind all.
///
/// # Errors
/// Why the text is no TOML.
pub(super) fn with_profile(
    before: &str,
    name: &str,
    keys: &toml::Table,
    comment: &str,
) -> Result<String, String> {
    let (mut document, line_ends) = parse(before)?;
    let new = table(name, keys)?;
    let profiles = document.get_mut("profiles");
    if let Some(Item::Value(Value::InlineTable(profiles))) = profiles {
        profiles.insert(name, Value::InlineTable(inline(new)));
        return Ok(line_ends.restored(&document.to_string()));
    }
    let old = profiles
        .and_then(Item::as_table_mut)
        .and_then(|profiles| profiles.get_mut(name));
    let text = match old {
        Some(Item::Table(old)) if !old.is_implicit() && !old.is_dotted() => {
            let (place, decor) = (old.position(), old.decor().clone());
            let mut others = Vec::new();
            below_of(old, &mut others);
            *old = new;
            old.set_position(place);
            *old.decor_mut() = decor;
            keep_all(others, &mut document);
            return Ok(line_ends.restored(&document.to_string()));
        }
        Some(_) => without_profile(before, name)?.unwrap_or_default(),
        None => before.to_owned(),
    };
    let separator = match text.as_str() {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let added = format!("{separator}{}", text_of(name, keys, comment));
    Ok(match line_ends.is_windows {
        true => format!("{text}{}", added.replace('\n', "\r\n")),
        false => text + &added,
    })
}

/// The text without the profile and the comment right above it; `None` if it has no such profile.
///
/// # Errors
/// Why the text is no TOML.
pub(super) fn without_profile(before: &str, name: &str) -> Result<Option<String>, String> {
    let (mut document, line_ends) = parse(before)?;
    let profiles = document
        .get_mut("profiles")
        .and_then(Item::as_table_like_mut);
    let Some(gone) = profiles.and_then(|profiles| profiles.remove(name)) else {
        return Ok(None);
    };
    if let Item::Table(gone) = &gone {
        let mut others = Vec::new();
        above_of(gone, &mut others);
        keep_all(others, &mut document);
    }
    let mut text = document.to_string();
    if !before.starts_with(['\n', '\r']) {
        // What stood before the next profile stands at the beginning now.
        text = text.trim_start_matches('\n').to_owned();
    }
    Ok(Some(line_ends.restored(&text)))
}

/// How the lines of a file end: the parser hands out line feeds alone, and ends every line.
struct LineEnds {
    has_mark: bool,
    is_windows: bool,
    is_ended: bool,
}

/// The mark that some editors of Windows begin a file with.
const MARK: char = '\u{feff}';

impl LineEnds {
    fn restored(&self, text: &str) -> String {
        let mut text = text.trim_start_matches(MARK).to_owned();
        if self.is_windows {
            text = text.replace('\n', "\r\n");
        }
        if !self.is_ended {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        if self.has_mark {
            text.insert(0, MARK);
        }
        text
    }
}

fn parse(text: &str) -> Result<(DocumentMut, LineEnds), String> {
    let lines = text.matches('\n').count();
    let line_ends = LineEnds {
        has_mark: text.starts_with(MARK),
        is_windows: lines > 0 && text.matches("\r\n").count() == lines,
        is_ended: text.is_empty() || text.ends_with('\n'),
    };
    let text = text.trim_start_matches(MARK);
    let parsed = match line_ends.is_windows {
        true => text.replace("\r\n", "\n").parse::<DocumentMut>(),
        false => text.parse(),
    };
    // Its own text shows the line, which may hold a secret.
    let document = parsed.map_err(|error| printable(error.message()))?;
    Ok((document, line_ends))
}

/// A profile's table, which has no place yet.
fn table(name: &str, keys: &toml::Table) -> Result<Table, String> {
    let (mut document, _) = parse(&text_of(name, keys, ""))?;
    let profiles = document.get_mut("profiles").and_then(Item::as_table_mut);
    let table = profiles.and_then(|profiles| profiles.remove(name));
    let Some(Item::Table(mut table)) = table else {
        return Err("BUG: a profile is no table".to_owned());
    };
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        if let Item::Table(below) = item {
            below.set_position(None);
        }
    }
    Ok(table)
}

/// A table in one line.
fn inline(table: Table) -> InlineTable {
    let mut table = table;
    for (_, item) in table.iter_mut() {
        item.make_value();
    }
    let mut line = table.into_inline_table();
    line.fmt();
    line
}

/// What stands above the headers of a table and is not its own, each with the header's place.
fn above_of(table: &Table, others: &mut Vec<(isize, String)>) {
    if let Some(place) = table.position().filter(|_| !table.is_implicit()) {
        let above = table.decor().prefix().and_then(RawString::as_str);
        others.push((place, of_others(above.unwrap_or_default()).to_owned()));
    }
    below_of(table, others);
}

/// The same of the tables below it.
fn below_of(table: &Table, others: &mut Vec<(isize, String)>) {
    for (_, item) in table {
        if let Some(below) = item.as_table() {
            above_of(below, others);
        }
    }
}

/// Keeps each of them, in their order.
fn keep_all(mut others: Vec<(isize, String)>, document: &mut DocumentMut) {
    others.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    for (place, text) in others {
        keep(&text, place, document);
    }
}

/// What above a header is not of its table: all but the comment right above it.
fn of_others(above: &str) -> &str {
    let end = above.rfind("\n\n").map(|at| at + 2);
    let end = end.or_else(|| above.starts_with('\n').then_some(1));
    &above[..end.unwrap_or(0)]
}

/// Keeps text that stood above a header which is gone: above the next one, or at the end.
fn keep(text: &str, place: isize, document: &mut DocumentMut) {
    if text.trim().is_empty() {
        return;
    }
    let text = text.trim_end_matches('\n').to_owned() + "\n";
    let mut next = None;
    places(document.as_table(), &mut |own| {
        if own > place && next.is_none_or(|next| own < next) {
            next = Some(own);
        }
    });
    match next.and_then(|next| at(document.as_table_mut(), next)) {
        Some(next) => {
            let above = next.decor().prefix().and_then(RawString::as_str);
            let above = format!("{text}{}", above.unwrap_or_default());
            next.decor_mut().set_prefix(above);
        }
        None => {
            let behind = document.trailing().as_str().unwrap_or_default();
            let behind = format!("{text}{behind}");
            document.set_trailing(behind);
        }
    }
}

/// Tells of the place of each header.
fn places(table: &Table, tell: &mut dyn FnMut(isize)) {
    for (_, item) in table {
        let below = item.as_table().into_iter();
        let of_array = item.as_array_of_tables().into_iter();
        for table in below.chain(of_array.flatten()) {
            if !table.is_implicit() && !table.is_dotted() {
                table.position().into_iter().for_each(&mut *tell);
            }
            places(table, tell);
        }
    }
}

/// The table whose header stands in this place.
fn at(table: &mut Table, place: isize) -> Option<&mut Table> {
    for (_, item) in table.iter_mut() {
        let below: Vec<&mut Table> = match item {
            Item::Table(table) => vec![table],
            Item::ArrayOfTables(tables) => tables.iter_mut().collect(),
            Item::None | Item::Value(_) => Vec::new(),
        };
        for table in below {
            if table.position() == Some(place) && !table.is_implicit() {
                return Some(table);
            }
            if let Some(found) = at(table, place) {
                return Some(found);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{text_of, with_profile, without_profile};

    fn keys(text: &str) -> toml::Table {
        text.parse().expect("it is TOML")
    }

    #[test]
    fn a_profile_is_written_in_the_order_of_the_documentation() {
        let keys = keys(
            "urls = [\"https://h/\"]\nscopes = [\"a\", \"b\"]\nclient_id = \"c\"\npreset = \"gitlab\"\n\
             client_secret = { env = \"S\" }\nendpoints = { token = \"https://h/t\" }\n\
             grant = { type = \"auto\", timeout = \"60s\" }\n",
        );
        assert_eq!(
            text_of("a.b", &keys, "From\n`f`."),
            "# From `f`.\n[profiles.\"a.b\"]\npreset = \"gitlab\"\nclient_id = \"c\"\n\
             scopes = [\"a\", \"b\"]\ngrant = { type = \"auto\", timeout = \"60s\" }\n\
             urls = [\"https://h/\"]\nclient_secret = { env = \"S\" }\n\n\
             [profiles.\"a.b\".endpoints]\ntoken = \"https://h/t\"\n"
        );
    }

    #[test]
    fn a_profile_comes_behind_what_stands_there_with_its_line_ends() {
        for (before, expected) in [
            ("", "# Why.\n[profiles.a]\nclient_id = \"c\"\n"),
            (
                "# Mine\n",
                "# Mine\n\n# Why.\n[profiles.a]\nclient_id = \"c\"\n",
            ),
            (
                "lock = {}",
                "lock = {}\n\n# Why.\n[profiles.a]\nclient_id = \"c\"\n",
            ),
            (
                "lock = {}\r\n",
                "lock = {}\r\n\r\n# Why.\r\n[profiles.a]\r\nclient_id = \"c\"\r\n",
            ),
            (
                "profiles.b.client_id = 'x'\n",
                "profiles.b.client_id = 'x'\n\n# Why.\n[profiles.a]\nclient_id = \"c\"\n",
            ),
            (
                "profiles = { b = { client_id = 'x' } } # one\n",
                "profiles = { b = { client_id = 'x' } , a = { client_id = \"c\" } } # one\n",
            ),
        ] {
            let text = with_profile(before, "a", &keys("client_id = 'c'"), "Why.\n");
            assert_eq!(text.as_deref(), Ok(expected), "{before}");
        }
    }

    /// Three profiles with a comment wherever there can be one.
    const COMMENTED: &str = "\
# The first line.

default_profile = 'one'   # it is

# About one.
[profiles.one] # header
client_id   =   'c1'
scopes=[ 'a',   # why
  'b' ]

# A chapter.

# About two.
[profiles.two]
client_id = 'c2'
# In two.
endpoints = { token = 'https://h/t' }

[profiles.two.tls]
ca_file = 'x'

# About three.
[profiles.three]
client_id = 'c3' # end

# The last line.
";

    #[test]
    fn a_profile_is_taken_out_and_every_other_byte_stays() {
        let of_one = "# About one.\n[profiles.one] # header\nclient_id   =   'c1'\nscopes=[ 'a',   # why\n  \
                      'b' ]\n\n";
        let of_two = "# About two.\n[profiles.two]\nclient_id = 'c2'\n# In two.\nendpoints = { token = \
                      'https://h/t' }\n\n[profiles.two.tls]\nca_file = 'x'\n\n";
        let of_three = "# About three.\n[profiles.three]\nclient_id = 'c3' # end\n\n";
        for (name, gone) in [("one", of_one), ("two", of_two), ("three", of_three)] {
            let expected = COMMENTED.replace(gone, "");
            assert_ne!(expected, COMMENTED, "{name}");
            let left = without_profile(COMMENTED, name).expect("it is TOML");
            assert_eq!(left.as_deref(), Some(expected.as_str()), "{name}");
            let windows = COMMENTED.replace('\n', "\r\n");
            let left = without_profile(&windows, name).expect("it is TOML");
            assert_eq!(left, Some(expected.replace('\n', "\r\n")), "{name}");
        }
        assert_eq!(without_profile(COMMENTED, "four"), Ok(None));
    }

    #[test]
    fn however_a_profile_is_written_it_can_be_taken_out() {
        for (before, expected) in [
            ("[profiles.a]\nx = 1\n", ""),
            ("\u{feff}[profiles.a]\nx = 1\n[lock]", "\u{feff}[lock]"),
            ("[profiles]\na = { x = 1 }\nb = 2\n", "[profiles]\nb = 2\n"),
            (
                "[profiles]\na.x = 1\na.y = 1\nb.z = 2",
                "[profiles]\nb.z = 2",
            ),
            ("profiles.a.x = 1\nlock = {}\n", "lock = {}\n"),
            ("[profiles.b]\n[profiles.a.tls]\nx = 1\n", "[profiles.b]\n"),
            (
                "[profiles.a.tls]\nx = 1\n\n[profiles.b]\n[profiles.a]\n",
                "[profiles.b]\n",
            ),
            ("[profiles.\"a\"]\n[lock]\n", "[lock]\n"),
            ("# Kept.\n\n[profiles.a]\n", "# Kept.\n"),
            (
                "[profiles.a]\n[profiles.b]\n\n# A chapter.\n\n# Of a.\n[profiles.a.tls]\nx = 1\n\n\
                 [profiles.c]\n",
                "[profiles.b]\n\n# A chapter.\n\n[profiles.c]\n",
            ),
            (
                "# A licence.\n\n[profiles.a.tls]\nx = 1\n\n# Of a.\n[profiles.a]\n[lock]\n",
                "# A licence.\n[lock]\n",
            ),
        ] {
            let left = without_profile(before, "a").expect("it is TOML");
            assert_eq!(left.as_deref(), Some(expected), "{before}");
        }
    }

    #[test]
    fn a_profile_that_is_replaced_keeps_its_place_and_every_other_byte_stays() {
        let keys = keys("client_id = 'new'\ntls = { ca_file = 'y' }");
        let replaced = with_profile(COMMENTED, "two", &keys, "not said").expect("it is TOML");
        let (before, rest) = COMMENTED.split_once("[profiles.two]").expect("it is there");
        let (_, after) = rest.split_once("# About three.").expect("it is there");
        assert_eq!(
            replaced,
            format!(
                "{before}[profiles.two]\nclient_id = \"new\"\n\n[profiles.two.tls]\nca_file = \"y\"\n\n\
                 # About three.{after}"
            )
        );
        // One that has no header of its own comes behind all.
        let replaced = with_profile("profiles.two.x = 1\nlock = {}\n", "two", &keys, "");
        let expected = "lock = {}\n\n[profiles.two]\nclient_id = \"new\"\n\n[profiles.two.tls]\n\
                        ca_file = \"y\"\n";
        assert_eq!(replaced.as_deref(), Ok(expected));
    }

    #[test]
    fn nothing_that_a_value_holds_becomes_a_key_or_a_table() {
        let hostile = "x\"\n[policy]\ntools = []\n# \u{1b}[31m\u{202e}";
        let mut keys = toml::Table::new();
        keys.insert("client_id".to_owned(), hostile.into());
        keys.insert("scopes".to_owned(), vec![hostile].into());
        let text = with_profile("", "a\"]\n[policy", &keys, hostile).expect("it is TOML");
        let table: toml::Table = text.parse().expect("it is TOML");
        assert_eq!(table.keys().collect::<Vec<_>>(), ["profiles"]);
        let profile = &table["profiles"]["a\"]\n[policy"];
        assert_eq!(profile["client_id"].as_str(), Some(hostile));
    }
}

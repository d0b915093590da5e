//! A status as a table that fits where it is shown; where none fits, as a record for each account.

use serde_json::Value;

use super::time::Times;
use crate::style::{Style, width, wrap};
use crate::text::printable;

/// How a status is shown.
pub(super) struct View<'a> {
    pub(super) times: Times<'a>,
    /// How wide the terminal is; `None` for whatever else reads it.
    pub(super) columns: Option<usize>,
    pub(super) style: Style,
    /// Whether it is known when a token was last used.
    pub(super) has_audit: bool,
}

/// How a text is meant; its words say the same.
#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Bold,
    Dim,
    Good,
    Doubtful,
    Bad,
}

#[derive(Clone)]
struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    fn new(tone: Tone, text: &str) -> Self {
        Self {
            // Names and reasons are anybody's.
            text: printable(text),
            tone,
        }
    }

    fn none() -> Self {
        Self::new(Tone::Dim, "-")
    }

    fn painted(&self, style: Style) -> String {
        paint(style, self.tone, &self.text)
    }
}

fn paint(style: Style, tone: Tone, text: &str) -> String {
    match tone {
        Tone::Plain => text.to_owned(),
        Tone::Bold => style.bold(text),
        Tone::Dim => style.dim(text),
        Tone::Good => style.good(text),
        Tone::Doubtful => style.doubtful(text),
        Tone::Bad => style.bad(text),
    }
}

/// The columns but for the notes, in their order.
const PROFILE: usize = 0;
const ACCOUNT: usize = 1;
const SEAL: usize = 4;
const LAST: usize = 5;
const TOOLS: usize = 6;
const COUNT: usize = 7;

/// What is left out of a table that is too wide, the first one first.
const GIVEN_UP: [usize; 3] = [TOOLS, LAST, SEAL];

/// An account, or a profile without one.
struct Row {
    cells: [Cell; COUNT],
    notes: Vec<Cell>,
}

impl View<'_> {
    /// The text of a status.
    pub(super) fn text(&self, status: &Value) -> String {
        let profiles = status["profiles"].as_array().into_iter().flatten();
        let rows: Vec<Row> = profiles.flat_map(|profile| self.rows(profile)).collect();
        let Some(columns) = self.columns else {
            return self.whole_table(&rows);
        };
        let mut shown: Vec<usize> = (0..COUNT).collect();
        shown.retain(|column| !GIVEN_UP.contains(column) || self.says_something(&rows, *column));
        let mut given_up = GIVEN_UP.iter();
        loop {
            let table = self.table(&rows, &shown);
            if table.width <= columns {
                return self.with_notes(&table.lines, &rows, columns);
            }
            match given_up.next() {
                Some(column) => shown.retain(|one| one != column),
                None => return self.records(&rows, columns),
            }
        }
    }

    fn headers(&self) -> [&'static str; COUNT] {
        let last = match self.has_audit {
            true => "LAST USED",
            false => "LAST REFRESHED",
        };
        [
            "PROFILE",
            "ACCOUNT",
            "ACCESS UNTIL",
            "REFRESHABLE",
            "SEAL",
            last,
            "TOOLS",
        ]
    }

    /// Whether a column tells anything that is not as always.
    fn says_something(&self, rows: &[Row], column: usize) -> bool {
        let usual = if column == TOOLS { "any" } else { "-" };
        rows.iter().any(|row| row.cells[column].text != usual)
    }

    fn rows(&self, profile: &Value) -> Vec<Row> {
        let accounts = profile["accounts"].as_array().map_or(&[][..], |rows| rows);
        if accounts.is_empty() {
            return vec![self.nobody(profile)];
        }
        let is_one_of_several = accounts.len() > 1;
        let rows = accounts.iter();
        rows.map(|account| self.row(profile, account, is_one_of_several))
            .collect()
    }

    fn nobody(&self, profile: &Value) -> Row {
        let (tone, text) = match profile["needs_person"] == true {
            true => (Tone::Bad, "not signed in"),
            false => (Tone::Plain, "the first call signs in"),
        };
        let error = profile["error"].as_str();
        let note = match error {
            Some(error) => Cell::new(Tone::Bad, error),
            None => Cell::new(tone, text),
        };
        let mut cells = [const { None }; COUNT].map(|_: Option<Cell>| Cell::none());
        cells[PROFILE] = name(profile);
        cells[SEAL] = seal(profile);
        cells[TOOLS] = tools(profile);
        // A note of a line of its own says it less well than the place where a name would stand.
        if self.columns.is_some() && error.is_none() {
            cells[ACCOUNT] = note;
            return Row {
                cells,
                notes: Vec::new(),
            };
        }
        Row {
            cells,
            notes: vec![note],
        }
    }

    fn row(&self, profile: &Value, account: &Value, is_one_of_several: bool) -> Row {
        let who = account["account"].as_str();
        let is_used = is_one_of_several && account["used"] == true;
        let mut notes = self.notes(account);
        if is_used {
            let note = "used, unless --account names another";
            notes.insert(0, Cell::new(Tone::Dim, note));
        }
        Row {
            cells: [
                name(profile),
                who.map_or_else(Cell::none, |who| Cell::new(Tone::Plain, who)),
                self.access(profile, account),
                self.refresh(profile, account),
                seal(profile),
                self.last(account),
                tools(profile),
            ],
            notes,
        }
    }

    fn access(&self, profile: &Value, account: &Value) -> Cell {
        /// How many seconds are soon?
        const SOON: i64 = 10 * 60;
        let Some(end) = account["access_expires_at"].as_str() else {
            return Cell::none();
        };
        let goes_on = account["refreshable"] == true || profile["needs_person"] == false;
        let left = self.times.left(end).unwrap_or_default();
        let tone = match (left > 0, goes_on) {
            (true, false) if left < SOON => Tone::Doubtful,
            (true, _) => Tone::Good,
            // The next call makes it new.
            (false, true) => Tone::Dim,
            (false, false) => Tone::Bad,
        };
        match left > 0 {
            true => Cell::new(tone, &self.times.coming(end, "in", "")),
            false if self.times.in_words => {
                Cell::new(tone, &format!("expired {}", self.times.passed(end)))
            }
            false => Cell::new(tone, end),
        }
    }

    fn refresh(&self, profile: &Value, account: &Value) -> Cell {
        /// How many seconds are soon?
        const SOON: i64 = 24 * 3600;
        if account["refreshable"] != true {
            return match (
                profile["needs_person"] == true,
                account["signed_in"] == true,
            ) {
                (false, _) => Cell::new(Tone::Plain, "by itself"),
                (true, true) => Cell::new(Tone::Doubtful, "no"),
                (true, false) => Cell::new(Tone::Bad, "no"),
            };
        }
        let Some(end) = account["refresh_expires_at"].as_str() else {
            return Cell::new(Tone::Plain, "yes");
        };
        match self.times.left(end).unwrap_or_default() {
            ..=0 => Cell::new(Tone::Bad, &format!("ended {}", self.times.passed(end))),
            left => {
                let tone = if left < SOON {
                    Tone::Doubtful
                } else {
                    Tone::Plain
                };
                Cell::new(tone, &self.times.coming(end, "for", "until"))
            }
        }
    }

    fn last(&self, account: &Value) -> Cell {
        let (time, by) = match self.has_audit {
            true => ("last_used_at", account["last_used_by"].as_str()),
            false => ("last_refreshed_at", None),
        };
        let Some(time) = account[time].as_str() else {
            return Cell::none();
        };
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        Cell::new(Tone::Plain, &format!("{}{by}", self.times.passed(time)))
    }

    fn notes(&self, account: &Value) -> Vec<Cell> {
        let said = |key: &str| account[key].as_str();
        let sign_in = match (said("waiting_since"), said("asked_again_after")) {
            (Some(since), _) => Some(match self.times.in_words {
                true => format!("sign-in waits, begun {}", self.times.passed(since)),
                false => format!("sign-in waits since {since}"),
            }),
            (_, Some(until)) => {
                let until = self.times.coming(until, "in", "after");
                Some(format!("refused, asked again {until}"))
            }
            _ => None,
        };
        let refresh = said("refreshed_again_after").map(|until| {
            let error = said("refresh_error").unwrap_or_default();
            let until = self.times.coming(until, "in", "after");
            format!("refresh failed, tried again {until}: {error}")
        });
        let notes = [sign_in, refresh].into_iter().flatten();
        notes.map(|note| Cell::new(Tone::Doubtful, &note)).collect()
    }

    /// Everything, for whatever reads it that is no terminal.
    fn whole_table(&self, rows: &[Row]) -> String {
        let all: Vec<usize> = (0..COUNT).collect();
        let table = self.table(rows, &all);
        let has_notes = rows.iter().any(|row| !row.notes.is_empty());
        let mut text = String::new();
        let notes = rows.iter().map(|row| {
            let notes = row.notes.iter().map(|note| note.painted(self.style));
            notes.collect::<Vec<_>>().join("; ")
        });
        let notes = std::iter::once(self.style.bold("NOTE")).chain(notes);
        for ((line, length), note) in table.lines.iter().zip(notes) {
            let padding = " ".repeat(table.width - length + 2);
            let line = match has_notes && !note.is_empty() {
                true => format!("{line}{padding}{note}"),
                false => line.clone(),
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    fn with_notes(&self, lines: &[(String, usize)], rows: &[Row], columns: usize) -> String {
        let mut text = String::new();
        let notes = rows.iter().map(|row| &row.notes[..]);
        let notes = std::iter::once(&[][..]).chain(notes);
        for ((line, _), notes) in lines.iter().zip(notes) {
            text.push_str(line);
            text.push('\n');
            for note in notes {
                text.push_str(&self.indented(note, 2, "", columns));
            }
        }
        text
    }

    fn table(&self, rows: &[Row], shown: &[usize]) -> Table {
        let headers = self.headers().map(|header| Cell::new(Tone::Bold, header));
        let lines = std::iter::once(&headers).chain(rows.iter().map(|row| &row.cells));
        let widest = |column: usize| {
            let cells = lines.clone().map(|cells| width(&cells[column].text));
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = shown.iter().map(|column| widest(*column)).collect();
        let mut table = Table {
            lines: Vec::new(),
            width: 0,
        };
        for cells in lines {
            let (mut line, mut length, mut padding) = (String::new(), 0, 0);
            for (column, widest) in shown.iter().zip(&widths) {
                line.push_str(&" ".repeat(padding));
                line.push_str(&cells[*column].painted(self.style));
                let own = width(&cells[*column].text);
                length += padding + own;
                padding = widest - own + 2;
            }
            table.width = table.width.max(length);
            table.lines.push((line, length));
        }
        table
    }

    /// One account below the other, a line for each thing that is known of it.
    fn records(&self, rows: &[Row], columns: usize) -> String {
        let headers = self.headers();
        let labels = headers.map(|header| header.to_lowercase());
        let widest = labels.iter().map(|label| width(label)).max();
        let indent = widest.unwrap_or_default() + 4;
        let mut text = String::new();
        for row in rows {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&self.indented(&row.cells[PROFILE], 0, "", columns));
            for (column, cell) in row.cells.iter().enumerate().skip(PROFILE + 1) {
                if cell.text != "-" {
                    text.push_str(&self.indented(cell, indent, &labels[column], columns));
                }
            }
            for note in &row.notes {
                text.push_str(&self.indented(note, 2, "", columns));
            }
        }
        text
    }

    /// A text in lines of its own, in the first one behind a label.
    fn indented(&self, cell: &Cell, indent: usize, label: &str, columns: usize) -> String {
        /// How narrow may it get?
        const LEAST: usize = 8;
        let lines = wrap(&cell.text, columns.saturating_sub(indent).max(LEAST));
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let before = match (number, label) {
                (0, label) if !label.is_empty() => {
                    let padding = " ".repeat(indent - 2 - width(label));
                    format!("  {}{padding}", self.style.dim(label))
                }
                _ => " ".repeat(indent),
            };
            text.push_str(&before);
            text.push_str(&paint(self.style, cell.tone, line));
            text.push('\n');
        }
        text
    }
}

/// Lines, and how many columns each takes.
struct Table {
    lines: Vec<(String, usize)>,
    /// How many columns the widest takes.
    width: usize,
}

fn name(profile: &Value) -> Cell {
    Cell::new(Tone::Bold, profile["profile"].as_str().unwrap_or("-"))
}

/// What lies in a cache of MSAL is as safe as that is.
fn seal(profile: &Value) -> Cell {
    if !profile["msal"].is_null() {
        return Cell::new(Tone::Plain, "msal");
    }
    let seal = profile["seal"].as_str();
    seal.map_or_else(Cell::none, |seal| Cell::new(Tone::Plain, seal))
}

/// Which tools may use it, and into which of them `setup` has written it.
fn tools(profile: &Value) -> Cell {
    let names = |key: &str| -> Option<String> {
        let names = profile[key].as_array()?.iter();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        Some(names.join(", "))
    };
    let allowed = match names("tools") {
        None => "any".to_owned(),
        Some(names) if names.is_empty() => "none".to_owned(),
        Some(names) => names,
    };
    match names("set_up").filter(|names| !names.is_empty()) {
        Some(names) => Cell::new(Tone::Plain, &format!("{allowed}; set up: {names}")),
        None => Cell::new(Tone::Plain, &allowed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::time::Times;
    use super::super::time::tests::{NOON, Nothing};
    use super::View;
    use crate::style::{Style, width};

    fn status() -> Value {
        let after = |seconds| NOON.plus(seconds).rfc3339();
        json!({ "profiles": [
            { "profile": "code", "needs_person": true, "seal": "keyring", "tools": ["git"],
              "set_up": ["git"], "accounts": [
                { "account": "世界@例え.test", "used": true, "signed_in": true, "refreshable": true,
                  "access_expires_at": after(52 * 60), "refresh_expires_at": after(3 * 3600),
                  "last_refreshed_at": after(-480) },
                { "account": "bob@example.test", "used": false, "signed_in": true,
                  "refreshable": false, "access_expires_at": after(120) },
            ] },
            { "profile": "graph", "needs_person": true, "seal": "keyring", "tools": null,
              "set_up": [], "accounts": [
                { "account": "ada@example.test", "used": true, "signed_in": false,
                  "refreshable": false, "access_expires_at": after(-3 * 3600),
                  "asked_again_after": after(60) },
            ] },
            { "profile": "new", "needs_person": true, "seal": "keyring", "tools": null,
              "set_up": [], "accounts": [] },
            { "profile": "robot", "needs_person": false, "seal": null, "tools": [], "set_up": [],
              "accounts": [], "error": "the keyring \u{1b}[2Jis locked" },
        ] })
    }

    fn shown(columns: Option<usize>, is_colored: bool) -> String {
        let times = Times {
            environment: &Nothing,
            now: NOON,
            in_words: columns.is_some(),
        };
        let view = View {
            times,
            columns,
            style: Style { is_colored },
            has_audit: false,
        };
        view.text(&status())
    }

    const WIDE: &str = "\
PROFILE  ACCOUNT           ACCESS UNTIL     REFRESHABLE  SEAL     LAST REFRESHED  TOOLS
code     世界@例え.test    in 52 min        until 15:00  keyring  8 min ago       git; set up: git
  used, unless --account names another
code     bob@example.test  in 2 min         no           keyring  -               git; set up: git
graph    ada@example.test  expired 3 h ago  no           keyring  -               any
  refused, asked again in 1 min
new      not signed in     -                -            keyring  -               any
robot    -                 -                -            -        -               none
  the keyring [2Jis locked
";

    const NARROW: &str = "\
code
  account         世界@例え.test
  access until    in 52 min
  refreshable     until 15:00
  seal            keyring
  last refreshed  8 min ago
  tools           git; set up: git
  used, unless --account names another

code
  account         bob@example.test
  access until    in 2 min
  refreshable     no
  seal            keyring
  tools           git; set up: git

graph
  account         ada@example.test
  access until    expired 3 h ago
  refreshable     no
  seal            keyring
  tools           any
  refused, asked again in 1 min

new
  account         not signed in
  seal            keyring
  tools           any

robot
  tools           none
  the keyring [2Jis locked
";

    const PIPED: &str = "\
PROFILE  ACCOUNT           ACCESS UNTIL          REFRESHABLE                 SEAL     LAST REFRESHED        TOOLS             NOTE
code     世界@例え.test    2030-01-01T12:52:00Z  until 2030-01-01T15:00:00Z  keyring  2030-01-01T11:52:00Z  git; set up: git  used, unless --account names another
code     bob@example.test  2030-01-01T12:02:00Z  no                          keyring  -                     git; set up: git
graph    ada@example.test  2030-01-01T09:00:00Z  no                          keyring  -                     any               refused, asked again after 2030-01-01T12:01:00Z
new      -                 -                     -                           keyring  -                     any               not signed in
robot    -                 -                     -                           -        -                     none              the keyring [2Jis locked
";

    #[test]
    fn a_status_is_shown_as_the_place_has_room_for_it() {
        assert_eq!(shown(Some(200), false), WIDE);
        assert_eq!(shown(Some(40), false), NARROW);
        assert_eq!(shown(None, false), PIPED);
        // A table gives up its last columns first.
        let usual = shown(Some(80), false);
        let header =
            "PROFILE  ACCOUNT           ACCESS UNTIL     REFRESHABLE  SEAL     LAST REFRESHED\n";
        assert!(usual.starts_with(header), "{usual}");
        let header = "PROFILE  ACCOUNT           ACCESS UNTIL     REFRESHABLE\n";
        assert!(shown(Some(56), false).starts_with(header));
        for columns in 26..200 {
            let text = shown(Some(columns), false);
            assert!(text.lines().all(|line| width(line) <= columns), "{text}");
        }
    }

    #[test]
    fn colours_add_to_the_words_and_change_nothing_else() {
        for columns in [Some(200), Some(80), Some(40), None] {
            let colored = shown(columns, true);
            let mut plain = String::new();
            let mut parts = colored.split('\u{1b}');
            plain.push_str(parts.next().unwrap_or_default());
            for part in parts {
                plain.push_str(part.split_once('m').expect("it is a style").1);
            }
            assert_eq!(plain, shown(columns, false));
        }
        let colored = shown(Some(200), true);
        for part in [
            "\u{1b}[32min 52 min\u{1b}[0m",
            "\u{1b}[33min 2 min\u{1b}[0m",
            "\u{1b}[31mexpired 3 h ago\u{1b}[0m",
            "\u{1b}[31mnot signed in\u{1b}[0m",
        ] {
            assert!(colored.contains(part), "{part}: {colored}");
        }
    }
}

//! `log`: who was given which profile's token, as the audit has it.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

use super::{Entry, Shell, columns, output_argument, profile_argument, text};
use crate::error::{Error, ErrorKind};
use crate::profile::Configuration;
use crate::store::audit::{self, Record};
use crate::system::directories;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "log",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Show who was given which token")
        .after_help("It is written down where a profile file says\n  [audit]\n  enabled = true\n\nExample:\n  cred-helper log -p graph --since 1d")
        .arg(profile_argument())
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("D")
                .value_parser(duration)
                .help("The last minutes, hours or days, as `90m` or `7d`"),
        )
        .arg(output_argument(&["table", "json"]).default_value("table"))
}

fn duration(given: &str) -> Result<Duration, String> {
    humantime::parse_duration(given).map_err(|_| "write it like `90m`, `12h` or `7d`".to_owned())
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let state = directories::state(shell.context.environment)?;
    let (mut records, damaged) = audit::read(&state)?;
    if damaged > 0 {
        let told = format!("{damaged} lines of the audit cannot be read, and are left out");
        shell.context.warn(&told);
    }
    if records.is_empty() && !Configuration::new(&shell.sources()?)?.audit() {
        shell.context.warn(
            "nothing is written down: set `enabled = true` below `[audit]` in a profile file",
        );
    }
    if let Some(name) = text(matches, "profile") {
        records.retain(|record| record.profile == name);
    }
    if let Some(since) = matches.get_one::<Duration>("since") {
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let first = shell.context.clock.now().plus(seconds.saturating_neg());
        // All are in the same form, whose order is that of time.
        let first = first.rfc3339();
        records.retain(|record| record.time >= first);
    }
    let printed = if text(matches, "output").as_deref() == Some("json") {
        lines(&records)?
    } else {
        table(&records)
    };
    shell.print(&printed)
}

/// A line of JSON each.
fn lines(records: &[Record]) -> Result<String, Error> {
    let mut lines = String::new();
    for record in records {
        let line = serde_json::to_string(record).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "BUG: a record cannot be written as JSON",
            )
            .because(error)
        })?;
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}

fn table(records: &[Record]) -> String {
    let mut lines = vec![
        [
            "TIME", "TOOL", "PROFILE", "ACCOUNT", "TARGET", "SOURCE", "TOKEN", "BY",
        ]
        .map(String::from),
    ];
    for record in records {
        let by = match (&record.parent_program, record.parent) {
            (Some(program), Some(id)) => format!("{} ({id})", printable(program)),
            (None, Some(id)) => id.to_string(),
            (_, None) => "-".to_owned(),
        };
        let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), printable);
        lines.push([
            printable(&record.time),
            printable(&record.tool),
            printable(&record.profile),
            or_none(&record.account),
            or_none(&record.target),
            printable(&record.source),
            printable(&record.fingerprint),
            by,
        ]);
    }
    columns(&lines)
}

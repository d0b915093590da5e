//! `status --watch`: on a terminal one picture, drawn over itself; elsewhere one after the other.
//!
//! No other screen is switched to, and no mode set: however this ends, the terminal is as it was, with the
//! last picture on it. Sessions are read again when a file has changed, and now and then, for what no file
//! tells: a command may have to be run for their key.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::ArgMatches;

use super::{Status, ask, is_json, remark, view};
use crate::command::Shell;
use crate::context::Screen;
use crate::error::Error;
use crate::style::width;
use crate::system::{directories, terminal};
use crate::text::printable;

/// How soon is a change seen?
const INTERVAL: Duration = Duration::from_secs(2);

/// How soon is seen what no file tells?
const PATIENCE: Duration = Duration::from_secs(60);

/// When files were last written, and how long they are.
type Stamp = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

pub(super) fn watch(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let state = directories::state(shell.context.environment)?;
    let mut status = ask(matches, shell)?;
    if !is_json(matches) {
        remark(&status, shell);
    }
    let mut stamp = stamp(&state, &status);
    let mut read_at = shell.context.clock.monotonic();
    let mut shown = String::new();
    let mut failed = None;
    loop {
        show(&mut shown, matches, shell, &status, failed.as_deref())?;
        let slept = shell.context.clock.sleep(INTERVAL);
        if slept.is_err() && canvas(matches, shell).is_some() {
            // The terminal itself shows Ctrl-C, without an end of line.
            shell.print("\n")?;
        }
        slept?;
        if is_reader_gone(shell) {
            return Ok(());
        }
        let now = shell.context.clock.monotonic();
        let seen = self::stamp(&state, &status);
        if seen != stamp || now - read_at >= PATIENCE {
            (stamp, read_at) = (seen, now);
            match ask(matches, shell) {
                Ok(read) => (status, failed) = (read, None),
                // A profile file that is being written is whole again soon.
                Err(error) => {
                    let error = format!(
                        "what changed cannot be read: {}",
                        printable(&error.to_string())
                    );
                    let is_told =
                        canvas(matches, shell).is_some() || failed.as_ref() == Some(&error);
                    if !is_told {
                        shell.context.warn(&error);
                    }
                    failed = Some(error);
                }
            }
        }
    }
}

/// Whether whoever read stdout has gone: nobody wants more. That is no mistake of anybody's.
fn is_reader_gone(shell: &Shell<'_, '_>) -> bool {
    let signals = shell.context.signals;
    let was_told = signals.check().is_err();
    let _heeded = signals.heed_reader();
    !was_told && signals.check().is_err()
}

/// The files that tell of a change.
fn stamp(state: &Path, status: &Status) -> Stamp {
    let sessions = fs::read_dir(state.join("sessions")).into_iter().flatten();
    let sessions = sessions.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = sessions.collect();
    let profiles = status.told["profiles"].as_array().into_iter().flatten();
    let of_profiles =
        profiles.flat_map(|profile| ["file", "msal"].map(|key| profile[key].as_str()));
    paths.extend(of_profiles.flatten().map(PathBuf::from));
    paths.push(state.join("audit.jsonl"));
    paths.push(state.join("setup"));
    paths.sort();
    paths.dedup();
    let written = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths
        .into_iter()
        .map(|path| {
            let written = written(&path);
            (path, written)
        })
        .collect()
}

/// The terminal, if a picture can be drawn over the one before.
fn canvas(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Option<Screen> {
    screen(shell).filter(|screen| screen.does_sequences && !is_json(matches))
}

/// The terminal, as wide as it is now.
fn screen(shell: &Shell<'_, '_>) -> Option<Screen> {
    shell.screen?;
    terminal::standard_output(shell.context.environment)
}

/// Shows the status, if it is another one than is shown.
fn show(
    shown: &mut String,
    matches: &ArgMatches,
    shell: &mut Shell<'_, '_>,
    status: &Status,
    failed: Option<&str>,
) -> Result<(), Error> {
    let canvas = canvas(matches, shell);
    let columns = screen(shell).map(|screen| screen.columns);
    let mut text = match is_json(matches) {
        true => format!("{}\n", status.told),
        // What is not drawn over comes anew with each word that is another one.
        false => view(status, shell, columns, canvas.is_some()),
    };
    let mut before = match shown.is_empty() || is_json(matches) {
        true => "",
        false => "\n",
    }
    .to_owned();
    if let Some(screen) = canvas {
        if let Some(failed) = failed {
            text = format!("{text}{}\n", shell.style.bad(failed));
        }
        text = cut(&text, screen);
        before = erasing(shown, screen);
    }
    if text != *shown {
        shell.print(&format!("{before}{text}"))?;
        *shown = text;
    }
    Ok(())
}

/// As much of a text as there is room for.
fn cut(text: &str, screen: Screen) -> String {
    let mut room = screen.lines.saturating_sub(2).max(1);
    let mut shown = String::new();
    let mut rest = text.lines();
    while let Some(line) = rest.next() {
        let taken = rows(line, screen);
        if taken > room {
            shown.push_str(&format!("… {} more lines\n", rest.count() + 1));
            break;
        }
        room -= taken;
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

/// What moves the cursor to where a text began, and clears the terminal from there on (ECMA-48 CPL, ED).
fn erasing(text: &str, screen: Screen) -> String {
    match text.lines().map(|line| rows(line, screen)).sum() {
        0 => String::new(),
        rows => format!("\u{1b}[{}F\u{1b}[J", usize::min(rows, screen.lines)),
    }
}

/// How many rows of the terminal a line takes.
fn rows(line: &str, screen: Screen) -> usize {
    let mut seen = String::new();
    let mut rest = line;
    // Styles take no room.
    while let Some((before, style)) = rest.split_once('\u{1b}') {
        seen.push_str(before);
        rest = style.split_once('m').map_or("", |(_, rest)| rest);
    }
    seen.push_str(rest);
    width(&seen).div_ceil(screen.columns.max(1)).max(1)
}

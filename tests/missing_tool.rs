//! The summary after all tests: which of them proved nothing, or less, as a tool was missing.
//!
//! `tests/it/tool.rs` leaves the notes; with `REQUIRE_TOOLS=1` such tests fail instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

fn main() -> io::Result<()> {
    let notes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing_tool");
    let Ok(text) = fs::read_to_string(&notes) else {
        return Ok(());
    };
    fs::remove_file(notes)?;
    let mut tests_by_tool: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (tool, test) in text.lines().filter_map(|line| line.split_once('\t')) {
        tests_by_tool.entry(tool).or_default().insert(test);
    }
    let mut summary = String::new();
    for (tool, tests) in tests_by_tool {
        summary.push_str(&format!("\n{tool}\n    not tested, or in part:\n"));
        for test in tests {
            summary.push_str(&format!("        {test}\n"));
        }
    }
    io::stdout().write_all(summary.as_bytes())
}

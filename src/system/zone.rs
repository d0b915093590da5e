//! The time zone of this machine: `TZ`, else the system's.

use chrono::{Local, TimeZone};

use crate::token::Timestamp;

/// A time as a clock on the wall shows it here, as `2030-01-01 01:00:00`.
pub(super) fn wall_clock(time: Timestamp) -> String {
    let local = Local.timestamp_opt(time.0, 0).single();
    // Beyond the years that a calendar has, nobody looks at it.
    local.map_or_else(
        || time.rfc3339(),
        |local| format!("{} {}", local.date_naive(), local.time()),
    )
}

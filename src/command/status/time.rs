//! Times in words, as seen from now.

use crate::context::Environment;
use crate::token::Timestamp;

/// How times are told.
#[derive(Clone, Copy)]
pub(super) struct Times<'a> {
    /// Tells what the clock on the wall shows.
    pub(super) environment: &'a dyn Environment,
    /// Now.
    pub(super) now: Timestamp,
    /// Whether in words; else they are as exact as they were given.
    pub(super) in_words: bool,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Times<'_> {
    /// How many seconds are left until a time of RFC 3339; negative if it has passed.
    pub(super) fn left(&self, time: &str) -> Option<i64> {
        parse(time).map(|time| time.since(self.now))
    }

    /// A time to come, behind the word that a span has before it or that a point has: `in 5 min`, `until
    /// 14:05`. Where both are empty, it stands alone.
    pub(super) fn coming(&self, time: &str, of_span: &str, of_point: &str) -> String {
        let before = |word: &str, text: String| match word {
            "" => text,
            word => format!("{word} {text}"),
        };
        match (parse(time), self.left(time)) {
            (Some(point), Some(left)) if self.in_words => match left < HOUR {
                true => before(of_span, span(left)),
                false => before(of_point, self.clock(point)),
            },
            _ => before(of_point, time.to_owned()),
        }
    }

    /// A time that has passed: `3 h ago`.
    pub(super) fn passed(&self, time: &str) -> String {
        match self.left(time) {
            Some(left) if self.in_words => format!("{} ago", span(-left)),
            _ => time.to_owned(),
        }
    }

    /// What the clock on the wall shows then, with the day if that is another one.
    fn clock(&self, time: Timestamp) -> String {
        let [then, today] = [time, self.now].map(|time| self.environment.wall_clock(time));
        let day = |text: &str| text.get(..10).unwrap_or_default().to_owned();
        let is_today = day(&then) == day(&today);
        // Nobody minds the seconds.
        let shown = if is_today { 11..16 } else { 0..16 };
        then.get(shown).unwrap_or(&then).to_owned()
    }
}

fn parse(time: &str) -> Option<Timestamp> {
    humantime::parse_rfc3339(time).ok().map(Timestamp::from)
}

/// A number of seconds in the largest unit that it fills.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        _ if seconds < 2 * DAY => "1 day".to_owned(),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Times;
    use crate::context::Environment;
    use crate::token::Timestamp;

    /// Nothing is set, and the clock on the wall shows UTC.
    pub(in super::super) struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, _name: &str) -> Option<String> {
            None
        }
    }

    /// 2030-01-01T12:00:00Z.
    pub(in super::super) const NOON: Timestamp = Timestamp(1_893_499_200);

    #[test]
    fn a_time_is_told_as_people_tell_it_and_exactly_to_a_program() {
        let times = |in_words| Times {
            environment: &Nothing,
            now: NOON,
            in_words,
        };
        for (seconds, coming, passed) in [
            (0, "in 0 s", "0 s ago"),
            (59, "in 59 s", "59 s ago"),
            (60, "in 1 min", "1 min ago"),
            (3599, "in 59 min", "59 min ago"),
            (3600, "13:00", "1 h ago"),
            (11 * 3600, "23:00", "11 h ago"),
            (13 * 3600, "2030-01-02 01:00", "13 h ago"),
            (30 * 3600, "2030-01-02 18:00", "1 day ago"),
            (50 * 24 * 3600, "2030-02-20 12:00", "50 days ago"),
        ] {
            let [after, before] = [seconds, -seconds].map(|by| NOON.plus(by).rfc3339());
            assert_eq!(times(true).coming(&after, "in", ""), coming);
            assert_eq!(times(true).passed(&before), passed);
            assert_eq!(times(false).coming(&after, "in", ""), after);
            assert_eq!(times(false).passed(&before), before);
        }
        assert_eq!(times(true).coming("soon", "in", "after"), "after soon");
    }
}

//! Which profiles answer for a URL, and how near the others are.

use std::fmt;

use super::route::{Exactness, Mismatch, Nearness, Pattern, Target};
use crate::error::{Error, ErrorKind};
use crate::text::printable_url;

/// Which patterns of a profile count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patterns {
    /// Its `urls`.
    Urls,
    /// Its `endpoint` as one more of them: for `request`.
    UrlsAndEndpoint,
}

impl Patterns {
    /// Those that count for a tool.
    pub fn of(tool: Option<&str>) -> Self {
        match tool {
            Some("request") => Self::UrlsAndEndpoint,
            Some(_) | None => Self::Urls,
        }
    }
}

/// What the profiles' patterns have to do with a URL.
#[derive(Debug)]
pub struct Route {
    /// The profiles that answer for it, best first.
    pub answers: Vec<RoutedProfile>,
    /// The patterns of those that do not.
    pub(super) others: Vec<(String, Pattern)>,
    /// The URL, or why no token goes there.
    pub(super) target: Result<Target, &'static str>,
}

/// A profile that answers for a URL, and how well.
#[derive(Debug, PartialEq, Eq)]
pub struct RoutedProfile {
    /// The profile's name.
    pub profile: String,
    /// The pattern that matched.
    pub pattern: Pattern,
    /// How well.
    pub(super) exactness: Exactness,
}

/// A pattern that does not match, of a profile that does not answer.
#[derive(Debug)]
pub struct Other<'r> {
    /// The profile's name.
    pub profile: &'r str,
    /// The pattern.
    pub pattern: &'r Pattern,
    /// Why not.
    pub mismatch: Mismatch,
}

impl Route {
    /// The one profile that answers. `name` and `url` are what was asked.
    ///
    /// # Errors
    /// `no_profile` if none does, `config` if two do so equally well.
    pub fn best(&self, name: Option<&str>, url: &str) -> Result<&RoutedProfile, Error> {
        let best = self.answers.first();
        let best = best.ok_or_else(|| self.no_answer(name, url))?;
        let ties: Vec<_> = self
            .answers
            .iter()
            .filter(|answer| answer.exactness == best.exactness)
            .collect();
        if let [first, second, ..] = ties.as_slice() {
            let error = Error::new(
                ErrorKind::Config,
                format!(
                    "the profiles `{}` and `{}` both answer for `{}` equally well",
                    first.profile,
                    second.profile,
                    printable_url(url)
                ),
            );
            let because = |error: Error, answer: &&RoutedProfile| {
                let pattern = answer.pattern.as_str();
                error.because(format!("`{}` by `{pattern}`", answer.profile))
            };
            return Err(ties
                .iter()
                .fold(error, because)
                .hint("make one of their `urls` longer, or name a profile with -p"));
        }
        Ok(best)
    }

    /// The patterns that do not match, nearest first.
    pub fn others(&self) -> Vec<Other<'_>> {
        let Ok(target) = &self.target else {
            return Vec::new();
        };
        let mut others: Vec<Other<'_>> = Vec::new();
        for (profile, pattern) in &self.others {
            let is_same = |other: &Other<'_>| other.pattern == pattern && other.profile == profile;
            // A profile can name one twice, as in `urls` and as its `endpoint`.
            if !others.iter().any(is_same) {
                others.push(Other {
                    profile,
                    pattern,
                    mismatch: pattern.mismatch(target),
                });
            }
        }
        others.sort_by_key(|other| other.mismatch.nearness);
        others
    }

    /// The nearest of [`Self::others`]: of the same host, else of one above or below, else of one
    /// that is spelt alike.
    pub fn nearest(&self) -> Vec<Other<'_>> {
        let mut others = self.others();
        let nearest = others.first().map(|other| other.mismatch.nearness);
        others.retain(|other| {
            let nearness = other.mismatch.nearness;
            Some(nearness) == nearest && nearness != Nearness::None
        });
        others
    }

    fn no_answer(&self, name: Option<&str>, url: &str) -> Error {
        let shown = printable_url(url);
        let message = match name {
            Some(name) => format!("the profile `{name}` does not answer for `{shown}`"),
            None => format!("no profile answers for `{shown}`"),
        };
        let error = Error::new(ErrorKind::NoProfile, message);
        let target = match &self.target {
            Ok(target) => target,
            Err(reason) => {
                return error
                    .because(format!("no token goes to such a URL: {reason}"))
                    .hint("write it as `https://HOST[:PORT][/PATH]`");
            }
        };
        let nearest = self.nearest();
        let mut error = nearest
            .iter()
            .take(MOST_CAUSES)
            .fold(error, |error, other| error.because(other));
        if nearest.iter().any(|other| other.mismatch.lacks_path) {
            error = error.for_want_of_a_path();
        }
        let of = match name {
            Some(name) => format!("`profiles.{name}`"),
            None => "the profile that should".to_owned(),
        };
        // Whoever names paths of a host does not want to be told to name all of it.
        let is_by_path = nearest
            .first()
            .is_some_and(|other| other.mismatch.nearness == Nearness::Host);
        let pattern = target.proposal(is_by_path);
        error.hint(format!("add `{pattern}` to `urls` of {of}"))
    }
}

impl fmt::Display for Other<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, reason) = (self.pattern.as_str(), &self.mismatch.reason);
        write!(formatter, "`{pattern}` of `{}` {reason}", self.profile)
    }
}

/// How many patterns that do not match does an error name?
pub const MOST_CAUSES: usize = 5;

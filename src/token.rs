//! Tokens and the times they carry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::text::printable;

/// A point in time in whole seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last second that RFC 3339 can write (9999-12-31T23:59:59Z).
    const LAST: i64 = 253_402_300_799;

    /// The time `seconds` later, or earlier if negative, within what can be written down.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(0, Self::LAST))
    }

    /// Seconds from `earlier` to this time; negative if `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads the time of an HTTP header, as `Sun, 06 Nov 1994 08:49:37 GMT`
    /// ([RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)).
    pub fn parse_http(text: &str) -> Option<Self> {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let words: Vec<&str> = text.split_whitespace().collect();
        let [_, day, month, year, time, "GMT"] = words[..] else {
            return None;
        };
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let written = format!("{year}-{month:02}-{day:0>2}T{time}Z");
        humantime::parse_rfc3339(&written).ok().map(Self::from)
    }

    /// RFC 3339 in `Z`, without fractions.
    pub fn rfc3339(self) -> String {
        let seconds = u64::try_from(self.0.clamp(0, Self::LAST)).unwrap_or_default();
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs());
        Self(i64::try_from(seconds).unwrap_or(Self::LAST))
    }
}

/// Which token of a sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// The access token.
    #[default]
    Access,
    /// The ID token (OpenID Connect Core §2), which some clusters want in its place.
    Id,
}

impl TokenKind {
    /// The names in a profile and on the command line.
    pub const NAMES: [&str; 2] = ["access", "id"];

    /// Reads one of [`Self::NAMES`].
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "access" => Some(Self::Access),
            "id" => Some(Self::Id),
            _ => None,
        }
    }
}

/// A token of another profile, which a profile names as a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherToken {
    /// Whose.
    pub profile: String,
    /// Of which kind; that of the profile's own `token`, if none is named.
    pub kind: Option<TokenKind>,
}

/// Who signed in, as far as the authority said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The sign-in name: `preferred_username`, else `upn`, else `email`.
    pub name: Option<String>,
    /// What does not change when somebody is renamed: Entra's `oid.tid`, else `sub`.
    pub subject: Option<String>,
    /// The same in MSAL's words.
    pub home: Option<Home>,
}

/// Who somebody is, as MSAL names them in its caches: the same person in every tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// `home_account_id`: `uid.utid` of Entra's `client_info`, else `sub`.
    pub id: String,
    /// `local_account_id`: `oid`, else `sub`.
    pub local_id: String,
    /// The tenant whose token it is, where there is one.
    pub tenant: Option<String>,
}

impl Account {
    /// An account as the authority tells it, made safe to show.
    pub fn told(name: Option<String>, subject: Option<String>) -> Self {
        let shown = |text: Option<String>| {
            text.map(|text| printable(&text))
                .filter(|text| !text.is_empty())
        };
        Self {
            name: shown(name),
            subject: shown(subject),
            home: None,
        }
    }

    /// The same, where it is known who it is at home: a guest has another object in each tenant.
    #[must_use]
    pub fn at_home(mut self, home: Option<Self>) -> Self {
        if let (Some(own), Some(home)) = (&mut self.home, home.and_then(|account| account.home)) {
            own.id = home.id;
        }
        self
    }
}

/// `token_type` of a token that is no access token ([RFC 8693 §2.2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1)).
pub const NOT_APPLICABLE: &str = "N_A";

/// What a token endpoint answered, with every time made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    /// The access token, opaque to us.
    pub access_token: Secret,
    /// `Bearer`, or [`NOT_APPLICABLE`].
    pub token_type: String,
    /// When the answer was read.
    pub issued_at: Timestamp,
    /// When the access token ends; `None` where the authority does not say.
    pub expires_at: Option<Timestamp>,
    /// From when on the authority wants it refreshed (Entra's `refresh_in`).
    pub refresh_at: Option<Timestamp>,
    /// The refresh token; `None` where the answer had none.
    pub refresh_token: Option<Secret>,
    /// When the refresh token ends, where the authority says so (`refresh_expires_in`).
    pub refresh_expires_at: Option<Timestamp>,
    /// The ID token.
    pub id_token: Option<Secret>,
    /// When the ID token ends, where it says so.
    pub id_token_expires_at: Option<Timestamp>,
    /// The granted scopes; `None` means: as requested.
    pub scopes: Option<Vec<String>>,
    /// Who signed in.
    pub account: Account,
    /// The family of clients that can redeem the refresh token (Entra's `foci`).
    pub family: Option<String>,
    /// The key that the access token, and a public client's refresh token, are bound to.
    pub proof_key: Option<Secret>,
}

impl TokenSet {
    /// An access token, and nothing beside it: its end is not known.
    pub fn of_access_token(access_token: Secret, token_type: &str, issued_at: Timestamp) -> Self {
        Self {
            access_token,
            token_type: token_type.to_owned(),
            issued_at,
            expires_at: None,
            refresh_at: None,
            refresh_token: None,
            refresh_expires_at: None,
            id_token: None,
            id_token_expires_at: None,
            scopes: None,
            account: Account::default(),
            family: None,
            proof_key: None,
        }
    }

    /// The same for whoever has no use for a refresh token: there is nobody who would redeem it, or it
    /// is not theirs.
    #[must_use]
    pub fn without_refresh_token(self) -> Self {
        Self {
            refresh_token: None,
            refresh_expires_at: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn the_time_of_a_header_is_read() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 66 Nov 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("", None),
        ] {
            assert_eq!(
                Timestamp::parse_http(text),
                expected.map(Timestamp),
                "{text}"
            );
        }
    }

    #[test]
    fn times_are_written_without_fractions_and_never_overflow() {
        assert_eq!(Timestamp(1_893_456_000).rfc3339(), "2030-01-01T00:00:00Z");
        assert_eq!(
            Timestamp(0).plus(i64::MIN).rfc3339(),
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(
            Timestamp(5).plus(i64::MAX).rfc3339(),
            "9999-12-31T23:59:59Z"
        );
    }
}

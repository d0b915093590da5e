//! What to do next for one request, decided from what is kept and what time it is. Pure.

use crate::error::ErrorKind;
use crate::grant::Asks;
use crate::secret::Secret;
use crate::store::session::{AccessTokenRow, AccountRow, Failed, RowKey, Session, SignIn};
use crate::token::Timestamp;

/// Which cached tokens must not be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Force {
    /// None.
    No,
    /// Any.
    All,
    /// The one that was there when the call began; a newer one was made while it waited.
    Except(Option<Secret>),
    /// One that was not made in the last minute.
    Older,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Which account; `None` is whoever signed in last.
    pub account: Option<&'a str>,
    /// What is to be handed out.
    pub key: &'a RowKey,
    /// What the authority is asked with to have it. Claims that a sign-in has to satisfy beyond those
    /// of the tool make its token no other.
    pub asked: &'a RowKey,
    /// How many seconds the answer must be valid.
    pub min_valid: Option<i64>,
    /// Which tokens must not be handed out.
    pub force: Force,
    /// The refresh token that the authority refused during this call. It is not sent again, also
    /// where it is kept: because it is not dead, or because it could not be forgotten.
    pub refused: Option<Secret>,
    /// Whom the profile's grant asks.
    pub asks: Asks,
    /// Whether it was tried during this call without asking, and a person is needed.
    pub needs_a_person: bool,
    /// Whether a person may be asked.
    pub may_ask: bool,
    /// Whether a token inside its refresh window is handed out at once and refreshed by another
    /// process.
    pub in_background: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// Hand out this token.
    Use {
        /// The account it is of.
        account: &'s AccountRow,
        /// The token.
        token: &'s AccessTokenRow,
        /// Whether it should be refreshed, and cannot be.
        stale: bool,
    },
    /// Hand out this token, and let another process refresh it.
    UseAndRefresh {
        /// The account it is of.
        account: &'s AccountRow,
        /// The token.
        token: &'s AccessTokenRow,
    },
    /// Redeem the refresh token, under the session's lock.
    Refresh {
        /// Whose.
        account: &'s AccountRow,
        /// Which.
        refresh_token: &'s Secret,
    },
    /// Run the grant without asking anybody, under the session's lock.
    Silent,
    /// Run the grant, which asks a person.
    Grant,
    /// A person has to sign in, and may not be asked.
    LoginRequired(Reason),
    /// A request failed a moment ago, and would fail again.
    Remember(&'s Failed),
}

/// Why a person has to sign in elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody may be asked here.
    NobodyToAsk,
    /// Somebody was asked, and refused or did not come.
    Refused {
        /// When.
        at: Option<Timestamp>,
        /// From when on a person is asked again.
        until: Option<Timestamp>,
        /// What happened, in words.
        what: Option<String>,
    },
}

impl Reason {
    /// What was refused last.
    pub fn refused(sign_in: &SignIn) -> Self {
        Self::Refused {
            at: sign_in.refused_at,
            until: sign_in.asked_again_after,
            what: sign_in.reason.clone(),
        }
    }
}

/// How good a token still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// As good as new.
    Fresh,
    /// Valid, and to be refreshed.
    Aging,
    /// Over.
    Expired,
}

/// How far may the clocks of two moments differ before one of them is wrong?
const CLOCK_TOLERANCE: i64 = 60;
/// How long is a token used whose life nobody tells, where a new one costs nobody anything?
const UNKNOWN_LIFE: i64 = 600;
/// How long before its end is a token refreshed at the latest?
const LONGEST_MARGIN: i64 = 300;

/// Judges a token; `refreshable` is whether a new one costs nobody anything.
pub(super) fn freshness(
    token: &AccessTokenRow,
    min_valid: Option<i64>,
    refreshable: bool,
    now: Timestamp,
) -> Freshness {
    if token.expires_at.is_some_and(|end| end <= now) {
        return Freshness::Expired;
    }
    let aging = match (token.expires_at, min_valid) {
        (Some(end), Some(min_valid)) => end.since(now) < min_valid,
        (Some(end), None) => {
            // A short life must not mean a refresh at each call.
            let margin = LONGEST_MARGIN.min(end.since(token.issued_at).max(0) / 2);
            end.since(now) < margin || token.refresh_at.is_some_and(|time| time <= now)
        }
        (None, _) => refreshable && now.since(token.issued_at) >= UNKNOWN_LIFE,
    };
    if is_doubtful(token, now) || aging {
        Freshness::Aging
    } else {
        Freshness::Fresh
    }
}

/// Whether a token can be handed out although it should be refreshed: whoever gets it has yet to use it.
fn lives_a_while(token: &AccessTokenRow, now: Timestamp) -> bool {
    /// How much must be left of a long life, in seconds?
    const LEAST: i64 = 60;
    let is_long = |end: Timestamp| end.since(now) >= LEAST.min(end.since(token.issued_at) / 4);
    token.expires_at.is_some_and(is_long) && !is_doubtful(token, now)
}

/// Whether a token was received in the future: a clock was wrong then or is wrong now, and nothing
/// that was counted from it can be trusted.
fn is_doubtful(token: &AccessTokenRow, now: Timestamp) -> bool {
    token.issued_at.since(now) > CLOCK_TOLERANCE
}

/// How many seconds long has a token just been made, so that what rejects it would reject another one?
const JUST: i64 = 60;

/// Whether a token has just been made, and is refused for another reason than its age.
pub fn is_just_made(token: &AccessTokenRow, now: Timestamp) -> bool {
    (0..JUST).contains(&now.since(token.issued_at))
}

/// Decides.
pub fn next<'s>(session: &'s Session, wanted: &Wanted<'_>, now: Timestamp) -> Step<'s> {
    let account = session.account(wanted.account);
    // When it ends by this clock is no matter: a clock that was wrong when it was received would
    // cost the sign-in. The authority knows, and one request more is all that it costs.
    let usable = |token: &&Secret| wanted.refused.as_ref() != Some(*token);
    let failed = remembered(session, wanted, now);
    let refresh_token = account
        .and_then(|account| account.refresh_token.as_ref().filter(usable))
        .filter(|_| failed.is_none() && wanted.asks != Asks::PersonIfNeeded);
    let is_silent = wanted.asks != Asks::Person && !wanted.needs_a_person;
    let token = account
        .and_then(|account| account.access_token(wanted.key))
        .filter(|token| match &wanted.force {
            Force::No => true,
            Force::All => false,
            Force::Except(seen) => seen.as_ref() != Some(&token.secret),
            Force::Older => is_just_made(token, now),
        });
    if let (Some(account), Some(token)) = (account, token) {
        let judged = freshness(
            token,
            wanted.min_valid,
            refresh_token.is_some() || is_silent,
            now,
        );
        match (judged, refresh_token) {
            (Freshness::Fresh, _) => {
                return Step::Use {
                    account,
                    token,
                    stale: false,
                };
            }
            (Freshness::Aging, _)
                if wanted.in_background
                    && wanted.min_valid.is_none()
                    && (refresh_token.is_some() || (is_silent && failed.is_none()))
                    && lives_a_while(token, now) =>
            {
                return Step::UseAndRefresh { account, token };
            }
            // Nobody is asked while there is something valid to hand out.
            (Freshness::Aging, None)
                if wanted.min_valid.is_none() && !is_silent && !is_doubtful(token, now) =>
            {
                return Step::Use {
                    account,
                    token,
                    stale: true,
                };
            }
            (Freshness::Aging | Freshness::Expired, _) => {}
        }
    }
    if let (Some(account), Some(refresh_token)) = (account, refresh_token) {
        return Step::Refresh {
            account,
            refresh_token,
        };
    }
    if let Some(failed) = failed
        && failed.error.kind() != ErrorKind::LoginRequired
    {
        return Step::Remember(failed);
    }
    if is_silent {
        return Step::Silent;
    }
    if !wanted.may_ask {
        return Step::LoginRequired(Reason::NobodyToAsk);
    }
    if session.sign_in.is_refused(now) {
        return Step::LoginRequired(Reason::refused(&session.sign_in));
    }
    Step::Grant
}

/// What failed a moment ago, where it is not tried again for what is wanted.
pub fn remembered<'s>(
    session: &'s Session,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Option<&'s Failed> {
    let account = session.account(wanted.account);
    let of_account = account.and_then(|account| account.failed_refresh.as_ref());
    // Where a grant was run, that was after the account's refresh, which does not hide it.
    let mut all = session.failed_grant.iter().chain(of_account);
    let failed = all.find(|failed| failed.key == *wanted.asked && failed.is_remembered(now))?;
    // Whoever may be asked is asked only after one more attempt: it may go well by now.
    let is_mended = failed.error.kind() == ErrorKind::LoginRequired
        && wanted.asks == Asks::Person
        && wanted.may_ask
        && !session.sign_in.is_refused(now);
    // One that failed during this call is no memory.
    let refresh_token = account.and_then(|account| account.refresh_token.as_ref());
    let is_tried = wanted.refused.is_some() && wanted.refused.as_ref() == refresh_token;
    let may_wait = matches!(wanted.force, Force::No | Force::Older);
    (!is_mended && !is_tried && may_wait).then_some(failed)
}

/// The token that may be handed out if a better one cannot be had; `for_good` is whether waiting
/// will not mend that.
pub fn fallback<'s>(
    session: &'s Session,
    wanted: &Wanted<'_>,
    for_good: bool,
    now: Timestamp,
) -> Option<(&'s AccountRow, &'s AccessTokenRow)> {
    if wanted.min_valid.is_some() || wanted.force != Force::No {
        return None;
    }
    let account = session.account(wanted.account)?;
    let token = account.access_token(wanted.key)?;
    let is_over = freshness(token, None, true, now) == Freshness::Expired;
    // A doubtful one would be handed out until the end that a wrong clock gave it.
    (!(is_over || for_good && is_doubtful(token, now))).then_some((account, token))
}

#[cfg(test)]
mod tests {
    use super::{Force, Freshness, Reason, Step, Wanted, fallback, freshness, next};
    use crate::error::{Error, ErrorKind};
    use crate::grant::Asks;
    use crate::secret::Secret;
    use crate::store::session::{AccessTokenRow, AccountRow, Failed, RowKey, Session};
    use crate::token::Timestamp;

    const NOW: Timestamp = Timestamp(10_000);

    fn token(issued: i64, expires: Option<i64>, refresh: Option<i64>) -> AccessTokenRow {
        AccessTokenRow {
            key: RowKey::default(),
            secret: Secret::new("access"),
            token_type: "Bearer".into(),
            issued_at: NOW.plus(issued),
            expires_at: expires.map(|seconds| NOW.plus(seconds)),
            refresh_at: refresh.map(|seconds| NOW.plus(seconds)),
            scopes: vec![],
            is_shared: false,
        }
    }

    fn session(token: Option<AccessTokenRow>, refresh_token: Option<&str>) -> Session {
        Session {
            accounts: vec![AccountRow {
                name: Some("ada@x".into()),
                subject: None,
                assertion: None,
                grant: "device_code".into(),
                scopes: vec![],
                signed_in_at: NOW,
                refresh_token: refresh_token.map(Secret::new),
                refresh_expires_at: None,
                proof_key: None,
                last_refreshed_at: None,
                access_tokens: token.into_iter().collect(),
                failed_refresh: None,
                msal: None,
            }],
            ..Session::default()
        }
    }

    fn wanted(key: &RowKey) -> Wanted<'_> {
        Wanted {
            account: None,
            key,
            asked: key,
            min_valid: None,
            force: Force::No,
            refused: None,
            asks: Asks::Person,
            needs_a_person: false,
            may_ask: true,
            in_background: false,
        }
    }

    fn step_name(step: &Step<'_>) -> &'static str {
        match step {
            Step::Use { stale: false, .. } => "use",
            Step::Use { stale: true, .. } => "use stale",
            Step::UseAndRefresh { .. } => "use and refresh",
            Step::Refresh { .. } => "refresh",
            Step::Silent => "silent",
            Step::Grant => "grant",
            Step::LoginRequired(Reason::NobodyToAsk) => "nobody",
            Step::LoginRequired(Reason::Refused { .. }) => "refused",
            Step::Remember(_) => "remember",
        }
    }

    #[test]
    fn a_token_is_fresh_until_five_minutes_or_half_its_life_are_left() {
        use Freshness::{Aging, Expired, Fresh};
        for (token, expected) in [
            (token(-10, Some(3590), None), Fresh),
            (token(-3300, Some(300), None), Fresh),
            (token(-3301, Some(299), None), Aging),
            (token(-3600, Some(0), None), Expired),
            // Five minutes of life: served from the cache for half of it.
            (token(-149, Some(151), None), Fresh),
            (token(-151, Some(149), None), Aging),
            // One second of life.
            (token(0, Some(1), None), Fresh),
            (token(-10, Some(3590), Some(1)), Fresh),
            (token(-10, Some(3590), Some(0)), Aging),
            (token(-10, Some(-100), None), Expired),
            (token(-599, None, None), Fresh),
            (token(-600, None, None), Aging),
            // Received two hours in the future: the clock jumped back.
            (token(7200, Some(10_800), None), Aging),
            (token(7200, None, None), Aging),
            (token(60, Some(3660), None), Fresh),
            // The clock jumped forward.
            (token(-7200, Some(-3600), None), Expired),
        ] {
            assert_eq!(freshness(&token, None, true, NOW), expected, "{token:?}");
        }
        assert_eq!(
            freshness(&token(-100_000, None, None), None, false, NOW),
            Fresh
        );
        let short = token(-3300, Some(120), None);
        assert_eq!(freshness(&short, Some(60), true, NOW), Fresh);
        assert_eq!(freshness(&short, Some(121), true, NOW), Aging);
    }

    #[test]
    fn the_next_step_follows_from_what_is_kept() {
        let key = RowKey::default();
        let fresh = || Some(token(-10, Some(3590), None));
        let aging = || Some(token(-3500, Some(100), None));
        let expired = || Some(token(-3700, Some(-100), None));
        let with = |change: fn(&mut Wanted<'_>)| {
            let mut wanted = wanted(&key);
            change(&mut wanted);
            wanted
        };
        let plain = || with(|_| {});
        let silent = || with(|wanted| wanted.may_ask = false);
        let machine = || with(|wanted| wanted.asks = Asks::Nobody);
        let plugin = || with(|wanted| wanted.asks = Asks::PersonIfNeeded);
        let asking = || {
            with(|wanted| {
                wanted.asks = Asks::PersonIfNeeded;
                wanted.needs_a_person = true;
            })
        };
        let unattended = || Wanted {
            may_ask: false,
            ..asking()
        };
        let endless = || Some(token(-601, None, None));
        let forced = || with(|wanted| wanted.force = Force::All);
        let rejected = || with(|wanted| wanted.force = Force::Older);
        let just = || Some(token(-59, Some(3541), None));
        let older = || Some(token(-60, Some(3540), None));
        let long = || with(|wanted| wanted.min_valid = Some(1000));
        let background = || with(|wanted| wanted.in_background = true);
        let machine_in_background = || Wanted {
            in_background: true,
            ..machine()
        };
        let long_in_background = || Wanted {
            in_background: true,
            ..long()
        };
        let ending = || Some(token(-3550, Some(50), None));
        let doubtful = || Some(token(7200, Some(10_800), None));
        let shared = || with(|wanted| wanted.force = Force::Except(Some(Secret::new("older"))));
        let same = || with(|wanted| wanted.force = Force::Except(Some(Secret::new("access"))));
        let other = || with(|wanted| wanted.account = Some("eve"));
        let refused = || with(|wanted| wanted.refused = Some(Secret::new("refresh")));
        let newer = || with(|wanted| wanted.refused = Some(Secret::new("older")));
        let r = Some("refresh");
        for (line, token, refresh_token, wanted, expected) in [
            (line!(), fresh(), r, plain(), "use"),
            (line!(), fresh(), None, silent(), "use"),
            (line!(), aging(), r, plain(), "refresh"),
            (line!(), aging(), r, background(), "use and refresh"),
            (line!(), aging(), None, background(), "use stale"),
            (
                line!(),
                aging(),
                None,
                machine_in_background(),
                "use and refresh",
            ),
            (line!(), aging(), r, long_in_background(), "refresh"),
            (line!(), ending(), r, background(), "refresh"),
            (line!(), ending(), None, machine_in_background(), "silent"),
            (line!(), endless(), r, background(), "refresh"),
            (line!(), doubtful(), r, background(), "refresh"),
            (line!(), aging(), None, plain(), "use stale"),
            (line!(), aging(), None, machine(), "silent"),
            (line!(), expired(), r, silent(), "refresh"),
            (line!(), expired(), r, background(), "refresh"),
            (line!(), expired(), None, plain(), "grant"),
            (line!(), expired(), None, silent(), "nobody"),
            (line!(), expired(), None, machine(), "silent"),
            (line!(), endless(), None, machine(), "silent"),
            (line!(), endless(), None, plain(), "use"),
            // A plugin redeems what it gave itself.
            (line!(), fresh(), r, plugin(), "use"),
            (line!(), aging(), r, plugin(), "silent"),
            (line!(), expired(), r, plugin(), "silent"),
            (line!(), None, None, plugin(), "silent"),
            (line!(), aging(), r, asking(), "use stale"),
            (line!(), expired(), r, asking(), "grant"),
            (line!(), expired(), r, unattended(), "nobody"),
            (line!(), None, None, plain(), "grant"),
            (line!(), None, r, silent(), "refresh"),
            (line!(), fresh(), r, forced(), "refresh"),
            (line!(), fresh(), None, forced(), "grant"),
            // Another one would be rejected, too.
            (line!(), just(), r, rejected(), "use"),
            (line!(), older(), r, rejected(), "refresh"),
            (line!(), doubtful(), r, rejected(), "refresh"),
            (line!(), older(), None, rejected(), "grant"),
            (line!(), fresh(), r, shared(), "use"),
            (line!(), fresh(), r, same(), "refresh"),
            (line!(), aging(), r, long(), "refresh"),
            (line!(), aging(), None, long(), "grant"),
            (line!(), fresh(), r, long(), "use"),
            (line!(), fresh(), r, other(), "grant"),
            (line!(), expired(), r, refused(), "grant"),
            (line!(), aging(), r, refused(), "use stale"),
            (line!(), expired(), r, newer(), "refresh"),
        ] {
            let session = session(token, refresh_token);
            assert_eq!(
                step_name(&next(&session, &wanted, NOW)),
                expected,
                "line {line}"
            );
        }
    }

    #[test]
    fn a_refusal_leaves_people_in_peace_and_stops_nothing_that_is_silent() {
        let key = RowKey::default();
        let mut kept = session(None, None);
        kept.sign_in.refuse(NOW, "no");
        assert_eq!(step_name(&next(&kept, &wanted(&key), NOW)), "refused");
        assert_eq!(
            step_name(&next(&kept, &wanted(&key), NOW.plus(60))),
            "grant"
        );
        let mut kept = session(None, Some("refresh"));
        kept.sign_in.refuse(NOW, "no");
        assert_eq!(step_name(&next(&kept, &wanted(&key), NOW)), "refresh");
    }

    #[test]
    fn a_refresh_that_failed_a_moment_ago_is_not_tried_again_for_the_same() {
        use ErrorKind::{Denied, LoginRequired, Unavailable};
        let key = RowKey::default();
        let narrower = RowKey::default().with_scopes(&["read".to_owned()]);
        let plain = || wanted(&key);
        let silent = || Wanted {
            may_ask: false,
            ..plain()
        };
        let machine = || Wanted {
            asks: Asks::Nobody,
            ..silent()
        };
        let forced = || Wanted {
            force: Force::All,
            ..silent()
        };
        let other = || Wanted {
            asked: &narrower,
            ..silent()
        };
        let tried = || Wanted {
            refused: Some(Secret::new("refresh")),
            ..silent()
        };
        let long = || Wanted {
            min_valid: Some(1000),
            ..silent()
        };
        let aging = || Some(token(-3500, Some(100), None));
        let fresh = || Some(token(-10, Some(3590), None));
        for (line, kind, token, wanted, after, expected) in [
            (line!(), LoginRequired, None, silent(), 0, "nobody"),
            (line!(), LoginRequired, None, silent(), 59, "nobody"),
            (line!(), LoginRequired, None, silent(), 60, "refresh"),
            // The clock was set back.
            (line!(), LoginRequired, None, silent(), -1, "refresh"),
            // It may go well by now, and if not, the person is asked.
            (line!(), LoginRequired, None, plain(), 0, "refresh"),
            (line!(), LoginRequired, None, machine(), 0, "silent"),
            (line!(), LoginRequired, None, forced(), 0, "refresh"),
            (line!(), LoginRequired, None, other(), 0, "refresh"),
            (line!(), LoginRequired, None, tried(), 0, "nobody"),
            (line!(), LoginRequired, fresh(), silent(), 0, "use"),
            (line!(), LoginRequired, aging(), silent(), 0, "use stale"),
            (line!(), LoginRequired, aging(), long(), 0, "nobody"),
            (line!(), Denied, None, silent(), 0, "remember"),
            (line!(), Denied, None, silent(), 60, "refresh"),
            // A person would not be asked either.
            (line!(), Denied, None, plain(), 0, "remember"),
            (line!(), Denied, None, machine(), 0, "remember"),
            (line!(), Denied, None, forced(), 0, "refresh"),
            (line!(), Denied, None, other(), 0, "refresh"),
            (line!(), Denied, aging(), silent(), 0, "use stale"),
            (line!(), Unavailable, None, plain(), 0, "remember"),
            (line!(), Unavailable, aging(), machine(), 0, "remember"),
            (line!(), Unavailable, fresh(), plain(), 0, "use"),
        ] {
            let mut kept = session(token, Some("refresh"));
            kept.accounts[0].failed_refresh = Some(Failed {
                key: key.clone(),
                at: NOW,
                until: NOW.plus(60),
                error: Error::new(kind, "no"),
                refresh_token: None,
            });
            let step = next(&kept, &wanted, NOW.plus(after));
            assert_eq!(step_name(&step), expected, "line {line}");
        }
    }

    #[test]
    fn a_grant_that_failed_is_remembered_beside_a_refresh_that_did() {
        let (key, other) = (RowKey::default(), RowKey::id_token());
        let failed = |key: &RowKey, kind| Failed {
            key: key.clone(),
            at: NOW,
            until: NOW.plus(10),
            error: Error::new(kind, "no"),
            refresh_token: None,
        };
        let machine = Wanted {
            asks: Asks::Nobody,
            may_ask: false,
            ..wanted(&key)
        };
        for (of_refresh, of_grant, expected) in [
            (&other, &key, "remember"),
            (&key, &key, "remember"),
            (&key, &other, "silent"),
            (&other, &other, "refresh"),
        ] {
            let mut kept = session(None, Some("refresh"));
            kept.accounts[0].failed_refresh = Some(failed(of_refresh, ErrorKind::LoginRequired));
            kept.failed_grant = Some(failed(of_grant, ErrorKind::Unavailable));
            assert_eq!(step_name(&next(&kept, &machine, NOW)), expected);
        }
    }

    #[test]
    fn a_person_who_refused_is_not_asked_by_one_more_refresh_of_the_same() {
        let key = RowKey::default();
        let mut kept = session(None, Some("refresh"));
        kept.sign_in.refuse(NOW, "no");
        kept.accounts[0].failed_refresh = Some(Failed {
            key: key.clone(),
            at: NOW,
            until: NOW.plus(60),
            error: Error::new(ErrorKind::LoginRequired, "no"),
            refresh_token: None,
        });
        assert_eq!(step_name(&next(&kept, &wanted(&key), NOW)), "refused");
    }

    #[test]
    fn a_refresh_token_that_is_over_by_this_clock_is_sent_all_the_same() {
        let key = RowKey::default();
        let mut kept = session(None, Some("refresh"));
        kept.accounts[0].refresh_expires_at = Some(NOW);
        assert_eq!(step_name(&next(&kept, &wanted(&key), NOW)), "refresh");
    }

    #[test]
    fn only_a_valid_token_stands_in_for_one_that_cannot_be_had() {
        let key = RowKey::default();
        let aging = session(Some(token(-3500, Some(100), None)), Some("r"));
        let expired = session(Some(token(-3700, Some(-1), None)), Some("r"));
        assert!(fallback(&aging, &wanted(&key), false, NOW).is_some());
        assert!(fallback(&aging, &wanted(&key), true, NOW).is_some());
        assert!(fallback(&expired, &wanted(&key), false, NOW).is_none());
        let forced = Wanted {
            force: Force::All,
            ..wanted(&key)
        };
        assert!(fallback(&aging, &forced, false, NOW).is_none());
        let long = Wanted {
            min_valid: Some(1),
            ..wanted(&key)
        };
        assert!(fallback(&aging, &long, false, NOW).is_none());
    }
}

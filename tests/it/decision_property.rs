//! What to do next, for sessions, wishes and times of every kind: nothing is handed out that is over or
//! was not asked for, nobody is asked who must not be, and no refresh token is sent needlessly.

use std::cell::Cell;
use std::collections::BTreeSet;

use cred_helper::acquire::decision::{Force, Step, Wanted, fallback, is_just_made, next};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::grant::Asks;
use cred_helper::secret::Secret;
use cred_helper::store::session::{AccessTokenRow, AccountRow, Failed, RowKey, Session, SignIn};
use cred_helper::token::Timestamp;
use proptest::collection::vec;
use proptest::option::{self, of};
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy, Union};

use crate::property::hold;

const NOW: Timestamp = Timestamp(1_800_000_000);

/// Moments near now, and far from it: what a wrong clock leaves.
fn moment() -> impl Strategy<Value = Timestamp> {
    let edges = select(vec![
        -3600, -600, -61, -60, -1, 0, 1, 59, 60, 61, 299, 300, 301, 3600,
    ]);
    Union::new(vec![
        edges.boxed(),
        (-7200_i64..7200).boxed(),
        select(vec![i64::MIN, -100_000_000, 100_000_000, i64::MAX]).boxed(),
    ])
    .prop_map(|seconds| Timestamp(NOW.0.saturating_add(seconds)))
}

/// One of a few, so that what is wanted is there often.
fn key() -> impl Strategy<Value = RowKey> {
    select(vec!["read", "read", "read", "write", ""]).prop_map(|scope| match scope {
        "" => RowKey::id_token(),
        scope => RowKey::default().with_scopes(&[scope.to_owned()]),
    })
}

fn secret(names: &'static [&'static str]) -> impl Strategy<Value = Secret> {
    select(names).prop_map(Secret::new)
}

fn refresh_token() -> impl Strategy<Value = Secret> {
    secret(&["refresh-1", "refresh-2"])
}

fn access_token() -> impl Strategy<Value = Secret> {
    secret(&["access-1", "access-2", "access-3"])
}

fn row() -> impl Strategy<Value = AccessTokenRow> {
    // Every other one is about to be refreshed.
    let about = (-4000_i64..-3000, -50_i64..400).prop_map(|(issued, end)| {
        let at = |seconds| Timestamp(NOW.0 + seconds);
        (at(issued), Some(at(end)), None)
    });
    let any_times = (moment(), of(moment()), of(moment()));
    let times = Union::new(vec![about.boxed(), any_times.boxed()]);
    (key(), access_token(), times).prop_map(|(key, secret, (issued_at, expires_at, refresh_at))| {
        AccessTokenRow {
            key,
            secret,
            token_type: "Bearer".to_owned(),
            issued_at,
            expires_at,
            refresh_at,
            scopes: vec![],
            is_shared: false,
        }
    })
}

/// Mostly now.
fn time() -> impl Strategy<Value = Timestamp> {
    Union::new_weighted(vec![(3, Just(NOW).boxed()), (1, moment().boxed())])
}

fn failed() -> impl Strategy<Value = Failed> {
    let kind = select(vec![
        ErrorKind::LoginRequired,
        ErrorKind::Denied,
        ErrorKind::Unavailable,
    ]);
    (key(), moment(), moment(), kind).prop_map(|(key, at, until, kind)| Failed {
        key,
        at,
        until,
        error: Error::new(kind, "it failed"),
        refresh_token: None,
    })
}

fn account() -> impl Strategy<Value = AccountRow> {
    (
        of(select(vec!["ada", "Grace", "Ünal"])),
        of(refresh_token()),
        of(moment()),
        moment(),
        vec(row(), 0..3),
        option::weighted(0.2, failed()),
    )
        .prop_map(
            |(name, refresh_token, refresh_expires_at, signed_in_at, access_tokens, failed)| {
                AccountRow {
                    name: name.map(String::from),
                    subject: None,
                    assertion: None,
                    grant: "device_code".to_owned(),
                    scopes: vec![],
                    signed_in_at,
                    refresh_token,
                    refresh_expires_at,
                    proof_key: None,
                    last_refreshed_at: None,
                    access_tokens,
                    failed_refresh: failed,
                    msal: None,
                }
            },
        )
}

fn session() -> impl Strategy<Value = Session> {
    let sign_in = (of(moment()), of(moment())).prop_map(|(refused_at, until)| SignIn {
        refused_at,
        asked_again_after: until,
        ..SignIn::default()
    });
    (vec(account(), 0..3), sign_in, of(failed())).prop_map(|(accounts, sign_in, failed_grant)| {
        Session {
            accounts,
            sign_in,
            failed_grant,
            ..Session::default()
        }
    })
}

/// What is wanted, owned.
#[derive(Clone, Debug)]
struct Wish {
    account: Option<&'static str>,
    key: RowKey,
    asked: RowKey,
    min_valid: Option<i64>,
    force: Force,
    refused: Option<Secret>,
    asks: Asks,
    flags: [bool; 3],
}

impl Wish {
    fn wanted(&self) -> Wanted<'_> {
        let [needs_a_person, may_ask, in_background] = self.flags;
        Wanted {
            account: self.account,
            key: &self.key,
            asked: &self.asked,
            min_valid: self.min_valid,
            force: self.force.clone(),
            refused: self.refused.clone(),
            asks: self.asks,
            needs_a_person,
            may_ask,
            in_background,
        }
    }
}

/// What a tool wants that says nothing of it, while others may go on.
fn plain() -> impl Strategy<Value = Wish> {
    let key = RowKey::default().with_scopes(&["read".to_owned()]);
    let asks = select(vec![Asks::Person, Asks::Nobody]);
    (asks, any::<bool>()).prop_map(move |(asks, may_ask)| Wish {
        account: None,
        key: key.clone(),
        asked: key.clone(),
        min_valid: None,
        force: Force::No,
        refused: None,
        asks,
        flags: [false, may_ask, true],
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    Union::new_weighted(vec![(1, plain().boxed()), (2, any_wish().boxed())])
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let force = Union::new_weighted(vec![
        (3, Just(Force::No).boxed()),
        (1, Just(Force::All).boxed()),
        (1, of(access_token()).prop_map(Force::Except).boxed()),
        (1, Just(Force::Older).boxed()),
    ]);
    let min_valid = Union::new(vec![
        (0_i64..7200).boxed(),
        select(vec![0, 1, i64::MAX]).boxed(),
    ]);
    (
        option::weighted(0.2, select(vec!["ADA", "grace", "nobody"])),
        (key(), key()),
        option::weighted(0.3, min_valid),
        force,
        of(refresh_token()),
        select(vec![Asks::Person, Asks::PersonIfNeeded, Asks::Nobody]),
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(account, (key, asked), min_valid, force, refused, asks, flags)| Wish {
                account,
                key,
                asked,
                min_valid,
                force,
                refused,
                asks,
                flags,
            },
        )
}

/// Checks that a token may be handed out.
fn check_token(account: &AccountRow, token: &AccessTokenRow, wish: &Wish, now: Timestamp) {
    assert!(
        wish.account.is_none_or(|name| account.is_named(name)),
        "it is another's"
    );
    assert!(
        account.access_tokens.contains(token),
        "it is not of that account"
    );
    assert_eq!(token.key, wish.key, "it was asked with something else");
    assert!(token.expires_at.is_none_or(|end| end > now), "it is over");
    match &wish.force {
        Force::No => {}
        Force::All => panic!("none that is kept was wanted"),
        Force::Except(seen) => assert_ne!(seen.as_ref(), Some(&token.secret), "not this one"),
        Force::Older => assert!(is_just_made(token, now), "it was rejected, and is not new"),
    }
}

fn check(session: &Session, wish: &Wish, now: Timestamp) -> &'static str {
    let wanted = wish.wanted();
    let asks_person = wish.asks == Asks::Person || wanted.needs_a_person;
    let step = next(session, &wanted, now);
    assert_eq!(
        step,
        next(session, &wanted, now),
        "it is decided by this alone"
    );
    match step {
        Step::Use {
            account,
            token,
            stale,
        } => {
            check_token(account, token, wish, now);
            let left = token.expires_at.map(|end| end.since(now));
            let is_enough = wish
                .min_valid
                .zip(left)
                .is_none_or(|(least, left)| left >= least);
            assert!(is_enough, "it does not last as long as was asked for");
            let is_from_the_future = token.issued_at.since(now) > 60;
            assert!(!is_from_the_future, "a clock was wrong");
            assert!(
                !stale || wish.min_valid.is_none() && asks_person,
                "it can be refreshed"
            );
            if stale { "stale" } else { "use" }
        }
        Step::UseAndRefresh { account, token } => {
            check_token(account, token, wish, now);
            assert!(wanted.in_background && wish.min_valid.is_none());
            let end = token.expires_at.expect("how long it lives is known");
            assert!(end > now && token.issued_at.since(now) <= 60);
            "background"
        }
        Step::Refresh {
            account,
            refresh_token,
        } => {
            assert!(wish.account.is_none_or(|name| account.is_named(name)));
            assert_eq!(
                account.refresh_token.as_ref(),
                Some(refresh_token),
                "it is its own"
            );
            assert_ne!(
                wish.refused.as_ref(),
                Some(refresh_token),
                "it was refused before"
            );
            assert_ne!(
                wish.asks,
                Asks::PersonIfNeeded,
                "the grant alone may send it"
            );
            "refresh"
        }
        Step::Silent => {
            assert!(!asks_person, "the grant asks somebody");
            "silent"
        }
        Step::Grant => {
            assert!(asks_person && wanted.may_ask, "nobody may be asked");
            assert!(
                !session.sign_in.is_refused(now),
                "they said no a moment ago"
            );
            "grant"
        }
        Step::LoginRequired(_) => {
            assert!(asks_person);
            assert!(
                !wanted.may_ask || session.sign_in.is_refused(now),
                "somebody can be asked"
            );
            "login"
        }
        Step::Remember(failed) => {
            assert!(failed.is_remembered(now) && failed.key == wish.asked);
            assert!(
                matches!(wish.force, Force::No | Force::Older),
                "it was to be tried again"
            );
            "remember"
        }
    }
}

#[test]
fn whatever_is_kept_and_wanted_the_next_step_is_one_that_may_be_taken() {
    let seen = Cell::new(BTreeSet::new());
    hold(
        4000,
        &(session(), wish(), time()),
        |(session, wish, now)| {
            let step = check(&session, &wish, now);
            let mut steps = seen.take();
            steps.insert(step);
            seen.set(steps);
            for for_good in [false, true] {
                if let Some((account, token)) = fallback(&session, &wish.wanted(), for_good, now) {
                    check_token(account, token, &wish, now);
                    assert!(wish.min_valid.is_none() && wish.force == Force::No);
                }
            }
        },
    );
    let seen = seen.take();
    assert_eq!(seen.len(), 8, "every step was taken: {seen:?}");
}

#[test]
fn a_token_that_is_good_enough_now_was_so_a_moment_ago() {
    let good = Cell::new(0);
    let earlier = 0_i64..100_000;
    hold(
        2000,
        &(session(), wish(), time(), earlier),
        |(mut session, wish, now, earlier)| {
            // What failed is forgotten in time, and is another reason to wait.
            session.failed_grant = None;
            for account in &mut session.accounts {
                account.failed_refresh = None;
            }
            let wanted = wish.wanted();
            let Step::Use {
                token,
                stale: false,
                ..
            } = next(&session, &wanted, now)
            else {
                return;
            };
            good.set(good.get() + 1);
            let before = Timestamp(now.0.saturating_sub(earlier).max(token.issued_at.0));
            let step = next(&session, &wanted, before.min(now));
            let is_same =
                matches!(step, Step::Use { token: same, stale: false, .. } if same == token);
            assert!(is_same, "at {before:?} it was {step:?}");
        },
    );
    assert!(good.get() > 20, "only {} were good", good.get());
}

#[test]
fn whether_a_person_may_be_asked_decides_about_asking_alone() {
    hold(
        2000,
        &(session(), wish(), time()),
        |(mut session, wish, now)| {
            // Whoever may be asked is asked after one more attempt than others have.
            session.failed_grant = None;
            for account in &mut session.accounts {
                account.failed_refresh = None;
            }
            let mut wanted = wish.wanted();
            wanted.may_ask = true;
            let with = next(&session, &wanted, now);
            wanted.may_ask = false;
            let without = next(&session, &wanted, now);
            match (&with, &without) {
                (Step::Grant | Step::LoginRequired(_), Step::LoginRequired(_)) => {}
                _ => assert_eq!(with, without),
            }
        },
    );
}

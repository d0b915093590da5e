//! What is kept comes back: any session, sealed in any way, over any other, is read as it was written,
//! and a sealed file shows nothing of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use cred_helper::context::{Context, Keyring, KeyringFailure};
use cred_helper::error::{Error, ErrorKind, OAuthError};
use cred_helper::secret::Secret;
use cred_helper::store::seal::Sealing;
use cred_helper::store::session::{
    AccessTokenRow, AccountRow, BegunSignIn, Failed, RowKey, Session, SignIn,
};
use cred_helper::store::{Loaded, SessionStore};
use cred_helper::system::random::SystemRandomness;
use cred_helper::token::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::Strategy;

use crate::fake::World;
use crate::property::{hold, text};

/// A keyring that keeps what it is given, and tells it unless it is locked.
#[derive(Default)]
pub(crate) struct Ring(pub(crate) RefCell<BTreeMap<String, Secret>>, Cell<bool>);

impl Keyring for Ring {
    fn check(&self, _limit: Duration) -> Result<(), KeyringFailure> {
        Ok(())
    }

    fn is_locked(&self, _limit: Duration) -> Result<bool, KeyringFailure> {
        Ok(false)
    }

    fn read(&self, name: &str, _limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        match self.1.get() {
            true => Err(KeyringFailure::Locked),
            false => Ok(self.0.borrow().get(name).cloned()),
        }
    }

    fn write(&self, name: &str, secret: &Secret, _: Duration) -> Result<(), KeyringFailure> {
        self.0.borrow_mut().insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn remove(&self, name: &str, _limit: Duration) -> Result<(), KeyringFailure> {
        self.0.borrow_mut().remove(name);
        Ok(())
    }
}

/// Long enough to be found by nothing but itself.
fn secret() -> impl Strategy<Value = Secret> {
    text().prop_map(|text| Secret::new(format!("canary-{text}")))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn key() -> impl Strategy<Value = RowKey> {
    (
        vec(text(), 0..3),
        [
            of(text()),
            of(text()),
            of(text()),
            of(text()),
            of(text()),
            of(text()),
        ],
        btree_map(text(), text(), 0..2),
        any::<bool>(),
    )
        .prop_map(|(scopes, options, extra, is_id_token)| {
            let [resource, audience, claims, binding, platform, exchange] = options;
            RowKey {
                resource,
                audience,
                claims,
                extra,
                binding,
                platform,
                exchange,
                is_id_token,
                ..RowKey::default()
            }
            .with_scopes(&scopes)
        })
}

fn row() -> impl Strategy<Value = AccessTokenRow> {
    (
        key(),
        secret(),
        text(),
        moment(),
        [of(moment()), of(moment())],
        vec(text(), 0..2),
    )
        .prop_map(
            |(key, secret, token_type, issued_at, [expires_at, refresh_at], scopes)| {
                AccessTokenRow {
                    key,
                    secret,
                    token_type,
                    issued_at,
                    expires_at,
                    refresh_at,
                    scopes,
                    is_shared: false,
                }
            },
        )
}

fn failed() -> impl Strategy<Value = Failed> {
    let said = (text(), of(text()), vec(any::<i64>(), 0..2)).prop_map(
        |(error, error_description, error_codes)| OAuthError {
            error,
            error_description,
            error_codes,
            ..OAuthError::default()
        },
    );
    let error = (
        select(&ErrorKind::ALL[..]),
        [text(), text(), text()],
        of(said),
    )
        .prop_map(|(kind, [message, cause, hint], said)| {
            let error = Error::new(kind, message).because(cause).hint(hint.clone());
            match said {
                Some(said) => error.oauth(said).next(["cred-helper", hint.as_str()]),
                None => error,
            }
        });
    (key(), moment(), moment(), error).prop_map(|(key, at, until, error)| Failed {
        key,
        at,
        until,
        error,
        refresh_token: None,
    })
}

fn account() -> impl Strategy<Value = AccountRow> {
    (
        [of(text()), of(text()), of(text())],
        (text(), vec(text(), 0..2)),
        moment(),
        [of(secret()), of(secret())],
        [of(moment()), of(moment())],
        vec(row(), 0..3),
        of(failed()),
    )
        .prop_map(
            |(names, (grant, scopes), signed_in_at, secrets, times, rows, failed_refresh)| {
                let [name, subject, assertion] = names;
                let [refresh_token, proof_key] = secrets;
                let [refresh_expires_at, last_refreshed_at] = times;
                AccountRow {
                    name,
                    subject,
                    assertion,
                    grant,
                    scopes,
                    signed_in_at,
                    refresh_token,
                    refresh_expires_at,
                    proof_key,
                    last_refreshed_at,
                    access_tokens: rows,
                    failed_refresh,
                    msal: None,
                }
            },
        )
}

fn sign_in() -> impl Strategy<Value = SignIn> {
    let begun = (
        moment(),
        [of(text()), of(text())],
        vec(text(), 0..2),
        secret(),
        of(secret()),
    )
        .prop_map(
            |(at, [account, claims], scopes, kept, proof_key)| BegunSignIn {
                at,
                account,
                scopes,
                claims,
                kept,
                proof_key,
            },
        );
    (
        [of(moment()), of(moment()), of(moment())],
        [of(text()), of(text()), of(text())],
        any::<u32>(),
        of(begun),
    )
        .prop_map(|(times, texts, refusals, begun)| {
            let [waiting_since, refused_at, asked_again_after] = times;
            let [asked_for, reason, claims] = texts;
            SignIn {
                waiting_since,
                asked_for,
                refused_at,
                reason,
                refusals,
                asked_again_after,
                begun,
                claims,
            }
        })
}

fn session() -> impl Strategy<Value = Session> {
    (
        vec(account(), 0..3),
        sign_in(),
        of(failed()),
        vec(text(), 0..2),
    )
        .prop_map(|(accounts, sign_in, failed_grant, imported)| Session {
            identity: vec![("client_id".to_owned(), "cli".to_owned())],
            accounts,
            sign_in,
            failed_grant,
            imported,
        })
}

/// A store as each process has it: what it is configured to seal with, and nothing at hand.
fn store(directory: &std::path::Path, seal: Option<&str>) -> SessionStore {
    let command = ["printf", "%s", "what a password manager prints"].map(String::from);
    let sealing = Sealing {
        seal: seal.map(String::from),
        command: command.to_vec(),
        ..Sealing::default()
    };
    let identity = vec![("client_id", "cli".to_owned())];
    SessionStore::own(directory, identity, sealing, None)
}

#[test]
fn any_session_under_any_seal_is_read_as_it_was_written_and_shown_to_nobody() {
    let seals = select(vec![None, Some("keyring"), Some("command"), Some("none")]);
    let saves = vec((session(), seals, any::<bool>()), 1..4);
    hold(40, &saves, |saves| {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (world, ring) = (World::default(), Ring::default());
        let context = Context {
            keyring: &ring,
            random: &SystemRandomness,
            ..world.context()
        };
        for (mut session, seal, is_proved) in saves {
            let before = store(directory.path(), seal);
            let guard = before.lock(&context).expect("nobody else has it");
            let proof = is_proved.then(|| before.prove_writable(&guard, &context));
            let proof = proof.transpose().expect("it can be written");
            before
                .save(&mut session, proof, &guard, &context)
                .expect("it can be written");
            drop(guard);
            // Whatever the next process is configured to do.
            let loaded = store(directory.path(), None).load(&context);
            let Ok(Loaded::Session(read, lies)) = loaded else {
                panic!("it is read as {loaded:?}");
            };
            assert_eq!(*read, session);
            assert!(
                seal.is_none_or(|seal| seal == lies.name),
                "it lies as {lies:?}"
            );
            let file = fs::read(before.path()).expect("it is there");
            let file = String::from_utf8_lossy(&file);
            assert_eq!(
                file.contains("canary"),
                !lies.has_keys() && holds_a_secret(&session)
            );
            for (name, key) in ring.0.borrow().iter() {
                assert!(
                    !file.contains(key.expose()),
                    "the key {name} lies beside what it seals"
                );
            }
        }
    });
}

fn holds_a_secret(session: &Session) -> bool {
    let begun = session.sign_in.begun.is_some();
    begun
        || session.accounts.iter().any(|account| {
            !account.access_tokens.is_empty()
                || account.refresh_token.is_some()
                || account.proof_key.is_some()
        })
}

#[test]
fn a_key_that_cannot_be_had_is_noticed_before_a_refresh_token_is_spent_and_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (world, ring) = (World::default(), Ring::default());
    let context = Context {
        keyring: &ring,
        ..world.context()
    };
    let first = store(directory.path(), None);
    let guard = first.lock(&context).expect("nobody else has it");
    let mut session = Session::default();
    let saved = first.save(&mut session, None, &guard, &context);
    saved.expect("it can be written");
    drop(guard);
    let before = fs::read(first.path()).expect("it is there");
    ring.1.set(true);
    let next = store(directory.path(), None);
    let guard = next.lock(&context).expect("nobody else has it");
    let proved = next.prove_writable(&guard, &context).err();
    let loaded = next.load(&context).err();
    let cleared = next.save(&mut session, None, &guard, &context).err();
    for error in [proved, loaded, cleared] {
        let error = error.expect("the keyring is locked");
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.message().contains("the keyring is locked"), "{error}");
    }
    assert_eq!(fs::read(next.path()).expect("it is there"), before);
    ring.1.set(false);
    let again = store(directory.path(), None).load(&context);
    assert!(matches!(again, Ok(Loaded::Session(read, _)) if *read == session));
}

//! The way to a token, through the library with fake effects: what needs a clock of one's own, or
//! a network that fails at a chosen moment.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cred_helper::acquire::{Call, acquire, begin, erase, finish, login, logout, status};
use cred_helper::context::{
    Clock, Context, Display, Http, HttpFailure, HttpRequest, HttpResponse, Screen, Tls,
};
use cred_helper::credential::{Action, Credential, Interactive, Request, TokenKind};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::exchange::{Exchange, Failure};
use cred_helper::oauth::client::{Client, EndpointName};
use cred_helper::oauth::{metadata, userinfo, verification};
use cred_helper::profile::file::Source;
use cred_helper::profile::{Configuration, Profile};
use cred_helper::proof_key::ProofKey;
use cred_helper::secret::Secret;
use cred_helper::store::seal::Sealing;
use cred_helper::store::session::{BegunSignIn, RowKey, Session, SignIn};
use cred_helper::store::{Loaded, SessionStore};
use cred_helper::token::{Account, Timestamp, TokenSet};
use serde_json::json;
use tempfile::TempDir;

use crate::fake::World;
use crate::scene::without_note;

/// A profile whose endpoints are explicit, so that every request is one of the flow's own.
pub(crate) struct Desk {
    profile: Profile,
    pub(crate) store: SessionStore,
    pub(crate) directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self::with("")
    }

    pub(crate) fn with(keys: &str) -> Self {
        Self::of("", keys)
    }

    /// A profile with further endpoints, and further keys.
    fn of(endpoints: &str, keys: &str) -> Self {
        let text = format!(
            "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"read\"]\n\
             endpoints = {{ token = \"https://id.example/token\", \
             device_authorization = \"https://id.example/device\"{endpoints} }}\n{keys}"
        );
        let profile = profile_of(&text);
        let directory = tempfile::tempdir().expect("a directory can be made");
        let store = SessionStore::own(
            directory.path(),
            profile.identity(),
            Sealing::named("none"),
            None,
        );
        Self {
            profile,
            store,
            directory,
        }
    }

    /// A profile whose tokens lie in a cache of MSAL.
    pub(crate) fn shared() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let cache = directory.path().join("cache.json");
        let text = format!(
            "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"read\"]\nauthority = \"https://id.example\"\n\
             endpoints = {{ token = \"https://id.example/token\", \
             device_authorization = \"https://id.example/device\", \
             revocation = \"https://id.example/revoke\" }}\n\
             session = {{ msal = '{}' }}\n",
            cache.display()
        );
        let mut source = Source::built_in("profiles.toml", &text);
        source.profiles_count = true;
        let sources = [source];
        let configuration = Configuration::new(&sources).expect("the file is good");
        let profile = configuration.profile("api").expect("the profile is good");
        let store = profile.store(directory.path(), &configuration);
        Self {
            profile,
            store,
            directory,
        }
    }

    pub(crate) fn call<'a>(&'a self, world: &'a World, request: &'a Request) -> Call<'a> {
        // The call begins now.
        let mut context = world.context();
        context.deadline = Some(context.clock.monotonic() + Duration::from_secs(60));
        Call {
            profile: &self.profile,
            store: &self.store,
            grant: self.profile.grant.as_ref(),
            request,
            assertion: None,
            interactive: Interactive::Auto,
            background: Some(false),
            clipboard: false,
            context,
        }
    }

    fn get(&self, world: &World) -> Result<Credential, Error> {
        self.ask(world, &Request::new(Action::Get))
    }

    fn ask(&self, world: &World, request: &Request) -> Result<Credential, Error> {
        acquire(&self.call(world, request), None)
    }

    /// Asks for a token that is not the cached one, where nobody may be asked.
    fn refresh_silently(&self, world: &World) -> Result<Credential, Error> {
        let request = forced();
        let mut call = self.call(world, &request);
        call.interactive = Interactive::Never;
        acquire(&call, None)
    }

    /// Signs in; the access token lives for an hour.
    pub(crate) fn signed_in(world: &World) -> Self {
        let desk = Self::new();
        world
            .answer(200, device())
            .answer(200, tokens("first", Some("refresh-1")));
        desk.get(world).expect("the sign-in goes well");
        desk
    }
}

/// The profile `api` of a file.
fn profile_of(text: &str) -> Profile {
    let mut source = Source::built_in("profiles.toml", text);
    source.profiles_count = true;
    let sources = [source];
    let configuration = Configuration::new(&sources).expect("the file is good");
    configuration.profile("api").expect("the profile is good")
}

pub(crate) fn device() -> serde_json::Value {
    json!({"device_code": "device", "user_code": "ABCD", "verification_uri": "https://id.example/d",
           "expires_in": 600, "interval": 5})
}

pub(crate) fn tokens(access: &str, refresh: Option<&str>) -> serde_json::Value {
    json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh})
}

/// An answer with the ID token of ada@example.test, who is known by `subject`.
pub(crate) fn named(answer: &serde_json::Value, subject: &str) -> serde_json::Value {
    let claims = json!({"aud": "cli", "sub": subject, "preferred_username": "ada@example.test"});
    with_id_token(answer, &claims)
}

/// An answer with an ID token of these claims.
fn with_id_token(answer: &serde_json::Value, claims: &serde_json::Value) -> serde_json::Value {
    let mut answer = answer.clone();
    answer["id_token"] = id_token(claims).into();
    answer
}

/// An ID token of these claims, without a signature.
pub(crate) fn id_token(claims: &serde_json::Value) -> String {
    format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn refusal(code: &str) -> serde_json::Value {
    json!({ "error": code })
}

fn forced() -> Request {
    Request {
        force_refresh: true,
        ..Request::new(Action::Get)
    }
}

#[test]
fn a_sign_in_waits_as_the_authority_says_and_longer_in_trouble() {
    let (world, desk) = (World::default(), Desk::new());
    world
        .answer(200, device())
        .answer(400, refusal("authorization_pending"))
        .answer(400, refusal("slow_down"))
        .answer(400, refusal("authorization_pending"))
        .fail(HttpFailure::NotSent("refused".into()))
        .answer(503, "")
        .answer(200, "<html>")
        .answer(429, refusal("slow_down"))
        .answer(200, refusal("authorization_pending"))
        .answer(200, tokens("token", None));
    let credential = desk.get(&world).expect("it ends well");
    assert_eq!(credential.access_token.expose(), "token");
    assert_eq!(credential.source, "device_code");
    let sent = world.sent.borrow();
    let mut last = Duration::ZERO;
    let pauses: Vec<u64> = sent[1..]
        .iter()
        .map(|sent| {
            let pause = sent.at - last;
            last = sent.at;
            pause.as_secs()
        })
        .collect();
    // 5 s, 5 s, then 10 s for good; doubling in trouble (the first of which took 30 s by itself);
    // and 15 s after the second `slow_down`.
    assert_eq!(pauses, [5, 5, 10, 10, 50, 40, 60, 15, 15]);
    world.assert_all_asked();
}

#[test]
fn somebody_who_signs_in_by_command_has_as_long_as_the_code_lives() {
    let (world, desk) = (World::default(), Desk::new());
    world.answer(200, device());
    for _ in 0..100 {
        world.answer(400, refusal("authorization_pending"));
    }
    world.answer(200, tokens("token", None));
    let request = Request::new(Action::Login);
    let credential = login(&desk.call(&world, &request)).expect("it ends well");
    assert_eq!(credential.access_token.expose(), "token");
    world.assert_all_asked();
}

#[test]
fn ctrl_c_is_remembered_from_the_moment_the_code_is_shown() {
    let (world, desk) = (World::default(), Desk::new());
    world
        .answer(200, device())
        .answer(200, tokens("token", None));
    desk.get(&world).expect("it ends well");
    // The code, and then that the sign-in is done.
    assert_eq!(*world.attended.borrow(), [true, false]);
}

#[test]
fn the_last_poll_is_at_the_end_of_the_code_also_where_the_seconds_are_counted() {
    let display = Display {
        screen: Screen {
            columns: 80,
            lines: 24,
            does_sequences: true,
        },
        is_unicode: true,
    };
    for display in [None, Some(display)] {
        let mut world = World::default();
        world.display = display;
        let desk = Desk::new();
        let mut device = device();
        device["expires_in"] = 12.into();
        world.answer(200, device);
        for _ in 0..3 {
            world.answer(400, refusal("authorization_pending"));
        }
        let error = desk.get(&world).expect_err("the code runs out");
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        let at: Vec<u64> = world.sent.borrow()[1..]
            .iter()
            .map(|sent| sent.at.as_secs())
            .collect();
        assert_eq!(at, [5, 10, 12]);
        let again = desk.get(&world).expect_err("the time-out is remembered");
        assert_eq!(again.kind(), ErrorKind::LoginRequired);
        assert!(
            again.message().contains("nobody is asked again before"),
            "{again}"
        );
        let shown = world.shown.borrow();
        // Before each notice, as of a request, the line is cleared.
        let cleared = "\r\u{1b}[K";
        assert_eq!(shown.ends_with(cleared), display.is_some(), "{shown}");
        let again = format!("{cleared}{cleared}Waiting");
        assert_eq!(shown.contains(&again), display.is_some(), "{shown}");
        assert!(!shown.contains("\u{1b}]52;"), "the clipboard: {shown}");
        let counted: Vec<&str> = shown.split(cleared).skip(1).collect();
        let counted = counted.into_iter().filter(|text| !text.is_empty());
        let line = |left| format!("Waiting for the sign-in: 0:{left:02} left");
        let expected = (1..=12).rev().map(line);
        let expected = expected.filter(|_| display.is_some());
        assert_eq!(counted.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[test]
fn whoever_has_signed_in_is_told_until_when_as_far_as_the_authority_says_it() {
    for (members, end) in [
        (
            json!({"refresh_token": "r", "expires_in": 3600, "refresh_expires_in": 86400}),
            " until 2027-01-16 08:00:05.",
        ),
        (
            json!({"refresh_token": "r", "expires_in": 3600}),
            "; the token is good until 2027-01-15 09:00:05, and is renewed then.",
        ),
        (
            json!({"expires_in": 3600}),
            " until 2027-01-15 09:00:05; the authority gave no refresh token.",
        ),
        (json!({"refresh_token": "r"}), "."),
    ] {
        let (world, desk) = (World::default(), Desk::new());
        let mut tokens = members;
        tokens["access_token"] = "token".into();
        tokens["token_type"] = "Bearer".into();
        world.answer(200, device()).answer(200, tokens);
        desk.get(&world).expect("it ends well");
        let shown = world.shown.borrow();
        let expected = format!("\nSigned in for profile `api`{end}\n");
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
}

#[test]
fn nobody_who_is_asked_for_another_code_holds_up_others_for_more_than_a_minute() {
    let mut world = World::default();
    world.is_typed_at = true;
    let desk = Desk::new();
    let mut device = device();
    device["expires_in"] = 5.into();
    world
        .answer(200, device)
        .answer(400, refusal("expired_token"));
    let error = desk.get(&world).expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert_eq!(world.context().clock.monotonic().as_secs(), 65);
    let shown = world.shown.borrow();
    assert_eq!(shown.matches("A new one? [y/N]").count(), 1, "{shown}");
    world.assert_all_asked();
}

#[test]
fn an_authority_that_says_slow_down_for_ever_is_asked_more_and_more_rarely_until_the_code_ends() {
    for (interval, life, polls, ends) in [
        // 10 s, 15 s, 20 s …
        (json!(null), json!(600), 15, 600),
        (json!(0), json!(600), 15, 600),
        (json!(-5), json!(600), 15, 600),
        // No answer names more than a minute, and each adds five seconds.
        (json!(1e99), json!(600), 9, 600),
        (json!("7200"), json!(600), 9, 600),
        // No code lives for longer than an hour.
        (json!(null), json!(1e99), 38, 3600),
    ] {
        let (world, desk) = (World::default(), Desk::new());
        let mut device = device();
        device["expires_in"] = life;
        world.answer(200, device);
        for _ in 0..polls {
            world.answer(400, json!({ "error": "slow_down", "interval": interval }));
        }
        let error = desk.get(&world).expect_err("the code runs out");
        assert_eq!(error.kind(), ErrorKind::LoginRequired, "{interval}");
        let ended = world.sent.borrow().last().map(|sent| sent.at.as_secs());
        assert_eq!(ended, Some(ends), "{interval}");
        world.assert_all_asked();
    }
}

#[test]
fn a_life_that_makes_no_sense_costs_one_refresh_a_call_at_most() {
    let lasts = [
        json!(1e300),
        json!("1e300"),
        json!("3600"),
        json!(null),
        json!("soon"),
    ];
    let odd = [json!(true), json!([]), json!({}), json!("")];
    let over = [
        json!(0),
        json!(-1),
        json!("0"),
        json!("-3600"),
        json!(-1e300),
        json!(0.4),
    ];
    let rows = lasts.into_iter().chain(odd).map(|life| (life, true));
    for (life, lasts) in rows.chain(over.map(|life| (life, false))) {
        let (world, desk) = (World::default(), Desk::new());
        let answer = |name: &str, refresh: &str| {
            let mut answer = tokens(name, Some(refresh));
            answer["expires_in"] = life.clone();
            answer
        };
        world
            .answer(200, device())
            .answer(200, answer("first", "r-1"));
        let first = desk.get(&world).expect("the sign-in goes well");
        assert_eq!(first.access_token.expose(), "first", "{life}");
        if !lasts {
            world.answer(200, answer("second", "r-2"));
        }
        // One that is over is handed out once: nobody else's is any better.
        let second = desk.get(&world).expect("it is answered");
        let expected = if lasts {
            ("first", "cache")
        } else {
            ("second", "refresh")
        };
        assert_eq!(
            (second.access_token.expose(), second.source),
            expected,
            "{life}"
        );
        assert!(
            second.expires_in.is_none_or(|seconds| seconds >= 0),
            "{life}"
        );
        world.assert_all_asked();
        assert_eq!(world.count("refresh_token"), usize::from(!lasts), "{life}");
    }
}

#[test]
fn a_wall_clock_that_is_set_ends_no_sign_in() {
    for jump in [-7200, 7200] {
        let (world, desk) = (World::default(), Desk::new());
        world
            .answer(200, device())
            .answer(400, refusal("authorization_pending"))
            .answer(200, tokens("token", Some("refresh")));
        world.jump.set(jump);
        let credential = desk.get(&world).expect("it ends well");
        assert_eq!(credential.expires_in, Some(3600), "{jump}");
    }
}

#[test]
fn a_clock_that_jumps_makes_no_token_valid_for_ever_and_loses_no_sign_in() {
    for jump in [-7200, 7200] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        world.jump.set(jump);
        world.answer(200, tokens("second", Some("refresh-2")));
        assert_eq!(
            desk.get(&world).expect("it is refreshed").source,
            "refresh",
            "{jump}"
        );
        world.jump.set(0);
        // What was issued by a wrong clock is over, or lies in the future and is not trusted.
        world.answer(200, tokens("third", Some("refresh-3")));
        let credential = desk.get(&world).expect("the sign-in lives");
        assert_eq!(credential.access_token.expose(), "third");
        world.assert_all_asked();
    }
}

#[test]
fn a_five_minute_token_is_served_from_the_cache() {
    let (world, desk) = (World::default(), Desk::new());
    let mut short = tokens("short", Some("refresh-1"));
    short["expires_in"] = 300.into();
    world.answer(200, device()).answer(200, short);
    desk.get(&world).expect("the sign-in goes well");
    world.pass(149);
    assert_eq!(desk.get(&world).expect("it is cached").source, "cache");
    world.pass(2);
    world.answer(200, tokens("next", None));
    assert_eq!(desk.get(&world).expect("it is refreshed").source, "refresh");
}

#[test]
fn trouble_hands_out_what_is_still_valid_and_costs_nothing() {
    let looping = json!({"error": "invalid_grant", "error_codes": [50196]}).to_string();
    // With for how many seconds it is noted.
    let troubles = [
        (503, "", 0),
        (429, "{}", 10),
        (408, "", 0),
        (302, "", 0),
        (400, "<html>", 0),
        (400, &looping[..], 10),
    ];
    for (index, (status, body, noted)) in troubles.into_iter().enumerate() {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        let trouble = |world: &World| {
            world.answer(status, body);
        };
        let file = std::fs::read(desk.store.path()).expect("the session is there");
        world.pass(3500);
        trouble(&world);
        let credential = desk.get(&world).expect("the old token is still valid");
        assert!(credential.stale, "trouble {index}");
        assert_eq!(world.warnings.borrow().len(), 1, "trouble {index}");
        world.pass(200);
        trouble(&world);
        let error = desk.get(&world).expect_err("the old token is over");
        assert_eq!(
            error.kind(),
            ErrorKind::Unavailable,
            "trouble {index}: {error}"
        );
        let kept = std::fs::read(desk.store.path()).expect("the session is there");
        assert_eq!(file == kept, noted == 0, "trouble {index}");
        assert_eq!(
            without_note(&file),
            without_note(&kept),
            "trouble {index}: nothing else is changed"
        );
        world.pass(noted);
        world.answer(200, tokens("second", None));
        assert_eq!(
            desk.get(&world).expect("the sign-in lives").source,
            "refresh"
        );
        world.assert_all_asked();
    }
}

#[test]
fn a_token_that_ended_while_the_network_was_waited_for_is_not_handed_out() {
    for (left, handed_out) in [(50, None), (70, Some(10))] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        world.pass(3600 - left);
        // Each is waited for 30 s.
        for _ in 0..2 {
            world.fail(HttpFailure::NotAnswered("no answer".into()));
        }
        let answer = desk.get(&world);
        let expires_in = answer.as_ref().map(|credential| credential.expires_in);
        match handed_out {
            Some(_) => assert_eq!(expires_in, Ok(handed_out)),
            None => assert_eq!(
                answer.expect_err("it is over").kind(),
                ErrorKind::Unavailable
            ),
        }
    }
}

#[test]
fn a_lost_answer_is_asked_for_once_more_with_the_same_token() {
    let lost: [fn(&World); 2] = [
        |world| {
            world.fail(HttpFailure::NotAnswered("reset".into()));
        },
        |world| {
            world.answer(200, "<html>");
        },
    ];
    for lose in lost {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        lose(&world);
        world.answer(200, tokens("second", Some("refresh-2")));
        let credential = desk
            .ask(&world, &forced())
            .expect("the second attempt goes well");
        assert_eq!(credential.access_token.expose(), "second");
        assert_eq!(world.count("refresh_token"), 2);

        // Lost twice: given up, and nothing is forgotten.
        lose(&world);
        lose(&world);
        let error = desk.ask(&world, &forced()).expect_err("it is lost twice");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(world.count("refresh_token"), 4);

        // Lost, and then refused: that one is dead, and the reason is told.
        lose(&world);
        world
            .answer(400, refusal("invalid_grant"))
            .answer(200, device());
        world.answer(400, refusal("access_denied"));
        let refused = desk.ask(&world, &forced()).expect_err("the person refuses");
        assert_eq!(refused.kind(), ErrorKind::Denied);
        assert_eq!(world.count("refresh_token"), 6);
        world.assert_all_asked();
    }
}

#[test]
fn what_was_never_sent_is_not_said_to_be_lost() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request {
        scopes: vec!["write".to_owned()],
        ..Request::new(Action::Get)
    };
    world.fail(HttpFailure::NotSent("refused".into()));
    let error = fail_silently(&desk, &world, &request);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let hint = error.hint_text().unwrap_or_default();
    assert!(hint.contains("nothing was lost"), "{hint}");
    assert!(!hint.contains("write"), "no scope is the matter: {hint}");
    world.assert_all_asked();
}

#[test]
fn a_refused_refresh_token_is_never_sent_again() {
    let world = World::without_terminal();
    let desk = Desk::new();
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("refresh-1")));
    let request = Request::new(Action::Login);
    let mut call = desk.call(&world, &request);
    call.interactive = Interactive::Always;
    let error = login(&call).expect_err("there is no terminal at all");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);

    let world = World::default();
    let desk = Desk::signed_in(&world);
    world.answer(400, refusal("invalid_grant"));
    let error = desk
        .refresh_silently(&world)
        .expect_err("the token is dead");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert_eq!(
        error.oauth_error().expect("its reason is told").error,
        "invalid_grant"
    );
    let error = desk.refresh_silently(&world).expect_err("it is still dead");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert_eq!(world.count("refresh_token"), 1);
}

#[test]
fn a_refused_refresh_token_is_forgotten_only_where_it_is_dead() {
    use ErrorKind::{Denied, LoginRequired, Unavailable};
    let entra = |codes: &[i64], suberror: Option<&str>| {
        json!({"error": "invalid_grant", "error_codes": codes, "suberror": suberror}).to_string()
    };
    let plain = |code: &str| refusal(code).to_string();
    for (status, body, kind, is_kept) in [
        (400, plain("invalid_grant"), LoginRequired, false),
        // GitHub, and Slack.
        (200, plain("bad_refresh_token"), LoginRequired, false),
        (200, plain("invalid_refresh_token"), LoginRequired, false),
        // Google: the person has to prove again who they are.
        (
            400,
            json!({"error": "invalid_grant", "error_subtype": "invalid_rapt"}).to_string(),
            LoginRequired,
            true,
        ),
        // glewlwyd answers a dead refresh token so, and a wrong secret.
        (400, String::new(), LoginRequired, true),
        (401, String::new(), Denied, true),
        (403, String::new(), Denied, true),
        (400, "<html>".to_owned(), Unavailable, true),
        (404, String::new(), Unavailable, true),
        (400, plain("interaction_required"), LoginRequired, true),
        (400, plain("invalid_scope"), Denied, true),
        (401, plain("invalid_client"), Denied, true),
        // Entra: it ran out, or the password was changed.
        (400, entra(&[700_082], None), LoginRequired, false),
        (
            400,
            entra(&[50_173], Some("bad_token")),
            LoginRequired,
            false,
        ),
        (400, entra(&[], Some("token_expired")), LoginRequired, false),
        // Entra: consent or a second factor is missing, for these scopes or in this place.
        (
            400,
            entra(&[65_001], Some("consent_required")),
            LoginRequired,
            true,
        ),
        (
            400,
            entra(&[50_076], Some("basic_action")),
            LoginRequired,
            true,
        ),
        (400, entra(&[65_001], None), LoginRequired, true),
        (400, entra(&[53_003], Some("message_only")), Denied, true),
        (
            400,
            entra(&[530_003], Some("protection_policy_required")),
            Denied,
            true,
        ),
        (400, entra(&[50_196], None), Unavailable, true),
    ] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        world.answer(status, &body);
        let error = desk.refresh_silently(&world).expect_err("it was refused");
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        if is_kept {
            world.answer(200, tokens("second", None));
            desk.refresh_silently(&world).expect("the sign-in lives");
        } else {
            desk.refresh_silently(&world)
                .expect_err("a dead token is not sent again");
        }
        world.assert_all_asked();
        assert_eq!(world.count("refresh_token"), 1 + usize::from(is_kept));
    }
}

/// What a call that is not to ask says once the token is over.
fn fail_silently(desk: &Desk, world: &World, request: &Request) -> Error {
    let mut call = desk.call(world, request);
    call.interactive = Interactive::Never;
    acquire(&call, None).expect_err("there is no token")
}

#[test]
fn a_refusal_to_refresh_is_remembered_for_a_minute_with_all_that_was_said() {
    use ErrorKind::{Denied, LoginRequired};
    let said = |error: &str, codes: &[i64]| {
        json!({"error": error, "error_description": "why", "error_codes": codes,
               "correlation_id": "4711"})
        .to_string()
    };
    for (body, kind) in [
        (said("interaction_required", &[]), LoginRequired),
        (said("login_required", &[]), LoginRequired),
        (said("consent_required", &[]), LoginRequired),
        (said("invalid_grant", &[65_001]), LoginRequired),
        (String::new(), LoginRequired),
        (said("invalid_grant", &[53_003]), Denied),
        (said("access_denied", &[]), Denied),
    ] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        let plain = Request::new(Action::Get);
        world.pass(4000);
        world.answer(400, &body);
        let at = world.context().clock.now();
        let first = fail_silently(&desk, &world, &plain);
        assert_eq!(first.kind(), kind, "{body}: {first}");
        for pass in [0, 30, 29] {
            world.pass(pass);
            let again = fail_silently(&desk, &world, &plain);
            assert_eq!(
                (again.kind(), again.message()),
                (kind, first.message()),
                "{body}"
            );
            assert_eq!(again.oauth_error(), first.oauth_error());
            assert_eq!(again.hint_text(), first.hint_text());
            assert_eq!(again.next_command(), first.next_command());
            let (memory, causes) = again.causes().split_last().expect("it says why");
            assert_eq!(causes, first.causes());
            let (at, until) = (at.rfc3339(), at.plus(60).rfc3339());
            assert_eq!(
                *memory,
                format!(
                    "that was at {at}; the authority is asked again from {until} on, or at once \
                     with `--force-refresh`"
                )
            );
        }
        // Another token is another question.
        let other = Request {
            scopes: vec!["other".into()],
            ..plain.clone()
        };
        let claims = Request {
            claims: Some(json!({"access_token": {"acrs": {"value": "c1"}}}).to_string()),
            ..plain.clone()
        };
        for other in [&other, &claims, &forced()] {
            world.answer(400, &body);
            fail_silently(&desk, &world, other);
        }
        world.answer(200, tokens("second", None));
        desk.refresh_silently(&world).expect("the sign-in lives");
        // What came since counts: nothing is remembered.
        world.pass(4000);
        world.answer(400, &body);
        fail_silently(&desk, &world, &plain);
        world.pass(60);
        world.answer(400, &body);
        fail_silently(&desk, &world, &plain);
        // The clock is set back.
        world.jump.set(-7200);
        world.answer(200, tokens("third", None));
        let mut call = desk.call(&world, &plain);
        call.interactive = Interactive::Never;
        assert_eq!(acquire(&call, None).expect("it is asked").source, "refresh");
        world.assert_all_asked();
    }
}

#[test]
fn what_the_user_mends_in_the_profile_is_not_remembered() {
    for (status, body) in [
        (401, refusal("invalid_client").to_string()),
        (400, refusal("unauthorized_client").to_string()),
        (401, String::new()),
        (403, String::new()),
    ] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        let kept = std::fs::read(desk.store.path()).expect("the session is there");
        world.pass(4000);
        world.answer(status, &body);
        let error = fail_silently(&desk, &world, &Request::new(Action::Get));
        assert_eq!(error.kind(), ErrorKind::Denied);
        let now = std::fs::read(desk.store.path()).expect("the session is there");
        assert_eq!(now, kept, "{body}");
        world.answer(200, tokens("second", None));
        assert_eq!(desk.get(&world).expect("it is mended").source, "refresh");
        world.assert_all_asked();
    }
}

#[test]
fn somebody_who_may_be_asked_is_asked_after_one_more_attempt_and_a_sign_in_ends_the_memory() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let plain = Request::new(Action::Get);
    world.pass(4000);
    world.answer(400, refusal("interaction_required"));
    fail_silently(&desk, &world, &plain);
    world
        .answer(400, refusal("interaction_required"))
        .answer(200, device())
        .answer(400, refusal("access_denied"));
    let error = desk.get(&world).expect_err("the person refuses");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.next_command(), ["cred-helper", "login", "-p", "api"]);
    // Neither the authority nor the person is asked again.
    let error = desk.get(&world).expect_err("it was refused just before");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(error.message().contains("nobody is asked again"), "{error}");
    let said = error.oauth_error().expect("its reason is told");
    assert_eq!(said.error, "interaction_required");
    world
        .answer(200, device())
        .answer(200, tokens("second", Some("refresh-2")));
    login(&desk.call(&world, &Request::new(Action::Login))).expect("the sign-in goes well");
    world.pass(4000);
    world.answer(200, tokens("third", None));
    assert_eq!(desk.get(&world).expect("it is refreshed").source, "refresh");
    world.assert_all_asked();
}

#[test]
fn a_token_that_is_still_valid_stands_in_for_a_refusal_that_is_remembered() {
    for body in [
        refusal("interaction_required"),
        refusal("access_denied"),
        json!({"error": "invalid_grant", "error_codes": [53_003]}),
    ] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        world.pass(3500);
        world.answer(400, &body);
        for warnings in 1..=3 {
            let credential = desk.get(&world).expect("it is valid still");
            assert!(credential.stale, "{body}");
            assert_eq!(world.warnings.borrow().len(), warnings, "{body}");
        }
        let warnings = world.warnings.borrow();
        assert!(warnings[2].contains("that was at 20"), "{warnings:?}");
        assert_eq!(world.count("refresh_token"), 1, "{body}");
    }
}

#[test]
fn trouble_that_was_waited_for_long_is_remembered_for_ten_seconds() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let kept = || {
        let session = std::fs::read(desk.store.path()).expect("the session is there");
        serde_json::from_slice::<serde_json::Value>(&session).expect("it is JSON")
    };
    let before = kept();
    world.pass(3500);
    let hang = || {
        world.fail(HttpFailure::NotSent("operation timed out".into()));
    };
    let get = || {
        let answer = desk.get(&world);
        answer.map(|credential| (credential.source, credential.stale))
    };
    hang();
    for _ in 0..2 {
        let answer = get().expect("it is valid still");
        assert_eq!(answer, ("cache", true));
    }
    world.pass(100);
    hang();
    let first = get().expect_err("it is over");
    world.pass(9);
    let again = get().expect_err("it is over");
    assert_eq!(again.kind(), ErrorKind::Unavailable);
    assert_eq!(again.message(), first.message());
    assert_eq!(again.hint_text(), first.hint_text());
    let (memory, causes) = again.causes().split_last().expect("it says why");
    assert_eq!(causes, first.causes());
    assert!(memory.contains("the authority is asked again"), "{memory}");
    assert_eq!(world.count("refresh_token"), 2);
    let mut after = kept();
    let account = &mut after["content"]["accounts"][0];
    let note = account.as_object_mut().expect("it is an object");
    note.remove("failed_refresh").expect("it is noted");
    assert_eq!(after, before, "but for the note nothing has changed");
    // Whoever insists is served.
    hang();
    desk.ask(&world, &forced()).expect_err("it is in trouble");
    world.pass(10);
    world.answer(200, tokens("second", None));
    assert_eq!(get(), Ok(("refresh", false)));
    assert_eq!(
        kept()["content"]["accounts"][0]["failed_refresh"],
        json!(null)
    );
    world.assert_all_asked();
}

#[test]
fn an_authority_that_asks_to_be_left_alone_is_left_alone_that_long_and_a_minute_at_most() {
    let busy = json!({"error": "server_error", "error_codes": [90033]}).to_string();
    for (status, body, retry_after, seconds) in [
        (429, "", Some("30"), 30),
        (429, "", Some("3600"), 60),
        (429, "", Some("18446744073709551615"), 60),
        (429, "", None, 10),
        (429, "", Some("soon"), 10),
        (429, "", Some("0"), 0),
        (503, "", Some("30"), 30),
        (503, "", None, 0),
        (400, &busy, None, 10),
        (400, &busy, Some("1"), 1),
    ] {
        let row = format!("{status} {body} {retry_after:?}");
        let world = World::default();
        let desk = Desk::signed_in(&world);
        let trouble = || {
            world.answer_after(status, body, retry_after);
        };
        // What is valid still is handed out, and nobody is asked for another one.
        world.pass(3500);
        trouble();
        for warnings in 1..=if seconds == 0 { 1 } else { 3 } {
            let credential = desk.get(&world).expect("it is valid still");
            assert!(credential.stale, "{row}");
            assert_eq!(world.warnings.borrow().len(), warnings, "{row}");
        }
        world.pass(101);
        trouble();
        let first = desk.get(&world).expect_err("it is over");
        for pass in [0, seconds.max(1) - 1] {
            if seconds > 0 {
                world.pass(pass);
                let again = desk.get(&world).expect_err("it is remembered");
                assert_eq!(again.kind(), ErrorKind::Unavailable, "{row}");
                assert_eq!(again.message(), first.message(), "{row}");
                assert_eq!(again.oauth_error(), first.oauth_error(), "{row}");
                let memory = again.causes().last().expect("it says until when");
                assert!(memory.contains("is asked again from"), "{row}: {memory}");
            }
        }
        assert_eq!(world.count("refresh_token"), 2, "{row}");
        // Whoever insists is served.
        trouble();
        desk.ask(&world, &forced()).expect_err("it is in trouble");
        world.pass(seconds);
        world.answer(200, tokens("second", None));
        assert_eq!(desk.get(&world).expect("it is over").source, "refresh");
        world.assert_all_asked();
    }
}

#[test]
fn a_machine_asks_for_each_token_and_once_where_its_authority_hangs() {
    let mut world = World::without_terminal();
    world.variables.insert("SECRET", "robot's".to_owned());
    let desk = Desk::with("grant = \"client_credentials\"\nclient_secret = { env = \"SECRET\" }\n");
    let get = || {
        let answer = desk.get(&world);
        answer.map(|credential| {
            (
                credential.access_token.expose().to_owned(),
                credential.stale,
            )
        })
    };
    let token = |name: &str, stale| Ok((name.to_owned(), stale));
    world.answer(200, tokens("first", Some("never-used")));
    assert_eq!(get(), token("first", false));
    world.pass(3290);
    assert_eq!(get(), token("first", false), "it is cached");
    world.pass(20);
    world.answer(200, tokens("second", None));
    assert_eq!(
        get(),
        token("second", false),
        "it is asked for anew in time"
    );
    assert_eq!(world.count("client_credentials"), 2);
    world.pass(3500);
    world.fail(HttpFailure::NotSent("operation timed out".into()));
    for _ in 0..2 {
        assert_eq!(get(), token("second", true));
    }
    // The first of them has waited for thirty seconds.
    world.pass(70);
    world.fail(HttpFailure::NotSent("operation timed out".into()));
    let first = get().expect_err("it is over");
    let again = get().expect_err("it is over");
    assert_eq!(again.kind(), ErrorKind::Unavailable);
    assert_eq!(again.message(), first.message());
    assert_eq!(world.count("client_credentials"), 4);
    world.pass(10);
    // What is to be mended in the profile is not remembered.
    for _ in 0..2 {
        world.answer(401, refusal("invalid_client"));
        let error = get().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
    world.answer(200, tokens("third", None));
    assert_eq!(get(), token("third", false));
    world.assert_all_asked();

    // One that could never sign in is told of, and why.
    let desk = Desk::with("grant = \"client_credentials\"\nclient_secret = { env = \"SECRET\" }\n");
    world.fail(HttpFailure::NotSent("operation timed out".into()));
    let first = desk.get(&world).expect_err("nobody answers");
    let (told, read) = status(&desk.profile, &desk.store, &world.context());
    read.expect("it can be read");
    let [account] = &told.accounts[..] else {
        panic!("one account is told of: {told:?}");
    };
    let failed = account.failed.refresh_error.as_deref();
    assert!(
        failed.is_some_and(|failed| failed.contains(first.message())),
        "{account:?}"
    );
}

#[test]
fn what_a_machine_gets_for_a_challenge_replaces_what_was_challenged() {
    let mut world = World::without_terminal();
    world.variables.insert("SECRET", "robot's".to_owned());
    let desk = Desk::with("grant = \"client_credentials\"\nclient_secret = { env = \"SECRET\" }\n");
    let challenge = Request {
        claims: Some("{\"access_token\":{\"nbf\":{\"essential\":true}}}".to_owned()),
        ..Request::new(Action::Get)
    };
    let get = |request: &Request| {
        let credential = desk.ask(&world, request).expect("there is a token");
        credential.access_token.expose().to_owned()
    };
    let plain = Request::new(Action::Get);
    world.answer(200, tokens("first", None));
    assert_eq!(get(&plain), "first");
    world.answer(200, tokens("second", None));
    assert_eq!(get(&challenge), "second");
    assert_eq!(get(&challenge), "second", "it is cached");
    world.answer(200, tokens("third", None));
    assert_eq!(get(&plain), "third", "the first was refused");
    assert_eq!(get(&challenge), "second");
    world.assert_all_asked();
}

#[test]
fn a_machine_that_is_asked_for_by_name_is_found_again_and_one_made_anew_has_nothing_of_the_dead_one()
 {
    let mut world = World::without_terminal();
    world.variables.insert("SECRET", "robot's".to_owned());
    let desk = Desk::with("grant = \"client_credentials\"\nclient_secret = { env = \"SECRET\" }\n");
    let get = |account: &str, scope: &str| {
        let request = Request {
            account: Some(account.to_owned()),
            scopes: vec![scope.to_owned()],
            ..Request::new(Action::Get)
        };
        let credential = desk.ask(&world, &request).expect("there is a token");
        credential.access_token.expose().to_owned()
    };
    // The authority tells the subject alone.
    let of = |token: &str, subject: &str| {
        with_id_token(&tokens(token, None), &json!({"aud": "cli", "sub": subject}))
    };
    world.answer(200, of("first", "s-1"));
    for _ in 0..2 {
        assert_eq!(get("robot", "read"), "first");
        assert_eq!(get("s-1", "read"), "first");
    }
    world.answer(200, of("second", "s-2"));
    assert_eq!(get("robot", "write"), "second");
    world.answer(200, of("third", "s-2"));
    assert_eq!(get("robot", "read"), "third", "the first is the dead one's");
    assert_eq!(get("robot", "write"), "second");
    world.assert_all_asked();
}

#[test]
fn a_machine_hears_where_its_token_is_less_than_what_it_asked_for() {
    let mut world = World::without_terminal();
    world.variables.insert("SECRET", "robot's".to_owned());
    let desk = Desk::with("grant = \"client_credentials\"\nclient_secret = { env = \"SECRET\" }\n");
    let mut narrow = tokens("first", None);
    narrow["scope"] = "read".into();
    world.answer(200, narrow);
    let request = Request {
        min_valid: Some(Duration::from_secs(7200)),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        ..Request::new(Action::Get)
    };
    desk.ask(&world, &request).expect("there is a token");
    let expected = [
        "tokens of this authority live 3600 s, less than the 7200 s asked for",
        "the authority did not grant `write`",
    ];
    assert_eq!(*world.warnings.borrow(), expected);
    // What nobody asked for by name may be less, and what lasts just as long does.
    let mut other = tokens("other", None);
    other["scope"] = "profile".into();
    world.answer(200, other);
    let exact = Request {
        min_valid: Some(Duration::from_secs(3600)),
        ..forced()
    };
    desk.ask(&world, &exact).expect("there is a token");
    assert_eq!(*world.warnings.borrow(), expected);
    // An ID token of before is not what was asked for now.
    let claims = json!({"aud": "cli", "sub": "robot"});
    world.answer(200, with_id_token(&tokens("second", None), &claims));
    let id = Request {
        token: Some(TokenKind::Id),
        force_refresh: true,
        ..Request::new(Action::Get)
    };
    desk.ask(&world, &id).expect("there is an ID token");
    world.answer(200, tokens("third", None));
    let error = desk.ask(&world, &id).expect_err("there is no new one");
    assert!(error.message().contains("gave no ID token"), "{error}");
}

#[test]
fn the_refresh_token_of_an_answer_that_is_unusable_otherwise_is_kept() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let mut unusable = tokens("second", Some("refresh-2"));
    unusable["token_type"] = "N_A".into();
    world.answer(200, unusable);
    let error = desk.ask(&world, &forced()).expect_err("it is no bearer");
    assert_eq!(error.kind(), ErrorKind::Denied);
    world.answer(200, tokens("third", None));
    desk.ask(&world, &forced()).expect("the sign-in lives");
    let sent = world.sent.borrow();
    let redeemed = sent.last().and_then(|sent| sent.form.get("refresh_token"));
    assert_eq!(redeemed.map(String::as_str), Some("refresh-2"));
}

#[test]
fn a_call_ends_within_its_limit() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    world.pass(4000);
    let began = world.context().clock.monotonic();
    for _ in 0..2 {
        world.fail(HttpFailure::NotAnswered("no answer".into()));
    }
    let error = desk.get(&world).expect_err("nothing answers");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let took = world.context().clock.monotonic() - began;
    assert!(took <= Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_refresh_is_not_begun_with_too_little_time_for_its_answer() {
    for (left, attempts) in [(2, 0), (4, 1), (60, 2)] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        let request = forced();
        let mut call = desk.call(&world, &request);
        let deadline = call.context.clock.monotonic() + Duration::from_secs(left);
        call.context.deadline = Some(deadline);
        // Each is waited for as long as there is time, and at most half of a call.
        for _ in 0..attempts {
            world.fail(HttpFailure::NotAnswered("reset".into()));
        }
        let error = acquire(&call, None).expect_err("it is not answered");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{left}: {error}");
        let hint = error.hint_text().unwrap_or_default();
        assert_eq!(hint.contains("an answer was lost"), attempts > 0, "{hint}");
        assert_eq!(world.count("refresh_token"), attempts, "{left}");
        world.assert_all_asked();
        world.answer(200, tokens("second", None));
        desk.ask(&world, &forced()).expect("the sign-in lives");
    }
}

#[test]
fn a_sign_in_as_somebody_else_is_refused_and_not_kept() {
    let world = World::default();
    let desk = Desk::with("account = \"eve@example.test\"\n");
    world
        .answer(200, device())
        .answer(200, named(&tokens("token", Some("refresh")), "ada"));
    let error = desk.get(&world).expect_err("it is the wrong account");
    assert_eq!(error.kind(), ErrorKind::Denied);
    let kept = std::fs::read_to_string(desk.store.path()).expect("the session is there");
    assert!(!kept.contains("refresh\""), "{kept}");
}

#[test]
fn the_tokens_of_somebody_else_are_revoked_within_five_seconds_and_ctrl_c_waits_for_none_of_it() {
    for (is_answered, revocations) in [(true, 2), (false, 1)] {
        let world = World::default();
        let desk = Desk::of(
            ", revocation = \"https://id.example/revoke\"",
            "account = \"eve@example.test\"\n",
        );
        world
            .answer(200, device())
            .answer(200, named(&tokens("token", Some("refresh")), "ada"));
        for _ in 0..revocations {
            if is_answered {
                world.answer(200, "");
            } else {
                world.fail(HttpFailure::NotAnswered("no answer".into()));
            }
        }
        let error = desk.get(&world).expect_err("it is the wrong account");
        assert_eq!(error.kind(), ErrorKind::Denied);
        let sent = world.sent.borrow();
        let (asked, revoked) = sent.split_at(2);
        assert!(asked[1].shielded, "the code is spent");
        assert_eq!(revoked.len(), revocations);
        assert!(revoked.iter().all(|sent| !sent.shielded));
        let took = world.context().clock.monotonic() - asked[1].at;
        assert!(took <= Duration::from_secs(5), "{took:?}");
        world.assert_all_asked();
    }
}

#[test]
fn a_named_account_that_was_made_anew_at_the_authority_is_asked_once() {
    let world = World::default();
    let desk = Desk::with("account = \"ada@example.test\"\n");
    for subject in ["old", "new"] {
        world
            .answer(200, device())
            .answer(200, named(&tokens(subject, Some("refresh")), subject));
        let credential = desk.get(&world).expect("the sign-in goes well");
        assert_eq!(credential.access_token.expose(), subject);
        let again = desk.get(&world).expect("it is kept");
        assert_eq!(
            (again.access_token.expose(), again.source),
            (subject, "cache")
        );
        // Its refresh token dies with the account.
        world.pass(4000);
        if subject == "old" {
            world.answer(400, refusal("invalid_grant"));
        }
    }
    world.assert_all_asked();
}

#[test]
fn a_named_account_is_found_again_where_the_authority_names_nobody() {
    let world = World::default();
    let desk = Desk::with("account = \"ada\"\n");
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("refresh-1")));
    let credential = desk.get(&world).expect("the sign-in goes well");
    assert_eq!(credential.account.as_deref(), Some("ada"));
    assert_eq!(desk.get(&world).expect("it is kept").source, "cache");
    world.pass(4000);
    world.answer(200, tokens("second", None));
    assert_eq!(desk.get(&world).expect("it is refreshed").source, "refresh");
}

/// The profile of an authority whose endpoints are not known.
fn of_an_issuer() -> Profile {
    profile_of(
        "[profiles.api]\nclient_id = \"cli\"\nscopes = []\nauthority = \"https://id.example\"\n",
    )
}

#[test]
fn metadata_are_asked_for_once_a_day_and_again_for_an_endpoint_they_lacked() {
    let world = World::default();
    let client = of_an_issuer().client;
    let context = world.context().without_deadline();
    let find = |needed: &[EndpointName]| metadata::find(&client, needed, &context);
    let mut document =
        json!({"issuer": "https://id.example", "token_endpoint": "https://id.example/token"});
    world.answer(200, &document);
    for _ in 0..2 {
        find(&[EndpointName::Token]).expect("it is there");
    }
    world.answer(200, &document);
    let error = find(&[EndpointName::DeviceAuthorization]).expect_err("it is not there");
    assert_eq!(error.kind(), ErrorKind::Config);
    document["device_authorization_endpoint"] = "https://id.example/device".into();
    world.answer(200, &document);
    for _ in 0..2 {
        find(&[EndpointName::DeviceAuthorization]).expect("it was added");
    }
    world.pass(25 * 3600);
    world.answer(503, "");
    find(&[EndpointName::Token]).expect("an old document beats none");
    world.assert_all_asked();
}

#[test]
fn a_name_is_waited_for_a_few_seconds_whatever_has_to_be_asked_for_it() {
    let document = json!({"issuer": "https://id.example", "token_endpoint": "https://id.example/token",
                          "userinfo_endpoint": "https://id.example/userinfo"});
    for before in [None, Some(document)] {
        let world = World::default();
        if let Some(document) = before {
            world.answer(200, document);
        }
        world.fail(HttpFailure::NotAnswered("it is silent".into()));
        let context = world.context().without_deadline();
        let token_set = token_set("token", world.context().clock.now());
        let asked = ["openid".to_owned()];
        let client = of_an_issuer().client;
        let account = userinfo::account(&client, &token_set, &asked, &context);
        assert_eq!(account, None);
        assert_eq!(context.clock.monotonic().as_secs(), 5);
        world.assert_all_asked();
    }
}

#[test]
fn a_sign_in_that_nobody_ends_is_waited_for_as_long_as_a_code_can_live() {
    let (world, desk) = (World::default(), Desk::new());
    let context = world.context();
    let _stopped = desk
        .store
        .lock_sign_in("api", &context)
        .expect("it is free");
    let error = desk.get(&world).expect_err("it is never given up");
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(context.clock.monotonic().as_secs(), 3600);
    // Somebody who looks knows for whom and how long, and the lines are few.
    let process = match std::env::consts::OS {
        "linux" => format!(" (process {})", std::process::id()),
        _ => String::new(),
    };
    let what = format!("the sign-in that another process has begun for profile `api`{process}");
    let waits = world.waits.borrow();
    assert_eq!(waits[0], format!("waiting for {what}"));
    let times = ["8s", "32s", "2m 8s", "8m 32s", "34m 8s"];
    for (line, time) in waits[1..].iter().zip(times) {
        let expected = format!("still waiting, for {time} already: {what}");
        assert_eq!(*line, expected);
    }
    assert_eq!(waits.len(), 1 + times.len());
}

/// A clock by which somebody else is done as soon as they are waited for.
pub(crate) struct Waking<'a> {
    pub(crate) world: &'a World,
    pub(crate) wake: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl Clock for Waking<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn monotonic(&self) -> Duration {
        self.world.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        if let Some(wake) = self.wake.borrow_mut().take() {
            wake();
        }
        self.world.sleep(duration)
    }
}

#[test]
fn a_login_that_waited_for_another_one_asks_nobody_again() {
    let world = World::default();
    for desk in [Desk::new(), Desk::signed_in(&world)] {
        let asked = world.sent.borrow().len();
        let context = world.context();
        let guard = desk
            .store
            .lock_sign_in("api", &context)
            .expect("it is free");
        let (store, at) = (&desk.store, context.clock.now());
        let wake = move || {
            let session_guard = store.lock(&context).expect("it is free");
            let session = store.load_locked(&session_guard, &context);
            let mut session = session.expect("it can be read");
            let key = RowKey::default().with_scopes(&["read".to_owned()]);
            session.sign_in("device_code", key, &token_set("theirs", at), at);
            store
                .save(&mut session, None, &session_guard, &context)
                .expect("it can be written");
            drop(guard);
        };
        let clock = Waking {
            world: &world,
            wake: RefCell::new(Some(Box::new(wake))),
        };
        let request = Request::new(Action::Login);
        let mut call = desk.call(&world, &request);
        call.context.clock = &clock;
        let credential = login(&call).expect("somebody has signed in");
        assert_eq!(credential.access_token.expose(), "theirs");
        assert_eq!(world.sent.borrow().len(), asked, "nobody is asked again");
    }
}

/// Trades any token for one of its own, but for one.
#[derive(Debug, Default)]
struct Trade {
    /// The token that it fails for, and how.
    fails: Option<(ErrorKind, &'static str)>,
    /// For whom.
    role: &'static str,
    /// Whether it trades what the profile's tools get.
    is_of_profile: bool,
    /// How long what it gives lives, and must live when it is handed out.
    life: Option<(i64, i64)>,
}

impl Trade {
    fn failing(kind: ErrorKind, token: &'static str) -> Self {
        Self {
            fails: Some((kind, token)),
            ..Self::default()
        }
    }
}

impl Exchange for Trade {
    fn name(&self) -> &'static str {
        "trade"
    }

    fn trades(&self) -> Option<TokenKind> {
        (!self.is_of_profile).then_some(TokenKind::Access)
    }

    fn identity(&self, _context: &Context<'_>) -> Vec<(&'static str, String)> {
        vec![("role", self.role.to_owned())]
    }

    fn min_valid(&self) -> Option<i64> {
        self.life.map(|(_, min_valid)| min_valid)
    }

    fn run(
        &self,
        _client: &Client,
        credential: &Credential,
        _url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Failure> {
        context.request_limit()?;
        let given = credential.access_token.expose();
        if let Some((kind, _)) = self.fails.filter(|(_, token)| *token == given) {
            let error = Error::new(kind, "it is not traded");
            return Err(if kind == ErrorKind::Denied {
                Failure::Token(error)
            } else {
                Failure::Other(error)
            });
        }
        let traded = format!("traded-{}", credential.access_token.expose());
        let now = context.clock.now();
        let life = self.life.map_or(3600, |(life, _)| life);
        Ok(TokenSet {
            refresh_token: Some(Secret::new("not the session's")),
            id_token: Some(Secret::new("not the session's")),
            id_token_expires_at: Some(now.plus(life)),
            account: Account {
                name: Some("the service's own name".to_owned()),
                subject: Some("the service's own".to_owned()),
                home: None,
            },
            expires_at: Some(now.plus(life)),
            ..token_set(&traded, now)
        })
    }
}

/// Trades a token while something else goes on: as soon as it is asked which, and while it trades.
struct Meanwhile<'a> {
    asked: &'a dyn Fn(),
    trading: &'a dyn Fn(),
    trade: Trade,
}

impl fmt::Debug for Meanwhile<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Meanwhile")
    }
}

impl Exchange for Meanwhile<'_> {
    fn name(&self) -> &'static str {
        "trade"
    }

    fn trades(&self) -> Option<TokenKind> {
        (self.asked)();
        Trade::default().trades()
    }

    fn identity(&self, context: &Context<'_>) -> Vec<(&'static str, String)> {
        Trade::default().identity(context)
    }

    fn run(
        &self,
        client: &Client,
        credential: &Credential,
        url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Failure> {
        let traded = self.trade.run(client, credential, url, context);
        (self.trading)();
        traded
    }
}

/// An access token of an hour, and nothing with it.
fn token_set(access: &str, now: Timestamp) -> TokenSet {
    TokenSet {
        expires_at: Some(now.plus(3600)),
        ..TokenSet::of_access_token(Secret::new(access), "Bearer", now)
    }
}

#[test]
fn an_exchanged_token_is_cached_beside_the_one_it_was_made_of() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let trade =
        || acquire(&desk.call(&world, &request), Some(&Trade::default())).expect("it is traded");
    let first = trade();
    assert_eq!(
        (first.access_token.expose(), first.source),
        ("traded-first", "trade")
    );
    assert_eq!(trade().source, "cache");
    assert_eq!(
        desk.get(&world)
            .expect("it is cached")
            .access_token
            .expose(),
        "first"
    );
    world.answer(200, tokens("second", None));
    let forced = forced();
    let again =
        acquire(&desk.call(&world, &forced), Some(&Trade::default())).expect("it is traded anew");
    assert_eq!(again.access_token.expose(), "traded-second");
    let sent = world.sent.borrow();
    let redeemed = sent.last().and_then(|sent| sent.form.get("refresh_token"));
    assert_eq!(
        redeemed.map(String::as_str),
        Some("refresh-1"),
        "the session keeps its own"
    );
}

#[test]
fn what_another_process_has_traded_meanwhile_is_taken() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let ask = |exchange: &dyn Exchange| {
        let traded = acquire(&desk.call(&world, &request), Some(exchange));
        traded.expect("it is traded").source
    };
    let overtaken = Meanwhile {
        asked: &|| assert_eq!(ask(&Trade::default()), "trade"),
        trading: &|| (),
        trade: Trade::default(),
    };
    assert_eq!(ask(&overtaken), "cache");
}

#[test]
fn a_token_is_exchanged_however_long_the_person_took() {
    let (world, desk) = (World::default(), Desk::new());
    world.answer(200, device());
    for _ in 0..20 {
        world.answer(400, refusal("authorization_pending"));
    }
    world.answer(200, tokens("first", Some("refresh-1")));
    let request = Request::new(Action::Get);
    let call = desk.call(&world, &request);
    let traded = acquire(&call, Some(&Trade::default())).expect("it is traded");
    assert_eq!(traded.access_token.expose(), "traded-first");
    assert!(call.context.time_left().is_some_and(|left| left.is_zero()));
}

#[test]
fn an_exchanged_token_is_not_shown_to_the_authority() {
    let world = World::default();
    let desk = Desk::of(", revocation = \"https://id.example/revoke\"", "");
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("refresh-1")))
        .answer(200, "")
        .answer(200, "");
    let request = Request::new(Action::Get);
    let call = desk.call(&world, &request);
    acquire(&call, Some(&Trade::default())).expect("it is traded");
    logout(&call, false).expect("it goes well");
    let sent = world.sent.borrow();
    let revoked: Vec<&str> = sent
        .iter()
        .filter_map(|sent| sent.form.get("token"))
        .map(String::as_str)
        .collect();
    assert_eq!(revoked, ["refresh-1", "first"]);
    world.assert_all_asked();
}

#[test]
fn an_exchanged_token_is_used_as_long_as_it_lives() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let trade = || acquire(&desk.call(&world, &request), Some(&Trade::default()));
    trade().expect("it is traded");
    // What was traded for the first token outlives it.
    world.pass(3000);
    world.answer(200, tokens("second", None));
    desk.refresh_silently(&world).expect("it is refreshed");
    world.pass(200);
    let kept = trade().expect("it is cached");
    assert_eq!(
        (kept.access_token.expose(), kept.source),
        ("traded-first", "cache")
    );
    world.pass(200);
    let renewed = trade().expect("it is traded anew");
    assert_eq!(renewed.access_token.expose(), "traded-second");
    world.assert_all_asked();
}

#[test]
fn an_exchange_in_trouble_costs_nothing_while_what_it_gave_lives() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let ask = |trade: &Trade| acquire(&desk.call(&world, &request), Some(trade));
    ask(&Trade::default()).expect("it is traded");
    world.pass(3400);
    let troubled = Trade::failing(ErrorKind::Unavailable, "second");
    world.answer(200, tokens("second", None));
    let stale = ask(&troubled).expect("it is valid still");
    assert_eq!(
        (stale.access_token.expose(), stale.stale),
        ("traded-first", true)
    );
    // It does not hide what has to be mended, and does not last as long as somebody needs it.
    for (kind, min_valid) in [
        (ErrorKind::Config, None),
        (ErrorKind::Unavailable, Some(Duration::from_secs(300))),
    ] {
        let request = Request {
            min_valid,
            ..request.clone()
        };
        let failing = Trade::failing(kind, "second");
        let error = acquire(&desk.call(&world, &request), Some(&failing));
        assert_eq!(error.expect_err("it is not traded").kind(), kind);
    }
    // It is over by the time that the exchange is given up.
    let wait = || world.pass(300);
    let slow = Meanwhile {
        asked: &|| (),
        trading: &wait,
        trade: Trade::failing(ErrorKind::Unavailable, "second"),
    };
    let error = acquire(&desk.call(&world, &request), Some(&slow)).expect_err("it is over");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = ask(&troubled).expect_err("it is over");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    world.assert_all_asked();
}

#[test]
fn an_exchange_that_takes_long_holds_up_other_exchanges_alone_and_those_as_long_as_their_call() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let trade = || acquire(&desk.call(&world, &request), Some(&Trade::default()));
    let refresh = || {
        let refreshed = desk.refresh_silently(&world).expect("it is refreshed");
        assert_eq!(refreshed.source, "refresh");
    };
    let during = |meanwhile: &dyn Fn()| {
        let exchange = Meanwhile {
            asked: &|| (),
            trading: meanwhile,
            trade: Trade::default(),
        };
        let traded = acquire(&desk.call(&world, &request), Some(&exchange)).expect("it is traded");
        assert_eq!(traded.source, "trade");
        traded.access_token.expose().to_owned()
    };
    world.answer(200, tokens("second", Some("refresh-2")));
    let traded = during(&|| {
        let started = world.context().clock.monotonic();
        refresh();
        assert_eq!(world.context().clock.monotonic(), started);
        let error = trade().expect_err("there is nothing yet");
        assert_eq!(error.kind(), ErrorKind::Busy);
        let waited = world.context().clock.monotonic() - started;
        assert_eq!(waited.as_secs(), 60);
    });
    assert_eq!(traded, "traded-first");
    assert_eq!(trade().expect("it is kept").source, "cache");
    world.pass(3400);
    world
        .answer(200, tokens("third", Some("refresh-3")))
        .answer(200, tokens("fourth", None));
    let traded = during(&|| {
        let stale = trade().expect("it is valid still");
        assert_eq!(
            (stale.access_token.expose(), stale.stale),
            ("traded-first", true)
        );
    });
    assert_eq!(traded, "traded-third");
    // What was kept meanwhile is kept still.
    refresh();
    let sent = world.sent.borrow();
    let redeemed: Vec<_> = sent
        .iter()
        .filter_map(|sent| sent.form.get("refresh_token"))
        .collect();
    assert_eq!(redeemed, ["refresh-1", "refresh-2", "refresh-3"]);
    world.assert_all_asked();
}

#[test]
fn what_was_traded_stands_in_for_a_sign_in_that_nobody_can_be_asked_for() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let ask = || {
        let mut call = desk.call(&world, &request);
        call.interactive = Interactive::Never;
        acquire(&call, Some(&Trade::default()))
    };
    world.pass(300);
    ask().expect("it is traded");
    world.pass(3310);
    world.answer(400, refusal("invalid_grant"));
    let stale = ask().expect("it is valid still");
    assert_eq!(
        (stale.access_token.expose(), stale.stale),
        ("traded-first", true)
    );
    world.pass(300);
    let error = ask().expect_err("it is over");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    world.assert_all_asked();
}

#[test]
fn what_was_traded_is_not_handed_out_to_whoever_was_signed_out_while_it_was_traded_anew() {
    let request = Request::new(Action::Get);
    for (trade, kind) in [
        // The session is gone, also where the service has an answer.
        (Trade::default(), ErrorKind::LoginRequired),
        (
            Trade::failing(ErrorKind::Unavailable, "second"),
            ErrorKind::Unavailable,
        ),
    ] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        acquire(&desk.call(&world, &request), Some(&Trade::default())).expect("it is traded");
        world.pass(3400);
        world.answer(200, tokens("second", None));
        let sign_out = || {
            logout(&desk.call(&world, &request), true).expect("it goes well");
        };
        let overtaken = Meanwhile {
            asked: &|| (),
            trading: &sign_out,
            trade,
        };
        let traded = acquire(&desk.call(&world, &request), Some(&overtaken));
        assert_eq!(traded.expect_err("nobody is signed in").kind(), kind);
        world.assert_all_asked();
    }
}

#[test]
fn a_cached_token_that_the_exchange_refuses_is_refreshed_and_traded_once_more() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let ask = |trade: &Trade| acquire(&desk.call(&world, &request), Some(trade));
    let first = Trade::failing(ErrorKind::Denied, "first");
    world.pass(59);
    // Another one would be refused as well: the reason is not its age.
    for _ in 0..2 {
        let error = ask(&first).expect_err("it was made just now");
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
    assert_eq!(world.count("refresh_token"), 0);
    assert_eq!(desk.get(&world).expect("it is kept").source, "cache");
    world.pass(1);
    world.answer(200, tokens("second", None));
    let traded = ask(&first).expect("the second is good");
    assert_eq!(traded.access_token.expose(), "traded-second");
    world.assert_all_asked();

    world.answer(200, tokens("third", None));
    let request = forced();
    let third = Trade::failing(ErrorKind::Denied, "third");
    let error = acquire(&desk.call(&world, &request), Some(&third)).expect_err("it is new");
    assert_eq!(error.kind(), ErrorKind::Denied);
    world.assert_all_asked();
}

#[test]
fn what_is_no_matter_of_the_token_is_not_mended_by_another_one() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let trade = Trade::failing(ErrorKind::Config, "first");
    let error = acquire(&desk.call(&world, &request), Some(&trade)).expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Config);
    world.assert_all_asked();
}

#[test]
fn what_was_traded_for_another_role_is_never_handed_out() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let request = Request::new(Action::Get);
    let source = |role| {
        let trade = Trade {
            role,
            ..Trade::default()
        };
        acquire(&desk.call(&world, &request), Some(&trade))
            .expect("it is traded")
            .source
    };
    let sources = ["a", "a", "b", "a", "b"].map(source);
    assert_eq!(sources, ["trade", "cache", "trade", "cache", "cache"]);
    world.assert_all_asked();
}

#[test]
fn an_exchange_trades_what_the_profile_s_tools_get_if_it_says_so() {
    let world = World::default();
    let claims = json!({"aud": "cli", "sub": "s", "iat": 5000, "exp": 8600});
    let desk = Desk::with("token = \"id\"\n");
    world.answer(200, device()).answer(
        200,
        with_id_token(&tokens("first", Some("refresh-1")), &claims),
    );
    let request = Request::new(Action::Get);
    for (is_of_profile, given) in [(true, id_token(&claims)), (false, "first".to_owned())] {
        let trade = Trade {
            is_of_profile,
            role: if is_of_profile { "id" } else { "access" },
            ..Trade::default()
        };
        let traded = acquire(&desk.call(&world, &request), Some(&trade)).expect("it is traded");
        assert_eq!(traded.access_token.expose(), format!("traded-{given}"));
        // Whatever else the service gives is not the session's.
        let kept = desk.get(&world).expect("it is kept");
        assert_eq!(kept.access_token.expose(), id_token(&claims));
        assert_eq!(kept.account.as_deref(), Some("s"));
        assert!(kept.expires_in > Some(0), "{kept:?}");
    }
    world.assert_all_asked();
}

#[test]
fn what_was_traded_lasts_as_long_as_its_exchange_wants_or_was_traded_just_now() {
    // Seconds that it lives, that it must live, and after which it is cached still, or is not.
    for (life, min_valid, cached, traded) in [
        (3600, 900, 2700, 2701),
        (900, 900, 60, 61),
        (600, 900, 60, 61),
        (30, 900, 29, 30),
    ] {
        for (seconds, source) in [(cached, "cache"), (traded, "trade")] {
            let world = World::default();
            let desk = Desk::signed_in(&world);
            let request = Request::new(Action::Get);
            let trade = Trade {
                life: Some((life, min_valid)),
                ..Trade::default()
            };
            let ask = || acquire(&desk.call(&world, &request), Some(&trade)).expect("it is traded");
            ask();
            world.pass(seconds);
            // The token that it is traded for need not last as long.
            assert_eq!(ask().source, source, "{life} {min_valid} {seconds}");
            world.assert_all_asked();
        }
    }
}

#[test]
fn what_must_last_is_what_was_traded_and_not_what_it_was_traded_for() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    world.pass(100);
    let request = Request {
        min_valid: Some(Duration::from_secs(3550)),
        ..Request::new(Action::Get)
    };
    let traded = acquire(&desk.call(&world, &request), Some(&Trade::default()));
    assert_eq!(
        traded.expect("it is traded").access_token.expose(),
        "traded-first"
    );
    world.assert_all_asked();
}

#[test]
fn the_id_token_is_handed_out_where_the_profile_or_the_tool_wants_it() {
    // The authority's clock is another.
    let claims = |life: i64| json!({"aud": "cli", "sub": "s", "iat": 5000, "exp": 5000 + life});
    let world = World::default();
    let desk = Desk::with("token = \"id\"\n");
    world.answer(200, device()).answer(
        200,
        with_id_token(&tokens("first", Some("r-1")), &claims(600)),
    );
    let first = desk.get(&world).expect("the sign-in goes well");
    assert_eq!(first.access_token.expose(), id_token(&claims(600)));
    assert_eq!(first.expires_in, Some(600), "by this clock");
    let access = Request {
        token: Some(TokenKind::Access),
        ..Request::new(Action::Get)
    };
    let other = desk.ask(&world, &access).expect("it is cached");
    assert_eq!(other.access_token.expose(), "first");
    // The access token lives on, the ID token does not.
    world.pass(400);
    assert_eq!(
        desk.ask(&world, &access).expect("it is cached").source,
        "cache"
    );
    world.answer(
        200,
        with_id_token(&tokens("second", Some("r-2")), &claims(700)),
    );
    let second = desk.get(&world).expect("it is refreshed");
    assert_eq!(second.access_token.expose(), id_token(&claims(700)));
    assert_eq!(second.source, "refresh");
    // A rejected one is forgotten by its value.
    erase(&desk.call(&world, &access), Some(&second.access_token)).expect("it is kept");
    world.answer(
        200,
        with_id_token(&tokens("third", Some("r-3")), &claims(800)),
    );
    let third = desk.get(&world).expect("it is refreshed");
    assert_eq!(third.access_token.expose(), id_token(&claims(800)));
    world.assert_all_asked();
}

#[test]
fn where_no_id_token_comes_the_last_one_is_used_while_it_lives() {
    let world = World::default();
    let desk = Desk::with("token = \"id\"\n");
    let claims = json!({"aud": "cli", "sub": "s", "iat": 0, "exp": 600});
    world
        .answer(200, device())
        .answer(200, with_id_token(&tokens("first", Some("r-1")), &claims))
        .answer(200, tokens("second", Some("r-2")))
        .answer(200, tokens("third", Some("r-3")));
    desk.get(&world).expect("the sign-in goes well");
    world.pass(400);
    let aging = desk.get(&world).expect("it is valid");
    assert!(aging.stale);
    assert_eq!(aging.access_token.expose(), id_token(&claims));
    world.pass(300);
    let error = desk.get(&world).expect_err("it is over");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("no ID token"), "{error}");
    world.assert_all_asked();

    let (world, desk) = (World::default(), Desk::with("token = \"id\"\n"));
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("r-1")));
    let error = desk.get(&world).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Denied);
    let hint = error.hint_text().unwrap_or_default();
    assert!(hint.contains("`openid`"), "{hint}");
}

#[test]
fn a_refresh_that_names_somebody_else_is_refused() {
    let (world, desk) = (World::default(), Desk::new());
    world
        .answer(200, device())
        .answer(200, named(&tokens("first", Some("r-1")), "ada"))
        .answer(200, named(&tokens("other", Some("r-2")), "eve"))
        .answer(200, named(&tokens("second", Some("r-3")), "ada"));
    desk.get(&world).expect("the sign-in goes well");
    let error = desk.refresh_silently(&world).expect_err("it is eve's");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("somebody else"), "{error}");
    let kept = desk.get(&world).expect("ada's is cached still");
    assert_eq!(kept.access_token.expose(), "first");
    let again = desk.refresh_silently(&world).expect("it is ada's");
    assert_eq!(again.access_token.expose(), "second");
    world.assert_all_asked();
}

#[test]
fn whose_a_refresh_token_is_that_nobody_was_told_of_is_known_with_its_first_answer() {
    let (world, desk) = (
        World::default(),
        Desk::with("account = \"ada@example.test\"\n"),
    );
    let eve = json!({"aud": "cli", "sub": "eve", "preferred_username": "eve@example.test"});
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("r-1")))
        .answer(200, with_id_token(&tokens("eve-s", Some("r-2")), &eve));
    desk.get(&world).expect("ada is believed");
    let error = desk.refresh_silently(&world).expect_err("it is eve's");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("of `eve@example.test`"), "{error}");
    // Nothing of it is handed out as ada's later, and the refresh token is hers still.
    let error = desk.refresh_silently(&world).expect_err("ada is not there");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    world.answer(200, with_id_token(&tokens("eve-s-next", None), &eve));
    let request = Request {
        account: Some("eve@example.test".to_owned()),
        ..forced()
    };
    desk.ask(&world, &request).expect("eve is there");
    assert_eq!(
        world.sent.borrow().last().expect("it was sent").form["refresh_token"],
        "r-2"
    );
    world.assert_all_asked();
}

#[test]
fn profiles_that_share_a_session_of_entra_have_each_their_own_tokens() {
    let mut world = World::without_terminal();
    world.variables.insert("SECRET", "robot's".to_owned());
    let profile = |keys: &str| {
        profile_of(&format!(
            "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"https://graph.example/.default\"]\n\
             authority = \"https://login.microsoftonline.com/contoso.example\"\n\
             grant = \"client_credentials\"\nclient_secret = {{ env = \"SECRET\" }}\n{keys}\n"
        ))
    };
    let (desk, request) = (Desk::new(), Request::new(Action::Get));
    let plain = profile("");
    for (keys, token) in [
        ("", "plain"),
        ("audience = \"a\"", "of-an-audience"),
        ("audience = \"b\"", "of-another"),
        ("resource = \"https://r.example\"", "of-a-resource"),
        ("extra = { ui_locales = \"fr\" }", "with-more"),
    ] {
        let profile = profile(keys);
        assert_eq!(profile.identity(), plain.identity(), "{keys}");
        let call = Call {
            profile: &profile,
            grant: profile.grant.as_ref(),
            ..desk.call(&world, &request)
        };
        world.answer(200, tokens(token, None));
        for _ in 0..2 {
            let credential = acquire(&call, None).expect("there is a token");
            assert_eq!(credential.access_token.expose(), token, "{keys}");
        }
        world.assert_all_asked();
    }
}

/// A profile whose client proves itself with the token of another.
const ASSERTED: &str = "client_assertion = { profile = \"other\" }\n";

#[test]
fn a_refresh_token_is_not_spent_where_what_goes_with_it_took_the_time_for_the_answer() {
    let (world, desk) = (World::default(), Desk::with(ASSERTED));
    let always = std::iter::repeat_n("proof", 8).map(|token| (0, Ok(token)));
    world.other_tokens.borrow_mut().extend(always);
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("r-1")));
    desk.get(&world).expect("the sign-in goes well");
    world.other_tokens.borrow_mut().clear();
    for seconds in [0, 58] {
        world
            .other_tokens
            .borrow_mut()
            .push_back((seconds, Ok("proof")));
    }
    let error = desk
        .refresh_silently(&world)
        .expect_err("58 of 60 seconds are over");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(world.count("refresh_token"), 0, "nothing was sent");
}

#[test]
fn a_call_goes_on_however_long_the_token_of_another_profile_took() {
    let (world, desk) = (World::default(), Desk::with(ASSERTED));
    world
        .other_tokens
        .borrow_mut()
        .extend([0, 0, 0, 61, 0].map(|seconds| (seconds, Ok("proof"))));
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("r-1")))
        .answer(200, tokens("second", None));
    desk.get(&world).expect("the sign-in goes well");
    let credential = desk
        .refresh_silently(&world)
        .expect("somebody signed in for the other one first");
    assert_eq!(credential.access_token.expose(), "second");
    world.assert_all_asked();
}

#[test]
fn a_sign_in_ends_at_once_where_its_client_cannot_prove_itself_at_all_or_ctrl_c_ends_it() {
    for (proofs, kind) in [(2, ErrorKind::Unavailable), (3, ErrorKind::Interrupted)] {
        let (world, desk) = (World::default(), Desk::with(ASSERTED));
        let proofs = std::iter::repeat_n((0, Ok("proof")), proofs);
        world.other_tokens.borrow_mut().extend(proofs);
        let failure = Error::new(kind, "there is no proof");
        world.other_tokens.borrow_mut().push_back((0, Err(failure)));
        world.answer(200, device());
        if kind == ErrorKind::Interrupted {
            world.answer(400, refusal("authorization_pending"));
        }
        let error = desk.get(&world).expect_err("it has ended");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(world.other_tokens.borrow().len(), 0);
        world.assert_all_asked();
    }
}

#[test]
fn only_a_client_that_is_refused_is_said_to_be_mended_at_the_profile_that_it_proves_itself_with() {
    for (status, body, is_named) in [
        (401, refusal("invalid_client"), true),
        (503, json!(null), false),
        (400, refusal("invalid_scope"), false),
    ] {
        let (world, desk) = (World::default(), Desk::with(ASSERTED));
        let proofs = std::iter::repeat_n((0, Ok("proof")), 2);
        world.other_tokens.borrow_mut().extend(proofs);
        world.answer(status, &body);
        let error = desk.get(&world).expect_err("there is no code");
        let hint = error.hint_text().unwrap_or_default();
        assert_eq!(hint.contains("login -p other"), is_named, "{body}: {hint}");
    }
}

#[test]
fn what_proves_the_client_is_had_before_a_sign_out_where_that_is_told_to_the_authority() {
    for local in [true, false] {
        let world = World::default();
        let desk = Desk::of(", revocation = \"https://id.example/revoke\"", ASSERTED);
        let proofs = |count| {
            let proofs = std::iter::repeat_n((0, Ok("proof")), count);
            world.other_tokens.borrow_mut().extend(proofs);
        };
        proofs(3);
        world
            .answer(200, device())
            .answer(200, tokens("first", Some("r-1")));
        desk.get(&world).expect("the sign-in goes well");
        if !local {
            // For both tokens, and once more before the lock is taken.
            proofs(3);
            world.answer(200, "").answer(200, "");
        }
        let request = Request::new(Action::Logout { local });
        let left = logout(&desk.call(&world, &request), local).expect("it is forgotten");
        assert_eq!(left, [None], "{local}");
        assert_eq!(world.other_tokens.borrow().len(), 0, "{local}");
        world.assert_all_asked();
    }
}

#[test]
fn whoever_signs_out_leaves_the_sign_in_alone_that_somebody_is_at() {
    let (world, desk) = (World::default(), Desk::new());
    let context = world.context();
    for name in ["ada", "eve"] {
        let claims = json!({"aud": "cli", "sub": name});
        world
            .answer(200, device())
            .answer(200, with_id_token(&tokens(name, Some("refresh")), &claims));
        login(&desk.call(&world, &Request::new(Action::Login))).expect("the sign-in goes well");
    }
    let guard = desk.store.lock(&context).expect("it is free");
    let mut session = desk
        .store
        .load_locked(&guard, &context)
        .expect("it is there");
    let at = context.clock.now();
    session.sign_in.refuse(at, "no");
    session.sign_in.asked_for = Some("ada".to_owned());
    session.sign_in.waiting_since = Some(at);
    session.sign_in.begun = Some(BegunSignIn {
        at,
        account: None,
        scopes: Vec::new(),
        claims: None,
        kept: Secret::new("state"),
        proof_key: None,
    });
    desk.store
        .save(&mut session, None, &guard, &context)
        .expect("it can be written");
    drop(guard);
    let request = Request {
        account: Some("ada".to_owned()),
        ..Request::new(Action::Logout { local: true })
    };
    logout(&desk.call(&world, &request), true).expect("she is signed out");
    let Ok(Loaded::Session(after, _)) = desk.store.load(&context) else {
        panic!("there is a session");
    };
    assert_eq!(after.accounts.len(), 1);
    let expected = SignIn {
        waiting_since: session.sign_in.waiting_since,
        begun: session.sign_in.begun,
        ..SignIn::default()
    };
    assert_eq!(after.sign_in, expected);
}

#[test]
fn a_sign_in_in_two_calls_is_for_what_the_first_asked_for_and_is_over_once_it_was_refused() {
    let world = World::default();
    let desk = Desk::of(
        ", authorization = \"https://id.example/authorize\"",
        "grant = \"authorization_code\"",
    );
    let asked = Request {
        scopes: vec!["write".to_owned()],
        ..Request::new(Action::Login)
    };
    let start = || {
        let page = begin(&desk.call(&world, &asked)).expect("it is begun");
        let page = url::Url::parse(&page).expect("it is a URL");
        let state = page.query_pairs().find(|(name, _)| name == "state");
        let (_, state) = state.expect("it is there");
        Secret::new(format!("http://127.0.0.1/?code=code&state={state}"))
    };
    let request = Request::new(Action::Login);
    let end = |answer: &Secret| finish(&desk.call(&world, &request), answer);

    let refused = start();
    world.answer(400, refusal("invalid_grant"));
    for message in ["could not be completed", "no sign-in was begun"] {
        let error = end(&refused).expect_err("it is over");
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        assert!(error.message().contains(message), "{error}");
    }
    let answer = start();
    world.answer(200, tokens("first", None));
    end(&answer).expect("the sign-in goes well");
    let read = desk.ask(&world, &asked).expect("it is there");
    assert_eq!(
        (read.access_token.expose(), read.source),
        ("first", "cache")
    );
    world.assert_all_asked();
}

#[test]
fn whoever_signs_out_of_a_shared_cache_cannot_be_stopped_half_way_and_is_revoked_after_it() {
    for local in [false, true] {
        let (world, desk) = (World::default(), Desk::shared());
        world.answer(200, device());
        world.answer(200, named(&tokens("first", Some("refresh")), "ada"));
        login(&desk.call(&world, &Request::new(Action::Login))).expect("the sign-in goes well");
        let asked = world.sent.borrow().len();
        if !local {
            // An access token as well: which ones are revoked is tried elsewhere.
            world.answer(200, "").answer(200, "");
        }
        let context = world.context();
        let guard = desk.store.lock(&context).expect("it is free");
        let clock = Waking {
            world: &world,
            wake: RefCell::new(Some(Box::new(|| {
                assert_eq!(world.listeners.get(), 1, "Ctrl-C would end it");
                drop(guard);
            }))),
        };
        let request = Request::new(Action::Logout { local });
        let mut call = desk.call(&world, &request);
        call.context.clock = &clock;
        logout(&call, local).expect("it is forgotten");
        assert!(clock.wake.borrow().is_none(), "the lock was waited for");
        assert_eq!(world.sent.borrow().len() > asked, !local);
    }
}

#[test]
fn whoever_signs_in_is_waited_for_where_somebody_may_be_asked() {
    let (world, desk) = (World::without_terminal(), Desk::new());
    let request = Request::new(Action::Get);
    let waits = |interactive: Interactive, is_held: bool| {
        let context = world.context();
        let held = is_held.then(|| desk.store.lock_sign_in("api", &context));
        let is_over = RefCell::new(false);
        let clock = Waking {
            world: &world,
            wake: RefCell::new(Some(Box::new(|| {
                drop(held);
                is_over.replace(true);
            }))),
        };
        let mut call = desk.call(&world, &request);
        call.interactive = interactive;
        call.context.clock = &clock;
        let error = acquire(&call, None).expect_err("nobody is signed in");
        assert_eq!(error.kind(), ErrorKind::LoginRequired);
        drop(clock);
        is_over.take()
    };
    for (interactive, is_held, expected) in [
        (Interactive::Auto, false, false),
        (Interactive::Auto, true, true),
        // Now there is a lock's file, and nobody has it.
        (Interactive::Auto, false, false),
        (Interactive::Never, true, false),
    ] {
        let waited = waits(interactive, is_held);
        assert_eq!(waited, expected, "{interactive:?} {is_held}");
    }
}

#[test]
fn whoever_presses_ctrl_c_gets_no_token_instead_also_where_one_is_valid_still() {
    /// Nobody waits to the end.
    struct Pressed<'a>(&'a World);

    impl Clock for Pressed<'_> {
        fn now(&self) -> Timestamp {
            self.0.now()
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }

        fn sleep(&self, _duration: Duration) -> Result<(), Error> {
            Err(Error::new(ErrorKind::Interrupted, "interrupted"))
        }
    }

    let world = World::default();
    let desk = Desk::signed_in(&world);
    world.pass(3400);
    let context = world.context();
    let held = desk.store.lock(&context).expect("it is free");
    let request = Request::new(Action::Get);
    let mut call = desk.call(&world, &request);
    let clock = Pressed(&world);
    call.context.clock = &clock;
    let error = acquire(&call, None).expect_err("it is interrupted");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    drop(held);
    world.answer(400, refusal("temporarily_unavailable"));
    let stale = desk.get(&world).expect("it is valid still");
    assert!(stale.stale);
}

#[test]
fn whoever_has_just_signed_in_is_not_asked_again_where_that_was_of_no_use() {
    let (world, desk) = (World::default(), Desk::new());
    world
        .answer(200, device())
        .answer(200, tokens("first", Some("refresh-1")))
        .answer(400, refusal("invalid_grant"));
    let request = Request {
        scopes: vec!["write".to_owned()],
        ..Request::new(Action::Get)
    };
    let error = desk.ask(&world, &request).expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    world.assert_all_asked();
}

#[test]
fn what_an_authority_repeats_of_what_was_sent_is_not_shown() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let said = json!({"error": "invalid_grant", "error_description": "no refresh-1 is known"});
    world.answer(400, said);
    let error = desk.refresh_silently(&world).expect_err("it is refused");
    let told = format!("{error} {:?}", error.causes());
    assert!(told.contains("is known"), "{told}");
    assert!(!told.contains("refresh-1"), "{told}");
}

#[test]
fn whoever_tells_names_is_asked_once_more_with_the_nonce_that_it_wants() {
    struct Wanting(RefCell<Vec<&'static str>>);

    impl Http for Wanting {
        fn send(
            &self,
            _request: &HttpRequest,
            _tls: &Tls,
            _limit: Duration,
        ) -> Result<HttpResponse, HttpFailure> {
            let body = self.0.borrow_mut().pop().expect("it is asked twice");
            let header = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
            Ok(HttpResponse {
                status: if body.is_empty() { 401 } else { 200 },
                headers: vec![
                    header("dpop-nonce", "nonce"),
                    header("www-authenticate", "DPoP error=\"use_dpop_nonce\""),
                ],
                body: body.as_bytes().to_vec().into(),
            })
        }
    }

    let (world, http) = (
        World::default(),
        Wanting(RefCell::new(vec![r#"{"preferred_username":"ada"}"#, ""])),
    );
    let context = Context {
        http: &http,
        ..world.context().without_deadline()
    };
    let desk = Desk::of(", userinfo = \"https://id.example/userinfo\"", "");
    let key = ProofKey::generate().expect("a key is made");
    let token_set = TokenSet {
        proof_key: Some(key.kept().clone()),
        ..token_set("token", context.clock.now())
    };
    let account = userinfo::account(&desk.profile.client, &token_set, &[], &context);
    let name = account.and_then(|account| account.name);
    assert_eq!(name.as_deref(), Some("ada"));
}

#[test]
fn the_keys_of_entra_are_those_of_the_token_s_version() {
    let profile = profile_of(
        "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"read\"]\n\
         authority = \"https://login.microsoftonline.com/organizations\"\n",
    );
    for (version, is_second) in [("1.0", false), ("2.0", true)] {
        let world = World::default();
        world.fail(HttpFailure::NotSent("no network".to_owned()));
        let claims = json!({ "ver": version });
        let claims = claims.as_object().expect("it is one");
        let verified = verification::verify("", claims, &profile.client, &world.context());
        let error = verified.expect_err("there is no network");
        let told = format!("{error} {:?}", error.causes());
        assert!(told.contains("/.well-known/"), "{told}");
        assert_eq!(told.contains("/v2.0/"), is_second, "{told}");
    }
}

#[test]
fn claims_that_nobody_could_be_asked_for_are_asked_for_by_the_next_sign_in() {
    let world = World::default();
    let desk = Desk::with("authority = \"https://login.microsoftonline.com/organizations\"");
    let context = world.context();
    let guard = desk.store.lock(&context).expect("it is free");
    let mut session = Session::default();
    session.sign_in.claims = Some("{\"access_token\":{\"nbf\":{}}}".to_owned());
    desk.store
        .save(&mut session, None, &guard, &context)
        .expect("it can be written");
    drop(guard);
    world
        .answer(200, device())
        .answer(200, tokens("first", None));
    login(&desk.call(&world, &Request::new(Action::Login))).expect("the sign-in goes well");
    for sent in world.sent.borrow().iter() {
        let claims = sent.form.get("claims").map(String::as_str);
        assert_eq!(claims, session.sign_in.claims.as_deref(), "{sent:?}");
    }
}

#[test]
fn a_challenge_that_nobody_has_answered_is_noted_only_where_the_authority_refused_what_was_kept() {
    let world = World::default();
    let desk = Desk::signed_in(&world);
    let path = desk.store.path();
    std::fs::write(&path, "damaged").expect("it is ours");
    let request = Request {
        claims: Some("{\"access_token\":{}}".to_owned()),
        ..Request::new(Action::Get)
    };
    let error = fail_silently(&desk, &world, &request);
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    assert!(
        !path.exists(),
        "the damaged one was set aside, and none made"
    );
}

#[test]
fn a_refresh_token_that_was_imported_and_is_refused_is_sent_once_a_call() {
    let mut world = World::without_terminal();
    world.variables.insert("GIVEN", "canary".to_owned());
    let desk =
        Desk::with("grant = { type = \"refresh_token\", refresh_token = { env = \"GIVEN\" } }\n");
    world.answer(200, tokens("first", Some("next")));
    desk.get(&world).expect("it is taken");
    // What is kept may be good another time, or is dead.
    for (refused, sent) in [("interaction_required", 2), ("invalid_grant", 3)] {
        world.pass(4000);
        world.answer(400, refusal(refused));
        let error = desk.get(&world).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::LoginRequired, "{refused}");
        assert_eq!(world.count("refresh_token"), sent, "{refused}");
    }
    let request = Request::new(Action::Login);
    let error = login(&desk.call(&world, &request)).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::LoginRequired);
    let needed = "needs a new refresh token";
    assert!(error.message().contains(needed), "{error}");
    world.assert_all_asked();
}

#[test]
fn a_person_at_a_code_loses_nothing_where_the_client_cannot_prove_itself_for_a_moment() {
    let (world, desk) = (World::default(), Desk::with(ASSERTED));
    let trouble = || Err(Error::new(ErrorKind::Unavailable, "it cannot be asked now"));
    // Before all, with the device's request, and with each poll.
    let came = [
        Ok("proof"),
        Ok("proof"),
        Ok("proof"),
        trouble(),
        Ok("proof"),
    ];
    world
        .other_tokens
        .borrow_mut()
        .extend(came.map(|token| (0, token)));
    world
        .answer(200, device())
        .answer(400, refusal("authorization_pending"))
        .answer(200, tokens("first", Some("r-1")));
    desk.get(&world).expect("the sign-in goes well");
    assert_eq!(world.other_tokens.borrow().len(), 0);
    world.assert_all_asked();
}

#[test]
fn a_sign_in_for_other_scopes_is_good_for_the_profile_s_too() {
    let world = World::default();
    let desk = Desk::new();
    let extra = Request {
        scopes: vec!["extra".into()],
        ..Request::new(Action::Get)
    };
    world
        .answer(200, device())
        .answer(200, tokens("both", Some("refresh-1")))
        .answer(200, tokens("extra", Some("refresh-2")))
        .answer(200, tokens("read", Some("refresh-3")));
    let first = desk.ask(&world, &extra).expect("the sign-in goes well");
    assert_eq!(
        first.access_token.expose(),
        "extra",
        "no wider than what was asked for"
    );
    let plain = desk.get(&world).expect("nobody is asked again");
    assert_eq!(plain.access_token.expose(), "read");
    let scopes: Vec<_> = world
        .sent
        .borrow()
        .iter()
        .map(|sent| sent.form.get("scope").cloned())
        .collect();
    let named = |scope: &str| Some(scope.to_owned());
    assert_eq!(
        scopes,
        [named("extra read"), None, named("extra"), named("read")]
    );
    world.assert_all_asked();

    // Without a refresh token there is no narrower one, and the tool gets what there is.
    let (world, desk) = (World::default(), Desk::new());
    world
        .answer(200, device())
        .answer(200, tokens("both", None));
    assert_eq!(
        desk.ask(&world, &extra)
            .expect("it is signed in")
            .access_token
            .expose(),
        "both"
    );
    assert_eq!(
        desk.ask(&world, &extra).expect("it is cached").source,
        "cache"
    );
    world.assert_all_asked();
}

#[test]
fn a_gateway_that_got_no_answer_does_not_know_either() {
    for status in [502, 504] {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        world
            .answer(status, "")
            .answer(200, tokens("second", Some("refresh-2")));
        let credential = desk
            .ask(&world, &forced())
            .expect("the second attempt goes well");
        assert_eq!(credential.access_token.expose(), "second", "{status}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_s_source_is_asked_once_for_a_sign_in() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let log = directory.path().join("asked");
    let script = format!("echo >> {}; echo canary-secret", log.display());
    let desk = Desk::with(&format!(
        "client_secret = {{ command = [\"sh\", \"-c\", \"{script}\"] }}\n"
    ));
    let world = World::default();
    world
        .answer(200, device())
        .answer(400, refusal("authorization_pending"))
        .answer(400, refusal("authorization_pending"))
        .answer(200, tokens("token", Some("refresh")));
    desk.get(&world).expect("the sign-in goes well");
    let asked = std::fs::read_to_string(&log).expect("it was asked");
    assert_eq!(asked.lines().count(), 1);
}

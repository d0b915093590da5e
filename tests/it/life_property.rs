//! The life of a session, whatever happens to it: a refresh token is sent under the session's lock
//! alone, with room for the answer, and never again once it is replaced, but for an answer that was lost;
//! the sign-in lives as long as its authority lets it; and nobody is told a secret.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use cred_helper::acquire::acquire;
use cred_helper::cli::{self, ErrorFormat};
use cred_helper::context::{
    Context, Http, HttpFailure, HttpRequest, HttpResponse, Level, Notice, Tls,
};
use cred_helper::credential::{Action, Credential, Interactive, Request};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::store::Loaded;
use proptest::collection::vec;
use proptest::sample::select;
use proptest::strategy::{Just, Strategy, Union};
use serde_json::json;

use crate::acquire::Desk;
use crate::fake::World;
use crate::property::hold;

/// What the authority makes of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    /// A new refresh token takes the place of the one that was sent.
    Replace,
    /// It stays.
    Keep,
    /// It is replaced, and the answer is lost on its way.
    Lose,
    /// The request is lost on its way.
    Miss,
    /// It is replaced, and the answer cannot be used but for that.
    Spoil,
    /// Something is in trouble, and says all that it was sent.
    Trouble,
    /// The sign-in ends.
    End,
}

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// So many seconds go by.
    Pass(u64),
    /// The wall clock is set.
    Jump(i64),
    /// A tool asks for a token, and the authority replies to each request like this.
    Ask(Ask, Vec<Reply>),
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Plain,
    Forced,
    MinValid(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let reply = Union::new_weighted(vec![
        (6, Just(Reply::Replace).boxed()),
        (2, Just(Reply::Keep).boxed()),
        (2, Just(Reply::Lose).boxed()),
        (2, Just(Reply::Miss).boxed()),
        (1, Just(Reply::Spoil).boxed()),
        (2, Just(Reply::Trouble).boxed()),
        (1, Just(Reply::End).boxed()),
    ]);
    let ask = Union::new(vec![
        Just(Ask::Plain).boxed(),
        Just(Ask::Forced).boxed(),
        (0..7200_u64).prop_map(Ask::MinValid).boxed(),
    ]);
    Union::new_weighted(vec![
        (
            3,
            select(vec![1, 9, 61, 299, 3000, 3601, 90_000])
                .prop_map(Event::Pass)
                .boxed(),
        ),
        (
            1,
            select(vec![-86_400, -3600, 3600, 86_400])
                .prop_map(Event::Jump)
                .boxed(),
        ),
        (
            4,
            (ask, vec(reply, 2))
                .prop_map(|(ask, replies)| Event::Ask(ask, replies))
                .boxed(),
        ),
    ])
}

/// An authority that replaces refresh tokens, lets one that it has replaced pass as long as its successor
/// was not used, and looks at how it is asked.
struct Authority<'w> {
    world: &'w World,
    session: PathBuf,
    /// How often each refresh token was sent.
    sent: RefCell<BTreeMap<String, usize>>,
    /// What is redeemed: the newest refresh token, and the one before it where its answer was lost.
    good: RefCell<Vec<String>>,
    has_ended: Cell<bool>,
    issued: Cell<usize>,
    replies: RefCell<Vec<Reply>>,
    said: RefCell<String>,
}

impl<'w> Authority<'w> {
    fn of(world: &'w World, session: PathBuf) -> Self {
        Self {
            world,
            session,
            sent: RefCell::default(),
            good: RefCell::new(vec!["refresh-1".to_owned()]),
            has_ended: Cell::new(false),
            issued: Cell::new(0),
            replies: RefCell::default(),
            said: RefCell::default(),
        }
    }

    fn check_place(&self) {
        let lock = File::open(self.session.with_extension("lock")).expect("there is a lock");
        assert!(
            matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            "nobody holds the lock"
        );
        let directory = self.session.parent().expect("it lies in a directory");
        let names = fs::read_dir(directory).expect("it can be read");
        let mut names = names.map(|entry| entry.expect("it can be read").file_name());
        let is_room = |name: String| name.starts_with(".tmp-") && name.ends_with("-room");
        assert!(
            names.any(|name| is_room(name.to_string_lossy().into_owned())),
            "no room is kept"
        );
    }

    /// A token that was never issued before.
    fn issue(&self, kind: &str) -> String {
        self.issued.set(self.issued.get() + 1);
        format!("canary-{kind}-{}", self.issued.get())
    }

    fn replace(&self, sent: &str, is_lost: bool) -> String {
        let new = self.issue("refresh");
        let mut good = vec![new.clone()];
        if is_lost {
            good.push(sent.to_owned());
        }
        *self.good.borrow_mut() = good;
        new
    }
}

fn not_answered<T>() -> Result<T, HttpFailure> {
    Err(HttpFailure::NotAnswered("the connection broke".to_owned()))
}

impl Http for Authority<'_> {
    fn send(
        &self,
        request: &HttpRequest,
        _tls: &Tls,
        _limit: Duration,
    ) -> Result<HttpResponse, HttpFailure> {
        let body = request
            .body
            .as_ref()
            .expect("a refresh has a form")
            .expose();
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(form["grant_type"], "refresh_token", "nobody may be asked");
        self.check_place();
        self.world.pass(1);
        let sent = &form["refresh_token"];
        *self.sent.borrow_mut().entry(sent.clone()).or_default() += 1;
        let is_good = self.good.borrow().contains(sent);
        assert!(
            is_good || self.has_ended.get(),
            "`{sent}` is replaced, and sent again"
        );
        let answer = |status, body: serde_json::Value| {
            Ok(HttpResponse {
                status,
                headers: Vec::new(),
                body: body.to_string().into_bytes().into(),
            })
        };
        let token = |refresh_token: Option<String>, token_type: &str| {
            json!({ "access_token": self.issue("access"), "token_type": token_type,
                    "expires_in": 3600, "refresh_token": refresh_token })
        };
        let reply = self.replies.borrow_mut().pop().unwrap_or(Reply::Replace);
        match reply {
            _ if self.has_ended.get() => answer(400, json!({ "error": "invalid_grant" })),
            Reply::Replace => answer(200, token(Some(self.replace(sent, false)), "Bearer")),
            Reply::Keep => {
                self.good.borrow_mut().retain(|good| good == sent);
                answer(200, token(None, "Bearer"))
            }
            Reply::Lose => {
                self.replace(sent, true);
                not_answered()
            }
            Reply::Miss => not_answered(),
            Reply::Spoil => answer(200, token(Some(self.replace(sent, false)), "riddle")),
            Reply::Trouble => Ok(HttpResponse {
                status: 503,
                headers: Vec::new(),
                body: body.as_bytes().to_vec().into(),
            }),
            Reply::End => {
                self.has_ended.set(true);
                answer(400, json!({ "error": "invalid_grant" }))
            }
        }
    }
}

/// Everybody listens.
impl Notice for Authority<'_> {
    fn is_wanted(&self, _level: Level) -> bool {
        true
    }

    fn write(&self, _level: Level, line: &str) {
        self.said.borrow_mut().push_str(line);
    }
}

/// Fails if what was said, shown or failed with holds a secret.
fn check_silence(authority: &Authority<'_>, result: &Result<Credential, Error>) {
    let mut told = authority.said.take();
    told.push_str(&authority.world.shown.borrow());
    told.push_str(&format!("{result:?}"));
    if let Err(error) = result {
        told.push_str(&format!("{error} {}", error.to_json()));
        for is_colored in [false, true] {
            told.push_str(&cli::render(
                error,
                ErrorFormat::Text {
                    style: cred_helper::style::Style { is_colored },
                },
            ));
        }
    }
    assert!(
        !told.contains("canary-") && !told.contains("refresh-1"),
        "it is told: {told}"
    );
}

/// Fails if the sign-in is lost although the authority did not end it.
fn check_life(desk: &Desk, authority: &Authority<'_>, context: &Context<'_>) {
    let Ok(Loaded::Session(session, _)) = desk.store.load(context) else {
        panic!("there is a session");
    };
    let shown = format!("{session:?}");
    assert!(!shown.contains("canary-"), "it is shown: {shown}");
    if authority.has_ended.get() {
        return;
    }
    let account = session.account(None).expect("somebody is signed in");
    let kept = account
        .refresh_token
        .as_ref()
        .expect("the sign-in lives")
        .expose();
    assert!(
        authority.good.borrow().iter().any(|good| good == kept),
        "the newest one is lost"
    );
}

fn ask(
    desk: &Desk,
    authority: &Authority<'_>,
    ask: Ask,
    replies: Vec<Reply>,
) -> Result<Credential, Error> {
    let mut request = Request::new(Action::Get);
    match ask {
        Ask::Plain => {}
        Ask::Forced => request.force_refresh = true,
        Ask::MinValid(seconds) => request.min_valid = Some(Duration::from_secs(seconds)),
    }
    *authority.replies.borrow_mut() = replies;
    let mut call = desk.call(authority.world, &request);
    call.interactive = Interactive::Never;
    call.context.http = authority;
    call.context.notice = authority;
    let result = acquire(&call, None);
    check_life(desk, authority, &call.context);
    result
}

#[test]
fn whatever_happens_the_sign_in_lives_each_refresh_token_is_spent_once_and_none_is_told() {
    let counts = RefCell::new(BTreeMap::<&str, usize>::new());
    let count = |what| *counts.borrow_mut().entry(what).or_default() += 1;
    hold(60, &vec(event(), 1..20), |events| {
        let world = World::default();
        let desk = Desk::signed_in(&world);
        let authority = Authority::of(&world, desk.store.path());
        for event in events {
            match event {
                Event::Pass(seconds) => world.pass(seconds),
                Event::Jump(seconds) => world.jump.set(world.jump.get() + seconds),
                Event::Ask(how, replies) => {
                    authority.sent.borrow_mut().clear();
                    let result = ask(&desk, &authority, how, replies);
                    check_silence(&authority, &result);
                    let sent = authority.sent.borrow();
                    assert!(
                        sent.len() <= 1 && sent.values().all(|times| *times <= 2),
                        "{sent:?}"
                    );
                    count(match &result {
                        Ok(credential) => credential.source,
                        Err(error) => error.kind().name(),
                    });
                    let is_expected = |error: &Error| {
                        let kinds = [
                            ErrorKind::Unavailable,
                            ErrorKind::LoginRequired,
                            // A token of a type that nobody here can use.
                            ErrorKind::Denied,
                        ];
                        kinds.contains(&error.kind())
                    };
                    assert!(result.as_ref().err().is_none_or(is_expected), "{result:?}");
                }
            }
        }
    });
    let counts = counts.into_inner();
    for what in ["cache", "refresh", "unavailable", "login_required"] {
        assert!(
            counts.contains_key(what),
            "nothing ended as `{what}`: {counts:?}"
        );
    }
}

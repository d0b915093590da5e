//! Effects for tests of the library: a clock whose sleep advances it, a network that is scripted,
//! a terminal that records.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cred_helper::context::{
    Background, Browser, Clock, Context, Display, Documents, Environment, Http, HttpFailure,
    HttpRequest, HttpResponse, Input, KeyCache, Keyring, KeyringFailure, Level, LoopbackHost,
    Nonces, Notice, Random, Shield, Signals, Terminal, Tls, Tokens, Typing, Visitors,
};
use cred_helper::error::{Error, ErrorKind};
use cred_helper::secret::Secret;
use cred_helper::token::{OtherToken, Timestamp};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp(1_800_000_000);

/// A request as the network saw it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Since the beginning of the test.
    pub(crate) at: Duration,
    pub(crate) form: BTreeMap<String, String>,
    /// Whether Ctrl-C would have waited for the answer.
    pub(crate) shielded: bool,
}

type Answer = Result<(u16, String, Option<&'static str>), HttpFailure>;

/// All effects of one test.
#[derive(Default)]
pub(crate) struct World {
    elapsed: Cell<Duration>,
    /// How far the wall clock was set, in seconds.
    pub(crate) jump: Cell<i64>,
    answers: RefCell<VecDeque<Answer>>,
    /// What comes of another profile's token each time, and after how many seconds.
    pub(crate) other_tokens: RefCell<VecDeque<(u64, Result<&'static str, Error>)>>,
    pub(crate) sent: RefCell<Vec<Sent>>,
    pub(crate) shown: RefCell<String>,
    /// Of each text that was shown: whether Ctrl-C would have been remembered from then on.
    pub(crate) attended: RefCell<Vec<bool>>,
    pub(crate) warnings: RefCell<Vec<String>>,
    /// What it said that it waits for.
    pub(crate) waits: RefCell<Vec<String>>,
    /// How more than plain lines is shown.
    pub(crate) display: Option<Display>,
    /// Whether somebody could type, who never does.
    pub(crate) is_typed_at: bool,
    documents: RefCell<BTreeMap<String, (Timestamp, Vec<u8>)>>,
    nonces: Nonces,
    pub(crate) variables: BTreeMap<&'static str, String>,
    no_terminal: bool,
    /// The processes that were started to go on.
    pub(crate) started: RefCell<Vec<Vec<String>>>,
    /// Why none lives on.
    pub(crate) dies: Option<&'static str>,
    /// Whether somebody has pressed Ctrl-C.
    pub(crate) is_interrupted: Cell<bool>,
    /// How many there are.
    shields: Cell<usize>,
    /// Who remembers Ctrl-C, and ends by it.
    pub(crate) listeners: Cell<usize>,
}

impl World {
    /// A world where nobody can be asked.
    pub(crate) fn without_terminal() -> Self {
        Self {
            no_terminal: true,
            ..Self::default()
        }
    }

    /// The next request is answered with this.
    pub(crate) fn answer(&self, status: u16, body: impl ToString) -> &Self {
        self.answer_after(status, body, None)
    }

    /// The same with this `Retry-After`.
    pub(crate) fn answer_after(
        &self,
        status: u16,
        body: impl ToString,
        retry_after: Option<&'static str>,
    ) -> &Self {
        self.answers
            .borrow_mut()
            .push_back(Ok((status, body.to_string(), retry_after)));
        self
    }

    /// The next request fails like this.
    pub(crate) fn fail(&self, failure: HttpFailure) -> &Self {
        self.answers.borrow_mut().push_back(Err(failure));
        self
    }

    /// Time goes by.
    pub(crate) fn pass(&self, seconds: u64) {
        self.elapsed
            .set(self.elapsed.get() + Duration::from_secs(seconds));
    }

    /// How often a grant was asked for.
    pub(crate) fn count(&self, grant: &str) -> usize {
        let sent = self.sent.borrow();
        let is_it = |sent: &&Sent| {
            sent.form
                .get("grant_type")
                .is_some_and(|name| name == grant)
        };
        sent.iter().filter(is_it).count()
    }

    /// Every scripted answer was asked for.
    pub(crate) fn assert_all_asked(&self) {
        assert_eq!(self.answers.borrow().len(), 0, "answers are left over");
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            clock: self,
            environment: self,
            http: self,
            terminal: self,
            browser: self,
            random: self,
            notice: self,
            documents: self,
            nonces: &self.nonces,
            tokens: self,
            input: self,
            signals: self,
            background: self,
            keyring: self,
            key_cache: self,
            deadline: Some(Duration::from_secs(60)),
        }
    }
}

fn no_keyring<T>() -> Result<T, KeyringFailure> {
    Err(KeyringFailure::Absent(
        "there is none in this test".to_owned(),
    ))
}

impl Keyring for World {
    fn check(&self, _limit: Duration) -> Result<(), KeyringFailure> {
        no_keyring()
    }

    fn is_locked(&self, _limit: Duration) -> Result<bool, KeyringFailure> {
        no_keyring()
    }

    fn read(&self, _name: &str, _limit: Duration) -> Result<Option<Secret>, KeyringFailure> {
        no_keyring()
    }

    fn write(&self, _: &str, _: &Secret, _limit: Duration) -> Result<(), KeyringFailure> {
        no_keyring()
    }

    fn remove(&self, _name: &str, _limit: Duration) -> Result<(), KeyringFailure> {
        no_keyring()
    }
}

/// It keeps nothing.
impl KeyCache for World {
    fn is_known(&self) -> bool {
        false
    }

    fn read(&self, _name: &str) -> Option<Secret> {
        None
    }

    fn keep(&self, _name: &str, _secret: &Secret, _lifetime: Duration) {}

    fn forget(&self, _name: &str) -> bool {
        false
    }
}

impl Background for World {
    fn start(&self, arguments: &[String], _lock: File) -> Result<(), String> {
        self.started.borrow_mut().push(arguments.to_vec());
        Ok(())
    }

    fn lives_on(&self) -> Result<(), String> {
        self.dies.map_or(Ok(()), |reason| Err(reason.to_owned()))
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed.get().as_secs()).expect("a test is short");
        START.plus(elapsed + self.jump.get())
    }

    fn monotonic(&self) -> Duration {
        self.elapsed.get()
    }

    fn sleep(&self, duration: Duration) -> Result<(), Error> {
        self.elapsed.set(self.elapsed.get() + duration);
        Ok(())
    }
}

impl Environment for World {
    fn variable(&self, name: &str) -> Option<String> {
        // The programs that are started are real.
        let real = || (name == "PATH").then(|| std::env::var(name).ok()).flatten();
        self.variables.get(name).cloned().or_else(real)
    }
}

impl Http for World {
    fn send(
        &self,
        request: &HttpRequest,
        _tls: &Tls,
        limit: Duration,
    ) -> Result<HttpResponse, HttpFailure> {
        let body = request.body.as_ref().map_or("", |body| body.expose());
        self.sent.borrow_mut().push(Sent {
            at: self.elapsed.get(),
            form: url::form_urlencoded::parse(body.as_bytes())
                .into_owned()
                .collect(),
            shielded: self.shields.get() > 0,
        });
        let answer = self.answers.borrow_mut().pop_front();
        match answer.unwrap_or_else(|| panic!("nothing is scripted for {}", request.url)) {
            Ok((status, body, retry_after)) => Ok(HttpResponse {
                status,
                headers: retry_after
                    .map(|value| ("retry-after".to_owned(), Secret::new(value)))
                    .into_iter()
                    .collect(),
                body: body.into_bytes().into(),
            }),
            Err(failure) => {
                // Whoever gets no answer has waited for it.
                self.elapsed.set(self.elapsed.get() + limit);
                Err(failure)
            }
        }
    }
}

impl Browser for World {
    fn found(&self) -> Result<String, String> {
        Err("there is none in this world".to_owned())
    }

    fn open(&self, _url: &str) -> Result<(), String> {
        Err("there is none in this world".to_owned())
    }

    fn listen(&self, _host: LoopbackHost, _port: Option<u16>) -> io::Result<Box<dyn Visitors>> {
        Err(io::Error::other("nobody comes in this world"))
    }
}

impl Random for World {
    fn bytes(&self) -> Result<[u8; 32], Error> {
        Ok([7; 32])
    }
}

/// Nobody types.
struct Silence;

impl Typing for Silence {
    fn line(&mut self) -> Result<Option<Secret>, Error> {
        Ok(None)
    }
}

impl Terminal for World {
    fn is_available(&self) -> bool {
        !self.no_terminal
    }

    fn display(&self) -> Option<Display> {
        self.display
    }

    fn is_in_front(&self) -> bool {
        true
    }

    fn typing(&self) -> Option<Box<dyn Typing>> {
        self.is_typed_at
            .then(|| Box::new(Silence) as Box<dyn Typing>)
    }

    fn show(&self, text: &str) -> io::Result<()> {
        self.shown.borrow_mut().push_str(text);
        self.attended.borrow_mut().push(self.listeners.get() > 0);
        Ok(())
    }
}

impl Notice for World {
    fn is_wanted(&self, _level: Level) -> bool {
        true
    }

    fn write(&self, level: Level, line: &str) {
        let lines = match level {
            Level::Error | Level::Warning => &self.warnings,
            Level::Information => &self.waits,
            Level::Debug | Level::Trace => return,
        };
        lines.borrow_mut().push(line.to_owned());
    }
}

impl Documents for World {
    fn load(&self, key: &str) -> Option<(Timestamp, Vec<u8>)> {
        self.documents.borrow().get(key).cloned()
    }

    fn save(&self, key: &str, now: Timestamp, document: &[u8]) {
        let kept = (now, document.to_vec());
        self.documents.borrow_mut().insert(key.to_owned(), kept);
    }
}

impl Tokens for World {
    fn token_of(&self, wanted: &OtherToken) -> Result<Secret, Error> {
        let (seconds, token) = self
            .other_tokens
            .borrow_mut()
            .pop_front()
            .unwrap_or_else(|| panic!("nobody has {wanted:?} in this world"));
        self.pass(seconds);
        token.map(Secret::new)
    }

    fn secret_variables(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

impl Input for World {
    fn read(&self, _limit: Duration) -> Result<Secret, String> {
        Err("nobody hands over anything in this world".to_owned())
    }
}

struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn shield(count: &'a Cell<usize>) -> Box<dyn Shield + 'a> {
        count.set(count.get() + 1);
        Box::new(Self(count))
    }
}

impl Shield for Counted<'_> {}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Signals for World {
    fn shield(&self) -> Box<dyn Shield + '_> {
        Counted::shield(&self.shields)
    }

    fn attend(&self) -> Box<dyn Shield + '_> {
        Counted::shield(&self.listeners)
    }

    fn heed_reader(&self) -> Box<dyn Shield + '_> {
        self.shield()
    }

    fn heed(&self, _told: Arc<AtomicBool>) -> Box<dyn Shield + '_> {
        self.shield()
    }

    fn check(&self) -> Result<(), Error> {
        match self.is_interrupted.get() {
            true => Err(Error::new(ErrorKind::Interrupted, "interrupted")),
            false => Ok(()),
        }
    }
}

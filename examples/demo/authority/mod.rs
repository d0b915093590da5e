//! A small authorization server on loopback: the demo's other side, and the
//! scripted server of the end-to-end tests for what real servers will not do.
//!
//! One thread accepts, one thread serves each connection, and one lock holds
//! everything they know. [`Authority`] is the handle; dropping it stops the
//! server. Nothing here is fit for a network: it listens on 127.0.0.1 only,
//! and whoever can open its page can approve.
//!
//! The tests include this directory by `#[path]`, hence `pub(crate)`
//! throughout and no name of the crate around it.
#![allow(
    dead_code,
    reason = "the demo and the tests use different parts of this module"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a server is another machine: its clock and its locks are its own"
)]

mod endpoint;
mod page;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

pub(crate) use endpoint::Endpoint;
use endpoint::{Decision, Issued, Route};
pub(crate) use wire::{Recorded, Response};

/// How long does a test wait for something that should happen at once, on a machine that is busy?
const LIMIT: Duration = Duration::from_secs(60);

/// How long is it from byte to byte of an answer that trickles?
const PAUSE: Duration = Duration::from_millis(50);

/// How much of a refused request is read before the connection is closed?
const DRAIN_LIMIT: u64 = 1024 * 1024;

/// How the server behaves; [`Authority::set`] changes it while it runs.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "switches that do not depend on each other"
)]
pub(crate) struct Settings {
    /// The path of the issuer: empty, or with a leading slash and no trailing one.
    pub(crate) path: String,
    /// Seconds; zero or less hands out tokens that have already expired.
    pub(crate) access_token_lifetime: i64,
    /// Seconds.
    pub(crate) device_code_lifetime: u64,
    /// Seconds between two polls, or none to leave `interval` out, which means
    /// 5 (RFC 8628 §3.2). With zero nobody polls too fast.
    pub(crate) interval: Option<u64>,
    /// Takes the first poll of a device code for its approval.
    pub(crate) approve_at_once: bool,
    /// Replaces the refresh token on every use. Reuse of a replaced one ends
    /// the session, except at the Entra endpoints, which let it pass.
    pub(crate) rotate: bool,
    /// Lets no reuse pass at the Entra endpoints either.
    pub(crate) forgives_nothing: bool,
    /// Who signs in.
    pub(crate) account: String,
    /// The clients known. While it is empty, every id is a public client.
    pub(crate) clients: Vec<ClientRow>,
    /// `scopes_supported`; asking for another one is `invalid_scope`, except
    /// at the Entra endpoints. Without `offline_access` in it, every grant
    /// comes with a refresh token.
    pub(crate) scopes: Vec<String>,
    /// Which metadata documents exist.
    pub(crate) discovery: Discovery,
    /// Whether a grant of `openid` brings an ID token.
    pub(crate) id_token: bool,
    /// Whether an ID token tells the name, and not the subject alone.
    pub(crate) name_in_id_token: bool,
    /// Whether there is a revocation endpoint.
    pub(crate) revocation: bool,
    /// Further paths of endpoints.
    pub(crate) paths: Vec<(String, Endpoint)>,
    /// Members put into the metadata document last; `null` removes one.
    pub(crate) metadata: Vec<(String, Value)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: String::new(),
            access_token_lifetime: 3600,
            device_code_lifetime: 900,
            interval: Some(1),
            approve_at_once: false,
            rotate: true,
            forgives_nothing: false,
            account: "ada@example.test".to_owned(),
            clients: Vec::new(),
            scopes: ["openid", "profile", "offline_access", "demo"]
                .map(str::to_owned)
                .to_vec(),
            discovery: Discovery::Both,
            id_token: true,
            name_in_id_token: true,
            revocation: true,
            paths: Vec::new(),
            metadata: Vec::new(),
        }
    }
}

/// A registered client.
#[derive(Clone, Debug)]
pub(crate) struct ClientRow {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) method: ClientAuthentication,
}

/// `token_endpoint_auth_method` of a client (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuthentication {
    None,
    ClientSecretBasic,
    ClientSecretPost,
}

/// Which metadata documents the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    /// `{issuer}/.well-known/openid-configuration`.
    Oidc,
    /// `/.well-known/oauth-authorization-server{path}` (RFC 8414 §3.1).
    Rfc8414,
    Both,
    None,
}

/// What happens to one request instead of the usual.
pub(crate) enum Fault {
    /// Answers this; the work is not done.
    Answer(Response),
    /// Answers what the closure makes of the request; the work is not done.
    Then(Box<dyn FnOnce(&Recorded) -> Response + Send>),
    /// Does the work and lets the closure change the answer.
    Edit(Box<dyn FnOnce(&mut Response) + Send>),
    /// Waits, then goes on as usual.
    Delay(Duration),
    /// Shows the request to the closure, then goes on as usual.
    Look(Box<dyn FnOnce(&Recorded) + Send>),
    /// Answers this, the body a byte at a time; the work is not done.
    Trickle(Response),
    /// Never answers; ends when the peer goes or the server stops.
    Hang,
    /// Resets the connection; the work is not done. Where the system does not
    /// reset a connection that is closed with unread bytes, it is just closed.
    Reset,
    /// Does the work and closes the connection without an answer.
    Lost,
    /// Does the work and closes the connection after half of the body.
    Cut,
}

impl Fault {
    /// An OAuth error with this status.
    pub(crate) fn error(status: u16, error: &str) -> Self {
        Self::Answer(Response::error(status, error, "as scripted"))
    }

    /// [`Fault::Then`] without the box.
    pub(crate) fn then(answer: impl FnOnce(&Recorded) -> Response + Send + 'static) -> Self {
        Self::Then(Box::new(answer))
    }

    /// [`Fault::Edit`] for an answer that is a JSON object.
    pub(crate) fn edit(
        edit: impl FnOnce(&mut serde_json::Map<String, Value>) + Send + 'static,
    ) -> Self {
        Self::Edit(Box::new(|response| {
            let mut members = serde_json::from_slice(&response.body).expect("an object to edit");
            edit(&mut members);
            response.body = Value::Object(members).to_string().into_bytes();
        }))
    }
}

/// What was issued at some moment.
pub(crate) struct Snapshot(Issued);

/// What the server knows, as [`Authority::wait_until`] shows it.
pub(crate) struct State {
    pub(crate) settings: Settings,
    /// Every request received, in order of arrival.
    pub(crate) requests: Vec<Recorded>,
    /// How many requests wait at the gate of the token endpoint now.
    pub(crate) held: usize,
    /// How many connections were accepted and are not done with.
    unfinished: usize,
    issued: Issued,
    faults: VecDeque<(Endpoint, Fault)>,
    gate_closed: bool,
    stopping: bool,
    /// The connections in use, so that stopping can end them.
    connections: HashMap<u64, TcpStream>,
}

impl State {
    /// How many requests had a path with this end and, if given, this `grant_type`.
    pub(crate) fn count(&self, path_suffix: &str, grant_type: Option<&str>) -> usize {
        self.requests
            .iter()
            .filter(|request| request.path.ends_with(path_suffix))
            .filter(|request| grant_type.is_none() || request.parameter("grant_type") == grant_type)
            .count()
    }

    /// The newest code nobody has decided about.
    pub(crate) fn newest_user_code(&self) -> Option<&str> {
        self.issued.newest_user_code()
    }

    /// How many scripted faults no request has used yet.
    pub(crate) fn faults_left(&self) -> usize {
        self.faults.len()
    }

    fn take_fault(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let position = self.faults.iter().position(|(of, _)| *of == endpoint)?;
        self.faults.remove(position).map(|(_, fault)| fault)
    }
}

/// The lock, and the bell that rings whenever something behind it changed.
struct Shared {
    /// `http://127.0.0.1:PORT`.
    origin: String,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// Takes the lock even after a panic: a failed assertion in a predicate
    /// must not turn into a server that answers nobody.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for at most `limit` while the condition holds.
    fn wait_while<'state>(
        &self,
        state: MutexGuard<'state, State>,
        limit: Duration,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'state, State> {
        let waited = self.changed.wait_timeout_while(state, limit, condition);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Writes the request down, waits at the gate, and says what is to be done.
    fn admit(&self, request: &Recorded) -> (Option<Route>, Option<Fault>) {
        let mut state = self.lock();
        let route = Route::of(&state.settings, &request.path);
        state.requests.push(request.clone());
        self.changed.notify_all();

        let endpoint = route.as_ref().map(|route| route.endpoint);
        if endpoint == Some(Endpoint::Token) && state.gate_closed {
            state.held += 1;
            let gate = |state: &mut State| state.gate_closed && !state.stopping;
            state = self.wait_while(state, Duration::MAX, gate);
            state.held -= 1;
            self.changed.notify_all();
        }
        let fault = endpoint.and_then(|endpoint| state.take_fault(endpoint));
        (route, fault)
    }

    /// Does what the request asks for.
    fn work(&self, route: Option<&Route>, request: &Recorded) -> Response {
        let mut state = self.lock();
        let State {
            settings, issued, ..
        } = &mut *state;
        let response = endpoint::answer(settings, issued, &self.origin, route, request);
        self.changed.notify_all();
        response
    }

    /// Serves the one request of a connection.
    fn serve(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let request = match wire::read_request(stream)? {
            Ok(request) => request,
            Err(refusal) => {
                refusal.write(stream, refusal.body.len())?;
                // Closing while bytes are unread would reset the connection,
                // and the peer might never see the answer.
                stream.shutdown(Shutdown::Write)?;
                return io::copy(&mut (&*stream).take(DRAIN_LIMIT), &mut io::sink()).map(drop);
            }
        };
        let (route, fault) = self.admit(&request);
        if let Some(Fault::Reset) = fault {
            return Ok(());
        }
        wire::read_last_byte(stream)?;

        let work = || self.work(route.as_ref(), &request);
        let response = match fault {
            None => work(),
            Some(Fault::Answer(response)) => response,
            Some(Fault::Then(answer)) => answer(&request),
            Some(Fault::Edit(edit)) => {
                let mut response = work();
                edit(&mut response);
                response
            }
            Some(Fault::Delay(delay)) => {
                drop(self.wait_while(self.lock(), delay, |state| !state.stopping));
                work()
            }
            Some(Fault::Look(look)) => {
                look(&request);
                work()
            }
            Some(Fault::Trickle(response)) => {
                response.write(stream, 0)?;
                for byte in response.body {
                    drop(self.wait_while(self.lock(), PAUSE, |state| !state.stopping));
                    stream.write_all(&[byte])?;
                }
                return Ok(());
            }
            Some(Fault::Hang) => {
                stream.set_read_timeout(None)?;
                return io::copy(stream, &mut io::sink()).map(drop);
            }
            Some(Fault::Reset) => unreachable!("a reset has returned above"),
            Some(Fault::Lost) => {
                drop(work());
                return Ok(());
            }
            Some(Fault::Cut) => {
                let response = work();
                return response.write(stream, response.body.len() / 2);
            }
        };
        response.write(stream, response.body.len())
    }

    /// Serves a connection that stopping can end.
    fn serve_connection(&self, number: u64, mut stream: TcpStream) {
        let Ok(clone) = stream.try_clone() else {
            return;
        };
        {
            let mut state = self.lock();
            if state.stopping {
                return;
            }
            state.connections.insert(number, clone);
        }
        // What goes wrong here is the peer's doing: it went away.
        self.serve(&mut stream).ok();
        drop(self.lock().connections.remove(&number));
    }
}

/// A running authorization server; stops when dropped.
pub(crate) struct Authority {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Option<JoinHandle<()>>,
}

impl Authority {
    /// Starts a server on a free port of 127.0.0.1.
    pub(crate) fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            origin: format!("http://{address}"),
            state: Mutex::new(State {
                settings,
                requests: Vec::new(),
                held: 0,
                unfinished: 0,
                issued: Issued::default(),
                faults: VecDeque::new(),
                gate_closed: false,
                stopping: false,
                connections: HashMap::new(),
            }),
            changed: Condvar::new(),
        });
        let for_listener = Arc::clone(&shared);
        let listener = thread::Builder::new().spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                let mut state = for_listener.lock();
                if state.stopping {
                    return;
                }
                let Ok(stream) = stream else { continue };
                state.unfinished += 1;
                drop(state);
                let shared = Arc::clone(&for_listener);
                thread::spawn(move || {
                    shared.serve_connection(number, stream);
                    shared.lock().unfinished -= 1;
                    shared.changed.notify_all();
                });
            }
        })?;
        Ok(Self {
            shared,
            address,
            listener: Some(listener),
        })
    }

    /// The issuer, `http://127.0.0.1:PORT{path}`.
    pub(crate) fn issuer(&self) -> String {
        format!("{}{}", self.shared.origin, self.shared.lock().settings.path)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which starts with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shared.origin)
    }

    /// Changes the settings; what has been issued stays.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.lock().settings);
        self.shared.changed.notify_all();
    }

    /// Approves a code; false if no such code waits for a decision.
    pub(crate) fn approve(&self, user_code: &str) -> bool {
        self.decide(user_code, Decision::Approved)
    }

    /// Denies a code; false if no such code waits for a decision.
    pub(crate) fn deny(&self, user_code: &str) -> bool {
        self.decide(user_code, Decision::Denied)
    }

    /// Approves the newest undecided code, for which it waits, and returns it.
    #[track_caller]
    pub(crate) fn approve_newest(&self) -> String {
        self.decide_newest(Decision::Approved)
    }

    /// Denies the newest undecided code, for which it waits, and returns it.
    #[track_caller]
    pub(crate) fn deny_newest(&self) -> String {
        self.decide_newest(Decision::Denied)
    }

    /// The newest code nobody has decided about.
    pub(crate) fn newest_user_code(&self) -> Option<String> {
        self.shared.lock().newest_user_code().map(str::to_owned)
    }

    /// Lets every device code expire.
    pub(crate) fn expire_device_codes(&self) {
        self.shared.lock().issued.expire_device_codes();
    }

    /// Lets every access token expire; refresh tokens stay.
    pub(crate) fn expire_access_tokens(&self) {
        self.shared.lock().issued.expire_access_tokens();
    }

    /// Forgets every token, as if an administrator had ended all sessions.
    pub(crate) fn forget_tokens(&self) {
        self.shared.lock().issued.forget_tokens();
    }

    /// Returns once everybody who connected before has been served, also those who are gone.
    pub(crate) fn settle(&self) {
        // Connections are accepted in the order in which they were made: this one is the last.
        let ask = || {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
            io::copy(&mut stream, &mut io::sink())
        };
        ask().expect("the server answers");
        self.wait_until(|state| state.unfinished == 0);
    }

    /// What is issued at this moment, to go back to.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.shared.lock().issued.clone())
    }

    /// Goes back to what was issued at that moment, as if nothing had been asked for since.
    pub(crate) fn restore(&self, snapshot: &Snapshot) {
        let issued = &mut self.shared.lock().issued;
        let secrets = std::mem::take(&mut issued.secrets);
        *issued = snapshot.0.clone();
        // What was shown to somebody stays secret.
        issued.secrets = secrets;
    }

    /// Whether a refresh would go well with this token.
    pub(crate) fn is_redeemable(&self, refresh_token: &str) -> bool {
        self.shared.lock().issued.is_redeemable(refresh_token)
    }

    /// Every device code, access, refresh and ID token ever issued, in order,
    /// so that a test can search its output for them.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.shared.lock().issued.secrets.clone()
    }

    /// Every request received, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// How many requests had a path with this end and, if given, this `grant_type`.
    pub(crate) fn count(&self, path_suffix: &str, grant_type: Option<&str>) -> usize {
        self.shared.lock().count(path_suffix, grant_type)
    }

    /// Queues a fault for the next request to the endpoint that finds no other.
    pub(crate) fn script(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.lock().faults.push_back((endpoint, fault));
    }

    /// How many scripted faults no request has used yet.
    pub(crate) fn faults_left(&self) -> usize {
        self.shared.lock().faults_left()
    }

    /// Takes back the faults that no request has used yet.
    pub(crate) fn clear_script(&self) {
        self.shared.lock().faults.clear();
    }

    /// Closes the gate of the token endpoint: requests are written down and wait.
    pub(crate) fn hold(&self) {
        self.shared.lock().gate_closed = true;
    }

    /// Opens the gate of the token endpoint for all who wait and who come.
    pub(crate) fn release(&self) {
        self.shared.lock().gate_closed = false;
        self.shared.changed.notify_all();
    }

    /// Waits until the predicate holds. Panics, with the requests received,
    /// when it does not within a minute.
    #[track_caller]
    pub(crate) fn wait_until(&self, predicate: impl FnMut(&State) -> bool) {
        drop(self.wait_locked(predicate));
    }

    /// Waits until the predicate holds, or until `limit` is over, which is false.
    #[must_use = "the limit may be over"]
    pub(crate) fn wait_at_most(
        &self,
        limit: Duration,
        mut predicate: impl FnMut(&State) -> bool,
    ) -> bool {
        let state = self.shared.lock();
        let state = self
            .shared
            .wait_while(state, limit, |state| !predicate(state));
        predicate(&state)
    }

    #[track_caller]
    fn wait_locked(&self, mut predicate: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.shared.lock();
        let state = self
            .shared
            .wait_while(state, LIMIT, |state| !predicate(state));
        assert!(
            predicate(&state),
            "waited {LIMIT:?} in vain; received: {:#?}",
            state.requests
        );
        state
    }

    fn decide(&self, user_code: &str, decision: Decision) -> bool {
        let decided = self.shared.lock().issued.decide(user_code, decision);
        self.shared.changed.notify_all();
        decided
    }

    #[track_caller]
    fn decide_newest(&self, decision: Decision) -> String {
        let mut state = self.wait_locked(|state| state.newest_user_code().is_some());
        let user_code = state.newest_user_code().map(str::to_owned);
        let user_code = user_code.expect("the lock was kept since one was there");
        state.issued.decide(&user_code, decision);
        self.shared.changed.notify_all();
        user_code
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            for stream in state.connections.values() {
                // It may have ended by itself just now.
                stream.shutdown(Shutdown::Both).ok();
            }
        }
        self.shared.changed.notify_all();
        // The listener looks up only when somebody connects.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(listener) = self.listener.take()
            && woken.is_ok()
        {
            listener.join().ok();
        }
    }
}

/// Seconds since 1970 by the server's clock.
fn epoch_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("the clock is past 1970").as_secs();
    i64::try_from(now).expect("seconds since 1970 fit in 63 bits")
}

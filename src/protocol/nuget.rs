//! NuGet's cross-platform plugins, protocol 2.0.0
//! (<https://learn.microsoft.com/nuget/reference/extensibility/nuget-cross-platform-plugins>).
//!
//! One conversation in lines of JSON. Both sides may ask at any time, and each answer repeats the
//! id of its request. What arrives is read on a thread of its own: NuGet takes its word back, or
//! ends, while a person signs in. Requests are answered one after the other; for all that wait,
//! NuGet hears each second that somebody works, so that it does not give up.
//!
//! To add a request that NuGet makes: a `Method` in `message`, and its answer here.

mod inbox;
mod message;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use self::inbox::Inbox;
use self::message::{Asked, Level, Message, Method};
use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, is_of_its_profile, names_nobody, username};
use crate::context::{Signals, Terminal};
use crate::credential::{Action, Credential, Interactive, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::io::{Io, delivered};
use crate::secret::Secret;
use crate::system::process;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "nuget",
    summary: "Answer NuGet as an authentication plugin",
    help: "Put a link on PATH, where NuGet 6.13 and newer look for plugins:\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/nuget-plugin-cred-helper",
    link_names: &["nuget-plugin-cred-helper"],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &[],
    operands: &["-Plugin"],
    is_raw: true,
    is_mute: false,
    serve,
};

/// The only version that is spoken; before it, plugins did not authenticate.
const VERSION: &str = "2.0.0";

/// How often does NuGet hear that somebody works? It waits 5 s at least.
const PROGRESS: Duration = Duration::from_secs(1);

/// How often is it looked whether NuGet is still there? Its end is told by the end of stdin, unless
/// another process has that too.
const LOOK: Duration = Duration::from_secs(2);

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let [word] = arguments.operands() else {
        return Err(started_by_hand());
    };
    if !word.eq_ignore_ascii_case("-Plugin") {
        return Err(started_by_hand());
    }
    let stdin = std::mem::replace(&mut io.stdin, Box::new(io::empty()));
    let mut conversation = Conversation {
        output: Output(Mutex::new(&mut *io.stdout)),
        inbox: Inbox::of(stdin),
        signals: io.signals,
        answer,
        profile: arguments.get(PROFILE.long).map(String::from),
        ids: Ids::default(),
        own_handshake: String::new(),
        is_greeted: false,
        has_greeted: false,
        level: None,
        monitored: Vec::new(),
        given: BTreeMap::new(),
    };
    match conversation.hold() {
        Ok(code) => Ok(code),
        Err(Stop::Unwritten(error)) => delivered(Err(error)).map(|()| 0),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn started_by_hand() -> Error {
    Error::new(ErrorKind::Usage, "NuGet starts this, with `-Plugin` alone")
        .hint("see docs/nuget.md; `cred-helper get --url URL` tells whether there is a token")
}

/// Why a conversation ends before NuGet ends it.
enum Stop {
    /// Nobody reads the answers, or they cannot be written.
    Unwritten(io::Error),
    /// It makes no sense.
    Failed(Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

/// stdout, shared with whoever tells NuGet that somebody works.
struct Output<'o>(Mutex<&'o mut (dyn Write + Send)>);

impl Output<'_> {
    /// Writes a message: a line, at once and whole.
    fn write(&self, id: &str, kind: &str, method: &str, payload: Option<&str>) -> io::Result<()> {
        let payload = payload.map_or_else(String::new, |payload| format!(",\"Payload\":{payload}"));
        let payload = Zeroizing::new(payload);
        let line = Zeroizing::new(format!(
            "{{\"RequestId\":{},\"Type\":\"{kind}\",\"Method\":\"{method}\"{}}}\n",
            json!(id),
            payload.as_str()
        ));
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(line.as_bytes())?;
        output.flush()
    }
}

/// Ids of our own requests, in the form of the GUIDs that NuGet's are.
#[derive(Default)]
struct Ids(std::cell::Cell<u64>);

impl Ids {
    fn next(&self) -> String {
        let number = self.0.get() + 1;
        self.0.set(number);
        format!("00000000-0000-4000-8000-{number:012x}")
    }
}

/// The person, behind NuGet.
struct Messages<'m, 'o> {
    output: &'m Output<'o>,
    ids: &'m Ids,
    level: Level,
}

impl Messages<'_, '_> {
    fn log(&self, text: &str, least: Level) -> io::Result<()> {
        let level = self.level.max(least).name();
        let payload = json!({ "LogLevel": level, "Message": text }).to_string();
        self.output
            .write(&self.ids.next(), "Request", "Log", Some(&payload))
    }
}

impl Terminal for Messages<'_, '_> {
    fn is_available(&self) -> bool {
        true
    }

    fn show(&self, text: &str) -> io::Result<()> {
        match text.trim() {
            // The end of a line that somebody typed into.
            "" => Ok(()),
            text => self.log(text, Level::Minimal),
        }
    }
}

/// The conversation with one NuGet.
struct Conversation<'c, 'o> {
    output: Output<'o>,
    inbox: Inbox,
    signals: &'c dyn Signals,
    answer: &'c Answer<'c>,
    profile: Option<String>,
    ids: Ids,
    /// The id of our handshake.
    own_handshake: String,
    /// Whether NuGet's handshake was answered.
    is_greeted: bool,
    /// Whether NuGet answered ours.
    has_greeted: bool,
    /// What NuGet shows; nothing may be shown before it says so.
    level: Option<Level>,
    /// The processes whose end is ours.
    monitored: Vec<u32>,
    /// What was handed out for each address.
    given: BTreeMap<String, Secret>,
}

impl Conversation<'_, '_> {
    /// Answers until NuGet has no more questions; the exit code.
    fn hold(&mut self) -> Result<u8, Stop> {
        self.own_handshake = self.ids.next();
        let versions = json!({ "ProtocolVersion": VERSION, "MinimumProtocolVersion": VERSION });
        let (id, versions) = (&self.own_handshake, versions.to_string());
        self.output
            .write(id, "Request", Method::Handshake.name(), Some(&versions))?;
        loop {
            let limit = (!self.monitored.is_empty()).then_some(LOOK);
            let Some(message) = self.inbox.take(limit) else {
                if self.monitored.iter().copied().all(process::is_running) {
                    continue;
                }
                return Ok(0);
            };
            match message {
                Message::End | Message::Close => return Ok(0),
                // Both are the inbox's.
                Message::Cancel { .. } | Message::Nothing => {}
                Message::Nonsense { reason } => self.complain(&reason)?,
                Message::Response { id, payload } => self.take_response(&id, payload.as_ref())?,
                Message::Cancelled { id, method } => {
                    self.output.write(&id, "Cancel", &method, None)?;
                }
                Message::Request {
                    id,
                    method,
                    payload,
                } => self.respond(&id, &method, payload)?,
            }
            // Told to end while it worked for this answer, and not at once.
            if let Err(told) = self.signals.check() {
                return Ok(told.kind().exit_code());
            }
        }
    }

    /// Tells that a line makes no sense.
    fn complain(&self, reason: &str) -> Result<(), Stop> {
        Ok(self.fault(&self.ids.next(), "None", reason)?)
    }

    fn fault(&self, id: &str, method: &str, reason: &str) -> io::Result<()> {
        let fault = json!({ "Message": reason }).to_string();
        self.output.write(id, "Fault", method, Some(&fault))
    }

    /// Takes the answer to our handshake; all others tell nothing.
    fn take_response(&mut self, id: &str, payload: Option<&Asked>) -> Result<(), Stop> {
        if id != self.own_handshake || self.has_greeted {
            return Ok(());
        }
        let is_good = payload.is_some_and(|payload| {
            payload.response_code.as_deref() == Some("Success")
                && payload.protocol_version.as_deref() == Some(VERSION)
        });
        if !is_good {
            return Err(Stop::Failed(speaks_another_version()));
        }
        self.has_greeted = true;
        Ok(())
    }

    fn respond(
        &mut self,
        id: &str,
        method: &str,
        payload: Result<Asked, String>,
    ) -> Result<(), Stop> {
        let asked = match payload {
            Ok(asked) => asked,
            Err(reason) => return Ok(self.fault(id, method, &reason)?),
        };
        let known = Method::parse(method);
        if known != Some(Method::Handshake) && !(self.is_greeted && self.has_greeted) {
            return Ok(self.fault(id, method, "nobody has shaken hands yet")?);
        }
        let success = || Zeroizing::new(code("Success"));
        let answer = match known {
            Some(Method::Handshake) => return self.greet(id, &asked),
            Some(Method::Initialize | Method::SetCredentials) => success(),
            Some(Method::MonitorNuGetProcessExit) => {
                let process = asked.process_id.filter(|id| process::is_running(*id));
                self.monitored.extend(process);
                match process {
                    Some(_) => success(),
                    None => Zeroizing::new(code("NotFound")),
                }
            }
            Some(Method::SetLogLevel) => match asked.log_level.as_deref().and_then(Level::parse) {
                Some(level) => {
                    self.level = Some(level);
                    success()
                }
                None => return Ok(self.fault(id, method, "there is no such `LogLevel`")?),
            },
            Some(Method::GetOperationClaims) => Zeroizing::new(self.claims(&asked)),
            Some(Method::GetAuthenticationCredentials) => {
                let Some(url) = asked.uri.clone() else {
                    return Ok(self.fault(id, method, "there is no `Uri`")?);
                };
                let answer = self.credentials(&url, &asked);
                if self.inbox.is_cancelled() {
                    return Ok(self.output.write(id, "Cancel", method, None)?);
                }
                answer
            }
            None => return Ok(self.fault(id, method, "this plugin does not do that")?),
        };
        Ok(self.output.write(id, "Response", method, Some(&answer))?)
    }

    /// Answers NuGet's handshake.
    fn greet(&mut self, id: &str, asked: &Asked) -> Result<(), Stop> {
        let version = |text: &Option<String>| text.as_deref().and_then(message::version);
        let own = message::version(VERSION);
        let (newest, oldest) = (
            version(&asked.protocol_version),
            version(&asked.minimum_protocol_version),
        );
        let is_spoken = newest.is_some() && oldest.is_some() && oldest <= own && own <= newest;
        let answer = if is_spoken {
            json!({ "ResponseCode": "Success", "ProtocolVersion": VERSION }).to_string()
        } else {
            code("Error")
        };
        self.output
            .write(id, "Response", Method::Handshake.name(), Some(&answer))?;
        if !is_spoken {
            return Err(Stop::Failed(speaks_another_version()));
        }
        self.is_greeted = true;
        Ok(())
    }

    /// What is done for a source: authentication, if a profile answers for it. NuGet keeps what it is
    /// told for a month. Before it knows a source it asks for all of them, and there may be a profile
    /// for one tomorrow.
    fn claims(&self, asked: &Asked) -> String {
        let is_ours = match (&asked.package_source_repository, asked.has_service_index()) {
            (None, false) => true,
            (None, true) => false,
            (Some(url), _) => {
                // What nobody was given is nowhere to be forgotten: it is the profile that is asked for.
                let nothing = Action::Erase(Some(Secret::new(String::new())));
                let request = Request {
                    url: Some(url.clone()),
                    ..self.request(nothing)
                };
                (self.answer)(&request, None).is_ok()
            }
        };
        let claims: &[&str] = if is_ours { &["Authentication"] } else { &[] };
        json!({ "Claims": claims }).to_string()
    }

    fn request(&self, action: Action) -> Request {
        Request {
            profile: self.profile.clone(),
            ..Request::new(action)
        }
    }

    /// Answers with a token, or why there is none.
    fn credentials(&mut self, url: &str, asked: &Asked) -> Zeroizing<String> {
        let messages = self.level.map(|level| Messages {
            output: &self.output,
            ids: &self.ids,
            level,
        });
        // Somebody to be asked is one who can be told.
        let is_asked = messages.is_some() && asked.may_ask();
        let rejected = self.given.get(url).filter(|_| asked.is_retry());
        let request = Request {
            url: Some(url.to_owned()),
            interactive: Some(if is_asked {
                Interactive::Auto
            } else {
                Interactive::Never
            }),
            // What was rejected came from an earlier plugin.
            force_refresh: asked.is_retry() && rejected.is_none(),
            ..self.request(Action::Get)
        };
        let channel = messages.as_ref().map(|messages| messages as &dyn Terminal);
        let answered = self.while_told(|| {
            if let Some(rejected) = rejected {
                let erase = Request {
                    action: Action::Erase(Some(rejected.clone())),
                    ..request.clone()
                };
                (self.answer)(&erase, None)?;
            }
            (self.answer)(&request, channel.filter(|_| is_asked))
        });
        match answered {
            Ok(Response::Token(credential)) => {
                let answer = success(&credential);
                self.given.insert(url.to_owned(), credential.access_token);
                answer
            }
            Ok(Response::Done { .. } | Response::Begun { .. } | Response::Status(_)) => {
                Zeroizing::new(code("Error"))
            }
            Err(error) => {
                let is_for_another = match error.kind() {
                    ErrorKind::NoProfile => !names_nobody(&request, self.answer),
                    ErrorKind::Config => !is_of_its_profile(&request, self.answer),
                    ErrorKind::Internal
                    | ErrorKind::Usage
                    | ErrorKind::LoginRequired
                    | ErrorKind::Denied
                    | ErrorKind::Unavailable
                    | ErrorKind::Busy
                    | ErrorKind::Store
                    | ErrorKind::Http
                    | ErrorKind::Interrupted => false,
                };
                let text = match error.hint_text() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                };
                let is_silent = error.kind() == ErrorKind::NoProfile && is_for_another
                    || error.kind() == ErrorKind::Interrupted;
                if let Some(messages) = messages.filter(|_| !is_silent) {
                    // Whoever does not read this reads no answer either.
                    drop(messages.log(&format!("cred-helper: {text}"), Level::Warning));
                }
                let code = if is_for_another { "Error" } else { "NotFound" };
                let answer = json!({ "Message": text, "ResponseCode": code });
                Zeroizing::new(answer.to_string())
            }
        }
    }

    /// Works for a request, while NuGet hears that somebody does.
    fn while_told<T>(&self, work: impl FnOnce() -> T) -> T {
        let _heeded = self.signals.heed_reader();
        let _told = self.signals.heed(self.inbox.told());
        // When it is dropped, the other thread ends: after the answer nothing may be told of it.
        let (working, over) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let (inbox, output) = (&self.inbox, &self.output);
            scope.spawn(move || {
                while over.recv_timeout(PROGRESS) == Err(RecvTimeoutError::Timeout) {
                    for (id, method) in inbox.waiting() {
                        // Whoever does not read it reads no answer either.
                        drop(output.write(&id, "Progress", &method, Some("{}")));
                    }
                }
            });
            let done = work();
            drop(working);
            done
        })
    }
}

fn code(code: &str) -> String {
    json!({ "ResponseCode": code }).to_string()
}

/// A user name and a password: NuGet sends them as Basic credentials, and knows nothing else.
fn success(credential: &Credential) -> Zeroizing<String> {
    let name = username(credential.username.as_deref());
    let token = serde_json::to_string(credential.access_token.expose()).expect("text is JSON");
    let token = Zeroizing::new(token);
    Zeroizing::new(format!(
        "{{\"Username\":{},\"Password\":{},\"AuthenticationTypes\":[\"Basic\"],\
         \"ResponseCode\":\"Success\"}}",
        json!(name),
        token.as_str()
    ))
}

fn speaks_another_version() -> Error {
    let message = format!("this NuGet does not speak version {VERSION} of the plugins' protocol");
    Error::new(ErrorKind::Config, message).hint("NuGet 4.8 and newer do")
}

//! The JSON protocol, version 1: `cred-helper serve`, for any program. `docs/protocol.md` is its
//! specification.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::argument::{Arguments, Flag};
use super::{Answer, Entry};
use crate::claims;
use crate::context::{Signals, Terminal};
use crate::credential::{Action, Credential, Interactive, Request, Response, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::io::{Io, delivered};
use crate::line::{self, LONGEST_LINE, Line};
use crate::secret::Secret;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "serve",
    summary: "Answer requests of the JSON protocol on stdin",
    help: "Example:\n  echo '{\"v\":1,\"kind\":\"get\",\"profile\":\"graph\"}' | cred-helper serve --once",
    link_names: &[],
    time_limit: Duration::from_secs(60),
    flags: FLAGS,
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

const FLAGS: &[Flag] = &[Flag::switch(
    "once",
    "No hello, one request up to the end of stdin, one answer, and its exit code",
)];

/// The versions that are spoken.
const HELLO: &str = "{\"v\":[1]}\n";

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let output = Output(RefCell::new(&mut *io.stdout));
    if arguments.has("once") {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = (&mut *io.stdin)
            .take(LONGEST_LINE + 1)
            .read_to_end(&mut bytes);
        let line = match read {
            Ok(length) if length as u64 <= LONGEST_LINE => Line::Whole(bytes),
            Ok(_) => Line::TooLong,
            Err(_) => Line::End,
        };
        let (kind, written) = respond(line, &output, io.signals, answer);
        delivered(written)?;
        return Ok(kind.map_or(0, ErrorKind::exit_code));
    }
    // Whoever closed our stdout wants no more answers.
    if let Err(error) = output.write(HELLO) {
        return delivered(Err(error)).map(|()| 0);
    }
    loop {
        let line = match line::read(&mut *io.stdin) {
            Ok(Line::End) | Err(_) => return Ok(0),
            Ok(line) => line,
        };
        let (_, written) = respond(line, &output, io.signals, answer);
        if let Err(error) = written {
            return delivered(Err(error)).map(|()| 0);
        }
        // Told to end while it worked for this answer, and not at once.
        if let Err(told) = io.signals.check() {
            return Ok(told.kind().exit_code());
        }
    }
}

/// stdout, shared between answers and messages to the person.
struct Output<'a>(RefCell<&'a mut dyn Write>);

impl Output<'_> {
    fn write(&self, text: &str) -> io::Result<()> {
        let mut output = self.0.borrow_mut();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

/// The person, behind the program that asked.
struct Messages<'m, 'o> {
    output: &'m Output<'o>,
    id: Option<&'m Value>,
}

impl Terminal for Messages<'_, '_> {
    fn is_available(&self) -> bool {
        true
    }

    fn show(&self, text: &str) -> io::Result<()> {
        let mut message = Map::new();
        if let Some(id) = self.id {
            message.insert("id".into(), id.clone());
        }
        message.insert("kind".into(), "message".into());
        message.insert("message".into(), text.trim().into());
        self.output.write(&format!("{}\n", Value::Object(message)))
    }
}

/// Answers one line. Returns the kind of the error that it was answered with, and whether the
/// answer could be written.
fn respond(
    line: Line,
    output: &Output<'_>,
    signals: &dyn Signals,
    answer: &Answer<'_>,
) -> (Option<ErrorKind>, io::Result<()>) {
    let (id, request) = match &line {
        Line::Whole(bytes) => read_request(bytes),
        Line::TooLong => (None, Err(usage("a line is longer than 1 MiB"))),
        Line::End => (None, Err(usage("there is no request"))),
    };
    let result = request.and_then(|(kind, request)| {
        let messages = Messages {
            output,
            id: id.as_ref(),
        };
        // The program shows what is for a person if it said so; a sign-in is always shown.
        let is_shown = match request.interactive {
            Some(Interactive::Always) => true,
            Some(Interactive::Never) => false,
            Some(Interactive::Auto) | None => matches!(kind, Kind::Login | Kind::Finish),
        };
        let terminal: Option<&dyn Terminal> = is_shown.then_some(&messages as &dyn Terminal);
        // Whoever shows it may go away, and a sign-in that nobody sees would hold up the next.
        let _heeded = is_shown.then(|| signals.heed_reader());
        let response = answer(&request, terminal)?;
        render_response(kind, &response)
    });
    let (member, body, kind) = match result {
        Ok(body) => ("Ok", body, None),
        Err(error) => (
            "Err",
            Zeroizing::new(error.to_json().to_string()),
            Some(error.kind()),
        ),
    };
    let id = id.map_or_else(String::new, |id| format!("\"id\":{id},"));
    let text = Zeroizing::new(format!("{{{id}\"{member}\":{}}}\n", body.as_str()));
    (kind, output.write(&text))
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message).hint("see docs/protocol.md for the form of a request")
}

/// Reads bytes as a request: what a fuzzer calls.
///
/// # Errors
/// `usage`.
pub fn decodes(line: &[u8]) -> Result<Request, Error> {
    read_request(line).1.map(|(_, request)| request)
}

/// Reads a request, and its id where that can be read.
fn read_request(line: &[u8]) -> (Option<Value>, Result<(Kind, Request), Error>) {
    let mut object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        // The error's own text may show a part of the line.
        Err(error) => {
            let message = format!(
                "the request is no JSON object (line {}, column {})",
                error.line(),
                error.column()
            );
            return (None, Err(usage(message)));
        }
    };
    let id = object.remove("id");
    (id, request(&mut object))
}

/// The kinds of requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Get,
    Acquire,
    Login,
    Logout,
    Status,
    Erase,
    Begin,
    Finish,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Get,
        Self::Acquire,
        Self::Login,
        Self::Logout,
        Self::Status,
        Self::Erase,
        Self::Begin,
        Self::Finish,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Acquire => "acquire",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Status => "status",
            Self::Erase => "erase",
            Self::Begin => "begin",
            Self::Finish => "finish",
        }
    }
}

fn request(object: &mut Map<String, Value>) -> Result<(Kind, Request), Error> {
    match object.get("v") {
        None | Some(Value::Null) => {}
        Some(version) if version.as_u64() == Some(1) => {}
        Some(version) => {
            let version = printable(&version.to_string());
            return Err(usage(format!("version {version} is not spoken; 1 is")));
        }
    }
    let kind = text(object, "kind")?.ok_or_else(|| usage("the request has no `kind`"))?;
    let kind = Kind::ALL
        .into_iter()
        .find(|known| known.name() == kind)
        .ok_or_else(|| usage(format!("there is no kind `{}`", printable(&kind))))?;
    let action = match kind {
        Kind::Get | Kind::Acquire => Action::Get,
        Kind::Login => Action::Login,
        Kind::Logout => Action::Logout {
            local: boolean(object, "local")?,
        },
        Kind::Status => Action::Status,
        Kind::Erase => {
            let token = text(object, "access_token")?;
            let token = token.ok_or_else(|| usage("`erase` needs the `access_token`"))?;
            Action::Erase(Some(Secret::new(token)))
        }
        Kind::Begin => Action::Begin,
        Kind::Finish => {
            let address = text(object, "address")?;
            let address = address.ok_or_else(|| usage("`finish` needs the `address`"))?;
            Action::Finish(Secret::new(address))
        }
    };
    let interactive = text(object, "interactive")?
        .map(|when| {
            Interactive::parse(&when)
                .ok_or_else(|| usage("`interactive` is `auto`, `never` or `always`"))
        })
        .transpose()?;
    let claims = match object.get("claims") {
        None | Some(Value::Null) => None,
        Some(Value::String(claims)) => Some(read_claims(claims)?),
        Some(Value::Object(claims)) => Some(Value::from(claims.clone()).to_string()),
        Some(_) => return Err(usage("`claims` is no object and no string")),
    };
    let min_valid = match object.get("min_valid") {
        None | Some(Value::Null) => None,
        Some(seconds) => {
            Some(Duration::from_secs(seconds.as_u64().ok_or_else(|| {
                usage("`min_valid` is no whole number of seconds")
            })?))
        }
    };
    let profile = match object.get("profile") {
        // Whoever asks has a profile of their own of that name; ours decides.
        Some(Value::Object(profile)) if kind == Kind::Acquire => text(profile, "name")?,
        _ => text(object, "profile")?,
    };
    if kind == Kind::Acquire && profile.is_none() {
        return Err(usage("`acquire` needs the `name` of its `profile`"));
    }
    let request = Request {
        profile,
        url: text(object, "url")?,
        scopes: texts(object, "scopes")?,
        account: text(object, "account")?,
        min_valid,
        force_refresh: boolean(object, "force_refresh")?,
        claims,
        interactive,
        token: Some(TokenKind::Access),
        // The one way to sign in that has two steps.
        grant: matches!(kind, Kind::Begin | Kind::Finish).then_some("authorization_code"),
        assertion: text(object, "assertion")?.map(Secret::new),
        // Whoever acquires hands the token on as it is.
        takes_dpop: kind == Kind::Get,
        method: text(object, "method")?.map(read_method).transpose()?,
        dpop_nonce: text(object, "dpop_nonce")?,
        ..Request::new(action)
    };
    Ok((kind, request))
}

fn text(object: &Map<String, Value>, key: &str) -> Result<Option<String>, Error> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(usage(format!("`{key}` is no string"))),
    }
}

fn texts(object: &Map<String, Value>, key: &str) -> Result<Vec<String>, Error> {
    let items = match object.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(usage(format!("`{key}` is no array"))),
    };
    items
        .iter()
        .map(|item| item.as_str().map(String::from))
        .collect::<Option<_>>()
        .ok_or_else(|| usage(format!("`{key}` holds something that is no string")))
}

fn boolean(object: &Map<String, Value>, key: &str) -> Result<bool, Error> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(usage(format!("`{key}` is neither true nor false"))),
    }
}

/// Reads claims: a JSON object, or base64 of one as in a claims challenge.
///
/// # Errors
/// `usage`.
pub fn read_claims(text: &str) -> Result<String, Error> {
    claims::read(text).map_err(|problem| {
        Error::new(
            ErrorKind::Usage,
            "the claims are no JSON object, and no base64 of one",
        )
        .because(problem)
    })
}

/// Reads the method of a request, which is a token of RFC 9110 §5.6.2; case matters.
///
/// # Errors
/// `usage`.
pub fn read_method(text: String) -> Result<String, Error> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_good) {
        return Ok(text);
    }
    let message = format!("`{}` is no method of HTTP", printable(&text));
    Err(Error::new(ErrorKind::Usage, message))
}

fn render_response(kind: Kind, response: &Response) -> Result<Zeroizing<String>, Error> {
    match response {
        Response::Token(credential) if matches!(kind, Kind::Get | Kind::Acquire) => {
            token_object(kind.name(), credential)
        }
        Response::Token(credential) => Ok(Zeroizing::new(
            serde_json::json!({
                "kind": kind.name(),
                "profile": credential.profile,
                "account": credential.account,
            })
            .to_string(),
        )),
        Response::Done { profile, accounts } => Ok(Zeroizing::new(
            serde_json::json!({
                "kind": kind.name(),
                "profile": profile,
                "account": accounts.first(),
                "accounts": accounts,
            })
            .to_string(),
        )),
        Response::Begun { profile, url } => Ok(Zeroizing::new(
            serde_json::json!({ "kind": kind.name(), "profile": profile, "url": url }).to_string(),
        )),
        Response::Status(status) => {
            let mut object = Map::new();
            object.insert("kind".into(), kind.name().into());
            if let Value::Object(members) = status {
                object.extend(members.clone());
            }
            Ok(Zeroizing::new(Value::Object(object).to_string()))
        }
    }
}

/// The `Ok` object of a token, as `get -o json` prints it too.
///
/// # Errors
/// `internal`.
pub fn credential_object(credential: &Credential) -> Result<Zeroizing<String>, Error> {
    token_object(Kind::Get.name(), credential)
}

/// The same for a request of that kind. The refresh token stays with us.
fn token_object(kind: &'static str, credential: &Credential) -> Result<Zeroizing<String>, Error> {
    /// The order of the members is part of the documentation.
    #[derive(Serialize)]
    struct Object<'a> {
        kind: &'static str,
        profile: &'a str,
        account: Option<&'a str>,
        token_type: &'a str,
        access_token: &'a str,
        id_token: Option<&'a str>,
        expires_at: Option<String>,
        expires_in: Option<i64>,
        scopes: &'a [String],
        source: &'a str,
        stale: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        dpop_proof: Option<&'a str>,
    }
    let Credential {
        profile,
        account,
        token_type,
        access_token,
        id_token,
        expires_at,
        expires_in,
        scopes,
        tenant: _,
        source,
        stale,
        host: _,
        username: _,
        basic_only: _,
        proof_key: _,
        dpop_proof,
    } = credential;
    let object = Object {
        kind,
        profile,
        account: account.as_deref(),
        token_type,
        access_token: access_token.expose(),
        id_token: id_token.as_ref().map(Secret::expose),
        expires_at: expires_at.map(crate::token::Timestamp::rfc3339),
        expires_in: *expires_in,
        scopes,
        source,
        stale: *stale,
        dpop_proof: dpop_proof.as_ref().map(Secret::expose),
    };
    let text = serde_json::to_string(&object).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            "BUG: an answer cannot be written as JSON",
        )
        .because(error)
    })?;
    Ok(Zeroizing::new(text))
}

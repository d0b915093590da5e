//! Executables of Google's external account credentials
//! (<https://google.aip.dev/auth/4117>): workload and workforce identity federation.
//!
//! The request comes in variables, the answer is one document with exit code 0, also where it is a
//! failure. Google's libraries read stderr as a part of it, so that nothing goes there. Where a person
//! may be asked, stdout is theirs, and the document goes into the file that the library names.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use super::argument::{Arguments, Flag, PROFILE};
use super::{Answer, Entry};
use crate::context::Environment;
use crate::credential::{Action, Interactive, Request, Response, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::system::replacement;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "google",
    summary: "Answer Google's libraries as an external account executable",
    help: "Name it in the credential configuration:\n  \"credential_source\": {\"executable\": {\n    \"command\": \"/usr/local/bin/cred-helper google -p work\"}}\n\nand set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1.",
    link_names: &[],
    time_limit: LIMIT,
    flags: FLAGS,
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: true,
    serve,
};

const FLAGS: &[Flag] = &[PROFILE];

/// How long may a call take, but for a person? The libraries wait 30 s where nothing else is
/// configured.
const LIMIT: Duration = Duration::from_secs(29);

/// Where a library says what it wants.
const PREFIX: &str = "GOOGLE_EXTERNAL_ACCOUNT_";

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What a library wants.
struct Wanted {
    audience: Option<String>,
    token_type: String,
    is_interactive: bool,
    is_revocation: bool,
    output_file: Option<String>,
}

impl Wanted {
    fn read(environment: &dyn Environment) -> Self {
        let variable = |name: &str| environment.variable(&format!("{PREFIX}{name}"));
        let is_set = |name| variable(name).as_deref() == Some("1");
        Self {
            audience: variable("AUDIENCE"),
            token_type: variable("TOKEN_TYPE").unwrap_or_else(|| ID_TOKEN.to_owned()),
            is_interactive: is_set("INTERACTIVE"),
            is_revocation: is_set("REVOKE"),
            output_file: variable("OUTPUT_FILE"),
        }
    }

    /// Which token its subject token is. The libraries take no access token as such; one that is a JWT
    /// they take for what it is.
    fn token(&self) -> Result<Option<TokenKind>, Error> {
        match self.token_type.as_str() {
            ID_TOKEN => Ok(Some(TokenKind::Id)),
            JWT => Ok(None),
            other => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "the subject token type `{}` cannot be had",
                    printable(other)
                ),
            )
            .hint(format!(
                "write `\"subject_token_type\": \"{ID_TOKEN}\"` or `\"{JWT}\"` into the credential \
                 configuration"
            ))),
        }
    }
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let wanted = Wanted::read(io.environment);
    let asks = wanted.is_interactive && !wanted.is_revocation;
    if asks && wanted.output_file.is_none() {
        return Err(Error::new(
            ErrorKind::Config,
            "the credential configuration has no `output_file`, which a person's sign-in needs",
        )
        .hint("add `\"output_file\": \"PATH\"` beside `command`"));
    }
    let (document, is_good) = match respond(arguments, &wanted, answer) {
        Ok(document) => (document, true),
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        Err(error) => (failure(&error), false),
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    // What failed must not replace what may be good still, unless the file is all that is read.
    if let Some(path) = wanted.output_file.as_deref()
        && !wanted.is_revocation
        && (asks || is_good)
        && let Err(error) = replacement::replace(Path::new(path), document.as_bytes())
        // Where stdout is read, the file is only the library's cache.
        && asks
    {
        return Err(Error::new(
            ErrorKind::Store,
            format!("`{}` cannot be written: {error}", printable(path)),
        )
        .hint("change `output_file` in the credential configuration"));
    }
    if !asks {
        io.answer(&document)?;
    }
    Ok(0)
}

/// The document of a success.
fn respond(
    arguments: &Arguments,
    wanted: &Wanted,
    answer: &Answer<'_>,
) -> Result<Zeroizing<String>, Error> {
    let profile = arguments.get(PROFILE.long).map(String::from);
    let audience = wanted.audience.as_deref();
    // `//iam.googleapis.com/projects/…`, without a scheme.
    let of_audience = audience
        .filter(|audience| audience.starts_with("//"))
        .map(|audience| format!("https:{audience}"));
    let request = Request {
        url: of_audience.filter(|_| profile.is_none()),
        profile,
        interactive: (!wanted.is_interactive).then_some(Interactive::Never),
        token: wanted.token()?,
        ..Request::new(if wanted.is_revocation {
            Action::Logout { local: false }
        } else {
            Action::Get
        })
    };
    if request.profile.is_none() && request.url.is_none() {
        // The default profile is for people: its token is not for just any pool.
        return Err(Error::new(
            ErrorKind::NoProfile,
            "neither a profile nor an audience is named",
        )
        .hint("add `-p NAME` to `command` in the credential configuration"));
    }
    match answer(&request, None)? {
        Response::Token(credential) => {
            let token = credential.access_token.expose();
            let token = Zeroizing::new(serde_json::to_string(token).expect("text is JSON"));
            let end = credential
                .expires_at
                .map_or_else(String::new, |end| format!(",\"expiration_time\":{}", end.0));
            Ok(Zeroizing::new(format!(
                "{{\"version\":1,\"success\":true,\"token_type\":{},\"id_token\":{}{end}}}\n",
                json!(wanted.token_type),
                token.as_str()
            )))
        }
        Response::Done { .. } => Ok(Zeroizing::new(
            "{\"version\":1,\"success\":true}\n".to_owned(),
        )),
        Response::Begun { .. } | Response::Status(_) => Err(Error::new(
            ErrorKind::Internal,
            "BUG: a token was asked for, and something else came",
        )),
    }
}

/// The document of a failure. Its code is one of HTTP's, as Google's documentation has it.
fn failure(error: &Error) -> Zeroizing<String> {
    let code = match error.kind() {
        ErrorKind::Usage | ErrorKind::Config => "400",
        ErrorKind::LoginRequired => "401",
        ErrorKind::Denied => "403",
        ErrorKind::NoProfile => "404",
        ErrorKind::Busy => "409",
        ErrorKind::Unavailable => "503",
        ErrorKind::Internal | ErrorKind::Store | ErrorKind::Http | ErrorKind::Interrupted => "500",
    };
    let mut message = error.message().to_owned();
    for cause in error.causes() {
        message.push_str(": ");
        message.push_str(cause);
    }
    if let Some(hint) = error.hint_text() {
        message.push_str("; ");
        message.push_str(hint);
    }
    let document = json!({"version": 1, "success": false, "code": code, "message": message});
    Zeroizing::new(format!("{document}\n"))
}

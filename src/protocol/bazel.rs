//! Bazel's credential helpers (<https://github.com/EngFlow/credential-helper-spec>), which clients of
//! build farms start too.
//!
//! A document each way. Bazel starts a helper for each URL that it has not seen, from a server that has
//! no terminal, and waits ten seconds: nobody can sign in meanwhile, so nobody is asked. What a helper
//! that fails says on stderr is shown. As the helper of all hosts we must not fail for those that are
//! not ours: an answer without headers says that none are needed.

use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, ask_for_token, read_stdin};
use crate::credential::{Action, Credential, Interactive, Request};
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "bazel",
    summary: "Answer Bazel as a credential helper",
    help: "Set it up for a host: a link, since Bazel takes no arguments,\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/bazel-credential-cred-helper\nand in ~/.bazelrc\n  common --credential_helper=cache.example.com=bazel-credential-cred-helper",
    link_names: &["bazel-credential-cred-helper"],
    time_limit: LIMIT,
    flags: &[PROFILE],
    verbs: &["get"],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

/// How long may a call take? Bazel waits ten seconds (`--credential_helper_timeout`).
const LIMIT: Duration = Duration::from_secs(9);

/// Where the token is to go; what we do not know is ignored.
#[derive(Deserialize)]
struct Wanted {
    uri: String,
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    match arguments.operand(0) {
        Some("get") => {}
        Some(verb) => {
            let verb = printable(verb);
            return Err(usage(format!("the command `{verb}` is unknown")).hint(HINT));
        }
        None => return Err(usage("no command is named").hint(HINT)),
    }
    let bytes = read_stdin(io)?;
    let wanted: Wanted = from_object(&bytes).map_err(|_| {
        usage("the request on stdin cannot be read")
            .hint("it is a line like {\"uri\":\"https://HOST/PATH\"}")
    })?;
    let request = Request {
        profile: arguments.get("profile").map(String::from),
        url: Some(wanted.uri),
        interactive: Some(Interactive::Never),
        ..Request::new(Action::Get)
    };
    let credential = ask_for_token(&request, answer)?;
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    io.answer(&render(credential.as_deref())).map(|()| 0)
}

/// What a helper can be told to do.
const HINT: &str = "the only command is `get`, with the request on stdin";

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message)
}

fn render(credential: Option<&Credential>) -> Zeroizing<String> {
    let Some(credential) = credential else {
        return Zeroizing::new("{\"headers\":{}}\n".to_owned());
    };
    let value = Zeroizing::new(format!("Bearer {}", credential.access_token.expose()));
    let value = Zeroizing::new(serde_json::to_string(value.as_str()).expect("text is JSON"));
    // Bazel reads no fractions of a second.
    let end = credential.told_end().map_or_else(String::new, |end| {
        format!(",\"expires\":\"{}\"", end.rfc3339())
    });
    let value = value.as_str();
    Zeroizing::new(format!(
        "{{\"headers\":{{\"Authorization\":[{value}]}}{end}}}\n"
    ))
}

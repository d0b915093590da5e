//! Terraform's and OpenTofu's credentials helpers
//! (<https://developer.hashicorp.com/terraform/internals/credentials-helpers>).
//!
//! A verb and a host. Terraform goes on without credentials after an error of `get`, and shows none;
//! so the terminal is where a person is asked, and an error is for those who look with `TF_LOG`.

use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, ask_for_token, names_nobody, read_stdin};
use crate::credential::{Action, Interactive, Request};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "terraform",
    summary: "Answer Terraform and OpenTofu as a credentials helper",
    help: "Set it up in ~/.terraformrc:\n  credentials_helper \"cred-helper\" {}\nand where Terraform looks for it:\n  ln -s \"$(command -v cred-helper)\" ~/.terraform.d/plugins/terraform-credentials-cred-helper",
    link_names: &["terraform-credentials-cred-helper"],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &["get", "store", "forget"],
    operands: &["HOST"],
    is_raw: false,
    is_mute: false,
    serve,
};

/// The only member of an object of credentials that we know.
const TOKEN: &str = "token";

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let (verb, host) = match (arguments.operand(0), arguments.operand(1)) {
        (Some(verb), Some(host)) => (verb, host),
        _ => return Err(usage("a verb and a host are wanted").hint(HINT)),
    };
    let request = |action| Request {
        profile: arguments.get(PROFILE.long).map(String::from),
        // Terraform asks hosts by https alone, and tells the port where it is another one.
        url: Some(format!("https://{host}")),
        ..Request::new(action)
    };
    let text = match verb {
        "get" => get(&request(Action::Get), answer)?,
        "store" => store(&request(Action::Get), host, io, answer)?,
        "forget" => forget(&request(Action::Erase(None)), answer)?,
        _ => {
            let verb = printable(verb);
            return Err(usage(format!("the verb `{verb}` is unknown")).hint(HINT));
        }
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    io.answer(&text).map(|()| 0)
}

/// What a helper can be told to do.
const HINT: &str = "Terraform calls it with `get HOST`, `store HOST` or `forget HOST`";

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message)
}

fn get(request: &Request, answer: &Answer<'_>) -> Result<Zeroizing<String>, Error> {
    let Some(credential) = ask_for_token(request, answer)? else {
        return Ok(Zeroizing::new("{}\n".to_owned()));
    };
    let token = credential.access_token.expose();
    let token = Zeroizing::new(serde_json::to_string(token).expect("text is JSON"));
    Ok(Zeroizing::new(format!(
        "{{\"{TOKEN}\":{}}}\n",
        token.as_str()
    )))
}

/// Keeps nothing: what came from us goes well, and anything else does not.
fn store(
    request: &Request,
    host: &str,
    io: &mut Io<'_>,
    answer: &Answer<'_>,
) -> Result<Zeroizing<String>, Error> {
    let bytes = read_stdin(io)?;
    let mut offered: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|_| usage("the credentials on stdin cannot be read"))?;
    let token = offered.remove(TOKEN);
    let Some(Value::String(token)) = token.filter(|_| offered.is_empty()) else {
        return Err(usage(format!(
            "the credentials on stdin are not a `{TOKEN}` and nothing else"
        )));
    };
    let token = Zeroizing::new(token);
    let request = Request {
        interactive: Some(Interactive::Never),
        // What was handed out a moment ago is what is compared, also if it ends soon.
        min_valid: Some(Duration::ZERO),
        ..request.clone()
    };
    let keeps_nothing = |host: &str| {
        let host = printable(host);
        usage(format!(
            "cred-helper stores no tokens; its token for `{host}` comes from a sign-in"
        ))
    };
    match ask_for_token(&request, answer) {
        Ok(Some(credential)) if credential.access_token.expose() == token.as_str() => {
            Ok(Zeroizing::default())
        }
        Ok(Some(credential)) => {
            Err(keeps_nothing(host).next(["cred-helper", "login", "-p", &credential.profile]))
        }
        Ok(None) => Err(usage(format!(
            "cred-helper stores no tokens, and none of its profiles is for `{}`",
            printable(host)
        ))
        .hint("write it into a `credentials` block of Terraform's configuration")),
        Err(error) if error.kind() == ErrorKind::LoginRequired => {
            let command = error.next_command().iter();
            Err(keeps_nothing(host).next(command.map(String::as_str)))
        }
        Err(error) => Err(error),
    }
}

/// Forgets what is cached, so that the next `get` brings something new. The sign-in is other tools'
/// too, and stays.
fn forget(request: &Request, answer: &Answer<'_>) -> Result<Zeroizing<String>, Error> {
    match answer(request, None) {
        Ok(_) => Ok(Zeroizing::default()),
        // What is nobody's is forgotten already.
        Err(error) if error.kind() == ErrorKind::NoProfile && !names_nobody(request, answer) => {
            Ok(Zeroizing::default())
        }
        Err(error) => Err(error),
    }
}

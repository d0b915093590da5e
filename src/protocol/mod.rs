//! One file per tool: its bytes into a [`Request`], and the answer into its bytes.
//!
//! A protocol knows nothing of OAuth, profiles and stores. To add one: a file, and a line in
//! [`PROTOCOLS`]; subcommand, help, completion, link names and time limit come from the table.

mod address;
pub mod argument;
pub mod askpass;
pub mod aws;
pub mod az;
pub mod azd;
mod azure;
pub mod bazel;
pub mod cargo;
pub mod docker;
pub mod exec;
pub mod get;
pub mod git;
mod git_prompt;
pub mod go;
pub mod google;
pub mod json;
pub mod keyring;
pub mod kubectl;
pub mod nuget;
pub mod pnpm;
mod reader;
pub mod terraform;

use std::io::Read;
use std::time::Duration;

use zeroize::Zeroizing;

use self::argument::{Arguments, Flag};
use crate::context::Terminal;
use crate::credential::{Action, Credential, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::io::Io;

/// Answers a request. What is to be shown to a person goes through the terminal that is given, if
/// the tool has a way of its own to reach them.
pub type Answer<'a> = dyn Fn(&Request, Option<&dyn Terminal>) -> Result<Response, Error> + 'a;

/// A tool in the table.
pub struct Entry {
    /// The subcommand, and the tool's name in a profile's `tools`.
    pub name: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// More help: an example or two.
    pub help: &'static str,
    /// Names under which the binary is this tool's helper, without `.exe`; what follows such a
    /// name and a hyphen is a profile.
    pub link_names: &'static [&'static str],
    /// How long a call may take, less than the tool waits.
    pub time_limit: Duration,
    /// Its flags.
    pub flags: &'static [Flag],
    /// What the tool may want done, as its first operand; empty if it says no such word. A tool
    /// may come up with others.
    pub verbs: &'static [&'static str],
    /// What its further operands are called. A tool may leave them out.
    pub operands: &'static [&'static str],
    /// Whether the line after our own flags is the tool's: taken word by word as operands, and read by
    /// nobody but [`Self::serve`].
    pub is_raw: bool,
    /// Whether the tool reads stderr together with stdout, so that nothing may go there beside an error
    /// that ends the call.
    pub is_mute: bool,
    /// Serves a call. `Ok` is the exit code of a call whose answer was written; an error is one
    /// that a person reads on stderr.
    pub serve: fn(&Arguments, &mut Io<'_>, &Answer<'_>) -> Result<u8, Error>,
}

impl Entry {
    /// How many operands it takes.
    pub fn most_operands(&self) -> usize {
        usize::from(!self.verbs.is_empty()) + self.operands.len()
    }
}

/// Every protocol.
pub const PROTOCOLS: &[Entry] = &[
    get::ENTRY,
    exec::ENTRY,
    json::ENTRY,
    git::ENTRY,
    cargo::ENTRY,
    docker::ENTRY,
    kubectl::ENTRY,
    google::ENTRY,
    bazel::ENTRY,
    terraform::ENTRY,
    go::ENTRY,
    pnpm::ENTRY,
    aws::ENTRY,
    az::ENTRY,
    azd::ENTRY,
    nuget::ENTRY,
    keyring::ENTRY,
    askpass::ENTRY,
];

/// Further names that may stand in `tools`: commands of a person that use tokens for one.
const COMMANDS_WITH_TOKENS: [&str; 1] = ["request"];

/// Every name that may stand in a profile's `tools`.
pub fn tools() -> impl Iterator<Item = &'static str> {
    let names = PROTOCOLS.iter().map(|entry| entry.name);
    names.chain(COMMANDS_WITH_TOKENS)
}

/// Whether a request that no profile answers names one that does not exist. That is a mistake
/// which somebody should hear of; anything else is for another helper.
fn names_nobody(request: &Request, answer: &Answer<'_>) -> bool {
    let named = Request {
        profile: request.profile.clone(),
        ..Request::new(Action::Status)
    };
    request.profile.is_some()
        && answer(&named, None).is_err_and(|error| error.kind() == ErrorKind::NoProfile)
}

/// Whether a mistake is in the profile of this host, which then is ours, and not in all of the
/// configuration: for another host there is none.
fn is_of_its_profile(request: &Request, answer: &Answer<'_>) -> bool {
    let elsewhere = Request {
        url: Some("https://nobody.invalid/".to_owned()),
        ..request.clone()
    };
    answer(&elsewhere, None).is_err_and(|error| error.kind() == ErrorKind::NoProfile)
}

/// The user name beside a token: the given one, if Basic credentials can hold it, else that of those
/// who want one and do not care which.
fn username(given: Option<&str>) -> &str {
    const ANY: &str = "oauth2";
    let is_good = |name: &&str| !name.contains(':') && !name.contains(char::is_control);
    given.filter(is_good).unwrap_or(ANY)
}

/// Asks for a token. `None` if no profile answers for where it is to go.
fn ask_for_token(request: &Request, answer: &Answer<'_>) -> Result<Option<Box<Credential>>, Error> {
    match answer(request, None) {
        Ok(Response::Token(credential)) => Ok(Some(credential)),
        Ok(Response::Done { .. } | Response::Begun { .. } | Response::Status(_)) => {
            Err(Error::new(
                ErrorKind::Internal,
                "BUG: a token was asked for, and none came",
            ))
        }
        Err(error) if error.kind() == ErrorKind::NoProfile && !names_nobody(request, answer) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads all of stdin, which may hold a token.
fn read_stdin(io: &mut Io<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
    /// How much may a tool say? An address is a line, and a token to be stored some kilobytes.
    const LONGEST: u64 = 1024 * 1024;
    let usage = |message: &str| Error::new(ErrorKind::Usage, message);
    let mut bytes = Zeroizing::new(Vec::new());
    let read = (&mut io.stdin).take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| usage("stdin cannot be read").because(error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(usage("what stands on stdin is longer than 1 MiB"));
    }
    Ok(bytes)
}

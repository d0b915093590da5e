//! Whether git has a person asked: what its helpers and its askpass programs heed alike.

use std::time::Duration;

use super::Answer;
use crate::context::Environment;
use crate::credential::{Interactive, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::system::process;

/// Asks for a token; for a person only where git permits it.
pub(super) fn ask_for_token(
    request: &Request,
    environment: &dyn Environment,
    answer: &Answer<'_>,
) -> Result<Response, Error> {
    let silent = Request {
        interactive: Some(Interactive::Never),
        ..request.clone()
    };
    let answered = answer(&silent, None);
    let needs_a_person = |error: &Error| error.kind() == ErrorKind::LoginRequired;
    // Whether a person may be asked is known to git, and costs a process to find out.
    if answered.as_ref().is_err_and(needs_a_person) && may_ask(environment) {
        return answer(request, None);
    }
    answered
}

/// Whether git leaves it to helpers to ask: `GIT_TERMINAL_PROMPT` and `credential.interactive`,
/// which its background maintenance sets.
fn may_ask(environment: &dyn Environment) -> bool {
    /// How long may git take to say what its configuration holds?
    const LIMIT: Duration = Duration::from_secs(5);
    const PROMPT: &str = "GIT_TERMINAL_PROMPT";
    let is_one_of = |value: &str, words: &[&str]| {
        let value = value.trim().to_ascii_lowercase();
        words.contains(&value.as_str())
    };
    // As git reads it: nothing is false, and what is no boolean ends git before it asks.
    let is_yes = |value: &str| {
        let number = value.parse::<i64>();
        is_one_of(value, &["true", "yes", "on"]) || number.is_ok_and(|number| number != 0)
    };
    let is_no = |value: &str| is_one_of(value, &["", "0", "false", "no", "off", "never"]);
    let variable = environment.variable(PROMPT);
    if environment.is_set_to_nothing(PROMPT) || variable.is_some_and(|value| !is_yes(&value)) {
        return false;
    }
    let command = ["git", "config", "--get", "credential.interactive"].map(String::from);
    !process::output(&command, LIMIT, environment).is_ok_and(|value| is_no(value.expose()))
}

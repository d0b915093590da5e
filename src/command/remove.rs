//! `profile remove`: takes a profile out of the user's file.

use clap::{Arg, ArgMatches, Command};

use super::{Shell, profile_file, text};
use crate::credential::{Action, Request, Response};
use crate::error::Error;

/// The subcommand.
pub(super) fn command() -> Command {
    Command::new("remove")
        .about("Take a profile out of the file; comments of others stay")
        .after_help(
            "Its sign-in is kept, and profiles of the same client go on using it. To end that too, sign \
             out first.\n\nExample:\n  cred-helper logout -p work && cred-helper profile remove work",
        )
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .help("The profile"),
        )
}

/// Takes it out.
pub(super) fn remove(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let name = text(matches, "name").unwrap_or_default();
    // Once it is gone, nothing leads to its sign-in any more.
    let request = Request {
        profile: Some(name.clone()),
        ..Request::new(Action::Status)
    };
    let status = (shell.answer)(&request, None);
    let is_signed_in = match &status {
        Ok(Response::Status(status)) => !status["profiles"][0]["accounts"][0].is_null(),
        _ => false,
    };
    let path = profile_file::remove(&name, shell)?;
    if is_signed_in {
        shell.context.warn(&format!(
            "the sign-in of `{name}` is kept; to end it, `cred-helper logout` must be run before the \
             profile is removed"
        ));
    }
    Ok(format!(
        "removed profile `{name}` from `{}`\n",
        path.display()
    ))
}

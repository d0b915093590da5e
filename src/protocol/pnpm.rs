//! pnpm's `tokenHelper` (<https://pnpm.io/settings>): for each registry a program that prints the value
//! of the `Authorization` header.
//!
//! pnpm tells neither registry nor package. Before version 11 it passes no arguments, and sends what
//! is printed as it is; since then it adds `Bearer` where no word stands before the token. So the
//! word is always printed, and a link's name may hold the profile.

use std::time::Duration;

use zeroize::Zeroizing;

use super::argument::{Arguments, Flag, PROFILE};
use super::{Answer, Entry};
use crate::credential::{Action, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::io::Io;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "pnpm",
    summary: "Answer pnpm as a tokenHelper",
    help: "Set it up in ~/.npmrc, for a registry and a profile: a link whose name ends with the profile's,\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/pnpm-token-cred-helper-NAME\nand\n  //npm.example.com/:tokenHelper=/home/ada/.local/bin/pnpm-token-cred-helper-NAME",
    link_names: &["pnpm-token-cred-helper"],
    time_limit: LIMIT,
    flags: &[
        PROFILE,
        Flag::value(
            "url",
            "URL",
            "Choose the profile whose `urls` match the registry; with -p it must match too",
        ),
    ],
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

/// How long may a call take? pnpm waits for a minute.
const LIMIT: Duration = Duration::from_secs(59);

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let text = |name: &str| arguments.get(name).map(String::from);
    let request = Request {
        profile: text(PROFILE.long),
        url: text("url"),
        ..Request::new(Action::Get)
    };
    if request.profile.is_none() && request.url.is_none() {
        // The default profile is for people: its token is not for just any registry.
        return Err(Error::new(
            ErrorKind::NoProfile,
            "neither a profile nor a registry is named",
        )
        .hint(
            "name a link `pnpm-token-cred-helper-NAME`, or with pnpm 11 and newer write \
                 `cred-helper pnpm --url https://REGISTRY/`",
        ));
    }
    let Response::Token(credential) = answer(&request, None)? else {
        return Err(Error::new(
            ErrorKind::Internal,
            "BUG: a token was asked for, and none came",
        ));
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    let token = credential.access_token.expose();
    io.answer(&Zeroizing::new(format!("Bearer {token}\n")))
        .map(|()| 0)
}

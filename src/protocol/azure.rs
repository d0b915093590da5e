//! What the stand-ins for Azure's command lines share: one question is answered, every other call is
//! passed on to the real program.
//!
//! Azure's libraries start them without a terminal, show nothing of stderr unless they fail, and end
//! them after ten seconds: nobody could sign in meanwhile, so nobody is asked, as the real ones ask
//! nobody. By certain words on stderr the libraries know that somebody has to sign in; then a chain of
//! credentials goes on to the next.

use std::time::Duration;

use zeroize::Zeroizing;

use super::Answer;
use super::argument::{Arguments, PROFILE};
use crate::credential::{Action, Credential, Directory, Interactive, Request, Response, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::system::stand_in::RealProgram;
use crate::text::printable;

/// How long may a call take? The libraries wait ten seconds where nobody tells them otherwise.
pub(super) const LIMIT: Duration = Duration::from_secs(9);

/// A program that we stand in for.
pub(super) struct StandIn {
    /// Its name.
    pub(super) name: &'static str,
    /// The program, as people call it.
    pub(super) product: &'static str,
    /// What it says where somebody has to sign in for these scopes: the words that libraries look for.
    pub(super) not_signed_in: fn(&str) -> String,
}

/// The token that is asked for.
pub(super) struct Wanted {
    /// Never empty.
    pub(super) scopes: Vec<String>,
    pub(super) tenant: Option<String>,
    pub(super) claims: Option<String>,
}

impl StandIn {
    /// Answers with what `render` makes of a token, or says why there is none. Where no profile is
    /// named and none is for it, the real program is asked.
    pub(super) fn answer(
        &self,
        wanted: Wanted,
        arguments: &Arguments,
        io: &mut Io<'_>,
        answer: &Answer<'_>,
        render: impl FnOnce(&Credential, &Io<'_>) -> Zeroizing<String>,
    ) -> Result<u8, Error> {
        let profile = arguments.get(PROFILE.long).map(String::from);
        let is_named = profile.is_some();
        let request = Request {
            profile,
            scopes: wanted.scopes,
            directory: Some(Directory {
                tenant: wanted.tenant,
            }),
            claims: wanted.claims,
            interactive: Some(Interactive::Never),
            token: Some(TokenKind::Access),
            ..Request::new(Action::Get)
        };
        let error = match answer(&request, None) {
            Ok(Response::Token(credential)) => {
                // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
                io.signals.check()?;
                let text = render(&credential, io);
                return io.answer(&text).map(|()| 0);
            }
            Ok(Response::Done { .. } | Response::Begun { .. } | Response::Status(_)) => {
                let bug = "BUG: a token was asked for, and none came";
                Error::new(ErrorKind::Internal, bug)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let nobody_is_meant = error.kind() == ErrorKind::NoProfile && !is_named;
        if nobody_is_meant && let Some(real) = RealProgram::find(self.name, io.environment)? {
            return real.run(arguments.operands());
        }
        let would_say = || (self.not_signed_in)(&printable(&request.scopes.join(" ")));
        let further = match error.kind() {
            ErrorKind::LoginRequired => {
                format!("{} itself would say: {}\n", self.product, would_say())
            }
            ErrorKind::NoProfile if !is_named => format!(
                "{} is not on PATH, which would say: {}\n",
                self.product,
                would_say()
            ),
            ErrorKind::NoProfile
            | ErrorKind::Internal
            | ErrorKind::Usage
            | ErrorKind::Config
            | ErrorKind::Denied
            | ErrorKind::Unavailable
            | ErrorKind::Busy
            | ErrorKind::Store
            | ErrorKind::Http
            | ErrorKind::Interrupted => String::new(),
        };
        say(io, &error.to_string(), error.hint_text(), &further);
        Ok(1)
    }

    /// Has the real program do what is not for us.
    pub(super) fn pass_on(&self, arguments: &Arguments, io: &mut Io<'_>) -> Result<u8, Error> {
        /// The exit code of shells for a command that is not there.
        const NOT_THERE: u8 = 127;
        let line = arguments.operands();
        if let Some(real) = RealProgram::find(self.name, io.environment)? {
            return real.run(line);
        }
        let words: Vec<_> = std::iter::once(self.name.into())
            .chain(line.iter().map(|word| word.to_string_lossy()))
            .take(3)
            .collect();
        let words = printable(&words.join(" "));
        let message = format!(
            "cred-helper stands in for `{}`, and passes `{words}` on: but there is no other `{}` on \
             PATH",
            self.name, self.name
        );
        let hint = "install it; to sign in for a profile, run `cred-helper login -p NAME`";
        say(io, &message, Some(hint), "");
        Ok(NOT_THERE)
    }
}

/// Says what is wrong, as the real programs do: on stderr.
fn say(io: &mut Io<'_>, message: &str, hint: Option<&str>, further: &str) {
    let hint = hint.map_or_else(String::new, |hint| format!("hint: {hint}\n"));
    let text = format!("ERROR: {message}\n{hint}{further}");
    // A closed stderr changes nothing about the exit code.
    drop(io.stderr.write_all(text.as_bytes()));
}

/// A text, which may be a token, as it stands in JSON.
pub(super) fn json(text: &str) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(text).expect("text is JSON"))
}

/// The scope for all of a resource, whose slashes are its own.
pub(super) fn all_of(resource: &str) -> String {
    format!("{resource}/.default")
}

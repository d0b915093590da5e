//! One call with a token: sent again with another token where the server says that this one does not
//! do, and later where it says so.

use std::fs::File;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::context::{
    Context, HttpFailure, HttpResponse, StreamedRequest, StreamedResponse, Tls, Upload,
};
use crate::credential::{Action, Credential, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::oauth::challenge::Challenge;
use crate::oauth::dpop;
use crate::profile::Profile;
use crate::protocol::Answer;
use crate::secret::Secret;
use crate::system::progress::{Counted, Progress};
use crate::text::printable;
use crate::token::NOT_APPLICABLE;

/// How often is a server asked again that wants to be asked later?
const MOST_REPEATS: u32 = 4;
/// How long is that waited for, in all?
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is sent.
pub(super) struct Wish {
    /// The method.
    pub(super) method: String,
    /// Headers beside the token's own.
    pub(super) headers: Vec<(String, Secret)>,
    /// The body.
    pub(super) body: Option<Body>,
    /// Which account of several.
    pub(super) account: Option<String>,
    /// Scopes instead of the profile's.
    pub(super) scopes: Vec<String>,
}

/// A body, which may be sent more than once.
pub(super) enum Body {
    /// In memory.
    Held(Zeroizing<Vec<u8>>),
    /// A file, and its length.
    File(PathBuf, u64),
}

impl Body {
    fn upload(&self, is_wanted: bool, context: &Context<'_>) -> Result<Upload, Error> {
        let (bytes, length): (Box<dyn std::io::Read + Send>, u64) = match self {
            Self::Held(bytes) => (Box::new(Cursor::new(bytes.clone())), bytes.len() as u64),
            Self::File(path, length) => {
                let file = File::open(path).map_err(|error| unreadable(path, error))?;
                (Box::new(file), *length)
            }
        };
        let progress = Progress::new(is_wanted, Some(length), context.environment);
        let reader = bytes;
        Ok(Upload {
            bytes: Box::new(Counted { reader, progress }),
            length,
        })
    }
}

/// What is to be sent cannot be had.
pub(super) fn unreadable(path: &std::path::Path, error: std::io::Error) -> Error {
    let shown = printable(&path.display().to_string());
    Error::new(ErrorKind::Usage, format!("`{shown}` cannot be read")).because(error)
}

/// What was done already because of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    claims: bool,
    nonce: bool,
    refresh: bool,
    repeats: u32,
    waited: Duration,
}

/// What an answer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// It is the answer.
    End,
    /// A token with these claims.
    Claims(String),
    /// A proof with the nonce that was given.
    Nonce,
    /// Another token.
    Refresh,
    /// The same later.
    Wait(u64),
}

fn next(method: &str, head: &HttpResponse, done: Done) -> Step {
    match head.status {
        401 if !done.claims
            && let Some(claims) = Challenge::read(head).claims =>
        {
            Step::Claims(claims)
        }
        _ if !done.nonce && dpop::wants_nonce(head) => Step::Nonce,
        401 if !done.claims && !done.refresh => Step::Refresh,
        429 | 503 if is_idempotent(method) && done.repeats < MOST_REPEATS => {
            match head.retry_after() {
                // Whatever number the server writes.
                Some(seconds)
                    if Duration::from_secs(seconds).saturating_add(done.waited) <= LONGEST_WAIT =>
                {
                    Step::Wait(seconds)
                }
                Some(_) | None => Step::End,
            }
        }
        _ => Step::End,
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &str) -> bool {
    ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"].contains(&method)
}

/// Calls with the tokens of a profile.
pub(super) struct Caller<'a> {
    /// Answers with tokens, for URLs that the profile names alone.
    pub(super) answer: &'a Answer<'a>,
    /// The effects.
    pub(super) context: Context<'a>,
    /// The profile.
    pub(super) profile: &'a Profile,
    /// What is sent.
    pub(super) wish: &'a Wish,
    /// Whether nobody wants to be told how far it is.
    pub(super) is_quiet: bool,
}

impl Caller<'_> {
    /// Sends the wish to `url`.
    ///
    /// # Errors
    /// `no_profile`, if the profile does not name the URL: nothing is sent. Those of a call for a token,
    /// and `unavailable`.
    pub(super) fn call(&self, url: &str) -> Result<StreamedResponse, Error> {
        let mut done = Done::default();
        // What the server wants of a token holds for each one that it is sent.
        let mut wanted: Option<String> = None;
        let mut token = self.token(url, None, false)?;
        loop {
            let response = self.send(url, &token)?;
            dpop::remember(url, &response.head, &self.context);
            let status = response.head.status;
            match next(&self.wish.method, &response.head, done) {
                Step::End => return Ok(response),
                Step::Claims(claims) => {
                    done.claims = true;
                    let debug = || "the server wants a token with other claims".to_owned();
                    self.context.debug(debug);
                    wanted = Some(claims);
                    token = self.token(url, wanted.clone(), false)?;
                }
                Step::Nonce => {
                    done.nonce = true;
                    token = self.token(url, wanted.clone(), false)?;
                }
                Step::Refresh => {
                    done.refresh = true;
                    let debug = || "the server rejects the token".to_owned();
                    self.context.debug(debug);
                    let other = self.token(url, wanted.clone(), true)?;
                    // One that has just been made would be rejected again.
                    if other.access_token == token.access_token {
                        return Ok(response);
                    }
                    token = other;
                }
                Step::Wait(seconds) => {
                    done.repeats += 1;
                    let wait = Duration::from_secs(seconds);
                    done.waited += wait;
                    self.context.inform(&format!(
                        "HTTP status {status}: the server wants to be asked again in {seconds} s, and is"
                    ));
                    self.context.clock.sleep(wait)?;
                    token = self.token(url, wanted.clone(), false)?;
                }
            }
        }
    }

    fn token(
        &self,
        url: &str,
        claims: Option<String>,
        was_rejected: bool,
    ) -> Result<Box<Credential>, Error> {
        let request = Request {
            profile: Some(self.profile.name.clone()),
            url: Some(url.to_owned()),
            account: self.wish.account.clone(),
            scopes: self.wish.scopes.clone(),
            claims,
            was_rejected,
            takes_dpop: true,
            method: Some(self.wish.method.clone()),
            ..Request::new(Action::Get)
        };
        let Response::Token(token) = (self.answer)(&request, None)? else {
            let bug = "BUG: `request` was answered without a token";
            return Err(Error::new(ErrorKind::Internal, bug));
        };
        if token.token_type == NOT_APPLICABLE {
            let message = "the token is no bearer token, and goes with no HTTP request";
            return Err(Error::new(ErrorKind::Usage, message)
                .hint("it was exchanged for one of another type; `cred-helper get` prints it"));
        }
        Ok(token)
    }

    fn send(&self, url: &str, token: &Credential) -> Result<StreamedResponse, Error> {
        let scheme = match token.proof_key {
            Some(_) => dpop::TOKEN_TYPE,
            None => "Bearer",
        };
        let secret = Zeroizing::new(format!("{scheme} {}", token.access_token.expose()));
        let mut headers = self.wish.headers.clone();
        headers.push(("authorization".to_owned(), Secret::new(secret.as_str())));
        if let Some(proof) = &token.dpop_proof {
            headers.push(("dpop".to_owned(), proof.clone()));
        }
        let body = self.wish.body.as_ref();
        let request = StreamedRequest {
            method: self.wish.method.clone(),
            url: url.to_owned(),
            headers,
            body: body
                .map(|body| body.upload(!self.is_quiet, &self.context))
                .transpose()?,
        };
        let shown = format!("{} {}", self.wish.method, without_query(url));
        // What secures the way to the authority secures this one: a token that is bound to a certificate
        // is good with that one alone (RFC 8705 §3).
        let tls: &Tls = &self.profile.client.tls;
        let sent = self
            .context
            .http
            .stream(request, tls, Context::REQUEST_LIMIT);
        match sent.map_err(HttpFailure::of_network) {
            Ok(response) => {
                let status = response.head.status;
                self.context
                    .debug(|| format!("{shown}: HTTP status {status}"));
                Ok(response)
            }
            Err(Err(error)) => Err(error),
            Err(Ok(failure)) => {
                let hint = match &failure {
                    HttpFailure::NotAnswered(_) if !is_idempotent(&self.wish.method) => {
                        "it may have had its effect all the same: look before you try again"
                    }
                    HttpFailure::NotAnswered(_)
                    | HttpFailure::NotSent(_)
                    | HttpFailure::Misconfigured(_) => {
                        "check the URL and the network; the sign-in is still there"
                    }
                };
                let error = Error::new(
                    ErrorKind::Unavailable,
                    format!("`{shown}` was not answered"),
                );
                Err(error.because(failure.reason()).hint(hint))
            }
        }
    }
}

/// A URL as it is shown: what stands behind its path may be a secret.
pub(super) fn without_query(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    printable(&url[..end])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::{Done, Step, next};
    use crate::context::HttpResponse;
    use crate::secret::Secret;

    #[test]
    fn an_answer_is_final_once_what_it_asks_for_was_done() {
        const CLAIMS: &str = "Bearer error=\"insufficient_claims\", claims=\"e30\"";
        const NONCE: &str = "DPoP error=\"use_dpop_nonce\"";
        let none = Done::default();
        let done = |claims, nonce, refresh| Done {
            claims,
            nonce,
            refresh,
            ..none
        };
        let tried = |repeats, waited| Done {
            repeats,
            waited: Duration::from_secs(waited),
            ..none
        };
        for (method, status, challenge, retry_after, done, expected) in [
            ("GET", 200, "", "", none, Step::End),
            ("GET", 401, CLAIMS, "", none, Step::Claims("{}".to_owned())),
            (
                "POST",
                401,
                CLAIMS,
                "",
                done(false, true, true),
                Step::Claims("{}".to_owned()),
            ),
            ("GET", 401, CLAIMS, "", done(true, false, false), Step::End),
            ("GET", 403, CLAIMS, "", none, Step::End),
            ("GET", 401, NONCE, "", none, Step::Nonce),
            (
                "GET",
                401,
                NONCE,
                "",
                done(false, true, false),
                Step::Refresh,
            ),
            ("POST", 401, "Bearer", "", none, Step::Refresh),
            ("GET", 401, "", "", done(false, false, true), Step::End),
            ("GET", 429, "", "7", none, Step::Wait(7)),
            ("DELETE", 503, "", "0", tried(3, 60), Step::Wait(0)),
            ("GET", 503, "", "1", tried(3, 60), Step::End),
            ("GET", 429, "", "1", tried(4, 4), Step::End),
            ("GET", 429, "", "61", none, Step::End),
            (
                "GET",
                429,
                "",
                "18446744073709551615",
                tried(1, 1),
                Step::End,
            ),
            ("GET", 429, "", "", none, Step::End),
            ("POST", 429, "", "1", none, Step::End),
            ("GET", 500, "", "1", none, Step::End),
        ] {
            let headers = [
                ("www-authenticate", challenge),
                ("retry-after", retry_after),
                ("dpop-nonce", if challenge == NONCE { "n" } else { "" }),
            ];
            let headers = headers.iter().filter(|(_, value)| !value.is_empty());
            let head = HttpResponse {
                status,
                headers: headers
                    .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
                    .collect(),
                body: Zeroizing::default(),
            };
            assert_eq!(
                next(method, &head, done),
                expected,
                "{method} {status} {challenge} {done:?}"
            );
        }
    }
}

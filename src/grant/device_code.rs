//! The device authorization grant ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)): a code is
//! shown here, and the person signs in on any device.
//!
//! A sign-in that a person has begun is not given up for a dropped connection, a 5xx, a 429 or
//! garbage: the loop goes on until the authority decides or the code has run out.

use std::time::Duration;

use serde::Deserialize;

use super::person::countdown::Countdown;
use super::person::invitation::{Invitation, is_link, to_clipboard};
use super::{Asks, Entry, Grant, GrantRequest};
use crate::context::{Context, HttpFailure, HttpResponse};
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::metadata::{self, Server};
use crate::oauth::request::{self, Form};
use crate::oauth::response::{self, Failure, whole_seconds};
use crate::secret::Secret;
use crate::text::{printable, shell_word};
use crate::token::TokenSet;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "device_code",
    summary: "a code is shown, and the person signs in on any device (RFC 8628)",
    keys: &[],
    secrets: &[],
    tokens: &[],
    needless: &[],
    parse: |_| Ok(Box::new(DeviceCode::SHOWN)),
};

/// `grant_type` of the token request, RFC 8628 §3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How many seconds may an authority put between two polls? A person should not wait longer for the
/// end of a sign-in that is done.
const LONGEST_INTERVAL: u64 = 60;

/// The device authorization grant.
#[derive(Debug)]
pub(super) struct DeviceCode {
    /// Whether the browser of this machine is opened, where there is one.
    opens_browser: bool,
}

impl DeviceCode {
    /// It is shown, and no more: whoever chose this grant, or said `--no-browser`, has another device or
    /// browser in mind.
    pub(super) const SHOWN: Self = Self {
        opens_browser: false,
    };

    /// The browser is opened as well: it was to be used, and the authority has no other way to.
    pub(super) const OPENED: Self = Self {
        opens_browser: true,
    };
}

impl Grant for DeviceCode {
    fn name(&self) -> &'static str {
        "device_code"
    }

    fn asks(&self) -> Asks {
        Asks::Person
    }

    fn chosen(&self, _client: &Client, _context: &Context<'_>) -> Result<&dyn Grant, Error> {
        Ok(self)
    }

    fn run(
        &self,
        client: &Client,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Error> {
        let needed = [EndpointName::DeviceAuthorization, EndpointName::Token];
        let server = metadata::find(client, &needed, context)?;
        let client = &client.with_secret_at_hand(context)?;
        let scopes = metadata::scopes_to_ask(client, &server, request.scopes);
        let other_way = |error| with_other_way(error, &server, request.profile);
        let mut has_asked_again = false;
        loop {
            let authorization =
                authorize(client, &server, &scopes, request, context).map_err(other_way)?;
            // Whoever reads it may press Ctrl-C at once.
            let _attention = context.signals.attend();
            authorization.show(self.opens_browser, request, context)?;
            let failed = match poll(client, &server, &authorization, request, context) {
                Ok(token_set) => return Ok(token_set),
                Err(failed) => failed,
            };
            if has_asked_again || !failed.has_run_out || !wants_another(context)? {
                return Err(other_way(failed.error));
            }
            has_asked_again = true;
        }
    }
}

/// Names the browser, where the authority refuses the device code as such.
fn with_other_way(error: Error, server: &Server, profile: &str) -> Error {
    let is_refused = error.oauth_error().is_some_and(response::refuses_the_way);
    if !is_refused || server.endpoints.get(EndpointName::Authorization).is_none() {
        return error;
    }
    let way = [
        "cred-helper",
        "login",
        "-p",
        profile,
        "--grant",
        "authorization_code",
    ];
    let hint = format!(
        "{}; if it is the device code that is refused, sign in with a browser: `{}`",
        error
            .hint_text()
            .unwrap_or("check how the client is registered"),
        way.map(shell_word).join(" ")
    );
    error.hint(hint).next(way)
}

/// A device authorization response (RFC 8628 §3.2), made safe to show and to wait by.
#[derive(Debug, PartialEq, Eq)]
struct Authorization {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    message: Option<String>,
    expires_in: Duration,
    interval: Duration,
}

fn authorize(
    client: &Client,
    server: &Server,
    scopes: &[String],
    request: &GrantRequest<'_>,
    context: &Context<'_>,
) -> Result<Authorization, Error> {
    const DOING: &str = "the authority gave no device code";
    let endpoint = server.endpoint(EndpointName::DeviceAuthorization)?;
    let mut form = Form::new("scope", &scopes.join(" "));
    if let Some(account) = request.account {
        form.add("login_hint", account);
    }
    form.add_parameters(client, request.claims);
    let client = client.at_device_authorization();
    let response = request::post(&client, server, endpoint, form, context)?
        .map_err(|failure| Failure::from(failure).into_error(DOING))?;
    if response.status == 200
        && let Some(authorization) = Authorization::read(&response)
    {
        return Ok(authorization);
    }
    Err(response::failure(&response).into_error(DOING))
}

impl Authorization {
    fn read(response: &HttpResponse) -> Option<Self> {
        /// How long does a code live whose life nobody tells, as Entra's?
        const DEFAULT_LIFE: i64 = 900;
        /// How long is a call kept waiting at most, whatever the authority says?
        const LONGEST_LIFE: i64 = 3600;
        /// RFC 8628 §3.2: what holds if the authority says nothing.
        const DEFAULT_INTERVAL: i64 = 5;

        #[derive(Deserialize)]
        struct Members {
            device_code: Secret,
            user_code: String,
            verification_uri: Option<String>,
            verification_uri_complete: Option<String>,
            /// The same in Google's words.
            verification_url: Option<String>,
            verification_url_complete: Option<String>,
            message: Option<String>,
            #[serde(default)]
            expires_in: serde_json::Value,
            #[serde(default)]
            interval: serde_json::Value,
        }
        let members: Members = from_object(&response.body).ok()?;
        let span = |value: &serde_json::Value, default: i64, longest: i64| {
            let seconds = whole_seconds(value).filter(|seconds| *seconds > 0);
            Duration::from_secs(seconds.unwrap_or(default).min(longest).unsigned_abs())
        };
        let shown = |text: String| Some(printable(&text)).filter(|text| !text.is_empty());
        Some(Self {
            device_code: members.device_code,
            user_code: shown(members.user_code)?,
            verification_uri: shown(members.verification_uri.or(members.verification_url)?)?,
            verification_uri_complete: members
                .verification_uri_complete
                .or(members.verification_url_complete)
                .and_then(shown),
            message: members.message.and_then(shown),
            expires_in: span(&members.expires_in, DEFAULT_LIFE, LONGEST_LIFE),
            interval: span(
                &members.interval,
                DEFAULT_INTERVAL,
                LONGEST_INTERVAL.cast_signed(),
            ),
        })
    }

    /// What the person reads.
    fn invitation<'a>(&'a self, profile: &'a str) -> Invitation<'a> {
        let complete = self.verification_uri_complete.as_deref();
        Invitation {
            profile,
            address: &self.verification_uri,
            complete: complete.filter(|complete| *complete != self.verification_uri),
            code: &self.user_code,
            message: self.message.as_deref(),
            life: self.expires_in,
            opens: false,
        }
    }

    /// Shows it, and opens the browser where that is what the profile wants.
    fn show(
        &self,
        opens_browser: bool,
        request: &GrantRequest<'_>,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let mut invitation = self.invitation(request.profile);
        let target = invitation.complete.unwrap_or(invitation.address);
        invitation.opens = opens_browser && is_link(target) && context.browser.found().is_ok();
        let display = context.terminal.display();
        let mut text = invitation.text(display);
        if request.clipboard && display.is_some() {
            text.insert_str(0, &to_clipboard(&self.user_code));
        }
        context.terminal.show(&text).map_err(|error| {
            Error::new(
                ErrorKind::LoginRequired,
                "the code cannot be shown to anybody",
            )
            .because(error)
        })?;
        if invitation.opens
            && let Err(reason) = context.browser.open(target)
        {
            context.debug(|| format!("no browser opens: {}", printable(&reason)));
        }
        Ok(())
    }
}

/// A sign-in that came to nothing.
struct Failed {
    error: Error,
    /// Whether nobody came while the code was good.
    has_run_out: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            has_run_out: false,
        }
    }
}

/// Whether somebody who types wants another code. Those who wait for this sign-in do not wait long for
/// an answer.
fn wants_another(context: &Context<'_>) -> Result<bool, Error> {
    const PATIENCE: Duration = Duration::from_secs(60);
    const QUESTION: &str = "\nThe code ran out before anybody signed in with it. A new one? [y/N] ";
    let Some(mut typing) = context.terminal.typing() else {
        return Ok(false);
    };
    if context.terminal.show(QUESTION).is_err() {
        return Ok(false);
    }
    let end = context.clock.monotonic() + PATIENCE;
    loop {
        if let Some(line) = typing.line()? {
            let answer = line.expose().to_lowercase();
            return Ok(["y", "yes"].contains(&answer.as_str()));
        }
        if context.clock.monotonic() >= end {
            // The next text begins in a line of its own.
            drop(context.terminal.show("\n"));
            return Ok(false);
        }
        context.clock.sleep(Duration::from_millis(50))?;
    }
}

/// Asks until the authority has decided (RFC 8628 §3.4, §3.5).
fn poll(
    client: &Client,
    server: &Server,
    authorization: &Authorization,
    request: &GrantRequest<'_>,
    context: &Context<'_>,
) -> Result<TokenSet, Failed> {
    let endpoint = server.endpoint(EndpointName::Token)?;
    // The monotonic clock: a wall clock that is set meanwhile ends no sign-in. Where it stood
    // still while the machine slept, the authority says that the code has run out.
    let end = context.clock.monotonic() + authorization.expires_in;
    let countdown = Countdown::new(end, context);
    let context = &Context {
        notice: &countdown,
        ..*context
    };
    let mut pace = Pace::new(authorization.interval);
    let mut has_asked = false;
    loop {
        let left = end.saturating_sub(context.clock.monotonic());
        countdown.sleep(pace.wait().min(left))?;
        let mut form = Form::of_grant(GRANT_TYPE, client);
        form.add_secret("device_code", authorization.device_code.clone());
        form.add_parameters(client, request.claims_of_token_request(client));
        // The answer may hold the tokens: Ctrl-C waits for it.
        let shield = context.signals.shield();
        let answer = match request::post(client, server, endpoint, form, context) {
            Ok(answer) => answer,
            // What proves the client was there a moment ago: a person who is at it loses nothing.
            Err(error) if has_asked && error.kind() != ErrorKind::Interrupted => {
                Err(HttpFailure::NotSent(error.message().to_owned()))
            }
            Err(error) => return Err(error.into()),
        };
        has_asked = true;
        drop(shield);
        let failure = match response::tokens(answer, client, server, context.clock.now()) {
            Ok(token_set) => return Ok(token_set),
            Err(failure) => failure,
        };
        match pace.judge(&failure) {
            Verdict::GoOn => {}
            Verdict::Refused => {
                let error = failure.into_error("the sign-in was refused");
                // glewlwyd says so of a code that was redeemed.
                return Err(if pace.lost {
                    error.because("an earlier answer was lost, and may have held the tokens")
                } else {
                    error
                }
                .into());
            }
            Verdict::RanOut => return Err(ran_out(&failure)),
            Verdict::Lost => {
                let error = Error::new(
                    ErrorKind::LoginRequired,
                    "the authority's answer to the sign-in was lost on its way, and with it the \
                     tokens; sign in once more",
                );
                return Err(match failure {
                    Failure::Refused { said, .. } => error.oauth(*said),
                    Failure::RefusedSilently { .. }
                    | Failure::Trouble { .. }
                    | Failure::Unusable { .. } => error.because(cause_of(&failure)),
                }
                .into());
            }
            Verdict::Failed => return Err(failure.into_error("the sign-in failed").into()),
        }
        if context.clock.monotonic() >= end {
            return Err(match failure {
                Failure::Trouble { .. } | Failure::RefusedSilently { .. } => failure
                    .into_error("the sign-in could not be completed")
                    .into(),
                Failure::Refused { .. } | Failure::Unusable { .. } => ran_out(&failure),
            });
        }
    }
}

fn ran_out(failure: &Failure) -> Failed {
    let error = Error::new(
        ErrorKind::LoginRequired,
        "the code ran out before anybody signed in with it",
    );
    // A server that does not know the code would say the same of the next one.
    let is_unknown =
        matches!(failure, Failure::Refused { said, .. } if said.error == "invalid_grant");
    Failed {
        error: error.because(cause_of(failure)),
        has_run_out: !is_unknown,
    }
}

fn cause_of(failure: &Failure) -> String {
    match failure {
        Failure::Refused { said, .. } => match &said.error_description {
            Some(description) => format!("{}: {description}", said.error),
            None => said.error.clone(),
        },
        Failure::RefusedSilently { status } => format!("HTTP status {status} without a reason"),
        Failure::Trouble { reason, .. } | Failure::Unusable { reason, .. } => reason.clone(),
    }
}

/// How long to wait before the next poll.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    /// Doubles with each trouble in a row (RFC 8628 §3.5: exponential back-off).
    troubles: u32,
    retry_after: Duration,
    /// Whether an answer was lost that may have held the tokens.
    lost: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    GoOn,
    Refused,
    RanOut,
    Lost,
    Failed,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            troubles: 0,
            retry_after: Duration::ZERO,
            lost: false,
        }
    }

    fn wait(&self) -> Duration {
        /// How long is the longest pause in trouble?
        const LONGEST: Duration = Duration::from_secs(60);
        let backed_off = self.interval.saturating_mul(1 << self.troubles.min(6));
        backed_off
            .min(LONGEST.max(self.interval))
            .max(self.retry_after)
    }

    /// Decides by the error that the authority named, whatever the status (GitHub says 200,
    /// Google 428), and slows down where it must.
    fn judge(&mut self, failure: &Failure) -> Verdict {
        /// How long may an authority make us pause with `Retry-After`?
        const LONGEST_RETRY: u64 = 120;
        match failure {
            Failure::Refused { said, interval, .. } => {
                self.troubles = 0;
                self.retry_after = Duration::ZERO;
                match said.error.as_str() {
                    "authorization_pending" => Verdict::GoOn,
                    "slow_down" => {
                        // RFC 8628 §3.5: for this and all later requests. GitHub names the new
                        // interval too, and means it.
                        let named = interval.unwrap_or_default().min(LONGEST_INTERVAL);
                        let slower = self.interval.saturating_add(Duration::from_secs(5));
                        self.interval = slower.max(Duration::from_secs(named));
                        Verdict::GoOn
                    }
                    "access_denied" | "authorization_declined" => Verdict::Refused,
                    // `invalid_grant`: Auth0 after it said `expired_token` once, and every server
                    // whose answer with the tokens was lost on its way.
                    "invalid_grant" if self.lost => Verdict::Lost,
                    "expired_token" | "token_expired" | "invalid_grant" => Verdict::RanOut,
                    _ => Verdict::Failed,
                }
            }
            Failure::Trouble {
                retry_after,
                may_have_happened,
                ..
            } => {
                self.lost |= may_have_happened;
                self.troubles += 1;
                let seconds = retry_after.unwrap_or_default().min(LONGEST_RETRY);
                self.retry_after = Duration::from_secs(seconds);
                Verdict::GoOn
            }
            // No device endpoint is known to refuse so; a gateway may.
            Failure::RefusedSilently { .. } => {
                self.troubles += 1;
                Verdict::GoOn
            }
            Failure::Unusable { .. } => Verdict::Failed,
        }
    }
}

/// What a person would be shown for a device authorization response, if it is one: what a fuzzer
/// calls.
pub fn decodes(body: &[u8]) -> Option<String> {
    let authorization = Authorization::read(&HttpResponse {
        status: 200,
        headers: Vec::new(),
        body: zeroize::Zeroizing::new(body.to_vec()),
    })?;
    Some(authorization.invitation("fuzz").text(None))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::{Authorization, Pace, Verdict, decodes, with_other_way};
    use crate::context::HttpResponse;
    use crate::endpoint::Endpoint;
    use crate::error::{Error, ErrorKind, OAuthError};
    use crate::oauth::client::EndpointName;
    use crate::oauth::metadata::Server;
    use crate::oauth::response::Failure;

    fn read(body: &str) -> Option<Authorization> {
        Authorization::read(&HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        })
    }

    fn refused(error: &str) -> Failure {
        said(error, None)
    }

    /// `slow_down` with a new interval.
    fn told(seconds: u64) -> Failure {
        said("slow_down", Some(seconds))
    }

    fn said(error: &str, interval: Option<u64>) -> Failure {
        Failure::Refused {
            said: Box::new(OAuthError {
                error: error.into(),
                ..OAuthError::default()
            }),
            interval,
            claims: None,
        }
    }

    fn trouble(retry_after: Option<u64>) -> Failure {
        Failure::Trouble {
            reason: "reset".into(),
            may_have_happened: true,
            retry_after,
            is_throttling: false,
            said: None,
        }
    }

    #[test]
    fn what_a_fuzzer_calls_shows_the_code() {
        let body = br#"{"device_code":"d","user_code":"ABCD","verification_uri":"https://i/"}"#;
        let shown = decodes(body).unwrap_or_default();
        assert!(shown.contains("ABCD"), "{shown}");
        assert_eq!(decodes(b"{}"), None);
    }

    #[test]
    fn spans_of_time_are_brought_into_a_sensible_range() {
        for (members, expires_in, interval) in [
            ("", 900, 5),
            (r#","expires_in":600,"interval":1"#, 600, 1),
            (r#","expires_in":"600","interval":"7""#, 600, 7),
            (r#","expires_in":0,"interval":0"#, 900, 5),
            (r#","expires_in":-1,"interval":-1"#, 900, 5),
            (r#","expires_in":1e99,"interval":1e99"#, 3600, 60),
        ] {
            let body = format!(
                r#"{{"device_code":"d","user_code":"U","verification_uri":"https://v"{members}}}"#
            );
            let authorization = read(&body).unwrap();
            assert_eq!(
                authorization.expires_in,
                Duration::from_secs(expires_in),
                "{members}"
            );
            assert_eq!(
                authorization.interval,
                Duration::from_secs(interval),
                "{members}"
            );
        }
    }

    #[test]
    fn everything_the_server_sends_for_the_person_is_shown_without_control_characters() {
        let authorization = read(
            r#"{"device_code":"canary","user_code":"\u001b[31mAB-CD","verification_url":"https://w","verification_uri":"https://v\r\nx",
                "verification_uri_complete":"https://v?c=AB-CD","message":"go \u0007there"}"#,
        )
        .unwrap();
        let text = authorization.invitation("graph").text(None);
        for part in [
            "`graph`",
            "https://v x",
            "[31mAB-CD",
            "https://v?c=AB-CD",
            "go there",
            "15 min",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("canary"));
        assert!(
            text.chars()
                .all(|character| !character.is_control() || character == '\n')
        );
    }

    #[test]
    fn an_answer_without_code_or_place_is_none() {
        for body in [
            "",
            "[]",
            r#"{"device_code":"d","user_code":"u"}"#,
            r#"{"device_code":"d","user_code":"","verification_uri":"v"}"#,
            r#"{"user_code":"u","verification_uri":"v"}"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn the_loop_slows_down_for_good_when_told_and_for_a_while_in_trouble() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let seconds = |pace: &Pace| pace.wait().as_secs();
        assert_eq!(pace.judge(&refused("authorization_pending")), Verdict::GoOn);
        assert_eq!(seconds(&pace), 5);
        assert_eq!(pace.judge(&refused("slow_down")), Verdict::GoOn);
        assert_eq!(seconds(&pace), 10);
        assert_eq!(pace.judge(&told(7)), Verdict::GoOn);
        assert_eq!(seconds(&pace), 15, "never less than five more");
        assert_eq!(pace.judge(&told(22)), Verdict::GoOn);
        assert_eq!(seconds(&pace), 22, "as GitHub says it");
        let mut pace = Pace::new(Duration::from_secs(5));
        assert_eq!(pace.judge(&told(100_000)), Verdict::GoOn);
        assert_eq!(seconds(&pace), 60);
        let mut pace = Pace::new(Duration::from_secs(10));
        for expected in [20, 40, 60, 60] {
            assert_eq!(pace.judge(&trouble(None)), Verdict::GoOn);
            assert_eq!(seconds(&pace), expected);
        }
        assert_eq!(pace.judge(&trouble(Some(100))), Verdict::GoOn);
        assert_eq!(seconds(&pace), 100);
        assert_eq!(pace.judge(&refused("authorization_pending")), Verdict::GoOn);
        assert_eq!(seconds(&pace), 10);
    }

    #[test]
    fn a_gateway_that_refuses_without_a_reason_is_asked_more_seldom() {
        let mut pace = Pace::new(Duration::from_secs(5));
        for expected in [10, 20, 40] {
            let silent = Failure::RefusedSilently { status: 403 };
            assert_eq!(pace.judge(&silent), Verdict::GoOn);
            assert_eq!(pace.wait(), Duration::from_secs(expected));
        }
    }

    #[test]
    fn a_browser_is_proposed_where_there_is_one_and_the_device_code_is_refused_as_such() {
        let mut with_browser = Server::default();
        let place = Endpoint::parse("https://id.example/authorize").expect("it is good");
        with_browser
            .endpoints
            .set(EndpointName::Authorization, place);
        for (error, server, is_proposed) in [
            ("unauthorized_client", &with_browser, true),
            ("unauthorized_client", &Server::default(), false),
            ("access_denied", &with_browser, false),
        ] {
            let said = OAuthError {
                error: error.into(),
                ..OAuthError::default()
            };
            let refusal = Error::new(ErrorKind::Denied, "no").oauth(said);
            let told = with_other_way(refusal, server, "api");
            let is_named = told
                .next_command()
                .ends_with(&["authorization_code".to_owned()]);
            assert_eq!(is_named, is_proposed, "{error}");
            assert_eq!(told.hint_text().is_some(), is_proposed, "{error}");
        }
    }

    #[test]
    fn the_authority_decides_by_the_error_it_names() {
        for (error, verdict) in [
            ("authorization_pending", Verdict::GoOn),
            ("slow_down", Verdict::GoOn),
            ("access_denied", Verdict::Refused),
            ("authorization_declined", Verdict::Refused),
            ("expired_token", Verdict::RanOut),
            ("invalid_grant", Verdict::RanOut),
            ("invalid_client", Verdict::Failed),
            ("bad_verification_code", Verdict::Failed),
        ] {
            assert_eq!(
                Pace::new(Duration::ZERO).judge(&refused(error)),
                verdict,
                "{error}"
            );
        }
        let mut pace = Pace::new(Duration::ZERO);
        pace.judge(&trouble(None));
        assert_eq!(pace.judge(&refused("invalid_grant")), Verdict::Lost);
        assert_eq!(pace.judge(&refused("expired_token")), Verdict::RanOut);
    }
}

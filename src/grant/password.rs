//! [RFC 6749 §4.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.3): a person's password is sent to
//! the authority. [RFC 9700 §2.4](https://www.rfc-editor.org/rfc/rfc9700#section-2.4) forbids it, so a
//! profile has to say that it is allowed; it is for test servers and for what has nothing better.

use std::time::Duration;

use serde::Deserialize;

use super::{Asks, Entry, Given, Grant, GrantRequest};
use crate::context::{Context, HttpRequest};
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Authority, Client, EndpointName};
use crate::oauth::request::{self, Form};
use crate::oauth::response::{self, trouble_hint};
use crate::oauth::{entra, metadata};
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::text::printable;
use crate::token::TokenSet;

const NAME: &str = "password";

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "a person's password is sent to the authority, where the profile allows it (RFC 6749 §4.3)",
    keys: &["username", "allow_password"],
    secrets: &["password"],
    tokens: &[],
    needless: &[],
    parse,
};

/// What works where a password does not.
const OTHER_WAYS: &str = "sign in with a browser or a device code, which take a second factor and every \
                          organization's own sign-in, Windows' among them: `grant = \"auto\"`";

#[derive(Debug)]
struct Password {
    username: Option<String>,
    /// Asked on the terminal where there is none.
    password: Option<SecretSource>,
}

fn parse(mut given: Given) -> Result<Box<dyn Grant>, String> {
    let is_allowed = match given.plain.get("allow_password").map(toml::Value::as_bool) {
        None => false,
        Some(Some(is_allowed)) => is_allowed,
        Some(None) => return Err("`allow_password`: it is neither true nor false".to_owned()),
    };
    if !is_allowed {
        return Err(
            "`password` is off: a password that programs are given is one that can be stolen from \
             them, and a second factor is of no use (RFC 9700 §2.4 forbids it); use `auto`, or say \
             `allow_password = true`"
                .to_owned(),
        );
    }
    let username = match given.plain.get("username").map(toml::Value::as_str) {
        None => None,
        Some(Some(username)) if !username.is_empty() => Some(username.to_owned()),
        Some(_) => return Err("`username`: it is no string with something in it".to_owned()),
    };
    Ok(Box::new(Password {
        username,
        password: given.sources.remove("password"),
    }))
}

impl Grant for Password {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        match self.password {
            Some(_) => Asks::Nobody,
            None => Asks::Person,
        }
    }

    fn is_persons(&self) -> bool {
        true
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let username = self.username.iter();
        username.map(|name| ("username", name.clone())).collect()
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
        let profile = request.profile;
        let username = self.username.as_deref().or(request.account);
        let username = username.ok_or_else(|| {
            let message = format!("profile `{profile}` does not say whose password it is");
            Error::new(ErrorKind::Config, message)
                .hint("add `username` to its `grant`, or `account` to the profile")
        })?;
        context.warn(&format!(
            "profile `{profile}` signs in with a password, which is sent to the authority by this \
             program; prefer a browser or a device code"
        ));
        check_realm(client, username, context)?;
        let server = metadata::find(client, &[EndpointName::Token], context)?;
        let endpoint = server.endpoint(EndpointName::Token)?;
        let password = match &self.password {
            Some(source) => source.resolve(NAME, context)?,
            None => ask(profile, username, context)?,
        };
        let mut form = Form::of_grant(NAME, client);
        form.add("username", username);
        form.add_secret(NAME, password);
        let scopes = metadata::scopes_to_ask(client, &server, request.scopes);
        form.add("scope", &scopes.join(" "));
        form.add_parameters(client, request.claims_of_token_request(client));
        let answer = request::post(client, &server, endpoint, form, context)?;
        response::tokens(answer, client, &server, context.clock.now())
            .map_err(|failure| refused(failure, username))
    }
}

/// Whatever else the authority wants, nobody can give it here.
fn refused(failure: response::Failure, username: &str) -> Error {
    let doing = format!(
        "`{}` could not sign in with the password",
        printable(username)
    );
    let error = failure.into_error(&doing);
    if error.kind() != ErrorKind::LoginRequired {
        return error;
    }
    let error = error.with_kind(ErrorKind::Denied);
    if error.hint_text().is_some() {
        return error;
    }
    error.hint(format!(
        "check the user name and the password; where more than a password is wanted, {OTHER_WAYS}"
    ))
}

/// Has a person type their password, which is not shown.
fn ask(profile: &str, username: &str, context: &Context<'_>) -> Result<Secret, Error> {
    /// How long may somebody look for their password?
    const LIMIT: Duration = Duration::from_secs(300);
    const PAUSE: Duration = Duration::from_millis(50);
    let nobody = |reason: &str| {
        Error::new(
            ErrorKind::LoginRequired,
            format!("the password for profile `{profile}` was not given: {reason}"),
        )
        .hint(
            "call again at a terminal, or say where the password comes from: `password = { command \
             = [\"…\"] }` in the `grant`",
        )
    };
    let typing = context.terminal.hidden_typing();
    // Nobody was asked, so nobody has refused.
    let unseen = || nobody("nobody can type it here unseen").with_kind(ErrorKind::Config);
    let mut typing = typing.ok_or_else(unseen)?;
    let question = format!(
        "\nPassword of {} for profile `{profile}` (it is not shown): ",
        printable(username)
    );
    let shown = context.terminal.show(&question);
    shown.map_err(|error| nobody("nobody can be asked").because(error))?;
    let end = context.clock.monotonic() + LIMIT;
    let typed = loop {
        if let Some(line) = typing.line()? {
            break line;
        }
        context.signals.check()?;
        if context.clock.monotonic() >= end {
            return Err(nobody("nobody typed it in five minutes"));
        }
        context.clock.sleep(PAUSE)?;
    };
    // From here on what is typed is shown again.
    drop(typing);
    drop(context.terminal.show("\n"));
    if typed.expose().is_empty() {
        return Err(nobody("nothing was typed"));
    }
    Ok(typed)
}

/// What Entra says of whose sign-in it is.
#[derive(Deserialize)]
struct Realm {
    #[serde(default)]
    account_type: String,
    #[serde(default)]
    federation_protocol: Option<String>,
}

/// Entra takes no password of those who sign in at their organization's own service: that one would
/// have to be asked by WS-Trust, and the password is not to go there unasked.
fn check_realm(client: &Client, username: &str, context: &Context<'_>) -> Result<(), Error> {
    let Authority::Entra(authority) = &client.authority else {
        return Ok(());
    };
    let Some(url) = entra::realm_of(authority, username) else {
        return Ok(());
    };
    let shown = printable(username);
    let unavailable = |reason: String| {
        let hint = trouble_hint(&reason).unwrap_or("nothing was sent; try again later");
        Error::new(
            ErrorKind::Unavailable,
            format!("it cannot be found out where `{shown}` signs in"),
        )
        .because(reason)
        .hint(hint)
    };
    let request = HttpRequest {
        method: "GET",
        url,
        headers: vec![("accept", Secret::new("application/json"))],
        body: None,
    };
    let limit = context.request_limit()?;
    let answer = context.http.send(&request, &client.tls, limit);
    let answer = answer.map_err(|failure| unavailable(printable(failure.reason())))?;
    if answer.status != 200 {
        return Err(unavailable(format!("HTTP status {}", answer.status)));
    }
    let realm: Realm = serde_json::from_slice(&answer.body)
        .map_err(|_| unavailable("the answer is none of a user realm".to_owned()))?;
    if !realm.account_type.eq_ignore_ascii_case("federated") {
        // Where Entra does not know somebody, it says so when the password comes.
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::Denied,
        format!(
            "`{shown}` signs in at an organization's own service, which takes no password from here"
        ),
    );
    Err(match realm.federation_protocol {
        Some(protocol) => error.because(format!("it is federated by {}", printable(&protocol))),
        None => error,
    }
    .hint(OTHER_WAYS))
}

#[cfg(test)]
mod tests {
    use super::{Asks, Given, SecretSource, parse};

    #[test]
    fn it_is_off_unless_the_profile_allows_it() {
        for (plain, problem) in [
            ("", Some("`password` is off")),
            ("allow_password = false", Some("`password` is off")),
            ("allow_password = \"yes\"", Some("neither true nor false")),
            ("allow_password = true", None),
            ("allow_password = true\nusername = \"ada\"", None),
            ("allow_password = true\nusername = \"\"", Some("`username`")),
            ("allow_password = true\nusername = 7", Some("`username`")),
        ] {
            let given = Given {
                plain: plain.parse().expect("it is TOML"),
                ..Given::default()
            };
            match (parse(given), problem) {
                (Ok(grant), None) => assert_eq!(grant.asks(), Asks::Person),
                (Err(said), Some(problem)) => assert!(said.contains(problem), "{said}"),
                (parsed, _) => panic!("{plain}: {parsed:?}"),
            }
        }
    }

    #[test]
    fn nobody_is_asked_where_the_password_has_a_source() {
        let given = Given {
            plain: "allow_password = true".parse().expect("it is TOML"),
            sources: [(
                "password".to_owned(),
                SecretSource::Environment("X".to_owned()),
            )]
            .into(),
        };
        let grant = parse(given).expect("it is good");
        assert_eq!(grant.asks(), Asks::Nobody);
        assert!(grant.is_persons());
    }
}

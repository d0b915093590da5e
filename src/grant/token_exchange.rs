//! [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693): a token that is there already is traded for
//! one of this authority.

use super::{Asks, Entry, Given, Grant, GrantRequest};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Client, EndpointName};
use crate::oauth::request::{self, Form};
use crate::oauth::{metadata, response};
use crate::secret_source::SecretSource;
use crate::text::{nearest, printable};
use crate::token::{OtherToken, TokenKind, TokenSet};

const NAME: &str = "token_exchange";

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    summary: "a token that is there already is traded for another (RFC 8693)",
    keys: &[
        "subject_token_type",
        "actor_token_type",
        "requested_token_type",
    ],
    secrets: &[],
    tokens: &["subject_token", "actor_token"],
    // Services that trade for anybody know no clients.
    needless: &["client_id"],
    parse,
};

/// `grant_type` of the token request, §2.1.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// What the registered token types begin with, §3.
const PREFIX: &str = "urn:ietf:params:oauth:token-type:";

/// Those types, by what is left of them.
const TYPES: [&str; 6] = [
    "access_token",
    "id_token",
    "jwt",
    "refresh_token",
    "saml1",
    "saml2",
];

/// Those that a profile has a token of.
const OF_A_PROFILE: [&str; 3] = ["access_token", "id_token", "jwt"];

/// A token, and what it is.
#[derive(Debug)]
struct Traded {
    key: &'static str,
    source: SecretSource,
    kind: String,
}

#[derive(Debug)]
struct TokenExchange {
    subject: Traded,
    actor: Option<Traded>,
    requested: Option<String>,
}

fn parse(mut given: Given) -> Result<Box<dyn Grant>, String> {
    let subject = traded(&mut given, "subject_token", "subject_token_type")?
        .ok_or("`token_exchange` needs a `subject_token`: what is traded")?;
    let actor = traded(&mut given, "actor_token", "actor_token_type")?;
    let requested = token_type(&given, "requested_token_type")?;
    if requested.as_deref().map(short) == Some("refresh_token") {
        return Err(
            "`requested_token_type`: a refresh token is nothing to hand out; ask for an \
             `access_token`, and one that comes with it is kept"
                .to_owned(),
        );
    }
    Ok(Box::new(TokenExchange {
        subject,
        actor,
        requested,
    }))
}

/// A token of the table, with its type: as it says, else as its source does.
fn traded(given: &mut Given, key: &'static str, type_key: &str) -> Result<Option<Traded>, String> {
    let kind = token_type(given, type_key)?;
    let Some(source) = given.sources.remove(key) else {
        return match kind {
            Some(_) if key != "subject_token" => Err(format!("`{type_key}` needs an `{key}`")),
            _ => Ok(None),
        };
    };
    let kind = match (kind, source.other()) {
        (Some(kind), Some(_)) if !OF_A_PROFILE.contains(&short(&kind)) => {
            return Err(format!(
                "`{type_key}`: a profile gives no `{}`, but one of {}",
                printable(short(&kind)),
                OF_A_PROFILE.join(", ")
            ));
        }
        (Some(kind), _) => kind,
        (None, Some(_)) => long("access_token"),
        (None, None) => long("jwt"),
    };
    let source = match source {
        SecretSource::Profile(OtherToken { profile, kind: _ }) => {
            let kind = kind_of_profile(&kind);
            SecretSource::Profile(OtherToken { profile, kind })
        }
        source @ (SecretSource::Literal(_)
        | SecretSource::Environment(_)
        | SecretSource::File(_)
        | SecretSource::Command(_)
        | SecretSource::Keyring(_)
        | SecretSource::StandardInput
        | SecretSource::AtHand(..)) => source,
    };
    Ok(Some(Traded { key, source, kind }))
}

fn token_type(given: &Given, key: &str) -> Result<Option<String>, String> {
    let Some(value) = given.plain.get(key) else {
        return Ok(None);
    };
    let Some(text) = value.as_str() else {
        return Err(format!("`{key}`: it is no string"));
    };
    if TYPES.contains(&text) {
        return Ok(Some(long(text)));
    }
    // §3: others are URIs as well.
    if text.contains(':') && text.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
        return Ok(Some(text.to_owned()));
    }
    let shown = printable(text);
    Err(match nearest(text, TYPES) {
        Some(nearest) => format!("`{key}`: there is no `{shown}`; did you mean `{nearest}`?"),
        None => format!(
            "`{key}`: `{shown}` is neither a URI nor one of {}",
            TYPES.join(", ")
        ),
    })
}

/// Which of a profile's tokens is of this type; either can be a JWT, and then the profile says which.
fn kind_of_profile(kind: &str) -> Option<TokenKind> {
    match short(kind) {
        "access_token" => Some(TokenKind::Access),
        "id_token" => Some(TokenKind::Id),
        _ => None,
    }
}

fn long(kind: &str) -> String {
    format!("{PREFIX}{kind}")
}

fn short(kind: &str) -> &str {
    kind.strip_prefix(PREFIX).unwrap_or(kind)
}

impl Grant for TokenExchange {
    fn name(&self) -> &'static str {
        NAME
    }

    fn asks(&self) -> Asks {
        Asks::Nobody
    }

    fn others(&self) -> Vec<&OtherToken> {
        let all = [Some(&self.subject), self.actor.as_ref()];
        let sources = all.into_iter().flatten().map(|token| &token.source);
        sources.filter_map(SecretSource::other).collect()
    }

    fn identity(&self) -> Vec<(&'static str, String)> {
        let mut identity = Vec::new();
        for token in [Some(&self.subject), self.actor.as_ref()]
            .into_iter()
            .flatten()
        {
            identity.push((token.key, token.source.identity()));
            identity.push(("token_type", token.kind.clone()));
        }
        if let Some(requested) = &self.requested {
            identity.push(("requested_token_type", requested.clone()));
        }
        identity
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
        let mut form = Form::of_grant(GRANT_TYPE, client);
        let subject = &self.subject;
        form.add_secret(subject.key, subject.source.resolve(subject.key, context)?);
        form.add("subject_token_type", &subject.kind);
        if let Some(actor) = &self.actor {
            form.add_secret(actor.key, actor.source.resolve(actor.key, context)?);
            form.add("actor_token_type", &actor.kind);
        }
        // Without them nobody is asked anything.
        let server = metadata::find(client, &[EndpointName::Token], context)?;
        let endpoint = server.endpoint(EndpointName::Token)?;
        let requested = self.requested.as_deref();
        form.add("requested_token_type", requested.unwrap_or_default());
        form.add("scope", &request.scopes.join(" "));
        form.add_parameters(client, request.claims);
        request::post(client, &server, endpoint, form, context)?
            .map_err(Into::into)
            .and_then(|answer| {
                let now = context.clock.now();
                response::exchanged_token_set(&answer, client, &server, requested, now)
            })
            .map(|tokens| self.kept(tokens))
            .map_err(|failure: response::Failure| self.refused(failure))
    }
}

impl TokenExchange {
    /// What a refresh brings is an access token: where another one was asked for, it is traded anew.
    fn kept(&self, tokens: TokenSet) -> TokenSet {
        let requested = self.requested.as_deref().map(short);
        match requested {
            None | Some("access_token") => tokens,
            Some(_) => tokens.without_refresh_token(),
        }
    }

    /// Whose token is refused cannot mend it by a sign-in for this profile.
    fn refused(&self, failure: response::Failure) -> Error {
        let error = failure.into_error("the token could not be exchanged");
        let is_of_token = error.oauth_error().is_some_and(|said| {
            // §2.2.2 says `invalid_request`, and many say what fits better.
            matches!(
                said.error.as_str(),
                "invalid_grant" | "invalid_request" | "invalid_token"
            )
        });
        let error = if error.kind() == ErrorKind::LoginRequired {
            error.with_kind(ErrorKind::Denied)
        } else {
            error
        };
        if !is_of_token {
            return error;
        }
        match self.subject.source.other() {
            Some(OtherToken { profile, .. }) => error
                .hint(format!(
                    "the token of profile `{profile}` may be of no use any more, or not meant for \
                     this authority: try again after `cred-helper login -p {profile}`"
                ))
                .next(["cred-helper", "login", "-p", profile]),
            None => error.hint(
                "the `subject_token` may have run out, or not be meant for this authority: see \
                 that its source gives a good one, and check `subject_token_type`",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, OtherToken, SecretSource, parse};

    fn source(text: &str) -> SecretSource {
        match text.split_once('=') {
            Some(("profile", name)) => SecretSource::Profile(OtherToken {
                profile: name.to_owned(),
                kind: None,
            }),
            _ => SecretSource::Environment(text.to_owned()),
        }
    }

    fn parsed(
        sources: &[(&str, &str)],
        plain: &str,
    ) -> Result<Vec<(&'static str, String)>, String> {
        let given = Given {
            plain: plain.parse().expect("it is TOML"),
            sources: sources
                .iter()
                .map(|(key, text)| ((*key).to_owned(), source(text)))
                .collect(),
        };
        parse(given).map(|grant| grant.identity())
    }

    #[test]
    fn the_type_of_a_token_is_as_the_table_says_else_as_its_source_does() {
        let subject = |text| [("subject_token", text)];
        for (sources, plain, expected) in [
            (&subject("X"), "", "urn:ietf:params:oauth:token-type:jwt"),
            (
                &subject("profile=a"),
                "",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            (
                &subject("profile=a"),
                "subject_token_type = \"id_token\"",
                "urn:ietf:params:oauth:token-type:id_token",
            ),
            (
                &subject("X"),
                "subject_token_type = \"saml2\"",
                "urn:ietf:params:oauth:token-type:saml2",
            ),
            (&subject("X"), "subject_token_type = \"urn:x:y\"", "urn:x:y"),
        ] {
            let identity = parsed(sources, plain).expect(plain);
            assert_eq!(identity[1], ("token_type", expected.to_owned()), "{plain}");
        }
    }

    #[test]
    fn what_cannot_be_traded_is_complained_of() {
        let both = [("subject_token", "X"), ("actor_token", "profile=a")];
        let (subject, of_profile) = (&both[..1], &[("subject_token", "profile=a")][..]);
        for (sources, plain, words) in [
            (&[][..], "", "needs a `subject_token`"),
            (&both[1..], "", "needs a `subject_token`"),
            (
                subject,
                "actor_token_type = \"jwt\"",
                "needs an `actor_token`",
            ),
            (
                subject,
                "subject_token_type = \"acces_token\"",
                "did you mean `access_token`?",
            ),
            (
                subject,
                "subject_token_type = \"token\"",
                "is neither a URI",
            ),
            (subject, "subject_token_type = \"a: b\"", "is neither a URI"),
            (subject, "subject_token_type = 7", "it is no string"),
            (
                subject,
                "requested_token_type = \"refresh_token\"",
                "nothing to hand out",
            ),
            (
                of_profile,
                "subject_token_type = \"refresh_token\"",
                "a profile gives no `refresh_token`",
            ),
            (
                &both[..],
                "actor_token_type = \"saml1\"",
                "a profile gives no `saml1`",
            ),
        ] {
            let problem = parsed(sources, plain).expect_err(plain);
            assert!(problem.contains(words), "{plain}: {problem}");
        }
    }

    #[test]
    fn what_is_traded_for_whom_decides_which_session_it_is() {
        let subject = [("subject_token", "X")];
        let identities = [
            parsed(&subject, ""),
            parsed(&[("subject_token", "Y")], ""),
            parsed(&[("subject_token", "profile=X")], ""),
            parsed(&[("subject_token", "X"), ("actor_token", "X")], ""),
            parsed(&subject, "subject_token_type = \"id_token\""),
            parsed(&subject, "requested_token_type = \"jwt\""),
        ];
        for (index, left) in identities.iter().enumerate() {
            assert!(left.is_ok());
            assert!(!identities[index + 1..].contains(left), "{left:?}");
        }
    }
}

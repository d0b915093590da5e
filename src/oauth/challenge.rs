//! What a resource server says of a token that it refuses
//! ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3),
//! [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1), and the claims challenges of
//! <https://learn.microsoft.com/entra/identity-platform/claims-challenge>).

use crate::claims;
use crate::context::HttpResponse;

/// The challenge for a token, of all that an answer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `error`.
    pub error: Option<String>,
    /// `error_description`, as the server wrote it.
    pub error_description: Option<String>,
    /// `scope`: what a token has to be good for.
    pub scope: Option<String>,
    /// `claims`: what a token has to hold, as JSON text.
    pub claims: Option<String>,
}

impl Challenge {
    /// Reads the headers of an answer; empty if they hold no challenge for a token.
    pub fn read(response: &HttpResponse) -> Self {
        let headers = response.headers.iter();
        let challenges = headers
            .filter(|(name, _)| name == "www-authenticate")
            .flat_map(|(_, value)| challenges(value.expose()));
        let mut found = Self::default();
        for (scheme, parameters) in challenges {
            if !["bearer", "dpop"].contains(&scheme.to_ascii_lowercase().as_str()) {
                continue;
            }
            let own = Self::of(parameters);
            // Of several the one that says most of what is wanted.
            if own.claims.is_some() || found == Self::default() {
                found = own;
            }
        }
        found
    }

    fn of(parameters: Vec<(String, String)>) -> Self {
        let mut own = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "error" => own.error = Some(value),
                "error_description" => own.error_description = Some(value),
                "scope" => own.scope = Some(value),
                "claims" => own.claims = claims::read(&value).ok(),
                _ => {}
            }
        }
        if own.error.as_deref() != Some("insufficient_claims") {
            own.claims = None;
        }
        own
    }
}

/// A scheme and its parameters, whose names are in lower case.
type Parsed<'t> = (&'t str, Vec<(String, String)>);

/// The challenges of one header ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)):
/// commas stand between challenges, and between the parameters of one.
fn challenges(header: &str) -> Vec<Parsed<'_>> {
    let mut found: Vec<Parsed<'_>> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return found;
        }
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let value = behind.trim_start_matches([' ', '\t']).strip_prefix('=');
        let Some(value) = value.filter(|_| !word.is_empty()) else {
            found.push((word, Vec::new()));
            // What no name begins with is passed over.
            rest = behind.strip_prefix('=').unwrap_or(behind);
            continue;
        };
        let (text, behind) = value_of(value.trim_start_matches([' ', '\t']));
        if let Some((_, parameters)) = found.last_mut() {
            parameters.push((word.to_ascii_lowercase(), text));
        }
        rest = behind;
    }
}

/// A token, or a quoted string (RFC 9110 §5.6.4), and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut is_escaped = false;
    for (index, character) in quoted.char_indices() {
        match character {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return (value, &quoted[index + 1..]),
            character => {
                is_escaped = false;
                value.push(character);
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::Challenge;
    use crate::context::HttpResponse;
    use crate::secret::Secret;

    fn read(headers: &[&str]) -> Challenge {
        let header = |value: &&str| ("www-authenticate".to_owned(), Secret::new(*value));
        Challenge::read(&HttpResponse {
            status: 401,
            headers: headers.iter().map(header).collect(),
            body: Zeroizing::default(),
        })
    }

    #[test]
    fn the_claims_of_a_challenge_are_read_from_among_all_that_stands_beside_it() {
        const CLAIMS: &str = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7InZhbHVlIjoiMSJ9fX0=";
        for headers in [
            // Microsoft Graph's.
            &[&*format!(
                "Bearer realm=\"\", authorization_uri=\"https://login.example/common/oauth2/authorize\", \
                 client_id=\"0003\", error=\"insufficient_claims\", claims=\"{CLAIMS}\""
            )][..],
            &[
                "Basic realm=\"a, Bearer error=x\"",
                &format!("bearer error = insufficient_claims , claims={CLAIMS}"),
            ],
            &[&format!(
                "Basic realm=\"\\\\\", Bearer error=\"insufficient_claims\", claims=\"{CLAIMS}\""
            )],
            &[&format!(
                "Negotiate, DPoP error=\"insufficient_claims\",claims=\"{CLAIMS}\", Basic realm=x"
            )],
            &[
                "Bearer error=\"invalid_token\"",
                &format!("Bearer claims=\"{CLAIMS}\" error=\"insufficient_claims\""),
            ],
        ] {
            let claims = read(headers).claims;
            assert_eq!(
                claims.as_deref(),
                Some(r#"{"access_token":{"nbf":{"value":"1"}}}"#),
                "{headers:?}"
            );
        }
        for headers in [
            &[][..],
            &["Bearer"],
            &[&*format!(
                "Basic error=\"insufficient_claims\", claims=\"{CLAIMS}\""
            )],
            &[&format!(
                "Bearer error=\"invalid_token\", claims=\"{CLAIMS}\""
            )],
            &["Bearer error=\"insufficient_claims\", claims=\"nonsense\""],
            &[
                "Bearer error=\"insufficient_claims",
                "=,=\"\\",
                "Bearer error",
            ],
        ] {
            assert_eq!(read(headers).claims, None, "{headers:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_token_is_read_as_it_was_written() {
        let challenge = read(&[
            "Bearer realm=\"x\", error=\"insufficient_scope\", error_description=\"say \\\"please\\\"\", scope=\"a b\"",
        ]);
        assert_eq!(challenge.error.as_deref(), Some("insufficient_scope"));
        assert_eq!(
            challenge.error_description.as_deref(),
            Some("say \"please\"")
        );
        assert_eq!(challenge.scope.as_deref(), Some("a b"));
    }
}

//! A line of cred-helper's plugin protocol (docs/protocol.md), read.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::acquire::Acquire;
use crate::broker::Client;
use crate::failure::{Failure, Kind};

/// Where does a sign-in in the broker's window come back to, if the profile does not say? This is
/// what Microsoft's libraries use on Linux.
const REDIRECT_URI: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// How many seconds may the broker take that asks nobody? Some start with the first call.
const BROKER_TIMEOUT: u64 = 20;

/// What the broker asks for by itself.
const OWN_SCOPES: &[&str] = &["openid", "profile", "offline_access"];

/// A request that was understood.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) acquire: Acquire,
    /// Seconds.
    pub(crate) broker_timeout: u64,
}

#[derive(Deserialize)]
struct Line {
    v: Option<u64>,
    kind: Option<String>,
    profile: Option<Profile>,
    scopes: Option<Vec<String>>,
    account: Option<String>,
    min_valid: Option<u64>,
    force_refresh: Option<bool>,
    claims: Option<Claims>,
    interactive: Option<Interactive>,
}

#[derive(Deserialize)]
struct Profile {
    name: Option<String>,
    client_id: Option<String>,
    authority: Option<String>,
    /// A name alone, or a table.
    grant: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Claims {
    Text(String),
    Object(Map<String, Value>),
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Interactive {
    Auto,
    Never,
    Always,
}

/// Reads a line. `has_desktop` says whether a window of the broker would be seen, which decides
/// where the request leaves it open.
///
/// The first half of the answer is the request's `id`, if one could be read.
pub(crate) fn parse(line: &[u8], has_desktop: bool) -> (Option<Value>, Result<Request, Failure>) {
    let Ok(mut value @ Value::Object(_)) = serde_json::from_slice(line) else {
        let failure = Failure::new(Kind::Usage, "a request is one JSON object a line");
        return (None, Err(failure));
    };
    let id = value.get_mut("id").map(Value::take);
    (id, understand(value, has_desktop))
}

fn understand(value: Value, has_desktop: bool) -> Result<Request, Failure> {
    // What serde says of it may quote a secret.
    let line: Line = serde_json::from_value(value)
        .map_err(|_| Failure::new(Kind::Usage, "a member of the request has the wrong type"))?;
    if line.v.is_some_and(|version| version != 1) {
        return Err(Failure::new(Kind::Usage, "version 1 is spoken here"));
    }
    if line.kind.as_deref() != Some("acquire") {
        return Err(Failure::new(
            Kind::Usage,
            "the kind of a request is `acquire`",
        ));
    }
    let profile = line
        .profile
        .ok_or_else(|| Failure::new(Kind::Usage, "the request lacks its `profile`"))?;
    let grant = profile.grant.unwrap_or_default();
    let client = Client {
        id: required(profile.client_id, "client_id")?,
        authority: required(profile.authority, "authority")?,
        redirect_uri: match grant.get("redirect_uri") {
            None => REDIRECT_URI.to_owned(),
            Some(Value::String(uri)) => uri.clone(),
            Some(_) => return Err(wrong("redirect_uri", "a string")),
        },
    };
    let broker_timeout = match grant.get("broker_timeout") {
        None => BROKER_TIMEOUT,
        Some(seconds) => seconds
            .as_u64()
            .filter(|seconds| (1..=3600).contains(seconds))
            .ok_or_else(|| wrong("broker_timeout", "a number of seconds, from 1 to 3600"))?,
    };
    let mut scopes = line.scopes.unwrap_or_default();
    scopes.retain(|scope| !OWN_SCOPES.contains(&&**scope));
    if scopes.is_empty() {
        return Err(Failure::new(
            Kind::Config,
            "the identity broker is asked for `scopes`, and the profile has none but \
             `openid`, `profile` and `offline_access`",
        ));
    }
    let acquire = Acquire {
        profile: profile.name,
        client,
        scopes,
        claims: line.claims.map(|claims| match claims {
            Claims::Text(text) => text,
            Claims::Object(object) => Value::Object(object).to_string(),
        }),
        account: line.account.filter(|account| !account.is_empty()),
        min_valid: line.min_valid.unwrap_or(0),
        force_refresh: line.force_refresh.unwrap_or(false),
        may_ask: match line.interactive {
            Some(Interactive::Always) => true,
            Some(Interactive::Auto) => has_desktop,
            Some(Interactive::Never) | None => false,
        },
    };
    Ok(Request {
        acquire,
        broker_timeout,
    })
}

fn wrong(key: &str, right: &str) -> Failure {
    Failure::new(
        Kind::Config,
        format!("`{key}` of the grant `plugin` is {right}"),
    )
}

fn required(value: Option<String>, key: &str) -> Result<String, Failure> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Failure::new(
            Kind::Config,
            format!("the identity broker is asked with a `{key}`, and the profile has none"),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parse;
    use crate::failure::Kind;

    fn with(changes: &Value) -> Value {
        let mut request = json!({
            "v": 1, "kind": "acquire", "id": 7, "scopes": ["User.Read"],
            "profile": {"name": "graph", "client_id": "1", "authority": "https://a/t"},
        });
        for (name, value) in changes.as_object().expect("an object") {
            request[name] = value.clone();
        }
        request
    }

    fn profile(key: &str, value: Value) -> Value {
        let mut request = with(&json!({}));
        request["profile"][key] = value;
        request
    }

    #[test]
    fn a_wrong_request_is_told_by_kind_with_its_id() {
        let grant =
            |key: &str, value: Value| profile("grant", json!({"type": "plugin", key: value}));
        for (request, kind, part) in [
            (with(&json!({"v": 2})), Kind::Usage, "version 1"),
            (with(&json!({"kind": "get"})), Kind::Usage, "`acquire`"),
            (with(&json!({"kind": null})), Kind::Usage, "`acquire`"),
            (with(&json!({"scopes": "a"})), Kind::Usage, "wrong type"),
            (
                with(&json!({"interactive": "x"})),
                Kind::Usage,
                "wrong type",
            ),
            (with(&json!({"profile": null})), Kind::Usage, "`profile`"),
            (with(&json!({"scopes": []})), Kind::Config, "`scopes`"),
            (
                with(&json!({"scopes": ["openid"]})),
                Kind::Config,
                "`scopes`",
            ),
            (
                profile("client_id", json!(null)),
                Kind::Config,
                "`client_id`",
            ),
            (profile("authority", json!("")), Kind::Config, "`authority`"),
            (
                grant("redirect_uri", json!(1)),
                Kind::Config,
                "`redirect_uri`",
            ),
            (grant("broker_timeout", json!("9")), Kind::Config, "seconds"),
            (grant("broker_timeout", json!(0)), Kind::Config, "seconds"),
        ] {
            let (id, parsed) = parse(request.to_string().as_bytes(), true);
            let failure = parsed.expect_err(&request.to_string());
            assert_eq!((id, failure.kind), (Some(json!(7)), kind), "{request}");
            assert!(failure.message.contains(part), "{}", failure.message);
        }
        for line in ["", "{", "[]", "1", "\u{0}"] {
            let (id, parsed) = parse(line.as_bytes(), true);
            assert_eq!(id, None);
            assert_eq!(parsed.expect_err(line).kind, Kind::Usage);
        }
    }

    #[test]
    fn a_request_says_who_may_be_asked_and_for_what() {
        let parsed = |changes: Value, has_desktop: bool| {
            let line = with(&changes).to_string();
            parse(line.as_bytes(), has_desktop).1.expect("it is right")
        };
        for (interactive, has_desktop, may_ask) in [
            (json!("never"), true, false),
            (json!(null), true, false),
            (json!("auto"), false, false),
            (json!("auto"), true, true),
            (json!("always"), false, true),
        ] {
            let request = parsed(json!({"interactive": interactive}), has_desktop);
            assert_eq!(request.acquire.may_ask, may_ask, "{interactive}");
        }
        let scopes = json!({"scopes": ["openid", "a/.default", "profile", "offline_access"]});
        assert_eq!(parsed(scopes, true).acquire.scopes, ["a/.default"]);
        for (claims, expected) in [
            (json!(null), None),
            (json!("{\"a\":1}"), Some("{\"a\":1}")),
            (json!({"a": 1}), Some("{\"a\":1}")),
        ] {
            let request = parsed(json!({"claims": claims}), true);
            assert_eq!(request.acquire.claims.as_deref(), expected);
        }
    }
}

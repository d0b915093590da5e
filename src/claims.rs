//! Claims requests ([OpenID Connect Core §5.5](https://openid.net/specs/openid-connect-core-1_0.html#ClaimsParameter))
//! and claims challenges
//! (<https://learn.microsoft.com/entra/identity-platform/claims-challenge>).

use serde_json::{Map, Value, json};

use crate::encoding::from_base64;

/// Reads claims: a JSON object, or one in base64, as a `WWW-Authenticate` header carries it.
///
/// # Errors
/// Why it is neither, in words.
pub fn read(text: &str) -> Result<String, String> {
    let text = text.trim();
    let decoded = match text.starts_with('{') {
        true => None,
        false => from_base64(text).and_then(|bytes| String::from_utf8(bytes).ok()),
    };
    let claims = decoded.unwrap_or_else(|| text.to_owned());
    match serde_json::from_str::<Map<String, Value>>(&claims) {
        // Written in one way: equal claims are asked for once.
        Ok(claims) => Ok(Value::Object(claims).to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The claims to send for a client with these capabilities: Entra takes them as values of the claim
/// `xms_cc` of the access token.
pub fn with_capabilities(claims: Option<&str>, capabilities: &[String]) -> Option<String> {
    if capabilities.is_empty() {
        return claims.map(String::from);
    }
    let mut merged = claims
        .and_then(|claims| serde_json::from_str(claims).ok())
        .unwrap_or(Value::Null);
    let own = json!({ "access_token": { "xms_cc": { "values": capabilities } } });
    merge(&mut merged, own);
    Some(merged.to_string())
}

/// The capabilities that [`with_capabilities`] put into claims, for those who take them by themselves.
pub fn capabilities(claims: &str) -> Vec<String> {
    let claims: Value = serde_json::from_str(claims).unwrap_or_default();
    let values = claims["access_token"]["xms_cc"]["values"].as_array();
    let texts = values.into_iter().flatten().filter_map(Value::as_str);
    texts.map(String::from).collect()
}

/// Lays `over` above `under`, object by object.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests {
    use super::{read, with_capabilities};

    #[test]
    fn a_challenge_is_read_as_the_header_writes_it() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;
        for written in [
            claims,
            " {\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"1604106651\"}}}\n",
            "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ==",
            "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ",
        ] {
            assert_eq!(read(written).as_deref(), Ok(claims), "{written}");
        }
        // `~` and `?` lie where the two alphabets differ.
        for written in ["eyJ-Pz8iOjF9", "eyJ+Pz8iOjF9"] {
            assert_eq!(read(written).as_deref(), Ok(r#"{"~??":1}"#), "{written}");
        }
        assert_eq!(
            read(r#"{ "b": 2, "a": 1 }"#),
            read(r#"{"a":1,"b":2}"#),
            "equal claims are written alike"
        );
        for written in ["", "[]", "1", "{", "e30x!", "W10="] {
            assert!(read(written).is_err(), "{written}");
        }
    }

    #[test]
    fn capabilities_and_a_challenge_are_merged() {
        let cp1 = ["CP1".to_owned()];
        for (claims, capabilities, sent) in [
            (None, &[][..], None),
            (Some(r#"{"a":1}"#), &[], Some(r#"{"a":1}"#)),
            (
                None,
                &cp1,
                Some(r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
            ),
            // A challenge does not say what the client can do.
            (
                Some(r#"{"access_token":null}"#),
                &cp1,
                Some(r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
            ),
            (
                Some(r#"{"access_token":{"xms_cc":{"values":["x"]}}}"#),
                &cp1,
                Some(r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
            ),
            (
                Some(r#"{"access_token":{"nbf":{"value":"1"}},"id_token":null}"#),
                &cp1,
                Some(
                    r#"{"access_token":{"nbf":{"value":"1"},"xms_cc":{"values":["CP1"]}},"id_token":null}"#,
                ),
            ),
        ] {
            assert_eq!(with_capabilities(claims, capabilities).as_deref(), sent);
        }
    }
}

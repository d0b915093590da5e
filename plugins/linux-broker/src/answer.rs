//! A line of cred-helper's plugin protocol (docs/protocol.md), written.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::broker::Token;
use crate::failure::Failure;

/// The first line: the versions that are spoken.
pub(crate) const HELLO: &str = "{\"v\":[1]}\n";

/// What ends a request.
pub(crate) fn encode(id: Option<&Value>, verdict: &Result<Token, Failure>) -> Zeroizing<String> {
    line(match verdict {
        Ok(token) => with_id(id, json!({ "Ok": of_token(token) })),
        Err(failure) => with_id(id, json!({ "Err": of_failure(failure) })),
    })
}

/// What the person is to see meanwhile.
pub(crate) fn message(id: Option<&Value>, text: &str) -> Zeroizing<String> {
    line(with_id(id, json!({"kind": "message", "message": text})))
}

fn of_token(token: &Token) -> Value {
    let Token {
        access_token,
        id_token,
        expires_in,
        scopes,
        username,
    } = token;
    let mut answer = json!({"kind": "acquire", "access_token": access_token.expose()});
    if let Some(id_token) = id_token {
        answer["id_token"] = id_token.expose().into();
    }
    if let Some(expires_in) = expires_in {
        answer["expires_in"] = (*expires_in).into();
    }
    if let Some(username) = username {
        answer["account"] = username.as_str().into();
    }
    if !scopes.is_empty() {
        answer["scopes"] = scopes.as_slice().into();
    }
    answer
}

fn of_failure(failure: &Failure) -> Value {
    let Failure {
        kind,
        message,
        hint,
        next,
    } = failure;
    json!({"kind": kind.name(), "message": message, "hint": hint, "next": next})
}

fn with_id(id: Option<&Value>, mut answer: Value) -> Value {
    if let Some(id) = id {
        answer["id"] = id.clone();
    }
    answer
}

fn line(answer: Value) -> Zeroizing<String> {
    Zeroizing::new(format!("{answer}\n"))
}

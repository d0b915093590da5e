//! What the services of managed identities answer: numbers as strings, times as dates, and errors in
//! four shapes.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Attempt, IdKind};
use crate::context::HttpResponse;
use crate::error::{Error, ErrorKind, OAuthError};
use crate::oauth::client::Client;
use crate::oauth::metadata::Server;
use crate::oauth::response;
use crate::text::printable;
use crate::token::{Timestamp, TokenSet};

/// From how long a life on is a token replaced after half of it? Azure's own libraries have it so.
const LONG_LIFE: i64 = 7200;

/// What they say beyond RFC 6749.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    expires_on: Value,
    client_id: Value,
    object_id: Value,
    msi_res_id: Value,
    mi_res_id: Value,
}

/// Reads the token.
///
/// # Errors
/// What is in the answer instead.
pub(super) fn read(
    response: &HttpResponse,
    attempt: &Attempt<'_>,
    client: &Client,
) -> Result<TokenSet, Error> {
    if !(200..300).contains(&response.status) {
        return Err(error(response, attempt));
    }
    let now = attempt.context.clock.now();
    let token_set =
        response::token_set(response, client, &Server::default(), now).map_err(|failure| {
            let name = attempt.profile;
            let error = failure.into_error(&format!(
                "profile `{name}`: the managed identity of {} gave no token",
                attempt.host().name
            ));
            error.hint("nothing was lost; try again later")
        })?;
    let members: Members = serde_json::from_slice(&response.body).unwrap_or_default();
    if attempt.host().has_to_confirm_id {
        confirm(&members, attempt)?;
    }
    // Some tell how long a token lives, some when it ends, and some a life that was longer when they
    // got the token themselves.
    let end = date(&members.expires_on);
    let ends = [token_set.expires_at, end].into_iter().flatten();
    let expires_at = ends.min();
    let life = expires_at.map_or(0, |end| end.since(now));
    let half = || (life >= LONG_LIFE).then(|| now.plus(life / 2));
    Ok(TokenSet {
        expires_at,
        refresh_at: token_set.refresh_at.or_else(half),
        // None is needed, and nobody would redeem it.
        ..token_set.without_refresh_token()
    })
}

/// A service that does not know ids gives the token of another identity without a word.
fn confirm(members: &Members, attempt: &Attempt<'_>) -> Result<(), Error> {
    let Some((kind, id)) = attempt.id else {
        return Ok(());
    };
    let told = match kind {
        IdKind::Client => [&members.client_id, &Value::Null],
        IdKind::Object => [&members.object_id, &Value::Null],
        IdKind::Resource => [&members.msi_res_id, &members.mi_res_id],
    };
    let told = told.into_iter().find_map(Value::as_str).unwrap_or_default();
    if told.eq_ignore_ascii_case(id) {
        return Ok(());
    }
    let problem = format!("did not give the token of `{id}`");
    let error = attempt
        .error(ErrorKind::Denied, &problem)
        .because(match told {
            "" => {
                "its answer names no identity, as that of agents that know the machine's own alone"
            }
            _ => "its answer names another identity",
        });
    Err(error.hint("update the agent (`azcmagent`), or leave the id out for the machine's own"))
}

/// When a token ends: seconds since 1970, or a date, as older services write it.
fn date(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = response::whole_seconds(value) {
        return Some(Timestamp(0).plus(seconds));
    }
    // `2030-01-31T23:59:59.000Z`, `01/31/2030 23:59:59 +00:00` or `1/31/2030 11:59:59 PM +00:00`.
    let text = value.as_str()?;
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse::<u32>().ok());
    let mut next = || numbers.next().flatten();
    let (first, second, third) = (next()?, next()?, next()?);
    let (hour, minute, whole_second) = (next()?, next()?, next()?);
    let (year, month, day) = match first > 31 {
        true => (first, second, third),
        false => (third, first, second),
    };
    let hour = match (text.contains("PM"), text.contains("AM")) {
        (true, _) => hour % 12 + 12,
        (_, true) => hour % 12,
        _ => hour,
    };
    let utc = text.ends_with('Z') || text.ends_with("+00:00");
    let written = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{whole_second:02}Z");
    let time = humantime::parse_rfc3339(&written).ok();
    time.filter(|_| utc).map(Timestamp::from)
}

/// The error of an answer without a token.
pub(super) fn error(response: &HttpResponse, attempt: &Attempt<'_>) -> Error {
    let status = response.status;
    let said = said(response);
    if attempt.host().is_trouble(status) {
        let error = attempt.error(ErrorKind::Unavailable, "cannot answer now");
        let error = error.because(format!("HTTP status {status}"));
        let error = match said {
            Some(said) => error.oauth(said),
            None => error,
        };
        return error.hint(match status {
            404 => "nothing was lost; if it stays so, this is no machine in Azure",
            _ => "nothing was lost; try again later",
        });
    }
    let Some(said) = said.filter(|_| (400..500).contains(&status)) else {
        let error = attempt.error(
            ErrorKind::Unavailable,
            "gave an answer that is none of its own",
        );
        return error
            .because(format!("HTTP status {status}"))
            .because(&attempt.found.because)
            .hint("is this a machine in Azure? elsewhere use another `grant`");
    };
    let words = said.error_description.as_deref().unwrap_or_default();
    let is_about_resource = said.error == "invalid_resource" || words.contains("AADSTS500011");
    let hint = match attempt.id {
        _ if is_about_resource => {
            "check the profile's `scopes`: the resource as its documentation writes it, and `/.default`"
        }
        Some(_) => {
            "check the id in the profile's `grant`, and that this identity is assigned to what runs here"
        }
        None => {
            "assign an identity to what runs here; if it has several, name one: \
             `grant = { type = \"managed_identity\", client_id = \"…\" }`"
        }
    };
    attempt
        .error(ErrorKind::Denied, "refused")
        .because(format!("HTTP status {status}"))
        .oauth(said)
        .hint(hint)
}

/// What the service says, in whichever shape: OAuth's own; `{"error": {"code", "message"}}`; or
/// `statusCode` and `message`, in small letters or not.
fn said(response: &HttpResponse) -> Option<OAuthError> {
    let members: Map<String, Value> = serde_json::from_slice(&response.body).ok()?;
    let members = in_small_letters(&members);
    let inner = members.get("error").and_then(Value::as_object);
    let inner = inner.map(in_small_letters).unwrap_or_default();
    let text = |names: &[&str]| {
        let mut values = names
            .iter()
            .flat_map(|name| [inner.get(*name), members.get(*name)])
            .flatten();
        let found = values.find_map(Value::as_str);
        found.map(printable).filter(|text| !text.is_empty())
    };
    let code = text(&["code", "error", "errorcode"]);
    let description = text(&["error_description", "message", "exceptionmessage"]);
    if code.is_none() && description.is_none() {
        return None;
    }
    Some(OAuthError {
        error: code.unwrap_or_else(|| "invalid_request".to_owned()),
        error_description: description,
        correlation_id: text(&["correlation_id", "correlationid", "activityid"]),
        trace_id: text(&["trace_id"]),
        ..OAuthError::default()
    })
}

fn in_small_letters(members: &Map<String, Value>) -> Map<String, Value> {
    let members = members.iter();
    let small = members.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    small.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{date, said};
    use crate::context::HttpResponse;
    use crate::token::Timestamp;

    #[test]
    fn a_time_is_read_in_every_form_that_azure_writes() {
        let end = Some(Timestamp(1_896_134_399));
        for (written, expected) in [
            (json!("1896134399"), end),
            (json!(1_896_134_399), end),
            (json!("01/31/2030 23:59:59 +00:00"), end),
            (json!("1/31/2030 11:59:59 PM +00:00"), end),
            (json!("2030-01-31T23:59:59Z"), end),
            (json!("2030-01-31T23:59:59.0000000+00:00"), end),
            (
                json!("1/31/2030 12:00:01 AM +00:00"),
                Some(Timestamp(1_896_048_001)),
            ),
            (
                json!("1/31/2030 12:00:01 PM +00:00"),
                Some(Timestamp(1_896_091_201)),
            ),
            (json!("01/31/2030 23:59:59 +02:00"), None),
            (json!("31/31/2030 23:59:59 +00:00"), None),
            (json!("99999999999999999999/1/1"), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!({}), None),
        ] {
            assert_eq!(date(&written), expected, "{written}");
        }
    }

    #[test]
    fn an_error_is_read_in_every_shape() {
        for (body, error, description, id) in [
            (
                json!({"error": "invalid_request", "error_description": "Identity not found"}),
                "invalid_request",
                "Identity not found",
                None,
            ),
            (
                json!({"error": {"correlationId": "7f", "code": "ManagedIdentityNotFound",
                                 "message": "Managed identity not found"}}),
                "ManagedIdentityNotFound",
                "Managed identity not found",
                Some("7f"),
            ),
            (
                json!({"statusCode": 400, "message": "Unable to load\u{1b}[31m requested managed identity.",
                       "correlationId": "52"}),
                "invalid_request",
                "Unable to load[31m requested managed identity.",
                Some("52"),
            ),
            (
                json!({"StatusCode": 400, "Message": "No User Assigned Identity", "ActivityId": "6a"}),
                "invalid_request",
                "No User Assigned Identity",
                Some("6a"),
            ),
        ] {
            let response = HttpResponse {
                status: 400,
                headers: Vec::new(),
                body: body.to_string().into_bytes().into(),
            };
            let said = said(&response).expect("it says something");
            assert_eq!(said.error, error, "{body}");
            assert_eq!(
                said.error_description.as_deref(),
                Some(description),
                "{body}"
            );
            assert_eq!(said.correlation_id.as_deref(), id, "{body}");
        }
    }
}

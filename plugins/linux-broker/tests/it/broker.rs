//! What a broker answers.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::scene::Script;

pub(crate) const ACCOUNTS: &str = "getAccounts";
pub(crate) const SILENTLY: &str = "acquireTokenSilently";
pub(crate) const INTERACTIVELY: &str = "acquireTokenInteractively";

pub(crate) fn account(username: &str) -> Value {
    json!({
        "clientInfo": "e30", "environment": "login.windows.net", "givenName": "Ada",
        "homeAccountId": "1.2", "localAccountId": "1", "name": "Ada", "passwordExpiry": 0,
        "realm": "2", "username": username,
    })
}

fn accounts(usernames: &[&str]) -> Value {
    let accounts: Vec<Value> = usernames.iter().copied().map(account).collect();
    json!({ "accounts": accounts })
}

/// Milliseconds since 1970 in an hour, as the broker counts.
pub(crate) fn in_an_hour() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the plugin has the machine's clock"
    )]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the end of time") + 3_600_000
}

pub(crate) fn token(token: &str, username: &str) -> Value {
    json!({"brokerTokenResponse": {
        "accessToken": token, "accessTokenType": 0, "account": account(username),
        "clientInfo": "e30", "expiresOn": in_an_hour(), "extendedExpiresOn": in_an_hour(),
        "grantedScopes": "User.Read profile", "idToken": "aGVhZA.Ym9keQ.c2lnbg",
        "refreshToken": "canary-refresh",
    }, "telemetry": {"is_successful": "true"}})
}

pub(crate) fn refusal(status: i64, context: &str) -> Value {
    json!({"brokerTokenResponse": {"accessTokenType": 0, "expiresOn": 0, "error": {
        "context": context, "diagnostics": null, "errorCode": 0, "status": status,
        "subStatus": 0, "tag": 593_819_521,
    }}})
}

/// A broker with these accounts.
pub(crate) fn with(usernames: &[&str]) -> Script {
    Script::default().answer(ACCOUNTS, &accounts(usernames))
}

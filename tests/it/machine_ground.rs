//! Sessions of machines, among others: what the tests of their grants share.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::oidc_provider::OidcProvider;
use crate::support::Sandbox;

/// The sessions of this grant, with what they hold.
pub(crate) fn sessions_of(sandbox: &Sandbox, grant: &str) -> Vec<(PathBuf, Value)> {
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a session can be read");
        let session: Value = serde_json::from_slice(&bytes).expect("a session is JSON");
        (path, session)
    };
    let is_of = |(_, session): &(PathBuf, Value)| {
        let identity = session["content"]["identity"].as_array();
        identity.is_some_and(|identity| identity.contains(&json!(["grant", grant])))
    };
    let sessions = sandbox.sessions().into_iter().map(read);
    sessions.filter(is_of).collect()
}

/// The only session of this grant.
pub(crate) fn session_of(sandbox: &Sandbox, grant: &str) -> Value {
    let mut sessions = sessions_of(sandbox, grant);
    assert_eq!(sessions.len(), 1, "there is one: {sessions:?}");
    sessions.remove(0).1
}

/// Makes every access token of this grant's sessions a day older.
pub(crate) fn expire(sandbox: &Sandbox, grant: &str) {
    const DAY: i64 = 24 * 3600;
    for (path, mut session) in sessions_of(sandbox, grant) {
        let accounts = session["content"]["accounts"].as_array_mut();
        for account in accounts.expect("it has accounts") {
            let tokens = account["access_tokens"].as_array_mut();
            for token in tokens.expect("an account has tokens") {
                for time in ["issued_at", "expires_at"] {
                    token[time] = token[time].as_i64().map(|then| then - DAY).into();
                }
            }
        }
        fs::write(path, session.to_string()).expect("it can be written");
    }
}

/// Signs ada in for a profile at a terminal.
pub(crate) fn sign_in(authority: &OidcProvider, sandbox: &Sandbox, profile: &str) {
    let terminal = sandbox.in_terminal(&format!("cred-helper login -p {profile} >/dev/null"));
    authority.approve(None, "ada");
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
}

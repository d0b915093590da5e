//! How somebody would sign in here: by which browser, at which terminal, or not at all.

use super::{Case, Check, Finding};
use crate::credential::Interactive;
use crate::error::{Error, ErrorKind};
use crate::grant::Asks;
use crate::text::printable;

/// The line in the table.
pub(super) const CHECK: Check = Check {
    name: "sign_in",
    look,
};

fn look(case: &Case<'_>) -> Vec<Finding> {
    let asks = |asks: Asks| asks != Asks::Nobody;
    if !case
        .profiles
        .iter()
        .any(|profile| asks(profile.grant.asks()))
    {
        return Vec::new();
    }
    vec![terminal(case), browser(case)]
}

fn terminal(case: &Case<'_>) -> Finding {
    const NAME: &str = "CRED_HELPER_INTERACTIVE";
    let environment = case.context.environment;
    let set = environment.variable(NAME);
    let interactive = set.as_deref().map(Interactive::parse);
    match interactive {
        Some(None) => {
            let set = printable(&set.unwrap_or_default());
            let error = Error::new(ErrorKind::Usage, format!("{NAME} `{set}` is unknown"));
            Finding::error("terminal", &error.hint("use auto, never or always"))
        }
        Some(Some(Interactive::Never)) => Finding::ok(
            "terminal",
            "nobody is asked to sign in: CRED_HELPER_INTERACTIVE says never",
        ),
        Some(Some(Interactive::Always)) => Finding::ok(
            "terminal",
            "somebody is asked to sign in with or without a terminal: CRED_HELPER_INTERACTIVE says always",
        ),
        _ if environment.is_ci() => Finding::ok(
            "terminal",
            "nobody is asked to sign in: this is continuous integration, as `CI` says",
        ),
        _ if case.context.terminal.is_available() => Finding::ok(
            "terminal",
            "somebody can be asked to sign in, at this terminal",
        ),
        _ => Finding::ok(
            "terminal",
            "there is no terminal here: tools are told that a sign-in is needed, and nobody is asked",
        ),
    }
}

fn browser(case: &Case<'_>) -> Finding {
    let reason = match case.context.browser.found() {
        Ok(found) => {
            return Finding::ok("browser", &format!("a sign-in opens a browser: {found}"));
        }
        Err(reason) => reason,
    };
    // Which of them knows nothing else.
    let mut profiles = case.profiles.iter();
    match profiles.find(|profile| profile.grant_name == "authorization_code") {
        Some(profile) => Finding::warning(
            "browser",
            &format!(
                "profile `{}` signs in by a browser alone, and there is none: {reason}",
                profile.name
            ),
        )
        .hint(
            "open the address that it shows on another machine, and paste the one that it ends on; or leave \
             out `grant`",
        ),
        None => Finding::ok(
            "browser",
            &format!("a sign-in shows a code, for any device: {reason}"),
        ),
    }
}

//! How sessions are sealed, why not, and whether that works.

use super::{Case, Check, Finding};
use crate::store::examination::Examination;
use crate::store::maintenance::Maintenance;
use crate::store::seal::Seal;

/// The line in the table.
pub(super) const CHECK: Check = Check { name: "seal", look };

fn look(case: &Case<'_>) -> Vec<Finding> {
    let examination = case.examination();
    if !examination.directory_problems().is_empty() {
        let message = "cannot be told before the directory of sessions is in order";
        let finding = Finding::warning("choice", message);
        return vec![finding.hint("mend what `store.directory` says")];
    }
    let (seal, unsealed) = match examination.seal() {
        Ok(found) => found,
        Err(error) => return vec![Finding::error("choice", &error)],
    };
    let mut findings = vec![choice(case, &examination, seal, unsealed.as_deref())];
    if seal.has_keys() {
        findings.push(key(&examination, seal));
        let usable = examination.is_key_cache_usable(case.key_cache);
        findings.extend(usable.map(cache));
    }
    findings.extend(files(case, &examination, seal));
    findings
}

fn choice(
    case: &Case<'_>,
    examination: &Examination<'_>,
    seal: &Seal,
    unsealed: Option<&str>,
) -> Finding {
    let name = seal.name;
    let best = examination.best_seal();
    let better = best.filter(|(best, _)| best.has_keys() && !seal.has_keys());
    if let Some((better, _)) = better {
        let message = "sessions are not sealed, as when there was no keyring, and there is one now";
        let hint = format!("run `cred-helper store migrate --to {}`", better.name);
        return Finding::warning("choice", message).hint(&hint);
    }
    let is_configured = case.configuration.sealing().configured().is_some();
    let Some(reason) = unsealed else {
        let by = match is_configured {
            true => "as the configuration says",
            false => "by `auto`",
        };
        let message = match seal.has_keys() {
            true => format!("new sessions are sealed by `{name}`, {by}"),
            false => format!("new sessions are not sealed, {by}"),
        };
        return Finding::ok("choice", &message);
    };
    let message = format!(
        "new sessions are not sealed, and lie there for whoever can read your files: {reason}"
    );
    Finding::warning("choice", &message).hint(
        "start a keyring, or name a `command` that prints a key below `[store]`; `seal = \"none\"` \
         there says that it is to be so",
    )
}

fn key(examination: &Examination<'_>, seal: &'static Seal) -> Finding {
    match examination.is_locked(seal) {
        Ok(false) => {}
        Ok(true) => {
            return Finding::warning(
                "key",
                "the keyring is locked: the next call that needs it has a window ask for its password",
            )
            .hint("unlock it, as by logging in at the desktop");
        }
        Err(error) => return Finding::error("key", &error),
    }
    match examination.round_trip(seal) {
        Ok(()) => Finding::ok(
            "key",
            "a session with a token of 64 KB was sealed, and opened again",
        ),
        Err(error) => Finding::error("key", &error),
    }
}

fn cache(is_usable: bool) -> Finding {
    if is_usable {
        return Finding::ok("cache", "the kernel's keyring holds the key for a while");
    }
    Finding::warning(
        "cache",
        "the kernel's keyring holds nothing here, so that every call asks for the key anew",
    )
    .hint(
        "a container's or a service's filter of system calls may forbid `keyctl`; `key_cache = \"0s\"` \
         below `[store]` says that it is to be so",
    )
}

/// Whether the session files open, and whether some lie open that need not.
fn files(case: &Case<'_>, examination: &Examination<'_>, seal: &Seal) -> Vec<Finding> {
    let mut findings = Vec::new();
    let opened = examination.open_all();
    findings.extend(
        opened
            .failed
            .iter()
            .map(|error| Finding::error("file", error)),
    );
    if opened.locked > 0 {
        let message = format!(
            "{} sealed with a key of the keyring, which is locked",
            are(opened.locked)
        );
        findings.push(
            Finding::warning("file", &message).hint("unlock it, as by logging in at the desktop"),
        );
    }
    if opened.count > 0 {
        let message = format!("{} sealed, and open with their keys", are(opened.count));
        findings.push(Finding::ok("file", &message));
    }
    let sealing = case.configuration.sealing();
    let timeout = case.configuration.lock_timeout();
    let listed = Maintenance::new(case.state, sealing, timeout, &case.context).list();
    let listed = listed.unwrap_or_default();
    let is_plain = |seal: &&Seal| !seal.has_keys();
    let plain = listed
        .iter()
        .filter_map(|listed| Some(listed.seal.as_ref().ok()?.0));
    let plain = plain.filter(is_plain).count();
    if plain > 0 && seal.has_keys() {
        let message = format!("{} not sealed, though new ones are", are(plain));
        let hint = format!("run `cred-helper store migrate --to {}`", seal.name);
        findings.push(Finding::warning("plain", &message).hint(&hint));
    }
    findings
}

fn are(count: usize) -> String {
    match count {
        1 => "1 session is".to_owned(),
        count => format!("{count} sessions are"),
    }
}

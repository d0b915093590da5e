//! Each profile's sign-in: whose it is, until when, and what stands in its way.

use std::sync::Arc;

use super::{Case, Check, Finding, Status};
use crate::acquire::{self, AccountStatus, StatusRow};
use crate::error::{Error, ErrorKind};
use crate::grant::Asks;
use crate::profile::Profile;
use crate::store::examination::Examination;
use crate::store::seal::KeysAtHand;

/// The line in the table.
pub(super) const CHECK: Check = Check {
    name: "session",
    look,
};

fn look(case: &Case<'_>) -> Vec<Finding> {
    let examination = case.examination();
    let keys = Arc::default();
    let profiles = case.profiles.iter();
    profiles
        .flat_map(|profile| of(case, &examination, &keys, profile))
        .collect()
}

fn of(
    case: &Case<'_>,
    examination: &Examination<'_>,
    keys: &Arc<KeysAtHand>,
    profile: &Profile,
) -> Vec<Finding> {
    let configuration = case.configuration;
    let store = profile.store(case.state, configuration).with_keys(keys);
    let name = &profile.name;
    let row = match examination.opens_unasked(&store.path()) {
        Ok(true) => {
            let (row, read) = acquire::status(profile, &store, &case.context);
            read.map(|()| row)
        }
        Ok(false) => {
            let message = "nobody can tell before the keyring is unlocked";
            let hint = "unlock it, as by logging in at the desktop";
            return vec![Finding::warning(name, message).hint(hint)];
        }
        Err(error) => Err(error),
    };
    match row {
        Ok(row) => {
            let mut findings = accounts(case, profile, &row);
            findings.extend(secrets(case, profile));
            findings
        }
        // What is wrong with the file was told.
        Err(error) => {
            let message = format!("nobody can tell: {}", error.message());
            let hint = error.hint_text().unwrap_or("mend what is said above");
            vec![Finding::warning(name, &message).hint(hint)]
        }
    }
}

/// What a request would lack. Only what can be seen without asking anybody: a keyring and commands are not
/// asked.
fn secrets(case: &Case<'_>, profile: &Profile) -> Vec<Finding> {
    let sources = profile.client.authentication.sources().into_iter();
    sources
        .filter_map(|(key, source)| {
            let reason = source.absence(&case.context)?;
            let message = format!("`{key}` cannot be had: {reason}");
            Some(
                Finding::warning(&profile.name, &message)
                    .hint("give it where it is needed, or correct the profile"),
            )
        })
        .collect()
}

fn accounts(case: &Case<'_>, profile: &Profile, row: &StatusRow) -> Vec<Finding> {
    let name = &profile.name;
    if row.accounts.is_empty() {
        return vec![match profile.grant.asks() {
            Asks::Person => Finding::warning(name, "nobody is signed in").hint(&sign_in(name)),
            Asks::Nobody | Asks::PersonIfNeeded => {
                let message = format!("the first call signs in, by `{}`", row.grant);
                Finding::ok(name, &message)
            }
        }];
    }
    let accounts = row.accounts.iter();
    let now = case.context.clock.now().rfc3339();
    let mut names = case.names.borrow_mut();
    names.extend(
        row.accounts
            .iter()
            .filter_map(|account| account.account.clone()),
    );
    accounts
        .map(|account| one(profile, account, &now))
        .collect()
}

fn one(profile: &Profile, account: &AccountStatus, now: &str) -> Finding {
    let name = &profile.name;
    let who = account.account.as_deref().unwrap_or("somebody");
    if let Some(since) = &account.waiting_since {
        let message = format!("{who} is asked to sign in since {since}");
        return Finding::warning(name, &message).hint("finish that sign-in");
    }
    let failed = account.failed.error.as_ref();
    if let Some((error, until)) = failed.zip(account.failed.refreshed_again_after.as_ref()) {
        let message = format!("{who}: the last refresh failed, tried again after {until}: {error}");
        let is_valid = account
            .access_expires_at
            .as_deref()
            .is_some_and(|end| end > now);
        let status = match is_valid {
            true => Status::Warning,
            false => Status::Error(error.kind()),
        };
        let hint = match (error.kind(), error.hint_text()) {
            (ErrorKind::LoginRequired, _) => sign_in(name),
            (_, Some(hint)) => hint.to_owned(),
            (_, None) => "try again after that".to_owned(),
        };
        return Finding::new(name, status, &message).hint(&hint);
    }
    if let Some(until) = &account.asked_again_after {
        let message =
            format!("{who}: a sign-in was refused or given up; calls ask again after {until}");
        return Finding::warning(name, &message).hint(&sign_in(name));
    }
    let is_machine = profile.grant.asks() != Asks::Person;
    let until = account.access_expires_at.as_deref();
    if !account.signed_in && !is_machine {
        let message = format!("{who} was signed in, and nothing valid is left");
        return Finding::warning(name, &message).hint(&sign_in(name));
    }
    let access = until.map_or_else(String::new, |until| match until > now {
        true => format!(", access until {until}"),
        false => format!(", access ended at {until}"),
    });
    let refresh = match (account.refreshable, &account.refresh_expires_at, is_machine) {
        (true, Some(until), _) => format!(", can be refreshed until {until}"),
        (true, None, _) => ", can be refreshed".to_owned(),
        (false, _, true) => ", signs in anew by itself".to_owned(),
        (false, ..) => ", cannot be refreshed".to_owned(),
    };
    let message = match is_machine {
        true => format!("`{}` has signed in{access}{refresh}", profile.grant_name),
        false => format!("{who} is signed in{access}{refresh}"),
    };
    if until.is_some() && !account.refreshable && !is_machine {
        let finding = Finding::warning(name, &message);
        return finding.hint(
            "a person has to sign in each time that it ends; the scope `offline_access` asks most \
             authorities for a refresh token",
        );
    }
    Finding::ok(name, &message)
}

fn sign_in(name: &str) -> String {
    let error = Error::new(ErrorKind::LoginRequired, "");
    let error = error.next(["cred-helper", "login", "-p", name]);
    error.hint_text().unwrap_or_default().to_owned()
}

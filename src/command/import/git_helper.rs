//! git's configuration as git-credential-oauth (<https://github.com/hickford/git-credential-oauth>) and
//! Git Credential Manager
//! (<https://github.com/git-ecosystem/git-credential-manager/blob/main/docs/generic-oauth.md>) read it.
//!
//! It is git's to read: git lists it.

use std::collections::BTreeMap;

use url::Url;

use super::file::{Found, Input};
use crate::error::{Error, ErrorKind};
use crate::profile::route::Pattern;
use crate::text::printable_url;

/// Hosts that both programs know without being told.
const HOSTS: [(&str, &str); 5] = [
    ("github.com", "github"),
    ("gitlab.com", "gitlab"),
    ("bitbucket.org", "bitbucket"),
    ("codeberg.org", "gitea"),
    ("gitea.com", "gitea"),
];

pub(super) fn is(input: &Input<'_>) -> bool {
    let mut lines = input.text.lines().map(str::trim_start);
    lines.any(|line| line.to_lowercase().starts_with("[credential"))
}

pub(super) fn read(input: &Input<'_>) -> Result<Vec<Found>, Error> {
    let path = input.path.display().to_string();
    let listed = input.ask("git", &["config", "--file", &path, "--list", "-z"])?;
    // The last value of a key counts, but for `helper`.
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for entry in listed.expose().split('\0') {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        let of_url = key
            .strip_prefix("credential.")
            .and_then(|rest| rest.rsplit_once('.'));
        if let Some((url, key)) = of_url {
            sections.entry(url).or_default().insert(key, value);
        }
    }
    let mut all = Vec::new();
    for (url, keys) in &sections {
        if keys.keys().any(|key| key.starts_with("oauth")) {
            all.push(read_section(url, keys)?);
        }
    }
    Ok(all)
}

fn read_section(written: &str, keys: &BTreeMap<&str, &str>) -> Result<Found, Error> {
    // Without a scheme any is meant; tokens go to this one alone.
    let with_scheme = match written.contains("://") {
        true => written.to_owned(),
        false => format!("https://{written}"),
    };
    let url = Url::parse(&with_scheme).map_err(|error| {
        let written = printable_url(written);
        Error::new(
            ErrorKind::Config,
            format!("`credential.{written}` names no URL"),
        )
        .because(error)
        .hint("mend it in git's configuration")
    })?;
    let host = url.host_str().unwrap_or_default();
    let mut found = Found::new(host);
    let at = |path: &str| {
        url.join(path)
            .map_or_else(|_| path.to_owned(), |url| url.to_string())
    };
    let pattern = with_scheme.trim_end_matches('/').to_owned() + "/";
    match Pattern::parse(&pattern) {
        Ok(_) => found.put("urls", vec![pattern]),
        Err(problem) => found.leave(
            &printable_url(written),
            format!("no token goes there: {problem}"),
        ),
    }
    for (key, value) in keys {
        match *key {
            _ if value.is_empty() => {}
            "oauthclientid" => found.put("client_id", *value),
            "oauthclientsecret" => found.leave_secret(key, "client_secret", None),
            "oauthscopes" => {
                let scopes: Vec<&str> = value.split_whitespace().collect();
                found.put("scopes", scopes);
            }
            "oauthauthurl" | "oauthauthorizeendpoint" => {
                found.put_in("endpoints", "authorization", at(value));
            }
            "oauthtokenurl" | "oauthtokenendpoint" => found.put_in("endpoints", "token", at(value)),
            "oauthdeviceauthurl" | "oauthdeviceendpoint" => {
                found.put_in("endpoints", "device_authorization", at(value));
            }
            "oauthredirecturl" | "oauthredirecturi" => {
                found.put_in("grant", "redirect_uri", *value)
            }
            "oauthdefaultusername" => found.put("username", *value),
            "oauthresponsemode" if *value == "query" => {}
            "oauthuseclientauthheader" => {
                if *value == "false" && keys.contains_key("oauthclientsecret") {
                    found.put("client_auth_method", "client_secret_post");
                }
            }
            key if key.starts_with("oauth") => found.leave(key, "a profile has nothing like it"),
            key => found.leave(key, "it stays git's own"),
        }
    }
    if !found.keys.contains_key("scopes") {
        found.put("scopes", Vec::<String>::new());
    }
    let lacks = |name| {
        found
            .keys
            .get("endpoints")
            .and_then(|own| own.get(name))
            .is_none()
    };
    if lacks("token") || lacks("authorization") {
        let known = HOSTS.iter().find(|(own, _)| *own == host);
        // As git-credential-oauth guesses.
        let is_gitlab = host.starts_with("gitlab.");
        let preset = known.map(|(_, preset)| *preset);
        if let Some(preset) = preset.or(is_gitlab.then_some("gitlab")) {
            found.put("preset", preset);
            found.put("authority", url.origin().ascii_serialization());
        }
    }
    Ok(found)
}

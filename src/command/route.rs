//! `profile route`: which profile answers for a URL, and why.

use clap::ArgMatches;
use serde_json::json;

use super::profile::{is_json, no_file};
use super::{Shell, text as text_of};
use crate::context::Environment;
use crate::error::{Error, ErrorKind};
use crate::profile::route::{Nearness, Pattern, urls_of};
use crate::profile::{Configuration, MOST_CAUSES, Patterns, Route};
use crate::text::{printable, printable_url};

/// Which profile answers, and why.
pub(super) fn route(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<String, Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    let sent = text_of(matches, "url").unwrap_or_default();
    if configuration.profiles().next().is_none() {
        return Err(no_file(shell.location));
    }
    let named = Named::of(matches, shell.context.environment);
    let name = named.name.as_deref();
    let tool = text_of(matches, "tool");
    let patterns = Patterns::of(tool.as_deref());
    let (url, route) =
        route_of(&sent, patterns, name, &configuration).map_err(|error| named.explained(error))?;
    // The answer, and the error where there is none or two are equally good.
    let best = route
        .best(name, &url)
        .map_err(|error| named.explained(explained(error, &route)))?;
    let chosen = configuration.profile(&best.profile)?;
    let shown = printable_url(&url);
    if let Some(tool) = &tool {
        configuration.allow(tool, &chosen).map_err(|error| {
            let pattern = best.pattern.as_str();
            error.because(format!(
                "`{}` answers for `{shown}` by `{pattern}`",
                chosen.name
            ))
        })?;
    }
    let near = route.others();
    let near = near
        .iter()
        .filter(|other| other.mismatch.nearness <= Nearness::Domain);
    if is_json(matches) {
        let rows: Vec<_> = route
            .answers
            .iter()
            .map(|answer| json!({ "profile": answer.profile, "pattern": answer.pattern.as_str() }))
            .collect();
        let others: Vec<_> = near
            .map(|other| {
                json!({
                    "profile": other.profile,
                    "pattern": other.pattern.as_str(),
                    "why": other.mismatch.reason,
                })
            })
            .collect();
        let answer = json!({
            "profile": chosen.name, "url": shown, "tool": tool, "matches": rows, "others": others,
        });
        return Ok(format!("{answer}\n"));
    }
    let mut text = format!("{} answers for {shown}\n", chosen.name);
    let mut row = |profile: &str, pattern: &Pattern, why: &str| {
        text.push_str(&format!("  {profile}: `{}` {why}\n", pattern.as_str()));
    };
    for (index, answer) in route.answers.iter().enumerate() {
        let why = if index == 0 {
            "matches best"
        } else {
            "matches less exactly"
        };
        row(&answer.profile, &answer.pattern, why);
    }
    for other in near {
        row(other.profile, other.pattern, &other.mismatch.reason);
    }
    if named.is_by_variable {
        text.push_str("  no other is tried: `CRED_HELPER_PROFILE` names it\n");
    }
    if let Some(tool) = &tool {
        let why = match chosen.tools {
            Some(_) => "its `tools` name it",
            None => "it has no `tools`, so any may",
        };
        text.push_str(&format!("  {tool} may use {}: {why}\n", chosen.name));
    }
    if best.pattern.has_path() {
        text.push_str(&format!("  {}\n", about_paths(&best.pattern.origin())));
    }
    Ok(text)
}

/// The only profile that is tried, if there is one.
pub(super) struct Named {
    pub(super) name: Option<String>,
    is_by_variable: bool,
}

impl Named {
    /// As a tool's call has it: by `-p`, else by the variable.
    pub(super) fn of(matches: &ArgMatches, environment: &dyn Environment) -> Self {
        let given = text_of(matches, "profile");
        let variable = environment.variable("CRED_HELPER_PROFILE");
        Self {
            is_by_variable: given.is_none() && variable.is_some(),
            name: given.or(variable),
        }
    }

    pub(super) fn explained(&self, error: Error) -> Error {
        if self.is_by_variable && error.kind() == ErrorKind::NoProfile {
            error.because("`CRED_HELPER_PROFILE` names it")
        } else {
            error
        }
    }
}

/// What the patterns have to do with what a tool sends, and the URL that it stands for.
fn route_of(
    sent: &str,
    patterns: Patterns,
    name: Option<&str>,
    configuration: &Configuration<'_>,
) -> Result<(String, Route), Error> {
    let mut routes = Vec::new();
    for url in urls_of(sent) {
        let route = configuration.route(patterns, &url, name)?;
        routes.push((url, route));
    }
    let found = routes
        .iter()
        .position(|(_, route)| !route.answers.is_empty());
    if !routes.is_empty() {
        return Ok(routes.swap_remove(found.unwrap_or_default()));
    }
    let error = Error::new(
        ErrorKind::Usage,
        format!("`{}` is no URL, and no host", printable(sent)),
    );
    Err(if configuration.profiles().any(|(name, _)| name == sent) {
        error.hint(format!(
            "it is a profile; `cred-helper profile show {sent}` shows its `urls`"
        ))
    } else {
        error.hint("write `https://HOST/PATH`, or `HOST:PORT` as docker does")
    })
}

/// An error where no profile answers, with what there is instead.
fn explained(mut error: Error, route: &Route) -> Error {
    if error.kind() != ErrorKind::NoProfile {
        return error;
    }
    let others = route.others();
    if error.wants_a_path() {
        let origin = others.first().map(|other| other.pattern.origin());
        let origin = origin.unwrap_or_default();
        return error.hint(format!("give the whole URL; {}", about_paths(&origin)));
    }
    if error.causes().is_empty() {
        for other in others.iter().take(MOST_CAUSES) {
            error = error.because(other);
        }
    }
    if error.causes().is_empty() {
        error = error.because("no profile has `urls`");
    }
    error
}

fn about_paths(origin: &str) -> String {
    format!(
        "git tells a path only after `git config --global credential.{origin}.useHttpPath true`"
    )
}

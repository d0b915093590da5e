//! Go's `GOAUTH` commands (<https://pkg.go.dev/cmd/go#hdr-GOAUTH_environment_variable>).
//!
//! Go calls once before its first request, with no URL, and again with the URL and the answer's head
//! for each request that was refused. Both are answered with sets of URLs, below which headers are
//! sent. Whatever goes wrong, Go shows nothing and goes on, unless it was told `-x`.

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::argument::{Arguments, PROFILE};
use super::{Answer, Entry, ask_for_token, read_stdin};
use crate::credential::{Action, Credential, Interactive, Request, Response};
use crate::error::{Error, ErrorKind};
use crate::io::Io;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "go",
    summary: "Answer Go as a command of GOAUTH",
    help: "Set it up:\n  go env -w GOAUTH='cred-helper go; netrc'",
    link_names: &[],
    time_limit: Duration::from_secs(60),
    flags: &[PROFILE],
    verbs: &[],
    operands: &["URL"],
    is_raw: false,
    is_mute: false,
    serve,
};

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let listed = listed(arguments, answer)?;
    let text = match arguments.operand(0) {
        None => all(&listed, answer)?,
        Some(url) => {
            let head = read_stdin(io)?;
            one(url, &head, arguments, &listed, answer)?
        }
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    io.answer(&text).map(|()| 0)
}

/// A pattern of a profile that Go may use.
struct Listed {
    profile: String,
    /// Without slashes at its end.
    pattern: String,
}

impl Listed {
    /// Whether it names one host. Go takes no others.
    fn is_exact(&self) -> bool {
        !self.pattern.contains("://*.")
    }

    /// The widest URL that it allows above this one, which it must match.
    fn prefix_of(&self, url: &str) -> Option<String> {
        let (scheme, rest) = self.pattern.split_once("://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (own_scheme, own_rest) = url.split_once("://")?;
        let end = own_rest.find(['/', '?', '#']).unwrap_or(own_rest.len());
        let (own_host, own_path) = own_rest.split_at(end);
        let is_host = match host.strip_prefix('*') {
            Some(domain) => own_host.ends_with(domain),
            None => own_host == host,
        };
        let below = own_path.strip_prefix(path)?;
        let is_below = below.is_empty() || below.starts_with(['/', '?', '#']);
        (scheme == own_scheme && is_host && is_below)
            .then(|| format!("{scheme}://{own_host}{path}"))
    }
}

/// What Go may be given: `https` alone, as it sends nothing else.
fn listed(arguments: &Arguments, answer: &Answer<'_>) -> Result<Vec<Listed>, Error> {
    let request = Request {
        profile: arguments.get(PROFILE.long).map(String::from),
        ..Request::new(Action::Status)
    };
    let Response::Status(status) = answer(&request, None)? else {
        let bug = "BUG: go was not answered with a status";
        return Err(Error::new(ErrorKind::Internal, bug));
    };
    let mut listed = Vec::new();
    for row in status["profiles"].as_array().into_iter().flatten() {
        let is_allowed = |tools: &Vec<Value>| tools.iter().any(|tool| tool == ENTRY.name);
        if !row["tools"].as_array().is_none_or(is_allowed) {
            continue;
        }
        let patterns = row["urls"].as_array().into_iter().flatten();
        for pattern in patterns.filter_map(Value::as_str) {
            if pattern.starts_with("https://") {
                listed.push(Listed {
                    profile: row["profile"].as_str().unwrap_or_default().to_owned(),
                    pattern: pattern.trim_end_matches('/').to_owned(),
                });
            }
        }
    }
    Ok(listed)
}

/// Everything that can be had without a word: nobody knows yet what Go will ask.
fn all(listed: &[Listed], answer: &Answer<'_>) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::new());
    for one in listed.iter().filter(|one| one.is_exact()) {
        let request = Request {
            profile: Some(one.profile.clone()),
            url: Some(one.pattern.clone()),
            interactive: Some(Interactive::Never),
            ..Request::new(Action::Get)
        };
        match ask_for_token(&request, answer) {
            Ok(Some(credential)) => add(&mut text, &one.pattern, &credential),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            // What is wrong with one host takes nothing from the others. Whoever needs that one is
            // told when Go comes again.
            Ok(None) | Err(_) => {}
        }
    }
    Ok(text)
}

/// A request was refused. Module proxies do that for each module that they have not: only where
/// credentials are wanted is a person asked.
fn one(
    url: &str,
    head: &[u8],
    arguments: &Arguments,
    listed: &[Listed],
    answer: &Answer<'_>,
) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::new());
    if !url.starts_with("https://") {
        return Ok(text);
    }
    let status = status_of(head);
    let is_wanted = matches!(status, Some(401 | 403));
    // What the first call brought was sent, and was not good enough.
    let mut known = listed.iter().filter(|one| one.is_exact());
    let is_rejected = status == Some(401) && known.any(|one| one.prefix_of(url).is_some());
    let request = Request {
        profile: arguments.get(PROFILE.long).map(String::from),
        url: Some(url.to_owned()),
        was_rejected: is_rejected,
        interactive: (!is_wanted).then_some(Interactive::Never),
        ..Request::new(Action::Get)
    };
    match ask_for_token(&request, answer) {
        Ok(Some(credential)) => {
            let own = listed
                .iter()
                .filter(|one| one.profile == credential.profile);
            let prefixes = own.filter_map(|one| one.prefix_of(url));
            // The longest is the one that answered; without one, no more than this URL.
            let prefix = prefixes.max_by_key(String::len);
            let end = url.find(['?', '#']).unwrap_or(url.len());
            add(
                &mut text,
                prefix.as_deref().unwrap_or(&url[..end]),
                &credential,
            );
            Ok(text)
        }
        Ok(None) => Ok(text),
        // There is no word of credentials, and so none of a sign-in.
        Err(error) if !is_wanted && error.kind() == ErrorKind::LoginRequired => Ok(text),
        Err(error) => Err(error),
    }
}

/// The status of a head of HTTP/1 (RFC 9112 §4).
fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.trim_end().split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}

/// A set: URLs, a blank line, headers, a blank line.
fn add(text: &mut Zeroizing<String>, url: &str, credential: &Credential) {
    let token = credential.access_token.expose();
    // It is wiped when it grows, too.
    let mut longer = Zeroizing::new(String::with_capacity(
        text.len() + url.len() + token.len() + 64,
    ));
    longer.push_str(text);
    for part in [url, "\n\nAuthorization: Bearer ", token, "\n\n"] {
        longer.push_str(part);
    }
    *text = longer;
}

#[cfg(test)]
mod tests {
    use super::{Listed, status_of};

    #[test]
    fn a_set_is_never_wider_than_the_pattern() {
        for (pattern, url, expected) in [
            (
                "https://h.example",
                "https://h.example/a?go-get=1",
                Some("https://h.example"),
            ),
            (
                "https://h.example/a",
                "https://h.example/a/b",
                Some("https://h.example/a"),
            ),
            (
                "https://h.example/a",
                "https://h.example/a?x",
                Some("https://h.example/a"),
            ),
            ("https://h.example/a", "https://h.example/ab", None),
            ("https://h.example:1/a", "https://h.example/a", None),
            (
                "https://*.example/a",
                "https://x.example/a/b",
                Some("https://x.example/a"),
            ),
            (
                "https://*.example:1",
                "https://x.example:1/b",
                Some("https://x.example:1"),
            ),
            ("https://*.example", "https://example/b", None),
            ("https://*.example", "https://xexample/b", None),
            ("https://*.example", "https://evil.test/.example", None),
        ] {
            let listed = Listed {
                profile: String::new(),
                pattern: pattern.to_owned(),
            };
            assert_eq!(
                listed.prefix_of(url).as_deref(),
                expected,
                "{pattern} {url}"
            );
        }
    }

    #[test]
    fn the_status_stands_in_the_first_line() {
        for (head, expected) in [
            ("HTTP/1.1 401 Unauthorized\nA: b\n\n", Some(401)),
            ("HTTP/2.0 404\r\n", Some(404)),
            ("HTTP/1.1 x\n", None),
            ("SMTP 401\n", None),
            ("\nHTTP/1.1 401 U\n", None),
            ("", None),
        ] {
            assert_eq!(status_of(head.as_bytes()), expected, "{head}");
        }
    }
}

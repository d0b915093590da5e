//! Which URL belongs to which profile. Strict, since a wrong answer hands a token to a stranger.
//!
//! URLs are read here by hand: a general parser repairs what it reads (backslashes, tabs, escapes,
//! full-width dots), and what is repaired here may be read otherwise by the tool that connects.

use crate::endpoint::is_loopback;

/// Where a token is to go: scheme, host, port, and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// Reads a URL. `None` if it is not one that a token may go to: another scheme than `https`
    /// (`grpcs` counts as it) or those of mail servers, `http` beyond loopback, user information,
    /// or any host that is not plain lower- or upper-case ASCII.
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" | "grpcs" => ("https", 443),
            "http" => ("http", 80),
            // git names mail servers so; whether TLS is used is said in its own configuration.
            "smtp" => ("smtp", 25),
            "imap" => ("imap", 143),
            "imaps" => ("imaps", 993),
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        if url
            .bytes()
            .any(|byte| !(0x21..0x7f).contains(&byte) || byte == b'\\')
        {
            return None;
        }
        let (host, port) = host_and_port(authority)?;
        if scheme == "http" && !is_loopback(&host) {
            return None;
        }
        Some(Self {
            scheme: scheme.to_owned(),
            host,
            port: port.unwrap_or(default_port),
            path: plain_path(path)?,
        })
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Splits `host[:port]`; the host in lower case.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            (format!("[{address}]"), port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            (host.to_ascii_lowercase(), port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
        None if port.is_empty() => None,
        None => return None,
    };
    (host.starts_with('[') || is_plain_host(&host)).then_some((host, port))
}

/// Letters, digits, hyphens and single dots between them: no trailing dot, no escape, and no
/// number that is read as an address (`127.1`, `0x7f000001`) unless it is written as one.
fn is_plain_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            })
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // The URL Standard's "ends in a number".
    let is_number = match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    host.len() <= 253
        && host.split('.').all(is_label)
        && (!is_number || host.parse::<std::net::Ipv4Addr>().is_ok())
}

/// The path, which begins with `/`. `None` if it climbs, also behind escapes.
fn plain_path(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    let climbs = |segment: &str| {
        let segment = segment.replace("%2e", ".");
        segment == "." || segment == ".."
    };
    if lower.split('/').any(climbs) || lower.contains("%2f") || lower.contains("%5c") {
        return None;
    }
    Some(if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    })
}

/// One of a profile's `urls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    written: String,
    target: Target,
    sub_domains: bool,
}

impl Pattern {
    /// Reads a pattern: a URL, whose host may begin with `*.` for sub-domains.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        let (url, sub_domains) = match written.split_once("://*.") {
            Some((scheme, rest)) => (format!("{scheme}://{rest}"), true),
            None => (written.to_owned(), false),
        };
        if written.contains(['?', '#']) {
            return Err("a pattern has no query and no fragment");
        }
        let target = Target::parse(&url).ok_or(
            "it is no `https://host[:port]/path` (or `http` on loopback, `smtp`, `imap`, `imaps`) with a plain host",
        )?;
        if sub_domains && !target.host.contains('.') {
            return Err("`*.` needs a host with a dot behind it");
        }
        Ok(Self {
            written: written.to_owned(),
            target,
            sub_domains,
        })
    }

    /// How exactly the pattern names `target`: an exact host before sub-domains, then the longer
    /// host, then the longer path. `None` if it does not.
    pub fn matches(&self, target: &Target) -> Option<(bool, usize, usize)> {
        let host_matches = if self.sub_domains {
            target
                .host
                .strip_suffix(&self.target.host)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            target.host == self.target.host
        };
        let prefix = self.target.path.trim_end_matches('/');
        let path_matches = target
            .path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (host_matches
            && path_matches
            && target.scheme == self.target.scheme
            && target.port == self.target.port)
            .then_some((!self.sub_domains, self.target.host.len(), prefix.len()))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The host it names, if it names one.
    pub fn host(&self) -> Option<&str> {
        (!self.sub_domains).then_some(self.target.host.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Target};

    fn matches(pattern: &str, url: &str) -> bool {
        let pattern = Pattern::parse(pattern).expect(pattern);
        Target::parse(url).is_some_and(|target| pattern.matches(&target).is_some())
    }

    #[test]
    fn a_pattern_names_its_host_port_and_path_and_nothing_else() {
        for (pattern, url, expected) in [
            ("https://github.com/", "https://github.com/a/b", true),
            ("https://github.com", "https://github.com", true),
            ("https://github.com", "HTTPS://GitHub.COM/", true),
            ("https://github.com", "https://github.com:443/a", true),
            ("https://github.com", "grpcs://github.com/a", true),
            ("https://github.com", "https://github.com:8443/", false),
            ("https://github.com", "http://github.com/", false),
            (
                "https://github.com",
                "https://github.com.evil.example/",
                false,
            ),
            (
                "https://github.com",
                "https://evil.example/github.com",
                false,
            ),
            ("https://github.com", "https://evilgithub.com/", false),
            ("https://github.com", "https://api.github.com/", false),
            ("https://github.com", "https://github.com./", false),
            ("https://github.com", "https://github.com%2e/", false),
            ("https://github.com", "https://github.com\t/", false),
            (
                "https://github.com",
                "https://github.com\\@evil.example/",
                false,
            ),
            ("https://github.com", "https://user@github.com/", false),
            (
                "https://github.com",
                "https://github.com@evil.example/",
                false,
            ),
            ("https://github.com", "https://github\u{ff0e}com/", false),
            ("https://github.com", "https://github..com/", false),
            ("https://github.com", "https://", false),
            ("https://github.com", "https:///", false),
            ("https://github.com", "github.com", false),
            ("https://github.com", "https://github.com:/", false),
            ("https://github.com", "https://github.com:0/", false),
            ("https://github.com", "https://github.com:99999/", false),
            ("https://*.corp.example", "https://a.corp.example/", true),
            ("https://*.corp.example", "https://a.b.corp.example/", true),
            ("https://*.corp.example", "https://corp.example/", false),
            ("https://*.corp.example", "https://evilcorp.example/", false),
            ("https://h.example/team", "https://h.example/team", true),
            (
                "https://h.example/team",
                "https://h.example/team/x?q#f",
                true,
            ),
            ("https://h.example/team/", "https://h.example/team", true),
            (
                "https://h.example/team",
                "https://h.example/teamwork",
                false,
            ),
            (
                "https://h.example/team",
                "https://h.example/team/../other",
                false,
            ),
            (
                "https://h.example/team",
                "https://h.example/team/%2E%2e/other",
                false,
            ),
            (
                "https://h.example/team",
                "https://h.example/team%2f..",
                false,
            ),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/v2/", true),
            ("http://localhost", "http://localhost:80/", true),
            ("http://[::1]:5000/", "http://[::1]:5000/", true),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/", false),
            ("https://192.0.2.1", "https://192.0.2.1/", true),
            ("https://8.example", "https://8.example/", true),
            ("https://xn--4ca.example", "https://XN--4CA.example/", true),
            ("https://xn--4ca.example", "https://\u{e4}.example/", false),
            ("smtp://mail.example:587", "smtp://mail.example:587/", true),
            ("smtp://mail.example", "smtp://mail.example:25/", true),
            ("smtp://mail.example", "smtp://mail.example:587/", false),
            ("smtp://mail.example", "https://mail.example:25/", false),
            ("https://mail.example:25", "smtp://mail.example/", false),
            ("smtp://mail.example", "smtps://mail.example/", false),
            ("imap://mail.example", "imap://mail.example:143/", true),
            ("imap://mail.example", "imaps://mail.example/", false),
            ("imaps://mail.example", "imaps://mail.example:993/", true),
            ("imaps://mail.example", "imap://mail.example/", false),
            ("imaps://mail.example", "imaps://ada@mail.example/", false),
            ("imaps://mail.example", "imaps://mail.example./", false),
        ] {
            assert_eq!(matches(pattern, url), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn a_pattern_that_would_name_too_much_is_refused() {
        for pattern in [
            "*",
            "https://*",
            "https://*.",
            "https://*.com/",
            "https://a.*.example/",
            "http://intranet.example/",
            "https://888/",
            "https://127.1/",
            "https://127.0.0.01/",
            "https://0x7f000001/",
            "https://h.0x/",
            "https://*.0.1/",
            "https://h.example/?q",
            "ftp://h.example/",
            "",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}

//! Which URL belongs to which profile. Strict, since a wrong answer hands a token to a stranger.
//!
//! URLs are read here by hand: a general parser repairs what it reads (backslashes, tabs, escapes,
//! full-width dots), and what is repaired here may be read otherwise by the tool that connects.

use std::fmt;

use crate::endpoint::is_loopback;
use crate::text::nearest;

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
        Self::read(url).ok()
    }

    /// The same.
    ///
    /// # Errors
    /// Why no token goes there.
    pub fn read(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("it does not begin with `https://`")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" | "grpcs" => "https",
            "http" => "http",
            // git names mail servers so; whether TLS is used is said in its own configuration.
            "smtp" => "smtp",
            "imap" => "imap",
            "imaps" => "imaps",
            _ => return Err("its scheme is not `https` (or `smtp`, `imap`, `imaps`)"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        let is_foreign = |byte: u8| !(0x21..0x7f).contains(&byte) || byte == b'\\';
        if authority.bytes().any(|byte| byte >= 0x80) {
            return Err("its host is not ASCII; write it as `xn--…`");
        }
        if url.bytes().any(is_foreign) {
            return Err("it holds a blank, a backslash, a control character or what is not ASCII");
        }
        let (host, port) = host_and_port(authority)?;
        if scheme == "http" && !is_loopback(&host) {
            return Err("`http` is for this machine (`localhost`, `127.0.0.1`, `[::1]`) alone");
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            host,
            port: port.unwrap_or(default_port(scheme)),
            path: plain_path(path)?,
        })
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Scheme, host, and the port where it is not the scheme's own.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }

    /// The scheme: `https`, `http`, `smtp`, `imap` or `imaps`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// A pattern for it: its host, or what is below the first part of its path.
    pub fn proposal(&self, with_path: bool) -> String {
        let first = self.path.split('/').nth(1).unwrap_or_default();
        match with_path && !first.is_empty() {
            true => format!("{}/{first}/", self.origin()),
            false => format!("{}/", self.origin()),
        }
    }

    /// `host`, or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == default_port(&self.scheme) {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The path without the slashes at its end: empty for the whole host.
    pub fn path(&self) -> &str {
        self.path.trim_end_matches('/')
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.path())
    }
}

fn default_port(scheme: &str) -> u16 {
    match scheme {
        "http" => 80,
        "smtp" => 25,
        "imap" => 143,
        "imaps" => 993,
        _ => 443,
    }
}

/// The URLs that a tool may mean by what it sends, likeliest first: `sparse+https://…` is cargo's,
/// and `HOST[:PORT][/PATH]` that of docker and terraform. Nothing, if it is neither URL nor host.
pub fn urls_of(sent: &str) -> Vec<String> {
    let bare = ["sparse+", "registry+"]
        .iter()
        .find_map(|kind| sent.strip_prefix(kind));
    if let Some(url) = bare {
        return vec![url.to_owned()];
    }
    if sent.contains("://") {
        return vec![sent.to_owned()];
    }
    let authority = sent.split('/').next().unwrap_or_default();
    // As docker tells a host from the name of an image.
    if authority != "localhost" && !authority.contains(['.', ':']) {
        return Vec::new();
    }
    let mut urls = vec![format!("https://{sent}")];
    if host_and_port(authority).is_ok_and(|(host, _)| is_loopback(&host)) {
        urls.push(format!("http://{sent}"));
    }
    urls
}

/// Splits `host[:port]`; the host in lower case.
fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    const NO_PORT: &str = "its port is no number from 1 to 65535";
    if authority.contains('@') {
        return Err("it holds a user name, or an `@` before its path");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let address = rest.split_once(']').and_then(|(address, port)| {
                let address: std::net::Ipv6Addr = address.parse().ok()?;
                Some((format!("[{address}]"), port))
            });
            address.ok_or("what stands in `[…]` is no IPv6 address")?
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            (host.to_ascii_lowercase(), port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = digits.parse().ok().filter(|port| *port != 0);
            Some(port.ok_or(NO_PORT)?)
        }
        None if port.is_empty() => None,
        Some(_) | None => return Err(NO_PORT),
    };
    if !host.starts_with('[') {
        check_host(&host)?;
    }
    Ok((host, port))
}

/// Letters, digits, hyphens and single dots between them: no trailing dot, no escape, and no
/// number that is read as an address (`127.1`, `0x7f000001`) unless it is written as one.
fn check_host(host: &str) -> Result<(), &'static str> {
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
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.ends_with('.') {
        return Err("its host ends with a dot");
    }
    if host.contains('*') {
        return Err("`*` stands only at the beginning of a pattern's host, as in `https://*.HOST`");
    }
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err("its host is not made of letters, digits, `-`, `_` and single dots");
    }
    if is_number && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err("its host is a number, and no address with four parts");
    }
    Ok(())
}

/// The path, which begins with `/`; not one that climbs, also behind escapes.
fn plain_path(path: &str) -> Result<String, &'static str> {
    let lower = path.to_ascii_lowercase();
    let climbs = |segment: &str| {
        let segment = segment.replace("%2e", ".");
        segment == "." || segment == ".."
    };
    if lower.split('/').any(climbs) || lower.contains("%2f") || lower.contains("%5c") {
        return Err("its path holds `.`, `..`, or an escaped slash");
    }
    Ok(if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    })
}

/// Exact host, length of the host, length of the path.
pub type Exactness = (bool, usize, usize);

/// How near a pattern that does not match comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// It names the host.
    Host,
    /// It names a host above or below.
    Domain,
    /// It names a host that is written much alike.
    Spelling,
    /// It names quite another.
    None,
}

/// Why a pattern does not match.
#[derive(Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// How near it comes.
    pub nearness: Nearness,
    /// Whether nothing but a path is wanting, and the URL has none.
    pub lacks_path: bool,
    /// In words that follow the pattern.
    pub reason: String,
}

/// Whether `host` is a sub-domain of `domain`.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
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
        let target = Target::read(&url)?;
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
    pub fn matches(&self, target: &Target) -> Option<Exactness> {
        (self.names_host(&target.host)
            && self.names_path(&target.path)
            && target.scheme == self.target.scheme
            && target.port == self.target.port)
            .then_some((
                !self.sub_domains,
                self.target.host.len(),
                self.prefix().len(),
            ))
    }

    fn names_host(&self, host: &str) -> bool {
        if self.sub_domains {
            is_below(host, &self.target.host)
        } else {
            host == self.target.host
        }
    }

    fn names_path(&self, path: &str) -> bool {
        path.strip_prefix(self.prefix())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path without a slash at its end.
    fn prefix(&self) -> &str {
        self.target.path.trim_end_matches('/')
    }

    /// Why the pattern does not name `target`, to be read after the pattern.
    pub fn mismatch(&self, target: &Target) -> Mismatch {
        let own = &self.target;
        let has_host = self.names_host(&target.host);
        let mut reasons = Vec::new();
        if !has_host {
            reasons.push(self.other_host(&target.host));
        }
        if target.scheme != own.scheme {
            reasons.push(format!("is for `{}`, not `{}`", own.scheme, target.scheme));
        } else if target.port != own.port {
            reasons.push(format!("is for port {}, not {}", own.port, target.port));
        }
        let is_path_alone = has_host && reasons.is_empty();
        if has_host && !self.names_path(&target.path) {
            reasons.push(if target.path().is_empty() {
                format!(
                    "is for `{}` and below, and the URL has no path",
                    self.prefix()
                )
            } else {
                format!("is for `{}` and below alone", self.prefix())
            });
        }
        let nearness = if has_host {
            Nearness::Host
        } else if target.host == own.host
            || is_below(&target.host, &own.host)
            || is_below(&own.host, &target.host)
        {
            Nearness::Domain
        } else if nearest(&target.host, [own.host.as_str()]).is_some() {
            Nearness::Spelling
        } else {
            Nearness::None
        };
        Mismatch {
            nearness,
            lacks_path: is_path_alone && target.path().is_empty(),
            reason: reasons.join(" and "),
        }
    }

    fn other_host(&self, host: &str) -> String {
        let own = &self.target.host;
        match self.sub_domains {
            true if host == own => format!("is for hosts below `{own}`, not for it"),
            true => format!("is for hosts below `{own}`"),
            false if is_below(host, own) => {
                format!("is for `{own}` alone; `*.{own}` names the hosts below it")
            }
            false => format!("is for the host `{own}`"),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether it names paths, and not the whole host.
    pub fn has_path(&self) -> bool {
        !self.prefix().is_empty()
    }

    /// What stands before the path.
    pub fn origin(&self) -> String {
        let origin = self.target.origin();
        match self.sub_domains {
            true => origin.replacen("://", "://*.", 1),
            false => origin,
        }
    }

    /// The same for all patterns that name the same.
    pub fn canonical(&self) -> String {
        format!("{}{}", self.origin(), self.prefix())
    }

    /// What it names, if it names one host.
    pub fn target(&self) -> Option<&Target> {
        (!self.sub_domains).then_some(&self.target)
    }

    /// The host it names, if it names one.
    pub fn host(&self) -> Option<&str> {
        (!self.sub_domains).then_some(self.target.host.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Nearness, Pattern, Target};

    fn matches(pattern: &str, url: &str) -> bool {
        let pattern = Pattern::parse(pattern).expect(pattern);
        Target::parse(url).is_some_and(|target| pattern.matches(&target).is_some())
    }

    #[test]
    fn a_target_says_its_scheme() {
        for (url, expected) in [
            ("HTTPS://h.example/", "https"),
            ("http://localhost/", "http"),
            ("smtp://mail.example/", "smtp"),
        ] {
            let target = Target::parse(url).expect("it is one");
            assert_eq!(target.scheme(), expected);
        }
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
            (
                "https://h.example/team",
                "https://h.example/team/a%2Fb",
                false,
            ),
            (
                "https://h.example/team",
                "https://h.example/team/a%5Cb",
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
    fn what_a_pattern_lacks_is_said_of_it() {
        for (pattern, url, reason) in [
            (
                "https://h.example",
                "https://h.example:8443/",
                "is for port 443, not 8443",
            ),
            (
                "https://h.example/",
                "smtp://h.example/",
                "is for `https`, not `smtp`",
            ),
            (
                "https://h.example/team/",
                "https://h.example/other",
                "is for `/team` and below alone",
            ),
            (
                "https://h.example/team",
                "https://h.example",
                "is for `/team` and below, and the URL has no path",
            ),
            (
                "https://h.example:1/team",
                "https://h.example/",
                "is for port 1, not 443 and is for `/team` and below, and the URL has no path",
            ),
            (
                "https://h.example",
                "https://api.h.example/",
                "is for `h.example` alone; `*.h.example` names the hosts below it",
            ),
            (
                "https://*.h.example",
                "https://h.example/",
                "is for hosts below `h.example`, not for it",
            ),
            (
                "https://*.h.example",
                "https://other.example/",
                "is for hosts below `h.example`",
            ),
            (
                "https://h.example",
                "https://h.example.evil.example/",
                "is for the host `h.example`",
            ),
        ] {
            let target = Target::read(url).expect(url);
            let pattern = Pattern::parse(pattern).expect(pattern);
            assert_eq!(pattern.matches(&target), None);
            assert_eq!(pattern.mismatch(&target).reason, reason, "{url}");
        }
    }

    #[test]
    fn the_pattern_that_comes_nearest_is_of_the_host_then_of_its_domain_then_spelled_alike() {
        for (pattern, url, nearness) in [
            (
                "https://h.example/team",
                "https://h.example/",
                Nearness::Host,
            ),
            (
                "https://h.example",
                "https://api.h.example/",
                Nearness::Domain,
            ),
            (
                "https://api.h.example",
                "https://h.example/",
                Nearness::Domain,
            ),
            (
                "https://*.h.example",
                "https://h.example/",
                Nearness::Domain,
            ),
            (
                "https://h.example",
                "https://h.exmaple/",
                Nearness::Spelling,
            ),
            (
                "https://h.example",
                "https://elsewhere.test/",
                Nearness::None,
            ),
        ] {
            let target = Target::read(url).expect(url);
            let found = Pattern::parse(pattern).expect(pattern).mismatch(&target);
            assert_eq!(found.nearness, nearness, "{pattern} {url}");
        }
    }

    #[test]
    fn what_tools_send_is_read_as_a_url() {
        for (sent, urls) in [
            ("https://h.example/x", &["https://h.example/x"][..]),
            ("grpcs://h.example", &["grpcs://h.example"]),
            (
                "sparse+https://h.example/index/",
                &["https://h.example/index/"],
            ),
            (
                "registry+https://h.example/index",
                &["https://h.example/index"],
            ),
            ("h.example", &["https://h.example"]),
            ("h.example:5000/team", &["https://h.example:5000/team"]),
            (
                "127.0.0.1:5000",
                &["https://127.0.0.1:5000", "http://127.0.0.1:5000"],
            ),
            (
                "localhost/x",
                &["https://localhost/x", "http://localhost/x"],
            ),
            ("foo", &[]),
            ("team/image", &[]),
            ("", &[]),
        ] {
            assert_eq!(super::urls_of(sent), urls, "{sent}");
        }
    }

    #[test]
    fn what_is_shown_of_a_target_is_read_as_the_same() {
        for (given, shown) in [
            ("HTTPS://GitHub.com/", "https://github.com"),
            ("https://h.example:443/Team/", "https://h.example/Team"),
            ("https://h.example:8443", "https://h.example:8443"),
            ("http://[::1]:80/a", "http://[::1]/a"),
            ("smtp://mail.example:25", "smtp://mail.example"),
            ("imaps://mail.example:143", "imaps://mail.example:143"),
        ] {
            let target = Target::parse(given).expect(given);
            assert_eq!(target.to_string(), shown);
            let again = Target::parse(shown).expect(shown);
            assert_eq!(again.to_string(), shown);
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
            "https://h..example/",
            "https://.h.example/",
            "https://g\u{131}thub.example/",
            "https://h.example:+80/",
            "ftp://h.example/",
            "",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        // RFC 1035 §2.3.4, without the dot that ends it.
        for (length, is_good) in [(253, true), (254, false)] {
            let host = format!("{}example", "h.".repeat(123));
            let pattern = format!("https://{}{host}/", "h".repeat(length - host.len()));
            assert_eq!(Pattern::parse(&pattern).is_ok(), is_good, "{length}");
        }
    }

    #[test]
    fn a_pattern_names_one_host_or_all_below_one() {
        for (pattern, host) in [
            ("https://h.example/team", Some("h.example")),
            ("https://*.h.example/", None),
        ] {
            let pattern = Pattern::parse(pattern).expect(pattern);
            assert_eq!(pattern.host(), host);
            assert_eq!(pattern.target().map(Target::host), host);
        }
    }
}

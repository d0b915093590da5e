//! A URL that tokens and secrets may be sent to: `https`, or `http` on this machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::text::is_unsafe;

/// An absolute `https` URL, or an `http` one whose host is loopback, without user information and
/// fragment ([RFC 6749 §3.1, §3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Checks `text`. It is kept as it was written, since issuers are compared as strings.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the name of the key and the value.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::read(
            text,
            is_loopback,
            "`http` is allowed on loopback only; use `https`",
        )
    }

    /// The same for what the platform that this machine is part of names in its own variables: also
    /// `http` to an address that [`is_beside_this_machine`].
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the name of the variable.
    pub fn of_platform(text: &str) -> Result<Self, &'static str> {
        Self::read(
            text,
            |host| is_loopback(host) || is_beside_this_machine(host),
            "`http` is allowed on loopback, and to addresses below 169.254.0.0/16 and 172.16.0.0/12",
        )
    }

    fn read(
        text: &str,
        is_plain: impl Fn(&str) -> bool,
        otherwise: &'static str,
    ) -> Result<Self, &'static str> {
        let is_foreign = |character: char| {
            character.is_whitespace() || character == '\\' || is_unsafe(character)
        };
        if text.contains(is_foreign) {
            return Err("it holds a blank, a backslash or a control character");
        }
        match text.split_once("://") {
            Some((_, rest)) if rest.starts_with('/') => return Err("it has no host"),
            None => {
                return Err("it does not begin with `https://`");
            }
            Some(_) => {}
        }
        let url = url::Url::parse(text).map_err(|_| "it is not an absolute URL")?;
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() {
            return Err("it has no host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or a password");
        }
        if url.fragment().is_some() {
            return Err("it holds a fragment");
        }
        match url.scheme() {
            "https" => Ok(Self(text.to_owned())),
            "http" if is_plain(host) => Ok(Self(text.to_owned())),
            "http" => Err(otherwise),
            _ => Err("only `https` is allowed"),
        }
    }

    /// Whether it is on this machine.
    pub fn is_on_loopback(&self) -> bool {
        let url = url::Url::parse(&self.0);
        url.is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }

    /// The URL as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a host, as a URL writes it, is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a host, as a URL writes it, is an address beside this machine, where a cloud answers for it
/// in plain `http`: link-local (169.254.0.0/16), which no router passes on
/// ([RFC 3927 §2.7](https://www.rfc-editor.org/rfc/rfc3927#section-2.7)), or the host of a container
/// (172.16.0.0/12), where Azure App Service has it. Never a name: that can be anybody.
pub fn is_beside_this_machine(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok_and(|address| {
        let [first, second, ..] = address.octets();
        address.is_link_local() || (first == 172 && second & 0xf0 == 16)
    })
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn tokens_go_over_https_or_stay_on_this_machine() {
        for good in [
            "https://login.example/tenant",
            "http://127.0.0.1:8080/x",
            "http://localhost:1/",
            "http://[::1]:9/",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example/",
            "http://127.0.0.1.evil.example/",
            "http://localhost.evil.example/",
            "https://user:secret@login.example/",
            "https://login.example/#fragment",
            "https:///path",
            "https:\\\\login.example",
            "ftp://login.example/",
            "login.example",
            "https://login.example/\n",
            "https://login.example/\u{9b}31m",
            "https://login.example/\u{202e}nekot",
            "",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
    #[test]
    fn a_platform_is_asked_in_plain_http_beside_this_machine_alone() {
        for (url, is_good) in [
            ("http://169.254.169.254", true),
            ("http://169.254.129.2:8081/msi/token", true),
            ("http://172.16.1.3:8081/msi/token", true),
            ("http://172.31.255.1/", true),
            ("http://127.0.0.1:41741/msi/token/", true),
            ("https://10.0.0.4:2377/metadata/identity/oauth2/token", true),
            ("http://10.0.0.4/", false),
            ("http://172.32.0.1/", false),
            ("http://192.168.0.1/", false),
            ("http://169.254.169.254.evil.example/", false),
            ("http://metadata.example/", false),
            ("http://user@169.254.169.254/", false),
            ("ftp://169.254.169.254/", false),
        ] {
            assert_eq!(Endpoint::of_platform(url).is_ok(), is_good, "{url}");
            if url.starts_with("http://1") && !url.contains("//127.") {
                assert!(
                    Endpoint::parse(url).is_err(),
                    "{url} is the platform's alone"
                );
            }
        }
    }
}

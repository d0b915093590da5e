//! Tools that name a server by `HOST[:PORT]` in place of a URL, and send what they get as the password of
//! Basic credentials.

use super::argument::Arguments;
use super::{Answer, names_nobody};
use crate::credential::{Credential, Request, Response};
use crate::endpoint::is_loopback;
use crate::error::{Error, ErrorKind};

/// The user name where neither the profile nor the authority tells one: a server that takes an
/// OAuth token as a password does not care.
const USERNAME: &str = "oauth2";

/// The URLs that an address may mean, in the order in which they are tried. A tool does not tell
/// whether it connects to a server on this machine by `http`.
fn urls(address: &str) -> Vec<String> {
    if address.contains("://") {
        return vec![address.to_owned()];
    }
    let authority = address.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    let mut urls = vec![format!("https://{address}")];
    if is_loopback(host) {
        urls.push(format!("http://{address}"));
    }
    urls
}

/// Has a request answered for an address. `None` if the address is nobody's.
pub(super) fn ask(
    request: Request,
    address: &str,
    arguments: &Arguments,
    answer: &Answer<'_>,
) -> Result<Option<Response>, Error> {
    let mut request = Request {
        profile: arguments.get("profile").map(String::from),
        ..request
    };
    let mut refusal = None;
    for url in urls(address) {
        request.url = Some(url);
        match answer(&request, None) {
            Ok(response) => return Ok(Some(response)),
            Err(error) if error.kind() == ErrorKind::NoProfile => refusal = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(error) if names_nobody(&request, answer) => Err(error),
        _ => Ok(None),
    }
}

/// Has a token found for an address.
pub(super) fn ask_for_token(
    request: Request,
    address: &str,
    arguments: &Arguments,
    answer: &Answer<'_>,
) -> Result<Option<Box<Credential>>, Error> {
    match ask(request, address, arguments, answer)? {
        None => Ok(None),
        Some(Response::Token(credential)) => Ok(Some(credential)),
        Some(Response::Done { .. } | Response::Begun { .. } | Response::Status(_)) => {
            Err(Error::new(
                ErrorKind::Internal,
                "BUG: a token was asked for, and none came",
            ))
        }
    }
}

/// The user name of a token: the first that Basic credentials can hold.
pub(super) fn username<const N: usize>(names: [Option<&str>; N]) -> &str {
    let is_good =
        |name: &&str| !name.is_empty() && !name.contains(|c: char| c == ':' || c.is_control());
    let mut names = names.into_iter().flatten();
    names.find(is_good).unwrap_or(USERNAME)
}

#[cfg(test)]
mod tests {
    use super::{urls, username};

    #[test]
    fn a_server_on_this_machine_may_speak_http_and_no_other() {
        for (address, expected) in [
            ("registry.example", &["https://registry.example"][..]),
            (
                "registry.example:5000/a",
                &["https://registry.example:5000/a"],
            ),
            (
                "https://registry.example/v1/",
                &["https://registry.example/v1/"],
            ),
            ("http://127.0.0.1:5000", &["http://127.0.0.1:5000"]),
            (
                "127.0.0.1:5000/a",
                &["https://127.0.0.1:5000/a", "http://127.0.0.1:5000/a"],
            ),
            ("localhost", &["https://localhost", "http://localhost"]),
            ("[::1]:5000", &["https://[::1]:5000", "http://[::1]:5000"]),
            ("[::1]", &["https://[::1]", "http://[::1]"]),
            ("localhost.example", &["https://localhost.example"]),
            (
                "localhost@registry.example",
                &["https://localhost@registry.example"],
            ),
        ] {
            assert_eq!(urls(address), expected);
        }
    }

    #[test]
    fn a_user_name_is_one_that_basic_credentials_can_hold() {
        for (named, account, expected) in [
            (Some("AWS"), Some("ada"), "AWS"),
            (None, Some("ada@example.test"), "ada@example.test"),
            (None, Some("urn:ada"), "oauth2"),
            (None, Some("a\nb"), "oauth2"),
            (Some(""), None, "oauth2"),
            (Some("<token>"), Some("ada"), "<token>"),
            (None, None, "oauth2"),
        ] {
            assert_eq!(username([named, account]), expected);
        }
    }
}

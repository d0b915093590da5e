//! The way to each authority, leg by leg: name, connection, certificate, answer, metadata; and the clock.
//! One request each, which anybody may send.

use std::net::IpAddr;
use std::time::Duration;

use super::{Case, Check, Finding, Status};
use crate::context::{Context, HttpFailure, HttpRequest, HttpResponse};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::oauth::metadata;
use crate::oauth::response::trouble_hint;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::text::printable_url;
use crate::token::Timestamp;

/// The line in the table.
pub(super) const CHECK: Check = Check {
    name: "authority",
    look,
};

/// The variables that name a proxy, the first that is set counts.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

fn look(case: &Case<'_>) -> Vec<Finding> {
    if case.is_offline {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(proxy(&case.context));
    findings.extend(certificates(&case.context));
    let mut clock = None;
    let ways = ways(case);
    for (number, (addresses, profile)) in ways.iter().enumerate() {
        let Some(limit) = limit(&case.context, ways.len() - number) else {
            findings.push(unasked(profile));
            continue;
        };
        match reach(addresses, &profile.client, limit, &case.context) {
            Ok(reached) => {
                let url = printable_url(&reached.url);
                let message = format!("{url} answers, and says what it should");
                findings.push(Finding::ok(&profile.name, &message));
                clock = clock.or(reached.ahead.map(|ahead| (ahead, url)));
            }
            Err(finding) => findings.push(Finding {
                part: profile.name.clone(),
                ..*finding
            }),
        }
    }
    findings.extend(clock.map(|(ahead, url)| differs(ahead, &url)));
    findings
}

/// Where the metadata of each authority may lie, and the first profile that is of it.
fn ways<'a>(case: &Case<'a>) -> Vec<(Vec<String>, &'a Profile)> {
    let mut ways: Vec<(Vec<String>, &Profile)> = Vec::new();
    for profile in case.profiles {
        let addresses = match profile.grant.is_of_authority() {
            true => metadata::addresses(&profile.client),
            false => Vec::new(),
        };
        let is_known = ways
            .iter()
            .any(|(known, other)| *known == addresses && other.client.tls == profile.client.tls);
        if !addresses.is_empty() && !is_known {
            ways.push((addresses, profile));
        }
    }
    ways
}

/// How long the next of so many authorities may take: a fair part of what is left, so that a network
/// which answers nobody does not have the last ones go unasked before it must.
fn limit(context: &Context<'_>, count: usize) -> Option<Duration> {
    /// How long may one authority take?
    const LONGEST: Duration = Duration::from_secs(10);
    /// In how much less is nobody asked?
    const SHORTEST: Duration = Duration::from_secs(2);
    let left = context.time_left().unwrap_or(LONGEST);
    let part = left / u32::try_from(count).unwrap_or(u32::MAX);
    (left >= SHORTEST).then(|| part.clamp(SHORTEST, LONGEST))
}

/// An authority that there was no time for.
fn unasked(profile: &Profile) -> Finding {
    let message = "its authority was not asked: the others took all the time there is";
    let hint = format!("run `cred-helper doctor -p {}`", profile.name);
    Finding::warning(&profile.name, message).hint(&hint)
}

/// An answer.
struct Reached {
    url: String,
    /// How many seconds this machine's clock is ahead.
    ahead: Option<i64>,
}

fn reach(
    addresses: &[String],
    client: &Client,
    limit: Duration,
    context: &Context<'_>,
) -> Result<Reached, Box<Finding>> {
    let mut wrong = None;
    for url in addresses {
        let response = send(url, client, limit, context).map_err(|failure| {
            Box::new(match failure {
                HttpFailure::Misconfigured(error) => Finding::error("", &error),
                HttpFailure::NotSent(reason) | HttpFailure::NotAnswered(reason) => {
                    broken(url, &reason, context)
                }
            })
        })?;
        let Err(finding) = judge(url, &response, client) else {
            // What a cache kept has the date of then (RFC 9111 §5.1).
            let is_kept = response.header("age").is_some();
            let date = response.header("date").filter(|_| !is_kept);
            let date = date.and_then(Timestamp::parse_http);
            return Ok(Reached {
                url: url.clone(),
                ahead: date.map(|date| context.clock.now().since(date)),
            });
        };
        // Of several places the first is the usual one; what is no document at all says least.
        let is_there = response.status == 200;
        if is_there && wrong.as_ref().is_none_or(|(was_there, _)| !was_there) || wrong.is_none() {
            wrong = Some((is_there, finding));
        }
        if !matches!(response.status, 200 | 400..=499) {
            break;
        }
    }
    Err(wrong.map_or_else(
        || Box::new(Finding::ok("", "nothing is to be asked")),
        |(_, finding)| Box::new(finding),
    ))
}

fn send(
    url: &str,
    client: &Client,
    limit: Duration,
    context: &Context<'_>,
) -> Result<HttpResponse, HttpFailure> {
    let request = HttpRequest {
        method: "GET",
        url: url.to_owned(),
        headers: vec![("accept", Secret::new("application/json"))],
        body: None,
    };
    context.http.send(&request, &client.tls, limit)
}

/// What an answer says.
fn judge(url: &str, response: &HttpResponse, client: &Client) -> Result<(), Finding> {
    let url = printable_url(url);
    let status = response.status;
    let is_explicit = client.authority == crate::oauth::client::Authority::Explicit;
    let wrong = |kind, message: &str| Finding::new("", Status::Error(kind), message);
    match status {
        // Whatever it says, it can be reached.
        _ if is_explicit && !matches!(status, 500..=599) => Ok(()),
        200 => metadata::check(&response.body, client).map_err(|reason| {
            wrong(ErrorKind::Config, &format!("{url}: {reason}")).hint(
                "check `authority` of the profile; a page in its place may be that of a network which \
                 wants a sign-in of its own",
            )
        }),
        300..=399 => Err(wrong(
            ErrorKind::Unavailable,
            &format!("{url} leads elsewhere (HTTP status {status})"),
        )
        .hint(
            "check `authority` of the profile, and whether the network wants a sign-in of its own",
        )),
        407 => Err(
            wrong(ErrorKind::Unavailable, "the proxy wants a sign-in").hint(
                "write the user name and the password into the URL of HTTPS_PROXY",
            ),
        ),
        408 | 429 | 500..=599 => Err(wrong(
            ErrorKind::Unavailable,
            &format!("{url} is in trouble (HTTP status {status})"),
        )
        .hint("nothing is to be done here; try again later")),
        _ => Err(wrong(
            ErrorKind::Config,
            &format!("there are no metadata at {url} (HTTP status {status})"),
        )
        .hint("check `authority`, or name its `endpoints` in the profile")),
    }
}

/// A leg of the way.
struct Leg {
    /// The words of the failures on it.
    words: &'static [&'static str],
    /// What the field calls it.
    name: &'static str,
    /// What such a failure means.
    problem: &'static str,
    /// What to do; empty where that depends on the words.
    hint: &'static str,
}

/// Every leg that a failure's words tell apart, the first that fits counts.
const LEGS: &[Leg] = &[
    Leg {
        words: &["tunnel", "proxy"],
        name: "proxy",
        problem: "the proxy does not let it through",
        hint: "check HTTPS_PROXY, and NO_PROXY for what needs none",
    },
    Leg {
        words: &["dns error", "failed to lookup address", "invalid dns name"],
        name: "DNS",
        problem: "its name is not found",
        hint: "check the name in `authority`, the network, and whether it wants a VPN or a proxy (HTTPS_PROXY)",
    },
    Leg {
        words: &["Connection refused"],
        name: "TCP",
        problem: "nothing listens there",
        hint: "check the port in `authority`, and whether the network wants a proxy (HTTPS_PROXY)",
    },
    Leg {
        words: &["unreachable", "No route to host"],
        name: "TCP",
        problem: "no way leads there",
        hint: "check the network, and whether it wants a VPN or a proxy (HTTPS_PROXY)",
    },
    Leg {
        words: &[
            "certificate: Expired",
            "certificate expired",
            "NotValidYet",
            "not valid yet",
        ],
        name: "TLS",
        problem: "its certificate is not valid at this time",
        hint: "check the clock of this machine; else the certificate is for its owner to renew",
    },
    Leg {
        words: &["NotValidForName", "not valid for name"],
        name: "TLS",
        problem: "its certificate is that of another name",
        hint: "check the name in `authority`",
    },
    Leg {
        words: &["invalid peer certificate"],
        name: "TLS",
        problem: "its certificate is not trusted",
        hint: "",
    },
    Leg {
        words: &["received fatal alert"],
        name: "TLS",
        problem: "it refuses the handshake",
        hint: "",
    },
    Leg {
        words: &["timed out", "deadline has elapsed"],
        name: "time",
        problem: "it does not answer in time",
        hint: "check the network, and whether it wants a VPN or a proxy (HTTPS_PROXY)",
    },
];

/// The words of failures that are the proxy's own, where there is one: it looks up the name of the
/// authority, and connects to it.
const OF_THE_PROXY: &[&str] = &[
    "dns error",
    "failed to lookup address",
    "Connection refused",
    "unreachable",
    "No route to host",
];

/// A way that is broken somewhere.
fn broken(url: &str, reason: &str, context: &Context<'_>) -> Finding {
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let by = named_proxy(context).filter(|_| goes_by_proxy(url, context));
    let shown = printable_url(url);
    let status = Status::Error(ErrorKind::Unavailable);
    if let Some((name, proxy)) = &by
        && has(OF_THE_PROXY)
    {
        let proxy = printable_url(proxy);
        let message = format!("{shown}: the proxy {proxy} of {name} cannot be reached ({reason})");
        return Finding::new("", status, &message)
            .hint(&format!("check {name}, and NO_PROXY for what needs none"));
    }
    let leg = LEGS.iter().find(|leg| has(leg.words)).unwrap_or(&Leg {
        words: &[],
        name: "HTTP",
        problem: "it gives no answer that can be read",
        hint: "check what listens there, and the network",
    });
    let message = format!("{shown}: {} ({}: {reason})", leg.problem, leg.name);
    let hint = match leg.hint {
        "" => trouble_hint(reason).unwrap_or_default(),
        hint => hint,
    };
    let by = by.map_or_else(String::new, |(name, url)| {
        format!(
            "; the way is by the proxy {} of {name}",
            printable_url(&url)
        )
    });
    Finding::new("", status, &message).hint(&format!("{hint}{by}"))
}

/// The variable that names a proxy, and its URL: without a scheme it is `http`.
fn named_proxy(context: &Context<'_>) -> Option<(&'static str, String)> {
    let whole = |url: String| match url.contains("://") {
        true => url,
        // Where a URL begins, and so its password, is known by its scheme.
        false => format!("http://{url}"),
    };
    let variable = |name: &&'static str| Some((*name, whole(context.environment.variable(name)?)));
    PROXIES.iter().find_map(variable)
}

/// What goes by no proxy.
fn exempt(context: &Context<'_>) -> Option<String> {
    let mut names = ["NO_PROXY", "no_proxy"].iter();
    names.find_map(|name| context.environment.variable(name))
}

/// Whether a request for that URL goes by the proxy, if there is one.
fn goes_by_proxy(url: &str, context: &Context<'_>) -> bool {
    let is_here = Endpoint::parse(url).is_ok_and(|endpoint| endpoint.is_on_loopback());
    let url = url::Url::parse(url).ok();
    let host = url
        .as_ref()
        .and_then(url::Url::host_str)
        .unwrap_or_default();
    let exempt = exempt(context).unwrap_or_default();
    !is_here && !exempt.split(',').any(|entry| names(entry.trim(), host))
}

/// Whether an entry of NO_PROXY names a host: `*`, a name with all below it, an address, or a network.
fn names(entry: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let entry = entry.trim_start_matches('.').to_ascii_lowercase();
    if let Some((network, length)) = entry.split_once('/') {
        let (network, host) = (network.parse::<IpAddr>(), host.parse::<IpAddr>());
        let (Ok(network), Ok(host), Ok(length)) = (network, host, length.parse::<u32>()) else {
            return false;
        };
        // From the left, in as many bits as an address has.
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let differ = bits(network) ^ bits(host);
        return network.is_ipv4() == host.is_ipv4() && differ.leading_zeros() >= length;
    }
    let is_below = || {
        host.strip_suffix(&entry)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    !entry.is_empty() && (entry == "*" || host == entry || is_below())
}

fn proxy(context: &Context<'_>) -> Option<Finding> {
    let (name, url) = named_proxy(context)?;
    let shown = printable_url(&url);
    let is_url = url::Url::parse(&url).is_ok_and(|url| url.has_host());
    if !is_url {
        let error = Error::new(ErrorKind::Config, format!("{name} `{shown}` is no URL"));
        let error = error.hint("write it as `http://HOST:PORT`, or unset it");
        return Some(Finding::error("proxy", &error));
    }
    let without = exempt(context).map_or_else(String::new, |hosts| format!(", but for {hosts}"));
    let message = format!("requests go by the proxy {shown} of {name}{without}");
    Some(Finding::ok("proxy", &message))
}

/// The certificate authorities that stand for those of the system.
fn certificates(context: &Context<'_>) -> Option<Finding> {
    const NAME: &str = "SSL_CERT_FILE";
    const MARK: &str = "-----BEGIN CERTIFICATE-----";
    let path = context.environment.variable(NAME)?;
    let hint = "name a PEM file of certificate authorities, or unset it";
    let wrong = |message: String| {
        let error = Error::new(ErrorKind::Config, message).hint(hint);
        Some(Finding::error("certificates", &error))
    };
    match std::fs::read(&path) {
        Err(error) => wrong(format!("{NAME} `{path}` cannot be read: {error}")),
        Ok(bytes) if !String::from_utf8_lossy(&bytes).contains(MARK) => {
            wrong(format!("{NAME} `{path}` holds no certificate in PEM"))
        }
        Ok(_) => {
            let message = format!("the certificate authorities are those of `{path}` ({NAME})");
            Some(Finding::ok("certificates", &message))
        }
    }
}

/// How much the clock of this machine differs from an authority's.
fn differs(ahead: i64, url: &str) -> Finding {
    /// How many seconds do authorities bear with, at the least?
    const LIMIT: i64 = 60;
    if ahead.abs() <= LIMIT {
        return Finding::ok("clock", "the clock of this machine is right");
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let span = humantime::format_duration(Duration::from_secs(ahead.unsigned_abs()));
    let message = format!("the clock of this machine is {span} {side} that of {url}");
    Finding::warning("clock", &message).hint(
        "set it, as by `timedatectl set-ntp true`: certificates, proofs and the end of tokens are told \
         by it",
    )
}

#[cfg(test)]
mod tests {
    use super::{LEGS, Leg, names};

    #[test]
    fn what_needs_no_proxy_is_told_as_the_client_tells_it() {
        for (entry, host, expected) in [
            ("*", "login.example.com", true),
            ("example.com", "login.example.com", true),
            (".example.com", "LOGIN.example.com", true),
            ("example.com", "example.com", true),
            ("example.com", "anexample.com", false),
            ("login.example.com", "example.com", false),
            ("", "example.com", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/25", "192.0.2.200", false),
            ("2001:db8::/32", "[2001:db8::1]", true),
            ("::/0", "192.0.2.1", false),
            ("192.0.2.0/x", "192.0.2.0", false),
        ] {
            assert_eq!(names(entry, host), expected, "{entry} {host}");
        }
    }

    #[test]
    fn the_words_of_a_failure_tell_on_which_leg_it_was() {
        for (reason, expected) in [
            (
                "dns error: failed to lookup address information: Name or service not known",
                "its name is not found",
            ),
            (
                "tcp connect error: Connection refused (os error 111)",
                "nothing listens there",
            ),
            (
                "tcp connect error: Network is unreachable (os error 101)",
                "no way leads there",
            ),
            ("operation timed out", "it does not answer in time"),
            (
                "invalid peer certificate: UnknownIssuer",
                "its certificate is not trusted",
            ),
            (
                "received fatal alert: CertificateRequired",
                "it refuses the handshake",
            ),
            (
                "unsuccessful tunnel: dns error",
                "the proxy does not let it through",
            ),
        ] {
            let is_of = |leg: &&Leg| leg.words.iter().any(|word| reason.contains(word));
            let found = LEGS.iter().find(is_of);
            assert_eq!(found.map(|leg| leg.problem), Some(expected), "{reason}");
        }
    }
}

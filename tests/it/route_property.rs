//! Routing never widens: whatever a URL looks like, a token goes nowhere but where a pattern leads
//! also when others read the URL.
//!
//! What a pattern names is known here from its parts. The URL is read twice by others: as the URL
//! Standard says, by a crate that the router does not use, and by the expression of RFC 3986.

use std::cell::Cell;

use cred_helper::profile::Configuration;
use cred_helper::profile::file::Source;
use proptest::collection::vec;
use proptest::option::{self, of};
use proptest::prelude::any;
use proptest::sample::{Index, select};
use proptest::strategy::{Strategy, Union};
use url::Url;

use crate::property::hold;

/// The parts of a pattern, or of a URL.
#[derive(Clone, Debug)]
struct Parts {
    scheme: &'static str,
    /// Whether it names the hosts below `host`.
    is_wide: bool,
    host: String,
    port: Option<u16>,
    /// The segments of its path.
    path: Vec<&'static str>,
}

/// What a URL leads to, as somebody reads it.
#[derive(Debug)]
struct Place {
    scheme: String,
    /// Whether a user name or a password is sent there.
    has_user: bool,
    host: String,
    port: u16,
    path: Vec<String>,
}

fn own_port(scheme: &str) -> u16 {
    match scheme {
        "http" => 80,
        "smtp" => 25,
        "imap" => 143,
        "imaps" => 993,
        _ => 443,
    }
}

impl Parts {
    fn is_pattern(&self) -> bool {
        let is_loopback = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        let has_dot = self.host.contains('.') && !self.host.ends_with(".1");
        (self.scheme != "http" || is_loopback && !self.is_wide) && (!self.is_wide || has_dot)
    }

    fn written(&self) -> String {
        let below = if self.is_wide { "*." } else { "" };
        let mut text = format!("{}://{below}{}", self.scheme, self.host);
        if let Some(port) = self.port {
            text.push_str(&format!(":{port}"));
        }
        for segment in &self.path {
            text.push_str(&format!("/{segment}"));
        }
        text
    }

    /// Whether the pattern names the place.
    fn names(&self, place: &Place) -> bool {
        let host = if self.is_wide {
            place.host.len() > self.host.len() + 1
                && place.host.ends_with(&format!(".{}", self.host))
        } else {
            place.host == self.host
        };
        host && !place.has_user
            && place.scheme == self.scheme
            && place.port == self.port.unwrap_or(own_port(self.scheme))
            && place.path.len() >= self.path.len()
            && place.path.iter().zip(&self.path).all(|(is, own)| is == own)
    }
}

/// How it is read by whoever follows the URL Standard. `None` where that is no URL.
fn as_browsers_read(url: &str) -> Option<Place> {
    let url = Url::parse(url).ok()?;
    let scheme = url.scheme().replace("grpcs", "https");
    Some(Place {
        has_user: !url.username().is_empty() || url.password().is_some(),
        host: url.host_str()?.to_lowercase(),
        port: url.port_or_known_default().unwrap_or(own_port(&scheme)),
        path: segments(url.path()),
        scheme,
    })
}

/// How it is read by whoever takes it apart with the expression of RFC 3986 (appendix B), and sends
/// what stands before the last `@` as user name and password.
fn as_programs_read(url: &str) -> Option<Place> {
    let (scheme, rest) = url.split_once(':')?;
    let scheme = scheme.to_lowercase().replace("grpcs", "https");
    let rest = rest.strip_prefix("//")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = authority.rsplit('@').next()?;
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (host, own_port(&scheme)),
    };
    Some(Place {
        has_user: authority.contains('@'),
        host: host.to_lowercase(),
        port,
        path: segments(&rest[..rest.find(['?', '#']).unwrap_or(rest.len())]),
        scheme,
    })
}

fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(String::from).collect()
}

fn host() -> impl Strategy<Value = String> {
    let label = || select(vec!["a", "b", "corp", "evilcorp", "xn--4ca", "k", "x_y"]);
    let labels = vec(label(), 1..4).prop_map(|labels| format!("{}.example", labels.join(".")));
    let own = select(vec!["localhost", "127.0.0.1", "[::1]", "example"]).prop_map(String::from);
    Union::new_weighted(vec![(4, labels.boxed()), (1, own.boxed())])
}

fn parts() -> impl Strategy<Value = Parts> {
    let schemes = vec![
        "https", "https", "https", "http", "smtp", "imap", "imaps", "grpcs",
    ];
    let segment = select(vec!["team", "teamwork", "Team", "x", "%74eam", "a;b", "~"]);
    (
        select(schemes),
        any::<bool>(),
        host(),
        of(select(vec![443_u16, 8443, 80, 25, 993])),
        vec(segment, 0..3),
    )
        .prop_map(|(scheme, is_wide, host, port, path)| Parts {
            scheme,
            is_wide,
            host,
            port,
            path,
        })
}

fn pattern() -> impl Strategy<Value = Parts> {
    parts().prop_filter("no pattern", |parts| {
        parts.is_pattern() && parts.scheme != "grpcs"
    })
}

/// What has led somebody elsewhere before, and characters that some make others of.
const TRICKS: &[&str] = &[
    "@",
    "user@",
    "user:word@",
    ":",
    ":443",
    ":8443",
    ":0443",
    ":65979",
    "/",
    "//",
    "\\",
    "/../",
    "\\..\\..\\",
    "/\\..\\..\\x",
    "/./",
    "/%2e%2e/",
    "/.%2E/",
    "%2f",
    "%5c",
    "%40",
    "%00",
    "%2e",
    ".",
    "..",
    ".evil.example",
    "evil.example/",
    "evil",
    "*",
    "?",
    "#",
    ";",
    "[",
    "]",
    " ",
    "\t",
    "\n",
    "\r",
    "\0",
    "\u{7f}",
    "\u{ad}",
    "\u{200b}",
    "\u{ff0e}",
    "\u{3002}",
    "\u{2044}",
    "\u{ff20}",
    "\u{212a}",
    "\u{17f}",
    "\u{130}",
];

/// Ends of a path that climb out of it, as some read them.
const CLIMBS: &[&str] = &[
    "/../../x",
    "/\\..\\..\\x",
    "/%2e%2e/%2e%2e/x",
    "/.%2E/.%2E/x",
    "/%5c..%5c..%5cx",
    "/..%2f..%2fx",
];

/// One change of a text: what is put where, and how many characters it replaces.
type Edit = (Index, &'static str, usize);

fn edited(text: &str, edits: &[Edit], shout: Option<Index>) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (place, trick, replaced) in edits {
        let start = place.index(letters.len() + 1);
        let end = (start + replaced).min(letters.len());
        letters.splice(start..end, trick.chars());
    }
    if let Some(place) = shout.filter(|_| !letters.is_empty()) {
        let place = place.index(letters.len());
        letters[place] = letters[place].to_ascii_uppercase();
    }
    letters.into_iter().collect()
}

/// Profiles, each with patterns; a URL, made of one of them or of anything; and a name.
#[derive(Clone, Debug)]
struct Case {
    profiles: Vec<Vec<Parts>>,
    url: String,
    named: Option<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let edit = (any::<Index>(), select(TRICKS), 0..3_usize);
    let edits = Union::new_weighted(vec![(1, vec(edit.clone(), 0..1)), (1, vec(edit, 1..4))]);
    // A host that is named, those below it, and others that begin or end alike.
    let before = select(vec!["", "", "sub.", "sub.", "evil", "sub.evil"]);
    let behind = select(vec!["", "", "", "", "", ".evil.example", "evil"]);
    let profiles = vec(vec(pattern(), 0..3), 1..4);
    (
        profiles,
        option::weighted(0.9, any::<Index>()),
        parts(),
        (before, behind),
        (option::weighted(0.2, select(CLIMBS)), edits),
        of(any::<Index>()),
        option::weighted(0.2, 0..4_usize),
    )
        .prop_map(
            |(profiles, origin, other, (before, behind), (climb, edits), shout, named)| {
                let all: Vec<&Parts> = profiles.iter().flatten().collect();
                let origin = origin.filter(|_| !all.is_empty());
                let mut parts =
                    origin.map_or(other.clone(), |place| all[place.index(all.len())].clone());
                parts.is_wide = false;
                parts.host = format!("{before}{}{behind}", parts.host);
                parts.path.extend(other.path.first());
                Case {
                    url: edited(&parts.written(), &edits, shout) + climb.unwrap_or_default(),
                    named: named.filter(|number| *number < profiles.len()),
                    profiles,
                }
            },
        )
}

#[test]
fn no_profile_answers_for_a_url_that_leads_elsewhere_when_others_read_it() {
    const CASES: u32 = 4000;
    let answered = Cell::new(0);
    let tried = Cell::new(0);
    hold(CASES, &case(), |case| {
        tried.set(tried.get() + 1);
        let mut text = String::new();
        for (number, patterns) in case.profiles.iter().enumerate() {
            let written: Vec<String> = patterns.iter().map(Parts::written).collect();
            text.push_str(&format!(
                "[profiles.p{number}]\nclient_id = \"c\"\nauthority = \"https://id.example\"\n\
                 scopes = [\"s\"]\nurls = {written:?}\n"
            ));
        }
        let mut source = Source::built_in("profiles.toml", &text);
        source.profiles_count = true;
        let sources = [source];
        let configuration = Configuration::new(&sources).expect("the file is good");
        let name = case.named.map(|number| format!("p{number}"));
        let Ok(profile) = configuration.resolve(name.as_deref(), Some(&case.url)) else {
            return;
        };
        answered.set(answered.get() + 1);
        assert!(
            name.is_none_or(|name| name == profile.name),
            "another one answers"
        );
        let number: usize = profile.name[1..].parse().expect("they are numbered");
        for read in [as_browsers_read, as_programs_read] {
            // Whoever cannot read it goes nowhere.
            let Some(place) = read(&case.url) else {
                continue;
            };
            let patterns = &case.profiles[number];
            assert!(
                patterns.iter().any(|pattern| pattern.names(&place)),
                "`{}` is answered for, and leads to {place:?}",
                case.url
            );
        }
    });
    let (answered, tried) = (answered.get(), tried.get());
    assert!(
        answered * 20 > tried,
        "only {answered} of {tried} were answered for"
    );
}

#[test]
fn what_lies_below_a_pattern_is_named_by_it_however_it_is_written() {
    let endings = select(vec!["", "/", "/x", "/x/../y", "?q=/../", "#f", "/%41"]);
    hold(
        1000,
        &(pattern(), any::<bool>(), any::<bool>(), endings),
        |(parts, is_loud, has_port, ending)| {
            let pattern = cred_helper::profile::route::Pattern::parse(&parts.written())
                .expect("it is a pattern");
            let mut named = parts.clone();
            if has_port {
                named.port.get_or_insert(own_port(parts.scheme));
            }
            if is_loud {
                named.host = named.host.to_uppercase();
            }
            let url = named.written().replace("*.", "one.more.") + ending;
            let target = cred_helper::profile::route::Target::parse(&url);
            let is_named = target.is_some_and(|target| pattern.matches(&target).is_some());
            // A path that climbs is nobody's.
            assert_eq!(is_named, ending != "/x/../y", "{url}");
        },
    );
}

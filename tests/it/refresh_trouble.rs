//! Every trouble that a refresh can run into, and a silent answer or a clear error each time: no
//! sign-in is lost, nobody is asked, nothing takes longer than it may.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authority::{Authority, Endpoint, Fault, Response, Settings};
use crate::oidc_ground::for_each;
use crate::scene::{Scene, refresh_token, without_note};
use crate::support::Sandbox;
use crate::tls::{CertificateAuthority, Front};

/// How much faster do the clocks of a fast world run?
const SPEED: f64 = 20.0;

/// The program in a fast world: its waits are as much shorter.
pub(crate) const FAST: [&str; 3] = ["faketime", "-f", "+0 x20"];

/// The program without a network, not even loopback: nothing it sends arrives anywhere.
const WITHOUT_NETWORK: [&str; 2] = ["unshare", "-n"];

/// The program in a network, and a fast world, where everything is swallowed and nothing answers,
/// name servers neither.
const IN_SILENCE: [&str; 10] = [
    "unshare",
    "-n",
    "-m",
    "sh",
    "-c",
    "set -e; ip link set lo up; ip route add 192.0.2.0/24 dev lo; \
     echo nameserver 192.0.2.53 >resolv.conf; mount --bind resolv.conf /etc/resolv.conf; \
     exec \"$@\"",
    "sh",
    FAST[0],
    FAST[1],
    FAST[2],
];

/// A token endpoint's answer that is none, without effect: its name, the fault, and how many
/// requests a refresh makes of it. Where nobody knows whether it had its effect, that is two.
pub(crate) type Spoiled = (&'static str, fn() -> Fault, usize);

/// All of them.
pub(crate) const SPOILED: [Spoiled; 11] = [
    ("500", || Fault::error(500, "server_error"), 1),
    ("503", || answer(503, "<html>overloaded</html>"), 1),
    ("429", || Fault::Answer(slow_down()), 1),
    ("a redirect", || Fault::Answer(elsewhere()), 1),
    ("a dropped connection", || Fault::Reset, 2),
    (
        "a cut answer",
        || Fault::Answer(good().with("Content-Length", "1000")),
        2,
    ),
    (
        "garbage",
        || answer(200, "\u{0}<html>captive portal</html>"),
        2,
    ),
    ("nothing", || answer(200, ""), 2),
    ("10 MB of JSON", || Fault::Answer(large()), 2),
    ("no answer", || Fault::Hang, 2),
    ("an answer that trickles", || Fault::Trickle(good()), 2),
];

fn answer(status: u16, body: &str) -> Fault {
    Fault::Answer(Response::new(status, "text/html", body))
}

fn good() -> Response {
    let token = "x".repeat(200);
    Response::json(
        200,
        &json!({ "access_token": token, "token_type": "Bearer" }),
    )
}

fn large() -> Response {
    let padding = "x".repeat(10 * 1024 * 1024);
    let body = format!(r#"{{"padding":"{padding}","access_token":"large"}}"#);
    Response::new(200, "application/json", body)
}

fn slow_down() -> Response {
    Response::error(429, "slow_down_please", "").with("Retry-After", "24")
}

fn elsewhere() -> Response {
    Response::new(302, "text/html", "").with("Location", "https://127.0.0.1:1/token")
}

/// Whether a fault is waited for as long as a request may take.
pub(crate) fn is_slow(name: &str) -> bool {
    matches!(name, "no answer" | "an answer that trickles")
}

/// Whether a fault asks for some time without requests.
fn asks_for_a_pause(name: &str) -> bool {
    name == "429"
}

/// What is wrong while a refresh is tried.
enum Trouble {
    /// The token endpoint's answer.
    Token(Spoiled),
    /// The answer in the place of the metadata; none are stored.
    Metadata(Spoiled),
    /// The certificate of the whole authority.
    Certificate(Presented),
    /// The same, and no metadata are stored.
    CertificateFromTheStart(Presented),
    /// The metadata are of this issuer; none are stored.
    Issuer(&'static str),
    /// The stored metadata name this token endpoint.
    Elsewhere(String),
}

/// Which certificate is presented.
#[derive(Clone, Copy)]
pub(crate) enum Presented {
    Good,
    Expired,
    OfAnotherHost,
    OfNobodyKnown,
}

/// A trouble, and what comes of it.
struct Row {
    name: String,
    trouble: Trouble,
    /// What an error says.
    said: &'static str,
    /// What the program is run by.
    wrapper: &'static [&'static str],
    /// How many seconds of a fast world are waited for an answer.
    waits: Option<f64>,
}

impl Row {
    fn new(name: impl Into<String>, trouble: Trouble, said: &'static str) -> Self {
        Self {
            name: name.into(),
            trouble,
            said,
            wrapper: &["env"],
            waits: None,
        }
    }

    fn run_by(self, wrapper: &'static [&'static str]) -> Self {
        Self { wrapper, ..self }
    }

    fn waits(self, seconds: f64) -> Self {
        Self {
            wrapper: &FAST,
            waits: Some(seconds),
            ..self
        }
    }
}

/// The certificates that an authority of `127.0.0.1` can present.
pub(crate) struct Certificates {
    ca_file: PathBuf,
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    of_another_host: Arc<ServerConfig>,
    of_nobody_known: Arc<ServerConfig>,
    _directory: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        const HERE: &str = "IP:127.0.0.1";
        let directory = tempfile::tempdir().expect("a directory can be made");
        let known = CertificateAuthority::new(directory.path(), "known");
        let unknown = CertificateAuthority::new(directory.path(), "unknown");
        Self {
            ca_file: known.pem(),
            good: known.issue("good", HERE, "+0"),
            expired: known.issue("expired", HERE, "-3d"),
            of_another_host: known.issue("other", "DNS:login.example,IP:127.0.0.2", "+0"),
            of_nobody_known: unknown.issue("foreign", HERE, "+0"),
            _directory: directory,
        }
    }

    /// The authority that is known.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    pub(crate) fn get(&self, presented: Presented) -> Arc<ServerConfig> {
        Arc::clone(match presented {
            Presented::Good => &self.good,
            Presented::Expired => &self.expired,
            Presented::OfAnotherHost => &self.of_another_host,
            Presented::OfNobodyKnown => &self.of_nobody_known,
        })
    }
}

/// A sandbox in which somebody is signed in at an authority that speaks https.
pub(crate) struct Ground<'c> {
    pub(crate) scene: Scene,
    pub(crate) front: Front,
    certificates: &'c Certificates,
}

impl<'c> Ground<'c> {
    pub(crate) fn new(certificates: &'c Certificates) -> Self {
        let authority = Authority::start(Settings {
            approve_at_once: true,
            id_token: false,
            revocation: false,
            ..Settings::default()
        });
        let authority = authority.expect("it starts");
        let front = Front::start(Arc::clone(&certificates.good), authority.address());
        let origin = front.origin();
        let sandbox = Sandbox::new(&format!(
            "[profiles.api]\nclient_id = \"cli\"\nscopes = [\"demo\"]\nauthority = \"{origin}\"\n\
             tls = {{ ca_file = \"{}\" }}\n",
            certificates.ca_file.display()
        ));
        let ground = Self {
            scene: Scene { authority, sandbox },
            front,
            certificates,
        };
        ground.set_issuer(&origin);
        ground.scene.run(&["login"]).ok();
        ground
    }

    /// What the metadata say.
    fn set_issuer(&self, issuer: &str) {
        let origin = self.front.origin();
        let member = |name: &str, value: String| (name.to_owned(), Value::from(value));
        self.scene.authority.set(|settings| {
            settings.metadata = vec![
                member("issuer", issuer.to_owned()),
                member("token_endpoint", format!("{origin}/token")),
                member(
                    "device_authorization_endpoint",
                    format!("{origin}/device_authorization"),
                ),
            ];
        });
    }

    fn documents(&self) -> PathBuf {
        self.scene.sandbox.state().join("documents")
    }

    fn forget_metadata(&self) {
        if self.documents().exists() {
            fs::remove_dir_all(self.documents()).expect("they are ours");
        }
    }

    fn edit_metadata(&self, edit: impl FnOnce(&mut Value)) {
        let path = only_file(&self.documents());
        let text = fs::read_to_string(&path).expect("it is ours");
        let (time, document) = text.split_once('\n').expect("the time stands first");
        let mut document = serde_json::from_str(document).expect("it is JSON");
        edit(&mut document);
        fs::write(&path, format!("{time}\n{document}")).expect("it is ours");
    }

    fn begin(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Token((_, fault, times)) => {
                for _ in 0..*times {
                    self.scene.authority.script(Endpoint::Token, fault());
                }
            }
            Trouble::Metadata((_, fault, _)) => {
                self.forget_metadata();
                // For each place where they may lie.
                for _ in 0..2 {
                    self.scene.authority.script(Endpoint::Discovery, fault());
                }
            }
            Trouble::Certificate(presented) => {
                self.front.present(self.certificates.get(*presented));
            }
            Trouble::CertificateFromTheStart(presented) => {
                self.forget_metadata();
                self.front.present(self.certificates.get(*presented));
            }
            Trouble::Issuer(issuer) => {
                self.forget_metadata();
                self.set_issuer(issuer);
            }
            Trouble::Elsewhere(url) => {
                self.edit_metadata(|document| document["token_endpoint"] = url.as_str().into());
            }
        }
    }

    fn end(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Token(_) => {}
            Trouble::Metadata(_) => self.scene.authority.clear_script(),
            Trouble::Certificate(_) | Trouble::CertificateFromTheStart(_) => {
                self.front.present(self.certificates.get(Presented::Good));
            }
            Trouble::Issuer(_) => self.set_issuer(&self.front.origin()),
            Trouble::Elsewhere(_) => {
                let url = format!("{}/token", self.front.origin());
                self.edit_metadata(|document| document["token_endpoint"] = url.into());
            }
        }
    }
}

fn only_file(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).expect("it is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    paths.remove(0)
}

fn rows(silent: &TcpListener) -> Vec<Row> {
    let elsewhere = |url: &str| Trouble::Elsewhere(url.to_owned());
    let mut rows = Vec::new();
    for spoiled in SPOILED {
        let name = spoiled.0;
        let for_token = format!("{name} for the token");
        let for_metadata = format!("{name} for the metadata");
        rows.extend(if is_slow(name) {
            // A request is given up after 30 s, and a call after 60 s.
            let said = "operation timed out";
            [
                Row::new(for_token, Trouble::Token(spoiled), said).waits(60.0),
                Row::new(for_metadata, Trouble::Metadata(spoiled), said).waits(30.0),
            ]
        } else {
            let said = "the token could not be refreshed";
            [
                Row::new(for_token, Trouble::Token(spoiled), said),
                Row::new(for_metadata, Trouble::Metadata(spoiled), "cannot be read"),
            ]
        });
    }
    for (name, presented, said) in [
        (
            "a certificate that is over",
            Presented::Expired,
            "certificate expired",
        ),
        (
            "a certificate of another host",
            Presented::OfAnotherHost,
            "not valid for name",
        ),
        (
            "a certificate of nobody known",
            Presented::OfNobodyKnown,
            "UnknownIssuer",
        ),
    ] {
        rows.push(Row::new(name, Trouble::Certificate(presented), said));
        let name = format!("{name} from the start");
        rows.push(Row::new(
            name,
            Trouble::CertificateFromTheStart(presented),
            said,
        ));
    }
    let said = "it is of the issuer `https://login.example`";
    let issuer = Trouble::Issuer("https://login.example");
    let address = silent.local_addr().expect("it is bound");
    let silent = elsewhere(&format!("https://{address}/token"));
    // Nobody listens at port 1. The addresses are those of documentation (RFC 5737), and the name
    // is one that nobody has (RFC 2606).
    let closed = elsewhere("https://127.0.0.1:1/token");
    let far = || elsewhere("https://192.0.2.1/token");
    let unknown = || elsewhere("https://token.invalid/token");
    let timed_out = "operation timed out";
    rows.extend([
        Row::new("metadata of another issuer", issuer, said),
        Row::new("no connection", closed, "Connection refused"),
        Row::new("no network", far(), "Network is unreachable").run_by(&WITHOUT_NETWORK),
        Row::new("no name", unknown(), "error resolving DNS").run_by(&WITHOUT_NETWORK),
        // A connection is given up after 10 s, by either of two clocks with words of their own.
        Row::new("silence instead of TLS", silent, timed_out).waits(10.0),
        Row::new("silence in the network", far(), "could not be refreshed")
            .waits(10.0)
            .run_by(&IN_SILENCE),
        Row::new("silence of the name server", unknown(), timed_out)
            .waits(10.0)
            .run_by(&IN_SILENCE),
    ]);
    rows
}

#[test]
fn trouble_in_a_refresh_costs_nothing_asks_nobody_and_is_over_when_it_is_over() {
    let certificates = Certificates::new();
    // The kernel accepts for it.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let rows = rows(&silent);
    thread::scope(|scope| {
        for row in &rows {
            scope.spawn(|| endure(row, &Ground::new(&certificates)));
        }
    });
}

fn endure(row: &Row, ground: &Ground<'_>) {
    let Row {
        name,
        trouble,
        said,
        wrapper,
        waits,
    } = row;
    let scene = &ground.scene;
    let get = |arguments: &[&str]| {
        let command = scene.wrapped(wrapper, &[&["get"], arguments].concat());
        scene.run_command(command)
    };
    let token = scene.run(&["get"]).ok();
    let sign_ins = scene.authority.count("/device_authorization", None);

    // An authority that asks for a pause has one, until its time has passed.
    let pause = |before: &[u8]| {
        if matches!(trouble, Trouble::Token((name, ..)) if asks_for_a_pause(name)) {
            let sent = scene.refreshes();
            let ran = get(&[]);
            assert!(ran.stderr.contains("asked again from"), "{name}: {ran:?}");
            assert_eq!(scene.refreshes(), sent, "{name}");
            fs::write(scene.sandbox.session(), before).expect("it is ours");
        }
    };

    // It has run out.
    scene.age(-1);
    // That it was waited for long is noted, and what pause is asked for; nothing else is changed.
    let session = || without_note(&scene.session());
    let (bytes, expired) = (scene.session(), session());
    let sent = scene.refreshes();
    ground.begin(trouble);
    let begun = Instant::now();
    let error = get(&[]).failed(6);
    let took = begun.elapsed();
    assert!(error.starts_with("error: "), "{name}: {error}");
    assert!(error.contains(said), "{name}: {error}");
    assert_eq!(session(), expired, "{name}");
    let requests = if let Trouble::Token(spoiled) = trouble {
        spoiled.2
    } else {
        0
    };
    assert_eq!(scene.refreshes() - sent, requests, "{name}: {error}");
    match waits {
        Some(least) => {
            let took = took.as_secs_f64() * SPEED;
            let span = least - 1.0..least + 60.0;
            assert!(span.contains(&took), "{name}: {took} s");
        }
        None => assert!(took < Duration::from_secs(20), "{name}: {took:?}"),
    }
    ground.end(trouble);
    pause(&bytes);

    // Somebody sits at the terminal, and is left in peace.
    ground.begin(trouble);
    let wrapper: Vec<String> = wrapper.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("{} cred-helper get 2>errors", wrapper.join(" "));
    let (code, shown) = scene.sandbox.in_terminal(&line).end();
    let error = fs::read_to_string(scene.file("errors")).expect("the shell made it");
    assert_eq!((code, shown.as_str()), (Some(6), ""), "{name}: {error}");
    assert_eq!(session(), expired, "{name}");
    ground.end(trouble);
    pause(&bytes);

    // It is still valid.
    scene.age(200);
    let (bytes, aging) = (scene.session(), session());
    ground.begin(trouble);
    let ran = get(&["-o", "json"]);
    let warning = "warning: the token of profile `api` could not be refreshed and is still valid";
    assert!(ran.stderr.starts_with(warning), "{name}: {ran:?}");
    assert!(ran.stderr.contains(said), "{name}: {ran:?}");
    let answer = ran.json();
    assert_eq!(answer["access_token"], token.trim(), "{name}");
    assert_eq!(answer["stale"], true, "{name}");
    assert_eq!(session(), aging, "{name}");
    ground.end(trouble);
    pause(&bytes);

    scene.age(-1);
    let ran = scene.run(&["get", "-o", "json"]);
    assert_eq!(ran.stderr, "", "{name}: nothing is left of it");
    assert_eq!(ran.json()["source"], "refresh", "{name}: the sign-in lives");
    let asked = scene.authority.count("/device_authorization", None);
    assert_eq!(asked, sign_ins, "{name}: nobody was asked");
}

/// Nobody knows whether the first attempt had its effect, so there is a second one, and no third.
#[test]
fn a_refresh_is_tried_twice_at_most_whatever_comes_of_the_second_attempt() {
    for_each(SPOILED, |(name, fault, _)| {
        let scene = Scene::signed_in();
        scene.age(-1);
        let bytes = scene.session();
        let before = without_note(&bytes);
        scene.authority.script(Endpoint::Token, Fault::Reset);
        scene.authority.script(Endpoint::Token, fault());
        let wrapper: &[&str] = if is_slow(name) { &FAST } else { &["env"] };
        scene
            .run_command(scene.wrapped(wrapper, &["get"]))
            .failed(6);
        assert_eq!(scene.refreshes(), 2, "{name}");
        assert_eq!(scene.authority.faults_left(), 0, "{name}");
        assert_eq!(without_note(&scene.session()), before, "{name}");
        if asks_for_a_pause(name) {
            // Its time has passed.
            fs::write(scene.sandbox.session(), bytes).expect("it is ours");
        }
        let answer = scene.run(&["get", "-o", "json"]).json();
        assert_eq!(answer["source"], "refresh", "{name}");
    });
}

/// An answer is the authority's own, and this one is wrong: it would be wrong again later, and
/// after a sign-in. So it is `denied`, neither trouble nor a reason to ask somebody. The refresh
/// token in it has replaced the old one all the same.
#[test]
fn an_id_token_of_another_issuer_is_refused_and_the_refresh_token_beside_it_is_kept() {
    let scene = Scene::signed_in();
    let token = scene.run(&["get"]).ok();
    let spoil = || {
        let claims = json!({ "iss": "https://evil.example", "aud": "cli", "sub": "eve" });
        let id_token = format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let fault = Fault::edit(|members| drop(members.insert("id_token".into(), id_token.into())));
        scene.authority.script(Endpoint::Token, fault);
    };
    let said = "the ID token is from the issuer `https://evil.example`";
    for (arguments, code) in [(&["get"][..], 0), (&["get", "--force-refresh"], 5)] {
        scene.age(200);
        let before = refresh_token(&scene.session());
        spoil();
        let ran = scene.run(arguments);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
        assert_eq!(ran.stdout, if code == 0 { token.as_str() } else { "" });
        let kept = refresh_token(&scene.session());
        assert_ne!(kept, before);
        assert!(scene.authority.is_redeemable(&kept));
    }
    scene.age(-1);
    spoil();
    let (code, shown) = scene.sandbox.in_terminal("cred-helper get 2>errors").end();
    let error = fs::read_to_string(scene.file("errors")).expect("the shell made it");
    assert_eq!((code, shown.as_str()), (Some(5), ""), "{error}");
    assert!(error.contains(said), "{error}");
    let answer = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
    assert_eq!(answer["account"], "ada@example.test");
}

#[test]
fn metadata_of_another_issuer_do_not_replace_those_that_are_stored() {
    let scene = Scene::signed_in();
    let documents = scene.sandbox.state().join("documents");
    let path = only_file(&documents);
    let stored = fs::read_to_string(&path).expect("it is ours");
    let (_, document) = stored.split_once('\n').expect("the time stands first");
    let old = format!("1000000000\n{document}");
    fs::write(&path, &old).expect("it is ours");
    let evil = ("issuer".to_owned(), "https://evil.example".into());
    scene
        .authority
        .set(|settings| settings.metadata = vec![evil]);
    let asked = scene.authority.requests().len();
    scene.run(&["get", "--force-refresh"]).ok();
    let paths = scene.authority.requests().split_off(asked);
    assert!(paths[0].path.contains("/.well-known/"), "{paths:?}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), old);
}

//! Every decoder of bytes that somebody else wrote, as a function that a fuzzer and a test call:
//! it must not panic, and it returns what of the bytes a person would be shown.
//!
//! To add one: a function here, a row in [`DECODERS`], and seeds in `fuzz/seeds/NAME`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cred_helper::claims;
use cred_helper::cli::{self, Called};
use cred_helper::command::request;
use cred_helper::context::{
    Context, Environment, Http, HttpFailure, HttpRequest, HttpResponse, Shield, Signals, Terminal,
    Tls,
};
use cred_helper::credential::{Action, Credential, Interactive, Request, Response};
use cred_helper::endpoint::Endpoint;
use cred_helper::error::{Error, ErrorKind};
use cred_helper::exchange::EXCHANGES;
use cred_helper::grant::{GRANTS, Given, GrantRequest};
use cred_helper::grant::{authorization_code, device_code, plugin::wire};
use cred_helper::io::Io;
use cred_helper::oauth::challenge::Challenge;
use cred_helper::oauth::client::{Authority, Client, EndpointName, Endpoints};
use cred_helper::oauth::client_authentication::ClientAuthentication;
use cred_helper::oauth::federation::AssertionSource;
use cred_helper::oauth::json_web_key::Keys;
use cred_helper::oauth::metadata::{self, Server};
use cred_helper::oauth::{id_token, response, userinfo};
use cred_helper::profile::Configuration;
use cred_helper::profile::file::Source;
use cred_helper::profile::narrow::narrow;
use cred_helper::profile::route::{Pattern, Target, urls_of};
use cred_helper::protocol::argument::Arguments;
use cred_helper::protocol::{PROTOCOLS, json};
use cred_helper::secret::Secret;
use cred_helper::setup::{Answering, Document, Machine, Plan, SETUPS, Wish};
use cred_helper::signing_key::KeyFile;
use cred_helper::store::{self, Loaded};
use cred_helper::system::listener;
use cred_helper::text::printable;
use cred_helper::token::{Account, Timestamp, TokenSet};

use crate::fake::World;

/// A decoder, and the name of its seeds.
pub(crate) type Decoder = (&'static str, fn(&[u8]) -> Vec<String>);

/// Every decoder.
pub(crate) const DECODERS: &[Decoder] = &[
    ("token_response", token_response),
    ("device_authorization", device_authorization),
    ("metadata", server_metadata),
    ("id_token", id_token_claims),
    ("userinfo", user_information),
    ("challenge", challenge_of_a_resource),
    ("keys", keys_of_an_authority),
    ("answer", answer_of_a_resource),
    ("managed_identity", managed_identity),
    ("federation", federation),
    ("pushed", pushed),
    ("acr", acr),
    ("aws", aws),
    ("redirect", redirect),
    ("claims", claims_request),
    ("key_file", key_file),
    ("session", session),
    ("sealed", sealed_session),
    ("choice", choice_of_seal),
    ("msal_cache", msal_cache),
    #[cfg(target_os = "linux")]
    ("secret_service", secret_service),
    ("setup", setup_of_tool),
    ("profile", profile),
    ("narrow", narrowed_profile),
    ("route", route),
    ("request", request),
    ("argument", argument),
    ("git", git),
    ("cargo", cargo),
    ("docker", docker),
    ("kubectl", kubectl),
    ("plugin", plugin),
    ("bazel", bazel),
    ("terraform", terraform),
    ("go", go),
    ("nuget", nuget),
    ("keyring", keyring),
    ("askpass", askpass),
];

/// Fails for text that would move the cursor, colour the screen, or reorder or hide what is near
/// it. A line feed is allowed: what has several lines is ours.
pub(crate) fn assert_harmless(shown: &[String]) {
    for text in shown {
        let bad = text
            .chars()
            .find(|character| *character != '\n' && !is_harmless(*character));
        assert!(bad.is_none(), "{bad:?} would be shown: {text:?}");
    }
}

fn is_harmless(character: char) -> bool {
    !character.is_control() && printable(&format!("a{character}b")) != "ab"
}

fn told(error: &Error) -> Vec<String> {
    let mut shown = vec![error.message().to_owned()];
    shown.extend(error.causes().iter().cloned());
    shown.extend(error.hint_text().map(String::from));
    shown
}

fn named(account: &Account) -> Vec<String> {
    [&account.name, &account.subject]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

fn client() -> Client {
    Client {
        client_id: "c".to_owned(),
        authority: Authority::Explicit,
        endpoints: Endpoints::default(),
        authentication: ClientAuthentication::default(),
        tls: Tls::default(),
        exact_scopes: false,
        resource: None,
        audience: None,
        prompt: None,
        domain_hint: None,
        extra: BTreeMap::new(),
        dpop: false,
        proof_key: None,
    }
}

/// What a token endpoint answers, under a good, a bad and a troubled status.
pub(crate) fn token_response(bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    for status in [200, 400, 503] {
        let answer = HttpResponse {
            status,
            headers: Vec::new(),
            body: bytes.to_vec().into(),
        };
        match response::token_set(&answer, &client(), &Server::default(), Timestamp(1000)) {
            Ok(set) => {
                assert_eq!(status, 200, "a token comes with a good status alone");
                let token = set.access_token.expose();
                assert!(token.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
                assert!(set.expires_at.is_none_or(|end| end.0 >= 1000));
                shown.push(set.token_type);
                shown.extend(set.scopes.into_iter().flatten());
                shown.extend(named(&set.account));
            }
            Err(failure) => shown.extend(told(&failure.into_error("it failed"))),
        }
    }
    shown
}

/// What a device authorization endpoint answers.
pub(crate) fn device_authorization(bytes: &[u8]) -> Vec<String> {
    device_code::decodes(bytes).into_iter().collect()
}

/// An authority's metadata.
pub(crate) fn server_metadata(bytes: &[u8]) -> Vec<String> {
    let issuer = Endpoint::parse("https://issuer.example").expect("it is an https URL");
    match metadata::decodes(bytes, &issuer) {
        Ok(server) => {
            for name in EndpointName::ALL {
                let endpoint = server.endpoints.get(name).map(Endpoint::as_str);
                assert!(endpoint.is_none_or(|url| Endpoint::parse(url).is_ok()));
            }
            Vec::new()
        }
        // Shown as a cause, and causes are made printable.
        Err(problem) => vec![printable(&problem)],
    }
}

/// An ID token, its claims, and Entra's `client_info`.
pub(crate) fn id_token_claims(bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    let mut tokens = vec![format!("e30.{encoded}.")];
    tokens.extend(std::str::from_utf8(bytes).map(String::from));
    for token in tokens {
        match id_token::account(&token, "c", Some("https://issuer.example")) {
            Ok(account) => shown.extend(named(&account)),
            Err(problem) => shown.push(problem),
        }
    }
    let account = id_token::account_of_client_info(&encoded);
    shown.extend(account.iter().flat_map(named));
    shown
}

/// A `WWW-Authenticate` header.
pub(crate) fn challenge_of_a_resource(bytes: &[u8]) -> Vec<String> {
    let line = [b"401 ", bytes, b"\n"].concat();
    let Challenge {
        error,
        error_description,
        scope,
        claims,
    } = Challenge::read(&Answers::read(&line).head());
    if let Some(claims) = claims {
        assert_eq!(claims::read(&claims).as_ref(), Ok(&claims));
    }
    // Shown as causes, which are made printable.
    let told = [error, error_description, scope].into_iter().flatten();
    told.map(|text| printable(&text)).collect()
}

/// A token in the first line, and keys in the rest.
pub(crate) fn keys_of_an_authority(bytes: &[u8]) -> Vec<String> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (token, set) = bytes.split_at(end.unwrap_or(bytes.len()));
    let verified = Keys::read(set).and_then(|keys| keys.verify(&String::from_utf8_lossy(token)));
    verified
        .err()
        .map(|problem| printable(&problem))
        .into_iter()
        .collect()
}

/// What a resource answers: in the first line the status and its `Link`, and the body in the rest.
pub(crate) fn answer_of_a_resource(bytes: &[u8]) -> Vec<String> {
    let answer = Answers::read(bytes);
    let shown = request::decodes(&answer.head(), answer.body);
    // A tab is the server's own.
    shown
        .into_iter()
        .map(|text| text.replace('\t', " "))
        .collect()
}

/// What a server answers, whatever it is asked: in the first line the status and what it says in its
/// headers, and the body in the rest. Without a status all is the body of a good answer.
struct Answers<'t> {
    status: u16,
    header: String,
    body: &'t [u8],
}

impl<'t> Answers<'t> {
    fn read(bytes: &'t [u8]) -> Self {
        let good = Self {
            status: 200,
            header: String::new(),
            body: bytes,
        };
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return good;
        };
        // As the network hands it on.
        let line: Vec<u8> = bytes[..end]
            .iter()
            .copied()
            .filter(|byte| (b' '..=b'~').contains(byte))
            .collect();
        let line = String::from_utf8_lossy(&line);
        let (status, header) = line.split_once(' ').unwrap_or((&line, ""));
        match status.parse() {
            Ok(status @ 100..=999) => Self {
                status,
                header: header.to_owned(),
                body: &bytes[end + 1..],
            },
            _ => good,
        }
    }

    fn head(&self) -> HttpResponse {
        let names = ["www-authenticate", "retry-after", "dpop-nonce", "link"];
        let header = |name: &str| (name.to_owned(), Secret::new(self.header.as_str()));
        HttpResponse {
            status: self.status,
            headers: names.map(header).into(),
            body: Vec::new().into(),
        }
    }
}

impl Http for Answers<'_> {
    fn send(
        &self,
        _: &HttpRequest,
        _: &Tls,
        _: std::time::Duration,
    ) -> Result<HttpResponse, HttpFailure> {
        Ok(HttpResponse {
            body: self.body.to_vec().into(),
            ..self.head()
        })
    }
}

/// What is shown where a server answers this; `work` says whether there is a token.
fn answered(
    variables: &[(&'static str, &str)],
    bytes: &[u8],
    work: impl Fn(&Context<'_>) -> Result<Vec<String>, Error>,
) -> Vec<String> {
    let mut world = World::default();
    let owned = variables
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    world.variables.extend(owned);
    let http = Answers::read(bytes);
    let context = Context {
        http: &http,
        ..world.context()
    };
    let mut shown = match work(&context) {
        Ok(told) => {
            let is_good = (200..300).contains(&http.status);
            assert!(is_good, "a token comes with a good status alone");
            told
        }
        Err(error) => told(&error),
    };
    shown.extend(world.warnings.take());
    shown.push(world.shown.take());
    shown
}

/// What is shown of a token set, which can be sent as it is.
fn told_of(set: &TokenSet) -> Vec<String> {
    let token = set.access_token.expose();
    assert!(!token.is_empty(), "a token is there");
    assert!(token.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    let mut shown = named(&set.account);
    shown.push(set.token_type.clone());
    shown.extend(set.scopes.iter().flatten().cloned());
    shown
}

fn endpoint(path: &str) -> Endpoint {
    Endpoint::parse(&format!("https://issuer.example/{path}")).expect("it is an https URL")
}

/// Who somebody is, as a userinfo endpoint answers it.
pub(crate) fn user_information(bytes: &[u8]) -> Vec<String> {
    let mut client = client();
    client.endpoints.set(EndpointName::Token, endpoint("token"));
    client
        .endpoints
        .set(EndpointName::Userinfo, endpoint("userinfo"));
    let mut shown = Vec::new();
    for subject in [None, Some("s".to_owned())] {
        let known = Account {
            name: None,
            subject: subject.clone(),
            home: None,
        };
        let token = Secret::new("token");
        let set = TokenSet {
            account: known,
            ..TokenSet::of_access_token(token, "Bearer", Timestamp(1000))
        };
        shown.extend(answered(&[], bytes, |context| {
            let found = userinfo::account(&client, &set, &[], context);
            let found = found.ok_or_else(|| Error::new(ErrorKind::Unavailable, "nobody"))?;
            assert!(subject.is_none() || found.subject == subject);
            Ok(named(&found))
        }));
    }
    shown
}

/// What a service of managed identities answers, for each kind of them.
pub(crate) fn managed_identity(bytes: &[u8]) -> Vec<String> {
    let entry = GRANTS.iter().find(|entry| entry.name == "managed_identity");
    let entry = entry.expect("it is in the table");
    let beside = "http://127.0.0.1/token";
    let hosts: &[&[(&'static str, &str)]] = &[
        &[],
        &[("IDENTITY_ENDPOINT", beside), ("IDENTITY_HEADER", "h")],
        &[("IDENTITY_ENDPOINT", beside), ("IMDS_ENDPOINT", beside)],
    ];
    let mut shown = Vec::new();
    for host in hosts {
        let mut given = Given::default();
        given.plain.insert("client_id".to_owned(), "fuzz".into());
        let grant = (entry.parse)(given).expect("its keys are good");
        shown.extend(answered(host, bytes, |context| {
            let set = grant.run(
                &client(),
                &asked(&["https://r.example/.default".into()]),
                context,
            )?;
            Ok(told_of(&set))
        }));
    }
    shown
}

/// What a platform answers to a job that wants a token of its own.
pub(crate) fn federation(bytes: &[u8]) -> Vec<String> {
    let url = "https://platform.example/";
    let variables = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
        ("SYSTEM_OIDCREQUESTURI", url),
        ("SYSTEM_ACCESSTOKEN", "t"),
    ];
    let sources = [
        AssertionSource::GithubActions {
            audience: "a".to_owned(),
        },
        AssertionSource::AzurePipelines {
            service_connection_id: "c".to_owned(),
        },
    ];
    let shown = sources.iter().flat_map(|source| {
        answered(&variables, bytes, |context| {
            source.resolve(context).map(|_| Vec::new())
        })
    });
    shown.collect()
}

/// What an endpoint answers that takes the authorization request before the browser does.
pub(crate) fn pushed(bytes: &[u8]) -> Vec<String> {
    let mut client = client();
    for name in EndpointName::ALL {
        client.endpoints.set(name, endpoint(name.key()));
    }
    let entry = GRANTS
        .iter()
        .find(|entry| entry.name == "authorization_code");
    let grant = (entry.expect("it is in the table").parse)(Given::default());
    let grant = grant.expect("it needs no keys");
    answered(&[], bytes, |context| {
        let begun = grant.begin(&client, &asked(&[]), context)?;
        let page = begun.expect("it has two steps").url;
        let read = url::Url::parse(&page).expect("it can be opened");
        assert_eq!(read.path(), "/authorization", "{page}");
        Ok(vec![page])
    })
}

/// What a registry of Azure answers.
pub(crate) fn acr(bytes: &[u8]) -> Vec<String> {
    traded("acr", &[], "https://r.azurecr.io/", bytes)
}

/// What AWS answers.
pub(crate) fn aws(bytes: &[u8]) -> Vec<String> {
    let keys = [
        ("role_arn", "arn:aws:iam::123456789012:role/r"),
        ("region", "eu-central-1"),
    ];
    traded("aws", &keys, "https://aws.example/", bytes)
}

fn traded(name: &str, keys: &[(&'static str, &str)], url: &str, bytes: &[u8]) -> Vec<String> {
    let entry = EXCHANGES.iter().find(|entry| entry.name == name);
    let owned = keys.iter().map(|(key, text)| (*key, (*text).to_owned()));
    let parsed = (entry.expect("it is in the table").parse)(&owned.collect());
    let exchange = parsed.unwrap_or_else(|problems| panic!("{problems:?}"));
    answered(&[], bytes, |context| {
        let traded = exchange.run(&client(), &credential(), Some(url), context);
        Ok(told_of(&traded.map_err(Error::from)?))
    })
}

/// What a browser brings to this machine.
pub(crate) fn redirect(bytes: &[u8]) -> Vec<String> {
    let Ok(Some(visit)) = listener::decodes(bytes) else {
        return Vec::new();
    };
    let mut shown = Vec::new();
    let [brought, copied] = authorization_code::decodes(&visit);
    if brought.is_some() {
        assert!(visit.host.eq_ignore_ascii_case("127.0.0.1:1"));
        let said = [visit.target.expose(), visit.body.expose()].concat();
        assert!(said.contains("state"), "{said}");
    }
    for outcome in [brought, copied].into_iter().flatten() {
        match outcome {
            Ok(code) => assert!(!code.expose().is_empty()),
            Err(error) => shown.extend(told(&error)),
        }
    }
    shown
}

/// A claims request, or the challenge of a resource that wants one.
pub(crate) fn claims_request(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    match claims::read(&text) {
        Ok(written) => {
            assert_eq!(claims::read(&written).as_ref(), Ok(&written));
            let able = ["CP1".to_owned()];
            let sent = claims::with_capabilities(Some(&written), &able);
            assert_eq!(claims::capabilities(&sent.expect("there are some")), able);
            Vec::new()
        }
        // Shown as a cause, and causes are made printable.
        Err(problem) => vec![printable(&problem)],
    }
}

/// A key with its certificates: PEM, or PFX.
pub(crate) fn key_file(bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    for passphrase in [None, Some("fuzz")] {
        let read = KeyFile::read(bytes, passphrase).and_then(KeyFile::into_chain);
        match read {
            Ok((key, chain)) => {
                assert_eq!(chain[0].public_key(), key.public_key());
                for algorithm in key.algorithms() {
                    match key.sign(*algorithm, b"message") {
                        Ok(signature) => assert!(!signature.is_empty()),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Config);
                            shown.extend(told(&error));
                        }
                    }
                }
            }
            Err(problem) => shown.extend([problem.reason, problem.hint.to_owned()]),
        }
    }
    shown
}

/// A session's file that is sealed.
pub(crate) fn sealed_session(bytes: &[u8]) -> Vec<String> {
    loaded(store::opens(bytes))
}

/// A cache of MSAL, whose sign-ins are shared.
pub(crate) fn msal_cache(bytes: &[u8]) -> Vec<String> {
    match store::msal::decodes(bytes) {
        Ok([found, unchanged, without]) => {
            assert!(*found == *unchanged, "what has not changed is not written");
            let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
            let bare = |text: &str| text.trim_start_matches('\u{feff}').to_owned();
            // A number that is too large is ignored, and no JSON to others.
            assert!(!is_json(&bare(&found)) || is_json(&bare(&without)));
            Vec::new()
        }
        Err(problem) => vec![problem],
    }
}

/// What says how new sessions are sealed.
pub(crate) fn choice_of_seal(bytes: &[u8]) -> Vec<String> {
    store::chooses(bytes).err().iter().flat_map(told).collect()
}

/// What a keyring says over the session bus.
#[cfg(target_os = "linux")]
pub(crate) fn secret_service(bytes: &[u8]) -> Vec<String> {
    let failures = cred_helper::system::os_keyring::decodes(bytes).into_iter();
    failures
        .flat_map(|failure| told(&failure.into_error("try again")))
        .collect()
}

/// A tool's name in the first line, and its configuration in the rest. What setup writes into it is
/// found there, is not written twice, and can be taken out.
pub(crate) fn setup_of_tool(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let (name, text) = text.split_once('\n').unwrap_or((&text, ""));
    let Some(entry) = SETUPS.iter().find(|entry| entry.name == name) else {
        return Vec::new();
    };
    let mut world = World::default();
    world
        .variables
        .insert("CRED_HELPER_STATE", "/fuzz".to_owned());
    let mut machine = Machine::new(world.context()).expect("this user has a home");
    machine.command = "cred-helper".to_owned();
    let pattern = |text: &str| Pattern::parse(text).expect("it is a pattern");
    let answering = || Answering {
        name: "api".to_owned(),
        urls: vec![
            pattern("https://h.example/"),
            pattern("https://r.example/team/"),
        ],
    };
    fn document(text: &str) -> Document<'_> {
        Document {
            path: Path::new("fuzz"),
            text,
        }
    }
    let wired = |text: &str| {
        let wiring = (entry.look)(&machine, &document(text), &[answering()])?;
        Ok::<_, Error>(wiring.wired.len())
    };
    let work = || {
        let before = wired(text)?;
        let wish = Wish {
            url: None,
            profiles: vec![answering()],
            is_named: true,
        };
        let mut plan = Plan::over(Vec::new());
        let with = (entry.add)(&machine, &document(text), &wish, &mut plan)?;
        // What the tool finds by a link is not asked while there is none.
        let is_by_link = entry.protocol == "keyring";
        assert!(is_by_link || wired(&with)? >= 1, "{name}: {with:?}");
        let again = (entry.add)(&machine, &document(&with), &wish, &mut plan)?;
        assert_eq!(again, with, "{name}");
        let without = (entry.remove)(&machine, &document(&with), &plan.settings)?;
        assert!(wired(&without)? <= before, "{name}: {with:?} {without:?}");
        Ok(plan.notes)
    };
    match work() {
        Ok(notes) => notes,
        Err(error) => told(&error),
    }
}

/// A session's file.
pub(crate) fn session(bytes: &[u8]) -> Vec<String> {
    loaded(store::decodes(bytes))
}

fn loaded(loaded: Result<Loaded, Error>) -> Vec<String> {
    match loaded {
        Ok(Loaded::Session(session, _)) => {
            for account in &session.accounts {
                assert!(session.account(account.label()).is_some());
            }
            Vec::new()
        }
        Ok(Loaded::Absent) => Vec::new(),
        Ok(Loaded::Damaged(reason)) => vec![reason],
        Err(error) => told(&error),
    }
}

fn source(text: &str) -> Source {
    Source {
        path: PathBuf::from("profiles.toml"),
        text: text.to_owned(),
        machine_wide: false,
        profiles_count: true,
        private: true,
    }
}

/// A profile file so large that a call parses a part of it: that part says what the whole does.
pub(crate) fn narrowed_profile(bytes: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Vec::new();
    };
    let padding = "# nothing but its length\n".repeat(1000);
    let sources = [source(text), source(&padding)];
    drop(narrow(&sources, None));
    // Where the whole has a mistake, the part may not have it.
    let Ok(whole) = Configuration::new(&sources) else {
        return Vec::new();
    };
    let names: Vec<&str> = whole.profiles().map(|(name, _)| name).collect();
    for name in names.into_iter().map(Some).chain([None]) {
        let Some(narrowed) = narrow(&sources, name) else {
            continue;
        };
        let Ok(part) = Configuration::new(&narrowed) else {
            continue;
        };
        let Ok(profile) = part.resolve(name, None) else {
            continue;
        };
        let expected = whole.resolve(name, None).expect("the part has it");
        assert_eq!(profile.name, expected.name, "{text:?}");
        assert_eq!(profile.to_toml(), expected.to_toml(), "{text:?}");
        assert_eq!(part.sealing(), whole.sealing(), "{text:?}");
        assert_eq!(part.lock_timeout(), whole.lock_timeout(), "{text:?}");
    }
    Vec::new()
}

/// A profile file.
pub(crate) fn profile(bytes: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Vec::new();
    };
    let sources = [source(text)];
    let (configuration, complaints) = Configuration::check(&sources);
    let is_good = complaints.is_empty();
    let mut shown: Vec<String> = complaints
        .into_iter()
        .map(|complaint| complaint.to_string())
        .collect();
    let names: Vec<&str> = configuration.profiles().map(|(name, _)| name).collect();
    for name in names {
        match configuration.profile(name) {
            // As the file has it, for a program as much as for a person.
            Ok(profile) => drop(profile.to_toml().to_string()),
            Err(error) => {
                assert!(!is_good, "a checked profile is good: {error}");
                shown.extend(told(&error));
            }
        }
    }
    for url in ["https://a.example/x", "nonsense"] {
        if let Err(error) = configuration.resolve(None, Some(url)) {
            shown.extend(told(&error));
        }
    }
    shown
}

/// A URL, and the same text as a pattern, or a pattern and a URL in two lines.
pub(crate) fn route(bytes: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Vec::new();
    };
    let (pattern, url) = text.split_once('\n').unwrap_or((text, text));
    for meant in urls_of(url) {
        // A bare host must not become the host of another.
        if let (Some(target), false) = (Target::parse(&meant), url.contains("://")) {
            let (host, sent) = (target.host(), url.to_ascii_lowercase());
            let is_address = host.starts_with('[') && sent.starts_with('[');
            assert!(is_address || sent.starts_with(host), "{url:?}");
        }
    }
    let Some(target) = Target::parse(url) else {
        return Vec::new();
    };
    // Whoever connects must read the same host out of what was let through.
    let lower = url.to_ascii_lowercase();
    let as_https = lower
        .strip_prefix("grpcs:")
        .map_or_else(|| lower.clone(), |rest| format!("https:{rest}"));
    if let Ok(read) = url::Url::parse(&as_https) {
        assert_eq!(read.host_str(), Some(target.host()), "{url:?}");
    }
    let Ok(pattern) = Pattern::parse(pattern) else {
        return Vec::new();
    };
    if pattern.matches(&target).is_some() {
        let named = pattern.host();
        assert!(named.is_none_or(|host| host == target.host()), "{text:?}");
        return Vec::new();
    }
    vec![pattern.mismatch(&target).reason, target.proposal(true)]
}

/// A line of the JSON protocol.
pub(crate) fn request(bytes: &[u8]) -> Vec<String> {
    json::decodes(bytes).map_or_else(|error| told(&error), |_| Vec::new())
}

/// A line of a plugin.
pub(crate) fn plugin(bytes: &[u8]) -> Vec<String> {
    let (shown, tokens) = match wire::decodes(bytes) {
        Ok(heard) => heard,
        Err(error) => (told(&error), None),
    };
    for text in &shown {
        assert!(!text.contains("canary"), "it was given that: {text}");
    }
    let set = tokens.into_iter().flat_map(|set| {
        let token = set.access_token.expose();
        assert!(token.bytes().all(|byte| (0x21..0x7f).contains(&byte)));
        assert!(set.expires_at.is_none_or(|end| end.0 > 1000));
        let mut shown = named(&set.account);
        shown.push(set.token_type);
        shown.extend(set.scopes.into_iter().flatten());
        shown
    });
    shown.iter().cloned().chain(set).collect()
}

/// What git tells a helper.
pub(crate) fn git(bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    for verb in ["get", "erase"] {
        let (stdout, urls, error) = serve("git", Some(verb), bytes);
        shown.extend(error);
        for line in stdout.lines() {
            assert!(line.contains('='), "{line:?}");
        }
        let Some(target) = urls.first().and_then(|url| Target::parse(url)) else {
            continue;
        };
        // The host that git connects to stands in its own line.
        let text = String::from_utf8_lossy(bytes);
        let description = text.split("\n\n").next().unwrap_or_default();
        let mut lines = description.lines().rev();
        let host = lines.find_map(|line| line.strip_prefix("host="));
        let host = host.unwrap_or_default().to_ascii_lowercase();
        let named = host.strip_prefix(target.host());
        let is_host = named.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        // An address may be written in several ways.
        assert!(is_host || host.starts_with('['), "{urls:?} {text:?}");
    }
    shown
}

/// What cargo asks a credential provider.
pub(crate) fn cargo(bytes: &[u8]) -> Vec<String> {
    let (stdout, _, error) = serve("cargo", None, bytes);
    for line in stdout.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect("it answers in JSON");
        assert!(object.is_object(), "{line:?}");
    }
    error.into_iter().collect()
}

/// What docker tells a helper.
pub(crate) fn docker(bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    for verb in ["get", "store", "erase"] {
        let (stdout, urls, error) = serve("docker", Some(verb), bytes);
        assert_eq!(error, None, "an error is an answer");
        if !stdout.starts_with("{\"ServerURL\"") {
            shown.push(stdout.clone());
        }
        let lines = stdout.lines().count();
        assert!(lines <= 1, "{stdout:?}");
        if verb == "store" {
            continue;
        }
        // Whoever connects takes the host from the address alone.
        let text = String::from_utf8_lossy(bytes).trim().to_ascii_lowercase();
        for target in urls.iter().filter_map(|url| Target::parse(url)) {
            let address = text
                .split_once("://")
                .map_or(text.as_str(), |(_, rest)| rest);
            let rest = address.strip_prefix(target.host());
            let is_host =
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?', '#']));
            // An address may be written in several ways.
            assert!(is_host || address.starts_with('['), "{urls:?} {text:?}");
        }
    }
    shown
}

/// What client-go asks an exec plugin.
pub(crate) fn kubectl(bytes: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Vec::new();
    };
    let environment = Only("KUBERNETES_EXEC_INFO", text);
    let (stdout, _, error) = serve_in(&environment, "kubectl", None, &[]);
    // Whoever is answered is answered in the version that they speak.
    if error.is_none() {
        let answer: serde_json::Value = serde_json::from_str(&stdout).expect("it is JSON");
        let asked: serde_json::Value = serde_json::from_str(text).expect("it was read");
        let asked = asked
            .get("apiVersion")
            .filter(|version| version.is_string());
        assert!(asked.is_none_or(|version| *version == answer["apiVersion"]));
    }
    error.into_iter().collect()
}

/// What Bazel asks a helper.
pub(crate) fn bazel(bytes: &[u8]) -> Vec<String> {
    let (stdout, urls, error) = serve("bazel", Some("get"), bytes);
    if error.is_none() {
        let answer: serde_json::Value = serde_json::from_str(&stdout).expect("it is JSON");
        assert!(answer["headers"].is_object(), "{stdout:?}");
        // What is ignored may be no JSON to others, such as a number that is too large.
        if let Ok(asked) = serde_json::from_slice::<serde_json::Value>(bytes) {
            assert!(urls.iter().all(|url| *url == asked["uri"]), "{urls:?}");
        }
    }
    error.into_iter().collect()
}

/// What Terraform wants to have stored.
pub(crate) fn terraform(bytes: &[u8]) -> Vec<String> {
    let (stdout, _, error) = serve_with(&Quiet, "terraform", &["store", "h.example"], bytes);
    assert_eq!(stdout, "");
    // Nothing but our own token goes well.
    assert!(error.is_some() || String::from_utf8_lossy(bytes).contains("token"));
    error.into_iter().collect()
}

/// What Go tells of an answer.
pub(crate) fn go(bytes: &[u8]) -> Vec<String> {
    let url = "https://h.example/team/mod?go-get=1";
    let (stdout, urls, error) = serve_with(&Quiet, "go", &[url], bytes);
    assert_eq!(error, None);
    assert_eq!(urls, [url]);
    let set = "https://h.example/team\n\nAuthorization: Bearer token\n\n";
    assert_eq!(stdout, set);
    Vec::new()
}

/// What NuGet says after it has shaken hands.
pub(crate) fn nuget(bytes: &[u8]) -> Vec<String> {
    let hello = [
        "{\"RequestId\":\"1\",\"Type\":\"Request\",\"Method\":\"Handshake\",\"Payload\":{\"ProtocolVersion\":\"2.0.0\",\"MinimumProtocolVersion\":\"1.0.0\"}}\n",
        "{\"RequestId\":\"00000000-0000-4000-8000-000000000001\",\"Type\":\"Response\",\"Method\":\"Handshake\",\"Payload\":{\"ResponseCode\":\"Success\",\"ProtocolVersion\":\"2.0.0\"}}\n",
    ];
    let stdin = [hello.concat().as_bytes(), bytes].concat();
    let (stdout, urls, error) = serve_with(&Quiet, "nuget", &["-Plugin"], &stdin);
    let mut shown: Vec<String> = error.into_iter().collect();
    let mut passwords = 0;
    for line in stdout.lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("it answers in JSON");
        for member in ["RequestId", "Type", "Method"] {
            assert!(message[member].is_string(), "{line}");
        }
        let payload = &message["Payload"];
        if payload["Password"].is_string() {
            assert_eq!(message["Method"], "GetAuthenticationCredentials", "{line}");
            passwords += 1;
        }
        shown.extend(payload["Message"].as_str().map(str::to_owned));
    }
    assert!(passwords <= urls.len(), "{stdout}");
    shown
}

/// A line of keyring's, a word a line.
pub(crate) fn keyring(bytes: &[u8]) -> Vec<String> {
    let line = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = line.lines().collect();
    let (stdout, urls, error) = serve_with(&Quiet, "keyring", &words, b"");
    // Nothing of a service is left out but what stands before its host.
    let is_of = |url: &String| {
        let (_, rest) = url.split_once("://").expect("it is a URL");
        words.iter().any(|word| word.ends_with(rest))
    };
    assert!(urls.iter().all(is_of), "{urls:?}");
    assert!(!stdout.contains("token") || urls.len() == 1, "{stdout:?}");
    error.into_iter().collect()
}

/// A question that git asks, or somebody else.
pub(crate) fn askpass(bytes: &[u8]) -> Vec<String> {
    let prompt = String::from_utf8_lossy(bytes);
    let (stdout, urls, error) = serve_with(&Quiet, "askpass", &[&prompt], &[]);
    let is_answered = !stdout.is_empty();
    assert_eq!(is_answered, !urls.is_empty(), "{prompt:?}");
    for target in urls.iter().filter_map(|url| Target::parse(url)) {
        // Whoever splits the address at its last `@`, or at none, finds the same host.
        let (_, shown) = prompt.split_once("://").expect("it is an address");
        for rest in [shown, shown.rsplit('@').next().unwrap_or_default()] {
            let rest = rest.to_ascii_lowercase();
            let host = rest.strip_prefix(target.host()).unwrap_or_default();
            let is_host = host.starts_with([':', '/', '\'']);
            assert!(
                is_host || rest.starts_with('[') || shown.contains('@'),
                "{prompt:?}"
            );
        }
        assert!(shown.matches('@').count() <= 1, "{prompt:?}");
    }
    error.into_iter().collect()
}

/// Nothing is set, and nobody wants an end.
struct Quiet;

impl Environment for Quiet {
    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}

/// One variable is set.
struct Only<'t>(&'t str, &'t str);

impl Environment for Only<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (name == self.0).then(|| self.1.to_owned())
    }
}

impl Shield for Quiet {}

impl Signals for Quiet {
    fn shield(&self) -> Box<dyn Shield + '_> {
        Box::new(Self)
    }

    fn attend(&self) -> Box<dyn Shield + '_> {
        self.shield()
    }

    fn heed_reader(&self) -> Box<dyn Shield + '_> {
        self.shield()
    }

    fn heed(&self, _told: Arc<AtomicBool>) -> Box<dyn Shield + '_> {
        self.shield()
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Has a tool served: what it wrote, the URLs that it asked for, and its error.
fn serve(tool: &str, verb: Option<&str>, stdin: &[u8]) -> (String, Vec<String>, Option<String>) {
    serve_in(&Quiet, tool, verb, stdin)
}

/// The same in an environment.
fn serve_in(
    environment: &dyn Environment,
    tool: &str,
    verb: Option<&str>,
    stdin: &[u8],
) -> (String, Vec<String>, Option<String>) {
    let verb = verb.as_ref().map(std::slice::from_ref);
    serve_with(environment, tool, verb.unwrap_or_default(), stdin)
}

/// The same with these operands.
fn serve_with(
    environment: &dyn Environment,
    tool: &str,
    operands: &[&str],
    stdin: &[u8],
) -> (String, Vec<String>, Option<String>) {
    let entry = PROTOCOLS.iter().find(|entry| entry.name == tool);
    let entry = entry.expect("it is in the table");
    let mut arguments = Arguments::default();
    for operand in operands {
        arguments.add_operand((*operand).to_owned());
    }
    let urls = RefCell::new(Vec::new());
    let answer = |request: &Request, _: Option<&dyn Terminal>| {
        urls.borrow_mut().extend(request.url.clone());
        if request.action == Action::Status {
            let row = serde_json::json!({ "profile": "api", "tools": null, "urls": ["https://h.example/team/"] });
            return Ok(Response::Status(serde_json::json!({ "profiles": [row] })));
        }
        Ok(Response::Token(Box::new(credential())))
    };
    let mut stdout = Vec::new();
    let io = &mut Io {
        stdin: Box::new(std::io::Cursor::new(stdin.to_vec())),
        stdout: &mut stdout,
        stderr: &mut std::io::sink(),
        environment,
        signals: &Quiet,
    };
    let result = (entry.serve)(&arguments, io, &answer);
    let error = result.err().map(|error| error.message().to_owned());
    let stdout = String::from_utf8(stdout).expect("a tool is answered in UTF-8");
    (stdout, urls.into_inner(), error)
}

fn asked(scopes: &[String]) -> GrantRequest<'_> {
    GrantRequest {
        profile: "api",
        scopes,
        account: None,
        profile_keys: toml::Table::new(),
        claims: None,
        min_valid: None,
        interactive: Interactive::Never,
        clipboard: false,
        force_refresh: false,
        challenged: None,
        refresh_token: None,
        assertion: None,
    }
}

fn credential() -> Credential {
    Credential {
        profile: "api".into(),
        account: Some("ada@example.test".into()),
        token_type: "Bearer".into(),
        access_token: Secret::new("token"),
        id_token: None,
        expires_at: None,
        expires_in: None,
        scopes: Vec::new(),
        tenant: None,
        source: "cache",
        stale: false,
        host: None,
        username: None,
        basic_only: false,
        proof_key: None,
        dpop_proof: None,
    }
}

/// A command line, its words separated by line feeds.
pub(crate) fn argument(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let words = text.split('\n').map(OsString::from);
    let line = std::iter::once(OsString::from("cred-helper")).chain(words);
    if let Called::Clap(error, _) = cli::parse(line.collect()) {
        // It shows the caller's own words.
        drop(error.render().to_string());
    }
    Vec::new()
}

//! A profile's keys, read and checked one by one. Each complaint has its place, and all come at once.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeValue;

use super::file::{self, Keys, Place};
use super::preset::{AUTHORITY, Rules};
use super::route::Pattern;
use super::{
    PROFILE_KEYS, PROMPTS, Profile, TLS_KEYS, ToolExchange, client_authentication, session,
};
use crate::claims;
use crate::context::{ClientCertificate, Tls};
use crate::credential::TokenKind;
use crate::endpoint::Endpoint;
use crate::exchange::{self, EXCHANGES};
use crate::grant::{ANY_KEY, Asks, GRANTS, Given, Grant};
use crate::oauth::client::{Authority, Client, EndpointName, Endpoints};
use crate::oauth::entra;
use crate::protocol;
use crate::secret_source::SecretSource;
use crate::text::{nearest, printable, printable_url};

pub(super) fn one_of(given: &str, known: &[&str]) -> String {
    match nearest(given, known.iter().copied()) {
        Some(nearest) => format!(
            "there is no `{}`; did you mean `{nearest}`?",
            printable(given)
        ),
        None => format!(
            "there is no `{}`; use one of {}",
            printable(given),
            known.join(", ")
        ),
    }
}

/// A name that no tool has is a mistake: the tool that was meant would be refused without a word.
pub(super) fn read_tools(keys: &mut Keys<'_, '_>) -> Option<Vec<String>> {
    let (tools, found) = keys.texts("tools")?;
    let known: Vec<&str> = protocol::tools().collect();
    for (tool, found) in tools.iter().zip(found.items()) {
        if !known.contains(&tool.as_str()) {
            keys.complain(found, "tools", one_of(tool, &known));
        }
    }
    Some(tools)
}

pub(super) fn read_urls(keys: &mut Keys<'_, '_>) -> Vec<Pattern> {
    let Some((written, found)) = keys.texts("urls") else {
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for (url, found) in written.iter().zip(found.items()) {
        match Pattern::parse(url) {
            Ok(pattern) => patterns.push(pattern),
            Err(problem) => {
                keys.complain(
                    found,
                    "urls",
                    format!("`{}`: {problem}", printable_url(url)),
                );
            }
        }
    }
    patterns
}

/// What `request` calls, and the pattern that it is for it: its path and what is below, whatever the query.
pub(super) fn read_endpoint(keys: &mut Keys<'_, '_>) -> Option<(Endpoint, Pattern)> {
    let (written, found) = keys.text("endpoint")?;
    let end = written.find('?').unwrap_or(written.len());
    // Read by the same rules as what it is compared with.
    let pattern = match written.contains("://*.") {
        true => Err("it names one host: `*` is for `urls`"),
        false => Pattern::parse(&written[..end]),
    };
    let read = Endpoint::parse(&written).and_then(|endpoint| Ok((endpoint, pattern?)));
    match read {
        Ok(read) => Some(read),
        Err(problem) => {
            let problem = format!("`{}`: {problem}", printable_url(&written));
            keys.complain(found, "endpoint", problem);
            None
        }
    }
}

/// A profile, if nothing that it needs is missing or wrong.
pub(super) fn read_profile(
    keys: &mut Keys<'_, '_>,
    preset: Option<&Rules<'_>>,
    name: &str,
    path: &Path,
    place: &Place,
) -> Option<Profile> {
    let client_id = keys.text("client_id").map(|(client_id, _)| client_id);
    let scopes = read_scopes(keys);
    let authority = read_authority(keys, preset);
    let endpoints = read_endpoints(keys, preset);
    let grant = read_grant(keys);
    check_misplaced(keys, preset, grant.as_ref());
    let asks = grant.as_ref().map(|grant| grant.grant.asks());
    let missing = missing(keys, preset, &endpoints, asks);
    let extra = keys.table("extra", read_extra).unwrap_or_default();
    let claims = read_claims(keys);
    let client_capabilities = keys.texts("client_capabilities");
    let tls = keys.table("tls", read_tls).unwrap_or_default();
    let authentication = client_authentication::read(keys, preset, authority.as_ref(), &tls);
    let exact_scopes = keys.boolean("exact_scopes").unwrap_or(false);
    let dpop = keys.boolean("dpop").unwrap_or(false);
    let msal = session::read(keys, asks, authority.as_ref());
    let urls = read_urls(keys);
    let endpoint = read_endpoint(keys);
    let account = keys.text("account").map(|(account, _)| account);
    let audience = keys.text("audience").map(|(audience, _)| audience);
    let resource = keys.text("resource").map(|(resource, _)| resource);
    let prompt = read_prompt(keys);
    let domain_hint = keys.text("domain_hint").map(|(hint, _)| hint);
    let tools = read_tools(keys);
    let token = read_token(keys);
    let exchanges = read_exchanges(keys, preset);
    let username = read_username(keys);
    if !missing.is_empty() {
        keys.complain_at(place, lack(name, &missing, preset));
        return None;
    }
    let grant = grant?;
    Some(Profile {
        name: name.to_owned(),
        file: path.to_owned(),
        client: Client {
            client_id: client_id.unwrap_or_default(),
            authority: authority?,
            endpoints,
            authentication,
            tls,
            exact_scopes,
            resource,
            audience,
            prompt,
            domain_hint,
            extra,
            dpop,
            proof_key: None,
        },
        scopes,
        grant_name: grant.name,
        grant_table: grant.shown,
        grant_literals: grant.literals,
        grant: grant.grant,
        preset: preset.map(|preset| preset.name.to_owned()),
        urls,
        endpoint: endpoint.map(|(endpoint, _)| endpoint),
        account,
        claims,
        client_capabilities: client_capabilities
            .map(|(capabilities, _)| capabilities)
            .unwrap_or_default(),
        token: token.unwrap_or_default(),
        username,
        basic_only: preset.is_some_and(|preset| preset.basic_only),
        refresh_ends_tokens: preset.is_some_and(|preset| preset.refresh_ends_tokens),
        exchanges,
        tools,
        msal,
    })
}

/// RFC 6749 §3.3: printable ASCII without blank, quote and backslash.
fn read_scopes(keys: &mut Keys<'_, '_>) -> Vec<String> {
    let Some((scopes, found)) = keys.texts("scopes") else {
        return Vec::new();
    };
    let bad = |(scope, _): &(&String, file::Found<'_>)| {
        !scope
            .bytes()
            .all(|byte| (0x21..0x7f).contains(&byte) && byte != b'"' && byte != b'\\')
    };
    if let Some((scope, found)) = scopes.iter().zip(found.items()).find(bad) {
        let problem = format!("`{}` is no scope; write each as a string", printable(scope));
        keys.complain(found, "scopes", problem);
    }
    scopes
}

/// Keys that say nothing to this grant.
fn check_misplaced(keys: &mut Keys<'_, '_>, preset: Option<&Rules<'_>>, grant: Option<&Chosen>) {
    let misplaced = grant.map_or(&[][..], |grant| grant.grant.misplaced());
    for (key, advice) in misplaced {
        if let Some(found) = keys.find(key)
            && !is_preset_own(found, preset)
        {
            keys.complain(found, key, *advice);
        }
    }
}

/// The keys that the profile cannot do without, and that are not there.
fn missing(
    keys: &Keys<'_, '_>,
    preset: Option<&Rules<'_>>,
    endpoints: &Endpoints,
    asks: Option<Asks>,
) -> Vec<&'static str> {
    // Those of a machine, or of a sign-in in one way or the other.
    let has = |name| endpoints.get(name).is_some();
    let has_endpoints = has(EndpointName::Token)
        && (asks == Some(Asks::Nobody)
            || has(EndpointName::DeviceAuthorization)
            || has(EndpointName::Authorization));
    // A preset that was complained of already may be meant to give these.
    let may_be_preset = preset.is_none() && keys.find("preset").is_some();
    let lacks = |key| !may_be_preset && keys.find(key).is_none();
    let mut missing: Vec<&str> = [
        ("client_id", keys.find("client_id").is_none()),
        ("authority", lacks("authority") && !has_endpoints),
        ("scopes", lacks("scopes")),
        (
            "client_secret",
            keys.find("client_auth_method")
                .is_some_and(|found| is_preset_own(found, preset))
                && !client_authentication::has_proof(keys),
        ),
    ]
    .into_iter()
    .filter_map(|(key, missing)| missing.then_some(key))
    .filter(|key| !needless(keys).contains(key))
    .collect();
    if !missing.is_empty() {
        // Each was complained of already.
        let misspelt = keys.misspelt(PROFILE_KEYS.iter().map(|(key, _)| *key));
        missing.retain(|key| !misspelt.contains(key));
    }
    missing
}

/// The complaint of a profile that lacks keys.
fn lack(name: &str, missing: &[&str], preset: Option<&Rules<'_>>) -> String {
    let form = preset
        .and_then(|preset| preset.authority)
        .filter(|_| missing.contains(&"authority"));
    let form = form.map_or_else(String::new, |form| format!("; its `authority` is {form}"));
    let (name, missing) = (printable(name), quoted_list(missing));
    format!("`profiles.{name}` lacks {missing}{form}")
}

fn read_claims(keys: &mut Keys<'_, '_>) -> Option<String> {
    let (claims, found) = keys.text("claims")?;
    let read = claims::read(&claims);
    if read.is_err() {
        keys.complain(
            found,
            "claims",
            "it is no JSON object, and no base64 of one",
        );
    }
    read.ok()
}

fn read_token(keys: &mut Keys<'_, '_>) -> Option<TokenKind> {
    let (token, found) = keys.text("token")?;
    let kind = TokenKind::parse(&token);
    if kind.is_none() {
        keys.complain(found, "token", one_of(&token, &TokenKind::NAMES));
    }
    kind
}

/// RFC 7617 §2: a colon ends the user name.
fn read_username(keys: &mut Keys<'_, '_>) -> Option<String> {
    let (username, found) = keys.text("username")?;
    let good = !username.contains(':') && !username.contains(char::is_control);
    if !good {
        keys.complain(found, "username", "it holds a colon or a control character");
    }
    good.then_some(username)
}

pub(super) fn quoted_list(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}

/// Whether a value is the preset's, and not the profile's own.
pub(super) fn is_preset_own(found: file::Found<'_>, preset: Option<&Rules<'_>>) -> bool {
    preset.is_some_and(|preset| std::ptr::eq(found.source, preset.source))
}

pub(super) fn read_authority(
    keys: &mut Keys<'_, '_>,
    preset: Option<&Rules<'_>>,
) -> Option<Authority> {
    if keys.find("authority").is_none() {
        return Some(Authority::Explicit);
    }
    let (written, found) = keys.text("authority")?;
    let authority = match Endpoint::parse(&written) {
        Ok(authority) => authority,
        Err(problem) => {
            keys.complain(
                found,
                "authority",
                format!("`{}`: {problem}", printable_url(&written)),
            );
            return None;
        }
    };
    if authority.as_str().contains('?') {
        // RFC 8414 §2: an issuer has no query.
        keys.complain(found, "authority", "it has a query");
        return None;
    }
    let declared = preset.is_some_and(|preset| preset.is_entra);
    match entra::recognize(&authority, declared) {
        Ok(Some(authority)) => Some(authority),
        Ok(None) => Some(Authority::Issuer(authority)),
        Err(problem) => {
            keys.complain(found, "authority", problem);
            None
        }
    }
}

/// The endpoints; those of a preset follow from the profile's authority. A preset's endpoint on a
/// fixed host belongs to its own authority alone: a token for another must not go there.
fn read_endpoints(keys: &mut Keys<'_, '_>, preset: Option<&Rules<'_>>) -> Endpoints {
    let authority = keys.find("authority");
    let base = authority.and_then(|found| found.value.get_ref().as_str());
    let base = base.unwrap_or_default().trim_end_matches('/');
    let own_authority = preset.and_then(|preset| {
        let authority = preset.profile?.get("authority")?;
        authority.get_ref().as_str()
    });
    let is_default_authority = authority.is_some_and(|found| is_preset_own(found, preset));
    let is_own_authority = own_authority.is_some_and(|own| own.trim_end_matches('/') == base);
    let read = |keys: &mut Keys<'_, '_>| {
        keys.only(EndpointName::ALL.map(EndpointName::key));
        let token = keys.find(EndpointName::Token.key());
        let has_own_token = token.is_some_and(|found| !is_preset_own(found, preset));
        let mut endpoints = Endpoints::default();
        for name in EndpointName::ALL {
            let Some((mut written, found)) = keys.text(name.key()) else {
                continue;
            };
            if is_preset_own(found, preset) {
                if has_own_token && is_default_authority {
                    // Tokens of the profile's own server would go to the preset's.
                    continue;
                }
                match written.strip_prefix(AUTHORITY) {
                    Some(path) => written = format!("{base}{path}"),
                    None if is_own_authority && !has_own_token => {}
                    None => continue,
                }
            }
            match Endpoint::parse(&written) {
                Ok(endpoint) => endpoints.set(name, endpoint),
                // The authority was complained of already.
                Err(_) if is_preset_own(found, preset) => {}
                Err(problem) => {
                    keys.complain(
                        found,
                        name.key(),
                        format!("`{}`: {problem}", printable_url(&written)),
                    );
                }
            }
        }
        endpoints
    };
    keys.table("endpoints", read).unwrap_or_default()
}

/// What the authority is to ask the person for: words of OpenID Connect Core §3.1.2.1, and `create` of
/// Initiating User Registration 1.0.
fn read_prompt(keys: &mut Keys<'_, '_>) -> Option<String> {
    let (prompt, found) = keys.text("prompt")?;
    let words: Vec<&str> = prompt.split(' ').collect();
    if let Some(unknown) = words.iter().find(|word| !PROMPTS.contains(word)) {
        keys.complain(found, "prompt", one_of(unknown, &PROMPTS));
    } else if words.len() > 1 && words.contains(&"none") {
        keys.complain(found, "prompt", "`none` stands alone");
    }
    Some(prompt)
}

fn read_extra(keys: &mut Keys<'_, '_>) -> BTreeMap<String, String> {
    /// What the grants and the client's authentication send themselves.
    const OWN: [&str; 24] = [
        "actor_token",
        "actor_token_type",
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "device_code",
        "dpop_jkt",
        "grant_type",
        "password",
        "redirect_uri",
        "refresh_token",
        "request_uri",
        "requested_token_type",
        "requested_token_use",
        "response_type",
        "scope",
        "state",
        "subject_token",
        "subject_token_type",
        "username",
    ];
    /// What goes with the page of a sign-in alone, and has a key that says so.
    const OF_THE_PAGE: [&str; 2] = ["prompt", "domain_hint"];
    let mut extra = BTreeMap::new();
    for name in keys.names() {
        if OWN.contains(&name)
            && let Some(found) = keys.find(name)
        {
            keys.complain(found, name, "it is a parameter of the grant's own");
        } else if OF_THE_PAGE.contains(&name)
            && let Some(found) = keys.find(name)
        {
            let problem = format!("it goes with no token request; say it with the key `{name}`");
            keys.complain(found, name, problem);
        } else if let Some((value, _)) = keys.text(name) {
            extra.insert(name.to_owned(), value);
        }
    }
    extra
}

fn read_tls(keys: &mut Keys<'_, '_>) -> Tls {
    keys.only(TLS_KEYS);
    let ca_file = keys.path("ca_file");
    let file = keys.path("client_certificate");
    let key = keys.path("client_key");
    if file.is_none()
        && let Some(found) = keys.find("client_key")
    {
        keys.complain(found, "client_key", "it needs a `client_certificate`");
    }
    Tls {
        ca_file,
        client_certificate: file.map(|file| ClientCertificate { file, key }),
        ..Tls::default()
    }
}

/// What tools get for a token: as the preset says, and as the profile's own tables do.
fn read_exchanges(keys: &mut Keys<'_, '_>, preset: Option<&Rules<'_>>) -> Vec<ToolExchange> {
    let mut exchanges = preset.map(Rules::exchanges).unwrap_or_default();
    for entry in EXCHANGES.iter().filter(|entry| !entry.keys.is_empty()) {
        let Some(found) = keys.find(entry.name) else {
            continue;
        };
        let read = |keys: &mut Keys<'_, '_>| read_exchange(keys, entry, found);
        exchanges.extend(keys.table(entry.name, read).flatten());
    }
    exchanges
}

fn read_exchange(
    keys: &mut Keys<'_, '_>,
    entry: &exchange::Entry,
    table: file::Found<'_>,
) -> Option<ToolExchange> {
    keys.only(entry.keys.iter().copied());
    let given: exchange::Given = entry
        .keys
        .iter()
        .filter_map(|key| Some((*key, keys.text(key)?.0)))
        .collect();
    let misspelt = keys.misspelt(entry.keys.iter().copied());
    for key in entry.required {
        if keys.find(key).is_none() && !misspelt.contains(key) {
            keys.complain(table, key, "it is missing");
        }
    }
    if entry.required.iter().any(|key| !given.contains_key(key)) {
        return None;
    }
    match (entry.parse)(&given) {
        Ok(exchange) => Some(ToolExchange {
            tool: entry.name.to_owned(),
            exchange,
            table: Some(keys.to_table()),
        }),
        Err(problems) => {
            for (key, problem) in problems {
                keys.complain(keys.find(key).unwrap_or(table), key, problem);
            }
            None
        }
    }
}

/// A profile's grant.
struct Chosen {
    grant: Box<dyn Grant>,
    /// Its name as the profile says it.
    name: &'static str,
    /// Its keys, secrets named by their source.
    shown: toml::Table,
    /// Its keys whose secret is written into the file.
    literals: Vec<String>,
}

/// The keys that a profile with this grant can do without, also where something else is wrong with
/// the grant.
fn needless(keys: &Keys<'_, '_>) -> &'static [&'static str] {
    let grant = keys.find("grant").map(|found| found.value.get_ref());
    let name = grant.and_then(|grant| match grant.as_table() {
        Some(table) => table.get("type")?.get_ref().as_str(),
        None => grant.as_str(),
    });
    let mut grants = GRANTS.iter();
    let entry = grants.find(|entry| Some(entry.name) == name);
    entry.map_or(&[], |entry| entry.needless)
}

fn read_grant(keys: &mut Keys<'_, '_>) -> Option<Chosen> {
    let found = keys.find("grant");
    let value = found.map(|found| (found, found.value.get_ref()));
    let (name, given) = match value {
        None => (GRANTS[0].name.to_owned(), Given::default()),
        Some((_, DeValue::String(name))) => (name.to_string(), Given::default()),
        Some((found, DeValue::Table(_))) => {
            keys.table("grant", |keys| read_grant_table(keys, found))??
        }
        Some((
            found,
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_),
        )) => {
            keys.complain(found, "grant", "it is no name and no table");
            return None;
        }
    };
    let mut complain = |problem: String| {
        if let Some(found) = found {
            keys.complain(found, "grant", problem);
        }
    };
    let Some(entry) = GRANTS.iter().find(|entry| entry.name == name) else {
        let names: Vec<_> = GRANTS.iter().map(|entry| entry.name).collect();
        complain(one_of(&name, &names));
        return None;
    };
    let mut shown = given.plain.clone();
    let sources = given.sources.iter();
    shown.extend(sources.map(|(key, source)| (key.clone(), source.to_toml())));
    let sources = given.sources.iter();
    let literals = sources.filter(|(_, source)| matches!(source, SecretSource::Literal(_)));
    let literals = literals.map(|(key, _)| format!("grant.{key}")).collect();
    match (entry.parse)(given) {
        Ok(grant) => Some(Chosen {
            grant,
            name: entry.name,
            shown,
            literals,
        }),
        Err(problem) => {
            complain(problem);
            None
        }
    }
}

/// The name of a grant, and what its table says.
fn read_grant_table(keys: &mut Keys<'_, '_>, found: file::Found<'_>) -> Option<(String, Given)> {
    keys.leave_out_others("type");
    let name = keys.text("type").map(|(name, _)| name);
    if keys.find("type").is_none() {
        keys.complain(found, "type", "a `grant` table needs its `type`");
    }
    let name = name?;
    let mut given = Given::default();
    let Some(entry) = GRANTS.iter().find(|entry| entry.name == name) else {
        // It is complained of by whoever looks for it.
        return Some((name, given));
    };
    let all = [entry.keys, entry.secrets, entry.tokens];
    let mut others = Vec::new();
    if entry.keys.contains(&ANY_KEY) {
        others = keys.names();
        others.retain(|key| *key != "type" && !entry.keys.contains(key) && keys.is_source(key));
    } else {
        keys.only(all.into_iter().flatten().copied().chain(["type"]));
    }
    given.plain = keys.to_table();
    given.plain.remove("type");
    let secrets = entry.secrets.iter().chain(&others);
    let secrets = secrets.map(|key| (*key, false));
    let tokens = entry.tokens.iter().map(|key| (*key, true));
    for (key, is_token) in secrets.chain(tokens) {
        given.plain.remove(key);
        let source = if is_token {
            keys.token_source(key, entry.keys.contains(&key))
        } else {
            keys.secret(key)
        };
        match source {
            Some(source) => drop(given.sources.insert(key.to_owned(), source)),
            None if keys.find(key).is_none() => {}
            // It was complained of, and must not be missed besides.
            None => return None,
        }
    }
    Some((name, given))
}

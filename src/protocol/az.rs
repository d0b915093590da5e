//! `az account get-access-token`, as Azure's libraries and tools call the Azure CLI
//! (<https://learn.microsoft.com/cli/azure/account#az-account-get-access-token>).

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::argument::{self, Arguments, Flag, PROFILE};
use super::azure::{self, StandIn, Wanted};
use super::{Answer, Entry};
use crate::context::Environment;
use crate::credential::Credential;
use crate::error::Error;
use crate::io::Io;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "az",
    summary: "Answer Azure's libraries in place of the Azure CLI",
    help: "Set it up: a link before the real `az` on PATH, which gets every other command,\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/az\nor without a link:\n  cred-helper az account get-access-token --resource https://vault.azure.net",
    link_names: &["az"],
    time_limit: azure::LIMIT,
    flags: &[PROFILE],
    verbs: &[],
    operands: &["COMMAND"],
    is_raw: true,
    // Some libraries read it together with stdout.
    is_mute: true,
    serve,
};

const AZ: StandIn = StandIn {
    name: ENTRY.name,
    product: "The Azure CLI",
    // Where a scope is named, the library for JavaScript shows all that was said; the others show a
    // sentence of their own.
    not_signed_in: |scopes| format!("Please run az login --scope {scopes}"),
};

/// What follows `account get-access-token`. Whatever else does is for the real one.
const FLAGS: &[Flag] = &[
    Flag::value("output", "FORMAT", "").short('o'),
    Flag::value("query", "KEY", ""),
    Flag::value("resource", "RESOURCE", ""),
    Flag::value("resource-type", "TYPE", ""),
    Flag::value("scope", "SCOPE", ""),
    Flag::value("tenant", "TENANT", "").short('t'),
    Flag::value("subscription", "SUBSCRIPTION", "").short('s'),
    Flag::value("name", "SUBSCRIPTION", "").short('n'),
    Flag::switch("only-show-errors", ""),
    Flag::switch("verbose", ""),
    Flag::switch("debug", ""),
];

/// What stands for `--output`.
const OUTPUT: &str = "AZURE_CORE_OUTPUT";

/// What a token is for where nobody says it: Azure's management interface.
const MANAGEMENT: &str = "https://management.core.windows.net/";

/// The resources of `--resource-type`, in Azure's public cloud.
const RESOURCES: &[(&str, &str)] = &[
    ("arm", MANAGEMENT),
    ("aad-graph", "https://graph.windows.net/"),
    ("batch", "https://batch.core.windows.net/"),
    ("data-lake", "https://datalake.azure.net/"),
    ("media", "https://rest.media.azure.net"),
    ("ms-graph", "https://graph.microsoft.com/"),
    ("oss-rdbms", "https://ossrdbms-aad.database.windows.net"),
];

/// How many scopes may one call ask for?
const MOST_SCOPES: usize = 16;

/// The call that we answer.
struct Call {
    wanted: Wanted,
    subscription: Option<String>,
    form: Form,
    /// The only member that is asked for.
    query: Option<String>,
}

/// How the answer is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    /// Values alone, with tabs between them.
    Tsv,
    None,
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let Some(call) = Call::read(arguments.operands(), io.environment) else {
        return AZ.pass_on(arguments, io);
    };
    let (form, query, subscription) = (call.form, call.query, call.subscription);
    AZ.answer(call.wanted, arguments, io, answer, |credential, io| {
        let members = members(credential, subscription.as_deref(), io);
        render(&members, form, query.as_deref())
    })
}

impl Call {
    /// `None` for what is not for us.
    fn read(line: &[OsString], environment: &dyn Environment) -> Option<Self> {
        let [group, command, rest @ ..] = line else {
            return None;
        };
        if group != "account" || command != "get-access-token" {
            return None;
        }
        let given = argument::parse(rest.iter().cloned(), &[FLAGS], MOST_SCOPES)?;
        let text = |name| given.get(name).map(String::from);
        // Several stand behind one `--scope`.
        let further = given.operands().iter();
        let further = further.map(|scope| Some(scope.to_str()?.to_owned()));
        let further: Vec<String> = further.collect::<Option<_>>()?;
        if !further.is_empty() && !given.has("scope") {
            return None;
        }
        let form = text("output").or_else(|| environment.variable(OUTPUT));
        let form = match form.map(|form| form.to_lowercase()).as_deref() {
            None | Some("json" | "jsonc") => Form::Json,
            Some("tsv") => Form::Tsv,
            Some("none") => Form::None,
            Some(_) => return None,
        };
        let query = text("query");
        let is_key = |query: &String| {
            let letters = query.bytes();
            !query.is_empty()
                && letters
                    .into_iter()
                    .all(|one| one.is_ascii_alphabetic() || one == b'_')
        };
        if !query.as_ref().is_none_or(is_key) {
            return None;
        }
        let resource = match (text("resource"), given.get("resource-type")) {
            (Some(resource), _) => resource,
            (None, Some(name)) => {
                let (_, resource) = RESOURCES.iter().find(|(known, _)| *known == name)?;
                (*resource).to_owned()
            }
            (None, None) => MANAGEMENT.to_owned(),
        };
        let scopes = match text("scope") {
            Some(first) => std::iter::once(first).chain(further).collect(),
            None => vec![azure::all_of(&resource)],
        };
        let tenant = text("tenant").filter(|tenant| !tenant.is_empty());
        Some(Self {
            wanted: Wanted {
                scopes,
                tenant,
                claims: None,
            },
            subscription: text("subscription").or_else(|| text("name")),
            form,
            query,
        })
    }
}

/// A value of the answer, which may be the token.
enum Value {
    Text(Zeroizing<String>),
    Number(i64),
}

impl Value {
    /// As it stands in JSON.
    fn json(&self) -> Zeroizing<String> {
        match self {
            Self::Text(text) => azure::json(text),
            Self::Number(number) => Zeroizing::new(number.to_string()),
        }
    }

    /// As it is.
    fn plain(&self) -> Zeroizing<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => Zeroizing::new(number.to_string()),
        }
    }
}

/// The members of the answer, in the order of their names.
fn members(
    credential: &Credential,
    subscription: Option<&str>,
    io: &Io<'_>,
) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(Zeroizing::new(text.to_owned()));
    let end = credential.expires_at;
    // Older libraries read this one, in the zone of this machine.
    let local = end.map(|end| text(&format!("{}.000000", io.environment.wall_clock(end))));
    let tenant = credential.tenant.as_deref();
    let members = [
        ("accessToken", Some(text(credential.access_token.expose()))),
        ("expiresOn", local),
        ("expires_on", end.map(|end| Value::Number(end.0))),
        ("subscription", subscription.map(text)),
        ("tenant", tenant.map(text)),
        ("tokenType", Some(text("Bearer"))),
    ];
    let known = members.into_iter();
    known
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

fn render(members: &[(&str, Value)], form: Form, query: Option<&str>) -> Zeroizing<String> {
    let values = || {
        let values = members.iter();
        values.filter(|(key, _)| query.is_none_or(|wanted| wanted == *key))
    };
    if form == Form::None || values().next().is_none() {
        return Zeroizing::new(String::new());
    }
    let text: Vec<Zeroizing<String>> = match (form, query) {
        (Form::Json, None) => values()
            .map(|(key, value)| Zeroizing::new(format!("  \"{key}\": {}", value.json().as_str())))
            .collect(),
        (Form::Json, Some(_)) => values().map(|(_, value)| value.json()).collect(),
        (Form::Tsv | Form::None, _) => values().map(|(_, value)| value.plain()).collect(),
    };
    let parts: Vec<&str> = text.iter().map(|text| text.as_str()).collect();
    let parts = |between| Zeroizing::new(parts.join(between));
    Zeroizing::new(match (form, query) {
        (Form::Json, None) => format!("{{\n{}\n}}\n", parts(",\n").as_str()),
        (Form::Json | Form::Tsv | Form::None, _) => format!("{}\n", parts("\t").as_str()),
    })
}

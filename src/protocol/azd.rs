//! `azd auth token`, as Azure's libraries call the Azure Developer CLI
//! (<https://learn.microsoft.com/azure/developer/azure-developer-cli/reference>).

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::argument::{self, Arguments, Flag, PROFILE};
use super::azure::{self, StandIn, Wanted};
use super::{Answer, Entry, json};
use crate::credential::Credential;
use crate::error::Error;
use crate::io::Io;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "azd",
    summary: "Answer Azure's libraries in place of the Azure Developer CLI",
    help: "Set it up: a link before the real `azd` on PATH, which gets every other command,\n  ln -s \"$(command -v cred-helper)\" ~/.local/bin/azd",
    link_names: &["azd"],
    time_limit: azure::LIMIT,
    flags: &[PROFILE],
    verbs: &[],
    operands: &["COMMAND"],
    is_raw: true,
    // Some libraries read it together with stdout.
    is_mute: true,
    serve,
};

const AZD: StandIn = StandIn {
    name: ENTRY.name,
    product: "The Azure Developer CLI",
    not_signed_in: |_| "not logged in, run `azd auth login` to login".to_owned(),
};

/// What follows `auth token`. Whatever else does is for the real one.
const FLAGS: &[Flag] = &[
    Flag::value("output", "FORMAT", "").short('o'),
    Flag::value("scope", "SCOPE", "").many(),
    Flag::value("tenant-id", "TENANT", ""),
    Flag::value("claims", "CLAIMS", ""),
    Flag::switch("no-prompt", ""),
    Flag::switch("debug", ""),
];

/// What a token is for where nobody says it: Azure's management interface.
const MANAGEMENT: &str = "https://management.azure.com/";

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let Some((wanted, is_shown)) = read(arguments.operands()) else {
        return AZD.pass_on(arguments, io);
    };
    AZD.answer(wanted, arguments, io, answer, |credential, _| {
        // Without a format nothing is printed.
        if is_shown {
            render(credential)
        } else {
            Zeroizing::default()
        }
    })
}

/// The token that is asked for, and whether it is to be shown. `None` for what is not for us.
fn read(line: &[OsString]) -> Option<(Wanted, bool)> {
    let [group, command, rest @ ..] = line else {
        return None;
    };
    if group != "auth" || command != "token" {
        return None;
    }
    let given = argument::parse(rest.iter().cloned(), &[FLAGS], 0)?;
    let is_shown = match given.get("output") {
        None | Some("none") => false,
        Some("json") => true,
        Some(_) => return None,
    };
    let text = |name| given.get(name).filter(|text| !text.is_empty());
    let mut scopes = given.all("scope");
    if scopes.is_empty() {
        scopes.push(azure::all_of(MANAGEMENT));
    }
    // In base64, as a 401 has them; what is none is for the real one to refuse.
    let claims = text("claims").map(json::read_claims).transpose().ok()?;
    let wanted = Wanted {
        scopes,
        tenant: text("tenant-id").map(String::from),
        claims,
    };
    Some((wanted, is_shown))
}

fn render(credential: &Credential) -> Zeroizing<String> {
    let token = azure::json(credential.access_token.expose());
    let end = credential.expires_at.map_or_else(String::new, |end| {
        format!(",\n  \"expiresOn\": \"{}\"", end.rfc3339())
    });
    let token = token.as_str();
    Zeroizing::new(format!("{{\n  \"token\": {token}{end}\n}}\n"))
}

//! `profile add`: a profile by flags, or by questions for what they leave open; proved by a sign-in.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::profile_file::{self, Done, Wanted};
use super::profile_text::parts;
use super::wizard::{self, Person};
use super::{Shell, text};
use crate::credential::{Action, Request};
use crate::error::{Error, ErrorKind};
use crate::grant::GRANTS;
use crate::oauth::client::EndpointName;
use crate::profile::Configuration;
use crate::profile::preset::{AUTHORITY, PRESETS, Preset};
use crate::protocol::tools;
use crate::setup::SETUPS;
use crate::text::{printable, shell_word};

/// What a profile may hold a secret in, beside the keys of a grant.
const SECRETS: [&str; 3] = ["client_secret", "client_passphrase", "client_assertion"];

/// What a client can prove with who it is.
const PROOFS: [&str; 4] = [
    "client_secret",
    "client_certificate",
    "client_private_key",
    "client_assertion",
];

/// What to do where the name is taken.
const IF_TAKEN: &str = "take another name, or say `--replace`";

/// The subcommand.
pub(super) fn command() -> Command {
    let option =
        |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    let several =
        |name: &'static str, value: &'static str| option(name, value).action(ArgAction::Append);
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("add")
        .about("Write a profile; at a terminal, what is missing is asked for")
        .after_help(
            "Examples:\n  cred-helper profile add work\n  cred-helper profile add forge --preset gitlab \
             --client-id ID \\\n      --scope read_repository --url https://gitlab.com/ --tool git\n  \
             cred-helper profile add robot --authority https://login.example.com --client-id robot \
             \\\n      --scope api --set grant=client_credentials --set 'client_secret={ env = \"ROBOT\" }'",
        )
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .help("What the profile is called"),
        )
        .arg(
            option("preset", "P")
                .value_parser(PossibleValuesParser::new(
                    PRESETS.iter().map(|preset| preset.name),
                ))
                .hide_possible_values(true)
                .help("What provider that is: see `profile presets`"),
        )
        .arg(option("authority", "URL").help("The issuer, or an authority of Entra"))
        .arg(option("client-id", "ID").help("The client's id there"))
        .arg(several("scope", "SCOPE").help("What the tools need; once for each"))
        .arg(several("url", "PATTERN").help("A URL pattern that it answers for; once for each"))
        .arg(
            several("tool", "TOOL")
                .value_parser(PossibleValuesParser::new(tools()))
                .hide_possible_values(true)
                .help("A tool that may use it, once for each; without any, all may"),
        )
        .arg(several("set", "KEY=VALUE").help(
            "Any other key, as `grant.type=device_code`; the value as TOML, else as a text",
        ))
        .arg(switch("replace").help("Take the place of the profile that has this name"))
        .arg(switch("no-login").help("Do not sign in"))
}

/// Writes a profile, and signs in where somebody can.
pub(super) fn add(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<String, Error> {
    let name = text(matches, "name").unwrap_or_default();
    let replaces = matches.get_flag("replace");
    let mut keys = given(matches)?;
    refuse_secrets(&keys)?;
    let missing = missing(&keys);
    let mut person = Person::find(shell);
    if !missing.is_empty() {
        let Some(person) = &mut person else {
            return Err(lacks(&name, &missing));
        };
        profile_file::place(shell)?;
        if !replaces {
            let sources = profile_file::sources(shell)?;
            let free = profile_file::check_free(&name, &Configuration::new(&sources)?);
            free.map_err(|error| error.hint(IF_TAKEN))?;
        }
        keys = wizard::complete(&name, keys, shell, person)?;
    }
    profile_file::check_keys(&name, &keys, shell)?;
    let wanted = Wanted {
        name: &name,
        keys: &keys,
        comment: "",
        replaces,
        if_taken: IF_TAKEN,
    };
    let done = profile_file::write(&wanted, shell)?;
    shell.print(&format!(
        "wrote profile `{name}` into `{}`\n",
        done.path.display()
    ))?;
    let is_signing_in = !matches.get_flag("no-login");
    match &mut person {
        Some(person) if is_signing_in => sign_in(&name, &done, shell, person)?,
        _ => shell.context.inform(&format!(
            "sign in with `cred-helper {}login -p {name}`",
            config(shell)
        )),
    }
    offer(&name, &keys, shell, person.as_mut())?;
    Ok(String::new())
}

/// The `--config` of this call, for a line that somebody copies; none where the variable says the same.
fn config(shell: &Shell<'_, '_>) -> String {
    let variable = shell.context.environment.variable("CRED_HELPER_CONFIG");
    let variable = variable.map(PathBuf::from);
    let only = shell
        .location
        .only
        .as_ref()
        .filter(|only| variable.as_ref() != Some(*only));
    only.map_or_else(String::new, |path| {
        let word = printable(&shell_word(&path.display().to_string()));
        format!("--config {word} ")
    })
}

/// The keys that the flags say.
fn given(matches: &ArgMatches) -> Result<toml::Table, Error> {
    let mut keys = toml::Table::new();
    for (flag, key) in [
        ("preset", "preset"),
        ("authority", "authority"),
        ("client-id", "client_id"),
    ] {
        if let Some(value) = text(matches, flag) {
            keys.insert(key.to_owned(), value.into());
        }
    }
    for (flag, key) in [("scope", "scopes"), ("url", "urls"), ("tool", "tools")] {
        if let Some(values) = matches.get_many::<String>(flag) {
            let values: Vec<String> = values.cloned().collect();
            keys.insert(key.to_owned(), values.into());
        }
    }
    for set in matches.get_many::<String>("set").into_iter().flatten() {
        put(&mut keys, set)?;
    }
    Ok(keys)
}

/// Takes in one `--set`. What it says may be a secret, and is not shown.
fn put(keys: &mut toml::Table, set: &str) -> Result<(), Error> {
    let usage = |message: &str| {
        Error::new(ErrorKind::Usage, message)
            .hint("as in `--set token=id`, `--set grant.type=device_code` or `--set dpop=true`")
    };
    let (key, value) = set
        .split_once('=')
        .ok_or_else(|| usage("`--set` needs KEY=VALUE"))?;
    let path = parts(key).unwrap_or_default();
    let Some((last, above)) = path.split_last() else {
        return Err(usage("the key of `--set` is none"));
    };
    let mut table = keys;
    for part in above {
        let entry = table.entry(part);
        let below = entry.or_insert_with(|| toml::Table::new().into());
        table = below.as_table_mut().ok_or_else(|| {
            let part = printable(part);
            usage(&format!("`--set` says `{part}` both whole and in parts"))
        })?;
    }
    if table.insert(last.to_owned(), read_value(value)).is_some() {
        let message = format!("`{}` is said twice", printable(key));
        return Err(Error::new(ErrorKind::Usage, message).hint("say it once"));
    }
    Ok(())
}

/// A value as TOML, else the text itself.
fn read_value(value: &str) -> toml::Value {
    let parsed = format!("value = {value}").parse::<toml::Table>();
    let only = |mut table: toml::Table| table.remove("value").filter(|_| table.is_empty());
    parsed.ok().and_then(only).unwrap_or_else(|| value.into())
}

/// Refuses secrets in arguments, where every process of this machine can see them.
fn refuse_secrets(keys: &toml::Table) -> Result<(), Error> {
    let is_text = |table: &toml::Table, key: &str| table.get(key).is_some_and(toml::Value::is_str);
    let mut found: Vec<String> = SECRETS
        .iter()
        .filter(|key| is_text(keys, key))
        .map(|key| (*key).to_owned())
        .collect();
    if let Some(grant) = keys.get("grant").and_then(toml::Value::as_table) {
        let of_grants = GRANTS
            .iter()
            .flat_map(|entry| entry.secrets.iter().chain(entry.tokens));
        let of_grants = of_grants.filter(|key| is_text(grant, key));
        found.extend(of_grants.map(|key| format!("grant.{key}")));
    }
    // A key or a certificate is named by its path.
    let is_block = |key: &&&str| {
        let value = keys.get(**key).and_then(toml::Value::as_str);
        value.is_some_and(|value| value.contains("-----BEGIN"))
    };
    found.extend(PROOFS.iter().filter(is_block).map(|key| (*key).to_owned()));
    let Some(key) = found.first() else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Usage,
        format!("`{key}` is a secret, which is seen by others in an argument"),
    )
    .hint(format!(
        "say where it comes from: `--set '{key}={{ env = \"NAME\" }}'`, `{{ file = \"PATH\" }}`, \
         `{{ command = [\"PROGRAM\"] }}` or `{{ keyring = \"NAME\" }}`"
    )))
}

/// What a preset's profile says.
pub(super) fn keys_of(preset: &Preset) -> toml::Table {
    let file = preset.text.parse::<toml::Table>().unwrap_or_default();
    let profile = file.get("profile").and_then(toml::Value::as_table);
    profile.cloned().unwrap_or_default()
}

/// The preset that the keys name.
pub(super) fn preset_of(keys: &toml::Table) -> Option<&'static Preset> {
    let name = keys.get("preset")?.as_str()?;
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The keys that a profile cannot do without, and that neither it nor its preset has.
pub(super) fn missing(keys: &toml::Table) -> Vec<&'static str> {
    let beneath = preset_of(keys).map(keys_of).unwrap_or_default();
    let find = |key: &str| keys.get(key).or_else(|| beneath.get(key));
    let grant = find("grant");
    let grant = grant.and_then(|grant| grant.get("type").unwrap_or(grant).as_str());
    let entry = GRANTS.iter().find(|entry| Some(entry.name) == grant);
    let needless = entry.map_or(&[][..], |entry| entry.needless);
    let endpoints = find("endpoints");
    let token = endpoints.and_then(|own| own.get(EndpointName::Token.key())?.as_str());
    // What a preset has below an authority is nowhere without one.
    let has_token = token.is_some_and(|token| !token.starts_with(AUTHORITY));
    let has_proof = PROOFS.iter().any(|key| find(key).is_some());
    let wants_proof = beneath.contains_key("client_auth_method");
    let lacks = [
        ("authority", find("authority").is_none() && !has_token),
        ("client_id", find("client_id").is_none()),
        ("client_secret", wants_proof && !has_proof),
        ("scopes", find("scopes").is_none()),
    ];
    let lacks = lacks.into_iter().filter(|(_, lacks)| *lacks);
    let lacks = lacks.map(|(key, _)| key);
    lacks.filter(|key| !needless.contains(key)).collect()
}

/// The error where nobody can be asked: all that is missing, at once.
fn lacks(name: &str, missing: &[&str]) -> Error {
    let flags: Vec<&str> = missing
        .iter()
        .map(|key| match *key {
            "authority" => "`--authority` (or a `--preset` that has one)",
            "client_id" => "`--client-id`",
            "client_secret" => "`--set 'client_secret={ env = \"NAME\" }'`",
            _ => "`--scope`",
        })
        .collect();
    let message = format!("profile `{}` lacks {}", printable(name), flags.join(", "));
    Error::new(ErrorKind::Usage, message)
        .hint("say it, or run this at a terminal, where you are asked")
}

/// Proves the profile by a first sign-in. It is written by then: the sign-in reads it as every tool
/// will. Where it fails, the person says whether the profile stays.
fn sign_in(
    name: &str,
    done: &Done,
    shell: &Shell<'_, '_>,
    person: &mut Person<'_>,
) -> Result<(), Error> {
    let request = Request {
        profile: Some(name.to_owned()),
        ..Request::new(Action::Login)
    };
    // Ctrl-C ends the sign-in; what to do with the profile is still to be told.
    let attention = shell.context.signals.attend();
    let signed_in = (shell.answer)(&request, None);
    drop(attention);
    let Err(error) = signed_in else {
        return Ok(());
    };
    let is_kept = if error.kind() == ErrorKind::Interrupted {
        false
    } else {
        person.say(&format!("\nThe sign-in failed: {}\n", error.message()))?;
        for cause in error.causes() {
            person.say(&format!("  {cause}\n"))?;
        }
        // Whoever goes away has not said that it is to go.
        let keep = person.is_sure("Keep the profile all the same?", true);
        keep.unwrap_or(true)
    };
    if !is_kept {
        profile_file::take_back(done, name, shell)?;
        shell.context.inform(&format!(
            "profile `{name}` was taken out of `{}` again",
            done.path.display()
        ));
    }
    Err(error)
}

/// Has the tools of the profile ask for it, where the person wants that; else tells the commands.
fn offer(
    name: &str,
    keys: &toml::Table,
    shell: &mut Shell<'_, '_>,
    mut person: Option<&mut Person<'_>>,
) -> Result<(), Error> {
    let listed = keys.get("tools").and_then(toml::Value::as_array);
    let named: Vec<&str> = listed
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .collect();
    // Without URLs a tool could not tell what to ask for.
    if !keys.contains_key("urls") {
        return Ok(());
    }
    let config = config(shell);
    if named.is_empty() {
        shell.context.inform(&format!(
            "to have a tool ask: `cred-helper {config}setup TOOL -p {name}`; `cred-helper setup --list` \
             shows which are here"
        ));
    }
    for entry in SETUPS
        .iter()
        .filter(|entry| named.contains(&entry.protocol))
    {
        let line = format!("cred-helper {config}setup {} -p {name}", entry.name);
        let question = format!("Have {} ask cred-helper now (`{line}`)?", entry.name);
        let is_wanted = match &mut person {
            Some(person) => person.is_sure(&question, false)?,
            None => false,
        };
        if !is_wanted {
            shell
                .context
                .inform(&format!("to have {} ask: `{line}`", entry.name));
            continue;
        }
        let words = ["cred-helper", "setup", entry.name, "-p", name];
        let matches = (shell.command_line)().try_get_matches_from(words);
        let matches = matches.map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "BUG: `setup` does not know its own line",
            )
            .because(error)
        })?;
        if let Some((_, matches)) = matches.subcommand()
            && let Err(error) = (super::setup::ENTRY.run)(matches, shell)
        {
            // The profile is there, and good; the other tools need not wait for this one.
            shell.context.warn(&format!("{}: {error}", entry.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{missing, put, read_value, refuse_secrets};

    #[test]
    fn a_value_is_toml_or_else_the_text_itself() {
        for (written, expected) in [
            ("true", toml::Value::from(true)),
            ("[\"a\"]", vec!["a"].into()),
            ("\"true\"", "true".into()),
            ("device_code", "device_code".into()),
            ("https://h/?a=b", "https://h/?a=b".into()),
            ("1\ny = 2", "1\ny = 2".into()),
            ("\"x\"\n[policy]", "\"x\"\n[policy]".into()),
            ("", "".into()),
        ] {
            assert_eq!(read_value(written), expected, "{written}");
        }
    }

    #[test]
    fn a_key_may_lie_in_a_table_and_is_said_once() {
        let mut keys = toml::Table::new();
        for good in ["grant.type=auto", "grant.timeout=60s", "extra.\"a.b\"=c"] {
            put(&mut keys, good).expect(good);
        }
        assert_eq!(keys["grant"]["type"].as_str(), Some("auto"));
        assert_eq!(keys["extra"]["a.b"].as_str(), Some("c"));
        for (bad, problem) in [
            ("token", "KEY=VALUE"),
            ("=x", "none"),
            ("a b=x", "none"),
            ("grant.type=auto", "twice"),
            ("grant=auto", "twice"),
            ("grant.type.x=1", "in parts"),
        ] {
            let error = put(&mut keys, bad).expect_err(bad);
            assert!(error.message().contains(problem), "{bad}: {error}");
        }
    }

    #[test]
    fn no_secret_is_taken_from_an_argument_nor_shown() {
        for set in [
            "client_secret=canary",
            "client_passphrase=\"canary\"",
            "client_assertion=canary",
            "grant.password=canary",
            "grant={ type = \"refresh_token\", refresh_token = \"canary\" }",
            "client_private_key='-----BEGIN PRIVATE KEY-----canary'",
        ] {
            let mut keys = toml::Table::new();
            put(&mut keys, set).expect(set);
            let error = refuse_secrets(&keys).expect_err(set);
            let said = format!("{error} {:?}", error.hint_text());
            assert!(said.contains("env =") && !said.contains("canary"), "{said}");
        }
        let mut keys = toml::Table::new();
        put(&mut keys, "client_secret={ env = \"X\" }").expect("it is a table");
        put(&mut keys, "client_private_key=key.pem").expect("it is a path");
        refuse_secrets(&keys).expect("they name where it comes from");
    }

    #[test]
    fn what_is_missing_follows_from_the_preset_and_the_grant() {
        for (text, expected) in [
            ("", &["authority", "client_id", "scopes"][..]),
            ("preset = 'github'", &["client_id", "scopes"]),
            ("preset = 'keycloak'", &["authority", "client_id", "scopes"]),
            (
                "preset = 'google'",
                &["client_id", "client_secret", "scopes"],
            ),
            ("preset = 'aks'", &["authority"]),
            ("preset = 'gitea'", &["authority"]),
            (
                "endpoints = { token = 'https://h/t' }",
                &["client_id", "scopes"],
            ),
            ("grant = { type = 'managed_identity' }", &["scopes"]),
            ("grant = 'plugin'", &[]),
        ] {
            let keys = text.parse().expect("it is TOML");
            assert_eq!(missing(&keys), expected, "{text}");
        }
    }
}

//! cargo: a credential provider for each registry whose index a profile names.

use std::path::{Path, PathBuf};

use toml_edit::visit_mut::{VisitMut, visit_table_like_kv_mut};
use toml_edit::{Array, DocumentMut, Formatted, Item, KeyMut, RawString, TableLike, Value};

use super::machine::Machine;
use super::{
    Answering, Document, Entry, InFront, Plan, Setting, Wired, Wiring, Wish, file, meets_nothing,
    needs_no_link, ours, view,
};
use crate::error::{Error, ErrorKind};
use crate::profile::route::Target;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "cargo",
    protocol: "cargo",
    aliases: &[],
    version: &["--version"],
    file,
    add,
    remove,
    view: shown,
    link: needs_no_link,
    look,
};

/// The table of registries.
const REGISTRIES: &str = "registries";
/// The key that names who is asked for a registry's token.
const PROVIDER: &str = "credential-provider";
/// The key that names who is asked for every registry.
const PROVIDERS: &str = "global-credential-providers";

fn file(machine: &Machine<'_>) -> PathBuf {
    let folder = machine.variable("CARGO_HOME");
    let folder = folder.map_or_else(|| machine.home.join(".cargo"), PathBuf::from);
    // Where both are there, cargo reads the one with the old name.
    let old = folder.join("config");
    if old.is_file() {
        old
    } else {
        folder.join("config.toml")
    }
}

fn parse(document: &Document<'_>) -> Result<DocumentMut, Error> {
    document.text.parse::<DocumentMut>().map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = document.text.get(..start).unwrap_or(document.text);
        // The whole error shows the line, which may hold a token.
        let reason = error.message().lines().next().unwrap_or_default();
        file::damaged("cargo", document.path, before, reason)
    })
}

/// Names and tables of the registries.
fn registries(document: &DocumentMut) -> Vec<(String, &dyn TableLike)> {
    let table = document.get(REGISTRIES).and_then(Item::as_table_like);
    let rows = table.into_iter().flat_map(TableLike::iter);
    rows.filter_map(|(name, item)| Some((name.to_owned(), item.as_table_like()?)))
        .collect()
}

fn registry<'d>(document: &'d mut DocumentMut, name: &str) -> Option<&'d mut Item> {
    let table = document.get_mut(REGISTRIES)?.as_table_like_mut()?;
    table.get_mut(name).filter(|item| item.is_table_like())
}

/// What a registry's index is to our routing.
fn index(registry: &dyn TableLike) -> Option<Target> {
    let index = registry.get("index")?.as_str()?;
    Target::parse(index.strip_prefix("sparse+").unwrap_or(index))
}

/// A provider's words: cargo splits a string on blanks.
fn words(item: &Item) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match item.as_array() {
        Some(array) => array.iter().filter_map(text).collect(),
        None => {
            let line = item.as_str().unwrap_or_default();
            line.split_whitespace().map(str::to_owned).collect()
        }
    }
}

fn add(
    machine: &Machine<'_>,
    document: &Document<'_>,
    wish: &Wish,
    plan: &mut Plan,
) -> Result<String, Error> {
    wish.require_urls()?;
    let mut edited = parse(document)?;
    let found: Vec<_> = registries(&edited)
        .into_iter()
        .filter_map(|(name, table)| Some((name, index(table)?)))
        .collect();
    let (mut is_met, mut is_changed) = (false, false);
    for (name, target) in found {
        let Some(profile) = wish.profile_for(&target) else {
            continue;
        };
        is_met = true;
        let mut provider = vec![machine.command.clone()];
        if wish.is_named {
            provider.extend(["--profile".to_owned(), profile.name.clone()]);
        }
        let Some(table) = registry(&mut edited, &name) else {
            continue;
        };
        let replaced = table.get(PROVIDER);
        if replaced.is_some_and(|item| words(item) == provider) {
            continue;
        }
        plan.note(Setting {
            profile: profile.name.clone(),
            url: target.to_string(),
            key: name,
            value: serde_json::Value::from(provider.clone()).to_string(),
            replaced: replaced.and_then(Item::as_value).map(plain),
        });
        write(table, Value::from(Array::from_iter(provider)));
        is_changed = true;
    }
    if !is_met {
        return Err(no_registry(machine, document, wish));
    }
    Ok(render(document, &edited, is_changed))
}

/// The text of what was edited, with the line ends of the original: toml_edit ends every line, and
/// with a line feed alone.
fn render(original: &Document<'_>, edited: &DocumentMut, is_changed: bool) -> String {
    let before = original.text;
    if !is_changed {
        return before.to_owned();
    }
    let mut text = edited.to_string();
    if before.contains("\r\n") {
        text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    if !before.ends_with('\n') {
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    text
}

/// A value without what stands around it.
fn plain(value: &Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

/// Writes the provider, laid out as the one before it.
fn write(registry: &mut Item, mut provider: Value) {
    if let Some(value) = registry.get_mut(PROVIDER).and_then(Item::as_value_mut) {
        *provider.decor_mut() = value.decor().clone();
        *value = provider;
        return;
    }
    let end = take_end(registry);
    registry[PROVIDER] = Item::Value(provider);
    put_end(registry, end);
}

/// Takes the provider out.
fn take_out(registry: &mut Item) {
    let end = take_end(registry);
    if let Some(table) = registry.as_table_like_mut() {
        table.remove(PROVIDER);
    }
    put_end(registry, end);
}

/// The last value of a table in one line: what stands between it and the brace belongs to the brace.
fn last_in_line(registry: &mut Item) -> Option<&mut Value> {
    let table = registry.as_inline_table_mut()?;
    table.iter_mut().last().map(|(_, value)| value)
}

fn take_end(registry: &mut Item) -> Option<RawString> {
    let decor = last_in_line(registry)?.decor_mut();
    let end = decor.suffix().cloned();
    decor.set_suffix("");
    end
}

fn put_end(registry: &mut Item, end: Option<RawString>) {
    if let (Some(end), Some(last)) = (end, last_in_line(registry)) {
        last.decor_mut().set_suffix(end);
    }
}

fn no_registry(machine: &Machine<'_>, document: &Document<'_>, wish: &Wish) -> Error {
    let path = document.path.display();
    let url = wish.url.as_ref().map(|url| format!("{url}/"));
    let url = url.unwrap_or_else(|| "https://…/index/".to_owned());
    let mut words = vec![machine.command.as_str()];
    if let [profile] = &wish.profiles[..]
        && wish.is_named
    {
        words.extend(["--profile", &profile.name]);
    }
    let provider = Array::from_iter(words);
    meets_nothing(format!(
        "no registry in `{path}` has an index for {}",
        wish.in_words()
    ))
    .hint(format!(
        "add it there, or to a project's `.cargo/config.toml`: `[registries.NAME]` with \
         `index = \"sparse+{url}\"` and `{PROVIDER} = {provider}`"
    ))
}

fn remove(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    settings: &[Setting],
) -> Result<String, Error> {
    let mut edited = parse(document)?;
    let mut is_changed = false;
    for setting in settings {
        let Some(table) = registry(&mut edited, &setting.key) else {
            continue;
        };
        let own: Vec<String> = serde_json::from_str(&setting.value).unwrap_or_default();
        if table.get(PROVIDER).is_none_or(|item| words(item) != own) {
            continue;
        }
        is_changed = true;
        match &setting.replaced {
            None => take_out(table),
            Some(text) => {
                let value = text.parse::<Value>().map_err(|error| {
                    let message = "what setup kept of cargo's configuration cannot be read";
                    Error::new(ErrorKind::Store, message).because(error.message())
                })?;
                write(table, value);
            }
        }
    }
    Ok(render(document, &edited, is_changed))
}

/// The text without the strings that may be secret, and without the values of what is commented
/// out.
fn shown(text: &str) -> String {
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        return view::hide_lines(text, |_| false);
    };
    Hiding.visit_document_mut(&mut document);
    let is_shown = |line: &str| !line.starts_with('#') || !line.contains(['=', ':']);
    view::hide_lines(&document.to_string(), is_shown)
}

/// Replaces strings by a sign, but for those that say where a registry is and who is asked.
struct Hiding;

impl VisitMut for Hiding {
    fn visit_table_like_kv_mut(&mut self, key: KeyMut<'_>, node: &mut Item) {
        if !["index", PROVIDER, PROVIDERS].contains(&key.get()) {
            visit_table_like_kv_mut(self, key, node);
        }
    }

    fn visit_string_mut(&mut self, node: &mut Formatted<String>) {
        let decor = node.decor().clone();
        *node = Formatted::new("…".to_owned());
        *node.decor_mut() = decor;
    }
}

/// The profile that a provider names, if the provider is ours.
fn our_profile(words: &[String]) -> Option<Option<String>> {
    let (program, arguments) = words.split_first()?;
    if program == "cargo:token-from-stdout" {
        return our_profile(arguments);
    }
    let arguments = arguments.iter().map(String::as_str);
    ours::profile(program, "cargo-credential-", arguments)
}

/// The path of a provider's program; a name may be an alias.
fn program(words: &[String]) -> Option<String> {
    let mut words = words.iter();
    let program = words.find(|word| *word != "cargo:token-from-stdout")?;
    Path::new(program).is_absolute().then(|| program.clone())
}

fn look(
    _machine: &Machine<'_>,
    document: &Document<'_>,
    profiles: &[Answering],
) -> Result<Wiring, Error> {
    let edited = parse(document)?;
    let mut wiring = Wiring::default();
    let global = edited.get("registry").and_then(Item::as_table_like);
    let global = global.and_then(|table| table.get(PROVIDERS)?.as_array());
    let global: Vec<Vec<String>> = global
        .into_iter()
        .flatten()
        .map(|value| words(&Item::Value(value.clone())))
        .collect();
    let ours = |words: &[String]| Some((our_profile(words)?, program(words)));
    for (profile, program) in global.iter().filter_map(|words| ours(words)) {
        wiring.wired.push(Wired {
            target: "every registry without a provider of its own".to_owned(),
            profile,
            program,
        });
    }
    for (name, table) in registries(&edited) {
        let own = table.get(PROVIDER).map(words);
        if let Some((profile, program)) = own.as_deref().and_then(ours) {
            wiring.wired.push(Wired {
                target: name,
                profile,
                program,
            });
            continue;
        }
        // Later ones are asked first.
        let asked = own.as_ref().or_else(|| global.last());
        let is_ours = index(table)
            .is_some_and(|target| profiles.iter().any(|profile| profile.answers(&target)));
        if let Some(words) = asked
            && is_ours
            && our_profile(words).is_none()
        {
            wiring.in_front.push(InFront {
                target: name,
                helper: words.first().cloned().unwrap_or_default(),
            });
        }
    }
    Ok(wiring)
}

#[cfg(test)]
mod tests {
    use super::{our_profile, shown};

    #[test]
    fn a_provider_is_known_as_ours_in_each_of_its_forms() {
        let named = |profile: &str| Some(Some(profile.to_owned()));
        for (line, expected) in [
            ("cred-helper", Some(None)),
            ("cred-helper --profile work", named("work")),
            ("/opt/cred-helper.exe -p work", named("work")),
            ("cargo-credential-cred-helper-work", named("work")),
            (
                "cargo:token-from-stdout cred-helper get -p work",
                named("work"),
            ),
            ("cargo:token", None),
            ("cred-helpers", None),
            ("", None),
        ] {
            let words: Vec<String> = line.split_whitespace().map(String::from).collect();
            assert_eq!(our_profile(&words), expected, "{line}");
        }
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let text = "# a word\n# token = \"canary\"\n[registries]\nmy = { index = \"i\", token = \
                    \"canary\" } # mine\n[env]\nX = \"\"\"\ncanary\"\"\"\n[http]\nretry = 2\n";
        assert_eq!(
            shown(text),
            "# a word\n…\n[registries]\nmy = { index = \"i\", token = \"…\" } # mine\n[env]\n\
             X = \"…\"\n[http]\nretry = 2\n"
        );
    }
}

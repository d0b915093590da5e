//! The questions of `profile add`: for what is missing alone, each answer checked at once.

use toml::Table;

use super::Shell;
use super::add::{keys_of, missing, preset_of};
use super::profile_file::draft;
use super::profile_text::text_of;
use crate::context::{Context, Terminal};
use crate::error::{Error, ErrorKind};
use crate::oauth::client::EndpointName;
use crate::oauth::metadata::{self, RESERVED_SCOPES, Server};
use crate::profile::preset::{PRESETS, Preset};
use crate::profile::route::Pattern;
use crate::protocol::tools;
use crate::system::terminal;
use crate::text::{nearest, printable};

/// Somebody at the terminal, who reads there and types on stdin.
pub(super) struct Person<'a> {
    terminal: &'a dyn Terminal,
    columns: usize,
}

impl<'a> Person<'a> {
    /// The person, if there is one, and may be asked.
    pub(super) fn find(shell: &Shell<'a, '_>) -> Option<Self> {
        let (terminal, environment) = (shell.context.terminal, shell.context.environment);
        let may_be_asked = match environment.variable("CRED_HELPER_INTERACTIVE").as_deref() {
            Some("never") => false,
            Some("always") => true,
            _ => !environment.is_ci(),
        };
        let is_here = terminal::is_standard_input() && terminal.is_available();
        (may_be_asked && is_here).then_some(Self {
            terminal,
            columns: shell.screen.map_or(80, |screen| screen.columns),
        })
    }

    /// Shows text.
    ///
    /// # Errors
    /// `interrupted`, if the terminal is gone.
    pub(super) fn say(&self, text: &str) -> Result<(), Error> {
        self.terminal
            .show(text)
            .map_err(|error| gone().because(error))
    }

    /// Asks until `read` takes an answer. No answer is `usual`, if there is one.
    fn ask<T>(
        &self,
        question: &str,
        usual: Option<&str>,
        mut read: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let usual_shown = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
        let question = wrapped(&format!("{question}{usual_shown}"), self.columns);
        self.say(&format!("\n{question}\n"))?;
        loop {
            self.say("> ")?;
            let line = terminal::typed_line().map_err(|error| gone().because(error))?;
            let Some(line) = line else {
                self.say("\n")?;
                return Err(gone());
            };
            let line = match (line.as_str(), usual) {
                ("", Some(usual)) => usual.to_owned(),
                _ => line,
            };
            match read(&line) {
                Ok(answer) => return Ok(answer),
                Err(problem) => self.say(&format!("{problem}\n"))?,
            }
        }
    }

    /// Asks for yes or no.
    ///
    /// # Errors
    /// `interrupted`, if nothing more is typed.
    pub(super) fn is_sure(&self, question: &str, usual: bool) -> Result<bool, Error> {
        let usual = if usual { "yes" } else { "no" };
        self.ask(
            &format!("{question} (yes or no)"),
            Some(usual),
            |line| match line.to_lowercase().as_str() {
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("Type yes or no.".to_owned()),
            },
        )
    }
}

/// The text in lines of at most so many columns, broken at blanks.
fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        if line.chars().count() <= columns {
            lines.push(line.to_owned());
            continue;
        }
        let mut row = String::new();
        for word in line.split(' ') {
            let width = row.chars().count() + 1 + word.chars().count();
            if !row.is_empty() && width > columns {
                lines.push(std::mem::take(&mut row));
            } else if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        lines.push(row);
    }
    lines.join("\n")
}

fn gone() -> Error {
    Error::new(ErrorKind::Interrupted, "nothing was written")
}

/// Asks for all that the profile lacks, and what else it may say; shows it, and asks whether it is to be
/// written.
///
/// # Errors
/// `interrupted`, if the person does not want it.
pub(super) fn complete(
    name: &str,
    mut keys: Table,
    shell: &Shell<'_, '_>,
    person: &Person<'_>,
) -> Result<Table, Error> {
    // A name that is none is told before anything is asked.
    check(name, &Table::new(), shell).map_err(|problem| {
        let message = format!("`{}` is no name of a profile", printable(name));
        Error::new(ErrorKind::Config, message).because(problem)
    })?;
    person.say(&format!(
        "A profile `{name}`. Ctrl-C ends this, and nothing is written.\n"
    ))?;
    let lacks = |keys: &Table, key: &str| missing(keys).contains(&key);
    if lacks(&keys, "authority") && !keys.contains_key("preset") {
        ask_provider(&mut keys, shell, person)?;
    }
    let server = find_server(name, &mut keys, shell, person)?;
    if lacks(&keys, "client_id") {
        ask_client(name, &mut keys, shell, person)?;
    }
    if lacks(&keys, "client_secret") {
        let question = "The client has a secret. Where does it come from? `env NAME`, `file PATH` or \
                        `keyring NAME`";
        let source = person.ask(question, None, read_source)?;
        keys.insert("client_secret".to_owned(), source.into());
    }
    if lacks(&keys, "scopes") {
        ask_scopes(name, &mut keys, &server, shell, person)?;
    }
    if !keys.contains_key("urls") {
        ask_urls(&mut keys, person)?;
    }
    if !keys.contains_key("tools") {
        ask_tools(&mut keys, person)?;
    }
    let text = text_of(name, &keys, "");
    let text = text.lines().map(printable).collect::<Vec<_>>().join("\n  ");
    person.say(&format!("\n  {text}\n"))?;
    match person.is_sure("Write it?", true)? {
        true => Ok(keys),
        false => Err(gone()),
    }
}

/// What is wrong with the keys so far; what they lack is not.
fn check(name: &str, keys: &Table, shell: &Shell<'_, '_>) -> Result<(), String> {
    let mut whole = keys.clone();
    for key in missing(keys) {
        whole.insert(
            key.to_owned(),
            match key {
                "authority" => "https://login.example.com".into(),
                "scopes" => Vec::<String>::new().into(),
                "client_secret" => Table::from_iter([("env".to_owned(), "X".into())]).into(),
                _ => "x".into(),
            },
        );
    }
    draft(name, &whole, shell).map(drop).map_err(|problems| {
        let problems: Vec<&str> = problems.iter().map(|problem| short(problem)).collect();
        problems.join("\n")
    })
}

/// A complaint without the key that was asked for just now.
fn short(problem: &str) -> &str {
    match problem.split_once("`: ") {
        Some((key, rest)) if key.starts_with("`profiles.") => rest,
        _ => problem,
    }
}

/// The keys with one more.
fn with(keys: &Table, key: &str, value: impl Into<toml::Value>) -> Table {
    let mut keys = keys.clone();
    keys.insert(key.to_owned(), value.into());
    keys
}

fn ask_provider(keys: &mut Table, shell: &Shell<'_, '_>, person: &Person<'_>) -> Result<(), Error> {
    let mut question =
        "Who gives the tokens? A number or a name of this list, or the URL of an issuer:\n"
            .to_owned();
    for (index, preset) in PRESETS.iter().enumerate() {
        let about = preset.about("summary").unwrap_or_default();
        let about = about.split(';').next().unwrap_or_default();
        let line = format!("{:>3}  {:<22} {about}", index + 1, preset.name);
        question.push_str(&shortened(&line, person.columns));
        question.push('\n');
    }
    *keys = person.ask(question.trim_end(), None, |line| {
        if line.contains("://") {
            let keys = with(keys, "authority", line);
            return check("x", &keys, shell).map(|()| keys);
        }
        Ok(with(keys, "preset", find_preset(line)?.name))
    })?;
    Ok(())
}

fn shortened(line: &str, columns: usize) -> String {
    if line.chars().count() < columns {
        return line.to_owned();
    }
    let kept: String = line.chars().take(columns.saturating_sub(2)).collect();
    format!("{}…", kept.trim_end())
}

fn find_preset(line: &str) -> Result<&'static Preset, String> {
    let number = line.parse::<usize>().ok();
    let by_number = number.and_then(|number| PRESETS.get(number.checked_sub(1)?));
    let by_name = || PRESETS.iter().find(|preset| preset.name == line);
    by_number.or_else(by_name).ok_or_else(|| {
        let names = PRESETS.iter().map(|preset| preset.name);
        match nearest(line, names) {
            Some(nearest) => format!("Did you mean `{nearest}`?"),
            None => "That is neither in the list, nor a URL such as https://login.example.com"
                .to_owned(),
        }
    })
}

/// Asks for the authority if it is missing, and the authority what it can do, until one answers.
fn find_server(
    name: &str,
    keys: &mut Table,
    shell: &Shell<'_, '_>,
    person: &Person<'_>,
) -> Result<Server, Error> {
    let preset = preset_of(keys);
    loop {
        if missing(keys).contains(&"authority") {
            let form = preset.and_then(|preset| preset.about("authority"));
            let form = form.unwrap_or_else(|| "`https://HOST/…`".to_owned());
            *keys = person.ask(&format!("Its authority: {form}"), None, |line| {
                let keys = with(keys, "authority", line);
                check(name, &keys, shell).map(|()| keys)
            })?;
        }
        let error = match discover(name, keys, shell) {
            Ok(server) => {
                tell(&server, keys, person)?;
                return Ok(server);
            }
            Err(error) => error,
        };
        person.say(&format!("\n{}\n", error.message()))?;
        for cause in error.causes() {
            person.say(&format!("  {cause}\n"))?;
        }
        // A network that is away now may be there when it is needed.
        let may_be_right = error.kind() == ErrorKind::Unavailable;
        if may_be_right && person.is_sure("Take it all the same?", false)? {
            return Ok(Server::default());
        }
        let is_own = keys.remove("authority").is_some();
        if !is_own || !missing(keys).contains(&"authority") {
            return Err(error);
        }
    }
}

fn discover(name: &str, keys: &Table, shell: &Shell<'_, '_>) -> Result<Server, Error> {
    let mut whole = keys.clone();
    // It is asked in nobody's name.
    whole.entry("client_id").or_insert_with(|| "x".into());
    whole
        .entry("scopes")
        .or_insert_with(|| Vec::<String>::new().into());
    whole.remove("client_auth_method");
    if missing(&whole).contains(&"client_secret") {
        let source = Table::from_iter([("env".to_owned(), "X".into())]);
        whole.insert("client_secret".to_owned(), source.into());
    }
    let profile = draft(name, &whole, shell).map_err(|problems| {
        let error = Error::new(ErrorKind::Config, "that is no profile");
        problems
            .iter()
            .fold(error, |error, problem| error.because(problem))
    })?;
    let needed = match profile.client.authority.endpoint() {
        Some(_) => &[EndpointName::Token][..],
        // A plugin and a platform know no authority.
        None => &[],
    };
    let context = Context {
        deadline: Some(shell.context.clock.monotonic() + Context::REQUEST_LIMIT),
        ..shell.context
    };
    metadata::find(&profile.client, needed, &context)
}

/// Tells in which ways one can sign in, and takes the only one.
fn tell(server: &Server, keys: &mut Table, person: &Person<'_>) -> Result<(), Error> {
    let has = |name| server.endpoints.get(name).is_some();
    let beneath = preset_of(keys).map(keys_of).unwrap_or_default();
    if keys.contains_key("grant") || beneath.contains_key("grant") {
        return Ok(());
    }
    let (ways, only) = match (
        has(EndpointName::Authorization),
        has(EndpointName::DeviceAuthorization),
    ) {
        (true, true) => (
            "a browser on this machine, or a device code where there is none",
            None,
        ),
        (true, false) => (
            "a browser; there is no device code",
            Some("authorization_code"),
        ),
        (false, true) => ("a device code", Some("device_code")),
        (false, false) => return Ok(()),
    };
    if let Some(grant) = only {
        keys.insert("grant".to_owned(), grant.into());
    }
    person.say(&format!("\nIt answers. One signs in with {ways}.\n"))
}

fn ask_client(
    name: &str,
    keys: &mut Table,
    shell: &Shell<'_, '_>,
    person: &Person<'_>,
) -> Result<(), Error> {
    let where_to = preset_of(keys).and_then(|preset| preset.about("register"));
    let where_to = where_to.map_or_else(
        || {
            "One registers a public (native) client there, with the redirect URI http://127.0.0.1/"
                .to_owned()
        },
        |place| format!("One registers a client at {place}"),
    );
    *keys = person.ask(&format!("{where_to}\nIts client id:"), None, |line| {
        if line.is_empty() || line.contains(|one: char| one.is_whitespace() || one.is_control()) {
            return Err("A client id is one word, which the authority gave.".to_owned());
        }
        let keys = with(keys, "client_id", line);
        check(name, &keys, shell).map(|()| keys)
    })?;
    Ok(())
}

/// Where a secret comes from: one word for the way, and the rest.
fn read_source(line: &str) -> Result<Table, String> {
    let wrong = || {
        "Type `env NAME`, `file PATH` or `keyring NAME`; the secret itself is not written down here."
            .to_owned()
    };
    let (way, place) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
    if !["env", "file", "keyring"].contains(&way) {
        return Err(wrong());
    }
    Ok(Table::from_iter([(way.to_owned(), place.trim().into())]))
}

fn ask_scopes(
    name: &str,
    keys: &mut Table,
    server: &Server,
    shell: &Shell<'_, '_>,
    person: &Person<'_>,
) -> Result<(), Error> {
    /// How many scopes of a server are worth reading?
    const MOST: usize = 30;
    let listed = server.scopes_supported.iter();
    let listed: Vec<String> = listed
        .filter(|scope| !RESERVED_SCOPES.contains(&scope.as_str()))
        .map(|scope| printable(scope))
        .collect();
    let mut question = String::new();
    if !listed.is_empty() {
        let more = if listed.len() > MOST { ", …" } else { "" };
        let listed = listed.iter().take(MOST).cloned().collect::<Vec<_>>();
        question = format!("It knows the scopes {}{more}\n", listed.join(", "));
    }
    question.push_str("Which scopes do the tools need? Blanks between them.");
    let is_of_microsoft = draft(name, &with(keys, "scopes", Vec::<String>::new()), shell)
        .is_ok_and(|profile| profile.client.is_entra());
    let usual = match is_of_microsoft {
        true => Some("User.Read"),
        false
            if server
                .scopes_supported
                .iter()
                .any(|scope| scope == "openid") =>
        {
            Some("openid")
        }
        false => None,
    };
    *keys = person.ask(&question, usual, |line| {
        let scopes: Vec<&str> = words(line);
        if scopes.is_empty() {
            return Err("Type one at least.".to_owned());
        }
        let keys = with(keys, "scopes", scopes);
        check(name, &keys, shell).map(|()| keys)
    })?;
    Ok(())
}

fn ask_urls(keys: &mut Table, person: &Person<'_>) -> Result<(), Error> {
    let beneath = preset_of(keys).map(keys_of).unwrap_or_default();
    // What has a user name for git is where the repositories are.
    let is_host = beneath.contains_key("username") && beneath.contains_key("endpoints");
    let authority = keys.get("authority").or_else(|| beneath.get("authority"));
    let authority = authority.and_then(toml::Value::as_str).unwrap_or_default();
    let proposed = Pattern::parse(authority).ok().filter(|_| is_host);
    let proposed = proposed.map(|pattern| format!("{}/", pattern.origin()));
    let question = "Which URLs may get its tokens, as https://api.example.com/? Blanks between them; \
                    `-` for none: then a call names the profile.";
    let urls = person.ask(question, Some(proposed.as_deref().unwrap_or("-")), |line| {
        let urls: Vec<String> = match line {
            "-" => Vec::new(),
            line => words(line).into_iter().map(String::from).collect(),
        };
        for url in &urls {
            Pattern::parse(url).map_err(|problem| format!("`{}`: {problem}", printable(url)))?;
        }
        Ok(urls)
    })?;
    if !urls.is_empty() {
        keys.insert("urls".to_owned(), urls.into());
    }
    Ok(())
}

fn ask_tools(keys: &mut Table, person: &Person<'_>) -> Result<(), Error> {
    let known: Vec<&str> = tools().collect();
    let question = format!(
        "Which tools may use it? `all`, or some of {}",
        known.join(", ")
    );
    let chosen = person.ask(&question, Some("all"), |line| {
        let named = words(line);
        if named == ["all"] {
            return Ok(Vec::new());
        }
        let unknown = named.iter().find(|tool| !known.contains(tool));
        match unknown {
            None => Ok(named.into_iter().map(String::from).collect()),
            Some(unknown) => {
                let shown = printable(unknown);
                Err(match nearest(unknown, known.iter().copied()) {
                    Some(nearest) => format!("There is no `{shown}`; did you mean `{nearest}`?"),
                    None => format!("There is no `{shown}`."),
                })
            }
        }
    })?;
    if !chosen.is_empty() {
        keys.insert("tools".to_owned(), chosen.into());
    }
    Ok(())
}

/// The words of a line, between blanks and commas.
fn words(line: &str) -> Vec<&str> {
    let words = line.split([' ', '\t', ',']);
    words.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{read_source, shortened, words, wrapped};

    #[test]
    fn a_question_is_broken_at_blanks_and_a_row_of_the_list_is_cut() {
        assert_eq!(wrapped("a bb ccc\nd", 5), "a bb\nccc\nd");
        assert_eq!(wrapped("https://h.example/ x", 5), "https://h.example/\nx");
        assert_eq!(wrapped("a b", 3), "a b");
        assert_eq!(shortened("abc def", 6), "abc…");
        assert_eq!(shortened("abc def", 8), "abc def");
    }

    #[test]
    fn words_stand_between_blanks_and_commas() {
        assert_eq!(words(" a, b,,c\td "), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_secret_is_told_by_its_source_alone() {
        let source = read_source("env  X").expect("it is one");
        assert_eq!(source["env"].as_str(), Some("X"));
        for wrong in ["hunter2", "secret hunter2", ""] {
            let said = read_source(wrong).expect_err(wrong);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

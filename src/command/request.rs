//! `request`: an HTTP call with a token, to the URLs that a profile names.
//!
//! This file reads the command line; `call` makes one call of several requests, `page` goes on to
//! further pages, `shown` is what a person sees. To add an option: an argument here, and what it means
//! in a field of `call::Wish`.

mod call;
mod page;
mod shown;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use self::call::{Body, Caller, Wish, unreadable, without_query};
use self::page::{Merged, Page};
use self::shown::{Shown, harmless};
use super::profile::no_file;
use super::route::Named;
use super::{Entry, Shell, account_argument, profile_argument, text};
use crate::context::{HttpResponse, StreamedResponse};
use crate::error::{Error, ErrorKind};
use crate::io::delivered;
use crate::oauth::challenge::Challenge;
use crate::profile::route::Target;
use crate::profile::{Configuration, Patterns, Profile};
use crate::protocol::json;
use crate::secret::Secret;
use crate::style::Style;
use crate::system::progress::Progress;
use crate::system::replacement::{self, unwritable};
use crate::text::printable;

/// How much of a body is held, to be sent again or to be looked into?
const LONGEST_HELD: u64 = 16 * 1024 * 1024;
/// How long may one page be?
const LONGEST_PAGE: u64 = 64 * 1024 * 1024;
/// How many pages may there be?
const MOST_PAGES: usize = 10_000;
/// How much of a refusal is looked into for what the server says?
const LONGEST_REFUSAL: usize = 64 * 1024;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "request",
    command,
    run,
};

fn command(command: Command) -> Command {
    command
        .about("Send an HTTP request with a token")
        .after_help(
            "The token goes only where the profile's `urls` or `endpoint` name; redirects are not \
             followed. Exit code 5 for 401 and 403, 6 for 408, 429 and 5xx, 10 for any other refusal; the \
             answer is printed all the same.\n\nExamples:\n  cred-helper request -p graph\n  cred-helper \
             request -p graph /v1.0/me/messages --paginate\n  cred-helper request -p forge -d @issue.json \
             \\\n      https://forge.example.com/api/v1/repos/ada/engine/issues",
        )
        .arg(Arg::new("url").value_name("URL").help(
            "The whole URL, or a path at the host of the profile's `endpoint` [default: `endpoint`]",
        ))
        .arg(profile_argument())
        .arg(
            Arg::new("method")
                .short('X')
                .long("method")
                .value_name("METHOD")
                .help("The method [default: GET, with -d POST]"),
        )
        .arg(
            Arg::new("header")
                .short('H')
                .long("header")
                .value_name("NAME: VALUE")
                .action(ArgAction::Append)
                .help("A further header"),
        )
        .arg(
            Arg::new("data")
                .short('d')
                .long("data")
                .value_name("DATA|@FILE")
                .allow_hyphen_values(true)
                .help("The body; @FILE is what that file holds, @- what stands on stdin"),
        )
        .arg(
            Arg::new("paginate")
                .long("paginate")
                .action(ArgAction::SetTrue)
                .help("Get all pages, as one JSON document"),
        )
        .arg(
            Arg::new("include")
                .short('i')
                .long("include")
                .action(ArgAction::SetTrue)
                .help("Print status and headers first"),
        )
        .arg(
            Arg::new("output-file")
                .long("output-file")
                .value_name("FILE")
                .help("Write the answer into this file, for its owner alone"),
        )
        .arg(account_argument())
        .arg(
            Arg::new("scope")
                .long("scope")
                .value_name("S")
                .action(ArgAction::Append)
                .help("Ask for this scope instead of the profile's"),
        )
}

fn run(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<(), Error> {
    let paginates = matches.get_flag("paginate");
    let file = text(matches, "output-file");
    let file = file.as_deref().map(Path::new);
    if let Some(file) = file {
        // Before anything is sent.
        replacement::check(file).map_err(|error| unwritable(file, &error))?;
    }
    let (profile, url) = target(matches, shell)?;
    let wish = wish(matches, shell)?;
    if paginates && wish.method != "GET" {
        let error = Error::new(ErrorKind::Usage, "`--paginate` goes with GET alone");
        return Err(error.hint("leave out `--paginate`, or `-X` and `-d`"));
    }
    let context = shell.context;
    let caller = Caller {
        answer: shell.answer,
        context,
        profile: &profile,
        wish: &wish,
        is_quiet: matches.get_flag("quiet"),
    };
    let first = caller.call(&url)?;
    let refused = is_refused(&first.head);
    let is_terminal = shell.screen.is_some();
    let way = Way {
        caller: &caller,
        url: &url,
        paginates: paginates && !refused,
        includes: matches.get_flag("include"),
        shows_progress: (!is_terminal || file.is_some() && !refused) && !caller.is_quiet,
    };
    if let Some(file) = file.filter(|_| !refused) {
        return into_file(file, &way, first);
    }
    let style = is_terminal.then_some(shell.style);
    let written = match style {
        Some(style) => way.pass(first, &mut OnTerminal::new(shell.io.stdout, style)),
        None => way.pass(first, &mut Plain(shell.io.stdout)),
    };
    match written {
        Err(Stop::Unwritable(error)) => delivered(Err(error)),
        Err(Stop::Failed(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

/// The profile, and the whole URL.
fn target(matches: &ArgMatches, shell: &Shell<'_, '_>) -> Result<(Profile, String), Error> {
    let sources = shell.sources()?;
    let configuration = Configuration::new(&sources)?;
    if configuration.profiles().next().is_none() {
        return Err(no_file(shell.location));
    }
    let named = Named::of(matches, shell.context.environment);
    let given = text(matches, "url");
    let given = given.as_deref();
    let scheme = given.and_then(|given| given.split_once("://"));
    let is_url = scheme.is_some_and(|(scheme, _)| {
        ["https", "http"].contains(&scheme.to_ascii_lowercase().as_str())
    });
    if let Some(other) = given.filter(|given| !is_url && !given.starts_with('/')) {
        let shown = printable(other);
        let message = format!("`{shown}` is no URL that a request goes to");
        return Err(Error::new(ErrorKind::Usage, message).hint(
            "write `https://HOST/PATH`, or `/PATH` for the host of the profile's `endpoint`",
        ));
    }
    let url = given.filter(|_| is_url);
    let profile = configuration
        .resolve_by(Patterns::UrlsAndEndpoint, named.name.as_deref(), url)
        .map_err(|error| named.explained(error))?;
    if let Some(url) = url {
        return Ok((profile, url.to_owned()));
    }
    let Some(endpoint) = profile.endpoint.as_ref() else {
        let name = &profile.name;
        let message = format!("no URL is given, and the profile `{name}` has no `endpoint`");
        return Err(Error::new(ErrorKind::Usage, message).hint(format!(
            "give the whole URL, or add `endpoint = \"https://…\"` to `profiles.{name}`"
        )));
    };
    let endpoint = endpoint.as_str();
    let url = match (given, Target::parse(endpoint)) {
        (Some(path), Some(target)) => format!("{}{path}", target.origin()),
        _ => endpoint.to_owned(),
    };
    Ok((profile, url))
}

fn wish(matches: &ArgMatches, shell: &mut Shell<'_, '_>) -> Result<Wish, Error> {
    let given = matches.get_many::<String>("header").into_iter().flatten();
    let mut headers: Vec<_> = given.map(|given| header(given)).collect::<Result<_, _>>()?;
    let data = text(matches, "data");
    let body = data.map(|data| body(&data, shell)).transpose()?;
    let has_type = headers.iter().any(|(name, _)| name == "content-type");
    if let Some(Body::Held(bytes)) = &body
        && !has_type
        && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
    {
        headers.push(("content-type".to_owned(), Secret::new("application/json")));
    }
    let method = text(matches, "method").map(json::read_method).transpose()?;
    let usual = if body.is_some() { "POST" } else { "GET" };
    let scopes = matches.get_many::<String>("scope").into_iter().flatten();
    Ok(Wish {
        method: method.unwrap_or_else(|| usual.to_owned()),
        headers,
        body,
        account: text(matches, "account"),
        scopes: scopes.cloned().collect(),
    })
}

/// `NAME: VALUE`; the name in lower case. The value may be a secret, and is not shown.
fn header(given: &str) -> Result<(String, Secret), Error> {
    /// What is decided elsewhere, and where.
    const NOT_HERE: [(&str, &str); 8] = [
        ("authorization", "the profile's token goes there"),
        ("dpop", "the proof for the profile's token goes there"),
        (
            "proxy-authorization",
            "the proxy's URL in `HTTPS_PROXY` says it",
        ),
        (
            "host",
            "the URL says it, and decides whether a token may go there",
        ),
        ("content-length", "the body says it"),
        ("transfer-encoding", "the body says it"),
        (
            "connection",
            "it is for the connection, and not for a request",
        ),
        ("upgrade", "it is for the connection, and not for a request"),
    ];
    let usage = |message: String| Error::new(ErrorKind::Usage, message);
    let (name, value) = given.split_once(':').ok_or_else(|| {
        usage("a header is no `NAME: VALUE`".to_owned())
            .hint("write it as `-H 'Accept: text/plain'`")
    })?;
    let shown = printable(name);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(usage(format!("`{shown}` is no name of a header")));
    }
    let name = name.to_ascii_lowercase();
    if let Some((_, reason)) = NOT_HERE.iter().find(|(own, _)| *own == name) {
        return Err(usage(format!(
            "the header `{shown}` cannot be set: {reason}"
        )));
    }
    let value = value.trim_matches([' ', '\t']);
    if value
        .chars()
        .any(|character| character.is_control() && character != '\t')
    {
        return Err(usage(format!(
            "the header `{shown}` holds a line end or a control character"
        )));
    }
    Ok((name, Secret::new(value)))
}

fn body(given: &str, shell: &mut Shell<'_, '_>) -> Result<Body, Error> {
    let Some(name) = given.strip_prefix('@') else {
        return Ok(Body::Held(Zeroizing::new(given.as_bytes().to_vec())));
    };
    let path = Path::new(name);
    let too_long = |what: &str| {
        let limit = LONGEST_HELD / 1024 / 1024;
        let error = Error::new(
            ErrorKind::Usage,
            format!("{what} holds more than {limit} MiB"),
        );
        error.hint("write it into a file, and name that as `-d @FILE`: it may have any length")
    };
    let mut bytes = Zeroizing::new(Vec::new());
    if name == "-" {
        let read = (&mut shell.io.stdin)
            .take(LONGEST_HELD + 1)
            .read_to_end(&mut bytes);
        read.map_err(|error| Error::new(ErrorKind::Usage, "stdin cannot be read").because(error))?;
        if bytes.len() as u64 > LONGEST_HELD {
            return Err(too_long("stdin"));
        }
        return Ok(Body::Held(bytes));
    }
    let there = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if there.is_file() && there.len() > LONGEST_HELD {
        return Ok(Body::File(path.to_owned(), there.len()));
    }
    let file = fs::File::open(path);
    let read = file.and_then(|file| file.take(LONGEST_HELD + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > LONGEST_HELD {
        return Err(too_long(&format!("`{}`", printable(name))));
    }
    Ok(Body::Held(bytes))
}

/// Where the answer goes.
trait Output {
    /// Status and headers.
    fn head(&mut self, head: &str) -> Result<(), Stop>;
    /// A body begins.
    fn begin(&mut self, content_type: &str);
    /// A part of it.
    fn part(&mut self, bytes: &[u8]) -> Result<(), Stop>;
    /// It has ended.
    fn end(&mut self) -> Result<(), Stop>;
}

/// Why it goes no further.
enum Stop {
    Failed(Error),
    Unwritable(io::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Byte for byte.
struct Plain<'w>(&'w mut dyn Write);

impl Output for Plain<'_> {
    fn head(&mut self, head: &str) -> Result<(), Stop> {
        self.part(head.as_bytes())
    }

    fn begin(&mut self, _content_type: &str) {}

    fn part(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.0.write_all(bytes).map_err(Stop::Unwritable)
    }

    fn end(&mut self) -> Result<(), Stop> {
        self.0.flush().map_err(Stop::Unwritable)
    }
}

/// As a person reads it.
struct OnTerminal<'w> {
    writer: &'w mut dyn Write,
    style: Style,
    content_type: String,
    shown: Option<Shown>,
}

impl<'w> OnTerminal<'w> {
    fn new(writer: &'w mut dyn Write, style: Style) -> Self {
        Self {
            writer,
            style,
            content_type: String::new(),
            shown: None,
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Stop> {
        self.writer
            .write_all(text.as_bytes())
            .map_err(Stop::Unwritable)
    }
}

impl Output for OnTerminal<'_> {
    fn head(&mut self, head: &str) -> Result<(), Stop> {
        self.write(&harmless(head))
    }

    fn begin(&mut self, content_type: &str) {
        content_type.clone_into(&mut self.content_type);
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let shown = match self.shown.take() {
            Some(shown) => Some(shown),
            None => Shown::new(&self.content_type, bytes, self.style),
        };
        let Some(mut shown) = shown else {
            let kind = printable(&self.content_type);
            let kind = if kind.is_empty() {
                kind
            } else {
                format!(" ({kind})")
            };
            let message = format!("the answer is no text{kind}, and is not shown on a terminal");
            return Err(Error::new(ErrorKind::Usage, message)
                .hint("add `--output-file FILE`, or send it on: `cred-helper request … | PROGRAM`")
                .into());
        };
        let text = shown.part(bytes);
        self.shown = Some(shown);
        self.write(&text)
    }

    fn end(&mut self) -> Result<(), Stop> {
        let text = self.shown.take().map(|mut shown| shown.end());
        self.write(&text.unwrap_or_default())?;
        self.writer.flush().map_err(Stop::Unwritable)
    }
}

/// From an answer to its output.
struct Way<'w> {
    caller: &'w Caller<'w>,
    url: &'w str,
    paginates: bool,
    includes: bool,
    shows_progress: bool,
}

impl Way<'_> {
    /// Hands on an answer, and what is wrong with it as an error.
    fn pass(&self, first: StreamedResponse, output: &mut dyn Output) -> Result<(), Stop> {
        if self.paginates {
            return self.pages(first, output);
        }
        let StreamedResponse { head, body } = first;
        let refused = is_refused(&head);
        self.head(&head, output)?;
        output.begin(head.header("content-type").unwrap_or_default());
        let mut kept = Vec::new();
        let mut keep = |bytes: &[u8]| {
            if refused && kept.len() < LONGEST_REFUSAL {
                kept.extend_from_slice(bytes);
            }
            output.part(bytes)
        };
        let passed = self
            .read(&head, body, &mut keep)
            .and_then(|()| output.end());
        if refused {
            // What the status says counts, whether somebody reads what is said beside it or not.
            return Err(self.refusal(self.url, &head, &kept).into());
        }
        passed
    }

    fn head(&self, head: &HttpResponse, output: &mut dyn Output) -> Result<(), Stop> {
        if !self.includes {
            return Ok(());
        }
        let mut text = Zeroizing::new(format!("HTTP/1.1 {}\r\n", head.status));
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {}\r\n", value.expose()));
        }
        text.push_str("\r\n");
        output.head(&text)
    }

    /// Hands on each part of a body.
    fn read(
        &self,
        head: &HttpResponse,
        mut body: Box<dyn Read>,
        part: &mut dyn FnMut(&[u8]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let context = &self.caller.context;
        let total = head
            .header("content-length")
            .and_then(|length| length.parse().ok());
        let mut progress = Progress::new(self.shows_progress, total, context.environment);
        let mut buffer = Zeroizing::new(vec![0; 64 * 1024]);
        loop {
            let count = body
                .read(&mut buffer)
                .map_err(|error| broken_off(self.url, &error))?;
            if count == 0 {
                return Ok(());
            }
            context.signals.check()?;
            part(&buffer[..count])?;
            progress.add(count);
        }
    }

    /// Gets page after page.
    fn pages(&self, first: StreamedResponse, output: &mut dyn Output) -> Result<(), Stop> {
        let mut merged = Merged::default();
        let mut seen = BTreeSet::new();
        let mut url = Url::parse(self.url).map_err(|error| {
            let message = format!("`{}` is no URL", without_query(self.url));
            Error::new(ErrorKind::Usage, message).because(error)
        })?;
        let mut response = first;
        output.begin("application/json");
        loop {
            let StreamedResponse { head, body } = response;
            self.head(&head, output)?;
            let bytes = self.page(&head, body, &url)?;
            let unusable = |reason: String| {
                let message = format!("the page `{}` cannot be read", without_query(url.as_str()));
                Error::new(ErrorKind::Unavailable, message)
                    .because(reason)
                    .hint("call it without `--paginate`")
            };
            let page = Page::read(&url, &head, &bytes).map_err(unusable)?;
            let next = page.next.clone();
            output.part(merged.add(page).map_err(unusable)?.as_bytes())?;
            seen.insert(url.to_string());
            let Some(next) = next else {
                output.part(merged.end().as_bytes())?;
                return output.end();
            };
            check_next(&url, &next, &seen)?;
            self.caller
                .context
                .debug(|| format!("page {}", seen.len() + 1));
            response = self.caller.call(next.as_str())?;
            url = next;
        }
    }

    /// All of one page.
    fn page(&self, head: &HttpResponse, body: Box<dyn Read>, url: &Url) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::new();
        let mut keep = |part: &[u8]| {
            bytes.extend_from_slice(part);
            if bytes.len() as u64 > LONGEST_PAGE {
                let limit = LONGEST_PAGE / 1024 / 1024;
                let message = format!("a page is longer than {limit} MiB");
                let error = Error::new(ErrorKind::Unavailable, message);
                return Err(error.hint("call it without `--paginate`").into());
            }
            Ok(())
        };
        self.read(head, body, &mut keep)?;
        if is_refused(head) {
            return Err(self.refusal(url.as_str(), head, &bytes).into());
        }
        Ok(bytes)
    }

    /// What is wrong with an answer of `url`.
    fn refusal(&self, url: &str, head: &HttpResponse, body: &[u8]) -> Error {
        let status = head.status;
        let kind = match status {
            401 | 403 => ErrorKind::Denied,
            408 | 429 | 500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Http,
        };
        let shown = format!("{} {}", self.caller.wish.method, without_query(url));
        let mut error = Error::new(kind, format!("`{shown}`: HTTP status {status}"));
        if is_redirect(head) {
            let location = without_query(head.header("location").unwrap_or_default());
            return error
                .because(format!(
                    "it leads to `{location}`, and redirects are not followed"
                ))
                .hint("call that URL itself, if it is one of the profile's");
        }
        let challenge = Challenge::read(head);
        for text in [challenge.error_description, said(body)]
            .into_iter()
            .flatten()
        {
            error = error.because(text);
        }
        match (status, challenge.scope, head.retry_after()) {
            (403, Some(scope), _) => {
                let scope = printable(&scope);
                error.hint(format!(
                    "it wants the scope `{scope}`: add it to `scopes` of the profile"
                ))
            }
            (401 | 403, ..) => {
                // Mostly it is for somebody else, or may not do that: it says so itself.
                error.next(["cred-helper", "inspect", "-p", &self.caller.profile.name])
            }
            (429 | 503, _, Some(seconds)) => error.hint(format!("try again in {seconds} s")),
            _ => error,
        }
    }
}

/// Whether the page after `url` may be asked for: at the same host, and none that was there before.
fn check_next(url: &Url, next: &Url, seen: &BTreeSet<String>) -> Result<(), Error> {
    let shown = without_query(next.as_str());
    if next.origin() != url.origin() {
        let message = format!("the next page lies at another host: `{shown}`");
        return Err(Error::new(ErrorKind::NoProfile, message)
            .hint("the token does not go there; ask whoever runs the server"));
    }
    let told = if seen.contains(next.as_str()) {
        "the pages go round in a circle".to_owned()
    } else if seen.len() >= MOST_PAGES {
        format!("there are more than {MOST_PAGES} pages")
    } else {
        return Ok(());
    };
    let error = Error::new(ErrorKind::Unavailable, told);
    Err(error.because(format!("the next one would be `{shown}`")))
}

fn into_file(file: &Path, way: &Way<'_>, first: StreamedResponse) -> Result<(), Error> {
    // What was begun is taken away again.
    let _shield = way.caller.context.signals.shield();
    let mut stopped = None;
    let replaced = replacement::replace_by(file, |writer| {
        way.pass(first, &mut Plain(writer))
            .map_err(|stop| match stop {
                Stop::Unwritable(error) => error,
                Stop::Failed(error) => {
                    stopped = Some(error);
                    io::Error::other("it did not come")
                }
            })
    });
    match (stopped, replaced) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(unwritable(file, &error)),
        (None, Ok(())) => Ok(()),
    }
}

fn broken_off(url: &str, error: &io::Error) -> Error {
    let shown = without_query(url);
    Error::new(
        ErrorKind::Unavailable,
        format!("the answer of `{shown}` broke off"),
    )
    .because(error)
    .hint("try again; the sign-in is still there")
}

/// Whether an answer is an error: also one that sends us elsewhere, where the token does not go.
fn is_refused(head: &HttpResponse) -> bool {
    head.status >= 400 || is_redirect(head)
}

fn is_redirect(head: &HttpResponse) -> bool {
    matches!(head.status, 301 | 302 | 303 | 307 | 308) && head.header("location").is_some()
}

/// What a server says in the body of a refusal: Microsoft's, Google's and GitHub's ways, RFC 6749 §5.2,
/// and RFC 9457 §3.1.
fn said(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = &body["error"];
    let texts = [
        &error["message"],
        &body["error_description"],
        &body["message"],
        &body["detail"],
        &body["title"],
        error,
    ];
    let code = error["code"].as_str().map(|code| format!("{code}: "));
    let text = texts.into_iter().find_map(Value::as_str)?;
    Some(format!("{}{text}", code.unwrap_or_default()))
}

/// What a person is shown of an answer, on a terminal and of what is wrong with it as a page: what a
/// fuzzer calls.
pub fn decodes(head: &HttpResponse, body: &[u8]) -> Vec<String> {
    let mut shown: Vec<String> = said(body).iter().map(|said| printable(said)).collect();
    if let Some(mut way) = Shown::new("application/json", body, Style::default()) {
        let parts = body.chunks(7).map(|part| way.part(part));
        let text: String = parts.collect();
        shown.push(text + &way.end());
    }
    let url = Url::parse("https://api.example/items").expect("it is one");
    let mut merged = Merged::default();
    match Page::read(&url, head, body).and_then(|page| merged.add(page)) {
        Ok(text) => {
            let whole = text + merged.end();
            let read = serde_json::from_str::<IgnoredAny>(&whole);
            assert!(read.is_ok(), "BUG: a page is no JSON any more: {whole}");
        }
        Err(problem) => shown.push(printable(&problem)),
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{header, said};

    #[test]
    fn a_header_is_a_name_and_a_value_and_never_the_token_s_own() {
        let (name, value) = header("X-Api:  a: b \t").expect("it is one");
        assert_eq!((name.as_str(), value.expose()), ("x-api", "a: b"));
        assert_eq!(header("Prefer:").expect("it is one").1.expose(), "");
        for (given, told) in [
            ("Authorization: Bearer x", "the profile's token goes there"),
            ("AUTHORIZATION:x", "the profile's token goes there"),
            ("DPoP: x", "the proof"),
            ("Host: evil.example", "the URL says it"),
            ("X: a\r\nAuthorization: b", "line end"),
            ("X\r\nY: a", "no name"),
            ("X : a", "no name"),
            (": a", "no name"),
            ("x", "no `NAME: VALUE`"),
        ] {
            let error = header(given).map(drop).expect_err(given);
            assert!(error.message().contains(told), "{given}: {error}");
        }
    }

    #[test]
    fn what_a_server_says_is_found_in_each_way_of_saying_it() {
        for (body, expected) in [
            (
                r#"{"error":{"code":"ItemNotFound","message":"gone"}}"#,
                Some("ItemNotFound: gone"),
            ),
            (r#"{"error":{"code":404,"message":"gone"}}"#, Some("gone")),
            (
                r#"{"message":"Not Found","status":"404"}"#,
                Some("Not Found"),
            ),
            (
                r#"{"error":"invalid_token","error_description":"over"}"#,
                Some("over"),
            ),
            (r#"{"error":"nope"}"#, Some("nope")),
            (r#"{"title":"t","detail":"d"}"#, Some("d")),
            (r#"["x"]"#, None),
            ("<html>", None),
        ] {
            assert_eq!(said(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}

//! cred-helper: named OAuth profiles, served to every developer tool in its own protocol.
//!
//! This header is the architecture; `docs/architecture.md` is the map beside it. Tests (`tests/it/layer.rs`,
//! `tests/it/architecture.rs`) check who imports whom, and that both say the same.
//!
//! # The path of one request
//!
//! ```text
//! argv ─ cli ─ protocol::X.serve(arguments, Io, answer)
//!    decode ─► Request { action, profile, url, scopes, min_valid, … }
//!               ▼ answer(&Request): answer.rs, wired here
//!    profile::Configuration::resolve ─► Profile                     error: no_profile, config
//!               ▼
//!    acquire
//!       store.load ─► next(session, wanted, now) = Use ─► Credential       no lock, no thread,
//!       │ otherwise                                                   no HTTP client, no write
//!       store.lock ─► store.load_locked ─► next()
//!         ├ Use            another process did it while we waited
//!         ├ UseAndRefresh  the token is handed out; another process of ours refreshes it
//!         ├ Refresh        store.prove_writable ─► oauth request ─ http ─ response ─► store.save
//!         ├ Silent         the grant of a machine or a plugin, under the session's lock
//!         ├ Grant          a person's, under the sign-in lock alone; it takes the session's lock
//!         │                only to save
//!         ├ Remember       a refresh failed a moment ago: its error, once more
//!         └ LoginRequired ─► Error { kind, message, hint, next }
//!               ▼
//!    exchange, if the profile has one for the tool (cached as a token): under a lock of its
//!               ▼                           own; it takes the session's lock only to save
//!    Response ─► encode ─► stdout       errors ─► stderr, or the tool's own way
//! ```
//!
//! # Who may import whom: down only
//!
//! | layer | modules | must not |
//! |---|---|---|
//! | 7 | main, lib, cli | do work: they choose and wire |
//! | 6 | command, answer, setup | know wires of tools; setup knows their configuration files |
//! | 5 | acquire | know who asks: no protocol, command, clap, toml, reqwest |
//! | 4 | profile | run anything |
//! | 3 | grant, exchange | store, profile, stdout |
//! | 2 | oauth, store; protocol beside them | each other; protocol knows no oauth, store, profile, acquire |
//! | 1 | system; credential, token, context, endpoint, claims, io, line, proof_key, secret_source, signing_key | know OAuth (system) |
//! | 0 | error, secret, style, text, digest, encoding | anything of ours |
//!
//! What differs between operating systems is in `system/unix.rs` and `system/windows.rs`, and
//! nothing but `system/mod.rs` chooses between them; their keyrings are in `system/os_keyring/`, and what
//! holds a key for a while in `system/key_cache/`, each chosen by its `mod.rs`.
//!
//! (Within layer 0, `error` and `encoding` may use `text`; within layer 1, the types may use each other.)
//!
//! # Invariants
//!
//! 1. Only `protocol` and the answer of a command write stdout. Only `system/terminal.rs` talks to
//!    a person, or the program behind `serve`, if it says that it does.
//! 2. A fresh token is served without a lock, a thread, an HTTP client or a write. (A conversation
//!    that goes both ways, as with NuGet, has threads of its own.)
//! 3. A refresh token is never redeemed outside the session's lock; the lock spans: read again,
//!    decide, redeem, save.
//! 4. Before a refresh token is spent, the store has been proved writable. The new one is durable
//!    (temporary file, fsync, rename, fsync of the directory) before the access token leaves. A
//!    refresh whose answer was never read is repeated once with the same token; a token known to
//!    be replaced is never sent again. If saving fails all the same, it is tried again, and the
//!    access token is delivered in any case, with a loud warning.
//! 5. `invalid_grant`: read the store again; forget only the refresh token that was just refused.
//!    Trouble (408, 429, 5xx, timeouts, DNS, unreadable answers) never clears state, never asks a
//!    person; a token that is still valid is handed out instead, marked stale. What a failure leaves
//!    behind is a note that ends by itself, within a minute.
//! 6. A token leaves only for a target that a profile names in its `urls`, or, for `request`, as its
//!    `endpoint`: no pattern, no answer; an empty or strange host matches nothing.
//! 7. Secrets are of type [`secret::Secret`]: no `Display`, no `Serialize`, redacted `Debug`, wiped
//!    on drop; every way out is a visible `expose()`.
//! 8. Time, chance, environment, network, browser and terminal come through [`context::Context`].
//!    Nothing below this file ends the process, but for Ctrl-C where nothing is shielded, and for the
//!    real program that takes a stand-in's place, when all is written and every lock released. No
//!    unsafe code.
//! 9. Whatever a server sends and a person sees is stripped of control characters; bodies have
//!    size limits, but for what `request` hands on as it comes; redirects are not followed; https only, except loopback and what the platform
//!    that this machine is part of answers with beside it ([`endpoint::is_beside_this_machine`]):
//!    only `grant/managed_identity` asks for that.
//!
//! # How one adds …
//!
//! | what | new | one line in |
//! |---|---|---|
//! | a tool | `src/protocol/TOOL.rs` and its transcripts | `protocol::PROTOCOLS` |
//! | a tool's setup | `src/setup/TOOL.rs` | `setup::SETUPS` |
//! | a command | `src/command/NAME.rs` | `command::COMMANDS` |
//! | a grant | `src/grant/NAME.rs` | `grant::GRANTS` |
//! | an exchange | `src/exchange/NAME.rs`; its table, if it has one, in `profile::PROFILE_KEYS` | `exchange::EXCHANGES` |
//! | a way of sealing | `src/store/seal/NAME.rs` | `store::seal::SEALS` |
//! | a provider | `profiles/NAME.toml` | `profile::preset::PRESETS` |
//! | a check of `doctor` | `src/command/doctor/NAME.rs` | `command::doctor::CHECKS` |
//! | a program whose configuration is imported | `src/command/import/NAME.rs` | `command::import::file::FORMATS` |
//! | a decoder of bytes that somebody else wrote | its seeds, in `fuzz/seeds/NAME` | `DECODERS` of `fuzz/decoder.rs` |

pub mod acquire;
pub mod answer;
pub mod claims;
pub mod cli;
pub mod command;
pub mod context;
pub mod credential;
pub mod digest;
pub mod encoding;
pub mod endpoint;
pub mod error;
pub mod exchange;
pub mod grant;
pub mod io;
pub mod line;
pub mod oauth;
pub mod profile;
pub mod proof_key;
pub mod protocol;
pub mod secret;
pub mod secret_source;
pub mod setup;
pub mod signing_key;
pub mod store;
pub mod style;
pub mod system;
pub mod text;
pub mod token;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use answer::{Answerer, NoProfiles};
use cli::{Called, Color, ErrorFormat, Globals};
use command::Shell;
use context::{Context, Environment, Level, Nonces};
use credential::Request;
use error::{Error, ErrorKind};
use io::Io;
use profile::file::Location;
use protocol::argument::{self, Arguments};
use style::Style;
use system::background::SystemBackground;
use system::browser::SystemBrowser;
use system::clock::SystemClock;
use system::directories;
use system::documents::DocumentDirectory;
use system::http::Network;
use system::input::StandardInput;
use system::key_cache::SystemKeyCache;
use system::notice::Notices;
use system::os_keyring::SystemKeyring;
use system::random::SystemRandomness;
use system::terminal::{self, ControllingTerminal, TerminalOrStandardError};

/// How long may a command of a person take, but for the person?
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// What stands for `--error-format`.
const ERROR_FORMAT: &str = "CRED_HELPER_ERROR_FORMAT";

/// Runs one call: `arguments` with the program's name first. The binary is nothing but this.
pub fn run(arguments: Vec<OsString>, mut io: Io<'_>) -> ExitCode {
    let called = cli::parse(arguments);
    let (Called::Protocol(_, _, globals)
    | Called::Command(_, _, globals)
    | Called::Clap(_, globals)
    | Called::Mistake(_, globals)) = &called;
    let environment = io.environment;
    // Asked for only where something is wrong: a silent answer does not pay for it.
    let format = || error_format(globals, environment);
    match dispatch(&called, globals, &mut io, &format) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // A closed stderr changes nothing about the exit code.
            drop(
                io.stderr
                    .write_all(cli::render(&error, format()).as_bytes()),
            );
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn error_format(globals: &Globals, environment: &dyn Environment) -> ErrorFormat {
    let variable = || environment.variable(ERROR_FORMAT);
    if globals.json_errors || variable().as_deref() == Some("json") {
        return ErrorFormat::Json;
    }
    ErrorFormat::Text {
        style: style(globals, environment, &terminal::is_standard_error),
    }
}

/// How text is written to where `is_terminal` tells of.
fn style(
    globals: &Globals,
    environment: &dyn Environment,
    is_terminal: &dyn Fn() -> bool,
) -> Style {
    let is_colored = match globals.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => environment.variable("NO_COLOR").is_none() && is_terminal(),
    };
    Style { is_colored }
}

/// A program that waits for JSON must not be given text without a word of why.
fn check_error_format(environment: &dyn Environment) -> Result<(), Error> {
    match environment.variable(ERROR_FORMAT) {
        Some(format) if !["text", "json"].contains(&format.as_str()) => Err(Error::new(
            ErrorKind::Usage,
            format!("{ERROR_FORMAT} `{}` is unknown", text::printable(&format)),
        )
        .hint("use text or json")),
        _ => Ok(()),
    }
}

fn dispatch(
    called: &Called,
    globals: &Globals,
    io: &mut Io<'_>,
    format: &dyn Fn() -> ErrorFormat,
) -> Result<u8, Error> {
    let environment = io.environment;
    let clock = SystemClock::new();
    let (notices, mistake) = notices(called, globals, environment, &clock)?;
    let http = Network::default();
    let nonces = Nonces::default();
    let browser = SystemBrowser::new(environment);
    let is_colored = match globals.color {
        Color::Always => Some(true),
        Color::Never => Some(false),
        Color::Auto => None,
    };
    let controlling = ControllingTerminal::new(environment, is_colored);
    let anywhere = ControllingTerminal::new(environment, is_colored);
    let anywhere = TerminalOrStandardError(anywhere);
    let state = directories::state(environment)?;
    let documents = DocumentDirectory(state.join("documents"));
    let only = globals.config.clone().or_else(|| {
        let variable = environment.variable("CRED_HELPER_CONFIG");
        variable.map(PathBuf::from)
    });
    let location = Location::new(only, environment);
    let background = SystemBackground::new(environment, globals.config.clone());
    let keyring = SystemKeyring::new(environment, &clock);
    let unattended_keyring = SystemKeyring::unattended(environment, &clock);
    let context = Context {
        clock: &clock,
        environment,
        http: &http,
        terminal: &controlling,
        browser: &browser,
        random: &SystemRandomness,
        notice: &notices,
        documents: &documents,
        nonces: &nonces,
        tokens: &NoProfiles,
        input: &StandardInput,
        signals: io.signals,
        background: &background,
        keyring: &keyring,
        key_cache: &SystemKeyCache,
        deadline: None,
    };
    let answerer = Answerer {
        context,
        location: &location,
        state: &state,
        tool: None,
        time_limit: COMMAND_LIMIT,
        anywhere: &anywhere,
        unattended_keyring: &unattended_keyring,
    };
    match called {
        Called::Protocol(entry, arguments, _) => {
            let arguments = &with_profile(entry, arguments, environment);
            serve(entry, arguments, globals, io, (answerer, mistake))
        }
        Called::Command(entry, matches, _) => {
            command(entry, matches, globals, io, answerer)?;
            Ok(0)
        }
        Called::Clap(error, _) => explain(error, io, format()),
        Called::Mistake(error, _) => Err(error.clone()),
    }
}

/// Where notices go; and what is wrong with a variable of ours, where that must not stop the call.
fn notices<'c>(
    called: &Called,
    globals: &Globals,
    environment: &dyn Environment,
    clock: &'c SystemClock,
) -> Result<(Notices<'c>, Option<Error>), Error> {
    let log = environment.variable("CRED_HELPER_LOG");
    let entry = match called {
        Called::Protocol(entry, ..) => Some(entry),
        Called::Command(..) | Called::Clap(..) | Called::Mistake(..) => None,
    };
    let shown = globals.shown.unwrap_or(Level::Information);
    let shown = (!entry.is_some_and(|entry| entry.is_mute)).then_some(shown);
    let checked = match called {
        Called::Clap(..) | Called::Mistake(..) => Ok(()),
        Called::Protocol(..) | Called::Command(..) => check_error_format(environment),
    };
    match checked.and_then(|()| Notices::new(clock, shown, log.as_deref())) {
        Ok(notices) => Ok((notices, None)),
        // It must not stop a call that is another program's: whether this one is ours is not known before
        // a profile has answered.
        Err(error) if entry.is_some_and(|entry| entry.is_raw) => {
            Ok((Notices::new(clock, shown, None)?, Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// An error names commands that go on where this call stopped, with the same profiles.
fn with_config(globals: &Globals, error: Error) -> Error {
    match &globals.config {
        Some(path) => error.with_config(&path.display().to_string()),
        None => error,
    }
}

/// Answers a tool in its protocol; with the mistake, where there is one, in place of a token.
fn serve(
    entry: &protocol::Entry,
    arguments: &Arguments,
    globals: &Globals,
    io: &mut Io<'_>,
    (mut answerer, mistake): (Answerer<'_>, Option<Error>),
) -> Result<u8, Error> {
    answerer.tool = Some(entry.name);
    answerer.time_limit = entry.time_limit;
    let answer = |request: &Request, channel: Option<&dyn context::Terminal>| {
        let response = answerer.answer(request, channel);
        let response = response.map_err(|error| with_config(globals, error))?;
        mistake.clone().map_or(Ok(response), Err)
    };
    (entry.serve)(arguments, io, &answer)
}

/// Does what a person or a script wants.
fn command(
    entry: &command::Entry,
    matches: &clap::ArgMatches,
    globals: &Globals,
    io: &mut Io<'_>,
    mut answerer: Answerer<'_>,
) -> Result<(), Error> {
    // One that uses tokens is a tool to the profile's `tools`, and to the audit.
    answerer.tool = protocol::tools().find(|tool| *tool == entry.name);
    let answer = |request: &Request, channel: Option<&dyn context::Terminal>| {
        answerer.answer(request, channel)
    };
    let context = answerer.context;
    let environment = context.environment;
    let mut shell = Shell {
        io,
        context,
        unattended_keyring: answerer.unattended_keyring,
        location: answerer.location,
        answer: &answer,
        command_line: cli::command_line,
        screen: terminal::standard_output(environment),
        style: style(globals, environment, &terminal::is_standard_output),
    };
    let done = (entry.run)(matches, &mut shell);
    done.map_err(|error| with_config(globals, error))
}

/// The arguments of a tool's call. `CRED_HELPER_PROFILE` stands for `-p`, also where a tool makes a
/// difference between a profile that was named and one that was found.
fn with_profile(
    entry: &protocol::Entry,
    arguments: &Arguments,
    environment: &dyn Environment,
) -> Arguments {
    let long = argument::PROFILE.long;
    let mut arguments = arguments.clone();
    if !arguments.has(long)
        && entry.flags.contains(&argument::PROFILE)
        && let Some(name) = environment.variable("CRED_HELPER_PROFILE")
    {
        arguments.add(long, name);
    }
    arguments
}

/// Help and versions go to stdout; where no command is named, help goes to stderr.
fn explain(shown: &clap::Error, io: &mut Io<'_>, format: ErrorFormat) -> Result<u8, Error> {
    let text = shown.render().to_string();
    if !shown.use_stderr() {
        return io.answer(&text).map(|()| 0);
    }
    if format == ErrorFormat::Json {
        return Err(
            Error::new(ErrorKind::Usage, "no command is named").hint("see `cred-helper --help`")
        );
    }
    drop(io.stderr.write_all(text.as_bytes()));
    Ok(ErrorKind::Usage.exit_code())
}

//! From a request to a response: the profile, its session, and what is to be done with them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::acquire::{self, Call};
use crate::context::{Context, Keyring, Terminal, Tokens};
use crate::credential::{Action, Credential, Directory, Interactive, Request, Response, TokenKind};
use crate::error::{Error, ErrorKind};
use crate::grant::{Asks, GRANTS, Given, Grant};
use crate::oauth::{entra, id_token};
use crate::profile::file::{self, Location};
use crate::profile::narrow::narrow;
use crate::profile::route::Target;
use crate::profile::{Configuration, Patterns, Profile};
use crate::secret::Secret;
use crate::store::SessionStore;
use crate::store::audit::{self, Record};
use crate::system::process;
use crate::text::printable;
use crate::token::{OtherToken, Timestamp};

/// What every request of this process is answered with.
#[derive(Clone, Copy)]
pub struct Answerer<'a> {
    /// The effects; the terminal and the deadline are those of the request.
    pub context: Context<'a>,
    /// Where the profile files lie.
    pub location: &'a Location,
    /// Where sessions are kept.
    pub state: &'a Path,
    /// The tool that asks; `None` for a command of a person.
    pub tool: Option<&'a str>,
    /// How long one request may take.
    pub time_limit: Duration,
    /// The terminal for those who said that they are there.
    pub anywhere: &'a dyn Terminal,
    /// The keyring for those who may not be asked.
    pub unattended_keyring: &'a dyn Keyring,
}

impl Answerer<'_> {
    /// Answers a request.
    ///
    /// # Errors
    /// Any kind.
    pub fn answer(
        &self,
        request: &Request,
        channel: Option<&dyn Terminal>,
    ) -> Result<Response, Error> {
        self.answer_for(request, channel, &[])
    }

    /// The same for profiles that need each other's tokens: those of `chain` wait for this one.
    fn answer_for(
        &self,
        request: &Request,
        channel: Option<&dyn Terminal>,
        chain: &[&str],
    ) -> Result<Response, Error> {
        let sources = file::read(self.location)?;
        let name = request.profile.clone().or_else(|| self.variable());
        let name = name.as_deref();
        if request.action == Action::Status {
            return self
                .status(&Configuration::new(&sources)?, name)
                .map_err(|error| self.with_variable(error, name));
        }
        if let (None, Some(directory)) = (name, &request.directory) {
            let configuration = Configuration::new(&sources)?;
            let profile = configuration
                .resolve_resource(&request.scopes, directory)
                .map_err(|error| self.with_place(error, &configuration))?;
            // Its own name the same, and their token may be there.
            let request = Request {
                scopes: Vec::new(),
                ..request.clone()
            };
            return self.serve(&request, channel, chain, &configuration, &profile);
        }
        let url = request.url.as_deref();
        let patterns = Patterns::of(self.tool);
        let narrowed = match (name, url) {
            // Any profile may answer for a URL.
            (None, Some(_)) => None,
            (name, _) => narrow(&sources, name),
        };
        if let Some(narrowed) = &narrowed
            && let Ok(configuration) = Configuration::new(narrowed)
            && let Ok(profile) = configuration.resolve_by(patterns, name, url)
        {
            return self.serve(request, channel, chain, &configuration, &profile);
        }
        // What is wrong is told of everything that the files say.
        let configuration = Configuration::new(&sources)?;
        let profile = configuration
            .resolve_by(patterns, name, url)
            .map_err(|error| self.with_place(self.with_variable(error, name), &configuration))?;
        self.serve(request, channel, chain, &configuration, &profile)
    }

    /// Answers a request for this profile.
    fn serve(
        &self,
        request: &Request,
        channel: Option<&dyn Terminal>,
        chain: &[&str],
        configuration: &Configuration<'_>,
        profile: &Profile,
    ) -> Result<Response, Error> {
        if let Some(tool) = self.tool {
            configuration.allow(tool, profile)?;
        }
        let interactive = self.interactive(request)?;
        let is_sign_in = matches!(request.action, Action::Login | Action::Finish(_));
        let asks_anywhere = is_sign_in || interactive == Interactive::Always;
        let own = if asks_anywhere {
            self.anywhere
        } else {
            self.context.terminal
        };
        let store = self.store(configuration, profile);
        let other = other_grant(request, profile)?;
        let mut chain = chain.to_vec();
        chain.push(&profile.name);
        let deadline = self.context.clock.monotonic() + self.time_limit;
        let tokens = OtherProfiles {
            answerer: self,
            deadline,
            channel,
            interactive: for_others(&request.action, interactive),
            chain,
            known: RefCell::default(),
        };
        let context = Context {
            keyring: self.keyring(interactive),
            terminal: channel.unwrap_or(own),
            deadline: Some(deadline),
            tokens: &tokens,
            ..self.context
        };
        let grant = other.as_deref().unwrap_or(profile.grant.as_ref());
        let assertion = match request.action {
            Action::Get | Action::Login => acquire::assertion(profile, grant, request, &context)?,
            Action::Logout { .. }
            | Action::Begin
            | Action::Finish(_)
            | Action::TakeIn(_)
            | Action::HandOut(_)
            | Action::Status
            | Action::Erase(_) => None,
        };
        let store = match &assertion {
            Some(assertion) => store.of_assertion(assertion, context.clock.now()),
            None => store,
        };
        let call = Call {
            profile,
            store: &store,
            grant,
            request,
            assertion: assertion.as_ref(),
            interactive,
            background: configuration.background(),
            clipboard: configuration.clipboard(),
            context,
        };
        self.act(&call, configuration)
    }

    /// Does what is asked for.
    fn act(&self, call: &Call<'_>, configuration: &Configuration<'_>) -> Result<Response, Error> {
        let profile = || call.profile.name.clone();
        let token = |credential| Response::Token(Box::new(credential));
        let done = |accounts| Response::Done {
            profile: profile(),
            accounts,
        };
        match &call.request.action {
            Action::Get => self.get(call, configuration).map(token),
            Action::Login => acquire::login(call).map(token),
            Action::Logout { local } => acquire::logout(call, *local).map(done),
            Action::TakeIn(file) => acquire::take_in(call, file).map(done),
            Action::HandOut(file) => acquire::hand_out(call, file).map(done),
            Action::Erase(rejected) => {
                acquire::erase(call, rejected.as_ref()).map(|_| done(Vec::new()))
            }
            Action::Begin => acquire::begin(call).map(|url| Response::Begun {
                profile: profile(),
                url,
            }),
            Action::Finish(answer) => acquire::finish(call, answer).map(token),
            Action::Status => Err(Error::new(
                ErrorKind::Internal,
                "BUG: a status has no profile",
            )),
        }
    }

    /// A token, or what the tool gets in its place.
    fn get(&self, call: &Call<'_>, configuration: &Configuration<'_>) -> Result<Credential, Error> {
        let (request, profile) = (call.request, call.profile);
        self.check_takes_dpop(request, profile)?;
        let tenant = own_tenant(request, profile)?;
        let exchange = match self.tool {
            Some(tool) => profile.exchange_for(tool)?,
            None => None,
        };
        let credential = acquire::acquire(call, exchange)?;
        call.context.debug(|| origin(&credential));
        let credential = match (&request.directory, tenant) {
            (Some(directory), Some(tenant)) => in_tenant(credential, directory, tenant)?,
            _ => credential,
        };
        if configuration.audit() {
            self.write_down(request, &credential);
        }
        Ok(credential)
    }

    /// Writes down who is given this token, where that is a tool: a profile that needs the token of another
    /// one is none.
    fn write_down(&self, request: &Request, credential: &Credential) {
        let Some(tool) = self.tool else {
            return;
        };
        let target = request.url.as_deref().and_then(Target::parse);
        let (parent, parent_program) = process::parent().unzip();
        let record = Record {
            time: self.context.clock.now().rfc3339(),
            tool: tool.to_owned(),
            profile: credential.profile.clone(),
            account: credential.account.clone(),
            target: target.map(|target| target.origin()),
            source: credential.source.to_owned(),
            expires_at: credential.expires_at.map(Timestamp::rfc3339),
            fingerprint: audit::fingerprint(&credential.access_token),
            process: std::process::id(),
            parent,
            parent_program: parent_program.flatten(),
        };
        if let Err(error) = audit::append(self.state, &record) {
            self.context
                .warn(&format!("this answer is missing in the audit: {error}"));
        }
    }

    /// A token that is bound to a key is of no use to whoever sends it alone: it would be refused
    /// where it goes, and nobody would know why.
    fn check_takes_dpop(&self, request: &Request, profile: &Profile) -> Result<(), Error> {
        let token = request.token.unwrap_or(profile.token);
        if !profile.client.dpop || request.takes_dpop || token == TokenKind::Id {
            return Ok(());
        }
        let who = match self.tool {
            Some("get") => "this output of `get` has no room for",
            Some(_) => "this tool cannot send",
            None => "another profile cannot use",
        };
        let message = format!(
            "the tokens of profile `{}` are bound to a key (`dpop = true`), and go with a proof for \
             each request, which {who}",
            profile.name
        );
        let hint = match self.tool {
            Some("get") => "use `-o json` or `-o headers`, with `--url` and `--method`",
            Some(_) | None => {
                "name a profile without `dpop` for it; what knows DPoP asks `cred-helper get -o json \
                 --url URL`, or `cred-helper serve`"
            }
        };
        Err(Error::new(ErrorKind::Config, message).hint(hint))
    }

    fn store(&self, configuration: &Configuration<'_>, profile: &Profile) -> SessionStore {
        profile.store(self.state, configuration)
    }

    /// The keyring, which asks somebody to unlock it where they may be asked.
    fn keyring(&self, interactive: Interactive) -> &dyn Keyring {
        match interactive {
            Interactive::Never => self.unattended_keyring,
            Interactive::Auto if self.context.environment.is_ci() => self.unattended_keyring,
            Interactive::Auto | Interactive::Always => self.context.keyring,
        }
    }

    fn status(
        &self,
        configuration: &Configuration<'_>,
        name: Option<&str>,
    ) -> Result<Response, Error> {
        let names: Vec<&str> = match name {
            Some(name) => vec![name],
            None => configuration.profiles().map(|(name, _)| name).collect(),
        };
        let mut rows = Vec::new();
        let uses = self.uses(configuration);
        let keys = Arc::default();
        // Shells and editors ask for it: nobody is asked to unlock anything.
        let context = Context {
            keyring: self.unattended_keyring,
            ..self.context
        };
        for profile in names {
            // With one name a mistake is an error; among all it must not hide the others.
            match configuration.profile(profile) {
                Ok(profile) => {
                    let store = self.store(configuration, &profile).with_keys(&keys);
                    let (mut row, read) = acquire::status(&profile, &store, &context);
                    row.note_uses(&uses);
                    rows.push(row);
                    if name.is_some() {
                        read?;
                    }
                }
                Err(error) if name.is_some() => return Err(error),
                Err(error) => self.context.warn(&error.to_string()),
            }
        }
        serde_json::to_value(rows)
            .map(|rows| Response::Status(serde_json::json!({ "profiles": rows })))
            .map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    "BUG: a status cannot be written as JSON",
                )
                .because(error)
            })
    }

    /// What the audit knows, where it is switched on.
    fn uses(&self, configuration: &Configuration<'_>) -> Vec<Record> {
        if !configuration.audit() {
            return Vec::new();
        }
        let read = audit::read(self.state);
        let (records, _) = read.unwrap_or_else(|error| {
            self.context
                .warn(&format!("nobody can tell who was last used: {error}"));
            (Vec::new(), 0)
        });
        records
    }

    fn variable(&self) -> Option<String> {
        self.context.environment.variable("CRED_HELPER_PROFILE")
    }

    /// Nobody sees a variable in the command that failed.
    fn with_variable(&self, error: Error, name: Option<&str>) -> Error {
        let is_named = name.is_some() && self.variable().as_deref() == name;
        if error.kind() == ErrorKind::NoProfile && is_named {
            error.because("`CRED_HELPER_PROFILE` names it")
        } else {
            error
        }
    }

    /// Where nothing is configured yet, the error names the file to write.
    fn with_place(&self, error: Error, configuration: &Configuration<'_>) -> Error {
        let is_empty = configuration.profiles().next().is_none();
        match self.location.first_profile_hint() {
            Some(hint) if is_empty && error.kind() == ErrorKind::NoProfile => error.hint(hint),
            _ => error,
        }
    }

    /// The strictest of what the request and the environment say: `never` anywhere is never.
    fn interactive(&self, request: &Request) -> Result<Interactive, Error> {
        let variable = self.context.environment.variable("CRED_HELPER_INTERACTIVE");
        let Some(text) = variable else {
            return Ok(request.interactive.unwrap_or_default());
        };
        let set = Interactive::parse(&text).ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("CRED_HELPER_INTERACTIVE `{}` is unknown", printable(&text)),
            )
            .hint("use auto, never or always")
        })?;
        Ok(permitted(request.interactive, set))
    }
}

/// The tokens of profiles that another one names as a source.
struct OtherProfiles<'a> {
    answerer: &'a Answerer<'a>,
    /// When this call has to be answered.
    deadline: Duration,
    channel: Option<&'a dyn Terminal>,
    interactive: Interactive,
    /// The profiles that wait for each other; the last one asks.
    chain: Vec<&'a str>,
    /// What came of each; a failure as well, so that nothing is asked again under a lock.
    known: RefCell<BTreeMap<OtherToken, Result<Credential, Error>>>,
}

impl Tokens for OtherProfiles<'_> {
    fn token_of(&self, wanted: &OtherToken) -> Result<Secret, Error> {
        let now = self.answerer.context.clock.now();
        // A person may have taken longer than a token lives that was asked for at the beginning.
        let is_over = |token: &Credential| token.expires_at.is_some_and(|end| end <= now);
        let known = self.known.borrow().get(wanted).cloned();
        if let Some(known) = known.filter(|known| !known.as_ref().is_ok_and(is_over)) {
            return known.map(|token| token.access_token);
        }
        let came = self.ask(wanted).map_err(|error| {
            // A profile is for the request: that it names another that is not there is a mistake in it, and
            // no reason to ask somebody else.
            let error = if error.kind() == ErrorKind::NoProfile {
                error.with_kind(ErrorKind::Config)
            } else {
                error
            };
            match self.chain.last() {
                Some(own) => error.because(format!("profile `{}` needs its token", printable(own))),
                None => error,
            }
        });
        let mut known = self.known.borrow_mut();
        known.insert(wanted.clone(), came.clone());
        came.map(|token| token.access_token)
    }

    fn secret_variables(&self) -> Result<Vec<String>, Error> {
        let sources = file::read(self.answerer.location)?;
        let own = self.chain.last().copied().unwrap_or_default();
        let variables = Configuration::secret_variables(&sources, own);
        Ok(variables.into_iter().collect())
    }
}

impl OtherProfiles<'_> {
    fn ask(&self, wanted: &OtherToken) -> Result<Credential, Error> {
        let profile = wanted.profile.as_str();
        if self.chain.contains(&profile) {
            let circle: Vec<String> = self
                .chain
                .iter()
                .chain([&profile])
                .map(|name| format!("`{}`", printable(name)))
                .collect();
            let message = format!(
                "profiles need each other's tokens in a circle: {}",
                circle.join(" needs ")
            );
            return Err(
                Error::new(ErrorKind::Config, message).hint("one of them must sign in by itself")
            );
        }
        let request = Request {
            profile: Some(profile.to_owned()),
            token: wanted.kind,
            interactive: Some(self.interactive),
            ..Request::new(Action::Get)
        };
        let now = self.answerer.context.clock.monotonic();
        let left = self.deadline.saturating_sub(now);
        // No tool gets this token: whether one may is asked of the profile that needs it.
        let answerer = Answerer {
            tool: None,
            // Where a person took all of it for another one, this one has time all the same.
            time_limit: if left.is_zero() {
                Context::REQUEST_LIMIT
            } else {
                left
            },
            ..*self.answerer
        };
        let response = answerer.answer_for(&request, self.channel, &self.chain)?;
        let Response::Token(credential) = response else {
            return Err(Error::new(
                ErrorKind::Internal,
                "BUG: a token was asked for",
            ));
        };
        Ok(*credential)
    }
}

/// Where there are no other profiles: before one was found.
pub struct NoProfiles;

impl Tokens for NoProfiles {
    fn token_of(&self, _wanted: &OtherToken) -> Result<Secret, Error> {
        Err(Error::new(
            ErrorKind::Internal,
            "BUG: a token of another profile outside a call",
        ))
    }

    fn secret_variables(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

/// Where a token came from, and when it ends.
fn origin(credential: &Credential) -> String {
    let end = credential.expires_at.map(Timestamp::rfc3339);
    let end = end.map_or_else(String::new, |end| format!(", valid until {end}"));
    let (profile, source) = (&credential.profile, credential.source);
    format!("profile `{profile}`: the token comes from `{source}`{end}")
}

/// The tenant of Entra that the profile's authority names, where the token has to be Entra's.
fn own_tenant(request: &Request, profile: &Profile) -> Result<Option<String>, Error> {
    if request.directory.is_none() {
        return Ok(None);
    }
    let tenant = entra::tenant(&profile.client.authority).ok_or_else(|| {
        let message = format!(
            "the profile `{}` is none of Microsoft Entra",
            printable(&profile.name)
        );
        Error::new(ErrorKind::NoProfile, message).because(format!(
            "its authority is `{}`",
            printable(profile.authority())
        ))
    })?;
    Ok(Some(tenant))
}

/// The token with the tenant that it is of, where that is known; `own` is what its profile's authority
/// names.
///
/// # Errors
/// `no_profile`, if it is not known to be of the tenant that is asked for.
fn in_tenant(
    credential: Credential,
    directory: &Directory,
    own: String,
) -> Result<Credential, Error> {
    let id_token = credential.id_token.as_ref();
    let told = id_token.and_then(|token| id_token::tenant(token.expose()));
    let is_it = |tenant: &str, asked: &str| tenant.eq_ignore_ascii_case(asked);
    let tenant = match &directory.tenant {
        Some(asked) if is_it(&own, asked) => asked.clone(),
        Some(asked) if told.as_deref().is_some_and(|told| is_it(told, asked)) => asked.clone(),
        Some(asked) => {
            let (name, asked) = (printable(&credential.profile), printable(asked));
            let told = told.map_or_else(
                || "its authority did not tell of which tenant it is".to_owned(),
                |told| format!("it is of the tenant `{}`", printable(&told)),
            );
            let message = format!("the token of profile `{name}` is not of the tenant `{asked}`");
            return Err(Error::new(ErrorKind::NoProfile, message)
                .because(told)
                .hint(format!(
                    "for `{asked}`, write a profile that names it in its `authority`"
                )));
        }
        None => told.unwrap_or(own),
    };
    Ok(Credential {
        tenant: Some(tenant).filter(|tenant| !entra::is_any_tenant(tenant)),
        ..credential
    })
}

/// A grant that needs no keys, instead of the profile's, with those `keys` of the latter that it knows.
fn grant(name: &str, keys: &toml::Table) -> Result<Box<dyn Grant>, Error> {
    let bug =
        |reason: String| Error::new(ErrorKind::Internal, "BUG: a grant needs keys").because(reason);
    let entry = GRANTS.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| bug(name.to_owned()))?;
    let mut given = Given {
        plain: keys.clone(),
        ..Given::default()
    };
    let known = |key: &str| entry.keys.contains(&key);
    given.plain.retain(|key, _| known(key));
    (entry.parse)(given).map_err(bug)
}

/// The grant that a request names in place of the profile's, which has its own keys.
fn other_grant(request: &Request, profile: &Profile) -> Result<Option<Box<dyn Grant>>, Error> {
    let other = request.grant.filter(|name| *name != profile.grant_name);
    let other = other.map(|name| grant(name, &profile.grant_table));
    let other = other.transpose()?;
    if other.is_some() && profile.grant.asks() != Asks::Person {
        let message = format!(
            "profile `{}` signs in by `{}`, and by nothing else",
            profile.name, profile.grant_name
        );
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(other)
}

/// Whether somebody may be asked for the tokens of other profiles: nobody has to sign in for whoever
/// signs out.
fn for_others(action: &Action, interactive: Interactive) -> Interactive {
    match action {
        Action::Logout { .. } | Action::TakeIn(_) => Interactive::Never,
        Action::Get
        | Action::Login
        | Action::Begin
        | Action::Finish(_)
        | Action::HandOut(_)
        | Action::Status
        | Action::Erase(_) => interactive,
    }
}

/// What a request may do where the environment says `set`: a person is asked only if both permit
/// it.
fn permitted(asked: Option<Interactive>, set: Interactive) -> Interactive {
    match (asked, set) {
        (Some(Interactive::Never), _) | (_, Interactive::Never) => Interactive::Never,
        (Some(asked), _) => asked,
        (None, set) => set,
    }
}

#[cfg(test)]
mod tests {
    use super::permitted;
    use crate::credential::Interactive::{Always, Auto, Never};

    #[test]
    fn a_person_is_asked_only_if_the_request_and_the_environment_permit_it() {
        for (asked, set, expected) in [
            (None, Auto, Auto),
            (None, Never, Never),
            (None, Always, Always),
            (Some(Auto), Never, Never),
            (Some(Always), Never, Never),
            (Some(Never), Always, Never),
            (Some(Auto), Always, Auto),
            (Some(Always), Auto, Always),
        ] {
            assert_eq!(permitted(asked, set), expected, "{asked:?} {set:?}");
        }
    }
}

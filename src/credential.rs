//! What a tool asks for and what it is given, in no tool's own words.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;
use crate::token::Timestamp;
pub use crate::token::TokenKind;

/// Whether a person may be asked during a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interactive {
    /// If there is a controlling terminal, and `CI` is not set.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Also without a terminal and under `CI`: what is to be shown goes to stderr, or to the
    /// program that asked.
    Always,
}

impl Interactive {
    /// The names on the command line, in the environment and in the JSON protocol.
    pub const NAMES: [&str; 3] = ["auto", "never", "always"];

    /// Reads one of [`Self::NAMES`].
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "never" => Some(Self::Never),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// What the caller wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A token.
    Get,
    /// A sign-in, whatever is cached.
    Login,
    /// To forget the sign-in, and to revoke it where the authority can, unless `local`.
    Logout {
        /// Whether to leave the authority alone.
        local: bool,
    },
    /// The first step of a sign-in in two calls: to be told where a person signs in.
    Begin,
    /// The second step: what their browser ended on, as they copied it.
    Finish(Secret),
    /// To take in who is signed in in a cache of MSAL, beside those who are here.
    TakeIn(PathBuf),
    /// To put who is signed in into a cache of MSAL, too.
    HandOut(PathBuf),
    /// What is kept of every profile, or of the one that is named.
    Status,
    /// To forget an access token, but not the sign-in: the one that the tool saw rejected; `None`
    /// for all of the profile's session, where the tool cannot tell.
    Erase(Option<Secret>),
}

/// What Azure's tools say of a token that they want, beside its scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// The tenant that the token has to be of, by its id or one of its domains.
    pub tenant: Option<String>,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// The profile by name; otherwise it follows from the URL or from the configuration.
    pub profile: Option<String>,
    /// Where the token is to go.
    pub url: Option<String>,
    /// Scopes instead of the profile's; empty means the profile's.
    pub scopes: Vec<String>,
    /// That the token has to be of Microsoft Entra. Where no profile is named, the one whose own scopes
    /// name the same resource as [`Self::scopes`] answers, with its own.
    pub directory: Option<Directory>,
    /// Which account of several.
    pub account: Option<String>,
    /// How long the answer must be valid.
    pub min_valid: Option<Duration>,
    /// Never answer with what is cached now.
    pub force_refresh: bool,
    /// Whether the tool saw its token rejected: one that has just been made is the answer all the same,
    /// since another one would be rejected too.
    pub was_rejected: bool,
    /// Whether a token inside its refresh window is refreshed before the answer, whatever the
    /// configuration says.
    pub refreshes_first: bool,
    /// A claims request or challenge, as JSON text (OpenID Connect Core §5.5).
    pub claims: Option<String>,
    /// Whether a person may be asked; `None` leaves it to the environment.
    pub interactive: Option<Interactive>,
    /// The grant to sign in with, instead of the profile's.
    pub grant: Option<&'static str>,
    /// Which token; `None` is the one that the profile says.
    pub token: Option<TokenKind>,
    /// The token of whoever called the caller, for a profile that acts on their behalf.
    pub assertion: Option<Secret>,
    /// Whether stdin is the caller's to hand that over: no protocol is spoken there.
    pub hands_over_stdin: bool,
    /// Whether the caller can use a token that is bound to a key; others know bearer tokens alone.
    pub takes_dpop: bool,
    /// The method of the request to [`Self::url`], which a proof is for; `None` is `GET`.
    pub method: Option<String>,
    /// The nonce that the server of [`Self::url`] wants in the proof (RFC 9449 §9).
    pub dpop_nonce: Option<String>,
}

impl Request {
    /// A request for `action` that leaves everything else to the profile.
    pub fn new(action: Action) -> Self {
        Self {
            action,
            profile: None,
            url: None,
            scopes: Vec::new(),
            directory: None,
            account: None,
            min_valid: None,
            force_refresh: false,
            was_rejected: false,
            refreshes_first: false,
            claims: None,
            interactive: None,
            grant: None,
            token: None,
            assertion: None,
            hands_over_stdin: false,
            takes_dpop: false,
            method: None,
            dpop_nonce: None,
        }
    }
}

/// A token for a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The profile that answered.
    pub profile: String,
    /// The sign-in name, else the subject, where the authority told one.
    pub account: Option<String>,
    /// `Bearer`, as the authority wrote it.
    pub token_type: String,
    /// The token that was asked for: the access token, unless the ID token takes its place, or
    /// what it was exchanged for.
    pub access_token: Secret,
    /// The last ID token of the sign-in, where there is one; it may be over.
    pub id_token: Option<Secret>,
    /// When the token ends; `None` where the authority does not say.
    pub expires_at: Option<Timestamp>,
    /// Whole seconds until then, counted when the answer was made.
    pub expires_in: Option<i64>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// The tenant of Microsoft Entra that it is of, as far as that is known; told only where
    /// [`Request::directory`] asks.
    pub tenant: Option<String>,
    /// `cache`, `refresh`, or the name of the grant.
    pub source: &'static str,
    /// Whether it should have been refreshed, and could not be.
    pub stale: bool,
    /// Where a URL names a host: the host of the request, else of the profile's first pattern.
    pub host: Option<String>,
    /// The user name that Basic credentials need, where the profile or its preset says one.
    pub username: Option<String>,
    /// Whether git's host takes the token as the password of Basic credentials alone.
    pub basic_only: bool,
    /// The key that the token is bound to. It never leaves: no answer has it.
    pub proof_key: Option<Secret>,
    /// The proof for the one request that was asked for, where the token is bound to a key.
    pub dpop_proof: Option<Secret>,
}

impl Credential {
    /// When whoever keeps the token until its end is to come for another one: a little before that,
    /// since some use a token to its last second, and a request takes its time.
    pub fn told_end(&self) -> Option<Timestamp> {
        /// How much before, in seconds?
        const MARGIN: i64 = 60;
        // One that ends soon must not be told as over already: they would come at each request.
        let left = self.expires_in.unwrap_or_default();
        self.expires_at.map(|end| end.plus(-MARGIN.min(left / 4)))
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// A token.
    Token(Box<Credential>),
    /// It is done, and there is nothing to hand out.
    Done {
        /// The profile it was done for.
        profile: String,
        /// The accounts it was done for; null for one that the authority did not name.
        accounts: Vec<Option<String>>,
    },
    /// A sign-in was begun: the page where a person signs in.
    Begun {
        /// The profile that somebody signs in for.
        profile: String,
        /// Its URL.
        url: String,
    },
    /// What is kept, as JSON with names in order.
    Status(serde_json::Value),
}

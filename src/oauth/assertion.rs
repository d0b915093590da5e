//! The JWT that a client signs to prove who it is: `private_key_jwt`
//! ([RFC 7523 §2.2, §3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).

use serde_json::{Map, Value};

use crate::context::Context;
use crate::digest::sha256;
use crate::encoding::{to_base64, to_base64url};
use crate::error::{Error, ErrorKind};
use crate::oauth::client::{Authority, Client, EndpointName};
use crate::oauth::metadata::{Server, TENANT_TEMPLATE};
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::signing_key::{Algorithm, Certificate, KeyFile, Problem, SigningKey};
use crate::text::printable;

/// How long is an assertion good? Entra advises five to ten minutes; each request has its own.
const LIFE_SECONDS: i64 = 300;

/// A key, and how the authority knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// Where the key comes from.
    pub source: SecretSource,
    /// Where the passphrase comes from, if it is encrypted.
    pub passphrase: Option<SecretSource>,
    /// How the authority knows the key.
    pub known_by: KnownBy,
    /// For whom the assertion is.
    pub audience: Audience,
}

/// How an authority knows a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// By its certificate, which lies beside it.
    Certificate {
        /// Whether the assertion brings the certificate along (`x5c`), for authorities that trust
        /// whoever issued it.
        is_sent: bool,
    },
    /// By itself: `kid`, where there are several.
    KeyId(Option<String>),
}

/// Whom `aud` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// What the authority is known to want: Microsoft's their token endpoint, others their issuer
    /// (draft-ietf-oauth-rfc7523bis: an assertion for a URL that another server has named could be
    /// used there).
    #[default]
    Usual,
    /// The issuer.
    Issuer,
    /// The token endpoint.
    TokenEndpoint,
}

impl Audience {
    /// The names in a profile.
    pub const NAMES: [&str; 2] = ["issuer", "token_endpoint"];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "issuer" => Some(Self::Issuer),
            "token_endpoint" => Some(Self::TokenEndpoint),
            _ => None,
        }
    }

    /// The name, unless it is the usual one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Usual => None,
            Self::Issuer => Some("issuer"),
            Self::TokenEndpoint => Some("token_endpoint"),
        }
    }

    fn url(self, client: &Client, server: &Server) -> Result<String, Error> {
        match (self, &client.authority) {
            (Self::Usual | Self::Issuer, Authority::Issuer(issuer)) => {
                let told = server.issuer.as_deref();
                let told = told.filter(|told| !told.contains(TENANT_TEMPLATE));
                Ok(told.unwrap_or(issuer.as_str()).to_owned())
            }
            (Self::Issuer, _) => server.issuer.clone().ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "the assertion cannot be for the issuer: its name is not known",
                )
                .hint("leave out `client_assertion_audience`")
            }),
            (Self::Usual | Self::TokenEndpoint, _) => {
                Ok(server.endpoint(EndpointName::Token)?.to_string())
            }
        }
    }
}

impl ClientKey {
    /// The key of a profile that names it.
    pub const fn key(&self) -> &'static str {
        match self.known_by {
            KnownBy::Certificate { .. } => "client_certificate",
            KnownBy::KeyId(_) => "client_private_key",
        }
    }

    /// The same for several requests: a command or a variable is asked once.
    ///
    /// # Errors
    /// `config` if its source gives nothing.
    pub fn at_hand(&self, context: &Context<'_>) -> Result<Self, Error> {
        let passphrase = self.passphrase.as_ref();
        let passphrase = passphrase.map(|source| source.at_hand("client_passphrase", context));
        let source = match &self.source {
            // It can be what no text holds, and costs little to read.
            source @ SecretSource::File(_) => source.clone(),
            source @ (SecretSource::Literal(_)
            | SecretSource::Environment(_)
            | SecretSource::Command(_)
            | SecretSource::Keyring(_)
            | SecretSource::Profile(_)
            | SecretSource::StandardInput
            | SecretSource::AtHand(..)) => {
                let bytes = source.resolve_bytes(self.key(), context)?;
                let text = String::from_utf8_lossy(&bytes);
                SecretSource::AtHand(Box::new(source.clone()), Secret::new(text))
            }
        };
        Ok(Self {
            source,
            passphrase: passphrase.transpose()?,
            ..self.clone()
        })
    }

    /// A new assertion of `client`.
    ///
    /// # Errors
    /// `config` if the key cannot be had, or cannot sign as the authority wants it.
    pub fn sign(
        &self,
        client: &Client,
        server: &Server,
        context: &Context<'_>,
    ) -> Result<Secret, Error> {
        let (key, certificates) = self.read(context)?;
        let algorithm = self
            .algorithm(key.algorithms(), client, server)
            .map_err(|message| self.failed(&message))?;
        let now = context.clock.now();
        if let Some(own) = certificates.first()
            && own.ends_at() < now
        {
            let ended = own.ends_at().rfc3339();
            return Err(self
                .failed(&format!("the certificate ended at {ended}"))
                .hint("put the new one, and its key, in its place; if it is not that old, check this machine's clock"));
        }
        let uses_sha1 = matches!(client.authority, Authority::Adfs(_));
        let header = self.header(algorithm, &certificates, uses_sha1);
        let claims: Map<String, Value> = [
            ("aud", self.audience.url(client, server)?.into()),
            ("iss", client.client_id.clone().into()),
            ("sub", client.client_id.clone().into()),
            ("jti", to_base64url(&context.random.bytes()?).into()),
            ("iat", now.0.into()),
            ("nbf", now.0.into()),
            ("exp", now.plus(LIFE_SECONDS).0.into()),
        ]
        .map(|(name, value): (&str, Value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        sign(&key, algorithm, &header, &claims)
    }

    /// How the key signs: as the authority is known to want it, else as its metadata list it, else as
    /// every server knows it. The error is what is wrong.
    fn algorithm(
        &self,
        of_key: &[Algorithm],
        client: &Client,
        server: &Server,
    ) -> Result<Algorithm, String> {
        let names = |algorithms: &[Algorithm]| {
            let names: Vec<&str> = algorithms.iter().map(|one| one.name()).collect();
            names.join(", ")
        };
        let preferred = match (&client.authority, &self.known_by) {
            (Authority::Adfs(_), _) => &[Algorithm::Rs256][..],
            (Authority::Entra(_), _) => &[Algorithm::Ps256],
            (_, KnownBy::Certificate { .. }) => {
                use Algorithm::{Es256, Es384, Ps256, Rs256};
                &[Ps256, Rs256, Es256, Es384]
            }
            (_, KnownBy::KeyId(_)) => of_key,
        };
        let mut can = preferred.iter().filter(|one| of_key.contains(one));
        let listed = server.token_endpoint_auth_signing_algs.as_deref();
        let is_listed = |one: &Algorithm| {
            listed.is_none_or(|listed| listed.iter().any(|name| name == one.name()))
        };
        can.find(|one| is_listed(one)).copied().ok_or_else(|| {
            let wanted =
                listed.map_or_else(|| names(preferred), |listed| printable(&listed.join(", ")));
            format!(
                "its key signs by {}, and the authority takes {wanted}",
                names(of_key)
            )
        })
    }

    fn header(
        &self,
        algorithm: Algorithm,
        certificates: &[Certificate],
        uses_sha1: bool,
    ) -> Map<String, Value> {
        let mut header = Map::new();
        header.insert("alg".to_owned(), algorithm.name().into());
        header.insert("typ".to_owned(), "JWT".into());
        match (&self.known_by, certificates.first()) {
            (KnownBy::KeyId(Some(key_id)), _) => {
                header.insert("kid".to_owned(), key_id.clone().into());
            }
            (KnownBy::Certificate { is_sent }, Some(own)) => {
                let (name, hash) = if uses_sha1 {
                    ("x5t", own.sha1())
                } else {
                    ("x5t#S256", sha256(own.der()))
                };
                header.insert(name.to_owned(), to_base64url(&hash).into());
                if *is_sent {
                    let chain = certificates.iter().map(|one| to_base64(one.der()));
                    header.insert("x5c".to_owned(), chain.collect::<Vec<_>>().into());
                }
            }
            (KnownBy::KeyId(None), _) | (KnownBy::Certificate { .. }, None) => {}
        }
        header
    }

    /// The key, with the certificates that it is known by.
    fn read(&self, context: &Context<'_>) -> Result<(SigningKey, Vec<Certificate>), Error> {
        let bytes = self.source.resolve_bytes(self.key(), context)?;
        let passphrase = self.passphrase.as_ref();
        let passphrase = passphrase.map(|source| source.resolve("client_passphrase", context));
        let passphrase = passphrase.transpose()?;
        let passphrase = passphrase.as_ref().map(Secret::expose);
        let file = KeyFile::read(&bytes, passphrase);
        let read = file.and_then(|file| match self.known_by {
            KnownBy::Certificate { .. } => file.into_chain(),
            KnownBy::KeyId(_) => Ok((file.into_key(), Vec::new())),
        });
        read.map_err(|Problem { reason, hint }| self.failed(&reason).hint(hint))
    }

    fn failed(&self, reason: &str) -> Error {
        let (key, place) = (self.key(), self.source.place());
        Error::new(
            ErrorKind::Config,
            format!("`{key}`, {place}, cannot be used: {reason}"),
        )
    }
}

/// Signs a JWT (RFC 7515 §3.1, RFC 7519 §7.1).
fn sign(
    key: &SigningKey,
    algorithm: Algorithm,
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<Secret, Error> {
    let part = |members: &Map<String, Value>| {
        let text = Value::from(members.clone()).to_string();
        to_base64url(text.as_bytes())
    };
    let message = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(algorithm, message.as_bytes())?;
    Ok(Secret::new(format!(
        "{message}.{}",
        to_base64url(&signature)
    )))
}

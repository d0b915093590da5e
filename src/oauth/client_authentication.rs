//! How a client proves who it is at an authority's endpoints
//! ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded::byte_serialize;

use crate::context::Context;
use crate::error::Error;
use crate::oauth::assertion::{ClientKey, KnownBy};
use crate::oauth::client::Client;
use crate::oauth::federation::AssertionSource;
use crate::oauth::metadata::Server;
use crate::oauth::request::Form;
use crate::secret::Secret;
use crate::secret_source::SecretSource;
use crate::token::OtherToken;

/// `token_endpoint_auth_method` of RFC 7591, those that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A public client: `client_id` in the body.
    None,
    /// `Authorization: Basic`.
    ClientSecretBasic,
    /// `client_secret` in the body.
    ClientSecretPost,
    /// An assertion in the body, signed by the client or by somebody that the authority trusts.
    PrivateKeyJwt,
    /// A certificate of an authority that the server trusts (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate that the server knows (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
}

/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Method {
    /// Every method.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        }
    }

    /// Whether the certificate of the connection proves who the client is.
    pub const fn is_mutual_tls(self) -> bool {
        match self {
            Self::TlsClientAuth | Self::SelfSignedTlsClientAuth => true,
            Self::None | Self::ClientSecretBasic | Self::ClientSecretPost | Self::PrivateKeyJwt => {
                false
            }
        }
    }
}

/// What a client proves with who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// `client_secret`.
    Secret(SecretSource),
    /// `client_certificate` or `client_private_key`: the client signs assertions.
    Key(ClientKey),
    /// `client_assertion`: somebody else signs them.
    Assertion(AssertionSource),
}

/// How the two parts of Basic credentials are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasicEncoding {
    /// Form-encoded first, as RFC 6749 §2.3.1 wants it.
    #[default]
    Form,
    /// As they are, for servers that decode nothing.
    Raw,
}

/// What the profile says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAuthentication {
    /// What it proves it with; without anything the client is public.
    pub proof: Option<Proof>,
    /// `client_auth_method`; otherwise it follows from the metadata.
    pub method: Option<Method>,
    /// `client_basic_encoding`.
    pub basic_encoding: BasicEncoding,
    /// Whether the device authorization endpoint takes the `client_id` alone, as Google's.
    pub open_device_authorization: bool,
}

impl ClientAuthentication {
    /// The keys of the profile whose secret is written into it.
    pub fn literals(&self) -> Vec<&'static str> {
        // Who writes a key or an assertion into it is refused.
        let mut literal = self.sources();
        literal.retain(|(_, source)| matches!(source, SecretSource::Literal(_)));
        literal.into_iter().map(|(key, _)| key).collect()
    }

    /// The keys of the profile that name a source of something secret, and the source.
    pub fn sources(&self) -> Vec<(&'static str, &SecretSource)> {
        match &self.proof {
            Some(Proof::Secret(source)) => vec![("client_secret", source)],
            Some(Proof::Assertion(AssertionSource::Source(source))) => {
                vec![("client_assertion", source)]
            }
            Some(Proof::Key(key)) => {
                let own = match key.known_by {
                    KnownBy::Certificate { .. } => "client_certificate",
                    KnownBy::KeyId(_) => "client_private_key",
                };
                let passphrase = key.passphrase.iter();
                let passphrase = passphrase.map(|source| ("client_passphrase", source));
                [(own, &key.source)].into_iter().chain(passphrase).collect()
            }
            Some(Proof::Assertion(_)) | None => Vec::new(),
        }
    }

    /// Whether the client has nothing to prove who it is with.
    pub fn is_public(&self) -> bool {
        self.proof.is_none() && !self.method.is_some_and(Method::is_mutual_tls)
    }

    /// The tokens of other profiles that it needs.
    pub fn others(&self) -> impl Iterator<Item = &OtherToken> {
        let source = match &self.proof {
            Some(Proof::Secret(source) | Proof::Assertion(AssertionSource::Source(source))) => {
                Some(source)
            }
            Some(Proof::Key(_) | Proof::Assertion(_)) | None => None,
        };
        source.into_iter().filter_map(SecretSource::other)
    }

    /// The same for several requests: a source is asked once, unless what it gives has to be new for
    /// each.
    ///
    /// # Errors
    /// `config` if a source gives nothing.
    pub fn at_hand(&self, context: &Context<'_>) -> Result<Self, Error> {
        let proof = match &self.proof {
            Some(Proof::Secret(source)) => {
                Some(Proof::Secret(source.at_hand("client_secret", context)?))
            }
            Some(Proof::Key(key)) => Some(Proof::Key(key.at_hand(context)?)),
            Some(Proof::Assertion(_)) | None => self.proof.clone(),
        };
        Ok(Self {
            proof,
            ..self.clone()
        })
    }

    /// The method of a secret for `server`: as configured, else as the metadata list it, Basic first,
    /// which is the default of RFC 8414 §2.
    fn sends_in_body(&self, server: &Server) -> bool {
        let listed = |method: Method| {
            let methods = server.token_endpoint_auth_methods.as_ref();
            methods.is_none_or(|methods| methods.iter().any(|name| name == method.name()))
        };
        match self.method {
            Some(method) => method == Method::ClientSecretPost,
            None => !listed(Method::ClientSecretBasic) && listed(Method::ClientSecretPost),
        }
    }

    /// The method for `server`.
    fn method(&self, server: &Server) -> Method {
        match (self.method, &self.proof) {
            (Some(method), _) if method == Method::None || method.is_mutual_tls() => method,
            (_, None) => Method::None,
            (_, Some(Proof::Secret(_))) if self.sends_in_body(server) => Method::ClientSecretPost,
            (_, Some(Proof::Secret(_))) => Method::ClientSecretBasic,
            (_, Some(Proof::Key(_) | Proof::Assertion(_))) => Method::PrivateKeyJwt,
        }
    }
}

/// Adds the client's identity to a request: fields to `form`, or the header that is returned.
///
/// # Errors
/// `config` if what it proves that with cannot be had; an assertion of somebody else's can fail as a
/// call of its own.
pub fn authenticate(
    client: &Client,
    server: &Server,
    form: &mut Form,
    context: &Context<'_>,
) -> Result<Option<Secret>, Error> {
    let authentication = &client.authentication;
    let client_id = &client.client_id;
    let method = authentication.method(server);
    let assertion = match (&authentication.proof, method) {
        (None, _) => None,
        // RFC 8705 §2: with the connection's certificate too, `client_id` says whose it is.
        (Some(_), Method::None | Method::TlsClientAuth | Method::SelfSignedTlsClientAuth) => None,
        (Some(Proof::Secret(source)), _) => {
            let secret = source.resolve("client_secret", context)?;
            if method == Method::ClientSecretBasic {
                let encoding = authentication.basic_encoding;
                let header = basic(client_id, &secret, encoding);
                form.keep_from_sight(secret);
                return Ok(Some(header));
            }
            form.add_secret("client_secret", secret);
            None
        }
        (Some(Proof::Key(key)), _) => Some(key.sign(client, server, context)?),
        (Some(Proof::Assertion(source)), _) => Some(source.resolve(context)?),
    };
    // With an assertion it says whose that is (RFC 7521 §4.2).
    form.add("client_id", client_id);
    if let Some(assertion) = assertion {
        form.add("client_assertion_type", JWT_BEARER);
        form.add_secret("client_assertion", assertion);
    }
    Ok(None)
}

fn basic(client_id: &str, secret: &Secret, encoding: BasicEncoding) -> Secret {
    let pair = match encoding {
        BasicEncoding::Raw => Secret::new(format!("{client_id}:{}", secret.expose())),
        BasicEncoding::Form => {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            Secret::new(format!(
                "{}:{}",
                encoded(client_id),
                encoded(secret.expose())
            ))
        }
    };
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

#[cfg(test)]
mod tests {
    use super::{
        AssertionSource, BasicEncoding, ClientAuthentication, Method, Proof, Secret, SecretSource,
        Server, basic,
    };

    #[test]
    fn basic_credentials_are_form_encoded_first_unless_the_profile_says_raw() {
        let secret = Secret::new("+ /:%&=");
        assert_eq!(
            basic("a b", &secret, BasicEncoding::Form).expose(),
            "Basic YStiOiUyQislMkYlM0ElMjUlMjYlM0Q="
        );
        assert_eq!(
            basic("a b", &secret, BasicEncoding::Raw).expose(),
            "Basic YSBiOisgLzolJj0="
        );
    }

    #[test]
    fn the_method_follows_from_the_profile_then_the_metadata_then_the_rfc() {
        let listing = |methods: Option<&[&str]>| Server {
            token_endpoint_auth_methods: methods
                .map(|methods| methods.iter().map(ToString::to_string).collect()),
            ..Server::default()
        };
        let with_secret = ClientAuthentication {
            proof: Some(Proof::Secret(SecretSource::Environment("X".into()))),
            ..ClientAuthentication::default()
        };
        for (methods, expected) in [
            (None, Method::ClientSecretBasic),
            (Some(&["client_secret_post"][..]), Method::ClientSecretPost),
            (
                Some(&["client_secret_post", "client_secret_basic"]),
                Method::ClientSecretBasic,
            ),
            (Some(&["private_key_jwt"]), Method::ClientSecretBasic),
        ] {
            assert_eq!(
                with_secret.method(&listing(methods)),
                expected,
                "{methods:?}"
            );
        }
        assert_eq!(
            ClientAuthentication::default().method(&listing(None)),
            Method::None
        );
        let explicit = ClientAuthentication {
            method: Some(Method::ClientSecretPost),
            ..with_secret
        };
        assert_eq!(explicit.method(&listing(None)), Method::ClientSecretPost);
        let without_secret = ClientAuthentication {
            proof: None,
            ..explicit
        };
        assert_eq!(without_secret.method(&listing(None)), Method::None);
        let source = SecretSource::Environment("X".into());
        let federated = ClientAuthentication {
            proof: Some(Proof::Assertion(AssertionSource::Source(source))),
            ..ClientAuthentication::default()
        };
        for methods in [None, Some(&["client_secret_basic"][..])] {
            assert_eq!(federated.method(&listing(methods)), Method::PrivateKeyJwt);
        }
        let silent = ClientAuthentication {
            method: Some(Method::None),
            ..federated
        };
        assert_eq!(silent.method(&listing(None)), Method::None);
    }

    #[test]
    fn a_secret_is_a_literal_where_it_stands_in_the_profile() {
        for (source, literals) in [
            (
                SecretSource::Literal(Secret::new("s")),
                &["client_secret"][..],
            ),
            (SecretSource::Environment("X".into()), &[]),
        ] {
            let authentication = ClientAuthentication {
                proof: Some(Proof::Secret(source)),
                ..ClientAuthentication::default()
            };
            assert_eq!(authentication.literals(), literals);
        }
        assert!(ClientAuthentication::default().literals().is_empty());
    }
}

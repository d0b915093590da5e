//! How a client proves who it is at an authority's endpoints
//! ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded::byte_serialize;

use crate::context::Context;
use crate::error::Error;
use crate::oauth::client::Client;
use crate::oauth::metadata::Server;
use crate::oauth::request::Form;
use crate::secret::Secret;
use crate::secret_source::SecretSource;

/// `token_endpoint_auth_method` of RFC 7591, those that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A public client: `client_id` in the body.
    None,
    /// `Authorization: Basic`.
    ClientSecretBasic,
    /// `client_secret` in the body.
    ClientSecretPost,
    /// A certificate of an authority that the server trusts (RFC 8705 §2.1).
    TlsClientAuth,
    /// A certificate that the server knows (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        }
    }

    /// Whether the certificate of the connection proves who the client is.
    pub const fn is_mutual_tls(self) -> bool {
        match self {
            Self::TlsClientAuth | Self::SelfSignedTlsClientAuth => true,
            Self::None | Self::ClientSecretBasic | Self::ClientSecretPost => false,
        }
    }
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
    /// `client_secret`; without one the client is public.
    pub secret: Option<SecretSource>,
    /// `client_auth_method`; otherwise it follows from the metadata.
    pub method: Option<Method>,
    /// `client_basic_encoding`.
    pub basic_encoding: BasicEncoding,
    /// Whether the device authorization endpoint takes the `client_id` alone, as Google's.
    pub open_device_authorization: bool,
}

impl ClientAuthentication {
    /// Whether the client has nothing to prove who it is with.
    pub fn is_public(&self) -> bool {
        self.secret.is_none() && !self.method.is_some_and(Method::is_mutual_tls)
    }

    /// The profiles whose tokens it needs.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().filter_map(SecretSource::profile)
    }

    /// The method for `server`: as configured, else as the metadata list it, Basic first, which
    /// is the default of RFC 8414 §2.
    fn method(&self, server: &Server) -> Method {
        match (self.method, &self.secret) {
            (Some(method), _) => method,
            (None, None) => Method::None,
            (None, Some(_)) => {
                let listed = |method: Method| {
                    server
                        .token_endpoint_auth_methods
                        .as_ref()
                        .is_none_or(|methods| methods.iter().any(|name| name == method.name()))
                };
                if !listed(Method::ClientSecretBasic) && listed(Method::ClientSecretPost) {
                    Method::ClientSecretPost
                } else {
                    Method::ClientSecretBasic
                }
            }
        }
    }
}

/// Adds the client's identity to a request: fields to `form`, or the header that is returned.
///
/// # Errors
/// `config` if the secret cannot be had.
pub fn authenticate(
    client: &Client,
    server: &Server,
    form: &mut Form,
    context: &Context<'_>,
) -> Result<Option<Secret>, Error> {
    let authentication = &client.authentication;
    let secret = |source: &SecretSource| source.resolve("client_secret", context);
    match (authentication.method(server), &authentication.secret) {
        // RFC 8705 §2: with a certificate too, the server learns from `client_id` whose it is.
        (Method::None | Method::TlsClientAuth | Method::SelfSignedTlsClientAuth, _) | (_, None) => {
            form.add("client_id", &client.client_id);
            Ok(None)
        }
        (Method::ClientSecretPost, Some(source)) => {
            form.add("client_id", &client.client_id);
            form.add_secret("client_secret", secret(source)?);
            Ok(None)
        }
        (Method::ClientSecretBasic, Some(source)) => Ok(Some(basic(
            &client.client_id,
            &secret(source)?,
            authentication.basic_encoding,
        ))),
    }
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
    use super::{BasicEncoding, ClientAuthentication, Method, Secret, SecretSource, Server, basic};

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
            secret: Some(SecretSource::Environment("X".into())),
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
    }
}

//! A registered client and the authority it is registered with.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::context::{Context, Tls};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::oauth::client_authentication::ClientAuthentication;
use crate::proof_key::ProofKey;
use crate::secret::Secret;

/// Where the endpoints of an authority are known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Microsoft Entra, B2C and External ID: endpoints are known, nothing is discovered.
    Entra(Endpoint),
    /// AD FS, `https://HOST/adfs`: the same.
    Adfs(Endpoint),
    /// An issuer with metadata (OpenID Connect Discovery, RFC 8414).
    Issuer(Endpoint),
    /// None: the profile or its preset names every endpoint.
    Explicit,
}

impl Authority {
    /// What the profile names, if it names one.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Entra(endpoint) | Self::Adfs(endpoint) | Self::Issuer(endpoint) => Some(endpoint),
            Self::Explicit => None,
        }
    }
}

/// Endpoints by name. Each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// `device_authorization_endpoint` (RFC 8628 §4).
    pub device_authorization: Option<Endpoint>,
    /// `authorization_endpoint` (RFC 8414 §2).
    pub authorization: Option<Endpoint>,
    /// `pushed_authorization_request_endpoint` (RFC 9126 §5).
    pub pushed_authorization_request: Option<Endpoint>,
    /// `token_endpoint` (RFC 8414 §2).
    pub token: Option<Endpoint>,
    /// `revocation_endpoint` (RFC 8414 §2).
    pub revocation: Option<Endpoint>,
    /// `userinfo_endpoint` (OpenID Connect Core §5.3).
    pub userinfo: Option<Endpoint>,
}

/// The endpoints that a step can need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointName {
    /// RFC 8628.
    DeviceAuthorization,
    /// RFC 6749 §3.1.
    Authorization,
    /// RFC 9126 §2.
    PushedAuthorizationRequest,
    /// RFC 6749 §3.2.
    Token,
    /// RFC 7009.
    Revocation,
    /// OpenID Connect Core §5.3.
    Userinfo,
}

impl EndpointName {
    /// Every name, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::DeviceAuthorization,
        Self::Authorization,
        Self::PushedAuthorizationRequest,
        Self::Token,
        Self::Revocation,
        Self::Userinfo,
    ];

    /// The key in a profile's `endpoints` table.
    pub const fn key(self) -> &'static str {
        match self {
            Self::DeviceAuthorization => "device_authorization",
            Self::Authorization => "authorization",
            Self::PushedAuthorizationRequest => "pushed_authorization_request",
            Self::Token => "token",
            Self::Revocation => "revocation",
            Self::Userinfo => "userinfo",
        }
    }
}

impl Endpoints {
    /// The endpoint of that name.
    pub fn get(&self, name: EndpointName) -> Option<&Endpoint> {
        match name {
            EndpointName::DeviceAuthorization => self.device_authorization.as_ref(),
            EndpointName::Authorization => self.authorization.as_ref(),
            EndpointName::PushedAuthorizationRequest => self.pushed_authorization_request.as_ref(),
            EndpointName::Token => self.token.as_ref(),
            EndpointName::Revocation => self.revocation.as_ref(),
            EndpointName::Userinfo => self.userinfo.as_ref(),
        }
    }

    /// Sets the endpoint of that name.
    pub fn set(&mut self, name: EndpointName, endpoint: Endpoint) {
        let place = match name {
            EndpointName::DeviceAuthorization => &mut self.device_authorization,
            EndpointName::Authorization => &mut self.authorization,
            EndpointName::PushedAuthorizationRequest => &mut self.pushed_authorization_request,
            EndpointName::Token => &mut self.token,
            EndpointName::Revocation => &mut self.revocation,
            EndpointName::Userinfo => &mut self.userinfo,
        };
        *place = Some(endpoint);
    }
}

/// A registered client: all that requests to its authority have in common.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub client_id: String,
    /// The authority.
    pub authority: Authority,
    /// Endpoints that win over what the authority's metadata say.
    pub endpoints: Endpoints,
    /// How the client proves who it is.
    pub authentication: ClientAuthentication,
    /// How its connections are secured.
    pub tls: Tls,
    /// Send the scopes as they are written, without `openid`, `profile` and `offline_access`.
    pub exact_scopes: bool,
    /// `resource` (RFC 8707).
    pub resource: Option<String>,
    /// `audience` (Auth0 and others; not registered).
    pub audience: Option<String>,
    /// `prompt` of the authorization request (OpenID Connect Core §3.1.2.1).
    pub prompt: Option<String>,
    /// `domain_hint` of the authorization request (Entra).
    pub domain_hint: Option<String>,
    /// Further parameters of each authorization and token request.
    pub extra: BTreeMap<String, String>,
    /// Its tokens are bound to a key (RFC 9449).
    pub dpop: bool,
    /// That key, where it is at hand: see [`Client::with_proof_key`].
    pub proof_key: Option<Rc<ProofKey>>,
}

impl Client {
    /// The same with its secret at hand, for several requests: its source is asked once.
    ///
    /// # Errors
    /// `config` if the secret cannot be had.
    pub fn with_secret_at_hand(&self, context: &Context<'_>) -> Result<Self, Error> {
        Ok(Self {
            authentication: self.authentication.at_hand(context)?,
            ..self.clone()
        })
    }

    /// The same with the key that its tokens are bound to, if they are: the one that was kept with
    /// them, else a new one.
    ///
    /// # Errors
    /// `store`, if what was kept is no key.
    pub fn with_proof_key(&self, kept: Option<&Secret>) -> Result<Self, Error> {
        let mut client = self.clone();
        if self.dpop {
            let key = kept.map_or_else(ProofKey::generate, ProofKey::read)?;
            client.proof_key = Some(Rc::new(key));
        }
        Ok(client)
    }

    /// The same as its device authorization endpoint wants it: public, where that takes the
    /// `client_id` alone.
    #[must_use]
    pub fn at_device_authorization(&self) -> Self {
        let mut client = self.clone();
        if self.authentication.open_device_authorization {
            client.authentication = ClientAuthentication::default();
        }
        client
    }

    /// Whether the authority is Entra, whose refresh tokens are bound to neither scope nor
    /// resource.
    pub fn is_entra(&self) -> bool {
        matches!(self.authority, Authority::Entra(_))
    }
}

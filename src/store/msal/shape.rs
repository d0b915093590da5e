//! Under which keys rows are added: each MSAL has its own, and takes a row under another for one more.

use super::Sharing;
use super::document::{Document, Object};
use super::view::{Place, section};
use crate::token::Home;

/// Whose keys a cache has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// MSAL Python: the Azure CLI, azure-identity for Python.
    Python,
    /// MSAL Go: azidentity, azd.
    Go,
    /// MSAL.NET: Visual Studio, Git Credential Manager, Azure PowerShell.
    DotNet,
}

impl Shape {
    /// The shape of the rows that are there; of an empty cache, that of the program whose place it is.
    pub(super) fn of(document: &Document<'_>, sharing: &Sharing) -> Self {
        let refresh_tokens = document.root.object(section::REFRESH_TOKEN);
        let mut rows = refresh_tokens.into_iter().flat_map(Object::objects);
        let id_tokens = document.root.object(section::ID_TOKEN);
        let mut id_tokens = id_tokens.into_iter().flat_map(Object::objects);
        if let Some((key, row)) = rows.next() {
            return match (row.raw("target"), key.ends_with("--")) {
                (Some(_), _) => Self::Python,
                (None, true) => Self::DotNet,
                (None, false) => Self::Go,
            };
        }
        if let Some((key, _)) = id_tokens.next() {
            return if key.ends_with('-') {
                Self::Python
            } else {
                Self::Go
            };
        }
        let file = sharing.file.file_name().and_then(|name| name.to_str());
        match file {
            // The one that the programs of Microsoft share.
            Some("msal.cache" | "app.cache") => Self::DotNet,
            _ => Self::Python,
        }
    }

    /// The name of the cloud in a row of somebody who has none yet. MSAL.NET finds rows under every name,
    /// and adds its own under the one that it prefers, beside a row under another.
    pub(super) fn host(self, sharing: &Sharing) -> String {
        /// Which name does MSAL.NET prefer, if it is not the one that requests go to?
        const PREFERRED: &str = "login.windows.net";
        let first = sharing.hosts.first().cloned().unwrap_or_default();
        let mut hosts = sharing.hosts.iter();
        match (self, hosts.find(|host| *host == PREFERRED)) {
            (Self::DotNet, Some(preferred)) => preferred.clone(),
            (Self::Python | Self::Go, _) | (Self::DotNet, None) => first,
        }
    }

    /// The tenant that a row names: for Python what the authority does.
    pub(super) fn realm(self, sharing: &Sharing, home: &Home) -> String {
        // Where the authority names a tenant, its tokens are of that one.
        let tenant = home.tenant.as_ref().filter(|_| sharing.is_for_any_tenant);
        match (self, tenant) {
            (Self::Go | Self::DotNet, Some(tenant)) => tenant.clone(),
            (Self::Python, _) | (Self::Go | Self::DotNet, None) => sharing.realm.clone(),
        }
    }

    /// Whether a row of a refresh token says for which scopes it came.
    pub(super) fn has_target(self) -> bool {
        self == Self::Python
    }

    /// The key of an access token; `target` is sorted.
    pub(super) fn access_token(self, place: &Place<'_>, target: &str) -> String {
        credential(
            place,
            "accesstoken",
            place.client_id,
            &[place.realm, target],
        )
    }

    /// The key of a refresh token.
    pub(super) fn refresh_token(
        self,
        place: &Place<'_>,
        family: Option<&str>,
        target: &str,
    ) -> String {
        let family = family.unwrap_or(place.client_id);
        match self {
            Self::Python => credential(place, "refreshtoken", place.client_id, &["", target]),
            Self::Go => credential(place, "refreshtoken", family, &[]),
            Self::DotNet => credential(place, "refreshtoken", family, &["", ""]),
        }
    }

    /// The key of an ID token.
    pub(super) fn id_token(self, place: &Place<'_>) -> String {
        let behind: &[&str] = match self {
            Self::Python | Self::DotNet => &[place.realm, ""],
            Self::Go => &[place.realm],
        };
        credential(place, "idtoken", place.client_id, behind)
    }

    /// The key of an account.
    pub(super) fn account(self, place: &Place<'_>) -> String {
        let key = [place.home, place.host, place.realm].join("-");
        match self {
            Self::Python | Self::Go => key.to_lowercase(),
            Self::DotNet => key,
        }
    }

    /// The key of what is known of the client.
    pub(super) fn app_metadata(self, place: &Place<'_>) -> String {
        let key = ["appmetadata", place.host, place.client_id].join("-");
        match self {
            Self::Python => key,
            Self::Go | Self::DotNet => key.to_lowercase(),
        }
    }
}

fn credential(place: &Place<'_>, kind: &str, client: &str, behind: &[&str]) -> String {
    let mut parts = vec![place.home, place.host, kind, client];
    parts.extend(behind);
    parts.join("-").to_lowercase()
}

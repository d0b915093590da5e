//! Microsoft Entra: hosts and endpoints that need no discovery, and error numbers.

use crate::endpoint::Endpoint;
use crate::error::OAuthError;
use crate::oauth::client::{EndpointName, Endpoints};

/// Hosts whose endpoints are known, each cloud's own host first, then its aliases.
const CLOUDS: &[&[&str]] = &[
    &[
        "login.microsoftonline.com",
        "login.windows.net",
        "login.microsoft.com",
        "sts.windows.net",
    ],
    &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
    &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    &["login.microsoftonline.de"],
    &["login-us.microsoftonline.com"],
    &["login.sovcloud-identity.fr"],
    &["login.sovcloud-identity.de"],
    &["login.sovcloud-identity.sg"],
];

/// Whether the authority's host is one of Entra's.
pub fn is_known_host(authority: &Endpoint) -> bool {
    host(authority).is_some_and(|host| cloud(&host).is_some())
}

/// The authority under the name that all its aliases share.
pub fn canonical(authority: &Endpoint) -> String {
    match (host(authority), tenant(authority)) {
        (Some(host), Some(tenant)) => {
            let host = cloud(&host).unwrap_or(&host);
            format!("https://{host}/{}", tenant.to_ascii_lowercase())
        }
        _ => authority.to_string(),
    }
}

fn cloud(host: &str) -> Option<&'static str> {
    CLOUDS
        .iter()
        .find(|names| names.contains(&host))
        .map(|names| names[0])
}

/// The host, with its port where it is not the scheme's own.
fn host(authority: &Endpoint) -> Option<String> {
    let url = url::Url::parse(authority.as_str()).ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The tenant of an authority, its first path segment, if it names one.
pub fn tenant(authority: &Endpoint) -> Option<String> {
    let url = url::Url::parse(authority.as_str()).ok()?;
    let tenant = url.path_segments()?.find(|segment| !segment.is_empty())?;
    Some(tenant.to_owned())
}

/// Whether an authority is a host and a tenant, and nothing else.
pub fn is_plain(authority: &Endpoint) -> bool {
    let url = url::Url::parse(authority.as_str()).ok();
    let segments = url.as_ref().and_then(url::Url::path_segments);
    segments.is_some_and(|segments| segments.filter(|segment| !segment.is_empty()).count() == 1)
}

/// The v2.0 endpoints of `https://HOST/TENANT`.
pub fn endpoints(authority: &Endpoint) -> Endpoints {
    let base = authority.as_str().trim_end_matches('/');
    let mut endpoints = Endpoints::default();
    for (name, path) in [
        (EndpointName::Authorization, "authorize"),
        (EndpointName::Token, "token"),
        (EndpointName::DeviceAuthorization, "devicecode"),
    ] {
        let endpoint = Endpoint::parse(&format!("{base}/oauth2/v2.0/{path}"))
            .expect("a path added to an endpoint makes an endpoint");
        endpoints.set(name, endpoint);
    }
    endpoints
}

/// Whether the numbers say: trouble of the server, to be tried again later.
pub fn is_trouble(error_codes: &[i64]) -> bool {
    error_codes
        .iter()
        .any(|code| matches!(code, 50196 | 90024 | 90025 | 90030..=90039))
}

/// Whether `invalid_grant` means that the refresh token itself is of no use any more: it ran out,
/// or was revoked with a password. Consent or a second factor that is missing, for these scopes
/// or in this place, leaves it good for others.
pub fn ends_refresh_token(said: &OAuthError) -> bool {
    match (said.suberror.as_deref(), said.error_codes.as_slice()) {
        (Some("bad_token" | "token_expired"), _) | (None, []) => true,
        (_, codes) => codes.iter().any(|code| {
            matches!(
                code,
                50089 | 50132 | 50133 | 50173 | 70000 | 70008 | 70043 | 700_081..=700_084
            )
        }),
    }
}

/// Whether `suberror` says that no sign-in helps: a device or app that is not protected, or a
/// refresh token of another family of clients.
pub fn is_beyond_a_sign_in(said: &OAuthError) -> bool {
    matches!(
        said.suberror.as_deref(),
        Some("protection_policy_required" | "client_mismatch")
    )
}

/// What to do about an error, by its numbers
/// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
pub fn hint(error_codes: &[i64]) -> Option<&'static str> {
    error_codes.iter().find_map(|code| {
        Some(match code {
            700_016 => {
                "there is no such app in this tenant: check `client_id`, and the tenant in \
                 `authority`"
            }
            7_000_218 => {
                "the app is not registered as a public client: set \"Allow public client flows\" \
                 to \"Yes\" under Authentication of its registration, or give a `client_secret`"
            }
            7_000_215 | 7_000_222 => {
                "the client secret is wrong or has expired: make a new one under Certificates & \
                 secrets of the app's registration"
            }
            90_002 | 900_023 => "there is no such tenant: check `authority`",
            50_020 => "this account is of another tenant: check `authority`, or sign in as another",
            70_011 | 500_011 | 65_005 => {
                "check the profile's `scopes`; each has to be of one resource that the tenant knows"
            }
            65_001 => "sign in to consent, or ask whoever runs the directory for admin consent",
            _ => return None,
        })
    })
}

/// Whether the numbers say: conditional access, which a sign-in does not mend.
pub fn is_policy(error_codes: &[i64]) -> bool {
    error_codes
        .iter()
        .any(|code| matches!(code, 50005 | 50097 | 53000..=53999 | 530_000..=530_099))
}

#[cfg(test)]
mod tests {
    use super::{canonical, endpoints, is_known_host, tenant};
    use crate::endpoint::Endpoint;
    use crate::oauth::client::EndpointName;

    #[test]
    fn aliases_of_one_cloud_are_one_authority() {
        for (written, name) in [
            (
                "https://login.microsoftonline.com/Contoso.com",
                "https://login.microsoftonline.com/contoso.com",
            ),
            (
                "https://login.windows.net/contoso.com/",
                "https://login.microsoftonline.com/contoso.com",
            ),
            (
                "https://LOGIN.microsoftonline.us/t",
                "https://login.microsoftonline.us/t",
            ),
        ] {
            let authority = Endpoint::parse(written).unwrap();
            assert!(is_known_host(&authority), "{written}");
            assert_eq!(canonical(&authority), name);
        }
        for foreign in [
            "https://login.microsoftonline.com.evil.example/t",
            "https://login.microsoftonline.com:8443/t",
        ] {
            assert!(
                !is_known_host(&Endpoint::parse(foreign).unwrap()),
                "{foreign}"
            );
        }
        let bare = Endpoint::parse("https://login.microsoftonline.com").unwrap();
        assert!(is_known_host(&bare));
        assert_eq!(tenant(&bare), None);
    }

    #[test]
    fn endpoints_follow_from_the_authority() {
        let authority = Endpoint::parse("https://login.microsoftonline.com/common/").unwrap();
        assert_eq!(
            endpoints(&authority)
                .get(EndpointName::DeviceAuthorization)
                .unwrap()
                .as_str(),
            "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode"
        );
    }
}

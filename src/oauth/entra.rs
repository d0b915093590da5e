//! Microsoft Entra and its kin (B2C, External ID, AD FS): authorities whose endpoints need no
//! discovery, and error numbers.

use crate::endpoint::Endpoint;
use crate::error::OAuthError;
use crate::oauth::client::{Authority, EndpointName, Endpoints};

/// External ID for customers: the host's first label names the tenant.
const CUSTOMERS: &str = ".ciamlogin.com";

/// Azure AD B2C: each policy of a tenant is an authority of its own.
const POLICIES: &[&str] = &[
    ".b2clogin.com",
    ".b2clogin.cn",
    ".b2clogin.us",
    ".b2clogin.de",
];

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

/// Reads the shapes that Microsoft's authorities have; `declared` is whether the profile says that it
/// is one, on whatever host. `None` if it has none of them.
///
/// | authority | what it is |
/// |---|---|
/// | `https://HOST/TENANT` on a known host | Entra; TENANT may be `common`, `organizations`, `consumers` |
/// | `https://NAME.ciamlogin.com[/TENANT]` | External ID; the tenant follows from the name |
/// | `https://NAME.b2clogin.com/TENANT/POLICY`, or any host with a policy `B2C_1…` | Azure AD B2C |
/// | `https://HOST/adfs` | AD FS |
///
/// # Errors
/// What is wrong with it, to be put behind the name of the key.
pub fn recognize(authority: &Endpoint, declared: bool) -> Result<Option<Authority>, &'static str> {
    const NO_TENANT: &str =
        "it names no tenant: add `/organizations`, `/common`, or your tenant's domain";
    let Some((host, path)) = parts(authority) else {
        return Ok(None);
    };
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let entra = || Ok(Some(Authority::Entra(authority.clone())));
    if cloud(&host).is_some() {
        return match segments.as_slice() {
            [] => Err(NO_TENANT),
            [_] => entra(),
            _ => Err("write it as `https://HOST/TENANT`, with nothing behind the tenant"),
        };
    }
    if let Some(name) = host.strip_suffix(CUSTOMERS) {
        return match segments.as_slice() {
            [] => {
                let written = format!("https://{host}/{name}.onmicrosoft.com");
                let authority = Endpoint::parse(&written)?;
                Ok(Some(Authority::Entra(authority)))
            }
            [_] => entra(),
            _ => Err("write it as `https://NAME.ciamlogin.com/TENANT`"),
        };
    }
    if is_policy_of_b2c(&host, &path) {
        return entra();
    }
    if is_host_of_b2c(&host) {
        return Err("write it as `https://NAME.b2clogin.com/TENANT/POLICY`");
    }
    match segments.as_slice() {
        [only] if only.eq_ignore_ascii_case("adfs") => Ok(Some(Authority::Adfs(authority.clone()))),
        [] if declared => Err(NO_TENANT),
        _ if declared => entra(),
        _ => Ok(None),
    }
}

fn is_host_of_b2c(host: &str) -> bool {
    POLICIES.iter().any(|suffix| host.ends_with(suffix))
}

/// Whether it is a tenant and a policy of Azure AD B2C. User flows are named `B2C_1_…`, custom
/// policies `B2C_1A_…`, also on a domain of one's own.
fn is_policy_of_b2c(host: &str, path: &[String]) -> bool {
    let Some((policy, before)) = path.split_last() else {
        return false;
    };
    let is_named_so = policy.to_ascii_lowercase().starts_with("b2c_1") && !before.is_empty();
    is_named_so || (is_host_of_b2c(host) && before.len() == 1)
}

/// The host of an authority, without its port, and every other name that it has.
pub fn hosts(authority: &Endpoint) -> Vec<String> {
    let host = parts(authority).map(|(host, _)| host).unwrap_or_default();
    // The port is told from what belongs to an address in brackets.
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
        _ => host,
    };
    let others = CLOUDS.iter().find(|names| names.contains(&host.as_str()));
    let others = others.into_iter().flat_map(|names| names.iter());
    let mut hosts = vec![host.clone()];
    hosts.extend(
        others
            .filter(|name| **name != host)
            .map(|name| (*name).to_owned()),
    );
    hosts
}

/// The authority under the name that all its aliases share.
pub fn canonical(authority: &Endpoint) -> String {
    match parts(authority) {
        Some((host, path)) => {
            let host = cloud(&host).unwrap_or(&host);
            format!("https://{host}/{}", path.join("/").to_ascii_lowercase())
        }
        None => authority.to_string(),
    }
}

/// Where it is told who keeps somebody's password: Entra, or their organization's own service. `None`
/// for authorities whose accounts are all their own.
pub fn realm_of(authority: &Endpoint, username: &str) -> Option<String> {
    let (host, path) = parts(authority)?;
    if host.ends_with(CUSTOMERS) || is_policy_of_b2c(&host, &path) {
        return None;
    }
    let mut url = url::Url::parse(authority.as_str()).ok()?;
    url.path_segments_mut()
        .ok()?
        .clear()
        .extend(["common", "userrealm", username]);
    url.set_query(Some("api-version=1.0"));
    Some(url.into())
}

/// The tenant that an authority of Entra names, or what stands there in place of one. `None` for other
/// authorities, and for policies of B2C, which have users of their own.
pub fn tenant(authority: &Authority) -> Option<String> {
    let Authority::Entra(authority) = authority else {
        return None;
    };
    let (_, path) = parts(authority)?;
    <[String; 1]>::try_from(path).ok().map(|[tenant]| tenant)
}

/// Whether an authority of Entra names no tenant: people of any may sign in there, and clients as
/// themselves in none.
pub fn is_for_any_tenant(authority: &Authority) -> bool {
    tenant(authority).is_some_and(|tenant| is_any_tenant(&tenant))
}

/// Whether what stands in place of a tenant is none.
pub fn is_any_tenant(tenant: &str) -> bool {
    const ANY: [&str; 3] = ["common", "organizations", "consumers"];
    ANY.contains(&tenant.to_ascii_lowercase().as_str())
}

fn cloud(host: &str) -> Option<&'static str> {
    CLOUDS
        .iter()
        .find(|names| names.contains(&host))
        .map(|names| names[0])
}

/// The host, with its port where it is not the scheme's own, and the segments of the path.
fn parts(authority: &Endpoint) -> Option<(String, Vec<String>)> {
    let url = url::Url::parse(authority.as_str()).ok()?;
    let host = url.host_str()?;
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let segments = url.path_segments().into_iter().flatten();
    let named = segments.filter(|segment| !segment.is_empty());
    Some((host, named.map(String::from).collect()))
}

/// The endpoints of Entra, B2C and External ID
/// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>); B2C has no device
/// code.
pub fn endpoints(authority: &Endpoint) -> Endpoints {
    let mut endpoints = below(authority, "oauth2/v2.0");
    if parts(authority).is_some_and(|(host, path)| is_policy_of_b2c(&host, &path)) {
        endpoints.device_authorization = None;
    }
    endpoints
}

/// The endpoints of AD FS (MS-OAPX §3.2.5,
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-oapx>).
pub fn adfs_endpoints(authority: &Endpoint) -> Endpoints {
    below(authority, "oauth2")
}

fn below(authority: &Endpoint, path: &str) -> Endpoints {
    let base = authority.as_str().trim_end_matches('/');
    let mut endpoints = Endpoints::default();
    for (name, last) in [
        (EndpointName::Authorization, "authorize"),
        (EndpointName::Token, "token"),
        (EndpointName::DeviceAuthorization, "devicecode"),
    ] {
        let endpoint = Endpoint::parse(&format!("{base}/{path}/{last}"))
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

/// Whether `suberror` says that the refresh token is of another family of clients.
pub fn is_of_another_family(said: &OAuthError) -> bool {
    said.suberror.as_deref() == Some("client_mismatch")
}

/// Whether `suberror` says that no sign-in helps: a device or app that is not protected, or a
/// refresh token of another family of clients.
pub fn is_beyond_a_sign_in(said: &OAuthError) -> bool {
    is_of_another_family(said) || said.suberror.as_deref() == Some("protection_policy_required")
}

/// What to do about an error, by its `suberror` and its numbers
/// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>). Nothing where a
/// sign-in is all that is needed.
pub fn hint(said: &OAuthError) -> Option<&'static str> {
    if said.suberror.as_deref() == Some("protection_policy_required") {
        return Some(
            "the directory wants this app protected on a managed device, which no sign-in mends; \
             ask whoever runs it",
        );
    }
    said.error_codes.iter().copied().find_map(hint_of)
}

fn hint_of(code: i64) -> Option<&'static str> {
    Some(match code {
        700_016 => {
            "there is no such app in this tenant: check `client_id`, and the tenant in `authority`"
        }
        50_194 => {
            "the app is for one tenant alone: write that tenant in `authority` instead of \
             `common` or `organizations`"
        }
        9_002_331 | 9_002_346 => {
            "the app is for personal accounts alone: write `consumers` in `authority`"
        }
        7_000_112 => "the app is disabled; ask whoever runs the directory",
        7_000_218 => {
            "the app is not registered as a public client: set \"Allow public client flows\" \
             to \"Yes\" under Authentication of its registration, or give a `client_secret`"
        }
        7_000_215 | 7_000_222 => {
            "the client secret is wrong or has expired: make a new one under Certificates & \
             secrets of the app's registration"
        }
        700_024 => "the client's assertion is too old or too new: check this machine's clock",
        700_027 => "the client's certificate is not one of those of the app's registration",
        70_021 | 700_213 => {
            "no federated credential of the app's registration matches: compare its issuer, \
             subject and audience with those of the assertion"
        }
        50_011 | 500_113 => {
            "the redirect URI is not registered for the app: add http://localhost for the platform \
             \"Mobile and desktop applications\", or name the one that is there as the grant's \
             `redirect_uri`"
        }
        90_002 | 900_023 => "there is no such tenant: check `authority`",
        50_020 => "this account is of another tenant: check `authority`, or sign in as another",
        50_034 => "there is no such account in this tenant: check `authority` and `account`",
        50_053 => {
            "the account is locked, after wrong passwords or for where they came from: wait, or ask \
             whoever runs the directory"
        }
        50_055 => "the password has expired: change it in a browser, then sign in again",
        50_057 => "the account is disabled; ask whoever runs the directory",
        50_105 => "the account is not assigned to the app; ask whoever runs the directory",
        16_000 => "several accounts are signed in: say which with `--account`",
        70_011 | 500_011 | 65_005 => {
            "check the profile's `scopes`; each has to be of one resource that the tenant knows"
        }
        650_052 => "the directory has no such service; check the profile's `scopes`",
        650_057 => "add the permission to the app's registration, under API permissions",
        65_001 => "sign in to consent, or ask whoever runs the directory for admin consent",
        90_094 => "ask whoever runs the directory for admin consent",
        50_005 | 50_097 | 53_000..=53_002 | 530_003 => {
            "conditional access wants a device or an app that the directory manages; ask whoever \
             runs it"
        }
        53_003..=53_999 | 530_000..=530_099 => {
            "conditional access refuses this sign-in; ask whoever runs the directory"
        }
        _ => return None,
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
    use super::{
        Authority, canonical, hint, hosts, is_beyond_a_sign_in, is_for_any_tenant,
        is_of_another_family, is_policy, realm_of, recognize,
    };
    use crate::endpoint::Endpoint;
    use crate::error::OAuthError;
    use crate::oauth::client::{EndpointName, Endpoints};

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).unwrap()
    }

    #[test]
    fn each_number_has_the_hint_of_what_mends_it() {
        for (numbers, words) in [
            (&[700_016][..], "`client_id`"),
            (&[50_194], "one tenant alone"),
            (&[9_002_331, 9_002_346], "`consumers`"),
            (&[7_000_112], "the app is disabled"),
            (&[7_000_218], "public client"),
            (&[7_000_215, 7_000_222], "client secret"),
            (&[700_024], "clock"),
            (&[700_027], "certificate"),
            (&[70_021, 700_213], "federated credential"),
            (&[50_011, 500_113], "redirect URI"),
            (&[90_002, 900_023], "no such tenant"),
            (&[50_020], "of another tenant"),
            (&[50_034], "no such account"),
            (&[50_053], "locked"),
            (&[50_055], "password has expired"),
            (&[50_057], "account is disabled"),
            (&[50_105], "not assigned"),
            (&[16_000], "`--account`"),
            (&[70_011, 500_011, 65_005], "of one resource"),
            (&[650_052], "no such service"),
            (&[650_057], "add the permission"),
            (&[65_001], "sign in to consent"),
            (&[90_094], "for admin consent"),
            (&[50_005, 50_097, 53_000, 53_002, 530_003], "manages"),
            (&[53_003, 53_999, 530_000, 530_099], "refuses"),
        ] {
            for number in numbers {
                let said = OAuthError {
                    error_codes: vec![1, *number],
                    ..OAuthError::default()
                };
                let told = hint(&said).unwrap_or_default();
                assert!(told.contains(words), "{number}: {told}");
            }
        }
        assert_eq!(hint(&OAuthError::default()), None);
    }

    #[test]
    fn an_error_says_what_to_do_where_a_sign_in_alone_does_not_help() {
        for (codes, suberror, expected) in [
            (&[700_016][..], None, Some("`client_id`")),
            (&[7_000_218], None, Some("Allow public client flows")),
            (&[50_011], None, Some("http://localhost")),
            (&[50_194], None, Some("`organizations`")),
            (&[53_000], None, Some("manages")),
            (&[53_003], None, Some("conditional access")),
            (&[530_003], None, Some("manages")),
            (&[530_084], None, Some("conditional access")),
            (&[1, 50_057], None, Some("disabled")),
            (&[50_105], None, Some("assigned")),
            (&[65_001], None, Some("consent")),
            (&[], Some("protection_policy_required"), Some("protected")),
            // A sign-in does.
            (&[50_076], Some("basic_action"), None),
            (&[50_079], None, None),
            (&[700_082], None, None),
            (&[], None, None),
        ] {
            let said = OAuthError {
                error_codes: codes.to_vec(),
                suberror: suberror.map(String::from),
                ..OAuthError::default()
            };
            let found = hint(&said);
            assert_eq!(found.is_some(), expected.is_some(), "{codes:?}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
            // Whatever is a policy has a sentence of its own.
            assert!(!is_policy(codes) || found.is_some(), "{codes:?}");
        }
    }

    #[test]
    fn aliases_of_one_cloud_are_one_authority_and_a_policy_is_one_of_its_own() {
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
                "https://login.chinacloudapi.cn/t",
                "https://login.partner.microsoftonline.cn/t",
            ),
            (
                "https://LOGIN.microsoftonline.us/t",
                "https://login.microsoftonline.us/t",
            ),
            (
                "https://c.b2clogin.com/c.onmicrosoft.com/B2C_1_Sign_In",
                "https://c.b2clogin.com/c.onmicrosoft.com/b2c_1_sign_in",
            ),
        ] {
            assert_eq!(canonical(&endpoint(written)), name);
        }
    }

    /// The token endpoint that follows from an authority, and whether it has a device code.
    fn token(written: &str, declared: bool) -> Result<(Option<String>, bool), &'static str> {
        let found = recognize(&endpoint(written), declared)?;
        let endpoints = match &found {
            Some(Authority::Entra(authority)) => super::endpoints(authority),
            Some(Authority::Adfs(authority)) => super::adfs_endpoints(authority),
            Some(Authority::Issuer(_) | Authority::Explicit) | None => Endpoints::default(),
        };
        let token = endpoints.get(EndpointName::Token);
        let has_device = endpoints.get(EndpointName::DeviceAuthorization).is_some();
        Ok((token.map(ToString::to_string), has_device))
    }

    #[test]
    fn endpoints_follow_from_the_shape_of_the_authority() {
        for (written, declared, expected) in [
            (
                "https://login.microsoftonline.com/common/",
                false,
                "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            ),
            (
                "https://login.sovcloud-identity.fr/consumers",
                false,
                "https://login.sovcloud-identity.fr/consumers/oauth2/v2.0/token",
            ),
            (
                "https://c.ciamlogin.com",
                false,
                "https://c.ciamlogin.com/c.onmicrosoft.com/oauth2/v2.0/token",
            ),
            (
                "https://c.ciamlogin.com/tenant.example",
                false,
                "https://c.ciamlogin.com/tenant.example/oauth2/v2.0/token",
            ),
            (
                "https://c.b2clogin.cn/c.onmicrosoft.com/signin",
                false,
                "https://c.b2clogin.cn/c.onmicrosoft.com/signin/oauth2/v2.0/token",
            ),
            (
                "https://id.example/tfp/c.onmicrosoft.com/b2c_1_signin",
                false,
                "https://id.example/tfp/c.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/token",
            ),
            (
                "https://fs.example/adfs",
                false,
                "https://fs.example/adfs/oauth2/token",
            ),
            (
                "https://fs.example/ADFS/",
                true,
                "https://fs.example/ADFS/oauth2/token",
            ),
            (
                "http://127.0.0.1:8080/tenant",
                true,
                "http://127.0.0.1:8080/tenant/oauth2/v2.0/token",
            ),
        ] {
            let is_b2c = expected.contains("/c.onmicrosoft.com/") && !written.contains("ciam");
            assert_eq!(
                token(written, declared),
                Ok((Some(expected.to_owned()), !is_b2c)),
                "{written}"
            );
        }
    }

    #[test]
    fn other_hosts_are_issuers_and_half_an_authority_is_refused() {
        for foreign in [
            "https://login.microsoftonline.com.evil.example/t",
            "https://login.microsoftonline.com:8443/t",
            "https://b2clogin.com.evil.example/c/p",
            "https://id.example/adfs/x",
            "https://id.example/b2c_1_x",
            "https://id.example/realms/b2c_portal",
            "https://id.example",
        ] {
            assert_eq!(recognize(&endpoint(foreign), false), Ok(None), "{foreign}");
        }
        for (half, declared) in [
            ("https://login.microsoftonline.com", false),
            ("https://login.microsoftonline.com/t/v2.0", false),
            ("https://c.ciamlogin.com/t/v2.0", false),
            ("https://c.b2clogin.com/c.onmicrosoft.com", false),
            ("https://id.example/", true),
        ] {
            assert!(recognize(&endpoint(half), declared).is_err(), "{half}");
        }
    }

    #[test]
    fn the_host_of_an_authority_is_told_without_its_port_and_with_its_other_names() {
        for (authority, names) in [
            ("https://h.example/t", &["h.example"][..]),
            ("https://h.example:8443/t", &["h.example"]),
            ("https://[::1]:8443/t", &["[::1]"]),
            ("https://[::1]/t", &["[::1]"]),
            (
                "https://login.usgovcloudapi.net/t",
                &["login.usgovcloudapi.net", "login.microsoftonline.us"],
            ),
        ] {
            assert_eq!(hosts(&endpoint(authority)), names, "{authority}");
        }
    }

    #[test]
    fn who_keeps_a_password_is_told_where_accounts_are_of_organizations() {
        for (authority, expected) in [
            (
                "https://login.microsoftonline.com/t",
                Some("https://login.microsoftonline.com/common/userrealm/a%20b?api-version=1.0"),
            ),
            ("https://n.ciamlogin.com/t", None),
            ("https://n.b2clogin.com/t/B2C_1_sign-in", None),
            ("https://login.microsoftonline.com/te/t/B2C_1_sign-in", None),
        ] {
            let url = realm_of(&endpoint(authority), "a b");
            assert_eq!(url.as_deref(), expected, "{authority}");
        }
    }

    #[test]
    fn an_authority_of_entra_is_for_any_tenant_or_for_one() {
        let entra = |path: &str| {
            let written = format!("https://login.microsoftonline.com/{path}");
            Authority::Entra(endpoint(&written))
        };
        for (authority, is_for_any) in [
            (entra("Common"), true),
            (entra("organizations"), true),
            (entra("consumers"), true),
            (entra("t.example"), false),
            (entra("common/B2C_1_sign-in"), false),
            (
                Authority::Issuer(endpoint("https://h.example/common")),
                false,
            ),
        ] {
            assert_eq!(is_for_any_tenant(&authority), is_for_any, "{authority:?}");
        }
    }

    #[test]
    fn two_suberrors_say_that_no_sign_in_helps_and_one_of_them_that_another_token_may() {
        for (suberror, of_another_family, beyond) in [
            (Some("client_mismatch"), true, true),
            (Some("protection_policy_required"), false, true),
            (Some("bad_token"), false, false),
            (None, false, false),
        ] {
            let said = OAuthError {
                suberror: suberror.map(str::to_owned),
                ..OAuthError::default()
            };
            assert_eq!(is_of_another_family(&said), of_another_family, "{said:?}");
            assert_eq!(is_beyond_a_sign_in(&said), beyond, "{said:?}");
        }
    }
}

//! The services that give tokens to what runs in Azure, and how this machine shows which one is its own.

use zeroize::Zeroizing;

use super::IdKind;
use crate::context::Environment;
use crate::digest::digest;
use crate::endpoint::Endpoint;
use crate::secret::Secret;
use crate::system::{arc, environment};
use crate::text::printable_url;

/// How a service is asked.
pub(super) struct Host {
    /// Whose it is, for the person.
    pub(super) name: &'static str,
    /// Whether it is this one, and where.
    detect: fn(&dyn Environment) -> Option<Place>,
    /// `api-version`.
    pub(super) api_version: Option<&'static str>,
    /// The parameters that name an identity, in the order of [`IdKind::ALL`].
    parameters: [Option<&'static str>; 3],
    /// The header and the variable of a secret that whoever runs there has.
    secret: Option<(&'static str, &'static str)>,
    /// Whether it wants `Metadata: true`, which no browser can be made to send.
    pub(super) wants_metadata_header: bool,
    /// Whether the request is a form instead of a query.
    pub(super) is_posted: bool,
    /// Whether its certificate is named by a variable, whatever else there is in it.
    is_pinned: bool,
    /// Whether 404 and 410 mean that it is being updated.
    pub(super) comes_and_goes: bool,
    /// Whether it wants to be shown a file that only administrators and its own group can read.
    pub(super) wants_key_of_agent: bool,
    /// Whether older ones ignore an id, so that the answer has to name it.
    pub(super) has_to_confirm_id: bool,
    /// Whether it takes what the client is capable of, and which token a resource has refused: it has
    /// kept that one too.
    pub(super) takes_challenges: bool,
}

/// What most of them have in common.
const HOST: Host = Host {
    name: "",
    detect: |_| None,
    api_version: None,
    parameters: [None; 3],
    secret: None,
    wants_metadata_header: true,
    is_posted: false,
    is_pinned: false,
    comes_and_goes: false,
    wants_key_of_agent: false,
    has_to_confirm_id: false,
    takes_challenges: false,
};

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = environment::IDENTITY_HEADER;
const THUMBPRINT: &str = "IDENTITY_SERVER_THUMBPRINT";
const AGENT_ENDPOINT: &str = "IMDS_ENDPOINT";
const OLD_ENDPOINT: &str = "MSI_ENDPOINT";
const OLD_SECRET: &str = environment::MSI_SECRET;
const SHELL: &str = "AZUREPS_HOST_ENVIRONMENT";
const AUTHORITY_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

/// Every host, in the order in which they are looked for: that of Microsoft's own libraries. The last
/// one shows itself by nothing but its answer.
const HOSTS: &[Host] = &[
    // https://learn.microsoft.com/azure/service-fabric/how-to-managed-identity-service-fabric-app-code
    Host {
        name: "Azure Service Fabric",
        detect: |environment| all_set(&[ENDPOINT, HEADER, THUMBPRINT], environment),
        api_version: Some("2019-07-01-preview"),
        secret: Some(("secret", HEADER)),
        wants_metadata_header: false,
        is_pinned: true,
        takes_challenges: true,
        ..HOST
    },
    // https://learn.microsoft.com/azure/app-service/overview-managed-identity
    Host {
        name: "Azure App Service",
        detect: |environment| all_set(&[ENDPOINT, HEADER], environment),
        api_version: Some("2019-08-01"),
        parameters: [Some("client_id"), Some("mi_res_id"), Some("object_id")],
        secret: Some(("x-identity-header", HEADER)),
        ..HOST
    },
    Host {
        name: "Azure Machine Learning",
        detect: |environment| all_set(&[OLD_ENDPOINT, OLD_SECRET], environment),
        api_version: Some("2017-09-01"),
        parameters: [Some("clientid"), None, None],
        secret: Some(("secret", OLD_SECRET)),
        wants_metadata_header: false,
        ..HOST
    },
    // https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication
    Host {
        name: "Azure Arc",
        detect: |environment| {
            all_set(&[ENDPOINT, AGENT_ENDPOINT], environment).or_else(|| {
                arc::is_installed(environment).then(|| Place {
                    endpoint: "http://localhost:40342/metadata/identity/oauth2/token".to_owned(),
                    from: None,
                    because: "its agent is installed on this machine".to_owned(),
                    is_known: true,
                })
            })
        },
        api_version: Some("2020-06-01"),
        parameters: [Some("client_id"), Some("msi_res_id"), Some("object_id")],
        wants_key_of_agent: true,
        has_to_confirm_id: true,
        ..HOST
    },
    Host {
        name: "Azure Cloud Shell",
        detect: |environment| {
            let shell = environment.variable(SHELL)?;
            shell.starts_with("cloud-shell").then(|| {
                let named = environment.variable(OLD_ENDPOINT);
                Place {
                    from: named.is_some().then_some(OLD_ENDPOINT),
                    endpoint: named
                        .unwrap_or_else(|| "http://localhost:50342/oauth2/token".to_owned()),
                    because: format!("`{SHELL}` begins with `cloud-shell`"),
                    is_known: true,
                }
            })
        },
        is_posted: true,
        ..HOST
    },
    // https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
    Host {
        name: "this virtual machine",
        detect: |environment| {
            let named = environment.variable(AUTHORITY_HOST);
            let origin = named.as_deref().unwrap_or("http://169.254.169.254");
            let origin = origin.trim_end_matches('/');
            Some(Place {
                endpoint: format!("{origin}/metadata/identity/oauth2/token"),
                from: named.is_some().then_some(AUTHORITY_HOST),
                because: match named {
                    Some(_) => format!("`{AUTHORITY_HOST}` is set"),
                    None => format!(
                        "neither `{ENDPOINT}` nor `{OLD_ENDPOINT}` with what belongs to it is set, \
                         this is no Cloud Shell, and there is no agent of Azure Arc"
                    ),
                },
                is_known: named.is_some(),
            })
        },
        api_version: Some("2018-02-01"),
        parameters: [Some("client_id"), Some("msi_res_id"), Some("object_id")],
        comes_and_goes: true,
        ..HOST
    },
];

/// Where a host answers, and why it is that one.
struct Place {
    endpoint: String,
    /// The variable that names it.
    from: Option<&'static str>,
    because: String,
    is_known: bool,
}

/// A place that the first of these variables names, if all of them are set.
fn all_set(variables: &[&'static str], environment: &dyn Environment) -> Option<Place> {
    let is_set = |name: &&str| environment.variable(name).is_some();
    let (first, others) = variables.split_first()?;
    if !others.iter().all(is_set) {
        return None;
    }
    let endpoint = environment.variable(first)?;
    let names: Vec<_> = variables.iter().map(|name| format!("`{name}`")).collect();
    Some(Place {
        endpoint,
        from: Some(first),
        because: format!("{} are set", names.join(" and ")),
        is_known: true,
    })
}

/// The host of this machine, and what its variables say.
pub(super) struct Found {
    pub(super) host: &'static Host,
    pub(super) endpoint: Endpoint,
    /// The header that carries its secret.
    pub(super) secret: Option<(&'static str, Secret)>,
    pub(super) thumbprint: Option<[u8; 20]>,
    /// Why it is this one, in words.
    pub(super) because: String,
    /// Whether something on this machine says that it is there.
    pub(super) is_known: bool,
}

impl Found {
    /// What tells this host, and whoever it takes us for, from others.
    pub(super) fn identity(&self) -> String {
        let secret = self.secret.as_ref();
        let secret = secret.map_or("", |(_, secret)| secret.expose());
        let all = Zeroizing::new([self.host.name, self.endpoint.as_str(), secret].join("\0"));
        digest(all.as_bytes())
    }
}

/// Finds the host of this machine.
///
/// # Errors
/// What is wrong with one of its variables.
pub(super) fn find(environment: &dyn Environment) -> Result<Found, String> {
    let mut found = HOSTS
        .iter()
        .filter_map(|host| Some((host, (host.detect)(environment)?)));
    let (host, place) = found.next().expect("the last one is found everywhere");
    let endpoint = Endpoint::of_platform(&place.endpoint).map_err(|problem| {
        let url = printable_url(&place.endpoint);
        format!("`{url}`: {problem}")
    });
    let endpoint = endpoint.map_err(|problem| match place.from {
        Some(variable) => format!("the environment variable `{variable}` is {problem}"),
        None => problem,
    })?;
    let mut thumbprint = None;
    if host.is_pinned {
        if !endpoint.as_str().starts_with("https:") {
            return Err(format!(
                "the environment variable `{ENDPOINT}` is `{endpoint}`: {} has `https`",
                host.name
            ));
        }
        let text = environment.variable(THUMBPRINT).unwrap_or_default();
        thumbprint = Some(read_thumbprint(&text).ok_or_else(|| {
            format!("the environment variable `{THUMBPRINT}` is no SHA-1 of a certificate")
        })?);
    }
    let secret = host.secret.and_then(|(header, variable)| {
        let value = environment.variable(variable)?;
        Some((header, Secret::new(value)))
    });
    Ok(Found {
        host,
        endpoint,
        secret,
        thumbprint,
        because: place.because,
        is_known: place.is_known,
    })
}

/// Forty hexadecimal digits, with colons or blanks between them.
fn read_thumbprint(text: &str) -> Option<[u8; 20]> {
    let is_digit = |character: &char| !character.is_whitespace() && *character != ':';
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(is_digit)
        .map(|digit| digit.to_digit(16))
        .collect();
    let digits = digits?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

impl Host {
    /// The parameter that names an identity in this way; `None` if it takes none.
    pub(super) fn parameter(&self, kind: IdKind) -> Option<&'static str> {
        let mut parameters = IdKind::ALL.into_iter().zip(self.parameters);
        parameters.find_map(|(own, parameter)| parameter.filter(|_| own == kind))
    }

    /// What to do where it does not take an id.
    pub(super) fn advice_on_ids(&self) -> String {
        let kinds = IdKind::ALL
            .into_iter()
            .filter(|kind| self.parameter(*kind).is_some());
        let keys: Vec<_> = kinds.map(|kind| format!("`{}`", kind.key())).collect();
        if keys.is_empty() {
            "leave the id out: which identity it is, is decided where the application is deployed"
                .to_owned()
        } else {
            format!("name the identity by {}", keys.join(", "))
        }
    }

    /// Whether a status means that nothing is decided.
    pub(super) fn is_trouble(&self, status: u16) -> bool {
        matches!(status, 408 | 429 | 500..=599)
            || self.comes_and_goes && matches!(status, 404 | 410)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{HOSTS, find, read_thumbprint};
    use crate::context::Environment;
    use crate::system::environment::SECRETS_OF_PLATFORMS;

    struct Variables(BTreeMap<&'static str, &'static str>);

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }
    }

    fn name(variables: &[(&'static str, &'static str)]) -> Result<String, String> {
        let variables = Variables(variables.iter().copied().collect());
        find(&variables).map(|found| format!("{} at {}", found.host.name, found.endpoint))
    }

    const URL: &str = "http://127.0.0.1:1/x";
    const HEADER: (&str, &str) = ("IDENTITY_HEADER", "h");
    const SHELL: (&str, &str) = ("AZUREPS_HOST_ENVIRONMENT", "cloud-shell/1.0");
    const SHA1: &str = "000102030405060708090a0b0c0d0e0f10111213";

    #[test]
    fn the_host_is_the_one_whose_variables_are_all_set() {
        let endpoint = ("IDENTITY_ENDPOINT", URL);
        let pinned = ("IDENTITY_ENDPOINT", "https://10.0.0.4:2377/x");
        let thumbprint = ("IDENTITY_SERVER_THUMBPRINT", SHA1);
        let agent = ("IMDS_ENDPOINT", URL);
        let (old, secret) = (("MSI_ENDPOINT", URL), ("MSI_SECRET", "s"));
        let machine =
            "this virtual machine at http://169.254.169.254/metadata/identity/oauth2/token";
        for (variables, expected) in [
            (
                vec![pinned, HEADER, thumbprint, agent, old, secret],
                "Azure Service Fabric at https://10.0.0.4:2377/x",
            ),
            (
                vec![endpoint, HEADER, agent, old, secret],
                "Azure App Service at http://127.0.0.1:1/x",
            ),
            (
                vec![endpoint, agent, old, secret],
                "Azure Machine Learning at http://127.0.0.1:1/x",
            ),
            (
                vec![endpoint, agent, SHELL],
                "Azure Arc at http://127.0.0.1:1/x",
            ),
            (
                vec![SHELL],
                "Azure Cloud Shell at http://localhost:50342/oauth2/token",
            ),
            (
                vec![SHELL, old],
                "Azure Cloud Shell at http://127.0.0.1:1/x",
            ),
            (vec![], machine),
            (vec![HEADER, thumbprint], machine),
            (vec![endpoint], machine),
            (vec![old], machine),
            (vec![("AZUREPS_HOST_ENVIRONMENT", "mine")], machine),
            (
                vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:7/")],
                "this virtual machine at http://127.0.0.1:7/metadata/identity/oauth2/token",
            ),
        ] {
            assert_eq!(name(&variables).as_deref(), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn a_variable_that_cannot_be_meant_is_named() {
        let bad = ("IDENTITY_ENDPOINT", "http://evil.example/x");
        for (variables, part) in [
            (
                vec![bad, HEADER],
                "`IDENTITY_ENDPOINT` is `http://evil.example/x`",
            ),
            (
                vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", "ftp://127.0.0.1")],
                "`AZURE_POD_IDENTITY_AUTHORITY_HOST` is",
            ),
            (
                vec![
                    ("IDENTITY_ENDPOINT", URL),
                    HEADER,
                    ("IDENTITY_SERVER_THUMBPRINT", SHA1),
                ],
                "has `https`",
            ),
            (
                vec![
                    ("IDENTITY_ENDPOINT", "https://127.0.0.1/x"),
                    HEADER,
                    ("IDENTITY_SERVER_THUMBPRINT", "abc"),
                ],
                "no SHA-1",
            ),
        ] {
            let problem = name(&variables).expect_err("it is refused");
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn no_plugin_sees_the_secret_of_any_of_them() {
        let mut secrets = HOSTS.iter().filter_map(|host| Some(host.secret?.1));
        assert!(secrets.all(|name| SECRETS_OF_PLATFORMS.contains(&name)));
    }

    #[test]
    fn a_thumbprint_is_read_as_people_and_platforms_write_it() {
        let bytes: Vec<u8> = (0..20).collect();
        for good in [
            SHA1,
            "000102030405060708090A0B0C0D0E0F10111213",
            "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13",
            " 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13\r\n",
        ] {
            assert_eq!(
                read_thumbprint(good).as_ref().map(|own| &own[..]),
                Some(&bytes[..])
            );
        }
        for bad in [
            "",
            "00",
            &SHA1[1..],
            &format!("{SHA1}00"),
            &SHA1.replace('a', "g"),
        ] {
            assert_eq!(read_thumbprint(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_last_host_is_found_everywhere() {
        let last = HOSTS.last().expect("there are hosts");
        assert!((last.detect)(&Variables(BTreeMap::new())).is_some());
    }
}

//! Which of Entra's resources belongs to which profile, as Azure's tools ask for tokens: by resource or
//! scopes, and by tenant. As strict as with URLs: a token of another tenant is a stranger's.

use std::collections::BTreeSet;

use super::file::refuse_complaints;
use super::key::read_authority;
use super::{Configuration, Profile};
use crate::credential::Directory;
use crate::error::{Error, ErrorKind};
use crate::oauth::entra;
use crate::text::printable;

/// What a scope has behind its resource where all is meant that was consented to.
const ALL_OF_IT: &str = "/.default";

/// Azure's own management interface, by its two names. Each stands for the other.
const MANAGEMENT: [&str; 2] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
];

/// Scopes that name no resource.
const OF_NO_RESOURCE: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Resources and scopes as they are compared: without `/.default`, and without slashes at the end.
fn compared(scopes: &[String]) -> BTreeSet<&str> {
    let named = scopes.iter().map(|scope| {
        let resource = scope.strip_suffix(ALL_OF_IT).unwrap_or(scope);
        let resource = resource.trim_end_matches('/');
        if MANAGEMENT.contains(&resource) {
            MANAGEMENT[0]
        } else {
            resource
        }
    });
    named
        .filter(|scope| !OF_NO_RESOURCE.contains(scope))
        .collect()
}

/// How well the tenant that a profile's authority names is the one that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// The token will tell: the profile names none, or one by its domain.
    Perhaps,
    /// None is asked for, or it is the same.
    Same,
}

/// `None` if the profile's tenant is another.
fn likeness(own: &str, asked: Option<&str>) -> Option<Likeness> {
    match asked {
        None => Some(Likeness::Same),
        Some(asked) if own.eq_ignore_ascii_case(asked) => Some(Likeness::Same),
        // A token tells its tenant's id, and none of its domains.
        Some(asked) => (is_id(asked) && !is_id(own)).then_some(Likeness::Perhaps),
    }
}

/// Whether it is the id of a tenant, and no domain: 32 hexadecimal digits in groups.
fn is_id(tenant: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups = tenant.split('-');
    let is_group = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.clone().all(is_group) && groups.map(str::len).eq(GROUPS)
}

impl Configuration<'_> {
    /// The profile of Entra whose scopes are those of `scopes`, in the tenant that is asked for. Where
    /// the profile's authority does not tell its tenant, the token has to.
    ///
    /// # Errors
    /// `no_profile` if there is none, `config` if there are several.
    pub fn resolve_resource(
        &self,
        scopes: &[String],
        directory: &Directory,
    ) -> Result<Profile, Error> {
        let asked = compared(scopes);
        let in_words = || match asked.is_empty() {
            // They name no resource.
            true => scopes.iter().map(String::as_str).collect(),
            false => asked.clone(),
        };
        let tenant = directory.tenant.as_deref();
        let mut answers: Vec<(Likeness, &str)> = Vec::new();
        let mut others = Vec::new();
        for (name, _) in self.profiles() {
            let mut complaints = Vec::new();
            let authority = self.with_keys(name, &mut complaints, |keys, preset| {
                // A mistake in one profile does not stop the tools of another.
                let own = keys.texts("scopes");
                keys.forget_complaints();
                own.filter(|(own, _)| compared(own) == asked)?;
                read_authority(keys, preset)
            });
            let Some(authority) = authority else {
                continue;
            };
            refuse_complaints(complaints)?;
            let Some(own) = authority.as_ref().and_then(entra::tenant) else {
                continue;
            };
            match likeness(&own, tenant) {
                Some(likeness) => answers.push((likeness, name)),
                None => others.push(format!("`{name}` is for the tenant `{}`", printable(&own))),
            }
        }
        let best = answers.iter().map(|(likeness, _)| *likeness).max();
        answers.retain(|(likeness, _)| Some(*likeness) == best);
        match answers.as_slice() {
            [] => Err(no_answer(scopes, shown(&in_words(), tenant), others)),
            [(_, only)] => self.profile(only),
            several => {
                let names: Vec<_> = several
                    .iter()
                    .map(|(_, name)| format!("`{name}`"))
                    .collect();
                Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "the profiles {} are all for {}",
                        names.join(" and "),
                        shown(&in_words(), tenant)
                    ),
                )
                .hint(match tenant {
                    None => "name one with CRED_HELPER_PROFILE, or ask for one tenant",
                    Some(_) => "name one with CRED_HELPER_PROFILE",
                }))
            }
        }
    }
}

/// What is asked for, in words.
fn shown(asked: &BTreeSet<&str>, tenant: Option<&str>) -> String {
    let resources: Vec<_> = asked
        .iter()
        .map(|one| format!("`{}`", printable(one)))
        .collect();
    let of = tenant.map_or_else(String::new, |tenant| {
        format!(" of the tenant `{}`", printable(tenant))
    });
    format!("{}{of}", resources.join(" and "))
}

fn no_answer(scopes: &[String], shown: String, others: Vec<String>) -> Error {
    let error = Error::new(ErrorKind::NoProfile, format!("no profile is for {shown}"));
    if !others.is_empty() {
        let error = others.into_iter().fold(error, Error::because);
        return error.hint("the tenant stands in the `authority` of a profile");
    }
    let scopes: Vec<_> = scopes
        .iter()
        .map(|scope| format!("\"{}\"", printable(scope)))
        .collect();
    error.hint(format!(
        "write `scopes = [{}]` into a profile whose `authority` is one of Microsoft Entra",
        scopes.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::{Likeness, compared, likeness};

    fn is_same(own: &[&str], asked: &[&str]) -> bool {
        let [own, asked] = [own, asked].map(|scopes| {
            let scopes = scopes.iter().map(ToString::to_string);
            scopes.collect::<Vec<_>>()
        });
        compared(&own) == compared(&asked)
    }

    #[test]
    fn a_resource_is_compared_exactly_but_for_slashes_and_the_default_scope() {
        const VAULT: &str = "https://vault.azure.net";
        for (own, asked, expected) in [
            (
                &["https://vault.azure.net/.default"][..],
                &[VAULT][..],
                true,
            ),
            (&["https://vault.azure.net//.default"], &[VAULT], true),
            (
                &["https://vault.azure.net/"],
                &["https://vault.azure.net/.default"],
                true,
            ),
            (&["openid", VAULT, "offline_access"], &[VAULT], true),
            (&["api://app/.default"], &["api://app"], true),
            (&["api://app/read"], &["api://app/read"], true),
            (
                &["https://management.azure.com/.default"],
                &["https://management.core.windows.net//.default"],
                true,
            ),
            (
                &["User.Read", "Mail.Read"],
                &["Mail.Read", "User.Read"],
                true,
            ),
            (&["User.Read", "Mail.Read"], &["User.Read"], false),
            (
                &["https://vault.azure.net/user_impersonation"],
                &[VAULT],
                false,
            ),
            (&["https://VAULT.azure.net"], &[VAULT], false),
            (&["https://vault.azure.net.evil.example"], &[VAULT], false),
            (&["http://vault.azure.net"], &[VAULT], false),
            (&[], &[VAULT], false),
            (&["openid"], &[VAULT], false),
        ] {
            assert_eq!(is_same(own, asked), expected, "{own:?} {asked:?}");
        }
    }

    #[test]
    fn a_tenant_is_the_same_another_or_told_by_the_token() {
        const ID: &str = "2f4a9838-26b7-47ee-be60-ccc1fdec5953";
        const OTHER: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        for (own, asked, expected) in [
            (ID, None, Some(Likeness::Same)),
            ("organizations", None, Some(Likeness::Same)),
            (
                ID,
                Some("2F4A9838-26B7-47EE-BE60-CCC1FDEC5953"),
                Some(Likeness::Same),
            ),
            ("contoso.com", Some("Contoso.com"), Some(Likeness::Same)),
            ("organizations", Some(ID), Some(Likeness::Perhaps)),
            ("contoso.com", Some(ID), Some(Likeness::Perhaps)),
            (ID, Some(OTHER), None),
            (ID, Some("contoso.com"), None),
            ("organizations", Some("contoso.com"), None),
            ("contoso.com", Some("fabrikam.com"), None),
            (
                "contoso.com",
                Some("2f4a983826b747eebe60ccc1fdec5953"),
                None,
            ),
            (ID, Some(""), None),
        ] {
            assert_eq!(likeness(own, asked), expected, "{own} {asked:?}");
        }
    }
}

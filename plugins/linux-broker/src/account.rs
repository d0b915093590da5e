//! Which of the broker's accounts is meant.

use serde_json::Value;

/// An account that the broker knows.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) username: String,
    /// What the broker told, as it is sent back: it may look at members that nobody here knows.
    pub(crate) told: Value,
}

/// What follows from the accounts that there are, and the one that was asked for.
#[derive(Debug)]
pub(crate) enum Choice<'a> {
    One(&'a Account),
    /// There is none, or none of that name.
    Unknown,
    /// Nobody said which of them.
    Several,
}

impl Account {
    /// An account that has a name. Others cannot be asked for.
    pub(crate) fn parse(told: Value) -> Option<Self> {
        let username = told.get("username")?.as_str()?.to_owned();
        (!username.is_empty()).then_some(Self { username, told })
    }

    fn member(&self, name: &str) -> &str {
        self.told.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Whether this is the person in the tenant that is their own. `homeAccountId` is
    /// `OBJECT.TENANT`.
    fn is_at_home(&self) -> bool {
        self.member("homeAccountId")
            .split_once('.')
            .is_some_and(|(_, home)| is_same(home, self.member("realm")))
    }
}

/// Chooses by `asked`, a sign-in name. One person may have an account in several tenants: then the
/// one in `tenant` is meant, else the one at home.
pub(crate) fn choose<'a>(
    accounts: &'a [Account],
    asked: Option<&str>,
    tenant: Option<&str>,
) -> Choice<'a> {
    let name = match (asked, accounts) {
        (Some(asked), _) => asked,
        (None, []) => return Choice::Unknown,
        (None, [first, others @ ..]) => {
            if !others
                .iter()
                .all(|other| is_same(&other.username, &first.username))
            {
                return Choice::Several;
            }
            &first.username
        }
    };
    let of_that_name = || {
        accounts
            .iter()
            .filter(|account| is_same(&account.username, name))
    };
    let in_tenant =
        tenant.and_then(|tenant| of_that_name().find(|one| is_same(one.member("realm"), tenant)));
    in_tenant
        .or_else(|| of_that_name().find(|account| account.is_at_home()))
        .or_else(|| of_that_name().next())
        .map_or(Choice::Unknown, Choice::One)
}

/// Whether two names of accounts or tenants are one: the case does not matter.
pub(crate) fn is_same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// The names of the accounts, for a person.
pub(crate) fn list(accounts: &[Account]) -> String {
    /// How many names help somebody who looks for one?
    const SHOWN: usize = 10;
    let mut names: Vec<String> = Vec::new();
    for account in accounts {
        let name = format!("`{}`", account.username);
        if !names.iter().any(|other| is_same(other, &name)) {
            names.push(name);
        }
    }
    if names.len() > SHOWN {
        let more = names.len() - SHOWN;
        names.truncate(SHOWN);
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Account, Choice, choose, list};

    fn accounts(rows: &[(&str, &str)]) -> Vec<Account> {
        let parse = |(username, realm): &(&str, &str)| {
            let told = json!({"username": username, "realm": realm, "homeAccountId": "1.home"});
            Account::parse(told).expect("it has a name")
        };
        rows.iter().map(parse).collect()
    }

    #[test]
    fn the_account_that_was_asked_for_is_chosen_without_regard_to_case() {
        let two = [("ada@contoso.com", "home"), ("Bob@contoso.com", "home")];
        let guest = [
            ("ada@contoso.com", "guest"),
            ("ada@contoso.com", "other"),
            ("Ada@contoso.com", "home"),
        ];
        let strangers = [("ada@contoso.com", "guest"), ("ada@contoso.com", "other")];
        // Accounts, asked for, tenant, and the number of the chosen one.
        for (rows, asked, tenant, expected) in [
            (&two[..], Some("ADA@contoso.com"), None, Ok(0)),
            (&two, Some("bob@CONTOSO.com"), None, Ok(1)),
            (&two, Some("eve@contoso.com"), None, Err("unknown")),
            (&two, None, None, Err("several")),
            (&two[..1], None, None, Ok(0)),
            (&two[..1], Some("bob@contoso.com"), None, Err("unknown")),
            (&[], None, None, Err("unknown")),
            (&[], Some("ada@contoso.com"), None, Err("unknown")),
            (&guest, None, None, Ok(2)),
            (&guest, None, Some("OTHER"), Ok(1)),
            (&guest, Some("ada@contoso.com"), Some("guest"), Ok(0)),
            (&guest, None, Some("organizations"), Ok(2)),
            (&strangers, None, None, Ok(0)),
        ] {
            let accounts = accounts(rows);
            let chosen = match choose(&accounts, asked, tenant) {
                Choice::One(account) => Ok(accounts
                    .iter()
                    .position(|one| std::ptr::eq(one, account))
                    .expect("one of them")),
                Choice::Unknown => Err("unknown"),
                Choice::Several => Err("several"),
            };
            assert_eq!(chosen, expected, "{rows:?} {asked:?} {tenant:?}");
        }
    }

    #[test]
    fn a_list_names_each_person_once_and_ends() {
        let few = accounts(&[("ada@x.com", "1"), ("Ada@x.com", "2"), ("bob@x.com", "1")]);
        assert_eq!(list(&few), "`ada@x.com`, `bob@x.com`");
        let names: Vec<String> = (0..1000).map(|number| format!("u{number}")).collect();
        let rows: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let shown = list(&accounts(&rows));
        assert!(shown.ends_with("`u9`, 990 more"), "{shown}");
    }

    #[test]
    fn an_account_without_a_name_is_none() {
        for told in [
            json!({}),
            json!({"username": ""}),
            json!({"username": 1}),
            json!(null),
        ] {
            assert!(Account::parse(told).is_none());
        }
    }
}

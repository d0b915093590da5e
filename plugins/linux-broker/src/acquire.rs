//! How a token is had: silently, else with the person, if they may be asked.

use zeroize::Zeroizing;

use crate::account::{self, Account, Choice, is_same};
use crate::broker::{self, Client, Method, Token, Wish};
use crate::failure::{Failure, Kind};

/// A broker that can be called.
pub(crate) trait Broker {
    /// Calls a method, and gives its answer.
    fn call(&mut self, method: Method, request: &str) -> Result<Zeroizing<String>, Failure>;

    /// Milliseconds since 1970.
    fn now(&self) -> i64;

    /// Says that from here on a person is waited for. An error means that nobody wants the answer
    /// any more, and so no window.
    fn ask(&mut self, message: String) -> Result<(), Failure>;
}

/// What is wanted of the broker.
#[derive(Debug)]
pub(crate) struct Acquire {
    /// The profile's name, for the command that helps.
    pub(crate) profile: Option<String>,
    pub(crate) client: Client,
    pub(crate) scopes: Vec<String>,
    pub(crate) claims: Option<String>,
    pub(crate) account: Option<String>,
    /// Seconds for which the token should be valid.
    pub(crate) min_valid: u64,
    pub(crate) force_refresh: bool,
    pub(crate) may_ask: bool,
}

impl Acquire {
    pub(crate) fn run(&self, broker: &mut dyn Broker) -> Result<Token, Failure> {
        let request = broker::accounts_request(&self.client);
        let accounts = broker::accounts(&broker.call(Method::GetAccounts, &request)?)?;
        let account = match account::choose(&accounts, self.account.as_deref(), self.tenant()) {
            Choice::One(account) => Some(account),
            Choice::Unknown => None,
            Choice::Several => return Err(several(&accounts)),
        };
        let refusal = match account {
            Some(account) => match self.silent(account, broker) {
                Err(failure) if failure.kind == Kind::LoginRequired => failure,
                verdict => return verdict,
            },
            None => self.unknown(&accounts),
        };
        if !self.may_ask {
            return Err(refusal.sign_in(self.profile.as_deref()));
        }
        let name = account
            .map(|account| account.username.as_str())
            .or(self.account.as_deref());
        broker.ask(match name {
            Some(name) => format!("The identity broker asks {name} to sign in, in a window."),
            None => "The identity broker asks for a sign-in, in a window.".to_owned(),
        })?;
        let method = Method::AcquireTokenInteractively;
        self.token(method, &self.wish(account), broker)
    }

    /// The token that the broker has or gets by itself; where that is not to be had, or ends too
    /// soon, the one that replaces it.
    fn silent(&self, account: &Account, broker: &mut dyn Broker) -> Result<Token, Failure> {
        let method = Method::AcquireTokenSilently;
        let wish = self.wish(Some(account));
        let first = self.token(method, &wish, broker)?;
        let is_short = first.expires_in.is_some_and(|left| left < self.min_valid);
        if !self.force_refresh && !is_short {
            return Ok(first);
        }
        let renewed = Wish {
            renew: Some(&first.access_token),
            ..wish
        };
        let second = self.token(method, &renewed, broker);
        if !self.force_refresh {
            return Ok(second.unwrap_or(first));
        }
        let second = second?;
        if second.access_token == first.access_token {
            return Err(Failure::new(
                Kind::Unavailable,
                "the identity broker gave the token once more that was to be replaced",
            ));
        }
        Ok(second)
    }

    fn token(
        &self,
        method: Method,
        wish: &Wish<'_>,
        broker: &mut dyn Broker,
    ) -> Result<Token, Failure> {
        let answer = broker.call(method, &broker::token_request(method, wish))?;
        let mut token = broker::token(&answer, broker.now())?;
        let wanted = wish
            .account
            .map(|account| account.username.as_str())
            .or(wish.login_hint);
        match (wanted, token.username.as_deref()) {
            (Some(wanted), Some(other)) if !is_same(wanted, other) => Err(Failure::new(
                Kind::Denied,
                format!("the identity broker gave a token of `{other}` instead of `{wanted}`"),
            )),
            (_, Some(_)) => Ok(token),
            (_, None) => {
                token.username = wish.account.map(|account| account.username.clone());
                Ok(token)
            }
        }
    }

    fn wish<'a>(&'a self, account: Option<&'a Account>) -> Wish<'a> {
        Wish {
            client: &self.client,
            scopes: &self.scopes,
            claims: self.claims.as_deref(),
            account,
            login_hint: self.account.as_deref(),
            renew: None,
        }
    }

    /// The tenant that the authority names.
    fn tenant(&self) -> Option<&str> {
        self.client
            .authority
            .trim_end_matches('/')
            .rsplit('/')
            .next()
    }

    fn unknown(&self, accounts: &[Account]) -> Failure {
        let message = match &self.account {
            Some(asked) if accounts.is_empty() => {
                format!("the identity broker has no account, and so not `{asked}`")
            }
            Some(asked) => format!(
                "the identity broker does not know `{asked}`, but {}",
                account::list(accounts)
            ),
            None => "the identity broker has no account".to_owned(),
        };
        Failure::new(Kind::LoginRequired, message)
    }
}

/// A sign-in would change nothing, so none is asked for.
fn several(accounts: &[Account]) -> Failure {
    Failure::new(
        Kind::Denied,
        format!(
            "the identity broker has several accounts: {}",
            account::list(accounts)
        ),
    )
    .hint("name one of them: `account = \"…\"` in the profile, or `--account`")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{Acquire, Broker};
    use crate::broker::{Client, Method};
    use crate::failure::{Failure, Kind};

    /// A broker that wants a person, whose caller has gone.
    struct Abandoned(Vec<Method>);

    impl Broker for Abandoned {
        fn call(&mut self, method: Method, _: &str) -> Result<Zeroizing<String>, Failure> {
            self.0.push(method);
            Ok(Zeroizing::new("{}".to_owned()))
        }

        fn now(&self) -> i64 {
            0
        }

        fn ask(&mut self, _: String) -> Result<(), Failure> {
            Err(Failure::new(Kind::Unavailable, "gone"))
        }
    }

    #[test]
    fn no_window_opens_for_a_request_that_was_given_up() {
        let acquire = Acquire {
            profile: None,
            client: Client {
                id: "1".to_owned(),
                authority: "https://login.example/t".to_owned(),
                redirect_uri: "https://back.example/".to_owned(),
            },
            scopes: vec!["a".to_owned()],
            claims: None,
            account: None,
            min_valid: 0,
            force_refresh: false,
            may_ask: true,
        };
        let mut broker = Abandoned(Vec::new());
        let failure = acquire.run(&mut broker).expect_err("nobody was asked");
        assert_eq!(failure.message, "gone");
        assert_eq!(broker.0, [Method::GetAccounts]);
    }
}

//! AWS: a token for temporary credentials of a role
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>).
//!
//! What is kept is the document that a `credential_process` prints: it is handed out as it is.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use zeroize::Zeroizing;

use super::xml::{self, Document};
use super::{Entry, Exchange, Failure, Given, Problems};
use crate::context::{Context, HttpRequest, HttpResponse, Tls};
use crate::credential::{Credential, TokenKind};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::oauth::client::Client;
use crate::oauth::id_token;
use crate::oauth::request::Form;
use crate::oauth::response::without;
use crate::secret::Secret;
use crate::text::{printable, printable_url};
use crate::token::{NOT_APPLICABLE, Timestamp, TokenSet};

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    keys: &[ROLE_ARN, REGION, SESSION_NAME, DURATION],
    required: &[ROLE_ARN, REGION],
    parse,
};

const NAME: &str = "aws";
const ROLE_ARN: &str = "role_arn";
const REGION: &str = "region";
const SESSION_NAME: &str = "session_name";
const DURATION: &str = "duration";

/// Where the service is, for whoever has another one.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_STS";
/// The certificate authorities that AWS' own programs trust.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The parts of AWS that know nothing of each other: what names of their regions begin with, what their
/// ARNs say, and what their hosts end with. The last one is for all other regions.
const PARTITIONS: &[(&str, &str, &str)] = &[
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("", "aws", "amazonaws.com"),
];

/// A role, and how it is taken on.
#[derive(Debug)]
struct Aws {
    role_arn: String,
    /// The number of the account that the role is in.
    account_id: String,
    /// The service that is asked.
    url: String,
    session_name: Option<String>,
    /// In seconds.
    duration: Option<u64>,
}

fn parse(given: &Given) -> Result<Box<dyn Exchange>, Problems> {
    let mut problems = Problems::new();
    let text = |key: &str| given.get(key).map(String::as_str).unwrap_or_default();
    let (role_arn, region) = (text(ROLE_ARN), text(REGION));
    let role = role(role_arn);
    if role.is_none() {
        let shown = printable(role_arn);
        let problem =
            format!("`{shown}` is no role; write it as `arn:aws:iam::123456789012:role/NAME`");
        problems.push((ROLE_ARN, problem));
    }
    let is_of_region =
        |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || "-".contains(one);
    if !(region.contains('-') && region.chars().all(is_of_region)) {
        let shown = printable(region);
        let problem = format!("`{shown}` is no region; write it as `eu-central-1`");
        problems.push((REGION, problem));
    }
    let mut partitions = PARTITIONS.iter();
    let (_, partition, suffix) = partitions
        .find(|(start, _, _)| region.starts_with(start))
        .expect("the last one is for all");
    if let Some((of_role, _)) = role
        && problems.is_empty()
        && of_role != *partition
        && PARTITIONS.iter().any(|(_, known, _)| of_role == *known)
    {
        let problem =
            format!("`{region}` is of the partition `{partition}`, and the role of `{of_role}`");
        problems.push((REGION, problem));
    }
    let session_name = given.get(SESSION_NAME);
    if session_name.is_some_and(|name| !is_session_name(name)) {
        let problem = "it has 2 to 64 of the characters A to Z, a to z, 0 to 9 and `_+=,.@-`";
        problems.push((SESSION_NAME, problem.to_owned()));
    }
    let duration = given.get(DURATION).map(|text| {
        let duration = humantime::parse_duration(text).ok();
        duration.filter(|duration| (FIFTEEN_MINUTES..=TWELVE_HOURS).contains(duration))
    });
    if duration == Some(None) {
        let problem = "it is no time between \"15m\" and \"12h\"";
        problems.push((DURATION, problem.to_owned()));
    }
    let Some((_, account_id)) = role.filter(|_| problems.is_empty()) else {
        return Err(problems);
    };
    Ok(Box::new(Aws {
        role_arn: role_arn.to_owned(),
        account_id: account_id.to_owned(),
        url: format!("https://sts.{region}.{suffix}/"),
        session_name: session_name.cloned(),
        duration: duration.flatten().map(|duration| duration.as_secs()),
    }))
}

/// How short and how long may a session be?
const FIFTEEN_MINUTES: Duration = Duration::from_secs(15 * 60);
const TWELVE_HOURS: Duration = Duration::from_secs(12 * 60 * 60);

/// The partition and the account of a role's ARN.
fn role(arn: &str) -> Option<(&str, &str)> {
    /// How long may an ARN be?
    const LONGEST: usize = 2048;
    let rest = arn.strip_prefix("arn:")?;
    let (partition, rest) = rest.split_once(':')?;
    let (account, role) = rest.strip_prefix("iam::")?.split_once(':')?;
    let is_partition = partition.starts_with("aws")
        && partition
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = role.strip_prefix("role/")?;
    let is_name = name.bytes().all(|byte| (0x21..0x7f).contains(&byte)) && !name.ends_with('/');
    let is_good = is_partition && is_account && is_name && !name.is_empty() && arn.len() <= LONGEST;
    is_good.then_some((partition, account))
}

fn is_of_session_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len()) && name.chars().all(is_of_session_name)
}

/// The name under which AWS' logs show what was done: whoever signed in, as far as that can be written.
fn session_name_of(account: Option<&str>) -> String {
    let written = account.unwrap_or_default().chars().take(64);
    let written: String = written
        .map(|one| if is_of_session_name(one) { one } else { '-' })
        .collect();
    if is_session_name(&written) {
        written
    } else {
        "cred-helper".to_owned()
    }
}

impl Aws {
    /// The service, as it is named.
    fn endpoint(&self, context: &Context<'_>) -> String {
        let named = context.environment.variable(ENDPOINT);
        named.unwrap_or_else(|| self.url.clone())
    }

    fn doing(&self) -> String {
        format!("AWS gave no credentials of the role `{}`", self.role_arn)
    }

    /// What is asked for, in the order in which AWS' own programs write it.
    fn form(&self, credential: &Credential) -> Form {
        let mut form = Form::new("Action", "AssumeRoleWithWebIdentity");
        form.add("Version", "2011-06-15");
        form.add("RoleArn", &self.role_arn);
        match &self.session_name {
            Some(name) => form.add("RoleSessionName", name),
            None => form.add(
                "RoleSessionName",
                &session_name_of(credential.account.as_deref()),
            ),
        }
        form.add_secret("WebIdentityToken", credential.access_token.clone());
        if let Some(duration) = self.duration {
            form.add("DurationSeconds", &duration.to_string());
        }
        form
    }

    fn send(&self, credential: &Credential, context: &Context<'_>) -> Result<HttpResponse, Error> {
        let named = self.endpoint(context);
        let endpoint = Endpoint::parse(&named).map_err(|reason| {
            Error::new(
                ErrorKind::Config,
                format!("`{ENDPOINT}` is `{}`: {reason}", printable_url(&named)),
            )
            .hint(format!(
                "unset it, or name an `https` address; without it, it is `{}`",
                self.url
            ))
        })?;
        let request = HttpRequest {
            method: "POST",
            url: endpoint.as_str().to_owned(),
            headers: vec![(
                "content-type",
                Secret::new("application/x-www-form-urlencoded; charset=utf-8"),
            )],
            body: Some(self.form(credential).encode()),
        };
        // The profile's certificate authorities are those of its authority.
        let ca_file = context.environment.variable(CA_BUNDLE).map(PathBuf::from);
        let tls = Tls {
            ca_file,
            ..Tls::default()
        };
        let limit = context.request_limit()?;
        let response = context
            .http
            .send(&request, &tls, limit)
            .map_err(|failure| match failure.of_network() {
                Ok(failure) => self.unavailable(failure.reason()),
                Err(error) => error.because(format!("`{CA_BUNDLE}` names it")),
            })?;
        context.debug(|| {
            let status = response.status;
            format!("{endpoint} answered with HTTP status {status}")
        });
        Ok(response)
    }

    /// What may go well the next time.
    fn unavailable(&self, reason: &str) -> Error {
        let error = Error::new(ErrorKind::Unavailable, self.doing()).because(reason);
        // The words of rustls, which checks certificates.
        if reason.contains("invalid peer certificate") {
            return error.hint(format!(
                "if your network inspects TLS, name the file of its certificate authority in \
                 `{CA_BUNDLE}`"
            ));
        }
        error.hint("nothing was lost; try again later")
    }

    fn read(&self, document: &Document, now: Timestamp) -> Result<TokenSet, Error> {
        let text = |name: &str| {
            let path = format!(
                "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/{name}"
            );
            let is_plain = |text: &&str| {
                !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
            };
            let found = document.text(&path).filter(is_plain);
            found.ok_or_else(|| self.unavailable(&format!("its answer has no {name}")))
        };
        let quoted = |text: &str| Zeroizing::new(json!(text).to_string());
        let (access_key_id, secret_access_key, session_token) = (
            quoted(text("AccessKeyId")?),
            quoted(text("SecretAccessKey")?),
            quoted(text("SessionToken")?),
        );
        let expiration = text("Expiration")?;
        let end = humantime::parse_rfc3339(expiration)
            .ok()
            .filter(|end| *end > UNIX_EPOCH)
            .map(Timestamp::from)
            .ok_or_else(|| self.unavailable("its answer has no Expiration"))?;
        if end <= now {
            return Err(self
                .unavailable(&format!(
                    "they are good until {}, and here it is {}",
                    end.rfc3339(),
                    now.rfc3339()
                ))
                .hint("set the clock of this machine"));
        }
        let printed = Zeroizing::new(format!(
            "{{\"Version\":1,\"AccessKeyId\":{},\"SecretAccessKey\":{},\"SessionToken\":{},\
             \"Expiration\":\"{}\",\"AccountId\":\"{}\"}}",
            access_key_id.as_str(),
            secret_access_key.as_str(),
            session_token.as_str(),
            end.rfc3339(),
            self.account_id,
        ));
        let printed = Secret::new(printed.as_str());
        Ok(TokenSet {
            expires_at: Some(end),
            ..TokenSet::of_access_token(printed, NOT_APPLICABLE, now)
        })
    }

    /// Why there are no credentials.
    fn refused(&self, response: &HttpResponse, credential: &Credential) -> Failure {
        let status = response.status;
        let document = xml::read(&response.body).ok();
        let text = |name: &str| {
            let text = document
                .as_ref()?
                .text(&format!("ErrorResponse/Error/{name}"))?;
            // Some of what AWS says quotes what it was sent.
            let token = std::slice::from_ref(&credential.access_token);
            Some(printable(&without(text, token)))
        };
        let Some(code) = text("Code").filter(|code| !code.is_empty()) else {
            return self.unavailable(&format!("HTTP status {status}")).into();
        };
        let message = text("Message").unwrap_or_default();
        let said = format!("{code}: {message}");
        let token = credential.access_token.expose();
        let (issuer, audience) = id_token::issuer_and_audience(token).unwrap_or_default();
        let profile = &credential.profile;
        let of_kind = |kind| Error::new(kind, self.doing()).because(&said);
        match code.as_str() {
            _ if matches!(status, 408 | 429 | 500..=599) => self.unavailable(&said).into(),
            "ExpiredTokenException" | "ExpiredToken" => {
                let command = ["cred-helper", "login", "-p", profile];
                Failure::Token(of_kind(ErrorKind::Denied).next(command))
            }
            "InvalidIdentityToken" | "IDPRejectedClaim" => {
                Failure::Token(of_kind(ErrorKind::Denied).hint(format!(
                    "the account {} needs an OIDC provider in IAM for `{issuer}`, with the audience \
                     `{audience}`",
                    self.account_id
                )))
            }
            "AccessDenied" | "AccessDeniedException" => of_kind(ErrorKind::Denied)
                .hint(format!(
                    "the role's trust policy has to allow `sts:AssumeRoleWithWebIdentity` to the OIDC \
                     provider of `{issuer}`, for the audience `{audience}`"
                ))
                .into(),
            "IDPCommunicationError" => self
                .unavailable(&said)
                .hint(format!(
                    "nothing was lost; try again later. AWS reads the keys of `{issuer}` from the \
                     internet"
                ))
                .into(),
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests"
            | "ServiceUnavailable" | "InternalFailure" => self.unavailable(&said).into(),
            "RegionDisabledException" => of_kind(ErrorKind::Config)
                .hint(format!(
                    "name another `region` in `[profiles.{profile}.{NAME}]`, or activate it in the account"
                ))
                .into(),
            "ValidationError" if message.contains("DurationSeconds") => of_kind(ErrorKind::Config)
                .hint(format!(
                    "lower `{DURATION}` in `[profiles.{profile}.{NAME}]`, or raise the role's maximum \
                     session duration"
                ))
                .into(),
            "ValidationError" => of_kind(ErrorKind::Config)
                .hint(format!("check `[profiles.{profile}.{NAME}]`"))
                .into(),
            _ => of_kind(ErrorKind::Denied).into(),
        }
    }
}

/// Refuses a token that AWS cannot take, before it is sent anywhere.
fn check(credential: &Credential) -> Result<(), Error> {
    /// How long may a token be?
    const LONGEST: usize = 20_000;
    let token = credential.access_token.expose();
    let profile = &credential.profile;
    if token.split('.').count() != 3 {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the token of profile `{profile}` is no JWT, and AWS takes nothing else"),
        )
        .hint(format!(
            "write `token = \"id\"` into `[profiles.{profile}]`, and `openid` into its `scopes`"
        )));
    }
    if token.len() > LONGEST {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "the token of profile `{profile}` has {} characters, and AWS takes {LONGEST} at most",
                token.len()
            ),
        )
        .hint("have the authority put less into it: groups and roles are long"));
    }
    Ok(())
}

impl Exchange for Aws {
    fn name(&self) -> &'static str {
        NAME
    }

    fn trades(&self) -> Option<TokenKind> {
        None
    }

    fn identity(&self, context: &Context<'_>) -> Vec<(&'static str, String)> {
        let Self {
            role_arn,
            account_id: _,
            url: _,
            session_name,
            duration,
        } = self;
        let mut identity = vec![
            (ROLE_ARN, role_arn.clone()),
            ("endpoint", self.endpoint(context)),
        ];
        identity.extend(session_name.clone().map(|name| (SESSION_NAME, name)));
        identity.extend(duration.map(|duration| (DURATION, duration.to_string())));
        identity
    }

    fn min_valid(&self) -> Option<i64> {
        /// For how long do AWS' libraries use what they are given, without asking again?
        const UNASKED: i64 = 15 * 60;
        Some(UNASKED)
    }

    fn run(
        &self,
        _client: &Client,
        credential: &Credential,
        _url: Option<&str>,
        context: &Context<'_>,
    ) -> Result<TokenSet, Failure> {
        check(credential)?;
        let response = self.send(credential, context)?;
        if response.status != 200 {
            return Err(self.refused(&response, credential));
        }
        let document = xml::read(&response.body)
            .map_err(|reason| self.unavailable(&format!("its answer is none: {reason}")))?;
        Ok(self.read(&document, context.clock.now())?)
    }
}

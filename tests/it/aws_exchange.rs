//! What AWS is asked and how each of its answers is understood, through the library with fake effects.

use cred_helper::context::HttpFailure;
use cred_helper::credential::Credential;
use cred_helper::error::{Error, ErrorKind};
use cred_helper::exchange::Failure;
use cred_helper::profile::file::Source;
use cred_helper::profile::{Configuration, Profile};
use cred_helper::secret::Secret;
use cred_helper::token::TokenSet;
use serde_json::{Value, json};

use crate::acquire::id_token;
use crate::fake::{START, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/team/deploy";

/// A profile with these keys in its table.
fn profile(keys: &str) -> Profile {
    let text = format!(
        "[profiles.api]\nclient_id = \"cli\"\nscopes = []\nauthority = \"https://id.example\"\n\
         [profiles.api.aws]\nregion = \"eu-central-1\"\nrole_arn = \"{ROLE}\"\n{keys}"
    );
    let mut source = Source::built_in("profiles.toml", &text);
    source.profiles_count = true;
    let sources = [source];
    let configuration = Configuration::new(&sources).expect("the file is good");
    configuration.profile("api").expect("the profile is good")
}

fn token() -> String {
    id_token(&json!({ "iss": "https://id.example", "aud": ["cli", "other"], "sub": "ada" }))
}

fn credential(token: &str, account: Option<&str>) -> Credential {
    Credential {
        profile: "api".into(),
        account: account.map(String::from),
        token_type: "Bearer".into(),
        access_token: Secret::new(token),
        id_token: None,
        expires_at: None,
        expires_in: None,
        scopes: Vec::new(),
        source: "cache",
        stale: false,
        host: None,
        username: None,
        tenant: None,
        basic_only: false,
        proof_key: None,
        dpop_proof: None,
    }
}

fn trade(world: &World, keys: &str, credential: &Credential) -> Result<TokenSet, Failure> {
    let profile = profile(keys);
    let exchange = profile.exchange_for("aws").expect("it has the table");
    let exchange = exchange.expect("it has the table");
    exchange.run(&profile.client, credential, None, &world.context())
}

/// An answer whose end is so many seconds away, with its elements in another order than AWS has them.
fn granted(seconds: i64) -> String {
    let end = START.plus(seconds).rfc3339();
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>\
         <AssumeRoleWithWebIdentityResult><Audience>cli</Audience><Credentials>\
         <Expiration>{end}</Expiration><SessionToken>session/token+==</SessionToken>\
         <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret/key</SecretAccessKey>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

#[test]
fn what_is_kept_is_the_document_that_aws_tools_read() {
    let world = World::default();
    world.answer(200, granted(3600));
    let traded = trade(&world, "", &credential(&token(), None)).map_err(Error::from);
    let traded = traded.expect("it is traded");
    let document: Value = serde_json::from_str(traded.access_token.expose()).expect("it is JSON");
    assert_eq!(
        document,
        json!({ "Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret/key",
                "SessionToken": "session/token+==", "Expiration": START.plus(3600).rfc3339(),
                "AccountId": "123456789012" })
    );
    assert_eq!(traded.token_type, "N_A");
    assert_eq!(traded.expires_at, Some(START.plus(3600)));
}

#[test]
fn the_session_has_the_name_of_whoever_signed_in_or_that_of_the_profile() {
    let long = "x".repeat(70);
    for (keys, account, name) in [
        ("", Some("ada@example.test"), "ada@example.test"),
        ("", Some("Ada Łovelace <a>"), "Ada--ovelace--a-"),
        ("", Some("a"), "cred-helper"),
        ("", None, "cred-helper"),
        ("", Some(long.as_str()), &long[..64]),
        ("session_name = \"ci\"", Some("ada@example.test"), "ci"),
    ] {
        let world = World::default();
        world.answer(200, granted(3600));
        let traded = trade(&world, keys, &credential(&token(), account));
        assert!(traded.is_ok());
        let sent = world.sent.borrow();
        assert_eq!(sent[0].form["RoleSessionName"], name);
        assert_eq!(sent[0].form.get("DurationSeconds"), None);
    }
}

#[test]
fn each_refusal_says_what_aws_said_and_what_to_do() {
    const IAM: &str =
        "an OIDC provider in IAM for `https://id.example`, with the audience `cli, other`";
    let token = token();
    let quoted = format!("Value '{token}' is wrong");
    for (status, code, message, kind, is_of_token, part) in [
        (
            400,
            "ExpiredTokenException",
            "it is over",
            ErrorKind::Denied,
            true,
            "cred-helper login -p api",
        ),
        (
            400,
            "InvalidIdentityToken",
            "no provider",
            ErrorKind::Denied,
            true,
            IAM,
        ),
        (403, "IDPRejectedClaim", "no", ErrorKind::Denied, true, IAM),
        (
            403,
            "AccessDenied",
            "Not authorized",
            ErrorKind::Denied,
            false,
            "trust policy",
        ),
        (
            400,
            "IDPCommunicationError",
            "no",
            ErrorKind::Unavailable,
            false,
            "https://id.example",
        ),
        (
            400,
            "Throttling",
            "Rate exceeded",
            ErrorKind::Unavailable,
            false,
            "try again later",
        ),
        (
            403,
            "RegionDisabledException",
            "no",
            ErrorKind::Config,
            false,
            "another `region`",
        ),
        (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration",
            ErrorKind::Config,
            false,
            "lower `duration`",
        ),
        (
            400,
            "ValidationError",
            &quoted,
            ErrorKind::Config,
            false,
            "[profiles.api.aws]",
        ),
        (
            400,
            "SomethingNew",
            "no\u{1b}[31m",
            ErrorKind::Denied,
            false,
            "",
        ),
        (
            500,
            "AccessDenied",
            "no",
            ErrorKind::Unavailable,
            false,
            "try again later",
        ),
        (
            503,
            "",
            "",
            ErrorKind::Unavailable,
            false,
            "try again later",
        ),
        (
            403,
            "",
            "",
            ErrorKind::Unavailable,
            false,
            "try again later",
        ),
    ] {
        let world = World::default();
        world.answer(status, refusal(code, message));
        let failure = trade(&world, "", &credential(&token, None)).expect_err("it is refused");
        assert_eq!(matches!(failure, Failure::Token(_)), is_of_token, "{code}");
        let error = Error::from(failure);
        assert_eq!(error.kind(), kind, "{code}");
        let said = error.to_string();
        assert!(said.contains(code) && said.contains(ROLE), "{said}");
        assert!(!said.contains(&token[4..20]), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
        let hint = error.hint_text().unwrap_or_default();
        assert!(hint.contains(part), "{code}: {hint}");
    }
}

#[test]
fn an_answer_that_cannot_be_understood_is_trouble_and_no_refusal() {
    let whole = granted(3600);
    for (status, answer) in [
        (200, String::new()),
        (200, "{}".to_owned()),
        (
            200,
            "<html><body>sign in to this network</body></html>".to_owned(),
        ),
        (
            200,
            whole.replace("<SecretAccessKey>secret/key</SecretAccessKey>", ""),
        ),
        (200, whole.replace("secret/key", "secret key")),
        (200, whole.replace("ASIAEXAMPLE", "")),
        (200, whole.replace("<Expiration>2", "<Expiration>x")),
        (
            200,
            whole.replace("<Audience>cli</Audience>", "<!DOCTYPE x>"),
        ),
        (200, whole[..whole.len() - 1].to_owned()),
        (200, granted(0)),
        (200, refusal("AccessDenied", "no")),
        (302, whole.clone()),
        (403, "<html>".to_owned()),
    ] {
        let world = World::default();
        world.answer(status, &answer);
        let error = trade(&world, "", &credential(&token(), None)).expect_err("it is none");
        assert!(matches!(error, Failure::Other(_)), "{answer}");
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{answer}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let world = World::default();
    world.fail(HttpFailure::NotSent(
        "invalid peer certificate: UnknownIssuer".into(),
    ));
    let error = trade(&world, "", &credential(&token(), None)).expect_err("it is not sent");
    let error = Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error
            .hint_text()
            .is_some_and(|hint| hint.contains("AWS_CA_BUNDLE"))
    );
}

#[test]
fn a_token_that_aws_cannot_take_and_an_endpoint_that_anybody_can_read_are_sent_nothing() {
    let long = format!("a.{}.c", "b".repeat(20_000));
    for (token, part) in [
        ("opaque-access-token", "token = \"id\""),
        (long.as_str(), "have the authority put less into it"),
    ] {
        let world = World::default();
        let error = trade(&world, "", &credential(token, None)).expect_err("it cannot be taken");
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.hint_text().is_some_and(|hint| hint.contains(part)),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains(&token[..10]));
        assert_eq!(world.sent.borrow().len(), 0);
    }
    let longest = format!("a.{}.c", "b".repeat(20_000 - 4));
    let world = World::default();
    world.answer(200, granted(3600));
    assert!(trade(&world, "", &credential(&longest, None)).is_ok());
    for endpoint in [
        "http://sts.example/",
        "ftp://127.0.0.1/",
        "sts.example",
        "https://a:b@sts.example",
    ] {
        let mut world = World::default();
        world
            .variables
            .insert("AWS_ENDPOINT_URL_STS", endpoint.to_owned());
        let error = trade(&world, "", &credential(&token(), None)).expect_err("it is not used");
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.message().starts_with("`AWS_ENDPOINT_URL_STS` is `"),
            "{error}"
        );
        assert!(!error.message().contains("a:b"), "{error}");
        assert_eq!(world.sent.borrow().len(), 0);
    }
}

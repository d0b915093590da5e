//! A day with the AWS CLI: credentials of a role for a sign-in, by an STS that checks the token and what
//! is done with them.

use std::collections::BTreeSet;
use std::thread;

use serde_json::Value;

use crate::aws_ground::{AwsGround, IDENTITY, OTHER_ROLE, ROLE, session_of};
use crate::http_server::HttpServer;
use crate::oidc_ground::eventually;

/// The session of the role, as ada.
fn ada() -> String {
    session_of(ROLE, "ada@example.test")
}

#[test]
fn the_aws_cli_asks_at_the_terminal_once_and_is_silent_until_the_sign_in_ends() {
    let Some(aws) = AwsGround::new() else {
        return;
    };
    let ground = &aws.ground;
    let error = aws.failure();
    assert!(error.contains("custom-process"), "{error}");
    assert!(error.contains("cred-helper login -p api"), "{error}");
    assert_eq!(ground.authority.requests().total, 0);

    let shown = ground.shell_as_ada(&aws.line(&format!("{IDENTITY} >said")));
    assert!(shown.contains("enter the code"), "{shown}");
    assert_eq!(ground.read("said"), ada());
    assert_eq!(aws.sessions(), [ada()]);
    ground.authority.reset_requests();

    assert_eq!(aws.identity(), ada());
    assert_eq!(ground.authority.requests().total, 0);
    assert_eq!(aws.sessions(), [""; 0], "the credentials are cached");

    ground.expire();
    assert_eq!(aws.identity(), ada());
    ground.assert_requests(1, 0);
    assert_eq!(aws.sessions(), [ada()]);

    ground.expire();
    ground.authority.revoke(&ground.refresh_token());
    let error = aws.failure();
    assert!(error.contains("cred-helper login -p api"), "{error}");
    assert_eq!(aws.sessions(), [""; 0]);

    aws.configure("credential_process = cred-helper aws -p apo");
    let error = aws.failure();
    assert!(error.contains("there is no profile `apo`"), "{error}");
}

#[test]
fn sixteen_calls_at_once_make_one_request_also_where_credentials_live_no_longer_than_they_must() {
    for table in ["", "duration = \"15m\"\n"] {
        let Some(aws) = AwsGround::signed_in() else {
            return;
        };
        aws.profile(&format!("role_arn = \"{ROLE}\"\n{table}"));
        aws.ground.expire();
        let line = aws.line("cred-helper aws");
        let answers = aws.ground.at_once(16, |_| aws.ground.shell(&line).json());
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(answers[0]["Version"], 1);
        assert_eq!(answers[0]["AccountId"], "123456789012");
        assert_eq!(aws.sessions(), [ada()]);
        aws.ground.assert_requests(1, 0);
        let body = aws.bodies().remove(0);
        assert_eq!(
            body.contains("&DurationSeconds=900"),
            !table.is_empty(),
            "{body}"
        );
    }
}

#[test]
fn while_sts_is_silent_other_tools_of_the_sign_in_go_on_and_those_that_want_the_same_wait_for_it() {
    const WAITERS: usize = 3;
    let Some(aws) = AwsGround::signed_in() else {
        return;
    };
    let ground = &aws.ground;
    let line = aws.line("cred-helper aws");
    let ask = || ground.shell(&line).json();
    let silence = aws.silence();
    let answers: Vec<Value> = thread::scope(|scope| {
        let first = scope.spawn(ask);
        eventually("the first one has asked STS", || aws.bodies().len() == 1);
        assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");
        let others = [(); WAITERS].map(|()| scope.spawn(ask));
        eventually("the others wait for the first one", || {
            let waits = "waiting for another process that exchanges a token of this session";
            ground.logged(waits) == WAITERS
        });
        drop(silence);
        let all = [first].into_iter().chain(others);
        all.map(|call| call.join().expect("it was answered"))
            .collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(aws.sessions(), [ada()]);
    ground.assert_requests(1, 0);
}

#[test]
fn credentials_are_of_the_role_that_the_profile_names_now_and_as_long_as_it_says() {
    let Some(aws) = AwsGround::signed_in() else {
        return;
    };
    let id = || {
        let answer: Value = aws.run("cred-helper aws -p api").json();
        answer["AccessKeyId"].clone()
    };
    let first = id();
    assert_eq!(id(), first);
    for table in [
        format!("role_arn = \"{OTHER_ROLE}\"\n"),
        format!("role_arn = \"{ROLE}\"\nduration = \"2h\"\n"),
        format!("role_arn = \"{ROLE}\"\nsession_name = \"ci\"\n"),
    ] {
        aws.profile(&table);
        let other = id();
        assert_ne!(other, first, "{table}");
        assert_eq!(id(), other, "{table}");
    }
    let sessions = [
        ada(),
        session_of(OTHER_ROLE, "ada@example.test"),
        ada(),
        session_of(ROLE, "ci"),
    ];
    assert_eq!(aws.sessions(), sessions);
    aws.profile(&format!("role_arn = \"{ROLE}\"\n"));
    assert_eq!(id(), first, "what was there is there still");
    // Nothing of that is anybody's but the tool's: others get the tokens themselves.
    let session = aws.ground.session().to_string();
    assert_eq!(session.matches("token-of-session-").count(), 4);
    for format in ["token", "id-token", "json"] {
        let got = aws.run(&format!("cred-helper get -p api -o {format}")).ok();
        assert!(!got.contains("of-session"), "{got}");
    }
    let none = HttpServer::start(|_| unreachable!("nobody asks it"));
    let plain = format!(
        "AWS_ENDPOINT_URL_STS={} cred-helper aws",
        none.url("").replace("127.0.0.1", "sts.example")
    );
    let error = aws.run(&plain).failed(3);
    assert!(
        error.contains("`http` is allowed on loopback only"),
        "{error}"
    );
}

#[test]
fn a_token_in_a_file_is_what_the_aws_cli_takes_and_it_asks_in_the_same_words_as_we_do() {
    let Some(aws) = AwsGround::signed_in() else {
        return;
    };
    let expected = aws.identity();
    aws.configure(&format!(
        "role_arn = {ROLE}\nrole_session_name = ada@example.test\nweb_identity_token_file = {}",
        aws.home("token").display()
    ));
    aws.run("cred-helper get -p api -o id-token --output-file token")
        .ok();
    assert_eq!(aws.identity(), expected);
    assert_eq!(aws.sessions(), [ada(), ada()]);
    // The AWS CLI's order is that of its own calls.
    let fields = |body: &str| -> BTreeSet<String> { body.split('&').map(String::from).collect() };
    let bodies = aws.bodies();
    assert_eq!(fields(&bodies[0]), fields(&bodies[1]), "ours, and theirs");
    let requests = aws.sts.requests();
    let types: BTreeSet<_> = requests
        .iter()
        .map(|request| request.header("content-type"))
        .collect();
    let one = ["application/x-www-form-urlencoded; charset=utf-8"];
    assert_eq!(types, one.into());
    // The AWS CLI reads the file anew each time.
    std::fs::write(aws.home("token"), "e30.e30.x").expect("it can be written");
    assert!(aws.failure().contains("InvalidIdentityToken"));
    aws.run("cred-helper get -p api -o id-token --output-file token")
        .ok();
    assert_eq!(aws.identity(), expected);
}

#[test]
fn what_setup_writes_is_what_the_aws_cli_takes_and_it_is_undone_without_a_trace() {
    let Some(aws) = AwsGround::signed_in() else {
        return;
    };
    let config = aws.home(".aws/config");
    let before = std::fs::read(&config).expect("it is there");
    // A place that only quotes make one word.
    aws.run("mkdir 'a b' && cp \"$(command -v cred-helper)\" 'a b/'")
        .ok();
    let identity = format!("AWS_DEFAULT_REGION=x {}", IDENTITY.replace("work", "api"));
    for program in ["cred-helper", "'a b/cred-helper'"] {
        let said = aws.run(&format!("{program} setup aws")).ok();
        assert!(said.contains("the profile api has no `region`"), "{said}");
        assert_eq!(aws.run(&identity).ok().trim_end(), ada(), "{program}");
    }
    let text = std::fs::read_to_string(&config).expect("it is there");
    assert_eq!(
        text.matches("[profile api]\ncredential_process = ").count(),
        1,
        "{text}"
    );
    let listed = aws.run("cred-helper setup --list").ok();
    assert!(listed.contains("profile api"), "{listed}");
    // What we warn of is so.
    let keys = "[api]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = of-somebody\n";
    std::fs::write(aws.home(".aws/credentials"), keys).expect("it can be written");
    let said = aws.run("cred-helper setup aws").ok();
    assert!(said.contains("has a `aws_access_key_id`"), "{said}");
    let error = aws.run(&identity).failed(255);
    assert!(error.contains("InvalidClientTokenId"), "{error}");
    aws.run("cred-helper setup aws --undo").ok();
    assert_eq!(std::fs::read(&config).expect("it is there"), before);
}

#[test]
fn a_refused_token_costs_one_refresh_if_it_is_not_new_and_a_refused_role_none() {
    let Some(aws) = AwsGround::signed_in() else {
        return;
    };
    for requests in 1..=2 {
        // The usual first mistake.
        aws.refuse(
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found",
        );
        let error = aws.failure();
        assert!(error.contains("needs an OIDC provider in IAM"), "{error}");
        aws.ground.assert_requests(0, 0);
        assert_eq!(aws.bodies().len(), requests);
    }
    aws.sts.reset();
    aws.ground.age(60);
    aws.refuse(400, "ExpiredTokenException", "Token expired");
    assert_eq!(aws.identity(), ada());
    aws.ground.assert_requests(1, 0);
    assert_eq!(aws.bodies().len(), 2);

    aws.ground.authority.reset_requests();
    aws.profile("role_arn = \"arn:aws:iam::123456789012:role/not-mine\"\n");
    let error = aws.failure();
    for part in [
        "AWS gave no credentials of the role `arn:aws:iam::123456789012:role/not-mine`",
        "AccessDenied: Not authorized to perform it",
        "trust policy",
        aws.ground.authority.issuer(),
        "for the audience `cli`",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    aws.ground.assert_requests(0, 0);
}

#[test]
fn where_sts_cannot_be_reached_credentials_are_handed_out_while_they_are_good() {
    let Some(aws) = AwsGround::signed_in() else {
        return;
    };
    aws.live(24 * 3600);
    let answer = aws.run("cred-helper aws").json();
    // Some minutes of their life are left.
    aws.ground.age(24 * 3600 - 700);
    aws.refuse(503, "ServiceUnavailable", "no");
    let ran = aws.run("cred-helper aws");
    assert!(ran.stderr.contains("is still valid"), "{ran:?}");
    assert_eq!(ran.json()["AccessKeyId"], answer["AccessKeyId"]);
    aws.ground.expire();
    aws.refuse(503, "ServiceUnavailable", "no");
    let error = aws.run("cred-helper aws").failed(6);
    assert!(error.contains("ServiceUnavailable"), "{error}");
    let line = "AWS_CA_BUNDLE=/dev/null cred-helper aws";
    let error = aws.run(line).failed(3);
    assert!(error.contains("`AWS_CA_BUNDLE` names it"), "{error}");
}

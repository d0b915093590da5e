//! A day with kubectl: a sign-in, silence, a refresh, a revocation, a refusal; which cluster gets
//! whose token.

use std::sync::Arc;

use serde_json::json;

use crate::kubectl_ground::{Kubectl, KubectlGround, id_token_judge, kubectls, new_kubectl};
use crate::oidc_ground::{Ground, eventually, for_each};

/// Each kubectl with each version that it speaks.
fn rows() -> Vec<(Kubectl, &'static str)> {
    let rows = kubectls().into_iter().flat_map(|kubectl| {
        let versions = kubectl.versions().iter();
        versions.map(move |version| (kubectl.clone(), *version))
    });
    rows.collect()
}

/// The first and the last kubectl, where all others do the same in between.
fn few_rows() -> Vec<(Kubectl, &'static str)> {
    let mut rows = rows();
    let last = rows.pop();
    rows.truncate(2);
    rows.extend(last);
    rows
}

/// What the namespaces of the server look like.
const NAMESPACES: &str = "namespace/default\n";

#[test]
fn the_first_call_asks_at_the_terminal_the_second_is_silent_and_an_expired_token_is_refreshed() {
    for_each(rows(), |(kubectl, version)| {
        let ground = KubectlGround::new(json!({}));
        ground.configure(version, json!({}));
        let get = format!("{} get namespaces -o name", kubectl.word());
        let person = || ground.ground.authority.approve(None, "ada");
        let (code, shown) = ground.run_at_a_terminal(&get, person);
        assert_eq!(code, Some(0), "{kubectl:?} {version}: {shown}");
        assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
        assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
        assert!(shown.contains("namespace/default"), "{shown}");
        ground.ground.assert_requests(0, 1);

        ground.ground.authority.reset_requests();
        ground.server.reset();
        let ran = ground.run(&get);
        assert_eq!(ran.stderr, "", "{kubectl:?} {version}");
        assert_eq!(ran.ok(), NAMESPACES);
        assert_eq!(ground.ground.authority.requests().total, 0);
        let (with, without) = ground.requests();
        assert!(with > 0 && without == 0, "{with} {without}");

        ground.ground.expire();
        for _ in 0..2 {
            assert_eq!(ground.run(&get).ok(), NAMESPACES);
        }
        ground.ground.assert_requests(1, 0);
    });
}

#[test]
fn a_revoked_token_is_recovered_from_by_a_forced_refresh() {
    for_each(kubectls(), |kubectl| {
        let ground = KubectlGround::signed_in(json!({}));
        ground.configure_counting(kubectl.versions()[0]);
        let get = format!("{} get namespaces -o name", kubectl.word());
        assert_eq!(ground.run(&get).ok(), NAMESPACES);
        let token = ground.ground.get(&[]);
        ground.ground.authority.revoke(&token);
        ground.starts();

        // Nobody tells the plugin, though it is started again.
        let error = ground.run(&get).failed(1);
        assert!(error.contains("must be logged in to the server"), "{error}");
        assert!(ground.starts() > 1, "{kubectl:?}");
        ground.ground.assert_requests(0, 0);

        ground
            .run("cred-helper get -p api --force-refresh >/dev/null")
            .ok();
        assert_eq!(ground.run(&get).ok(), NAMESPACES);
        ground.ground.assert_requests(1, 0);
        assert_ne!(ground.ground.get(&[]), token);
    });
}

#[test]
fn where_nobody_can_be_asked_kubectl_shows_which_command_signs_in() {
    for_each(rows(), |(kubectl, version)| {
        let ground = KubectlGround::new(json!({}));
        ground.configure_counting(version);
        let get = format!("{} get namespaces", kubectl.word());
        let error = ground.run(&get).failed(1);
        let told = "error: profile `api` needs a sign-in, and nobody may be asked here\n\
                    hint: run `cred-helper login -p api`\n";
        assert!(error.contains(told), "{error}");
        assert!(error.contains("failed with exit code 4"), "{error}");
        assert!(ground.starts() > 1, "the plugin is started several times");
        assert_eq!(ground.ground.authority.requests().total, 0);
        assert_eq!(ground.requests(), (0, 0));
    });
}

#[test]
fn at_a_terminal_kubectl_has_nobody_asked_where_the_kubeconfig_or_its_stdin_forbids_it() {
    let Some(kubectl) = new_kubectl() else { return };
    let rows = ["v1", "v1beta1"].into_iter().flat_map(|version| {
        let get = format!("{} get namespaces", kubectl.word());
        [
            (version, "Never", get.clone()),
            (version, "IfAvailable", format!("{get} </dev/null")),
            (version, "IfAvailable", format!("CI=1 {get}")),
        ]
    });
    for_each(rows, |(version, mode, line)| {
        let ground = KubectlGround::new(json!({}));
        ground.configure(version, json!({ "interactiveMode": mode }));
        let (code, shown) = ground.run_at_a_terminal(&line, || {});
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("nobody may be asked here"), "{shown}");
        assert_eq!(ground.ground.authority.requests().total, 0, "{line}");
    });
}

#[test]
fn a_person_who_refuses_is_asked_once_per_command() {
    for_each(rows(), |(kubectl, version)| {
        let ground = KubectlGround::new(json!({}));
        ground.configure_counting(version);
        let get = format!("{} get namespaces", kubectl.word());
        let person = || ground.ground.authority.deny(None, "ada");
        let (code, shown) = ground.run_at_a_terminal(&get, person);
        assert_eq!(code, Some(1), "{shown}");
        assert!(ground.starts() > 1, "{kubectl:?}");
        assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
        assert!(shown.contains("nobody is asked again before"), "{shown}");
        let requests = ground.ground.authority.requests();
        assert_eq!(requests.device_authorization, 1, "{requests:?}");
    });
}

#[test]
fn a_sign_in_that_was_taken_back_costs_one_request_per_command() {
    let Some(kubectl) = new_kubectl() else { return };
    let ground = KubectlGround::signed_in(json!({}));
    let refresh_token = ground.ground.refresh_token();
    ground.ground.authority.revoke(&refresh_token);
    ground.ground.expire();
    let get = format!("{} get namespaces", kubectl.word());
    let error = ground.run(&get).failed(1);
    assert!(error.contains("caused by: invalid_grant"), "{error}");
    ground.ground.assert_requests(1, 0);
    ground.run(&get).failed(1);
    ground.ground.assert_requests(1, 0);
}

/// Has the next refresh refused, with this status and body.
fn refuse_a_refresh(ground: &KubectlGround, body: &str) {
    ground.ground.authority.fault(json!({
        "on": "token", "grant": "refresh_token", "fault": "status", "status": 400, "body": body,
        "headers": { "content-type": "application/json" },
    }));
}

#[test]
fn a_refresh_that_the_authority_refuses_costs_one_request_per_command() {
    let refusals = [
        (r#"{"error":"interaction_required"}"#, "code 4"),
        (
            r#"{"error":"invalid_grant","error_codes":[53003]}"#,
            "code 5",
        ),
        ("", "code 4"),
    ];
    let rows = few_rows()
        .into_iter()
        .flat_map(|row| refusals.map(|refusal| (row.clone(), refusal)));
    for_each(rows, |((kubectl, version), (body, code))| {
        let ground = KubectlGround::signed_in(json!({}));
        ground.configure_counting(version);
        ground.ground.expire();
        let get = format!("{} get namespaces -o name", kubectl.word());
        refuse_a_refresh(&ground, body);
        // The second attempt would go well.
        for _ in 0..2 {
            let error = ground.run(&get).failed(1);
            assert!(ground.starts() > 1, "{kubectl:?}");
            for part in [code, "caused by: that was at ", "`--force-refresh`"] {
                assert!(error.contains(part), "{body}: {error}");
            }
            ground.ground.assert_requests(1, 0);
        }
        ground
            .run("cred-helper get -p api --force-refresh >/dev/null")
            .ok();
        assert_eq!(ground.run(&get).ok(), NAMESPACES);
        ground.ground.assert_requests(2, 0);
    });
}

#[test]
fn at_a_terminal_a_policy_s_refusal_costs_one_request_and_another_one_is_mended_by_a_sign_in() {
    let Some(kubectl) = new_kubectl() else { return };
    let ground = KubectlGround::signed_in(json!({}));
    ground.configure_counting("v1");
    ground.ground.expire();
    let get = format!("{} get namespaces -o name", kubectl.word());
    refuse_a_refresh(&ground, r#"{"error":"access_denied"}"#);
    let (code, shown) = ground.run_at_a_terminal(&get, || {});
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("failed with exit code 5"), "{shown}");
    assert!(!shown.contains("enter the code"), "{shown}");
    assert!(ground.starts() > 1);
    ground.ground.assert_requests(1, 0);

    // Another question is asked again, and then the person.
    refuse_a_refresh(&ground, r#"{"error":"interaction_required"}"#);
    ground
        .run("cred-helper get -p api --force-refresh")
        .failed(4);
    refuse_a_refresh(&ground, r#"{"error":"interaction_required"}"#);
    let person = || ground.ground.authority.approve(None, "ada");
    let (code, shown) = ground.run_at_a_terminal(&get, person);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    ground.ground.assert_requests(3, 1);
}

#[test]
fn an_authority_that_hangs_is_waited_for_once_per_command() {
    let Some(kubectl) = new_kubectl() else { return };
    let ground = KubectlGround::signed_in(json!({}));
    ground.configure_counting("v1");
    ground.ground.expire();
    ground.ground.authority.fault(json!({
        "on": "token", "grant": "refresh_token", "fault": "hang", "times": 10,
    }));
    // The plugins share a clock, which runs faster than kubectl's.
    let get = format!("faketime -f '+0 x4' {} get namespaces", kubectl.word());
    let error = ground.run(&get).failed(1);
    assert!(error.contains("failed with exit code 6"), "{error}");
    assert!(error.contains("operation timed out"), "{error}");
    assert!(error.contains("caused by: that was at "), "{error}");
    assert!(ground.starts() > 3);
    ground.ground.assert_requests(1, 0);
}

#[test]
fn sixteen_calls_at_once_from_an_expired_session_make_one_token_request() {
    let Some(kubectl) = new_kubectl() else { return };
    let ground = KubectlGround::signed_in(json!({ "rotate": true }));
    ground.ground.expire();
    let get = format!("{} get namespaces -o name", kubectl.word());
    let ran = ground.ground.at_once(16, |_| ground.run(&get));
    for ran in ran {
        let waited = "waiting for another process that refreshes this session";
        let mut said = ran.stderr.lines();
        assert!(said.all(|line| line.starts_with(waited)), "{ran:?}");
        assert_eq!(ran.ok(), NAMESPACES);
    }
    ground.ground.assert_refreshed_once();
}

#[test]
fn sixteen_calls_under_one_terminal_ask_once() {
    let Some(kubectl) = new_kubectl() else { return };
    let ground = KubectlGround::new(json!({}));
    // A shell takes their stdin from those that run beside it.
    let line = format!(
        "for i in $(seq 16); do {} get namespaces </dev/tty >shown-$i 2>errors-$i || echo failed $i & \
         done; wait",
        kubectl.word()
    );
    let (code, shown) = ground.run_at_a_terminal(&line, || {
        eventually("all others wait for the sign-in", || {
            let waits = "waiting for the sign-in that another process has begun";
            ground.ground.logged(waits) == 15
        });
        ground.ground.authority.approve(None, "ada");
    });
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("enter the code").count(), 1, "{shown}");
    assert!(!shown.contains("failed"), "{shown}");
    ground.ground.assert_requests(0, 1);
}

#[test]
fn the_end_of_a_token_is_told_early_and_one_that_ends_soon_is_not_told_as_over() {
    for_each([(3600, 60..=60), (60, 10..=15)], |(life, early)| {
        let ground = KubectlGround::signed_in(json!({ "accessTokenTtl": life }));
        let time = |text: &serde_json::Value| {
            let text = text.as_str().expect("a time is a text");
            let time = humantime::parse_rfc3339(text).expect("it is a time");
            let time = time.duration_since(std::time::UNIX_EPOCH);
            time.expect("it is past 1970").as_secs()
        };
        let end = time(&ground.ground.get_json(&["--force-refresh"])["expires_at"]);
        let answer = ground.ground.run(&["kubectl", "-p", "api"]).json();
        let told = time(&answer["status"]["expirationTimestamp"]);
        assert!(early.contains(&(end - told)), "{life}: {end} {told}");

        // One start per process, and not one per request.
        for kubectl in kubectls() {
            ground.configure_counting(kubectl.versions()[0]);
            let get = format!("{} get namespaces -o name", kubectl.word());
            assert_eq!(ground.run(&get).ok(), NAMESPACES);
            let starts = ground.starts();
            assert!((1..=2).contains(&starts), "{kubectl:?} {life}: {starts}");
        }
    });
}

#[test]
fn the_cluster_s_url_or_its_configuration_names_the_profile() {
    for_each(few_rows(), |(kubectl, version)| {
        let ground = KubectlGround::signed_in(json!({}));
        let get = format!("{} get namespaces -o name", kubectl.word());
        let url = ground.url();
        ground.configure_by_cluster(&url, version, None);
        assert_eq!(ground.run(&get).ok(), NAMESPACES);
        ground.configure_by_cluster(&url, version, Some(json!({ "profile": "api", "later": 1 })));
        assert_eq!(ground.run(&get).ok(), NAMESPACES);

        // Two answer for it: the cluster's configuration says which.
        let other = format!(
            "scopes = [\"api:read\"]\n[profiles.other]\nauthority = \"https://id.example\"\n\
             client_id = \"cli\"\nscopes = [\"s\"]\nurls = [\"{url}\"]\n"
        );
        ground.set_profile(&other);
        for get in [get.clone(), format!("CRED_HELPER_PROFILE=other {get}")] {
            assert_eq!(ground.run(&get).ok(), NAMESPACES, "{get}");
        }
        for (extension, expected) in [
            (None, "both answer for"),
            (
                Some(json!({ "profile": "apo" })),
                "there is no profile `apo`",
            ),
        ] {
            ground.configure_by_cluster(&url, version, extension);
            let error = ground.run(&get).failed(1);
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(ground.ground.authority.requests().total, 0);
    });
}

#[test]
fn a_cluster_that_no_profile_names_gets_nothing() {
    for_each(few_rows(), |(kubectl, version)| {
        let ground = KubectlGround::signed_in(json!({}));
        let (stranger, elsewhere) = ground.stranger();
        let get = format!("{} get namespaces", kubectl.word());
        let by_name = ground.url().replace("127.0.0.1", "localhost");
        for url in [&elsewhere, &by_name] {
            for (profile, expected) in [
                (None, "no profile answers for"),
                (
                    Some(json!({ "profile": "api" })),
                    "`api` does not answer for",
                ),
            ] {
                ground.configure_by_cluster(url, version, profile);
                let error = ground.run(&get).failed(1);
                assert!(error.contains(expected), "{error}");
                assert!(error.contains("to `urls` of"), "{error}");
            }
        }
        // Nobody says which cluster it is: the default profile is not for just any.
        ground.configure(version, json!({ "args": ["kubectl"] }));
        let error = ground.run(&get).failed(1);
        assert!(
            error.contains("neither a profile nor the cluster is named"),
            "{error}"
        );
        assert!(error.contains("hint: add `--profile NAME`"), "{error}");
        assert_eq!(ground.requests(), (0, 0));
        assert_eq!(stranger.requests().len(), 0);
    });
}

#[test]
fn a_cluster_that_wants_id_tokens_gets_them() {
    for_each(rows(), |(kubectl, version)| {
        let ground = Arc::new(Ground::new(json!({})));
        let judge = id_token_judge(&ground);
        let ground = KubectlGround::with_judge(ground, judge);
        ground.set_profile("scopes = [\"api:read\"]\ntoken = \"id\"\n");
        ground.configure(version, json!({}));
        let get = format!("{} get namespaces -o name", kubectl.word());
        let person = || ground.ground.authority.approve(None, "ada");
        let (code, shown) = ground.run_at_a_terminal(&get, person);
        assert_eq!(code, Some(0), "{kubectl:?} {version}: {shown}");
        ground.ground.authority.reset_requests();
        assert_eq!(ground.run(&get).ok(), NAMESPACES);
        ground.ground.assert_requests(0, 0);

        ground.ground.expire();
        for _ in 0..2 {
            assert_eq!(ground.run(&get).ok(), NAMESPACES);
        }
        ground.ground.assert_requests(1, 0);

        // The kubeconfig may say it too, and wins over the profile.
        let with = |which: &str| {
            let arguments = ["kubectl", "-p", "api", "--token", which];
            ground.configure(version, json!({ "args": arguments }));
            ground.run(&get)
        };
        with("access").failed(1);
        ground.set_profile("scopes = [\"api:read\"]\n");
        assert_eq!(with("id").ok(), NAMESPACES);
        ground.ground.assert_requests(1, 0);
    });
}

#[test]
fn the_commands_and_the_kubeconfig_in_the_document_work() {
    let Some(kubectl) = new_kubectl() else { return };
    let document = include_str!("../../docs/kubectl.md");
    let block = |beginning: &str| {
        let mut blocks = document
            .split("```")
            .filter_map(|block| block.strip_prefix("text\n"));
        let found = blocks.find(|block| block.starts_with(beginning));
        found.expect("the document has it").to_owned()
    };
    let ground = KubectlGround::signed_in(json!({}));
    let sandbox = &ground.ground.sandbox;
    sandbox.script("kubectl", &format!("exec {} \"$@\"\n", kubectl.word()));
    std::fs::write(sandbox.path().join("users"), block("users:")).expect("it can be written");
    for line in [
        &format!("{} kubectl", block("kubectl config").replace('\n', " && ")),
        "kubectl config set-context --current --user=ada && \
         KUBECONFIG=\"$HOME/kubeconfig:$HOME/users\" kubectl",
    ] {
        ground.configure("v1", json!({ "command": "nobody" }));
        ground.run("kubectl get namespaces").failed(1);
        let shown = ground.run(&format!("{line} get namespaces -o name")).ok();
        assert!(shown.ends_with(NAMESPACES), "{shown}");
    }
    assert_eq!(ground.ground.authority.requests().total, 0);
}

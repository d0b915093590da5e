//! Which profile answers a tool, and who hears of it where a mistake keeps it from that.

use serde_json::json;

use crate::scene::{Scene, profile};
use crate::support::{Ran, Sandbox};

const NOBODY: &str = "https://login.example";

/// A tool's call: its words, what comes in on stdin, and `CRED_HELPER_PROFILE`.
fn tool(sandbox: &Sandbox, line: &str, stdin: &str, profile: Option<&str>) -> Ran {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = sandbox.command(&words);
    if let Some(name) = profile {
        command.env("CRED_HELPER_PROFILE", name);
    }
    sandbox.run_with_input(command, stdin)
}

const OF_GIT: &str = "protocol=https\nhost=api.example\n\n";
const OF_CARGO: &str = "{\"v\":1,\"registry\":{\"index-url\":\"sparse+https://api.example/\"},\"kind\":\"get\",\"operation\":\"read\"}\n";

#[test]
fn a_profile_that_the_variable_names_and_that_is_not_there_is_told_to_somebody() {
    let api = profile("api", NOBODY);
    let sandbox = Sandbox::new(&format!("{api}urls = [\"https://other.example/\"]\n"));
    let git = |name| tool(&sandbox, "git get", OF_GIT, Some(name));
    let ran = git("apo");
    assert_eq!(ran.stdout, "", "git asks somebody else");
    let error = ran.failed(8);
    assert_eq!(
        error,
        "error: there is no profile `apo`\ncaused by: `CRED_HELPER_PROFILE` names it\n\
         hint: did you mean `api`?\n"
    );
    // One that is there and does not answer for the host is none of git's business.
    let ran = git("api");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");

    let cargo = |name| tool(&sandbox, "--cargo-plugin", OF_CARGO, Some(name)).stdout;
    assert!(cargo("apo").contains("there is no profile `apo`"));
    assert!(cargo("api").contains("\"url-not-supported\""));
    // An argument of the helper wins over it.
    let ran = tool(&sandbox, "git -p api get", OF_GIT, Some("apo"));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_tool_hears_of_a_name_in_tools_that_no_tool_has() {
    let sandbox = Sandbox::new(&format!(
        "{}urls = [\"https://api.example/\"]\ntools = [\"gti\"]\n",
        profile("api", NOBODY)
    ));
    let ran = tool(&sandbox, "git get", OF_GIT, None);
    assert_eq!(ran.stdout, "quit=1\n", "the host is ours");
    assert!(
        ran.stderr
            .contains("there is no `gti`; did you mean `git`?")
    );
    let ran = tool(&sandbox, "cargo", OF_CARGO, None);
    assert!(ran.stdout.contains("did you mean `git`?"), "{ran:?}");
}

/// A profile file in which some profiles answer for one host in several ways.
fn several() -> Sandbox {
    let with = |name: &str, keys: &str| format!("{}{keys}\n", profile(name, NOBODY));
    Sandbox::new(
        &[
            with("wide", "urls = [\"https://*.corp.example/\"]"),
            with(
                "team",
                "urls = [\"https://api.corp.example/team\"]\ntools = [\"git\"]",
            ),
            with("port", "urls = [\"https://api.corp.example:8443/\"]"),
            with("azure", "urls = [\"https://dev.azure.com/contoso\"]"),
            with("local", "urls = [\"http://127.0.0.1:5000/\"]"),
            with("far", "urls = [\"https://git.far.example/\"]"),
        ]
        .concat(),
    )
}

#[test]
fn profile_route_says_of_each_pattern_of_a_host_why_it_matches_or_not() {
    let sandbox = several();
    let route = |arguments: &[&str]| {
        let arguments = [&["profile", "route"], arguments].concat();
        sandbox.run(&arguments)
    };
    assert_eq!(
        route(&["sparse+https://api.corp.example/team/index/"]).ok(),
        "team answers for https://api.corp.example/team/index/\n  \
         team: `https://api.corp.example/team` matches best\n  \
         wide: `https://*.corp.example/` matches less exactly\n  \
         port: `https://api.corp.example:8443/` is for port 8443, not 443\n  \
         git tells a path only after `git config --global \
         credential.https://api.corp.example.useHttpPath true`\n"
    );
    for (sent, first) in [
        (
            "127.0.0.1:5000",
            "local answers for http://127.0.0.1:5000\n",
        ),
        (
            "127.0.0.1:5000/v2/",
            "local answers for http://127.0.0.1:5000/v2/\n",
        ),
        (
            "a.corp.example/x",
            "wide answers for https://a.corp.example/x\n",
        ),
        (
            "grpcs://a.corp.example",
            "wide answers for grpcs://a.corp.example\n",
        ),
    ] {
        let text = route(&[sent]).ok();
        assert!(text.starts_with(first), "{sent}: {text}");
        assert!(!text.contains("far"), "{sent}: {text}");
    }
    let answer = route(&["https://api.corp.example:8443/", "-o", "json"]).json();
    assert_eq!(
        answer,
        json!({
            "profile": "port",
            "url": "https://api.corp.example:8443/",
            "tool": null,
            "matches": [{ "profile": "port", "pattern": "https://api.corp.example:8443/" }],
            "others": [
                {
                    "profile": "team",
                    "pattern": "https://api.corp.example/team",
                    "why": "is for port 443, not 8443 and is for `/team` and below, and the URL has no path",
                },
                {
                    "profile": "wide",
                    "pattern": "https://*.corp.example/",
                    "why": "is for port 443, not 8443",
                },
            ],
        })
    );
}

#[test]
fn where_nobody_answers_profile_route_says_what_is_nearest() {
    let sandbox = several();
    for (sent, code, expected) in [
        (
            "https://api.corp.example:9/",
            8,
            &[
                "error: no profile answers for `https://api.corp.example:9/`",
                "caused by: `https://*.corp.example/` of `wide` is for port 443, not 9",
                "hint: add `https://api.corp.example:9/` to `urls` of the profile that should",
            ][..],
        ),
        (
            "https://dev.azure.com/fabrikam/_git/x",
            8,
            &[
                "caused by: `https://dev.azure.com/contoso` of `azure` is for `/contoso` and below alone",
                "hint: add `https://dev.azure.com/fabrikam/` to `urls` of the profile that should",
            ],
        ),
        (
            "https://corp.example/",
            8,
            &[
                "caused by: `https://*.corp.example/` of `wide` is for hosts below `corp.example`, not for it",
            ],
        ),
        (
            "http://api.corp.example/",
            8,
            &[
                "caused by: no token goes to such a URL: `http` is for this machine (`localhost`, `127.0.0.1`, `[::1]`) alone",
            ],
        ),
        (
            "https://dev.azure.com/",
            8,
            &[
                "caused by: `https://dev.azure.com/contoso` of `azure` is for `/contoso` and below, and the URL has no path",
                "hint: give the whole URL; git tells a path only after `git config --global credential.https://dev.azure.com.useHttpPath true`",
            ],
        ),
        (
            "https://git.fra.example/",
            8,
            &["caused by: `https://git.far.example/` of `far` is for the host `git.far.example`"],
        ),
        (
            "https://quite.other.test/",
            8,
            &["caused by: `https://git.far.example/` of `far` is for the host `git.far.example`"],
        ),
        (
            "foo",
            2,
            &[
                "error: `foo` is no URL, and no host",
                "hint: write `https://HOST/PATH`, or `HOST:PORT` as docker does",
            ],
        ),
        (
            "team",
            2,
            &["hint: it is a profile; `cred-helper profile show team` shows its `urls`"],
        ),
    ] {
        let error = sandbox.run(&["profile", "route", sent]).failed(code);
        let lines: Vec<&str> = error.lines().collect();
        for line in expected {
            assert!(lines.contains(line), "{sent}: {error}");
        }
    }
    sandbox.write_profiles("");
    let url = ["profile", "route", "https://h.example"];
    let error = sandbox.run(&url).failed(8);
    assert!(error.starts_with("error: there is no profile\n"), "{error}");
    sandbox.write_profiles(&profile("api", NOBODY));
    let error = sandbox.run(&url).failed(8);
    assert!(
        error.contains("caused by: no profile has `urls`\n"),
        "{error}"
    );
}

#[test]
fn profile_route_tells_whether_a_tool_may_use_the_profile() {
    let sandbox = several();
    let route = |url: &str, tool: &str| sandbox.run(&["profile", "route", url, "--tool", tool]);
    let team = "https://api.corp.example/team";
    let text = route(team, "git").ok();
    assert!(
        text.contains("\n  git may use team: its `tools` name it\n"),
        "{text}"
    );
    let text = route("https://a.corp.example/", "cargo").ok();
    assert!(text.contains("\n  cargo may use wide: it has no `tools`, so any may\n"));
    assert_eq!(
        route(team, "cargo").failed(8),
        format!(
            "error: the profile `team` may not be used by `cargo`\n\
             caused by: `team` answers for `{team}` by `{team}`\n\
             hint: its `tools` allow git\n"
        )
    );
    let error = route(team, "gti").failed(2);
    assert!(
        error.contains("it takes `get`, `exec`, `serve`, `git`,"),
        "{error}"
    );
}

#[test]
fn profile_route_tries_no_other_than_the_one_that_is_named() {
    let sandbox = several();
    let url = "https://api.corp.example/team";
    let route = |arguments: &[&str], variable: &str| {
        let mut command = sandbox.command(&[&["profile", "route", url], arguments].concat());
        command.env("CRED_HELPER_PROFILE", variable);
        sandbox.run_command(command)
    };
    let by_option = route(&["-p", "wide"], "").ok();
    assert_eq!(
        by_option,
        format!("wide answers for {url}\n  wide: `https://*.corp.example/` matches best\n")
    );
    let by_variable = route(&[], "wide").ok();
    let why = "  no other is tried: `CRED_HELPER_PROFILE` names it\n";
    assert_eq!(by_variable, format!("{by_option}{why}"));
    assert_eq!(route(&["-p", "wide"], "team").ok(), by_option);
    for (name, said) in [
        (
            "far",
            format!("error: the profile `far` does not answer for `{url}`"),
        ),
        ("wid", "error: there is no profile `wid`".to_owned()),
    ] {
        let by_option = route(&["-p", name], "").failed(8);
        assert!(by_option.starts_with(&said), "{by_option}");
        let by_variable = route(&[], name).failed(8);
        let why = "caused by: `CRED_HELPER_PROFILE` names it\n";
        assert!(by_variable.contains(why), "{by_variable}");
        assert_eq!(by_variable.replace(why, ""), by_option);
    }
}

#[test]
fn git_is_told_to_tell_the_path_where_that_alone_is_wanting() {
    let sandbox = several();
    for (host, is_hinted) in [
        ("dev.azure.com", true),
        ("dev.azure.com\npath=fabrikam/_git/x", false),
        ("far.example", false),
        ("dev.azure.com:8443", false),
    ] {
        let stdin = format!("protocol=https\nhost={host}\n\n");
        let ran = tool(&sandbox, "git get", &stdin, None);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
        let hint = "hint: cred-helper answers for paths of https://dev.azure.com alone, and git \
                    tells none; run `git config --global \
                    credential.https://dev.azure.com.useHttpPath true`\n";
        assert_eq!(ran.stderr, if is_hinted { hint } else { "" }, "{host}");
    }
}

/// How each tool names this URL to its helper: its words, and what comes in on stdin.
fn named_by_each_tool(url: &str) -> Vec<(&'static str, String)> {
    let (protocol, rest) = url.split_once("://").expect("it has a scheme");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let registry = json!({ "index-url": format!("sparse+{url}") });
    let cargo = json!({ "v": 1, "registry": registry, "kind": "get", "operation": "read" });
    vec![
        (
            "git get",
            format!("protocol={protocol}\nhost={host}\npath={path}\n\n"),
        ),
        ("cargo", format!("{cargo}\n")),
        ("docker get", url.to_owned()),
        (
            "docker get",
            url.strip_prefix("https://").unwrap_or(url).to_owned(),
        ),
    ]
}

#[test]
fn a_tool_gets_a_token_for_what_a_profile_names_and_for_nothing_that_looks_like_it() {
    let scene = Scene::signed_in();
    let urls = "urls = [\"https://git.example/team\", \"https://xn--bcher-kva.example:8443/\"]\n";
    let profile = profile("api", &scene.authority.issuer());
    scene.sandbox.write_profiles(&format!("{profile}{urls}"));
    let token = scene.run(&["get", "-p", "api"]).ok();
    for (url, is_ours) in [
        ("https://git.example/team", true),
        ("https://git.example/team/x.git", true),
        ("https://GIT.Example/team/x", true),
        ("https://git.example:443/team", true),
        ("https://xn--bcher-kva.example:8443/x", true),
        ("https://XN--BCHER-KVA.EXAMPLE:8443", true),
        ("https://git.example:8443/team", false),
        ("http://git.example/team", false),
        ("https://git.example./team", false),
        ("https://git.example.evil.example/team", false),
        ("https://evil.example/git.example/team", false),
        ("https://evilgit.example/team", false),
        ("https://team.git.example/team", false),
        ("https://git.example/teamwork", false),
        ("https://git.example/", false),
        ("https://git.example/team/../other", false),
        ("https://git.example/other/../team", false),
        ("https://git.example/./team", false),
        ("https://git.example/%2e%2e/team", false),
        ("https://git.example//team", false),
        ("https://xn--bcher-kva.example/x", false),
        ("https://b\u{fc}cher.example:8443/x", false),
        ("https://git\u{3002}example/team", false),
        ("https://git.example%00/team", false),
        ("https://git.example%2f@evil.example/team", false),
        ("https://git.example@evil.example/team", false),
        ("https://user@git.example/team", false),
        ("https://evil.example\\@git.example/team", false),
        ("https://git.example\\.evil.example/team", false),
        ("https://git.example\t/team", false),
        ("https://git.example:/team", false),
        ("https://git.example:0443x/team", false),
        ("https:///team", false),
    ] {
        for (line, stdin) in named_by_each_tool(url) {
            let ran = tool(&scene.sandbox, line, &stdin, None);
            let has_token = ran.stdout.contains(token.trim_end());
            assert_eq!(has_token, is_ours, "{url}: {line}: {ran:?}");
            if !is_ours {
                // Declined or refused: nothing is said that git would take for an answer.
                assert!(!line.starts_with("git") || ran.stdout.is_empty(), "{ran:?}");
            }
        }
    }
}

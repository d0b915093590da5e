//! Plugins that do what the protocol says.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::eventually;
use crate::plugin_ground::{CORP, Plugins, answer, is_alive, say};
use crate::support::{detached, interrupt};

/// Tokens that are good for an hour.
fn tokens(access_token: &str) -> Value {
    json!({ "kind": "acquire", "access_token": access_token, "expires_in": 3600 })
}

/// A plugin at which a person has to have signed in.
fn signs_in() -> String {
    let required = json!({ "Err": { "kind": "login_required", "message": "nobody is there" } });
    let shown = json!({ "kind": "message", "message": "Say \u{1b}[31mfriend\n\tand enter.\r" });
    format!(
        "case $request in\n*'\"interactive\":\"never\"'*) {} ;;\n*) {} {} ;;\nesac\n",
        say(&required),
        say(&shown),
        answer(&tokens("person-token"))
    )
}

#[test]
fn a_plugin_is_asked_once_and_told_what_the_profile_says_but_for_the_client_s_authentication() {
    let profiles = "[profiles.corp]\nclient_id = \"cli\"\nauthority = \"https://id.example/\"\n\
                    scopes = [\"b\", \"a\"]\nclient_secret = { env = \"CLIENT_SECRET\" }\n\
                    client_capabilities = [\"CP1\"]\naccount = \"ada@example.test\"\n\
                    urls = [\"https://api.example/\"]\nextra = { tenant = \"x\" }\n\
                    tls = { ca_file = \"ca.pem\" }\n\
                    [profiles.corp.grant]\ntype = \"plugin\"\nname = \"corp\"\ntimeout = \"30s\"\n\
                    realm = \"build\"\nlevel = 3\nsince = 2026-01-02T03:04:05Z\n\
                    list = [{ a = 1.5 }]\nnested = { env = \"X\", more = true }\n\
                    pin = { env = \"PIN\" }\nkey = { file = \"key\" }\n\
                    word = { command = [\"echo\", \"spoken-secret\"] }\n";
    let token = json!({ "access_token": "access-token", "expires_in": 3600, "id_token": "e30.e30.e30",
                        "account": "Ada@example.test", "scopes": ["a"], "refresh_token": "" });
    let plugins = Plugins::with_profiles(profiles, &answer(&token));
    fs::write(plugins.sandbox.path().join("key"), "filed-secret\n").expect("it can be written");
    for secret in [
        "pin-of-the-card",
        "filed-secret",
        "spoken-secret",
        "of-the-client",
    ] {
        plugins.sandbox.secret(secret);
    }
    let run = |arguments: &[&str]| {
        let mut command = plugins.command(arguments);
        command
            .env("PIN", "pin-of-the-card")
            .env("CLIENT_SECRET", "of-the-client");
        plugins.sandbox.run_command(command)
    };
    let first = run(&["get", "-o", "json"]).json();
    assert_eq!(first["source"], "plugin");
    assert_eq!(first["access_token"], "access-token");
    assert_eq!(first["id_token"], "e30.e30.e30");
    assert_eq!(first["account"], "Ada@example.test");
    assert_eq!(first["scopes"], json!(["a"]));
    assert_eq!(run(&["get", "-o", "json"]).json()["source"], "cache");
    assert_eq!(
        plugins.requests(),
        [json!({
            "v": 1,
            "kind": "acquire",
            "profile": {
                "name": "corp",
                "client_id": "cli",
                "authority": "https://id.example/",
                "scopes": ["b", "a"],
                "client_capabilities": ["CP1"],
                "account": "ada@example.test",
                "urls": ["https://api.example/"],
                "extra": { "tenant": "x" },
                "grant": {
                    "type": "plugin",
                    "name": "corp",
                    "realm": "build",
                    "level": 3,
                    "since": "2026-01-02T03:04:05Z",
                    "list": [{ "a": 1.5 }],
                    "nested": { "env": "X", "more": true },
                    "pin": "pin-of-the-card",
                    "key": "filed-secret",
                    "word": "spoken-secret",
                },
            },
            "scopes": ["b", "a"],
            "account": "ada@example.test",
            "refresh_token": null,
            "min_valid": null,
            "force_refresh": false,
            "claims": { "access_token": { "xms_cc": { "values": ["CP1"] } } },
            "interactive": "never",
        })]
    );
    // What the call wants is told, too.
    run(&[
        "get",
        "--scope",
        "c",
        "--min-valid",
        "5m",
        "--force-refresh",
    ])
    .ok();
    let request = &plugins.requests()[1];
    assert_eq!(request["scopes"], json!(["c"]));
    assert_eq!(request["min_valid"], 300);
    assert_eq!(request["force_refresh"], true);
}

#[test]
fn its_refresh_token_is_kept_and_sent_back_to_it_and_the_last_one_counts() {
    let give = |access_token: &str, refresh_token: Option<&str>| {
        let mut tokens = tokens(access_token);
        tokens["refresh_token"] = refresh_token.into();
        answer(&tokens)
    };
    let plugins = Plugins::new(&give("access-1", Some("refresh-token-1")));
    plugins.sandbox.secret("refresh-token-1");
    plugins.sandbox.secret("refresh-token-2");
    plugins.run(&["get"]).ok();
    plugins.install(&give("access-2", None));
    plugins.run(&["get", "--force-refresh"]).ok();
    plugins.install(&give("access-3", Some("refresh-token-2")));
    plugins.run(&["get", "--force-refresh"]).ok();
    assert_eq!(plugins.run(&["get"]).ok(), "access-3\n");
    plugins.run(&["get", "--force-refresh"]).ok();
    let sent: Vec<Value> = plugins
        .requests()
        .iter()
        .map(|request| request["refresh_token"].clone())
        .collect();
    assert_eq!(
        sent,
        [
            json!(null),
            json!("refresh-token-1"),
            json!("refresh-token-1"),
            json!("refresh-token-2")
        ]
    );
    // Somebody who signs in anew does not need it.
    plugins.run(&["login"]).ok();
    let last = plugins.requests().pop().expect("there is one");
    assert_eq!(last["refresh_token"], json!(null));
    assert_eq!(last["interactive"], "always");
    assert_eq!(last["force_refresh"], true);
}

#[test]
fn a_person_is_asked_only_after_it_said_that_it_needs_one() {
    let plugins = Plugins::new(&signs_in());
    let asked = || {
        let asked = plugins.requests();
        fs::remove_file(plugins.sandbox.path().join("requests")).expect("it was asked");
        let asked = asked.iter().map(|request| request["interactive"].clone());
        asked.collect::<Vec<_>>()
    };
    for arguments in [&["get"][..], &["get", "--interactive", "never"]] {
        let stderr = plugins.run(arguments).failed(4);
        assert!(
            stderr.contains("profile `corp` needs a sign-in"),
            "{stderr}"
        );
        assert!(
            stderr.contains("the plugin `corp` gave no token"),
            "{stderr}"
        );
        assert!(stderr.contains("nobody is there"), "{stderr}");
        assert!(stderr.contains("cred-helper login -p corp"), "{stderr}");
        assert_eq!(asked(), ["never"]);
    }
    assert_eq!(plugins.sandbox.sessions().len(), 0, "nothing was written");
    let terminal = plugins
        .sandbox
        .in_terminal("cred-helper get >answer 2>errors");
    let shown = terminal.wait();
    assert!(
        shown.contains("\r\nSay [31mfriend\r\nand enter.\r\n"),
        "{shown:?}"
    );
    // It is asked again when the token ends: whether it needs a person then is its own affair.
    let told = "Signed in for profile `corp`; the token is good until ";
    assert!(shown.contains(told), "{shown}");
    assert!(!shown.contains("refresh token"), "{shown}");
    assert_eq!(asked(), ["never", "always"]);
    assert_eq!(plugins.read("answer"), "person-token\n");
    assert_eq!(plugins.read("errors"), "");
    assert_eq!(plugins.run(&["get"]).ok(), "person-token\n");
    assert_eq!(plugins.read("requests"), "", "it is not asked again");
}

#[test]
fn the_authority_is_not_shown_what_it_gave() {
    let authority = HttpServer::start(|_| Answer::new(200, "{}"));
    let mut given = tokens("access-token-1");
    given["refresh_token"] = "refresh-token-1".into();
    given["scopes"] = json!(["openid"]);
    let names: String = ["token", "revocation", "userinfo"]
        .map(|name| format!("{name} = \"{}\"\n", authority.url("/")))
        .concat();
    let profile = format!("[profiles.corp.endpoints]\n{names}{CORP}");
    let plugins = Plugins::with_profiles(&profile, &answer(&given));
    for secret in ["access-token-1", "refresh-token-1"] {
        plugins.sandbox.secret(secret);
    }
    plugins.run(&["login"]).ok();
    plugins.run(&["get", "--force-refresh"]).ok();
    let out = plugins.run(&["logout"]);
    let warning = "tokens of `plugin` just end";
    assert!(out.stderr.contains(warning), "{}", out.stderr);
    out.ok();
    assert_eq!(plugins.sandbox.sessions().len(), 0);
    // One who is not the one that was asked for, and is not kept.
    given["account"] = "bob@example.test".into();
    plugins.install(&answer(&given));
    plugins
        .run(&["login", "--account", "ada@example.test"])
        .failed(5);
    assert_eq!(authority.requests().len(), 0);
}

#[test]
fn somebody_else_s_token_is_refused() {
    let mut stranger = tokens("token-of-bob");
    stranger["account"] = "bob@example.test".into();
    let plugins = Plugins::new(&answer(&stranger));
    let stderr = plugins
        .run(&["get", "--account", "ada@example.test"])
        .failed(5);
    assert!(
        stderr.contains("the sign-in was as `bob@example.test`"),
        "{stderr}"
    );
    assert_eq!(plugins.sandbox.sessions().len(), 0);
}

#[test]
fn a_refresh_token_that_comes_for_somebody_else_s_is_kept_as_theirs() {
    let give = |access_token: &str, account: &str, refresh_token: &str| {
        let mut tokens = tokens(access_token);
        tokens["account"] = account.into();
        tokens["refresh_token"] = refresh_token.into();
        answer(&tokens)
    };
    let [ada, bob] = ["ada@example.test", "bob@example.test"];
    let plugins = Plugins::new(&give("access-1", ada, "refresh-of-ada"));
    plugins.run(&["get"]).ok();
    plugins.install(&give("access-2", bob, "refresh-of-bob"));
    let by_name = |account: &'static str| ["get", "--force-refresh", "--account", account];
    let stderr = plugins.run(&by_name(ada)).failed(5);
    assert!(
        stderr.contains("the refresh token in it is kept as theirs"),
        "{stderr}"
    );
    // What was handed out before is so still, and to whom it was.
    assert_eq!(plugins.run(&["get"]).ok(), "access-1\n");
    plugins.run(&by_name(bob)).ok();
    plugins.install(&give("access-3", ada, "refresh-of-ada-2"));
    plugins.run(&by_name(ada)).ok();
    let requests = plugins.requests();
    let sent: Vec<&Value> = requests.iter().map(|one| &one["refresh_token"]).collect();
    let [no_token, of_ada, of_bob] = [
        json!(null),
        json!("refresh-of-ada"),
        json!("refresh-of-bob"),
    ];
    assert_eq!(sent, [&no_token, &of_ada, &of_bob, &no_token]);
}

#[test]
fn twenty_calls_at_once_run_it_once() {
    let gate = "read -r _ <\"$HOME/gate\"\n";
    let plugins = Plugins::new(&format!("{gate}{}", answer(&tokens("shared-token"))));
    let path = plugins.sandbox.path().join("gate");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo starts").success());
    thread::scope(|scope| {
        let calls: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| plugins.run(&["get"]).ok()))
            .collect();
        eventually("all others wait for the plugin", || {
            plugins.logged("waiting for another process that refreshes this session") == 19
        });
        let mut gate = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("it is read");
        gate.write_all(b"\n").expect("it takes a line");
        for call in calls {
            assert_eq!(call.join().expect("it was answered"), "shared-token\n");
        }
    });
    assert_eq!(plugins.requests().len(), 1);
}

#[test]
fn no_two_profiles_share_what_it_gave() {
    let grant = |profile: &str, keys: &str| {
        format!("[profiles.{profile}]\ngrant = {{ type = \"plugin\", {keys} }}\n")
    };
    let name = "name = \"corp\"";
    let profiles = [
        grant("a", name),
        grant("b", name),
        grant("c", "name = \"other\""),
        grant("d", "command = [\"cred-helper-provider-corp\"]"),
    ];
    let plugins = Plugins::with_profiles(&profiles.concat(), &answer(&tokens("one-of-four")));
    plugins.sandbox.script(
        "cred-helper-provider-other",
        &format!(
            "{}{}",
            crate::plugin_ground::LISTEN,
            answer(&tokens("other"))
        ),
    );
    for (count, profile) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let source = plugins.run(&["get", "-p", profile, "-o", "json"]).json()["source"].clone();
        assert_eq!(source, "plugin", "{profile}");
        assert_eq!(plugins.sandbox.sessions().len(), count + 1);
    }
    // What it is handed decides what it gives.
    for (count, keys) in [
        "realm = \"x\"",
        "pin = { command = [\"echo\", \"one\"] }",
        "pin = { command = [\"echo\", \"two\"] }",
    ]
    .into_iter()
    .enumerate()
    {
        let keys = format!("name = \"corp\", {keys}");
        plugins.sandbox.write_profiles(&grant("a", &keys));
        plugins.run(&["get"]).ok();
        assert_eq!(plugins.requests().len(), 5 + count, "{keys}");
    }
}

#[test]
fn its_environment_holds_no_variable_that_another_profile_may_take_a_secret_from() {
    let others = "[profiles.other]\nclient_id = \"c\"\nauthority = \"https://id.example\"\n\
                  scopes = []\nclient_secret = { env = \"OTHER_SECRET\" }\n\
                  [profiles.wrong]\nclient_secret = { env = \"WRONG_SECRET\" }\nnonsense = true\n\
                  [profiles.plugin.grant]\ntype = \"plugin\"\nname = \"x\"\npin = { env = \"PIN\" }\n";
    let own = format!("{CORP}pin = {{ env = \"OWN_PIN\" }}\n");
    let many: String = (0..400)
        .map(|number| {
            format!(
                "[profiles.p{number}]\nclient_id = \"c\"\nauthority = \"https://id.example\"\n\
                 scopes = []\nclient_secret = {{ env = \"SECRET_{number}\" }}\n"
            )
        })
        .collect();
    let lines = format!(
        "env >\"$HOME/environment\"\n{}",
        answer(&tokens("access-token"))
    );
    let plugins = Plugins::new(&lines);
    for profiles in [format!("{own}{others}"), format!("{own}{others}{many}")] {
        plugins.sandbox.write_profiles(&profiles);
        let mut command = plugins.command(&["get", "-p", "corp", "--force-refresh"]);
        let secrets = [
            "OTHER_SECRET",
            "WRONG_SECRET",
            "PIN",
            "SECRET_7",
            // What a platform gives whatever runs there.
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "SYSTEM_ACCESSTOKEN",
            "IDENTITY_HEADER",
            "MSI_SECRET",
        ];
        for name in secrets.iter().chain(&["OWN_PIN", "HARMLESS"]) {
            command.env(name, "some-value");
        }
        plugins.sandbox.run_command(command).ok();
        let environment = plugins.read("environment");
        let has = |name: &str| {
            environment
                .lines()
                .any(|line| line == format!("{name}=some-value"))
        };
        assert!(has("HARMLESS") && has("OWN_PIN"), "{environment}");
        let is_large = profiles.contains("SECRET_7");
        for name in secrets {
            assert!(
                !has(name) || name == "SECRET_7" && !is_large,
                "{name}: {environment}"
            );
        }
    }
}

#[test]
fn ctrl_c_ends_it_and_what_it_started() {
    let plugins = Plugins::new("sleep 1000 & echo $! $$ >\"$HOME/processes\"\nwait\n");
    let child = detached(plugins.command(&["get"]))
        .spawn()
        .expect("setsid starts");
    eventually("the plugin runs", || {
        plugins.read("processes").ends_with('\n')
    });
    interrupt(&child);
    let output = child.wait_with_output().expect("it can be waited for");
    let ran = plugins.sandbox.checked(output);
    assert_eq!(ran.failed(130), "error: interrupted\n");
    for process in plugins.read("processes").split_whitespace() {
        assert!(!is_alive(process), "{process}");
    }
    assert_eq!(plugins.sandbox.sessions().len(), 0);
}

#[test]
fn ctrl_c_waits_for_a_plugin_that_was_sent_its_refresh_token_and_keeps_what_it_brings() {
    let mut first = tokens("access-1");
    first["refresh_token"] = "refresh-token-1".into();
    let plugins = Plugins::new(&answer(&first));
    plugins.run(&["get"]).ok();
    let mut second = tokens("access-2");
    second["refresh_token"] = "refresh-token-2".into();
    let path = plugins.sandbox.path().join("gate");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo starts").success());
    plugins.install(&format!(
        "echo >\"$HOME/runs\"\nread -r _ <\"$HOME/gate\"\n{}",
        answer(&second)
    ));
    let call = detached(plugins.command(&["get", "--force-refresh"]))
        .spawn()
        .expect("setsid starts");
    eventually("the plugin runs", || plugins.read("runs") == "\n");
    interrupt(&call);
    let mut gate = OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("it is read");
    gate.write_all(b"\n").expect("it takes a line");
    let output = call.wait_with_output().expect("it can be waited for");
    plugins.sandbox.checked(output);
    let session = fs::read_to_string(plugins.sandbox.session()).expect("it can be read");
    assert!(session.contains("refresh-token-2"), "it was kept");
    assert_eq!(plugins.run(&["get"]).ok(), "access-2\n");
}

#[test]
fn the_example_in_python_signs_a_person_in_and_redeems_its_refresh_token() {
    let server = HttpServer::start(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let give = |number: u32| {
            let tokens = json!({ "access_token": format!("vault-access-{number}"), "expires_in": 600,
                "refresh_token": format!("vault-refresh-{number}"), "account": "ada@example.test" });
            Answer::new(200, tokens.to_string())
        };
        match (request.path.as_str(), &body) {
            ("/begin", _) => Answer::new(200, json!({ "code": "ABC-DEF" }).to_string()),
            ("/finish", body) if body["code"] == "ABC-DEF" => give(1),
            ("/refresh", body) if body["token"] == "vault-refresh-1" => give(2),
            _ => Answer::new(403, "no"),
        }
    });
    let profile = format!(
        "[profiles.work]\nscopes = [\"reports\"]\n\
         grant = {{ type = \"plugin\", name = \"vault\", url = \"{}\" }}\n",
        server.url("")
    );
    let plugins = Plugins::with_profiles(&profile, "");
    for secret in [
        "vault-access-1",
        "vault-access-2",
        "vault-refresh-1",
        "vault-refresh-2",
    ] {
        plugins.sandbox.secret(secret);
    }
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plugins");
    let path = std::env::var("PATH").expect("PATH is set");
    let line = format!("PATH=\"{examples}:$PATH\" cred-helper get >answer 2>errors");
    let shown = plugins.sandbox.in_terminal(&line).wait();
    assert!(
        shown.contains("Confirm the sign-in ABC-DEF at http://127.0.0.1:"),
        "{shown}"
    );
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert_eq!(plugins.read("answer"), "vault-access-1\n");
    let run = |arguments: &[&str]| {
        let mut command = plugins.command(arguments);
        command.env("PATH", format!("{examples}:{path}"));
        plugins.sandbox.run_command(command)
    };
    assert_eq!(run(&["get"]).ok(), "vault-access-1\n");
    assert_eq!(run(&["get", "--force-refresh"]).ok(), "vault-access-2\n");
    assert!(
        run(&["get", "--force-refresh"])
            .failed(4)
            .contains("nobody has signed in")
    );
    drop(server);
    let stderr = run(&["get", "--force-refresh"]).failed(6);
    assert!(
        stderr.contains("the plugin `vault` gave no token"),
        "{stderr}"
    );
}

#[test]
fn the_example_in_shell_hands_on_the_token_of_another_program() {
    let profile = "[profiles.cloud]\ngrant = { type = \"plugin\", name = \"gcloud\" }\n";
    let plugins = Plugins::with_profiles(profile, "");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plugins");
    let run = || {
        let mut paths: Vec<_> = std::env::split_paths(&plugins.sandbox.path_with_links()).collect();
        paths.insert(0, examples.into());
        let mut command = plugins.command(&["get", "-o", "json"]);
        command.env(
            "PATH",
            std::env::join_paths(paths).expect("they can be joined"),
        );
        plugins.sandbox.run_command(command)
    };
    plugins
        .sandbox
        .script("gcloud", "echo 'run gcloud auth login' >&2; exit 1\n");
    let stderr = run().failed(4);
    assert!(
        stderr.contains("plugin `gcloud`: run gcloud auth login\n"),
        "{stderr}"
    );
    plugins.sandbox.script("gcloud", "echo \"ya29.$1-$2\"\n");
    let token = run().json();
    assert_eq!(token["access_token"], "ya29.auth-print-access-token");
    assert!(
        token["expires_in"]
            .as_i64()
            .is_some_and(|seconds| seconds > 500),
        "{token}"
    );
}

#[test]
fn the_specification_shows_the_examples_as_they_are() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| fs::read_to_string(format!("{root}/{path}")).expect("it can be read");
    let specification = read("docs/protocol.md");
    for name in ["vault", "gcloud"] {
        let example = read(&format!("examples/plugins/cred-helper-provider-{name}"));
        assert!(
            specification.contains(&format!("```text\n{example}```\n")),
            "{name}"
        );
    }
}

//! Profile files: what is found, what is refused and how, and which profile answers.

use std::fmt::Write as _;
use std::fs;

use cred_helper::protocol::tools;
use serde_json::{Value, json};

use crate::scene::profile;
use crate::support::{Ran, Sandbox, set_mode};

const NOBODY: &str = "https://login.example";

/// The profile that answers without a sign-in, as the error names it.
pub(crate) fn asked_for(ran: Ran) -> String {
    let error = ran.failed(4);
    let name = error
        .strip_prefix("error: profile `")
        .and_then(|rest| rest.split('`').next());
    name.unwrap_or_else(|| panic!("no profile is named: {error}"))
        .to_owned()
}

#[test]
fn all_complaints_come_at_once_each_with_its_place_and_the_nearest_key() {
    let text = r#"default_profile = "api"
[profiles.api]
client_id = 7
authority = "http://login.example/"
scopes = "User.Read"
scope = ["s"]
urls = ["https://*", "https://good.example/", "ftp://x/"]
grant = "device-code"
extra = { a = 1 }
client_secret = { enw = "X" }
tls = { ca = "x" }
endpoints = { tokens = "https://x.example/" }
exact_scopes = "yes"
claims = "[]"
tools = "get"
[profiles.second]
preset = "entr"
[profiles.entra]
client_id = "x"
authority = "https://login.microsoftonline.com/"
scopes = ["a b"]
[profiles.user]
client_id = "x"
authority = "https://ada:canary-password@login.example/"
scopes = ["Grüße, 世界", "s"]
urls = ["https://ada:canary-password@x.example/"]
client_auth_method = "client_secret_basik"
tools = ["get", "gti", "login"]
[store]
seal = "keyrign"
[lock]
timeout = "long"
"#;
    let sandbox = Sandbox::new(text);
    sandbox.secret("canary-password");
    let error = sandbox.run(&["profile", "check"]).failed(3);
    let complaints: Vec<&str> = error.lines().collect();
    let config = sandbox.config();
    let mut found: Vec<String> = Vec::new();
    for (index, line) in complaints.iter().enumerate() {
        let lead = if index == 0 { "error: " } else { "caused by: " };
        let place = format!("{lead}{}:", config.display());
        let rest = line.strip_prefix(&place);
        found.push(rest.unwrap_or_else(|| panic!("{line}")).to_owned());
    }
    let tools = tools().collect::<Vec<_>>().join(", ");
    let expected = [
        "3:13: `profiles.api.client_id`: it is an integer, not a string",
        "4:13: `profiles.api.authority`: `http://login.example/`: `http` is allowed on loopback only; use `https`",
        "5:10: `profiles.api.scopes`: it is a string, not an array of strings; put it in brackets",
        "6:1: unknown key `profiles.api.scope`; did you mean `scopes`?",
        "7:9: `profiles.api.urls`: `https://*`: `*` stands only at the beginning of a pattern's host, as in `https://*.HOST`",
        "7:47: `profiles.api.urls`: `ftp://x/`: its scheme is not `https` (or `smtp`, `imap`, `imaps`)",
        "8:9: `profiles.api.grant`: there is no `device-code`; did you mean `device_code`?",
        "9:15: `profiles.api.extra.a`: it is an integer, not a string",
        "10:17: `profiles.api.client_secret` needs exactly one of `env`, `file`, `command` and `keyring`",
        "10:19: unknown key in `profiles.api.client_secret`; did you mean `env`?",
        "11:9: unknown key `profiles.api.tls.ca`",
        "12:15: unknown key `profiles.api.endpoints.tokens`; did you mean `token`?",
        "13:16: `profiles.api.exact_scopes`: it is a string, not true or false",
        "14:10: `profiles.api.claims`: it is no JSON object, and no base64 of one",
        "15:9: `profiles.api.tools`: it is a string, not an array of strings; put it in brackets",
        "16:1: `profiles.second` lacks `client_id`",
        "17:10: `profiles.second.preset`: there is no `entr`; did you mean `entra`?",
        "20:13: `profiles.entra.authority`: it names no tenant: add `/organizations`, `/common`, or your tenant's domain",
        "21:11: `profiles.entra.scopes`: `a b` is no scope; write each as a string",
        "24:13: `profiles.user.authority`: `https://…@login.example/`: it holds a user name or a password",
        "25:11: `profiles.user.scopes`: `Grüße, 世界` is no scope; write each as a string",
        "26:9: `profiles.user.urls`: `https://…@x.example/`: it holds a user name, or an `@` before its path",
        "27:22: `profiles.user.client_auth_method`: there is no `client_secret_basik`; did you mean `client_secret_basic`?",
        "28:17: `profiles.user.tools`: there is no `gti`; did you mean `git`?",
        "28:24: `profiles.user.tools`: there is no `login`; use one of TOOLS",
        "30:8: `store.seal`: there is no `keyrign`; did you mean `keyring`?",
        "32:11: `lock.timeout`: it is no time like \"60s\"",
    ]
    .map(|complaint| complaint.replace("TOOLS", &tools));
    assert_eq!(found, expected, "in the order of their places");

    let json = sandbox
        .run(&["profile", "check", "--error-format", "json"])
        .failed(3);
    let json: Value = serde_json::from_str(&json).expect("it is JSON");
    let causes = json["error"]["caused_by"].as_array().expect("a list");
    assert_eq!(causes.len(), expected.len() - 1, "the first is the message");
}

#[test]
fn a_key_needs_its_certificate_and_so_does_a_client_that_proves_itself_with_it() {
    for (keys, problem) in [
        ("tls = { client_certificate = \"c.pem\" }", ""),
        (
            "tls = { client_key = \"c.key\" }",
            "`profiles.api.tls.client_key`: it needs a `client_certificate`",
        ),
        (
            "client_auth_method = \"tls_client_auth\"\ntls = { ca_file = \"ca.pem\" }",
            "`profiles.api.client_auth_method`: it needs `tls = { client_certificate = \"…\" }`",
        ),
        (
            "client_auth_method = \"self_signed_tls_client_auth\"\nclient_secret = { env = \"X\" }",
            "`profiles.api.client_auth_method`: it needs `tls = { client_certificate = \"…\" }`",
        ),
        (
            "client_auth_method = \"client_secret_post\"\ntls = { client_certificate = \"c.pem\" }",
            "`profiles.api.client_auth_method`: it needs a `client_secret`",
        ),
        (
            "client_auth_method = \"tls_client_auth\"\ntls = { client_certificate = \"c.pem\" }",
            "",
        ),
    ] {
        let sandbox = Sandbox::new(&format!(
            "[profiles.api]\nclient_id = \"x\"\nauthority = \"https://login.example\"\nscopes = []\n\
             {keys}\n"
        ));
        let checked = sandbox.run(&["profile", "check"]);
        if problem.is_empty() {
            checked.ok();
        } else {
            let error = checked.failed(3);
            assert!(error.contains(problem), "{keys}: {error}");
        }
    }
}

#[test]
fn a_prompt_is_made_of_the_words_that_there_are() {
    for (prompt, problem) in [
        ("login", ""),
        ("select_account consent", ""),
        ("create", ""),
        ("none", ""),
        ("Login", "there is no `Login`; did you mean `login`?"),
        ("login  consent", "there is no ``; use one of login, "),
        ("", "it is empty"),
        ("none login", "`none` stands alone"),
    ] {
        let sandbox = Sandbox::new(&format!(
            "[profiles.api]\nclient_id = \"x\"\nauthority = \"https://login.example\"\nscopes = []\n\
             prompt = \"{prompt}\"\n"
        ));
        let ran = sandbox.run(&["profile", "check"]);
        if problem.is_empty() {
            ran.ok();
        } else {
            let said = ran.failed(3);
            let expected = format!("5:10: `profiles.api.prompt`: {problem}");
            assert!(said.contains(&expected), "{prompt}: {said}");
        }
    }
}

#[test]
fn a_secret_is_never_shown_whatever_is_wrong_with_its_line() {
    let canary = "canary-of-a-secret";
    for line in [
        r#"client_secret = "canary-of-a-secret"#,
        r"client_secret = 'canary-of-a-secret",
        r#"client_secret = """canary-of-a-secret"#,
        r"client_secret = canary-of-a-secret",
        r"client_secret = canary-of-a-secret==",
        r#"client_secret = x canary-of-a-secret = "y""#,
        r#"client_secret = "canary-of-a-secret" rest"#,
        r#"client_secret = "canary-of-a-secret\q""#,
        r#"client_secret "canary-of-a-secret""#,
        r"client_secret: canary-of-a-secret",
        r#"client_secret = ["canary-of-a-secret"]"#,
        r#"client_secret = [ "canary-of-a-secret""#,
        r#"client_secret = {"canary-of-a-secret"}"#,
        r"client_secret = { canary-of-a-secret }",
        r#"client_secret = { env "canary-of-a-secret" }"#,
        r#"client_secret = { value = "canary-of-a-secret" }"#,
        r#"client_secret = { command = "canary-of-a-secret" }"#,
        r#"client_secret = { env = "X", file = "canary-of-a-secret" }"#,
        "client_secret = \"canary-of-a-secret\"\nclient_secret = \"canary-of-a-secret\"",
        r#"clientsecret = "canary-of-a-secret""#,
        r#"client_passphrase = "canary-of-a-secret""#,
        r#"authority = { secret = "canary-of-a-secret" }"#,
    ] {
        let sandbox = Sandbox::new(&format!(
            "[profiles.api]\nclient_id = \"x\"\nscopes = [\"s\"]\n{line}\n"
        ));
        set_mode(&sandbox.config(), 0o600);
        sandbox.secret(canary);
        for arguments in [
            &["profile", "check"][..],
            &["get"],
            &["profile", "show", "api"],
        ] {
            let error = sandbox.run(arguments).failed(3);
            let place = format!("{}:4:", sandbox.config().display());
            // What never ends is noticed at its end.
            let end = format!("{}:5:", sandbox.config().display());
            let is_placed = |line: &str| line.contains(&place) || line.contains(&end);
            assert!(error.lines().any(is_placed), "{line}: {error}");
        }
    }
}

#[test]
fn the_profile_is_the_first_that_is_named_routed_default_or_the_only_one() {
    let two = format!("{}{}", profile("a", NOBODY), profile("b", NOBODY));
    let with_default = format!("default_profile = \"a\"\n{two}");
    for (text, variable, arguments, expected) in [
        (&profile("solo", NOBODY), None, &["get"][..], Ok("solo")),
        (&with_default, None, &["get"], Ok("a")),
        (&with_default, Some("b"), &["get"], Ok("b")),
        (&with_default, Some("a"), &["get", "-p", "b"], Ok("b")),
        (&two, None, &["get"], Err("hint: name one with -p: a, b\n")),
        (&two, Some("b"), &["get"], Ok("b")),
        (
            &two,
            None,
            &["get", "-p", "bb"],
            Err("hint: did you mean `b`?\n"),
        ),
        (
            &two,
            Some("nobody"),
            &["get"],
            Err("hint: there are: a, b\n"),
        ),
    ] {
        let sandbox = Sandbox::new(text);
        let mut command = sandbox.command(arguments);
        if let Some(name) = variable {
            command.env("CRED_HELPER_PROFILE", name);
        }
        let ran = sandbox.run_command(command);
        match expected {
            Ok(name) => assert_eq!(asked_for(ran), name, "{variable:?} {arguments:?}"),
            Err(hint) => {
                let error = ran.failed(8);
                assert!(error.ends_with(hint), "{variable:?} {arguments:?}: {error}");
            }
        }
    }
}

#[test]
fn a_url_is_answered_by_the_profile_that_names_it_best_and_by_nobody_else() {
    let with = |name: &str, url: &str| format!("{}urls = [\"{url}\"]\n", profile(name, NOBODY));
    let sandbox = Sandbox::new(
        &[
            "default_profile = \"wide\"\n",
            &with("wide", "https://*.corp.example/"),
            &with("host", "https://api.corp.example/"),
            &with("path", "https://api.corp.example/team"),
            &with("tie-a", "https://tie.example/x"),
            &with("tie-b", "https://tie.example/x/"),
            &with("local", "http://127.0.0.1:5000/"),
        ]
        .concat(),
    );
    for (url, expected) in [
        ("https://a.corp.example/", Ok("wide")),
        ("https://api.corp.example/teams", Ok("host")),
        ("https://API.corp.example/team/x?y", Ok("path")),
        ("grpcs://api.corp.example/", Ok("host")),
        ("http://127.0.0.1:5000/v2/", Ok("local")),
        ("http://api.corp.example/", Err(8)),
        ("https://corp.example/", Err(8)),
        ("https://api.corp.example./", Err(8)),
        ("https://api.corp.example:444/", Err(8)),
        ("https://u@api.corp.example/", Err(8)),
        ("https://unknown.example/", Err(8)),
        ("", Err(8)),
        ("https://tie.example/x/y", Err(3)),
    ] {
        let get = sandbox.run(&["get", "--url", url]);
        let route = sandbox.run(&["profile", "route", url, "-o", "json"]);
        match expected {
            Ok(name) => {
                assert_eq!(asked_for(get), name, "{url}");
                assert_eq!(route.json()["profile"], name, "{url}");
            }
            Err(code) => {
                let error = get.failed(code);
                let explained = route.failed(if url.is_empty() { 2 } else { code });
                let first = error.lines().next().expect("it says something");
                assert!(url.is_empty() || explained.starts_with(first), "{url}");
                if code == 3 {
                    assert!(error.contains("`tie-a` and `tie-b`"), "{error}");
                }
            }
        }
    }
    // -p chooses among those that answer, and only among them.
    let url = "https://api.corp.example/team";
    for (name, code) in [
        ("path", 4),
        ("host", 4),
        ("wide", 4),
        ("local", 8),
        ("pth", 8),
    ] {
        let error = sandbox.run(&["get", "-p", name, "--url", url]).failed(code);
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    sandbox
        .run(&["get", "-p", "tie-b", "--url", "https://tie.example/x"])
        .failed(4);
    let text = sandbox.run(&["profile", "route", url]).ok();
    assert_eq!(
        text,
        format!(
            "path answers for {url}\n  path: `https://api.corp.example/team` matches best\n  \
             host: `https://api.corp.example/` matches less exactly\n  \
             wide: `https://*.corp.example/` matches less exactly\n  \
             git tells a path only after `git config --global \
             credential.https://api.corp.example.useHttpPath true`\n"
        )
    );
    let hint = sandbox
        .run(&["get", "--url", "https://canary-user@x.example/"])
        .failed(8);
    assert!(
        !hint.contains("canary"),
        "what is before the @ is secret: {hint}"
    );
}

#[test]
fn only_the_tools_that_a_profile_names_may_use_it() {
    let sandbox = Sandbox::new(&format!("{}tools = [\"serve\"]\n", profile("api", NOBODY)));
    let error = sandbox.run(&["get"]).failed(8);
    assert!(
        error.starts_with("error: the profile `api` may not be used by `get`\nhint: "),
        "{error}"
    );
    let ran = sandbox.run(&["status", "-o", "json"]);
    assert_eq!(ran.json()["profiles"][0]["profile"], "api");
    sandbox.write_profiles(&format!("{}tools = [\"get\"]\n", profile("api", NOBODY)));
    sandbox.run(&["get"]).failed(4);
    for name in tools() {
        let keys = format!("tools = [\"{name}\"]\n");
        sandbox.write_profiles(&format!("{}{keys}", profile("api", NOBODY)));
        sandbox.run(&["profile", "check"]).ok();
    }
}

#[test]
fn profile_show_names_everything_but_secrets() {
    let text = r#"[profiles.full]
client_id = "x"
authority = "https://login.example/realm"
scopes = ["b", "a"]
exact_scopes = true
endpoints = { token = "https://tokens.example/t" }
grant = "device_code"
urls = ["https://api.example/"]
client_secret = { command = ["secret-tool", "--password=canary-argument"] }
client_auth_method = "client_secret_post"
client_basic_encoding = "raw"
account = "ada@example.test"
audience = "aud"
resource = "urn:r"
prompt = "select_account consent"
domain_hint = "contoso.example"
claims = "{}"
extra = { tenant = "t" }
dpop = true
tools = ["get"]
tls = { ca_file = "ca.pem", client_certificate = "own.pem", client_key = "~/own.key" }
"#;
    let sandbox = Sandbox::new(text);
    let expected = json!({
        "client_id": "x",
        "authority": "https://login.example/realm",
        "scopes": ["b", "a"],
        "exact_scopes": true,
        "endpoints": { "token": "https://tokens.example/t" },
        "grant": "device_code",
        "urls": ["https://api.example/"],
        "client_secret": { "command": ["secret-tool", "…"] },
        "client_auth_method": "client_secret_post",
        "client_basic_encoding": "raw",
        "account": "ada@example.test",
        "audience": "aud",
        "resource": "urn:r",
        "prompt": "select_account consent",
        "domain_hint": "contoso.example",
        "claims": "{}",
        "extra": { "tenant": "t" },
        "dpop": true,
        "tools": ["get"],
        "tls": {
            "ca_file": sandbox.path().join("ca.pem").display().to_string(),
            "client_certificate": sandbox.path().join("own.pem").display().to_string(),
            "client_key": sandbox.path().join("own.key").display().to_string(),
        },
    });
    let shown = sandbox
        .run(&["profile", "show", "full", "-o", "json"])
        .json();
    assert_eq!(shown, expected);
    let text = sandbox.run(&["profile", "show", "full"]).ok();
    let place = format!("# {}\n", sandbox.config().display());
    assert!(text.starts_with(&place), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert!(text.contains("[profiles.full]\n"), "{text}");
    let error = sandbox.run(&["profile", "show", "ful"]).failed(8);
    assert!(error.ends_with("hint: did you mean `full`?\n"), "{error}");
}

#[test]
fn the_keys_of_a_grant_are_understood_by_each_that_has_them_and_are_shown() {
    for (grant, shown) in [
        ("", json!("auto")),
        ("grant = \"auto\"\n", json!("auto")),
        (
            "[profiles.api.grant]\ntype = \"auto\"\nredirect_uri = \"http://localhost:8400\"\n\
             timeout = \"90s\"\n",
            json!({ "type": "auto", "redirect_uri": "http://localhost:8400", "timeout": "90s" }),
        ),
        (
            "grant = { type = \"authorization_code\", redirect_uri = \"http://[::1]/a\" }\n",
            json!({ "type": "authorization_code", "redirect_uri": "http://[::1]/a" }),
        ),
        // What a preset says of one grant is not said of another.
        (
            "preset = \"cognito\"\ngrant = { type = \"device_code\" }\n",
            json!("device_code"),
        ),
        (
            "preset = \"cognito\"\ngrant = { timeout = \"1m\" }\n",
            json!({
                "type": "authorization_code", "redirect_uri": "http://localhost:8400/",
                "timeout": "1m",
            }),
        ),
    ] {
        let sandbox = Sandbox::new(&format!("{}{grant}", profile("api", NOBODY)));
        let ran = sandbox.run(&["profile", "show", "api", "-o", "json"]);
        assert_eq!(ran.json()["grant"], shown, "{grant}");
        // What is shown may be written.
        let shown = sandbox.run(&["profile", "show", "api"]).ok();
        sandbox.write_profiles(&shown);
        sandbox.run(&["profile", "check"]).ok();
    }
    for (grant, problem) in [
        (
            "{ type = \"auto\", redirect_uri = \"https://corp.example/\" }",
            "`profiles.api.grant`: `redirect_uri`: it does not begin with `http://`",
        ),
        (
            "{ type = \"auto\", redirect_url = \"http://localhost\" }",
            "unknown key `profiles.api.grant.redirect_url`; did you mean `redirect_uri`?",
        ),
        (
            "{ type = \"auto\", timeout = 5 }",
            "`profiles.api.grant`: `timeout` is no time like \"10m\"",
        ),
        (
            "{ type = \"device_code\", timeout = \"5m\" }",
            "unknown key `profiles.api.grant.timeout`",
        ),
    ] {
        let grant = format!("grant = {grant}\n");
        let sandbox = Sandbox::new(&format!("{}{grant}", profile("api", NOBODY)));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_role_of_aws_is_understood_and_shown_and_each_mistake_in_it_has_its_place() {
    const ROLE: &str = "role_arn = \"arn:aws:iam::123456789012:role/team/Deploy+x@y\"\n";
    const CHINA: &str = "role_arn = \"arn:aws-cn:iam::123456789012:role/x\"\n";
    let of = |table: &str| format!("{}[profiles.api.aws]\n{table}", profile("api", NOBODY));
    for keys in [
        "region = \"eu-central-1\"\n",
        "region = \"us-gov-west-1\"\nrole_arn = \"arn:aws-us-gov:iam::123456789012:role/x\"\n",
        "region = \"moon-base-1\"\nrole_arn = \"arn:aws-moon:iam::123456789012:role/x\"\n",
        "region = \"us-east-1\"\nsession_name = \"a_b+c=d,e.f@g-h\"\nduration = \"15m\"\n",
        "region = \"us-east-1\"\nsession_name = \"ab\"\nduration = \"12h\"\n",
    ] {
        let role = if keys.contains("role_arn") { "" } else { ROLE };
        let sandbox = Sandbox::new(&of(&format!("{role}{keys}")));
        // What is shown may be written, and is the same then.
        let shown = sandbox.run(&["profile", "show", "api"]).ok();
        assert!(shown.contains("[profiles.api.aws]\n"), "{shown}");
        sandbox.write_profiles(&shown);
        assert_eq!(sandbox.run(&["profile", "show", "api"]).ok(), shown);
        assert!(keys.lines().all(|line| shown.contains(line)), "{shown}");
    }
    let role = "`profiles.api.aws.role_arn`";
    for (table, complaints) in [
        (
            "",
            &[
                "5:1: `profiles.api.aws.role_arn`: it is missing",
                "5:1: `profiles.api.aws.region`: it is missing",
            ][..],
        ),
        (
            "role_arm = \"x\"\nregion = 1\nduration = \"\"\n",
            &[
                "6:1: unknown key `profiles.api.aws.role_arm`; did you mean `role_arn`?",
                "7:10: `profiles.api.aws.region`: it is an integer, not a string",
                "8:12: `profiles.api.aws.duration`: it is empty",
            ],
        ),
        (
            "role_arn = \"deploy\"\nregion = \"Frankfurt\"\nsession_name = \"a b\"\nduration = \"10m\"\n",
            &[
                &format!(
                    "6:12: {role}: `deploy` is no role; write it as `arn:aws:iam::123456789012:role/NAME`"
                ),
                "7:10: `profiles.api.aws.region`: `Frankfurt` is no region; write it as `eu-central-1`",
                "8:16: `profiles.api.aws.session_name`: it has 2 to 64 of the characters A to Z, a to z, 0 to 9 and `_+=,.@-`",
                "9:12: `profiles.api.aws.duration`: it is no time between \"15m\" and \"12h\"",
            ],
        ),
        (
            &format!("{ROLE}region = \"cn-north-1\"\n"),
            &[
                "7:10: `profiles.api.aws.region`: `cn-north-1` is of the partition `aws-cn`, and the role of `aws`",
            ],
        ),
        (
            &format!("{CHINA}region = \"eu-west-1\"\nduration = \"12h 1s\"\n"),
            &[
                "7:10: `profiles.api.aws.region`: `eu-west-1` is of the partition `aws`, and the role of `aws-cn`",
                "8:12: `profiles.api.aws.duration`: it is no time between \"15m\" and \"12h\"",
            ],
        ),
    ] {
        let sandbox = Sandbox::new(&of(table));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        let place = format!("{}:", sandbox.config().display());
        let told: Vec<&str> = error
            .lines()
            .map(|line| line.split_once(&place).expect("it has a place").1)
            .collect();
        assert_eq!(told, complaints, "{table}");
    }
    for role in [
        "arn:aws:iam::12345678901:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/x y",
        "arn:aws:iam:eu-central-1:123456789012:role/x",
        "arn:gcp:iam::123456789012:role/x",
        "ARN:aws:iam::123456789012:role/x",
    ] {
        let table = format!("region = \"eu-central-1\"\nrole_arn = \"{role}\"\n");
        let sandbox = Sandbox::new(&of(&table));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        assert!(error.contains(&format!("`{role}` is no role")), "{error}");
    }
    let sandbox = Sandbox::new(&format!("{}aws = 1\n", profile("api", NOBODY)));
    let error = sandbox.run(&["profile", "check"]).failed(3);
    assert!(
        error.contains("5:7: `profiles.api.aws`: it is an integer, not a table"),
        "{error}"
    );
    // Without the table there is nothing for the tool, and never the token itself.
    let sandbox = Sandbox::new(&profile("api", NOBODY));
    let error = sandbox.run(&["aws"]).failed(3);
    assert_eq!(
        error,
        "error: profile `api` does not say what `aws` gets for its token\n\
         hint: add `[profiles.api.aws]` with `role_arn` and `region`\n"
    );
}

#[test]
fn a_mistake_in_one_profile_does_not_stop_another() {
    let sandbox = Sandbox::new(&format!(
        "{}urls = [\"https://api.example/\"]\n[profiles.wrong]\nclient_id = 7\nurl = 3\n\
         [profiles]\nworse = 1\n",
        profile("good", NOBODY)
    ));
    assert_eq!(asked_for(sandbox.run(&["get", "-p", "good"])), "good");
    let routed = sandbox.run(&["get", "--url", "https://api.example/x"]);
    assert_eq!(asked_for(routed), "good");
    for wrong in ["wrong", "worse"] {
        sandbox.run(&["get", "-p", wrong]).failed(3);
        sandbox.run(&["status", "-p", wrong]).failed(3);
    }
    let ran = sandbox.run(&["status", "-o", "json"]);
    assert_eq!(ran.stderr.matches("warning: ").count(), 2, "{ran:?}");
    let status = ran.json();
    let names: Vec<_> = status["profiles"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["profile"], "good");
    assert_eq!(sandbox.run(&["profile", "list"]).ok().lines().count(), 3);
    sandbox.run(&["profile", "check"]).failed(3);
}

#[test]
fn a_thousand_profiles_work() {
    let mut text = "default_profile = \"p999\"\n".to_owned();
    for number in 0..1000 {
        let name = format!("p{number}");
        let url = format!("urls = [\"https://h{number}.example/\"]\n");
        write!(text, "{}{url}", profile(&name, NOBODY)).expect("a String takes it");
    }
    let sandbox = Sandbox::new(&text);
    assert_eq!(asked_for(sandbox.run(&["get"])), "p999");
    assert_eq!(asked_for(sandbox.run(&["get", "-p", "p500"])), "p500");
    let routed = sandbox.run(&["get", "--url", "https://h7.example/"]);
    assert_eq!(asked_for(routed), "p7");
    let checked = sandbox.run(&["profile", "check"]).ok();
    assert!(checked.starts_with("1000 profiles"), "{checked}");
    assert_eq!(sandbox.run(&["profile", "list"]).ok().lines().count(), 1000);
    let status = sandbox.run(&["status", "-o", "json"]).json();
    assert_eq!(status["profiles"].as_array().expect("a list").len(), 1000);
}

#[test]
fn a_complaint_says_what_would_be_right() {
    let sandbox = Sandbox::new(
        "[profiles.-x]\nclient_id = \"x\"\nauthority = \"https://login.example\"\n\
         scopes = [\"a\", \"\"]\n",
    );
    let error = sandbox.run(&["profile", "check"]).failed(3);
    for expected in [
        "begins with neither `-` nor `.`",
        "`profiles.-x.scopes`: an item is empty",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn one_mistake_is_one_complaint() {
    let sandbox = Sandbox::new("");
    let good = "authority = \"https://login.example\"\nscopes = [\"s\"]\n";
    for (text, complaints) in [
        // The parser stumbles several times, and reads little of the rest.
        (
            "[profiles.x]\nscopes = [\"a\"\nurls = []\n",
            &["3:1: missing comma between array elements, expected `,`"][..],
        ),
        (
            "[profiles.x\nclient_id = \"c\"\n",
            &["1:12: unclosed table, expected `]`"],
        ),
        (
            "[profiles.x]\nclient_id = c\nauthority = a\n",
            &[
                "2:13: string values must be quoted, expected literal string",
                "3:13: string values must be quoted, expected literal string",
            ],
        ),
        // What is misspelt is not missing.
        (
            &format!("[profiles.x]\nclientid = \"c\"\n{good}"),
            &["2:1: unknown key `profiles.x.clientid`; did you mean `client_id`?"],
        ),
        (
            "[profiles.x]\npreset = \"gitub\"\nclient_id = \"c\"\n",
            &["2:10: `profiles.x.preset`: there is no `gitub`; did you mean `github`?"],
        ),
        (
            "client_id = \"c\"\n",
            &["1:1: unknown key `client_id`: it belongs below `[profiles.NAME]`"],
        ),
        (
            "[policy]\ntools = []\n",
            &["1:2: unknown key `policy`: it counts in the machine-wide file alone"],
        ),
        (
            &format!("default_profile = \"xx\"\n[profiles.x]\nclient_id = \"c\"\n{good}"),
            &["1:19: `default_profile`: there is no profile `xx`; did you mean `x`?"],
        ),
        (
            "[lock]\ntimeout = 60\n",
            &["2:11: `lock.timeout`: it is an integer, not a string like \"60s\""],
        ),
        (
            "[profiles.x]\nclient_id = \"c\"\nauthority = \"login.example\"\nscopes = [\"a\", 1]\n",
            &[
                "3:13: `profiles.x.authority`: `login.example`: it does not begin with `https://`",
                "4:16: `profiles.x.scopes`: an item is an integer, not a string",
            ],
        ),
    ] {
        sandbox.write_profiles(text);
        let error = sandbox.run(&["profile", "check"]).failed(3);
        let place = format!("{}:", sandbox.config().display());
        let told: Vec<&str> = error
            .lines()
            .map(|line| line.split_once(&place).expect("it has a place").1)
            .collect();
        assert_eq!(told, complaints, "{text}");
    }
}

#[test]
fn a_pattern_of_two_profiles_is_warned_of() {
    let with = |name: &str, url: &str| format!("{}urls = [\"{url}\"]\n", profile(name, NOBODY));
    let sandbox = Sandbox::new(&format!(
        "{}{}{}",
        with("private", "https://git.example"),
        with("team", "https://git.example/team"),
        with("work", "https://GIT.example:443/")
    ));
    let ran = sandbox.run(&["profile", "check"]);
    assert_eq!(
        ran.stderr,
        format!(
            "warning: {}: `https://GIT.example:443/` of `profiles.work` is one of \
             `profiles.private` too; a call for it has to name one of them, as with -p\n",
            sandbox.config().display()
        )
    );
    ran.ok();
}

#[test]
fn a_profile_that_no_tool_may_use_is_warned_of() {
    let sandbox = Sandbox::new(&format!("{}tools = []\n", profile("api", NOBODY)));
    let ran = sandbox.run(&["profile", "check"]);
    assert_eq!(
        ran.stderr,
        format!(
            "warning: {}: `profiles.api.tools` is empty: no tool may use the profile; without the \
             key, all may\n",
            sandbox.config().display()
        )
    );
    ran.ok();
}

#[test]
fn a_file_that_is_not_utf_8_is_named_with_the_place() {
    let sandbox = Sandbox::new("");
    fs::write(sandbox.config(), b"# a\n# \xc3\xbc \xfc\n").expect("it is ours");
    let error = sandbox.run(&["profile", "check"]).failed(3);
    let place = format!(
        "error: {}:2:5: this is not UTF-8\n",
        sandbox.config().display()
    );
    assert_eq!(error, place + "hint: save the file in UTF-8\n");
}

#[test]
fn hints_of_profile_commands_name_what_can_be_done_there() {
    let two = format!("{}{}", profile("a", NOBODY), profile("b", NOBODY));
    let sandbox = Sandbox::new(&two);
    let hint = |arguments: &[&str], code| {
        let error = sandbox.run(arguments).failed(code);
        error.lines().last().unwrap_or_default().to_owned()
    };
    // `profile show` has no `-p`.
    let show = ["profile", "show", "another"];
    assert_eq!(hint(&show, 8), "hint: there are: a, b");
    // Neither an option nor a variable named the file.
    let check = ["profile", "check", "absent.toml"];
    assert_eq!(hint(&check, 8), "hint: check the file's name");
    // It does not propose itself; other calls propose it.
    let mistake = format!("{two}x = 1\n");
    sandbox.write_profiles(&mistake);
    let path = sandbox.config();
    let complaint = format!("error: {}:9:1: unknown key `profiles.b.x`", path.display());
    assert_eq!(hint(&["profile", "check"], 3), complaint);
    assert_eq!(
        hint(&["get", "-p", "b"], 3),
        "hint: `cred-helper profile check` tells all that is wrong in every file"
    );
}

#[test]
fn an_authority_is_what_requests_are_built_of_and_extra_is_what_nobody_else_sends() {
    for (keys, complaint) in [
        (
            "authority = \"https://login.microsoftonline.com/contoso.com/v2.0\"\n",
            "with nothing behind the tenant",
        ),
        (
            "authority = \"https://login.microsoftonline.com/\"\n",
            "it names no tenant",
        ),
        (
            "authority = \"https://id.example/?tenant=x\"\n",
            "it has a query",
        ),
        (
            "authority = \"https://id.example\"\nextra = { scope = \"all\" }\n",
            "`profiles.x.extra.scope`: it is a parameter of the grant's own",
        ),
        (
            "authority = \"https://id.example\"\nextra = { prompt = \"login\" }\n",
            "`profiles.x.extra.prompt`: it goes with no token request; say it with the key `prompt`",
        ),
    ] {
        let sandbox = Sandbox::new(&format!(
            "[profiles.x]\nclient_id = \"c\"\nscopes = [\"s\"]\n{keys}"
        ));
        let error = sandbox.run(&["profile", "check"]).failed(3);
        assert!(error.contains(complaint), "{keys}: {error}");
    }
}

#[test]
fn in_a_large_file_a_mistake_in_a_table_is_told_by_calls_for_its_profile_and_by_check() {
    let others: String = (0..500)
        .map(|number| profile(&format!("p{number}"), NOBODY))
        .collect();
    let sandbox = Sandbox::new("");
    for (mistake, line) in [
        ("client_id = \"unclosed\n", 2002),
        ("scopes = [\"unclosed\"\n", 2003),
        ("client_id = \"twice\"\nclient_id = \"twice\"\n", 2003),
    ] {
        let api = profile("api", NOBODY);
        sandbox.write_profiles(&format!("{others}[profiles.broken]\n{mistake}{api}"));
        assert_eq!(asked_for(sandbox.run(&["get", "-p", "api"])), "api");
        for arguments in [&["get", "-p", "broken"][..], &["profile", "check"]] {
            let error = sandbox.run(arguments).failed(3);
            let place = format!("{}:{line}:", sandbox.config().display());
            assert!(error.contains(&place), "{mistake}{error}");
        }
        // Elsewhere it is one for every call.
        sandbox.write_profiles(&format!("{others}{api}[lock]\n{mistake}"));
        sandbox.run(&["get", "-p", "api"]).failed(3);
    }
}

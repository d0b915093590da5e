//! `profile import FILE`: files as other programs document them, and what becomes of them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::oidc_ground::Ground;
use crate::support::{Ran, Sandbox};
use crate::tool::{GIT, KUBECTL, needs};

/// Stands wherever a file has a secret.
const CANARY: &str = "canary-of-another-program";

/// A kubeconfig of one user, whose credentials come from this command.
fn kubeconfig(user: &str, command: &str, arguments: &[&str]) -> String {
    let arguments: String = arguments
        .iter()
        .map(|word| format!("      - {word}\n"))
        .collect();
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: one\n  cluster:\n    server: \
         https://k8s.example.com:6443\ncontexts:\n- name: one\n  context:\n    cluster: one\n    user: \
         {user}\nusers:\n- name: {user}\n  user:\n    exec:\n      apiVersion: \
         client.authentication.k8s.io/v1beta1\n      command: {command}\n      args:\n{arguments}"
    )
}

fn import(sandbox: &Sandbox, name: &str, text: &str, more: &[&str]) -> Ran {
    let file: PathBuf = sandbox.path().join(name);
    fs::write(&file, text).expect("it can be written");
    let file = file.to_str().expect("it is UTF-8");
    sandbox.run(&[&["profile", "import", file], more].concat())
}

/// Imports a file; its profiles, as they are understood, and what was said.
fn imported(name: &str, text: &str, profiles: &[&str]) -> (Vec<Value>, String) {
    let sandbox = Sandbox::new("# Mine\n");
    sandbox.secret(CANARY);
    let ran = import(&sandbox, name, text, &[]);
    let said = ran.stderr.clone();
    assert_eq!(ran.ok().lines().count(), profiles.len(), "{name}");
    let written = fs::read_to_string(sandbox.config()).expect("it is there");
    assert!(written.starts_with("# Mine\n\n# From `"), "{written}");
    assert!(!written.contains(CANARY), "{name}: {written}");
    sandbox.run(&["profile", "check"]).ok();
    let show = |name: &&str| sandbox.run(&["profile", "show", name, "-o", "json"]).json();
    (profiles.iter().map(show).collect(), said)
}

/// Fails where a profile does not say what is expected, or something was left out without a word.
#[track_caller]
fn assert_imported(name: &str, text: &str, profile: &str, expected: &Value, left_out: &[&str]) {
    let (profiles, said) = imported(name, text, &[profile]);
    for (key, value) in expected.as_object().expect("it is a table") {
        assert_eq!(
            profiles[0][key], *value,
            "{name}: `{key}` of {}",
            profiles[0]
        );
    }
    for key in left_out {
        let line = format!("profile `{profile}`: `{key}` was not carried over: ");
        assert!(
            said.contains(&line),
            "{name}: `{key}` is not told of: {said}"
        );
    }
    assert_eq!(said.lines().count(), left_out.len(), "{name}: {said}");
}

#[test]
fn parameters_of_msal_s_samples_become_a_profile() {
    let secret = json!({
        "authority": "https://login.microsoftonline.com/contoso.onmicrosoft.com",
        "client_id": "your_client_id",
        "scope": ["https://graph.microsoft.com/.default"],
        "secret": CANARY,
    });
    let expected = json!({
        "client_id": "your_client_id",
        "authority": "https://login.microsoftonline.com/contoso.onmicrosoft.com",
        "scopes": ["https://graph.microsoft.com/.default"],
        "grant": "client_credentials",
        "client_secret": { "env": "PARAMETERS_CLIENT_SECRET" },
    });
    assert_imported(
        "parameters.json",
        &secret.to_string(),
        "parameters",
        &expected,
        &["secret"],
    );
    let person = json!({
        "authority": "https://login.microsoftonline.com/organizations",
        "client_id": "your_client_id",
        "username": "ada@contoso.com",
        "password": CANARY,
        "scope": ["User.Read"],
    });
    let expected =
        json!({ "account": "ada@contoso.com", "scopes": ["User.Read"], "grant": "auto" });
    assert_imported(
        "ropc.json",
        &person.to_string(),
        "ropc",
        &expected,
        &["password"],
    );
    let certificate = json!({
        "authority": "https://login.microsoftonline.com/contoso.onmicrosoft.com",
        "client_id": "your_client_id",
        "scope": ["https://graph.microsoft.com/.default"],
        "thumbprint": "790E", "private_key_file": "filename.pem",
    });
    let left_out = ["private_key_file", "thumbprint"];
    let expected = json!({ "grant": "client_credentials" });
    assert_imported(
        "c.json",
        &certificate.to_string(),
        "c",
        &expected,
        &left_out,
    );
}

#[test]
fn kubeconfigs_of_both_kubelogins_become_profiles() {
    needs!(KUBECTL);
    let secret = format!("--oidc-client-secret={CANARY}");
    let oidc = kubeconfig(
        "oidc",
        "kubectl",
        &[
            "oidc-login",
            "get-token",
            "--oidc-issuer-url=https://issuer.example.com",
            "--oidc-client-id=kubernetes",
            &secret,
            "--oidc-extra-scope=email,groups",
            "--oidc-extra-scope",
            "profile",
            "--skip-open-browser",
            "--insecure-skip-tls-verify",
            "-v1",
        ],
    );
    let expected = json!({
        "client_id": "kubernetes", "authority": "https://issuer.example.com/", "token": "id",
        "scopes": ["openid", "email", "groups", "profile"],
        "grant": { "type": "auto", "redirect_uri": "http://localhost:8000" },
        "urls": ["https://k8s.example.com:6443/"],
        "client_secret": { "env": "OIDC_CLIENT_SECRET" },
    });
    let left_out = [
        "--oidc-client-secret",
        "--skip-open-browser",
        "--insecure-skip-tls-verify",
        "--v",
    ];
    let mut expected = expected;
    expected["authority"] = "https://issuer.example.com".into();
    assert_imported("config", &oidc, "oidc", &expected, &left_out);
    let azure = |more: &[&str]| {
        let words = [
            "get-token",
            "--environment",
            "AzurePublicCloud",
            "--server-id",
            "6dae42f8-4368-4678-94ff-3960e28e3630",
            "--tenant-id",
            "11112222-3333-4444-5555-666677778888",
        ];
        kubeconfig(
            "clusterUser_rg_one",
            "kubelogin",
            &[&words[..], more].concat(),
        )
    };
    let person = azure(&[
        "--client-id",
        "80faf920-1908-4b52-b5ef-a8e7bedfc67a",
        "-l",
        "devicecode",
    ]);
    let expected = json!({
        "client_id": "80faf920-1908-4b52-b5ef-a8e7bedfc67a", "grant": "device_code",
        "authority": "https://login.microsoftonline.com/11112222-3333-4444-5555-666677778888",
        "scopes": ["6dae42f8-4368-4678-94ff-3960e28e3630/.default"],
    });
    assert_imported("config", &person, "clusterUser_rg_one", &expected, &[]);
    let robot = azure(&["--client-id", "robot", "--login=spn", "--pop-enabled"]);
    let expected = json!({
        "client_id": "robot", "grant": "client_credentials",
        "client_secret": { "env": "AZURE_CLIENT_SECRET" },
    });
    let left_out = ["--client-secret", "--pop-enabled"];
    assert_imported("config", &robot, "clusterUser_rg_one", &expected, &left_out);
}

#[test]
fn git_s_configuration_of_two_helpers_becomes_profiles() {
    needs!(GIT);
    let text = format!(
        "[credential]\n\thelper = oauth\n[credential \"https://gitlab.example.com\"]\n\
         \toauthClientId = abc\n\toauthScopes = read_repository write_repository\n\
         \toauthAuthURL = /oauth/authorize\n\toauthTokenURL = /oauth/token\n\
         [credential \"https://example.com\"]\n    oauthClientId = 9d886e36\n    \
         oauthClientSecret = {CANARY}\n    oauthRedirectUri = \"http://127.0.0.1\"\n    \
         oauthAuthorizeEndpoint = \"/login/oauth/authorize\"\n    \
         oauthTokenEndpoint = \"/login/oauth/token\"\n    oauthScopes = \"code:write profile:read\"\n    \
         oauthDefaultUserName = \"OAUTH\"\n    oauthUseClientAuthHeader = false\n    \
         oauthResponseMode = \"fragment\"\n[credential \"https://gitlab.com\"]\n    \
         oauthClientId = own\n    oauthScopes = read_repository\n"
    );
    let names = ["gitlab.example.com", "example.com", "gitlab.com"];
    let (profiles, said) = imported("gitconfig", &text, &names);
    let [oauth, manager, known] = &profiles[..] else {
        panic!("there are three");
    };
    assert_eq!(oauth["client_id"], "abc");
    assert_eq!(
        oauth["scopes"],
        json!(["read_repository", "write_repository"])
    );
    assert_eq!(oauth["urls"], json!(["https://gitlab.example.com/"]));
    let token = "https://gitlab.example.com/oauth/token";
    assert_eq!(oauth["endpoints"]["token"], token);
    assert_eq!(manager["username"], "OAUTH");
    assert_eq!(manager["client_auth_method"], "client_secret_post");
    assert_eq!(manager["client_secret"]["env"], "EXAMPLE_COM_CLIENT_SECRET");
    assert_eq!(manager["grant"]["redirect_uri"], "http://127.0.0.1");
    let authorize = "https://example.com/login/oauth/authorize";
    assert_eq!(manager["endpoints"]["authorization"], authorize);
    assert_eq!(known["preset"], "gitlab");
    for key in ["oauthclientsecret", "oauthresponsemode"] {
        assert!(
            said.contains(&format!("`{key}` was not carried over")),
            "{said}"
        );
    }
}

#[test]
fn aliases_of_azureauth_and_accounts_of_oidc_agent_become_profiles() {
    let azureauth = "[alias.alias1]\n# The resource ID\nresource = \"67eeda51-3891-4101-a0e3-bf0c64047157\"\n\
                     client = \"73e5793e-8f71-4da2-9f71-575cb3019b37\"\ndomain = \"contoso.com\"\n\
                     tenant = \"a3be859b-7f9a-4955-98ed-f3602dbd954c\"\nmode = \"web\"\n";
    let expected = json!({
        "client_id": "73e5793e-8f71-4da2-9f71-575cb3019b37",
        "authority": "https://login.microsoftonline.com/a3be859b-7f9a-4955-98ed-f3602dbd954c",
        "scopes": ["67eeda51-3891-4101-a0e3-bf0c64047157/.default"],
        "domain_hint": "contoso.com",
    });
    assert_imported("config.toml", azureauth, "alias1", &expected, &["mode"]);
    let account = json!({
        "name": "wlcg", "client_name": "oidc-agent:wlcg", "issuer_url": "https://wlcg.example/",
        "device_authorization_endpoint": "", "daeSetByUser": 0, "client_id": "c",
        "client_secret": CANARY, "refresh_token": CANARY, "cert_path": "/etc/ssl/ca.crt",
        "scope": "openid offline_access", "redirect_uris": ["http://localhost:8080", "edu.kit:/redirect"],
        "username": "", "password": "",
    });
    let expected = json!({
        "authority": "https://wlcg.example/", "scopes": ["openid", "offline_access"],
        "grant": { "type": "auto", "redirect_uri": "http://localhost:8080" },
        "client_secret": { "env": "WLCG_CLIENT_SECRET" }, "tls": { "ca_file": "/etc/ssl/ca.crt" },
    });
    let left_out = [
        "client_name",
        "client_secret",
        "redirect_uris: edu.kit:/redirect",
        "refresh_token",
    ];
    assert_imported("wlcg", &account.to_string(), "wlcg", &expected, &left_out);
}

#[test]
fn what_a_kubeconfig_with_kubelogin_is_imported_as_gets_a_token() {
    needs!(KUBECTL);
    let ground = Ground::new(json!({}));
    let issuer = format!("--oidc-issuer-url={}", ground.authority.issuer());
    let words = [
        "oidc-login",
        "get-token",
        &issuer,
        "--oidc-client-id=cli",
        "--oidc-extra-scope=api:read",
        "--grant-type=device-code",
    ];
    let text = kubeconfig("me", "kubectl", &words);
    import(&ground.sandbox, "config", &text, &[]).ok();
    let terminal = ground
        .sandbox
        .in_terminal("cred-helper login -p me >/dev/null");
    ground.authority.approve(None, "ada");
    terminal.wait();
    ground.learn();
    // As kubectl asks for it: an ID token, for this cluster.
    let mut command = ground.sandbox.command(&["kubectl"]);
    let information = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "spec": { "interactive": false, "cluster": { "server": "https://k8s.example.com:6443" } },
    });
    command.env("KUBERNETES_EXEC_INFO", information.to_string());
    let answer = ground.run_command(command).json();
    let token = answer["status"]["token"].as_str().expect("there is one");
    assert_eq!(token.split('.').count(), 3, "it is an ID token");
}

#[test]
fn several_entries_are_imported_at_once_or_one_of_them_and_a_taken_name_is_refused() {
    let sandbox = Sandbox::new("");
    let alias = |name: &str| {
        format!("[alias.{name}]\nresource = 'r'\nclient = 'c'\ntenant = 'contoso.com'\n")
    };
    let text = format!(
        "{}{}[alias.bad]\nclient = 'x'\n",
        alias("one"),
        alias("two")
    );
    let said = import(&sandbox, "a.toml", &text, &["--name", "x"]).failed(2);
    assert!(
        said.contains("choose with `--entry`: bad, one, two"),
        "{said}"
    );
    let said = import(&sandbox, "a.toml", &text, &["--entry", "x"]).failed(2);
    assert!(said.contains("it has: bad, one, two"), "{said}");
    let shown = import(
        &sandbox,
        "a.toml",
        &text,
        &["--entry", "one", "--name", "x", "--dry-run"],
    )
    .ok();
    let of = sandbox.path().join("a.toml");
    assert_eq!(
        shown,
        format!(
            "# From `{}`.\n[profiles.x]\nclient_id = \"c\"\nauthority = \
             \"https://login.microsoftonline.com/contoso.com\"\nscopes = [\"r/.default\"]\n",
            of.display()
        )
    );
    assert_eq!(
        fs::read_to_string(sandbox.config()).expect("it is there"),
        ""
    );
    // One that is no profile does not hold up the others.
    let ran = import(&sandbox, "a.toml", &text, &[]);
    assert!(
        ran.stderr
            .contains("profile `bad` was not written: `profiles.bad` lacks"),
        "{ran:?}"
    );
    assert_eq!(ran.ok().lines().count(), 2);
    let one = ["--entry", "one"];
    let said = import(&sandbox, "a.toml", &text, &one).failed(3);
    assert!(said.contains("say `--replace`"), "{said}");
    let changed = text.replace("'c'", "'new'");
    import(
        &sandbox,
        "a.toml",
        &changed,
        &[&one[..], &["--replace"]].concat(),
    )
    .ok();
    let shown = sandbox
        .run(&["profile", "show", "one", "-o", "json"])
        .json();
    assert_eq!(shown["client_id"], "new");
}

#[test]
fn what_cannot_be_imported_is_told_with_what_to_do() {
    let sandbox = Sandbox::new("");
    sandbox.secret(CANARY);
    for (text, expected) in [
        ("", "what is known: "),
        (CANARY, "what is known: "),
        ("{\"RefreshToken\": {}}", "profile import --msal"),
        (
            "6c6f\nGenerated using version: 5.1.0\n",
            "oidc-gen -p ACCOUNT",
        ),
        ("[profiles.a]\nclient_id = 'c'\n", "`profiles.d`"),
        (
            "{\"client_id\": \"c\", \"authority\": \"http://h.example\"}",
            "https",
        ),
        ("{\"kind\": \"Config\", \"users\": []}", "names no client"),
        ("{\"kind\": \"Config\", \"users\": 1}", "what is known: "),
        ("[alias]\nx = 1\n", "names no client"),
        ("kind: Config\nusers:\n- [\n", "kubectl cannot read"),
        ("[credential \"x\n", "git cannot read"),
    ] {
        let said = import(&sandbox, "file", text, &[]).failed(3);
        assert!(said.contains(expected), "{text}: {said}");
        assert!(said.contains("\nhint: "), "{text}: {said}");
    }
    for path in [".", "not-there"] {
        sandbox.run(&["profile", "import", path]).failed(3);
    }
    sandbox.run(&["profile", "import"]).failed(2);
    let hostile = json!({
        "client_id": "c\"\n[policy]\ntools = []", "authority": "https://h.example",
        "scope": ["s"], "\u{1b}[31m": 1,
    });
    let ran = import(
        &sandbox,
        "\u{202e}x.json",
        &hostile.to_string(),
        &["--name", "x"],
    );
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    ran.ok();
    let text = fs::read_to_string(sandbox.config()).expect("it is there");
    let table: toml::Table = text.parse().expect("it is TOML");
    assert_eq!(table.keys().collect::<Vec<_>>(), ["profiles"]);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

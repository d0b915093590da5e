//! The password grant: at a real server, at a terminal, and what Entra wants first.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use serde_json::{Value, json};

use crate::authority::{Endpoint, Fault, Response};
use crate::machine_ground::{expire, session_of, sessions_of};
use crate::microsoft::TENANT;
use crate::oidc_ground::eventually;
use crate::oidc_provider::OidcProvider;
use crate::scene::{Scene, at_once, profile};
use crate::support::{Keyboard, Sandbox};

const NAME: &str = "password";

/// What the server takes for ada's.
const PASSWORD: &str = "the p+ss:w%rd & =/ of ada";

/// A server, and a profile whose `grant` has these keys beside its type.
fn ground(keys: &str) -> (OidcProvider, Sandbox) {
    let authority = OidcProvider::start(json!({}));
    let sandbox = Sandbox::new(&format!(
        "[profiles.api]\nclient_id = \"cli\"\nauthority = \"{}\"\nscopes = [\"api:read\"]\n\
         grant = {{ type = \"password\", allow_password = true{keys} }}\n",
        authority.issuer()
    ));
    sandbox.secret(PASSWORD);
    (authority, sandbox)
}

#[test]
fn a_password_from_a_source_is_sent_once_and_a_wrong_one_is_not_sent_again() {
    let (authority, sandbox) = ground(", username = \"ada\", password = { file = \"password\" }");
    let put = |text: &str| {
        fs::write(sandbox.path().join("password"), text).expect("it can be written");
    };
    let wrong = "no-password-of-anybody";
    sandbox.secret(wrong);
    put(wrong);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let ran = sandbox.run(&["get"]);
                assert!(matches!(ran.code, Some(4 | 5)), "{ran:?}");
            });
        }
    });
    assert_eq!(
        authority.requests().token(NAME),
        1,
        "it would lock the account"
    );
    put(PASSWORD);
    let error = sandbox.run(&["get"]).failed(4);
    assert!(error.contains("the last one failed at"), "{error}");
    assert!(
        error.contains("`ada` could not sign in with the password"),
        "{error}"
    );
    assert!(
        error.contains("hint: run `cred-helper login -p api`"),
        "{error}"
    );
    assert_eq!(authority.requests().token(NAME), 1);
    // Whoever has mended it says so, and whoever has not is told.
    put(wrong);
    let error = sandbox.run(&["login"]).failed(5);
    assert!(error.contains("invalid_grant"), "{error}");
    assert!(
        error.contains("hint: check the user name and the password"),
        "{error}"
    );
    put(&format!("{PASSWORD}\r\n"));
    let ran = sandbox.run(&["login"]);
    assert!(
        ran.stderr
            .contains("warning: profile `api` signs in with a password"),
        "{ran:?}"
    );
    ran.ok();
    assert_eq!(authority.requests().token(NAME), 3);

    // From then on it is a sign-in like any other.
    let ran = sandbox.run(&["get", "-o", "json"]);
    assert_eq!(ran.stderr, "", "it is warned once for a sign-in");
    let answer = ran.json();
    assert_eq!(
        (&answer["source"], &answer["account"]),
        (&json!("cache"), &json!("ada@example.test"))
    );
    expire(&sandbox, NAME);
    put(wrong);
    let answer = sandbox.run(&["get", "-o", "json"]).json();
    assert_eq!(answer["source"], "refresh");
    let token = answer["access_token"].as_str().expect("there is one");
    assert_eq!(authority.introspect(token)["sub"], "ada");
    let session = session_of(&sandbox, NAME);
    let refresh_token = session["content"]["accounts"][0]["refresh_token"].as_str();
    authority.revoke(refresh_token.expect("it is kept"));
    expire(&sandbox, NAME);
    put(PASSWORD);
    authority.fault(json!({ "on": "token", "grant": NAME, "fault": "status", "status": 503 }));
    sandbox.run(&["get"]).failed(6);
    assert_eq!(sandbox.run(&["get", "-o", "json"]).json()["source"], NAME);
    let shown = sandbox.run(&["profile", "show", "api"]).ok();
    assert!(shown.contains("allow_password = true"), "{shown}");
}

/// Starts a call at a terminal that is looked at before and after; returns once it asks.
fn asked<'s>(sandbox: &'s Sandbox, line: &str) -> (crate::support::InTerminal<'s>, Keyboard) {
    let line = format!("stty -g >before; {line}; code=$?; stty -g >after; exit $code");
    let (terminal, keyboard) = sandbox.with_keyboard(&line);
    eventually("the password is asked", || {
        keyboard.sees().contains("(it is not shown): ")
    });
    (terminal, keyboard)
}

fn assert_left_as_it_was(sandbox: &Sandbox) {
    let read = |name: &str| fs::read_to_string(sandbox.path().join(name)).expect("it was written");
    assert!(!read("before").is_empty());
    assert_eq!(
        read("before"),
        read("after"),
        "the terminal is left as it was"
    );
}

#[test]
fn at_a_terminal_it_is_asked_and_not_shown() {
    let (authority, sandbox) = ground("");
    // Whose it is, the profile says as well.
    let profiles = fs::read_to_string(sandbox.config()).expect("it can be read");
    let with_account = profiles.replace("grant =", "account = \"ada@example.test\"\ngrant =");
    let error = sandbox.run(&["login"]).failed(3);
    assert!(
        error.contains("does not say whose password it is"),
        "{error}"
    );
    sandbox.write_profiles(&with_account);

    let (terminal, mut keyboard) = asked(&sandbox, "cred-helper get >answer");
    assert!(
        keyboard
            .sees()
            .contains("Password of ada@example.test for profile `api`")
    );
    // A slip, taken back, of two bytes.
    keyboard.type_in("the p+sx");
    keyboard.type_in("\u{7f}s:w%rd & =/ of adaä\u{7f}\n");
    let shown = terminal.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    assert!(!shown.contains("p+s"), "{shown}");
    assert_left_as_it_was(&sandbox);
    let token = fs::read_to_string(sandbox.path().join("answer")).expect("it was written");
    assert_eq!(sandbox.run(&["get"]).ok(), token);
    let refreshed = sandbox
        .run(&["get", "--force-refresh", "-o", "json"])
        .json();
    assert_eq!(refreshed["source"], "refresh");

    // It is a sign-in of a person as by any other way.
    assert_eq!(sessions_of(&sandbox, NAME).len(), 0);
    sandbox.run(&["logout"]).ok();
    sandbox.run(&["get"]).failed(4);
    let error = sandbox.run(&["login"]).failed(3);
    assert!(error.contains("nobody can type it here unseen"), "{error}");
    assert_eq!(authority.requests().token(NAME), 1);

    // A wrong one is no silence: each time it is typed anew.
    let (terminal, mut keyboard) = asked(&sandbox, "cred-helper get");
    keyboard.type_in("something-else\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    assert!(
        shown.contains("check the user name and the password"),
        "{shown}"
    );
    let (terminal, mut keyboard) = asked(&sandbox, "cred-helper get");
    keyboard.type_in("\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(4), "{shown}");
    assert!(shown.contains("nothing was typed"), "{shown}");
    assert_eq!(authority.requests().token(NAME), 2);
}

#[test]
fn ctrl_c_at_the_question_leaves_the_terminal_as_it_was() {
    let (authority, sandbox) = ground(", username = \"ada\"");
    let (terminal, mut keyboard) = asked(&sandbox, "trap : INT; cred-helper login");
    keyboard.type_in("half of a passw");
    keyboard.type_in("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!shown.contains("half of"), "{shown}");
    assert_left_as_it_was(&sandbox);
    assert_eq!(authority.requests().token(NAME), 0);
}

/// A scripted Entra whose user realm gives this answer.
fn entra(realm: Fault) -> Scene {
    let mut settings = at_once();
    let path = "/common/userrealm/ada lovelace@example.test".replace(' ', "%20");
    settings.paths = vec![(path, Endpoint::Userinfo)];
    let scene = Scene::of(settings, |issuer| {
        format!(
            "[profiles.api]\npreset = \"entra\"\nclient_id = \"cli\"\nauthority = \"{issuer}/{TENANT}\"\n\
             scopes = [\"User.Read\"]\n[profiles.api.grant]\ntype = \"password\"\n\
             allow_password = true\nusername = \"ada lovelace@example.test\"\n\
             password = {{ env = \"PASSWORD\" }}\n"
        )
    });
    scene.sandbox.secret(PASSWORD);
    scene.authority.script(Endpoint::Userinfo, realm);
    scene
}

fn get(scene: &Scene) -> crate::support::Ran {
    let mut command = scene.sandbox.command(&["get"]);
    command.env("PASSWORD", PASSWORD);
    scene.run_command(command)
}

fn realm(members: &Value) -> Fault {
    Fault::Answer(Response::json(200, members))
}

#[test]
fn entra_is_asked_first_where_somebody_signs_in() {
    for account_type in ["Managed", "Unknown"] {
        let scene = entra(realm(
            &json!({ "ver": "1.0", "account_type": account_type }),
        ));
        let tokens = json!({
            "token_type": "Bearer", "access_token": "the-access-token", "expires_in": 3600,
        });
        let answer = Fault::Answer(Response::json(200, &tokens));
        scene.authority.script(Endpoint::Token, answer);
        assert_eq!(get(&scene).ok(), "the-access-token\n");
        let requests = scene.authority.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].method, "GET");
        assert!(requests[0].form.is_empty());
        let mut form = requests[1].form.clone();
        form.sort();
        let expected = [
            ("client_id", "cli"),
            ("client_info", "1"),
            ("grant_type", "password"),
            ("password", PASSWORD),
            ("scope", "User.Read openid profile offline_access"),
            ("username", "ada lovelace@example.test"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form, expected);
    }
}

#[test]
fn where_an_organization_has_its_own_sign_in_no_password_leaves() {
    let scene = entra(realm(&json!({
        "account_type": "Federated", "federation_protocol": "WSTrust",
        "federation_metadata_url": "https://adfs.example/mex",
    })));
    let error = get(&scene).failed(5);
    assert!(
        error.contains("which takes no password from here"),
        "{error}"
    );
    assert!(error.contains("federated by WSTrust"), "{error}");
    assert!(
        error.contains("sign in with a browser or a device code"),
        "{error}"
    );
    assert_eq!(scene.authority.requests().len(), 1);
    // Nor is anything asked again for a while.
    get(&scene).failed(4);
    assert_eq!(scene.authority.requests().len(), 1);

    for trouble in [
        Fault::error(503, "down"),
        Fault::error(404, "gone"),
        Fault::Answer(Response::new(200, "text/html", "<html>")),
        Fault::Reset,
    ] {
        let scene = entra(trouble);
        let error = get(&scene).failed(6);
        assert!(error.contains("it cannot be found out where"), "{error}");
        assert_eq!(scene.authority.requests().len(), 1);
    }
}

#[test]
fn a_second_factor_that_is_wanted_is_a_refusal_with_the_way_that_works() {
    let scene = entra(realm(&json!({ "account_type": "Managed" })));
    let refusal = json!({
        "error": "invalid_grant", "error_codes": [50076], "suberror": "basic_action",
        "error_description": "AADSTS50076: a second factor is needed",
    });
    let answer = Fault::Answer(Response::json(400, &refusal));
    scene.authority.script(Endpoint::Token, answer);
    let error = get(&scene).failed(5);
    assert!(error.contains("AADSTS50076"), "{error}");
    assert!(
        error.contains("sign in with a browser or a device code"),
        "{error}"
    );
}

#[test]
fn each_mistake_in_the_table_is_told_with_its_place() {
    for (grant, words) in [
        ("\"password\"", "`password` is off"),
        (
            "{ type = \"password\", username = \"ada\" }",
            "`allow_password = true`",
        ),
        (
            "{ type = \"password\", allow_password = 1 }",
            "it is neither true nor false",
        ),
        (
            "{ type = \"password\", allow_password = true, user = \"ada\" }",
            "unknown key",
        ),
        (
            "{ type = \"password\", allow_password = true, password = { profile = \"b\" } }",
            "needs exactly one of `env`, `file`, `command` and `keyring`",
        ),
    ] {
        let text = format!("{}grant = {grant}\n", profile("a", "https://id.example"));
        let sandbox = Sandbox::new(&text);
        let error = sandbox.run(&["profile", "check"]).failed(3);
        let is_it = |line: &str| line.contains("profiles.toml:5:") && line.contains(words);
        assert!(error.lines().any(is_it), "{grant}: {error}");
    }
    // Written into the file, it is warned of.
    let text = profile("a", "https://id.example");
    let literal =
        "grant = { type = \"password\", allow_password = true, password = \"a-literal-word\" }";
    let sandbox = Sandbox::new(&format!("{text}{literal}\n"));
    sandbox.secret("a-literal-word");
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(sandbox.config(), private).expect("it is ours");
    let ran = sandbox.run(&["profile", "check"]);
    assert!(
        ran.stderr
            .contains("`profiles.a.grant.password` is written into the file"),
        "{ran:?}"
    );
    ran.ok();
    // It is in no argument either.
    let sandbox = Sandbox::new(&profile("a", "https://id.example"));
    let error = sandbox.run(&["login", "--grant", "password"]).failed(2);
    assert!(
        !error.contains("`password`,") && error.contains("`device_code`"),
        "{error}"
    );
}

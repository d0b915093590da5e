//! Presets of providers that take a sign-in with a browser: what the browser is asked, what is sent
//! for the code that it brings, and the provider's own answers, spoken by a loopback authority.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use crate::authority::{Endpoint, Recorded, Settings};
use crate::browser_ground::{install, open, parameter, redirect, send};
use crate::preset::{answer, provider};
use crate::scene::{DEVICE_CODE, Scene, at_once, discoveries};
use crate::support::Ran;

/// A sign-in that a browser has completed.
struct SignIn {
    /// The page that it was sent to.
    page: Url,
    /// Where it brought the code.
    redirect: Url,
    /// The request that redeemed the code.
    sent: Recorded,
}

impl SignIn {
    /// Signs in for the scene's profile; the token endpoint answers `tokens`.
    fn of(scene: &Scene, tokens: &Value) -> Self {
        install(&scene.sandbox);
        scene.authority.script(Endpoint::Token, answer(200, tokens));
        let line = format!("SECRET={SECRET} cred-helper login");
        let (terminal, page) = open(&scene.sandbox, &line);
        let (redirect, host) = redirect(&page);
        let state = parameter(&page, "state").expect("it has a state");
        let path = redirect.path();
        let request =
            format!("GET {path}?code=the-code&state={state} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(send(&redirect, request.as_bytes()).0, 200);
        terminal.wait();
        let mut requests = scene.authority.requests();
        let redeems = |request: &Recorded| request.parameter("code") == Some("the-code");
        requests.retain(redeems);
        let [sent] = requests.try_into().expect("a code is redeemed once");
        let method = parameter(&page, "code_challenge_method");
        assert_eq!(method.as_deref(), Some("S256"));
        assert!(sent.parameter("code_verifier").is_some(), "{sent:?}");
        Self {
            page,
            redirect,
            sent,
        }
    }

    /// A parameter that the browser took along, or none.
    fn asked(&self, name: &str) -> String {
        parameter(&self.page, name).unwrap_or_default()
    }

    /// The redirect URI, with `PORT` for its port.
    fn redirect_uri(&self) -> String {
        let port = self.redirect.port().expect("it has one").to_string();
        let asked = self.asked("redirect_uri");
        assert_eq!(self.sent.parameter("redirect_uri"), Some(asked.as_str()));
        asked.replace(&port, "PORT")
    }
}

/// The secret of clients that have one, which a profile finds in the variable `SECRET`.
const SECRET: &str = "client-secret-canary";

/// Runs the binary as a client with that secret.
fn with_secret(scene: &Scene, arguments: &[&str]) -> Ran {
    let mut command = scene.sandbox.command(arguments);
    command.env("SECRET", SECRET);
    scene.run_command(command)
}

/// What the binary answers to git, which asks for the credentials of a host.
pub(crate) fn git_get(scene: &Scene, host: &str) -> String {
    let asked = format!("capability[]=authtype\nprotocol=https\nhost={host}\n\n");
    std::fs::write(scene.file("asked"), asked).expect("it can be written");
    let mut git = scene.wrapped(&["sh", "-c", "exec \"$@\" <asked", "sh"], &["git", "get"]);
    git.current_dir(scene.sandbox.path()).env("SECRET", SECRET);
    scene.run_command(git).stdout
}

/// Adds keys to the scene's profile.
fn add_keys(scene: &Scene, keys: &str) {
    let profiles = std::fs::read_to_string(scene.sandbox.config()).expect("it can be read");
    scene.sandbox.write_profiles(&format!("{profiles}{keys}"));
}

/// The redirect URI of a preset that names one with its port. Nobody listens there: another test,
/// or somebody else, may.
fn registered(scene: &Scene) -> String {
    let begun = with_secret(scene, &["login", "--start"]);
    let page = Url::parse(begun.stdout.trim()).expect("it is a URL");
    parameter(&page, "redirect_uri").expect("it is there")
}

/// Lets the browser come to any port instead.
const ANY_PORT: &str =
    "grant = { type = \"authorization_code\", redirect_uri = \"http://localhost/\" }\n";

/// What a token endpoint answers as a rule.
fn tokens(name: &str) -> Value {
    json!({
        "access_token": format!("{name}-access-canary"), "token_type": "bearer",
        "expires_in": 3600, "refresh_token": format!("{name}-refresh-canary"),
    })
}

/// Endpoints of the authority at a provider's own paths.
fn at<const N: usize>(paths: [(&str, Endpoint); N]) -> Settings {
    Settings {
        paths: paths.map(|(path, of)| (path.to_owned(), of)).to_vec(),
        ..Settings::default()
    }
}

#[test]
fn gitea_is_understood_with_the_client_that_it_has_from_the_start() {
    let settings = at([
        ("/login/oauth/access_token", Endpoint::Token),
        ("/login/oauth/userinfo", Endpoint::Userinfo),
    ]);
    let scene = Scene::of(settings, |issuer| {
        format!(
            "[profiles.api]\npreset = \"gitea\"\nauthority = \"{issuer}/\"\nurls = [\"https://codeberg.org/\"]\n"
        )
    });
    let user = json!({ "sub": "7", "name": "Ada", "preferred_username": "ada", "email": "a@x" });
    scene
        .authority
        .script(Endpoint::Userinfo, answer(200, &user));
    let sign_in = SignIn::of(&scene, &tokens("gitea"));
    assert_eq!(sign_in.page.path(), "/login/oauth/authorize");
    assert_eq!(sign_in.redirect_uri(), "http://127.0.0.1:PORT/");
    let client = "a4792ccc-144e-407e-86c9-5e7d8d9c3269";
    assert_eq!(sign_in.asked("client_id"), client);
    assert_eq!(sign_in.sent.parameter("client_id"), Some(client));
    assert_eq!(sign_in.sent.parameter("client_secret"), None);
    assert_eq!(sign_in.asked("scope"), "");
    assert_eq!(sign_in.asked("prompt"), "");
    let got = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(got["source"], "cache");
    assert_eq!(got["account"], "ada");
    assert_eq!(discoveries(&scene.authority), 0);
    let given = git_get(&scene, "codeberg.org");
    assert!(given.contains("authtype=Bearer\n"), "{given}");
    // A server may hand out a new refresh token each time.
    for name in ["second", "third"] {
        scene
            .authority
            .script(Endpoint::Token, answer(200, &tokens(name)));
        scene.run(&["get", "--force-refresh"]).ok();
    }
    let requests = scene.authority.requests();
    let used: Vec<_> = requests
        .iter()
        .filter_map(|request| request.parameter("refresh_token"))
        .collect();
    assert_eq!(used, ["gitea-refresh-canary", "second-refresh-canary"]);
}

#[test]
fn bitbucket_is_understood() {
    let settings = at([
        ("/site/oauth2/access_token", Endpoint::Token),
        ("/2.0/user", Endpoint::Userinfo),
    ]);
    let keys = "scopes = [\"repository\", \"account\"]\nclient_secret = { env = \"SECRET\" }\n\
                urls = [\"https://bitbucket.org/\"]\n";
    let scene = provider(settings, "bitbucket", keys);
    scene.sandbox.secret(SECRET);
    assert_eq!(registered(&scene), "http://localhost:34106/");
    // On loopback the API has to be named.
    let user = scene.authority.url("/2.0/user");
    add_keys(
        &scene,
        &format!("{ANY_PORT}endpoints = {{ userinfo = \"{user}\" }}\n"),
    );
    let user = json!({
        "type": "user", "uuid": "{7}", "nickname": "ada", "display_name": "Ada",
        "account_id": "557058:7",
    });
    scene
        .authority
        .script(Endpoint::Userinfo, answer(200, &user));
    let mut first = tokens("bitbucket");
    first["scopes"] = "repository account".into();
    first["state"] = "authorization_code".into();
    let sign_in = SignIn::of(&scene, &first);
    assert_eq!(sign_in.page.path(), "/site/oauth2/authorize");
    assert_eq!(sign_in.redirect_uri(), "http://localhost:PORT/");
    assert_eq!(sign_in.asked("scope"), "repository account");
    let basic = format!("Basic {}", STANDARD.encode(format!("cli:{SECRET}")));
    let got = with_secret(&scene, &["get", "-o", "json"]).json();
    assert_eq!(got["account"], "ada");
    assert_eq!(got["access_token"], "bitbucket-access-canary");
    let second = answer(200, &tokens("second"));
    scene.authority.script(Endpoint::Token, second);
    with_secret(&scene, &["get", "--force-refresh"]).ok();
    let requests = scene.authority.requests();
    let mut forms = requests.iter().filter(|request| request.method == "POST");
    assert_eq!(forms.clone().count(), 2);
    assert!(forms.all(|form| {
        form.header("authorization") == Some(&basic) && form.parameter("client_secret").is_none()
    }));
    // git is given a password, which is what its servers are documented to take.
    let given = git_get(&scene, "bitbucket.org");
    let token = STANDARD.encode("x-token-auth:second-access-canary");
    assert!(given.contains("authtype=Basic\n"), "{given}");
    assert!(given.contains(&format!("credential={token}\n")), "{given}");
}

/// A server of OpenID Connect below that path, which has a page for browsers on another host.
fn with_metadata(path: &str) -> Settings {
    let page = "https://id.example/oauth2/authorize".into();
    Settings {
        path: path.to_owned(),
        metadata: vec![("authorization_endpoint".to_owned(), page)],
        ..at_once()
    }
}

#[test]
fn servers_with_metadata_take_a_browser_or_a_device_code() {
    let any_port = "grant = { redirect_uri = \"http://127.0.0.1/\" }\n";
    for (preset, path, grant) in [
        ("auth0", "", any_port),
        ("authentik", "/application/o/work", ""),
        ("dex", "/dex", ""),
        ("keycloak", "/realms/work", ""),
        ("okta", "/oauth2/default", any_port),
        ("pingone", "/7e3a9c1c-0000-4000-8000-2f6f1d7b5a10/as", ""),
        ("zitadel", "", ""),
    ] {
        let scene = provider(with_metadata(path), preset, "scopes = []\n");
        // Without a browser, it is the device code.
        scene.run(&["login"]).ok();
        assert_eq!(scene.authority.count("/token", Some(DEVICE_CODE)), 1);
        scene.run(&["logout"]).ok();
        if grant == any_port {
            assert_eq!(registered(&scene), "http://127.0.0.1:8400/", "{preset}");
        }
        add_keys(&scene, grant);
        let sign_in = SignIn::of(&scene, &tokens(preset));
        assert_eq!(sign_in.redirect_uri(), "http://127.0.0.1:PORT/");
        assert_eq!(sign_in.asked("scope"), "openid profile offline_access");
        assert_eq!(sign_in.sent.path, format!("{path}/token"));
        assert_eq!(sign_in.sent.parameter("client_id"), Some("cli"));
        assert_eq!(sign_in.sent.parameter("client_secret"), None);
        let got = scene.run(&["get"]).stdout;
        assert_eq!(got, format!("{preset}-access-canary\n"));
        let next = answer(200, &tokens("next"));
        scene.authority.script(Endpoint::Token, next);
        scene.run(&["get", "--force-refresh"]).ok();
        let expected = format!("{preset}-refresh-canary");
        let requests = scene.authority.requests();
        let mut used = requests
            .iter()
            .filter_map(|request| request.parameter("refresh_token"));
        assert_eq!(used.next_back(), Some(expected.as_str()));
    }
}

#[test]
fn a_desktop_client_of_google_is_understood() {
    let mut settings = with_metadata("");
    settings.scopes = ["openid", "email", "profile"].map(str::to_owned).to_vec();
    let mail = "https://mail.google.com/";
    let keys = format!("scopes = [\"{mail}\"]\nclient_secret = {{ env = \"SECRET\" }}\n");
    let scene = provider(settings, "google", &keys);
    scene.sandbox.secret(SECRET);
    let sign_in = SignIn::of(&scene, &tokens("google"));
    assert_eq!(sign_in.redirect_uri(), "http://127.0.0.1:PORT/");
    assert_eq!(sign_in.asked("scope"), format!("{mail} openid profile"));
    // A desktop client is given a refresh token without asking for one.
    assert_eq!(sign_in.asked("access_type"), "");
    assert_eq!(sign_in.asked("prompt"), "");
    assert_eq!(sign_in.asked("client_secret"), "");
    assert_eq!(sign_in.sent.parameter("client_secret"), Some(SECRET));
    assert_eq!(sign_in.sent.header("authorization"), None);
    let next = answer(200, &tokens("next"));
    scene.authority.script(Endpoint::Token, next);
    with_secret(&scene, &["get", "--force-refresh"]).ok();
    // Without a browser here, it is another machine's: the device code is not for this client.
    let shown = scene.run(&["profile", "show", "api", "-o", "json"]).json();
    assert_eq!(shown["grant"], "authorization_code");
}

#[test]
fn cognito_is_understood() {
    let mut settings = with_metadata("/eu-west-1_Ab12Cd34E");
    settings.scopes = ["openid", "email", "phone", "profile"]
        .map(str::to_owned)
        .to_vec();
    let no_device_code = ("device_authorization_endpoint".to_owned(), Value::Null);
    settings.metadata.push(no_device_code);
    let scene = provider(settings, "cognito", "scopes = [\"orders/read\"]\n");
    assert_eq!(registered(&scene), "http://localhost:8400/");
    add_keys(&scene, ANY_PORT);
    let sign_in = SignIn::of(&scene, &tokens("cognito"));
    let page = "https://id.example/oauth2/authorize?";
    assert!(sign_in.page.as_str().starts_with(page));
    assert_eq!(sign_in.redirect_uri(), "http://localhost:PORT/");
    assert_eq!(sign_in.asked("scope"), "orders/read openid profile");
    assert_eq!(sign_in.asked("prompt"), "");
    assert_eq!(sign_in.sent.parameter("client_id"), Some("cli"));
    assert_eq!(sign_in.sent.parameter("client_secret"), None);
    // Without rotation the refresh token stays the same, and is not told again.
    for name in ["second", "third"] {
        let mut next = tokens(name);
        next["refresh_token"] = Value::Null;
        scene.authority.script(Endpoint::Token, answer(200, &next));
        let got = scene.run(&["get", "--force-refresh"]).stdout;
        assert_eq!(got, format!("{name}-access-canary\n"));
    }
    let requests = scene.authority.requests();
    let used: Vec<_> = requests
        .iter()
        .filter_map(|request| request.parameter("refresh_token"))
        .collect();
    assert_eq!(used, ["cognito-refresh-canary"; 2]);
}

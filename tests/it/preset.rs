//! Presets: each is loaded, and its provider's dialect is understood as it is documented, spoken by
//! a loopback authority at the provider's own paths.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::authority::{ClientAuthentication, ClientRow, Endpoint, Fault, Response, Settings};
use crate::browser_ground::install;
use crate::preset_browser::git_get;
use crate::scene::{DEVICE_CODE, Scene, at_once, discoveries};
use crate::support::{Ran, Sandbox};

/// A scene whose profile `api` names a preset; the authority is on loopback, below `path`.
pub(crate) fn provider(settings: Settings, preset: &str, keys: &str) -> Scene {
    Scene::of(settings, |issuer| {
        format!(
            "[profiles.api]\npreset = \"{preset}\"\nauthority = \"{issuer}\"\nclient_id = \"cli\"\n\
             {keys}"
        )
    })
}

/// An answer of a token or device endpoint, as scripted.
pub(crate) fn answer(status: u16, body: &Value) -> Fault {
    Fault::Answer(Response::json(status, body))
}

#[test]
fn every_preset_makes_a_profile_and_says_where_a_client_is_registered() {
    let sandbox = Sandbox::new("");
    let listed = sandbox.run(&["profile", "presets", "-o", "json"]).json();
    let rows = listed["presets"].as_array().expect("a list").clone();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["preset"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "acr",
            "aks",
            "auth0",
            "authentik",
            "azure-devops",
            "azure-resource-manager",
            "bitbucket",
            "cognito",
            "dex",
            "entra",
            "gitea",
            "github",
            "gitlab",
            "google",
            "hugging-face",
            "keycloak",
            "microsoft-graph",
            "okta",
            "outlook",
            "pingone",
            "zitadel"
        ]
    );
    let text = sandbox.run(&["profile", "presets"]).stdout;
    for row in &rows {
        let name = row["preset"].as_str().unwrap();
        for key in ["summary", "authority", "register", "verified", "documented"] {
            let about = row[key].as_str().unwrap_or_default();
            assert!(!about.is_empty(), "{name} lacks {key}");
            assert!(text.contains(about), "{name}: {text}");
        }
        let profile = |keys: &str| {
            format!(
                "[profiles.api]\npreset = \"{name}\"\nclient_id = \"cli\"\nscopes = [\"x\"]\n\
                 client_secret = {{ env = \"S\" }}\n{keys}"
            )
        };
        sandbox.write_profiles(&profile("authority = \"https://id.example/tenant\"\n"));
        sandbox.run(&["profile", "check"]).ok();
        // With the authority that it has of its own, or a complaint that says what one looks like.
        sandbox.write_profiles(&profile(""));
        let ran = sandbox.run(&["profile", "show", "api"]);
        let own_authority = [
            "azure-devops",
            "azure-resource-manager",
            "bitbucket",
            "github",
            "gitlab",
            "google",
            "hugging-face",
            "microsoft-graph",
            "outlook",
        ];
        if own_authority.contains(&name) {
            ran.ok();
        } else {
            let said = ran.failed(3);
            let form = row["authority"].as_str().unwrap();
            assert!(said.contains("`profiles.api` lacks `authority`"), "{said}");
            assert!(said.contains(form), "{said}");
        }
    }
}

#[test]
fn an_endpoint_of_a_preset_on_a_fixed_host_is_for_its_own_authority_alone() {
    let sandbox = Sandbox::new("");
    let shown = |keys: &str| {
        sandbox.write_profiles(&format!(
            "[profiles.api]\npreset = \"github\"\nclient_id = \"cli\"\nscopes = []\n{keys}"
        ));
        let shown = sandbox
            .run(&["profile", "show", "api", "-o", "json"])
            .json();
        shown["endpoints"].clone()
    };
    assert_eq!(
        shown(""),
        json!({
            "authorization": "https://github.com/login/oauth/authorize",
            "device_authorization": "https://github.com/login/device/code",
            "token": "https://github.com/login/oauth/access_token",
            "userinfo": "https://api.github.com/user",
        })
    );
    // A token of another server must not go to GitHub's API.
    assert_eq!(
        shown("authority = \"https://git.example/\"\n"),
        json!({
            "authorization": "https://git.example/login/oauth/authorize",
            "device_authorization": "https://git.example/login/device/code",
            "token": "https://git.example/login/oauth/access_token",
        })
    );
    // The same authority in other words is GitHub's; another token endpoint is not.
    assert_eq!(
        shown("authority = \"https://github.com/\"\n")["userinfo"],
        "https://api.github.com/user"
    );
    let other = shown(
        "endpoints = { token = \"https://git.example/t\", \
         device_authorization = \"https://git.example/d\" }\n",
    );
    assert_eq!(other["userinfo"], Value::Null);
    sandbox.write_profiles(
        "[profiles.api]\npreset = \"gitlab\"\nclient_id = \"cli\"\nscopes = []\n\
         endpoints = { token = \"https://git.example/t\", \
         device_authorization = \"https://git.example/d\" }\n",
    );
    let gitlab = sandbox
        .run(&["profile", "show", "api", "-o", "json"])
        .json();
    assert_eq!(
        gitlab["endpoints"],
        json!({ "token": "https://git.example/t", "device_authorization": "https://git.example/d" })
    );
    // The profile's own keys lie above.
    let own = shown(
        "authority = \"https://git.example\"\n\
         endpoints = { userinfo = \"https://git.example/api/v3/user\" }\n",
    );
    assert_eq!(own["userinfo"], "https://git.example/api/v3/user");
    assert_eq!(own["token"], "https://git.example/login/oauth/access_token");
}

/// GitHub's paths on loopback; the profile names the API as its Enterprise Server has it.
fn github() -> Scene {
    let paths = [
        ("/login/device/code", Endpoint::DeviceAuthorization),
        ("/login/oauth/access_token", Endpoint::Token),
        ("/api/v3/user", Endpoint::Userinfo),
    ];
    let scene = provider(
        Settings {
            paths: paths.map(|(path, of)| (path.to_owned(), of)).to_vec(),
            scopes: vec!["repo".to_owned(), "gist".to_owned()],
            ..at_once()
        },
        "github",
        "scopes = [\"repo\", \"gist\"]\n",
    );
    let profiles = std::fs::read_to_string(scene.sandbox.config()).expect("it can be read");
    let user = scene.authority.url("/api/v3/user");
    scene.sandbox.write_profiles(&format!(
        "{profiles}endpoints = {{ userinfo = \"{user}\" }}\n"
    ));
    scene
}

#[test]
fn github_is_understood() {
    let scene = github();
    // Errors come under status 200, and slow_down names the new interval.
    for said in [
        json!({ "error": "authorization_pending", "interval": 5 }),
        json!({ "error": "slow_down", "error_description": "too fast", "interval": 6 }),
    ] {
        scene.authority.script(Endpoint::Token, answer(200, &said));
    }
    // An OAuth app's token has no end and no refresh token; scopes are separated by commas.
    scene.authority.script(
        Endpoint::Token,
        Fault::edit(|answer| {
            answer.remove("expires_in");
            answer.remove("refresh_token");
            answer.insert("token_type".to_owned(), "bearer".into());
            answer.insert("scope".to_owned(), "gist,repo".into());
        }),
    );
    let user = json!({ "login": "ada", "id": 42, "name": "Ada", "email": "public@x" });
    scene
        .authority
        .script(Endpoint::Userinfo, answer(200, &user));
    let ran = scene.run(&["login"]);
    assert!(ran.stderr.contains("Signed in as ada for"), "{ran:?}");
    ran.ok();
    assert_eq!(
        scene
            .authority
            .count("/login/oauth/access_token", Some(DEVICE_CODE)),
        3
    );
    assert_eq!(discoveries(&scene.authority), 0);
    for request in scene.authority.requests() {
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.parameter("client_secret"), None);
    }
    let got = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(got["source"], "cache");
    assert_eq!(got["account"], "ada");
    assert_eq!(got["expires_at"], Value::Null);
    assert_eq!(got["scopes"], json!(["gist", "repo"]));
}

#[test]
fn a_github_app_whose_refresh_token_died_asks_for_a_sign_in() {
    let scene = github();
    scene.run(&["login"]).ok();
    let dead = json!({
        "error": "bad_refresh_token",
        "error_description": "The refresh token passed is incorrect or expired.",
    });
    scene.authority.script(Endpoint::Token, answer(200, &dead));
    let said = scene.run(&["get", "--force-refresh"]).failed(4);
    assert!(said.contains("bad_refresh_token"), "{said}");
    let refreshes = |scene: &Scene| {
        let path = "/login/oauth/access_token";
        scene.authority.count(path, Some("refresh_token"))
    };
    assert_eq!(refreshes(&scene), 1);
    scene.run(&["get", "--force-refresh"]).failed(4);
    assert_eq!(refreshes(&scene), 1, "a dead token is not sent again");
}

#[test]
fn a_github_app_without_the_device_flow_says_where_to_enable_it() {
    let scene = github();
    let disabled = json!({ "error": "device_flow_disabled", "error_description": "enable it" });
    scene
        .authority
        .script(Endpoint::DeviceAuthorization, answer(200, &disabled));
    let said = scene.run(&["login"]).failed(5);
    assert!(said.contains("device_flow_disabled: enable it"), "{said}");
    assert!(
        said.contains("hint: enable the device flow in the settings of the app"),
        "{said}"
    );
}

#[test]
fn gitlab_is_understood() {
    let paths = [
        ("/oauth/authorize_device", Endpoint::DeviceAuthorization),
        ("/oauth/token", Endpoint::Token),
        ("/oauth/revoke", Endpoint::Revocation),
    ];
    let scene = provider(
        Settings {
            paths: paths.map(|(path, of)| (path.to_owned(), of)).to_vec(),
            scopes: vec!["read_repository".to_owned()],
            access_token_lifetime: 7200,
            ..at_once()
        },
        "gitlab",
        "scopes = [\"read_repository\"]\n",
    );
    scene.run(&["login"]).ok();
    scene.run(&["get", "--force-refresh"]).ok();
    scene.run(&["get", "--force-refresh"]).ok();
    scene.run(&["logout"]).ok();
    assert_eq!(discoveries(&scene.authority), 0);
    let requests = scene.authority.requests();
    assert_eq!(requests[0].parameter("scope"), Some("read_repository"));
    assert_eq!(scene.authority.count("/oauth/revoke", None), 2);
}

#[test]
fn hugging_face_is_understood() {
    let paths = [
        ("/oauth/device", Endpoint::DeviceAuthorization),
        ("/oauth/token", Endpoint::Token),
    ];
    let scene = provider(
        Settings {
            paths: paths.map(|(path, of)| (path.to_owned(), of)).to_vec(),
            scopes: ["openid", "profile", "read-repos"]
                .map(str::to_owned)
                .to_vec(),
            ..at_once()
        },
        "hugging-face",
        "scopes = [\"openid\", \"profile\", \"read-repos\"]\nurls = [\"https://huggingface.co/\"]\n",
    );
    // A browser is of no use where no redirect URI is registered.
    install(&scene.sandbox);
    let mut command = scene.sandbox.command(&["login"]);
    command.env("BROWSER", "browser");
    scene.run_command(command).ok();
    let got = scene.run(&["get", "-o", "json"]).json();
    assert_eq!(got["account"], "ada@example.test");
    let token = got["access_token"].as_str().expect("it has a token");
    let password = STANDARD.encode(format!("hf_user:{token}"));
    let given = git_get(&scene, "huggingface.co");
    assert!(given.contains("authtype=Basic\n"), "{given}");
    assert!(
        given.contains(&format!("credential={password}\n")),
        "{given}"
    );
    scene.run(&["get", "--force-refresh"]).ok();
    assert_eq!(discoveries(&scene.authority), 0);
    let requests = scene.authority.requests();
    let paths: Vec<_> = requests
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert_eq!(paths, ["/oauth/device", "/oauth/token", "/oauth/token"]);
    assert_eq!(
        requests[0].parameter("scope"),
        Some("openid profile read-repos")
    );
    for request in &requests {
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.parameter("client_secret"), None);
    }
}

#[test]
fn a_device_client_of_google_is_understood() {
    let secret = "google-secret-canary";
    let scene = provider(
        Settings {
            clients: vec![ClientRow {
                id: "cli".to_owned(),
                secret: Some(secret.to_owned()),
                method: ClientAuthentication::ClientSecretPost,
            }],
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            ..at_once()
        },
        "google",
        "scopes = [\"email\"]\nclient_secret = { env = \"GOOGLE_SECRET\" }\n\
         grant = \"device_code\"\n",
    );
    scene.sandbox.secret(secret);
    // The device endpoint takes the client_id alone, and names the page as Google does.
    let device = json!({
        "device_code": "google-device-canary", "user_code": "GQVQ-JKEC", "expires_in": 1800,
        "interval": 1, "verification_url": "https://www.google.com/device",
    });
    scene
        .authority
        .script(Endpoint::DeviceAuthorization, answer(200, &device));
    for (status, error) in [(428, "authorization_pending"), (403, "slow_down")] {
        let said = json!({ "error": error, "error_description": "wait" });
        scene
            .authority
            .script(Endpoint::Token, answer(status, &said));
    }
    let tokens = json!({
        "access_token": "google-access-canary", "expires_in": 3599, "token_type": "Bearer",
        "refresh_token": "google-refresh-canary", "scope": "openid email",
    });
    scene
        .authority
        .script(Endpoint::Token, answer(200, &tokens));
    let with_secret = |arguments: &[&str]| -> Ran {
        let mut command: Command = scene.sandbox.command(arguments);
        command.env("GOOGLE_SECRET", secret);
        scene.run_command(command)
    };
    let ran = with_secret(&["login"]);
    assert!(
        ran.stderr.contains("https://www.google.com/device"),
        "{ran:?}"
    );
    ran.ok();
    assert_eq!(with_secret(&["get"]).stdout, "google-access-canary\n");
    let requests = scene.authority.requests();
    let (device, polls) = requests
        .iter()
        .filter(|request| request.method == "POST")
        .partition::<Vec<_>, _>(|request| request.path.ends_with("/device_authorization"));
    assert_eq!((device.len(), polls.len()), (1, 3));
    for request in &requests {
        assert_eq!(request.header("authorization"), None);
    }
    assert_eq!(device[0].parameter("client_secret"), None);
    assert_eq!(device[0].parameter("client_id"), Some("cli"));
    assert_eq!(device[0].parameter("scope"), Some("email openid profile"));
    assert!(
        polls
            .iter()
            .all(|poll| poll.parameter("client_secret") == Some(secret))
    );

    let without = "[profiles.api]\npreset = \"google\"\nclient_id = \"cli\"\nscopes = []\n";
    scene.sandbox.write_profiles(without);
    let said = scene.run(&["profile", "check"]).failed(3);
    assert!(
        said.contains("`profiles.api` lacks `client_secret`"),
        "{said}"
    );
}

#[test]
fn a_preset_of_microsoft_is_entra_with_scopes_of_its_own() {
    let organizations = Some("organizations");
    for (preset, scope, home) in [
        ("aks", "6dae42f8-4368-4678-94ff-3960e28e3630/.default", None),
        (
            "azure-devops",
            "499b84ac-1321-427f-aa17-267ca6975798/.default",
            organizations,
        ),
        (
            "azure-resource-manager",
            "https://management.azure.com/.default",
            organizations,
        ),
        (
            "microsoft-graph",
            "https://graph.microsoft.com/.default",
            organizations,
        ),
        (
            "outlook",
            "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send",
            Some("common"),
        ),
    ] {
        let settings = Settings {
            scopes: scope.split(' ').map(str::to_owned).collect(),
            ..at_once()
        };
        let scene = Scene::of(settings, |issuer| {
            format!(
                "[profiles.api]\npreset = \"{preset}\"\nclient_id = \"cli\"\n\
                 authority = \"{issuer}/contoso.example\"\n"
            )
        });
        scene.run(&["login"]).ok();
        scene.run(&["get", "--force-refresh"]).ok();
        let requests = scene.authority.requests();
        let asked: Vec<_> = requests
            .iter()
            .filter_map(|request| Some((request.path.as_str(), request.parameter("scope")?)))
            .collect();
        let all = format!("{scope} openid profile offline_access");
        assert_eq!(
            asked,
            [
                ("/contoso.example/oauth2/v2.0/devicecode", all.as_str()),
                ("/contoso.example/oauth2/v2.0/token", all.as_str()),
            ]
        );
        // Without an authority, it is the tenant that the person is at home in, if that will do.
        let profile = format!("[profiles.api]\npreset = \"{preset}\"\nclient_id = \"cli\"\n");
        scene.sandbox.write_profiles(&profile);
        let shown = scene.run(&["profile", "show", "api", "-o", "json"]);
        match home {
            Some(home) => {
                let shown = shown.json();
                let home = format!("https://login.microsoftonline.com/{home}");
                assert_eq!(shown["authority"], home);
                assert_eq!(shown["scopes"], json!(scope.split(' ').collect::<Vec<_>>()));
            }
            None => {
                let said = shown.failed(3);
                assert!(said.contains("lacks `authority`"), "{said}");
            }
        }
    }
}

#[test]
fn a_client_that_a_preset_knows_is_used_unless_the_profile_names_another() {
    let client = "80faf920-1908-4b52-b5ef-a8e7bedfc67a";
    for (keys, expected) in [("", client), ("client_id = \"cli\"\n", "cli")] {
        let scene = Scene::of(at_once(), |issuer| {
            let authority = format!("authority = \"{issuer}/contoso.example\"\n");
            format!("[profiles.api]\npreset = \"aks\"\n{authority}{keys}")
        });
        scene.run(&["login"]).ok();
        let requests = scene.authority.requests();
        assert_eq!(requests.len(), 2, "{requests:?}");
        for request in requests {
            assert_eq!(request.parameter("client_id"), Some(expected));
        }
    }
}

#[test]
fn keycloak_okta_and_auth0_are_found_by_their_metadata() {
    let all = ["openid", "profile", "offline_access"];
    for (preset, path, keys, lifetime) in [
        ("keycloak", "/realms/work", "scopes = []\n", 300),
        ("okta", "/oauth2/default", "scopes = []\n", 3600),
        ("okta", "", "scopes = []\n", 3600),
        (
            "auth0",
            "",
            "scopes = []\naudience = \"https://api.example\"\n",
            86_400,
        ),
    ] {
        let scene = provider(
            Settings {
                path: path.to_owned(),
                scopes: all.map(str::to_owned).to_vec(),
                access_token_lifetime: lifetime,
                ..at_once()
            },
            preset,
            keys,
        );
        // Auth0's pending and slow_down.
        for (status, error) in [(403, "authorization_pending"), (429, "slow_down")] {
            scene
                .authority
                .script(Endpoint::Token, Fault::error(status, error));
        }
        scene.run(&["login"]).ok();
        assert_eq!(
            scene.run(&["get", "-o", "json"]).json()["source"],
            "cache",
            "{preset}"
        );
        scene.run(&["get", "--force-refresh"]).ok();
        let forms = scene.authority.requests();
        let forms: Vec<_> = forms
            .iter()
            .filter(|request| request.method == "POST")
            .collect();
        assert_eq!(forms.len(), 5);
        assert_eq!(
            forms[0].parameter("scope"),
            Some("openid profile offline_access")
        );
        let audience = (preset == "auth0").then_some("https://api.example");
        for form in forms {
            assert_eq!(form.parameter("audience"), audience, "{form:?}");
        }
    }
    let scene = provider(at_once(), "auth0", "scopes = [\"demo\"]\n");
    for error in ["expired_token", "invalid_grant"] {
        scene
            .authority
            .script(Endpoint::Token, Fault::error(403, error));
        let said = scene.run(&["login"]).failed(4);
        assert!(said.contains("the code ran out"), "{said}");
    }
}

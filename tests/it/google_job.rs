//! A day with Google's own library for Python, and with gcloud: a token of the authority is traded at a
//! token service, which checks its signature.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer};
use crate::kubectl_ground::id_token_judge;
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tool::{GCLOUD, GOOGLE_AUTH, installed, needs};

const POOL: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/\
                    providers/work";
const WORKFORCE: &str = "//iam.googleapis.com/locations/global/workforcePools/p/providers/work";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// Whom the token service says that somebody is.
const PRINCIPAL: &str = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/ada";
const GRANTED: &str = "google-access-token\n";

/// A token service, and a home with a credential configuration for it.
struct GoogleGround {
    ground: Ground,
    service: HttpServer,
    library: PathBuf,
}

impl GoogleGround {
    /// Nobody is signed in. `None` where the library is missing, which is noted.
    fn new() -> Option<Self> {
        let library = installed(&GOOGLE_AUTH, "google-auth")?;
        Some(Self::with(library, json!({})))
    }

    /// The same with an authority of these options, for a library that is there or is not used.
    fn with(library: PathBuf, options: Value) -> Self {
        let ground = Ground::new(options);
        ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"https:{POOL}\"]\n"
        ));
        let judge = id_token_judge(&ground);
        let service = HttpServer::start(move |request| {
            let json = |status, body: Value| {
                Answer::new(status, body.to_string()).with("Content-Type", "application/json")
            };
            if request.path == "/introspect" {
                return json(200, json!({ "active": true, "username": PRINCIPAL }));
            }
            let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body)
                .into_owned()
                .collect();
            let field = |name: &str| {
                let found = form.iter().find(|(own, _)| own == name);
                found.map_or("", |(_, value)| value.as_str())
            };
            let is_good = field("subject_token_type") == ID_TOKEN && judge(field("subject_token"));
            if !is_good {
                return json(400, json!({ "error": "invalid_grant" }));
            }
            json(
                200,
                json!({ "access_token": GRANTED.trim_end(), "token_type": "Bearer",
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "expires_in": 3600 }),
            )
        });
        let ground = Self {
            ground,
            service,
            library,
        };
        ground.configure(POOL, "google -p api", ID_TOKEN);
        ground
    }

    /// Writes the credential configuration.
    fn configure(&self, audience: &str, arguments: &str, token_type: &str) {
        let program = self.ground.sandbox.bin().join("cred-helper");
        let configuration = json!({
            "type": "external_account",
            "audience": audience,
            "subject_token_type": token_type,
            "token_url": self.service.url("/token"),
            "workforce_pool_user_project": (audience == WORKFORCE).then_some("1"),
            "credential_source": { "executable": {
                "command": format!("{} {arguments}", program.display()),
                "timeout_millis": 30_000,
                "interactive_timeout_millis": 60_000,
                "output_file": self.output_file(),
            } },
        });
        fs::write(self.home("google.json"), configuration.to_string()).expect("it can be written");
    }

    fn home(&self, name: &str) -> PathBuf {
        self.ground.sandbox.path().join(name)
    }

    fn output_file(&self) -> PathBuf {
        self.home("subject-token.json")
    }

    /// The shell's line that has the library do something.
    fn line(&self, mode: &str) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/google/refresh.py");
        format!(
            "export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 PYTHONPATH='{}' \
             PYTHONDONTWRITEBYTECODE=1; python3 '{script}' google.json {mode}",
            self.library.display()
        )
    }

    fn run(&self, mode: &str) -> Ran {
        self.ground.shell(&self.line(mode))
    }

    /// Runs gcloud, which finds nobody beyond loopback, and keeps what it keeps in the home.
    fn gcloud(&self, words: &str) -> Ran {
        self.ground.shell(&format!(
            "export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 CLOUDSDK_CONFIG=$HOME/gcloud \
             CLOUDSDK_AUTH_TOKEN_INTROSPECTION_ENDPOINT={} CLOUDSDK_CORE_DISABLE_PROMPTS=1 \
             CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true \
             CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true GCE_METADATA_ROOT=127.0.0.1:9 \
             HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1; \
             gcloud {words}",
            self.service.url("/introspect")
        ))
    }

    /// What the library was told that failed.
    fn failure(&self) -> String {
        let ran = self.run("");
        assert_eq!(ran.stdout, "");
        ran.failed(1)
    }

    fn kept(&self) -> Value {
        let text = fs::read(self.output_file()).expect("there is an output file");
        serde_json::from_slice(&text).expect("it is JSON")
    }
}

#[test]
fn google_s_library_trades_the_id_token_and_hears_in_its_own_words_where_there_is_none() {
    let Some(google) = GoogleGround::new() else {
        return;
    };
    let ground = &google.ground;
    // Nobody has signed in, and nobody is asked.
    let error = google.failure();
    assert!(error.contains("code: 401"), "{error}");
    assert!(error.contains("cred-helper login -p api"), "{error}");
    assert!(!google.output_file().exists(), "a failure is not kept");
    ground.sign_in("ada");
    ground.authority.reset_requests();
    for arguments in ["google -p api", "google"] {
        google.configure(POOL, arguments, ID_TOKEN);
        let ran = google.run("");
        assert_eq!(ran.stderr, "");
        assert_eq!(ran.ok(), GRANTED, "{arguments}");
        crate::support::private(&google.output_file());
        assert_eq!(google.kept()["success"], true);
        fs::remove_file(google.output_file()).expect("it is there");
    }
    assert_eq!(ground.authority.requests().total, 0, "both were silent");
    ground.expire();
    assert_eq!(google.run("").ok(), GRANTED);
    ground.assert_refreshed_once();
    // The library reads the file, and starts nothing, while its token lives.
    let log = || fs::read(ground.sandbox.log()).expect("it is there").len();
    let before = log();
    assert_eq!(google.run("").ok(), GRANTED);
    assert_eq!(log(), before);
    fs::remove_file(google.output_file()).expect("it is there");
    assert_eq!(google.run("").ok(), GRANTED);
    assert!(
        log() > before,
        "one that is started leaves something in the log"
    );
    fs::remove_file(google.output_file()).expect("it is there");
    // Revoked at the authority.
    ground.expire();
    ground.authority.revoke(&ground.refresh_token());
    let error = google.failure();
    assert!(error.contains("code: 401"), "{error}");
    for (audience, arguments, token_type, code, part) in [
        (WORKFORCE, "google", ID_TOKEN, "404", "no profile answers"),
        (POOL, "google -p apo", ID_TOKEN, "404", "did you mean `api`"),
        (
            POOL,
            "google -p api",
            "urn:ietf:params:oauth:token-type:saml2",
            "400",
            "cannot be had",
        ),
    ] {
        google.configure(audience, arguments, token_type);
        let error = google.failure();
        assert!(error.contains(&format!("code: {code}")), "{error}");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn where_google_s_library_lets_a_person_be_asked_the_terminal_shows_no_token() {
    let Some(google) = GoogleGround::new() else {
        return;
    };
    let ground = &google.ground;
    google.configure(WORKFORCE, "google -p api", ID_TOKEN);
    let terminal = ground.sandbox.in_terminal(&google.line("interactive"));
    ground.authority.approve(None, "ada");
    let (code, shown) = terminal.end();
    ground.learn();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("enter the code"), "{shown}");
    assert!(shown.contains(GRANTED.trim_end()), "{shown}");
    ground.sandbox.scan("the terminal", &shown);
    crate::support::private(&google.output_file());
    fs::remove_file(google.output_file()).expect("it is there");
    let ran = google.run("revoke");
    assert_eq!(ran.ok(), "revoked\n");
    assert_eq!(ground.sandbox.sessions().len(), 0, "it signed out");
}

#[test]
fn gcloud_signs_in_with_the_id_token_and_asks_for_another_one_when_its_own_token_is_over() {
    needs!(GCLOUD);
    let google = GoogleGround::with(PathBuf::new(), json!({}));
    let ground = &google.ground;
    const LOGIN: &str = "auth login --cred-file=google.json";
    const PRINT: &str = "auth print-access-token";
    let error = google.gcloud(LOGIN).failed(1);
    assert!(error.contains("code: 401"), "{error}");
    assert!(error.contains("cred-helper login -p api"), "{error}");
    assert!(google.service.requests().is_empty());
    ground.sign_in("ada");
    ground.authority.reset_requests();
    let ran = google.gcloud(LOGIN);
    assert!(ran.stderr.contains(PRINCIPAL), "{ran:?}");
    ran.ok();
    ground.assert_requests(0, 0);
    // Neither gcloud nor its library has one any more.
    fs::remove_file(google.home("gcloud/access_tokens.db")).expect("gcloud keeps it there");
    fs::remove_file(google.output_file()).expect("it is there");
    ground.expire();
    assert_eq!(google.gcloud(PRINT).ok(), GRANTED);
    ground.assert_refreshed_once();
}

#[test]
fn google_s_library_takes_a_token_of_16_kb() {
    let Some(library) = installed(&GOOGLE_AUTH, "google-auth") else {
        return;
    };
    let google = GoogleGround::with(library, large_tokens());
    google.ground.sign_in("ada");
    let token = google.ground.get(&["-o", "id-token"]);
    assert!(token.len() > 16 * 1024, "{}", token.len());
    assert_eq!(google.run("").ok(), GRANTED);
}

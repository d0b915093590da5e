//! A day with pnpm of both generations, at a registry that has each token judged.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tool::{PNPM, installed};

/// Where `.ci/run` puts them. The first passes its helper no arguments.
const PROGRAMS: [&str; 2] = ["pnpm10", "pnpm12"];

/// A registry, and a home whose profile is for it.
struct PnpmGround {
    pnpm: PathBuf,
    ground: Ground,
    registry: HttpServer,
}

impl PnpmGround {
    fn new(pnpm: PathBuf) -> Self {
        Self::with(pnpm, json!({}))
    }

    /// The same with an authority of these options.
    fn with(pnpm: PathBuf, options: Value) -> Self {
        let ground = Ground::new(options);
        let judge = ground.authority.judge();
        let registry = HttpServer::start(move |request| {
            let (scheme, token) = request.authorization();
            if scheme != "Bearer" || !judge(token) {
                return Answer::new(401, "{}").with("Connection", "close");
            }
            // A registry that knows who asks, and has nothing.
            Answer::new(404, "{}").with("Connection", "close")
        });
        ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\"]\n",
            registry.url("/")
        ));
        let home = ground.sandbox.path();
        fs::create_dir(home.join("work")).expect("a folder can be made");
        fs::write(home.join("work/package.json"), "{\"name\":\"own\"}").expect("it can be written");
        let own = format!("registry={}\n", registry.url("/"));
        fs::write(home.join("work/.npmrc"), own).expect("it can be written");
        let link = ground.sandbox.link("pnpm-token-cred-helper-api");
        let ground = Self {
            pnpm,
            ground,
            registry,
        };
        ground.configure(&link.display().to_string());
        ground
    }

    /// Tells pnpm who is asked.
    fn configure(&self, helper: &str) {
        let text = format!("//{}/:tokenHelper={helper}\n", self.registry.address());
        self.write(&text);
    }

    /// Replaces pnpm's configuration in the home.
    fn write(&self, text: &str) {
        let path = self.ground.sandbox.path().join(".npmrc");
        fs::write(path, text).expect("it can be written");
    }

    /// Asks the registry for a package.
    fn line(&self) -> String {
        format!(
            "unset CI; cd work; '{}' add --config.fetch-retries=0 dep",
            self.pnpm.display()
        )
    }

    fn run(&self) -> Ran {
        let ran = self.ground.shell(&self.line());
        self.ground.sandbox.scan("pnpm's stdout", &ran.stdout);
        ran
    }

    /// Asks, and the token is taken.
    fn is_known(&self) -> bool {
        self.registry.reset();
        let ran = self.run();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let schemes = self.registry.schemes();
        let is_known = says_404(&format!("{}{}", ran.stdout, ran.stderr));
        assert!(
            !is_known || schemes.keys().collect::<Vec<_>>() == ["Bearer"],
            "{schemes:?}"
        );
        is_known
    }
}

fn for_each_pnpm(test: impl Fn(PnpmGround)) {
    pnpms().for_each(|pnpm| test(PnpmGround::new(pnpm)));
}

/// Whether pnpm, of either version, tells of this status: a port may have the same digits.
fn says_404(text: &str) -> bool {
    text.contains("(404 ") || text.contains(" - 404")
}

/// The pnpms that are here.
fn pnpms() -> impl Iterator<Item = PathBuf> {
    let programs = PROGRAMS.into_iter();
    programs.filter_map(|name| installed(&PNPM, &format!("{name}/node_modules/.bin/pnpm")))
}

#[test]
fn the_first_call_asks_at_the_terminal_and_later_ones_are_silent() {
    for_each_pnpm(|ground| {
        let line = format!("({}) || true", ground.line());
        let shown = ground.ground.shell_as_ada(&line);
        assert!(says_404(&shown), "{shown}");
        ground.ground.authority.reset_requests();
        assert!(ground.is_known());
        ground.ground.assert_requests(0, 0);
        ground.ground.expire();
        assert!(ground.is_known() && ground.is_known());
        ground.ground.assert_requests(1, 0);
        // pnpm tells nobody of a token that was rejected.
        ground.ground.authority.revoke(&ground.ground.get(&[]));
        assert!(!ground.is_known());
        ground.ground.get(&["--force-refresh"]);
        assert!(ground.is_known());
    });
}

#[test]
fn where_nobody_can_be_asked_pnpm_fails_and_the_registry_hears_nothing() {
    for_each_pnpm(|ground| {
        let ran = ground.run();
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(ground.registry.schemes().is_empty());
        assert_eq!(ground.ground.authority.requests().total, 0);
        // Its own line tells what pnpm does not show.
        let error = ground.ground.shell("pnpm-token-cred-helper-api").failed(4);
        assert!(error.contains("cred-helper login -p api"), "{error}");
    });
}

#[test]
fn a_pnpm_that_passes_arguments_may_name_the_registry_instead() {
    let path = format!("{}/node_modules/.bin/pnpm", PROGRAMS[1]);
    let Some(pnpm) = installed(&PNPM, &path) else {
        return;
    };
    let ground = PnpmGround::new(pnpm);
    ground.ground.sign_in("ada");
    let url = ground.registry.url("/");
    let program = ground.ground.sandbox.link("cred-helper");
    let program = program.display();
    for (arguments, expected) in [
        (format!("--url {url}"), true),
        (format!("-p api --url {url}"), true),
        ("-p api".to_owned(), true),
        ("--url https://other.example.test/".to_owned(), false),
        ("-p api --url https://other.example.test/".to_owned(), false),
        (String::new(), false),
    ] {
        ground.configure(format!("{program} pnpm {arguments}").trim());
        assert_eq!(ground.is_known(), expected, "{arguments}");
    }
}

#[test]
fn what_setup_writes_makes_pnpm_ask_until_it_is_undone() {
    for_each_pnpm(|ground| {
        let home = &ground.ground;
        home.sign_in("ada");
        ground.write("; mine\n");
        assert!(!ground.is_known());
        home.shell("cred-helper setup pnpm").ok();
        assert!(ground.is_known());
        home.shell("cred-helper setup pnpm --undo").ok();
        assert_eq!(home.read(".npmrc"), "; mine");
        assert!(!ground.is_known());
        assert!(ground.registry.schemes().is_empty());
    });
}

#[test]
fn pnpm_takes_a_token_of_16_kb() {
    for pnpm in pnpms() {
        let ground = PnpmGround::with(pnpm, large_tokens());
        let token = ground.ground.sign_in("ada");
        assert!(token.len() > 16 * 1024, "{}", token.len());
        assert!(ground.is_known());
    }
}

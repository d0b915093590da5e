//! A real cargo beside a sparse registry that takes tokens: what the tests of `cargo_*.rs` share.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::Ground;
use crate::support::Ran;

/// A cargo, a registry `my`, and a home whose only profile is for it.
pub(crate) struct CargoGround {
    pub(crate) ground: Arc<Ground>,
    pub(crate) registry: HttpServer,
}

/// What a registry keeps of a version.
struct Version {
    archive: Vec<u8>,
    is_yanked: bool,
}

impl CargoGround {
    /// An authority with these options and a registry in which nothing is published; nobody is
    /// signed in.
    pub(crate) fn new(options: Value) -> Self {
        let ground = Self::on(Arc::new(Ground::new(options)));
        ground.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\"]\n",
            ground.registry.url("/index/")
        ));
        ground
    }

    /// Such a cargo and registry on a ground that is there, whose profile names the registry or will.
    pub(crate) fn on(ground: Arc<Ground>) -> Self {
        let registry = registry(ground.authority.judge());
        ground.sandbox.link("cargo-credential-cred-helper");
        ground.sandbox.link("cargo-credential-cred-helper-api");
        let ground = Self { ground, registry };
        ground.configure("credential-provider = [\"cargo-credential-cred-helper\"]\n");
        ground
    }

    /// The same, with somebody signed in; counting begins anew.
    pub(crate) fn signed_in(options: Value) -> Self {
        let ground = Self::new(options);
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    /// Replaces cargo's configuration; the keys are those of the registry, and tables behind it.
    pub(crate) fn configure(&self, keys: &str) {
        let index = self.registry.url("/index/");
        let text = format!("[registries.my]\nindex = \"sparse+{index}\"\n{keys}");
        write(&self.ground.sandbox.path().join("cargo/config.toml"), &text);
    }

    /// A package in the sandbox, with these dependencies.
    pub(crate) fn add_package(&self, name: &str, dependencies: &str) {
        let folder = self.ground.sandbox.path().join(name);
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
             description = \"d\"\nlicense = \"MIT\"\n[workspace]\n[dependencies]\n{dependencies}"
        );
        write(&folder.join("Cargo.toml"), &manifest);
        write(&folder.join("src/lib.rs"), "");
    }

    /// Publishes the package `part`, and adds `whole`, which needs it.
    pub(crate) fn publish(&self) {
        self.add_package("part", "");
        self.run(PUBLISH).ok();
        self.add_package("whole", NEEDS_PART);
    }

    /// A command line of a shell in the sandbox, in which `cargo` knows nothing of the caller's.
    fn command(&self, line: &str) -> Command {
        let sandbox = &self.ground.sandbox;
        let mut command = Command::new("sh");
        sandbox.prepare(&mut command);
        let script = format!("{}; {line}", self.environment());
        command.args(["-c", &script]);
        command
    }

    /// Sets the environment of a shell.
    fn environment(&self) -> String {
        let sandbox = &self.ground.sandbox;
        let home = sandbox.path().display();
        let tools = Path::new(env!("CARGO")).parent().expect("it has a folder");
        let path = sandbox.path_with_links();
        format!(
            "unset SSL_CERT_FILE SSL_CERT_DIR; \
             export CARGO_HOME={home}/cargo CARGO_TARGET_DIR={home}/target CARGO_NET_RETRY=0 \
             XDG_CONFIG_HOME={home}/config PATH='{}:{}'",
            tools.display(),
            path.display()
        )
    }

    /// Runs a shell's line without a terminal; neither stream may show a token.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let ran = self.ground.run_command(self.command(line));
        self.ground.sandbox.scan("cargo's stdout", &ran.stdout);
        ran
    }

    /// Runs a shell's line at a terminal, where `login` signs in as often as it is asked to; the
    /// exit code, and what was shown.
    pub(crate) fn run_at_a_terminal(&self, line: &str, sign_ins: u32) -> (Option<i32>, String) {
        let line = format!("{}; {line}", self.environment());
        let terminal = self.ground.sandbox.in_terminal(&line);
        for _ in 0..sign_ins {
            self.ground.authority.approve(None, "ada");
        }
        let (code, shown) = terminal.end();
        self.ground.learn();
        self.ground.sandbox.scan("the terminal", &shown);
        (code, shown)
    }
}

/// Publishes the package `part`.
pub(crate) const PUBLISH: &str =
    "cd part && cargo publish -q --no-verify --allow-dirty --registry my";

/// What stands in a package that needs it.
const NEEDS_PART: &str = "part = { version = \"0.1\", registry = \"my\" }\n";

/// Fetches what `whole` needs, as on a machine that has nothing yet.
pub(crate) const FETCH: &str =
    "rm -rf cargo/registry whole/Cargo.lock && cd whole && cargo fetch -q";

fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(path, text).expect("it can be written");
}

/// A registry (<https://doc.rust-lang.org/cargo/reference/registry-index.html>) that wants a token
/// for everything.
fn registry(judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> HttpServer {
    let versions = Mutex::new(BTreeMap::new());
    HttpServer::start(move |request| {
        let (scheme, token) = request.authorization();
        if scheme != "Bearer" || !judge(token) {
            return Answer::challenge(&["Cargo login_url=\"https://login.example.test\""]);
        }
        let mut versions = versions.lock().unwrap_or_else(PoisonError::into_inner);
        serve(request, &mut versions).unwrap_or_else(|| Answer::new(404, ""))
    })
}

fn serve(request: &Request, versions: &mut BTreeMap<String, Version>) -> Option<Answer> {
    let json = |value: Value| Some(Answer::new(200, value.to_string()));
    let origin = format!("http://{}", request.header("host"));
    let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["index", "config.json"]) => json(json!({
            "dl": format!("{origin}/dl"), "api": origin, "auth-required": true,
        })),
        ("GET", ["index", .., name]) => {
            let Version { archive, is_yanked } = versions.get(*name)?;
            let digest = ring::digest::digest(&ring::digest::SHA256, archive);
            let digest: String = digest
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json(json!({
                "name": name, "vers": "0.1.0", "deps": [], "cksum": digest, "features": {},
                "yanked": is_yanked,
            }))
        }
        ("GET", ["dl", name, "0.1.0", "download"]) => {
            Some(Answer::new(200, versions.get(*name)?.archive.clone()))
        }
        ("PUT", ["api", "v1", "crates", "new"]) => {
            let (metadata, rest) = with_length(&request.body)?;
            let (archive, _) = with_length(rest)?;
            let metadata: Value = serde_json::from_slice(metadata).ok()?;
            let version = Version {
                archive: archive.to_vec(),
                is_yanked: false,
            };
            versions.insert(metadata["name"].as_str()?.to_owned(), version);
            json(json!({}))
        }
        (method, ["api", "v1", "crates", name, "0.1.0", "yank" | "unyank"]) => {
            versions.get_mut(*name)?.is_yanked = method == "DELETE";
            json(json!({ "ok": true }))
        }
        _ => None,
    }
}

/// What four bytes of length stand before, and what follows it.
fn with_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

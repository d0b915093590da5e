//! Real kubectls beside an API server that takes tokens: what the tests of `kubectl_*.rs` share.
//!
//! The server has each token judged by the authority which issued it. It has one namespace, and
//! knows no other version of its API than `v1`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::Ground;
use crate::oidc_provider::http;
use crate::support::Ran;
use crate::tls::{CertificateAuthority, Front};
use crate::tool::{KUBECTL_BEFORE_1_22, KUBECTL_FROM_1_30, note_missing};

/// A kubectl of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    program: PathBuf,
    version: (u32, u32),
}

impl Kubectl {
    fn knows_v1(&self) -> bool {
        self.version >= (1, 22)
    }

    /// Whether it can write all of an exec plugin into a kubeconfig.
    fn is_new(&self) -> bool {
        self.version >= (1, 30)
    }

    /// The versions of the exec protocol that it speaks.
    pub(crate) fn versions(&self) -> &'static [&'static str] {
        if self.knows_v1() {
            &["v1", "v1beta1"]
        } else {
            &["v1beta1"]
        }
    }

    /// Its path, as a word of a shell's line.
    pub(crate) fn word(&self) -> String {
        format!("'{}'", self.program.display())
    }
}

/// Every kubectl: the one on the PATH first, those beside it, and the distribution's. What is
/// missing is noted.
pub(crate) fn kubectls() -> Vec<Kubectl> {
    static FOUND: OnceLock<Vec<Kubectl>> = OnceLock::new();
    let found = FOUND.get_or_init(|| programs().into_iter().filter_map(identify).collect());
    if !found.iter().any(Kubectl::is_new) {
        note_missing(&KUBECTL_FROM_1_30);
    }
    if found.iter().all(Kubectl::knows_v1) {
        note_missing(&KUBECTL_BEFORE_1_22);
    }
    found.clone()
}

/// The first kubectl that is not old; noted, if there is none.
pub(crate) fn new_kubectl() -> Option<Kubectl> {
    kubectls().into_iter().find(Kubectl::is_new)
}

fn programs() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    // Where `.ci/run` unpacks it: installed, it would replace the machine's own.
    let old = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-client/usr/bin/kubectl");
    let mut programs = Vec::new();
    for program in on_path.chain([old]) {
        let Ok(own) = program.canonicalize() else {
            continue;
        };
        // A distribution may bring several, of which one chooses by the server's version.
        let folder = own.parent().expect("a file lies in a folder");
        let beside: BTreeSet<PathBuf> = fs::read_dir(folder)
            .expect("the folder of a program can be read")
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.file_stem().is_some_and(|stem| stem == "kubectl.1"))
            .collect();
        programs.extend([own].into_iter().chain(beside));
    }
    let mut seen = BTreeSet::new();
    programs.retain(|program| seen.insert(program.clone()));
    programs
}

fn identify(program: PathBuf) -> Option<Kubectl> {
    let mut command = Command::new(&program);
    let output = command.args(["version", "--client", "-o", "json"]).output();
    let told: Value = serde_json::from_slice(&output.ok()?.stdout).ok()?;
    let number = |name: &str| {
        let text = told["clientVersion"][name].as_str()?;
        text.trim_end_matches('+').parse().ok()
    };
    let version = (number("major")?, number("minor")?);
    Some(Kubectl { program, version })
}

/// An API server, and a home with a kubeconfig for it.
pub(crate) struct KubectlGround {
    pub(crate) ground: Arc<Ground>,
    pub(crate) server: HttpServer,
    front: Front,
    certificates: CertificateAuthority,
    certificate: Arc<ServerConfig>,
}

impl KubectlGround {
    /// An authority with these options, and an API server; the only profile is for it. Nobody is
    /// signed in.
    pub(crate) fn new(options: Value) -> Self {
        let ground = Self::on(Arc::new(Ground::new(options)));
        ground.set_profile("scopes = [\"api:read\"]\n");
        ground
    }

    /// The same, with somebody signed in; counting begins anew.
    pub(crate) fn signed_in(options: Value) -> Self {
        let ground = Self::new(options);
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    /// An API server on a ground that is there, which takes the access tokens of its authority.
    pub(crate) fn on(ground: Arc<Ground>) -> Self {
        let judge = ground.authority.judge();
        Self::with_judge(ground, judge)
    }

    /// The same, with another judge of tokens.
    pub(crate) fn with_judge(
        ground: Arc<Ground>,
        judge: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let certificates = CertificateAuthority::new(ground.sandbox.path(), "cluster-ca");
        let server = api_server(judge);
        let behind = server.address().parse().expect("it is an address");
        let certificate = certificates.issue("cluster", "IP:127.0.0.1,DNS:localhost", "+0");
        let front = Front::start(Arc::clone(&certificate), behind);
        let ground = Self {
            ground,
            server,
            front,
            certificates,
            certificate,
        };
        ground.configure("v1", json!({}));
        ground
    }

    /// Gives the profile these keys, beside its client and the cluster's URL.
    pub(crate) fn set_profile(&self, keys: &str) {
        self.ground.set_profile(&format!(
            "client_id = \"cli\"\nurls = [\"{}\"]\n{keys}",
            self.url()
        ));
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        self.front.origin()
    }

    /// Has the exec plugin asked in this version, for the profile `api`; further members of
    /// `exec`, or others in place of these.
    pub(crate) fn configure(&self, version: &str, exec: Value) {
        self.configure_for(&self.url(), version, exec, None);
    }

    /// Has the plugin choose the profile by what it is told of the cluster, which may have
    /// an extension.
    pub(crate) fn configure_by_cluster(
        &self,
        server: &str,
        version: &str,
        extension: Option<Value>,
    ) {
        let exec = json!({ "args": ["kubectl"], "provideClusterInfo": true });
        self.configure_for(server, version, exec, extension);
    }

    fn configure_for(&self, server: &str, version: &str, more: Value, extension: Option<Value>) {
        let mut exec = json!({
            "apiVersion": format!("client.authentication.k8s.io/{version}"),
            "command": "cred-helper",
            "args": ["kubectl", "--profile", "api"],
            "interactiveMode": "IfAvailable",
        });
        let members = exec.as_object_mut().expect("it is an object");
        members.extend(more.as_object().expect("they are members").clone());
        let name = "client.authentication.k8s.io/exec";
        let extensions = match extension {
            Some(extension) => json!([{ "name": name, "extension": extension }]),
            None => json!([]),
        };
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "c", "cluster": {
                "server": server,
                "certificate-authority": self.certificates.pem(),
                "extensions": extensions,
            } }],
            "users": [{ "name": "u", "user": { "exec": exec } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
            "current-context": "c",
        });
        // JSON is YAML too.
        let path = self.ground.sandbox.path().join("kubeconfig");
        fs::write(path, kubeconfig.to_string()).expect("a kubeconfig can be written");
    }

    /// Has the plugin count how often it is started.
    pub(crate) fn configure_counting(&self, version: &str) {
        let lines = "echo started >>\"$HOME/starts\"\nexec cred-helper \"$@\"\n";
        self.ground.sandbox.script("counted", lines);
        self.configure(version, json!({ "command": "counted" }));
    }

    /// How often the plugin was started since this was last asked.
    pub(crate) fn starts(&self) -> usize {
        let path = self.ground.sandbox.path().join("starts");
        let starts = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, "").expect("it can be written");
        starts.lines().count()
    }

    /// Another API server behind a certificate that is as good, which takes nobody's token.
    pub(crate) fn stranger(&self) -> (HttpServer, String) {
        let server = api_server(|_| false);
        let behind = server.address().parse().expect("it is an address");
        let front = Front::start(Arc::clone(&self.certificate), behind);
        (server, front.origin())
    }

    /// Runs a shell's line without a terminal; neither stream may show a token.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let sandbox = &self.ground.sandbox;
        let mut command = Command::new("sh");
        sandbox.prepare(&mut command);
        command
            .env("PATH", sandbox.path_with_links())
            .args(["-c", &format!("{ENVIRONMENT}; {line}")]);
        let ran = self.ground.run_command(command);
        sandbox.scan("kubectl's stdout", &ran.stdout);
        ran
    }

    /// Runs a shell's line at a terminal, where `person` does what is to be done meanwhile; the
    /// exit code, and what was shown.
    pub(crate) fn run_at_a_terminal(
        &self,
        line: &str,
        person: impl FnOnce(),
    ) -> (Option<i32>, String) {
        let line = format!("{ENVIRONMENT}; {line}");
        let terminal = self.ground.sandbox.in_terminal(&line);
        person();
        let (code, shown) = terminal.end();
        self.ground.learn();
        self.ground.sandbox.scan("the terminal", &shown);
        (code, shown)
    }

    /// How many requests came with a token, and how many without one.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let requests = self.server.requests();
        let with = requests
            .iter()
            .filter(|request| !request.header("authorization").is_empty())
            .count();
        (with, requests.len() - with)
    }
}

/// Whether a token is an ID token of this authority for the client `cli`
/// ([OpenID Connect Core §3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)),
/// as API servers with `--oidc-issuer-url` judge it.
pub(crate) fn id_token_judge(ground: &Ground) -> impl Fn(&str) -> bool + Send + Sync + 'static {
    let issuer = ground.authority.issuer().to_owned();
    let keys = http::request("GET", &format!("{issuer}/jwks"), &[], "");
    let key = keys.expect("the authority has keys").json()["keys"][0].clone();
    let coordinate = |name: &str| decode(key[name].as_str().expect("it is of a curve"));
    let key = [vec![4], coordinate("x"), coordinate("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
    move |token| {
        let Some((signed, signature)) = token.rsplit_once('.') else {
            return false;
        };
        let Some((_, claims)) = signed.split_once('.') else {
            return false;
        };
        let claims: Value = serde_json::from_slice(&decode(claims)).unwrap_or_default();
        let now = UNIX_EPOCH.elapsed().expect("it is past 1970").as_secs();
        key.verify(signed.as_bytes(), &decode(signature)).is_ok()
            && claims["iss"] == issuer
            && claims["aud"] == "cli"
            && claims["exp"].as_u64() > Some(now)
    }
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

/// What kubectl is to know beside its home.
const ENVIRONMENT: &str =
    "export KUBECONFIG=\"$HOME/kubeconfig\"; unset SSL_CERT_FILE SSL_CERT_DIR";

/// A Kubernetes API server, as far as `kubectl get namespaces` goes.
fn api_server(judge: impl Fn(&str) -> bool + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |request| {
        let (scheme, token) = request.authorization();
        let (status, object) = if scheme == "Bearer" && judge(token) {
            object(request)
        } else {
            refusal(401, "Unauthorized")
        };
        Answer::new(status, object.to_string())
            .with("Content-Type", "application/json")
            .with("Connection", "close")
    })
}

fn object(request: &Request) -> (u16, Value) {
    let namespace = json!({
        "metadata": { "name": "default", "creationTimestamp": "2026-01-01T00:00:00Z" },
    });
    let object = match request.path.as_str() {
        "/version" => json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.1" }),
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] }),
        "/api/v1" => json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1",
            "resources": [{
                "name": "namespaces", "singularName": "namespace", "namespaced": false,
                "kind": "Namespace", "verbs": ["get", "list"],
            }],
        }),
        "/api/v1/namespaces" => {
            json!({ "kind": "NamespaceList", "apiVersion": "v1", "items": [namespace] })
        }
        _ => return refusal(404, "NotFound"),
    };
    (200, object)
}

fn refusal(status: u16, reason: &str) -> (u16, Value) {
    let object = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": reason, "reason": reason, "code": status,
    });
    (status, object)
}

//! A real registry, Debian's docker-registry, that takes tokens in the ways that registries do, and
//! the tools that speak to one: what the tests of `docker_*.rs` share.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cred_helper::digest::digest;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::git_ground::{BASIC, is_taken};
use crate::http_server::{Answer, HttpServer, Request, forward};
use crate::oidc_ground::{Ground, eventually};
use crate::scene::now;
use crate::support::{InTerminal, Keyboard, Ran};
use crate::tls::CertificateAuthority;

/// How a registry knows who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Its token service trades user name and password
    /// (<https://distribution.github.io/distribution/spec/auth/token/>).
    Service,
    /// Its token service trades an identity token
    /// (<https://distribution.github.io/distribution/spec/auth/oauth/>).
    IdentityToken,
    /// It takes user name and password itself.
    Basic,
    /// As Azure Container Registry: it exchanges an access token for one of its own, which its token
    /// service takes as a password (<https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>).
    Exchange,
}

impl Guard {
    pub(crate) const ALL: [Self; 4] = [
        Self::Service,
        Self::IdentityToken,
        Self::Basic,
        Self::Exchange,
    ];

    /// The keys that a profile needs for it.
    fn keys(self, issuer: &str) -> String {
        match self {
            Self::Service | Self::Basic => String::new(),
            Self::IdentityToken => "username = \"<token>\"\n".to_owned(),
            Self::Exchange => format!(
                "preset = \"acr\"\nendpoints = {{ device_authorization = \"{issuer}/device/auth\", \
                 token = \"{issuer}/token\", revocation = \"{issuer}/token/revocation\" }}\n"
            ),
        }
    }

    /// The user name that comes with a token of ada's.
    pub(crate) fn username(self) -> &'static str {
        match self {
            Self::Service | Self::Basic => "ada@example.test",
            Self::IdentityToken => "",
            Self::Exchange => "00000000-0000-0000-0000-000000000000",
        }
    }
}

/// podman, with all that it keeps below the home.
pub(crate) const PODMAN: &str = "podman --root=$HOME/podman/root --runroot=$HOME/podman/run \
     --tmpdir=$HOME/podman/tmp --storage-driver=vfs";

/// A registry, the tools, and a home whose only profile is for it.
pub(crate) struct DockerGround {
    pub(crate) ground: Arc<Ground>,
    /// Where credentials come: the token service, or what stands before the registry.
    pub(crate) gate: HttpServer,
    guard: Guard,
    registry: Registry,
}

impl DockerGround {
    /// An authority with these options, and an empty registry; nobody is signed in.
    pub(crate) fn new(guard: Guard, mut options: Value) -> Self {
        // An authority of Entra's kind has the tenant for its path.
        if guard == Guard::Exchange {
            options["path"] = "/tenant".into();
        }
        let ground = Self::on(Arc::new(Ground::new(options)), guard);
        ground.set_profile("");
        ground
    }

    /// Such tools and registry on a ground that is there, whose profile names the registry or will.
    pub(crate) fn on(ground: Arc<Ground>, guard: Guard) -> Self {
        let folder = ground.sandbox.path().join("registry");
        fs::create_dir(&folder).expect("a folder can be made");
        // podman and skopeo want it to be there.
        fs::create_dir(ground.sandbox.path().join("run")).expect("a folder can be made");
        let desk = Desk {
            guard,
            judge: Box::new(ground.authority.judge()),
            signer: Signer::new(&folder),
            issued: Mutex::new(Vec::new()),
            registry: OnceLock::new(),
        };
        let desk = Arc::new(desk);
        let gate = HttpServer::start({
            let desk = Arc::clone(&desk);
            move |request| desk.answer(request)
        });
        let auth = format!(
            "auth:\n  token:\n    realm: {}\n    service: {SERVICE}\n    issuer: {ISSUER}\n    \
             rootcertbundle: {}\n",
            gate.url("/token"),
            desk.signer.certificate.display()
        );
        let auth = if guard == Guard::Basic { "" } else { &auth };
        let registry = Registry::start(&ground, &folder, auth);
        let address = registry.address.clone();
        desk.registry.set(address).expect("it is set once");
        let ground = Self {
            ground,
            gate,
            guard,
            registry,
        };
        ground.ground.sandbox.link("docker-credential-cred-helper");
        ground
            .ground
            .sandbox
            .link("docker-credential-cred-helper-api");
        ground.configure(&ground.helpers("cred-helper"));
        ground.make_image();
        ground
    }

    /// The same, with somebody signed in; counting begins anew.
    pub(crate) fn signed_in(guard: Guard, options: Value) -> Self {
        let ground = Self::new(guard, options);
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    /// The same, with an image in the registry, `team/image:1`.
    pub(crate) fn published(guard: Guard, options: Value) -> Self {
        let ground = Self::signed_in(guard, options);
        ground.run(&ground.push()).ok();
        ground.gate.reset();
        ground
    }

    /// Gives the profile of the registry further keys.
    pub(crate) fn set_profile(&self, keys: &str) {
        self.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"http://{}/\"]\n{}{keys}",
            self.address(),
            self.guard.keys(self.ground.authority.issuer())
        ));
    }

    /// `127.0.0.1:PORT`, as tools name the registry.
    pub(crate) fn address(&self) -> &str {
        match self.guard {
            Guard::Basic | Guard::Exchange => self.gate.address(),
            Guard::Service | Guard::IdentityToken => &self.registry.address,
        }
    }

    /// Replaces docker's configuration, which the others read too.
    pub(crate) fn configure(&self, configuration: &Value) {
        let folder = self.ground.sandbox.path().join(".docker");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let text = configuration.to_string();
        fs::write(folder.join("config.json"), text).expect("it can be written");
    }

    /// The configuration that is recommended: this helper for the registry.
    pub(crate) fn helpers(&self, helper: &str) -> Value {
        json!({ "credHelpers": { self.address(): helper } })
    }

    /// skopeo pushes the image.
    pub(crate) fn push(&self) -> String {
        format!(
            "skopeo --insecure-policy copy -q --dest-tls-verify=false dir:image docker://{}/team/image:1",
            self.address()
        )
    }

    /// skopeo pulls it again.
    pub(crate) fn pull(&self) -> String {
        format!(
            "skopeo --insecure-policy copy -q --src-tls-verify=false docker://{}/team/image:1 dir:pulled",
            self.address()
        )
    }

    /// skopeo asks for the tags.
    pub(crate) fn list_tags(&self) -> String {
        let address = self.address();
        format!("skopeo list-tags --tls-verify=false docker://{address}/team/image")
    }

    /// docker looks at the manifest.
    pub(crate) fn manifest(&self) -> String {
        let address = self.address();
        format!("docker manifest inspect --insecure {address}/team/image:1")
    }

    /// podman logs in with what its helper has.
    pub(crate) fn podman_login(&self) -> String {
        format!("{PODMAN} login --tls-verify=false {}", self.address())
    }

    /// Sets the environment of a shell.
    fn environment(&self) -> String {
        let sandbox = &self.ground.sandbox;
        let home = sandbox.path().display();
        let path = sandbox.path_with_links();
        format!(
            "unset SSL_CERT_FILE SSL_CERT_DIR; export XDG_RUNTIME_DIR={home}/run \
             XDG_CONFIG_HOME={home}/config XDG_DATA_HOME={home}/data PATH='{}'",
            path.display()
        )
    }

    /// A shell's line in the sandbox, in which tools know nothing of the caller's.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        self.ground.sandbox.prepare(&mut command);
        command.args(["-c", &format!("{}; {line}", self.environment())]);
        command
    }

    /// Runs a shell's line without a terminal; neither stream may show a token.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let ran = self.ground.run_command(self.command(line));
        self.ground.sandbox.scan("a tool's stdout", &ran.stdout);
        ran
    }

    /// Starts a shell's line at a terminal.
    pub(crate) fn in_terminal(&self, line: &str) -> InTerminal<'_> {
        let line = format!("{}; {line}", self.environment());
        self.ground.sandbox.in_terminal(&line)
    }

    /// The same with somebody who types.
    pub(crate) fn with_keyboard(&self, line: &str) -> (InTerminal<'_>, Keyboard) {
        let line = format!("{}; {line}", self.environment());
        self.ground.sandbox.with_keyboard(&line)
    }

    /// Runs a shell's line at a terminal, where `login` signs in as often as it is asked to; the
    /// exit code, and what was shown.
    pub(crate) fn run_at_a_terminal(&self, line: &str, sign_ins: u32) -> (Option<i32>, String) {
        let terminal = self.in_terminal(line);
        for _ in 0..sign_ins {
            self.ground.authority.approve(None, "ada");
        }
        let (code, shown) = terminal.end();
        self.ground.learn();
        self.ground.sandbox.scan("the terminal", &shown);
        (code, shown)
    }

    /// The secrets that came to the gate, each with its user name.
    pub(crate) fn credentials(&self) -> Vec<(String, String)> {
        self.gate
            .requests()
            .iter()
            .filter_map(credentials)
            .collect()
    }

    /// What tools are given for the registry.
    pub(crate) fn secret(&self) -> String {
        let address = self.address();
        self.run(&format!(
            "printf {address} | docker-credential-cred-helper get >answer"
        ))
        .ok();
        let answer = self.ground.read("answer");
        fs::remove_file(self.ground.sandbox.path().join("answer")).expect("it was there");
        let answer: Value = serde_json::from_str(&answer).expect("it answers in JSON");
        answer["Secret"].as_str().expect("it is text").to_owned()
    }

    /// How many tokens the registry was asked to exchange.
    pub(crate) fn exchanges(&self) -> usize {
        let requests = self.gate.requests();
        let exchanges = requests.iter().filter(|request| request.path == EXCHANGE);
        exchanges.count()
    }

    /// An image of one empty layer, in the form of skopeo's `dir:`. The kinds are docker's own,
    /// which old dockers know too.
    fn make_image(&self) {
        let folder = self.ground.sandbox.path().join("image");
        fs::create_dir(&folder).expect("a folder can be made");
        // The end of an archive without files.
        let layer = vec![0; 1024];
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))] },
        });
        let config = config.to_string().into_bytes();
        let describe = |kind: &str, bytes: &[u8]| {
            let kind = format!("application/vnd.docker.{kind}");
            json!({ "mediaType": kind, "size": bytes.len(), "digest": format!("sha256:{}", digest(bytes)) })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": describe("container.image.v1+json", &config),
            "layers": [describe("image.rootfs.diff.tar", &layer)],
        });
        for (name, bytes) in [
            (
                "version".to_owned(),
                b"Directory Transport Version: 1.1\n".to_vec(),
            ),
            (
                "manifest.json".to_owned(),
                manifest.to_string().into_bytes(),
            ),
            (digest(&config), config),
            (digest(&layer), layer),
        ] {
            fs::write(folder.join(name), bytes).expect("it can be written");
        }
    }
}

/// User name and password, or an identity token.
fn credentials(request: &Request) -> Option<(String, String)> {
    if let ("Basic", pair) = request.authorization() {
        let pair = STANDARD.decode(pair).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        // Old dockers that have none send two empty ones.
        let (username, password) = pair.split_once(':').filter(|pair| *pair != ("", ""))?;
        return Some((username.to_owned(), password.to_owned()));
    }
    let form: Vec<_> = url::form_urlencoded::parse(&request.body).collect();
    let value = |name: &str| form.iter().find(|(own, _)| own == name).map(|pair| &pair.1);
    let token = value("refresh_token").or(value("password"))?;
    let username = value("username").map_or("", |name| name);
    Some((username.to_owned(), token.clone().into_owned()))
}

/// docker-registry, which ends when this is dropped.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    /// Starts it with this part of its configuration.
    fn start(ground: &Ground, folder: &Path, auth: &str) -> Self {
        let storage = folder.join("storage");
        let configuration = format!(
            "version: 0.1\nlog:\n  accesslog:\n    disabled: true\nhttp:\n  addr: 127.0.0.1:0\n\
             storage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n{auth}",
            storage.display()
        );
        let path = folder.join("config.yml");
        fs::write(&path, configuration).expect("it can be written");
        let log = folder.join("log");
        let file = File::create(&log).expect("it can be made");
        let mut command = Command::new("docker-registry");
        ground.sandbox.prepare(&mut command);
        command
            .arg("serve")
            .arg(&path)
            .stdout(file.try_clone().expect("it can be shared"))
            .stderr(file);
        let child = command.spawn().expect("docker-registry starts");
        let mut registry = Self {
            child,
            address: String::new(),
        };
        eventually("the registry listens", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let address = said.split_once("listening on ").map(|(_, rest)| rest);
            let Some((address, _)) = address.and_then(|rest| rest.split_once(['"', ',', '\n']))
            else {
                return false;
            };
            registry.address = address.to_owned();
            true
        });
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Where it has ended already, there is nothing to end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whom the token service gives an identity token for the next time.
pub(crate) const ISSUED_TO: &str = "issued-to";

const SERVICE: &str = "the-registry";
const ISSUER: &str = "the-token-service";

/// The key of the token service.
struct Signer {
    certificate: PathBuf,
    chain: String,
    key: EcdsaKeyPair,
}

impl Signer {
    fn new(folder: &Path) -> Self {
        let certificate = CertificateAuthority::new(folder, "service").pem();
        let key = PrivatePkcs8KeyDer::from_pem_file(folder.join("service.key"));
        let key = key.expect("openssl made a key");
        let der = CertificateDer::from_pem_file(&certificate).expect("openssl made a certificate");
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key.secret_pkcs8_der(), &random);
        Self {
            certificate,
            chain: STANDARD.encode(der),
            key: key.expect("it is a key of that kind"),
        }
    }

    /// A token for what the registry asked in `scope`, or for what of that is everybody's, in the
    /// form <https://distribution.github.io/distribution/spec/auth/jwt/>.
    fn permit(&self, scopes: &[String], is_known: bool) -> String {
        let access: Vec<Value> = scopes
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .filter_map(|scope| {
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let actions: Vec<_> = if is_known {
                    actions.split(',').collect()
                } else {
                    vec!["pull"]
                };
                (is_known || name.starts_with("public/"))
                    .then(|| json!({ "type": kind, "name": name, "actions": actions }))
            })
            .collect();
        self.sign(&json!({
            "iss": ISSUER, "sub": "ada", "aud": SERVICE, "jti": "1", "access": access,
            "iat": now() - 10, "nbf": now() - 10, "exp": now() + 300,
        }))
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [self.chain] });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes());
        let signature = signature.expect("it can sign");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Where Azure Container Registry exchanges tokens.
const EXCHANGE: &str = "/oauth2/exchange";

/// What is before a registry, or beside it.
struct Desk {
    guard: Guard,
    judge: Box<dyn Fn(&str) -> bool + Send + Sync>,
    signer: Signer,
    /// What was given for access tokens.
    issued: Mutex<Vec<String>>,
    registry: OnceLock<String>,
}

impl Desk {
    fn answer(&self, request: &Request) -> Answer {
        match (self.guard, request.path.as_str()) {
            (Guard::Basic, _) if is_taken(request, &BASIC, &self.judge) => self.forward(request),
            (Guard::Basic, _) => Answer::challenge(BASIC.challenges)
                .with("Docker-Distribution-Api-Version", "registry/2.0"),
            (Guard::Exchange, EXCHANGE) => self.exchange(request),
            (_, "/token") => self.trade(request),
            (Guard::Exchange, _) => self.forward(request),
            (Guard::Service | Guard::IdentityToken, _) => Answer::new(404, ""),
        }
    }

    fn forward(&self, request: &Request) -> Answer {
        forward(request, self.registry.get().expect("it runs"))
    }

    /// A token of the authority for one of the registry.
    fn exchange(&self, request: &Request) -> Answer {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(&request.body).collect();
        let value = |name: &str| form.get(name).map_or("", |value| value);
        let is_asked_well = request.method == "POST"
            && value("grant_type") == "access_token"
            && value("service") == request.header("host");
        if !is_asked_well || !(self.judge)(value("access_token")) {
            return json_answer(
                401,
                &json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "authentication required" }] }),
            );
        }
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let claims =
            json!({ "jti": issued.len(), "exp": now() + 3 * 3600, "grant_type": "refresh_token" });
        let token = self.signer.sign(&claims);
        issued.push(token.clone());
        json_answer(200, &json!({ "refresh_token": token }))
    }

    fn is_good(&self, secret: &str) -> bool {
        if self.guard == Guard::Exchange {
            let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
            return issued.iter().any(|own| own == secret);
        }
        (self.judge)(secret)
    }

    /// The token service: what tools bring for a token of the registry. Whoever brings nothing may
    /// read what lies below `public/`. The user [`ISSUED_TO`] gets an identity token too.
    fn trade(&self, request: &Request) -> Answer {
        let brings_identity_token = request.method == "POST";
        let parameters = if brings_identity_token {
            request.body.as_slice()
        } else {
            request.query.as_bytes()
        };
        let scopes: Vec<String> = url::form_urlencoded::parse(parameters)
            .filter(|(name, _)| name == "scope")
            .map(|(_, value)| value.into_owned())
            .collect();
        let came = credentials(request);
        let is_good = came.as_ref().is_none_or(|(_, secret)| {
            brings_identity_token == (self.guard == Guard::IdentityToken) && self.is_good(secret)
        });
        if !is_good {
            return json_answer(401, &json!({ "error": "invalid_grant" }));
        }
        let token = self.signer.permit(&scopes, came.is_some());
        let mut answer = json!({ "token": token, "access_token": token, "expires_in": 300 });
        if came.is_some_and(|(name, _)| name == ISSUED_TO) {
            answer["refresh_token"] = "identity-token-of-the-service".into();
        }
        json_answer(200, &answer)
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, body.to_string()).with("Content-Type", "application/json")
}

//! The services of Azure that give tokens to what runs there, scripted on loopback, and a sandbox whose
//! profile `robot` asks them.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use cred_helper::digest::sha1;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer, Request};
use crate::scene::now;
use crate::support::{Ran, Sandbox};
use crate::tls::{CertificateAuthority, Front};

/// What the profile's tokens are for.
pub(crate) const RESOURCE: &str = "https://management.azure.com/";
/// What whoever runs on App Service, on Service Fabric or in Machine Learning has.
pub(crate) const HEADER: &str = "secret-of-the-platform";
/// The key that Azure Arc's agent leaves for administrators.
pub(crate) const KEY: &str = "key-of-the-agent";

/// A kind of place in Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    ServiceFabric,
    AppService,
    MachineLearning,
    Arc,
    CloudShell,
    VirtualMachine,
}

impl Place {
    pub(crate) const ALL: [Self; 6] = [
        Self::ServiceFabric,
        Self::AppService,
        Self::MachineLearning,
        Self::Arc,
        Self::CloudShell,
        Self::VirtualMachine,
    ];

    /// Its service's path.
    const fn path(self) -> &'static str {
        match self {
            Self::AppService => "/msi/token/",
            Self::MachineLearning => "/MSI/auth",
            Self::CloudShell => "/oauth2/token",
            Self::ServiceFabric | Self::Arc | Self::VirtualMachine => {
                "/metadata/identity/oauth2/token"
            }
        }
    }
}

/// A place, and a sandbox in it.
pub(crate) struct Azure {
    pub(crate) place: Place,
    pub(crate) server: HttpServer,
    pub(crate) sandbox: Sandbox,
    script: Arc<Mutex<VecDeque<Answer>>>,
    /// How many tokens.
    issued: Arc<Mutex<u32>>,
    variables: Vec<(&'static str, String)>,
}

/// The profile, with a `grant` and further keys.
pub(crate) fn robot(grant: &str, keys: &str) -> String {
    format!("[profiles.robot]\nscopes = [\"{RESOURCE}/.default\"]\ngrant = {grant}\n{keys}")
}

/// The identity of the machine itself.
pub(crate) const SYSTEM: &str = "\"managed_identity\"";

impl Azure {
    /// One whose profile names no identity.
    pub(crate) fn new(place: Place) -> Self {
        Self::of(place, &robot(SYSTEM, ""))
    }

    /// The same with other profiles.
    pub(crate) fn of(place: Place, profiles: &str) -> Self {
        let script: Arc<Mutex<VecDeque<Answer>>> = Arc::default();
        let scripted = Arc::clone(&script);
        let issued = Arc::new(Mutex::new(0));
        let count = Arc::clone(&issued);
        let server = HttpServer::start(move |request| {
            let mut script = scripted.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = script.pop_front() {
                return answer;
            }
            if place == Place::Arc && request.header("authorization").is_empty() {
                return Answer::challenge(&["Basic realm=/var/opt/azcmagent/tokens/a.key"]);
            }
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            Answer::new(200, token(place, *count, request).to_string())
        });
        let sandbox = Sandbox::new(profiles);
        for secret in [HEADER, KEY, "token-number-"] {
            sandbox.secret(secret);
        }
        let mut azure = Self {
            place,
            server,
            sandbox,
            script,
            issued,
            variables: Vec::new(),
        };
        azure.variables = azure.of_platform();
        azure
    }

    /// What the platform sets.
    fn of_platform(&self) -> Vec<(&'static str, String)> {
        let endpoint = self.server.url(self.place.path());
        let header = HEADER.to_owned();
        match self.place {
            Place::ServiceFabric => {
                let directory = self.sandbox.path();
                let authority = CertificateAuthority::new(directory, "cluster");
                let presented = authority.issue("node", "DNS:node.example", "-3d");
                let behind: SocketAddr = self.server.address().parse().expect("an address");
                let origin = Front::start(presented, behind).origin();
                let certificate = CertificateDer::from_pem_file(directory.join("node.pem"));
                let digits = |byte: &u8| format!("{byte:02X}");
                let thumbprint = sha1(&certificate.expect("it was made"));
                vec![
                    (
                        "IDENTITY_ENDPOINT",
                        format!("{origin}{}", self.place.path()),
                    ),
                    ("IDENTITY_HEADER", header),
                    (
                        "IDENTITY_SERVER_THUMBPRINT",
                        thumbprint.iter().map(digits).collect(),
                    ),
                ]
            }
            Place::AppService => {
                vec![("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", header)]
            }
            Place::MachineLearning => vec![("MSI_ENDPOINT", endpoint), ("MSI_SECRET", header)],
            Place::Arc => vec![
                ("IDENTITY_ENDPOINT", endpoint),
                ("IMDS_ENDPOINT", self.server.url("")),
            ],
            Place::CloudShell => vec![
                ("AZUREPS_HOST_ENVIRONMENT", "cloud-shell/1.0".to_owned()),
                ("MSI_ENDPOINT", endpoint),
            ],
            Place::VirtualMachine => vec![(
                "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                format!("{}/", self.server.url("")),
            )],
        }
    }

    /// Forgets what came, and begins to count anew.
    pub(crate) fn restart(&self) {
        self.server.reset();
        *self.issued.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }

    /// The next request is answered with this.
    pub(crate) fn answer(&self, answer: Answer) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.push_back(answer);
    }

    /// The same with a status and what the service says.
    pub(crate) fn say(&self, status: u16, body: &Value) {
        self.answer(Answer::new(status, body.to_string()));
    }

    /// The binary in this place.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.in_place(self.sandbox.command(arguments))
    }

    /// Any program in this place.
    pub(crate) fn in_place(&self, mut command: Command) -> Command {
        self.sandbox.prepare(&mut command);
        if self.place == Place::Arc {
            command = self.with_agent(&command, &format!("printf %s {KEY} >$TOKENS/a.key"));
        }
        self.settle(&mut command);
        command
    }

    /// The same beside an agent whose directory of keys, `$TOKENS`, was prepared by a script.
    pub(crate) fn with_agent(&self, command: &Command, script: &str) -> Command {
        // Nothing of this is seen outside of the command's own file system.
        let script = format!(
            "set -e; TOKENS=/var/opt/azcmagent/tokens; mkdir -p /var/opt /opt; \
             mount -t tmpfs none /var/opt; mkdir -p $TOKENS; {script}; exec \"$@\""
        );
        let mut wrapped = Command::new("unshare");
        self.sandbox.prepare(&mut wrapped);
        wrapped
            .args(["-m", "sh", "-c", &script, "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        self.settle(&mut wrapped);
        wrapped
    }

    /// Gives a command what the platform sets.
    pub(crate) fn settle(&self, command: &mut Command) {
        for (name, value) in &self.variables {
            command.env(name, value);
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run_command(self.command(arguments))
    }

    /// `get -o json`.
    pub(crate) fn get(&self) -> Value {
        self.run(&["get", "-o", "json"]).json()
    }

    /// The log of all runs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.sandbox.log()).unwrap_or_default()
    }

    /// Where the platform says it answers.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let mut variables = self.variables.iter();
        let found = variables.find(|(own, _)| *own == name);
        &found.unwrap_or_else(|| panic!("{name} is not set")).1
    }

    /// A file beside the profiles.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }
}

/// The token of an answer.
pub(crate) fn token_number(number: u32) -> String {
    format!("token-number-{number}")
}

/// A token as the place's service writes it.
fn token(place: Place, number: u32, request: &Request) -> Value {
    let end = now() + 3600;
    let mut answer = json!({
        "access_token": token_number(number),
        "token_type": "Bearer",
        "resource": RESOURCE,
    });
    let mut add = |name: &str, value: Value| answer[name] = value;
    match place {
        Place::ServiceFabric => add("expires_on", end.into()),
        Place::AppService | Place::MachineLearning => add("expires_on", end.to_string().into()),
        Place::Arc | Place::CloudShell | Place::VirtualMachine => {
            add("expires_in", "3600".into());
            add("expires_on", end.to_string().into());
            add("ext_expires_in", "3600".into());
        }
    }
    if place == Place::CloudShell {
        add("refresh_token", "".into());
    }
    if place == Place::Arc {
        // A new agent says which identity it was.
        for (name, value) in url::form_urlencoded::parse(request.query.as_bytes()) {
            if ["client_id", "object_id", "msi_res_id"].contains(&&*name) {
                add(&name, value.to_uppercase().into());
            }
        }
    }
    answer
}

/// What a request says: its method and path, its parameters, and its headers but for those of HTTP.
pub(crate) fn said(request: &Request) -> Vec<String> {
    const OF_HTTP: [&str; 8] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-forwarded-for",
    ];
    let mut all = vec![format!("{} {}", request.method, request.path)];
    for text in [request.query.as_bytes(), &request.body] {
        let pairs = url::form_urlencoded::parse(text);
        all.extend(pairs.map(|(name, value)| format!("{name}={value}")));
    }
    let headers = request.headers.iter();
    let own = headers.filter(|(name, _)| !OF_HTTP.contains(&name.as_str()));
    all.extend(own.map(|(name, value)| format!("{name}: {value}")));
    all[1..].sort();
    all
}

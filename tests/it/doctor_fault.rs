//! `doctor` and one fault at a time, each planted into a set-up that is well otherwise, beside a real
//! authority: the right check names it, what depends on that is all that joins in, and the rest is `ok`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::doctor_ground::{OPEN, PROGRAMS, SEALED, complaints, path_with};
use crate::oidc_ground::Ground;
use crate::refresh_trouble::{Certificates, Presented};
use crate::support::{Ran, Sandbox, set_mode};
use crate::tls::Front;
use crate::tool::{KUBECTL_FROM_1_30, note_missing};

const KEYS: &str = "client_id = \"cli\"\nscopes = [\"api:read\"]\n\
                    urls = [\"https://code.example.test/\", \"https://registry.example.test/\"]\n";

/// What all set-ups have in common.
struct Common {
    ground: Ground,
    certificates: Certificates,
}

/// A set-up: a profile `api` in which ada is signed in; git, docker and kubectl, which ask us.
struct SetUp<'c> {
    common: &'c Common,
    sandbox: Sandbox,
    /// What is set besides.
    environment: BTreeMap<&'static str, String>,
    /// What runs it.
    wrapper: Vec<&'static str>,
    /// Whose end would mend the fault, or be another one.
    fronts: Vec<Front>,
}

impl<'c> SetUp<'c> {
    fn new(common: &'c Common) -> Self {
        let ground = &common.ground;
        let text = fs::read_to_string(ground.sandbox.config()).expect("it is there");
        let sandbox = Sandbox::new(&text);
        let sessions = sandbox.state().join("sessions");
        fs::create_dir(&sessions).expect("it can be made");
        set_mode(&sessions, 0o700);
        let file = ground.sandbox.session();
        let own = sessions.join(file.file_name().expect("it has a name"));
        fs::copy(&file, own).expect("it can be copied");
        let set_up = Self {
            common,
            sandbox,
            environment: BTreeMap::new(),
            wrapper: Vec::new(),
            fronts: Vec::new(),
        };
        set_up.tools();
        set_up
    }

    /// Has the tools ask us.
    fn tools(&self) {
        path_with(&self.sandbox, &PROGRAMS);
        path_with(&self.sandbox, &["git"]);
        self.sandbox.link("cred-helper");
        self.sandbox.link("docker-credential-cred-helper");
        self.sandbox.script("docker", "echo Docker version 28.2.2");
        let git =
            "[credential \"https://code.example.test\"]\n\thelper =\n\thelper = !cred-helper git\n";
        self.write(".gitconfig", git);
        let docker = r#"{"credHelpers":{"registry.example.test":"cred-helper"}}"#;
        self.write(".docker/config.json", docker);
        self.kubeconfig("cred-helper");
    }

    /// A configuration of kubectl whose user is told by that program.
    fn kubeconfig(&self, program: &str) {
        let exec = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": program,
            "args": ["kubectl", "-p", "api"], "interactiveMode": "IfAvailable" });
        let config = json!({ "apiVersion": "v1", "kind": "Config",
            "users": [{ "name": "ada", "user": { "exec": exec } }] });
        self.write(".kube/config", &config.to_string());
    }

    fn file(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        fs::create_dir_all(path.parent().expect("it lies somewhere")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    fn profiles(&self, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.sandbox.config()).expect("it is there");
        self.sandbox.write_profiles(&change(text));
    }

    fn add(&self, text: &str) {
        self.profiles(|profiles| profiles + text);
    }

    fn session(&self, change: impl FnOnce(&mut Value)) {
        let path = self.sandbox.session();
        let text = fs::read_to_string(&path).expect("it is there");
        let mut session = serde_json::from_str(&text).expect("it is JSON");
        change(&mut session);
        fs::write(path, format!("{session}\n")).expect("it can be written");
    }

    /// A profile of a machine, which is well but for the way to its authority.
    fn far(&self, authority: &str, keys: &str) {
        self.add(&format!(
            "\n[profiles.far]\nclient_id = \"robot\"\nauthority = \"{authority}\"\nscopes = [\"s\"]\n\
             grant = \"client_credentials\"\nclient_secret = {{ env = \"HOME\" }}\n{keys}"
        ));
    }

    /// The same behind a server that presents a certificate.
    fn front(&mut self, presented: Presented) {
        let behind = self.common.ground.authority.issuer();
        let behind = behind.strip_prefix("http://").expect("it speaks http");
        let behind = behind.split('/').next().expect("a URL has a host");
        let behind = behind
            .replace("localhost", "127.0.0.1")
            .parse()
            .expect("it is an address");
        let front = Front::start(self.common.certificates.get(presented), behind);
        let file = self.common.certificates.ca_file().display().to_string();
        self.far(
            &front.origin(),
            &format!("tls = {{ ca_file = \"{file}\" }}\n"),
        );
        self.fronts.push(front);
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.insert(name, value.into());
    }

    fn run(&self, wrapper: &[&str], arguments: &[&str]) -> Ran {
        let own = self.sandbox.command(arguments);
        let mut words = wrapper.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                self.sandbox.prepare(&mut command);
                command.args(words).arg(own.get_program()).args(arguments);
                command
            }
            None => own,
        };
        command
            .env("PATH", self.sandbox.bin())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .envs(&self.environment);
        self.sandbox.run_command(command)
    }
}

/// A fault: its name, how it is planted; status, id, and parts of the message and of the hint; what
/// cannot be told because of it, or is gone with it; and the exit code.
struct Row {
    fault: &'static str,
    plant: fn(&mut SetUp<'_>),
    said: [&'static str; 4],
    besides: &'static [&'static str],
    code: i32,
}

const fn row(
    fault: &'static str,
    plant: fn(&mut SetUp<'_>),
    said: [&'static str; 4],
    besides: &'static [&'static str],
    code: i32,
) -> Row {
    Row {
        fault,
        plant,
        said,
        besides,
        code,
    }
}

const COMPLAINT: &str = "configuration.complaint";

/// Faults of the files and of what lies on the disk.
const AT_HOME: &[Row] = &[
    row(
        "no TOML",
        |it| it.add("\n[profiles.broken\n"),
        ["error", COMPLAINT, "profiles.toml:", "line"],
        &[],
        3,
    ),
    row(
        "an unknown key",
        |it| it.add("clientid = \"x\"\n"),
        [
            "error",
            COMPLAINT,
            "unknown key `profiles.api.clientid`",
            "line",
        ],
        &[],
        3,
    ),
    row(
        "a default profile that is not there",
        |it| it.profiles(|text| format!("default_profile = \"apu\"\n{text}")),
        ["error", COMPLAINT, "apu", "line"],
        &[],
        3,
    ),
    row(
        "a profile file that others can write",
        |it| set_mode(&it.sandbox.config(), 0o666),
        [
            "error",
            "configuration.file",
            "others can write `",
            "run `chmod go-w /",
        ],
        &["seal.choice"],
        3,
    ),
    row(
        "no profile file",
        |it| fs::remove_file(it.sandbox.config()).expect("it is there"),
        [
            "error",
            "configuration.file",
            "there is no profile file",
            "CRED_HELPER_CONFIG",
        ],
        &["seal.choice"],
        8,
    ),
    row(
        "a variable that names no profile",
        |it| it.set("CRED_HELPER_PROFILE", "apu"),
        [
            "error",
            "configuration.profiles",
            "`CRED_HELPER_PROFILE` names it",
            "did you mean",
        ],
        &[],
        8,
    ),
    row(
        "a directory of sessions that others can write",
        |it| set_mode(&it.sandbox.state().join("sessions"), 0o777),
        [
            "error",
            "store.directory",
            "others can write `",
            "run `chmod go-w /",
        ],
        &["seal.choice", "session.api"],
        9,
    ),
    row(
        "a disk that cannot be written",
        |it| it.wrapper = strace("inject=fsync:error=EIO"),
        [
            "error",
            "store.write",
            "no session can be written",
            "mend the disk",
        ],
        &[],
        9,
    ),
    row(
        "a file system without locks",
        |it| it.wrapper = strace("inject=flock:error=ENOLCK"),
        [
            "warning",
            "store.lock",
            "has no locks",
            "set CRED_HELPER_STATE to a local",
        ],
        &[],
        0,
    ),
    row(
        "a session that others can read",
        |it| set_mode(&it.sandbox.session(), 0o644),
        [
            "error",
            "store.file",
            "others can read `",
            "run `chmod 600 /",
        ],
        &["session.api"],
        9,
    ),
    row(
        "a damaged session",
        |it| fs::write(it.sandbox.session(), "{\"version\"").expect("it can be written"),
        [
            "error",
            "store.file",
            "is damaged",
            "a new sign-in is needed",
        ],
        &["session.api"],
        9,
    ),
    row(
        "a session of a newer version",
        |it| it.session(|session| session["version"] = 99.into()),
        [
            "error",
            "store.file",
            "is of version 99",
            "use the newer cred-helper",
        ],
        &["session.api"],
        9,
    ),
    row(
        "a command that gives no key",
        |it| seal(it, &SEALED.replace("\"echo\"", "\"false\"")),
        [
            "error",
            "seal.key",
            "cannot be had: `false` failed",
            "by hand",
        ],
        &["seal.file", "session.api"],
        9,
    ),
    row(
        "a command that gives another key",
        |it| seal(it, &SEALED.replace("a key of", "another key of")),
        [
            "error",
            "seal.key",
            "`command` prints another key",
            "previous_command",
        ],
        &["seal.file", "session.api"],
        9,
    ),
    row(
        "nobody is signed in",
        |it| fs::remove_file(it.sandbox.session()).expect("it is there"),
        [
            "warning",
            "session.api",
            "nobody is signed in",
            "login -p api",
        ],
        &[],
        0,
    ),
    row(
        "a refresh token that the authority does not know",
        |it| {
            it.session(|session| {
                let account = &mut session["content"]["accounts"][0];
                account["refresh_token"] = "a-token-of-nobody".into();
                account["access_tokens"] = json!([]);
            });
            it.run(&[], &["get", "--interactive", "never"]).failed(4);
        },
        [
            "warning",
            "session.api",
            "nothing valid is left",
            "login -p api",
        ],
        &[],
        0,
    ),
];

/// Faults of the way, of tools, and of where somebody would sign in.
const OUTSIDE: &[Row] = &[
    row(
        "a clock that is wrong",
        |it| it.wrapper = vec!["faketime", "-f", "-3h"],
        ["warning", "authority.clock", "3h behind", "set it"],
        &[],
        0,
    ),
    row(
        "a proxy that is dead",
        |it| {
            it.far("https://login.example.test", "");
            it.set("HTTPS_PROXY", "127.0.0.1:1");
        },
        [
            "error",
            "authority.far",
            "the proxy http://127.0.0.1:1 of HTTPS_PROXY cannot be reached",
            "check HTTPS_PROXY",
        ],
        &[],
        6,
    ),
    row(
        "a proxy that is no URL",
        |it| it.set("HTTPS_PROXY", "http://"),
        ["error", "authority.proxy", "is no URL", "http://HOST:PORT"],
        &[],
        3,
    ),
    row(
        "certificate authorities that are not there",
        |it| it.set("SSL_CERT_FILE", "/nowhere.pem"),
        [
            "error",
            "authority.certificates",
            "cannot be read",
            "unset it",
        ],
        &[],
        3,
    ),
    row(
        "a ca_file that is not there",
        |it| {
            it.far(
                "https://127.0.0.1:1",
                "tls = { ca_file = \"/nowhere.pem\" }\n",
            )
        },
        ["error", "authority.far", "/nowhere.pem", ""],
        &[],
        3,
    ),
    row(
        "a certificate of nobody who is known",
        |it| it.front(Presented::OfNobodyKnown),
        ["error", "authority.far", "is not trusted (TLS: ", "ca_file"],
        &[],
        6,
    ),
    row(
        "a certificate that has expired",
        |it| it.front(Presented::Expired),
        [
            "error",
            "authority.far",
            "is not valid at this time (TLS: ",
            "check the clock",
        ],
        &[],
        6,
    ),
    row(
        "a certificate of another host",
        |it| it.front(Presented::OfAnotherHost),
        [
            "error",
            "authority.far",
            "is that of another name (TLS: ",
            "check the name",
        ],
        &[],
        6,
    ),
    row(
        "a name that nobody can have",
        // Longer than a name can be (RFC 1035 §2.3.4), so that nobody is asked.
        |it| it.far(&format!("https://{}.test", "a".repeat(64)), ""),
        [
            "error",
            "authority.far",
            "its name is not found (DNS: ",
            "check the name",
        ],
        &[],
        6,
    ),
    row(
        "a port where nobody listens",
        |it| it.far("http://127.0.0.1:1", ""),
        [
            "error",
            "authority.far",
            "nothing listens there (TCP: ",
            "check the port",
        ],
        &[],
        6,
    ),
    row(
        "an authority without metadata",
        |it| {
            it.far(
                &format!("{}/nowhere", it.common.ground.authority.issuer()),
                "",
            )
        },
        [
            "error",
            "authority.far",
            "there are no metadata at",
            "`endpoints`",
        ],
        &[],
        3,
    ),
    row(
        "metadata of another issuer",
        |it| {
            let issuer = it.common.ground.authority.issuer();
            let alias = match issuer.contains("127.0.0.1") {
                true => issuer.replace("127.0.0.1", "localhost"),
                false => issuer.replace("localhost", "127.0.0.1"),
            };
            it.far(&alias, "");
        },
        [
            "error",
            "authority.far",
            "it is of the issuer",
            "check `authority`",
        ],
        &[],
        3,
    ),
    row(
        "another helper before us",
        |it| it.write(".gitconfig", "[credential]\n\thelper = store\n"),
        [
            "warning",
            "tool.git",
            "asks `store` before us",
            "cred-helper setup git",
        ],
        &[],
        0,
    ),
    row(
        "a helper of ours that is not there",
        |it| {
            let git = "[credential \"https://code.example.test\"]\n\thelper = !/nowhere/cred-helper git\n";
            it.write(".gitconfig", git);
        },
        [
            "warning",
            "tool.git",
            "no program `/nowhere/cred-helper`",
            "cred-helper setup git",
        ],
        &[],
        0,
    ),
    row(
        "a link that is not on PATH",
        |it| {
            let link = it.file("bin/docker-credential-cred-helper");
            fs::remove_file(link).expect("it is there");
        },
        [
            "warning",
            "tool.docker",
            "no program `docker-credential-cred-helper`",
            "cred-helper setup docker",
        ],
        &[],
        0,
    ),
    row(
        "a kubeconfig that names a program of before",
        |it| it.kubeconfig("/nowhere/cred-helper"),
        [
            "warning",
            "tool.kubectl",
            "no program `/nowhere/cred-helper`",
            "cred-helper setup kubectl",
        ],
        &[],
        0,
    ),
    row(
        "a variable that says what nobody understands",
        |it| it.set("CRED_HELPER_INTERACTIVE", "perhaps"),
        [
            "error",
            "sign_in.terminal",
            "`perhaps` is unknown",
            "auto, never or always",
        ],
        &[],
        2,
    ),
    row(
        "no browser for a profile that needs one",
        |it| it.add("grant = \"authorization_code\"\n"),
        ["warning", "sign_in.browser", "by a browser alone", "paste"],
        &[],
        0,
    ),
];

fn strace(injection: &'static str) -> Vec<&'static str> {
    vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", injection]
}

/// Seals the session with a key that the kernel does not hold, and then has the configuration say something
/// else.
fn seal(it: &mut SetUp<'_>, broken: &str) {
    let [sealed, broken] = [SEALED, broken].map(|text| format!("{text}key_cache = \"0s\"\n"));
    it.profiles(|text| text.replace(OPEN, &sealed));
    it.run(&[], &["store", "migrate", "--to", "command"]).ok();
    it.profiles(|text| text.replace(&sealed, &broken));
}

/// The ids that are `ok`.
fn fine(ran: &Ran) -> Vec<String> {
    let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let checks = report["checks"].as_array().expect("there are checks");
    let fine = checks.iter().filter(|check| check["status"] == "ok");
    let mut fine: Vec<String> = fine
        .map(|check| check["id"].as_str().expect("it is text").to_owned())
        .collect();
    fine.sort();
    fine.dedup();
    fine
}

/// Gives every set-up this machine's kubectl, if there is one that is new enough.
fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").expect("PATH is set");
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    let found = found.find(|program| program.is_file());
    if found.is_none() {
        note_missing(&KUBECTL_FROM_1_30);
    }
    found
}

fn assert_told(common: &Common, rows: &[Row], kubectl: Option<&Path>, healthy: &[String]) {
    for row in rows {
        let mut set_up = SetUp::new(common);
        if row.said[1] == "tool.kubectl" {
            let Some(kubectl) = kubectl else { continue };
            symlink(kubectl, set_up.file("bin/kubectl")).expect("it can be made");
        }
        (row.plant)(&mut set_up);
        let ran = set_up.run(&set_up.wrapper, &["doctor", "-o", "json"]);
        let found = complaints(&ran);
        let fault = row.fault;
        let mut named = found.iter().filter(|found| found[1] == row.said[1]);
        let one = named.next().unwrap_or_else(|| panic!("{fault}: {ran:?}"));
        assert!(named.next().is_none(), "{fault}: {found:#?}");
        let [status, _, message, hint] = row.said;
        assert_eq!(one[0], status, "{fault}: {found:#?}");
        assert!(one[2].contains(message), "{fault}: {found:#?}");
        assert!(
            one[3].contains(hint) && !one[3].is_empty(),
            "{fault}: {found:#?}"
        );
        let mut besides: Vec<&str> = found.iter().map(|found| found[1].as_str()).collect();
        besides.retain(|id| *id != row.said[1]);
        assert_eq!(besides, row.besides, "{fault}: {found:#?}");
        assert_eq!(ran.code, Some(row.code), "{fault}: {ran:?}");
        // What is of profiles can be looked at only where there are any.
        let fine = fine(&ran);
        let is_of_profiles = |id: &str| {
            let groups = ["session.", "authority.", "sign_in.", "tool."];
            groups.iter().any(|group| id.starts_with(group))
        };
        let has_profiles = fine.iter().any(|id| id == "configuration.profiles");
        for id in healthy {
            let is_bad = found.iter().any(|found| found[1] == *id);
            let depends = !has_profiles && (is_of_profiles(id) || id.starts_with("configuration."))
                || id == "seal.file"
                || id == "tool.kubectl"
                || !is_bad && row.said[1] == "store.directory" && id.starts_with("store.");
            assert!(
                is_bad || depends || fine.contains(id),
                "{fault}: {id} is missing: {fine:?}"
            );
        }
    }
}

#[test]
fn each_of_thirty_faults_is_named_by_its_check_and_no_other_and_nothing_is_where_all_is_well() {
    let ground = Ground::with_profile(json!({}), KEYS);
    ground.sign_in("ada");
    let common = Common {
        ground,
        certificates: Certificates::new(),
    };
    let kubectl = kubectl();
    let set_up = SetUp::new(&common);
    if let Some(kubectl) = &kubectl {
        symlink(kubectl, set_up.file("bin/kubectl")).expect("it can be made");
    }
    let ran = set_up.run(&[], &["doctor", "-o", "json"]);
    assert_eq!(
        complaints(&ran),
        Vec::<[String; 4]>::new(),
        "no false alarm"
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let healthy = fine(&ran);
    for id in [
        "session.api",
        "authority.api",
        "authority.clock",
        "tool.git",
        "tool.docker",
    ] {
        assert!(healthy.iter().any(|fine| fine == id), "{id}: {healthy:?}");
    }
    for tool in ["git", "docker", "kubectl"] {
        let is_here = tool != "kubectl" || kubectl.is_some();
        let asks = ran.stdout.contains(&format!("\"message\":\"{tool} "))
            && ran.stdout.contains("asks us for");
        assert!(asks || !is_here, "{tool}: {ran:?}");
    }
    assert!(AT_HOME.len() + OUTSIDE.len() >= 30);
    std::thread::scope(|scope| {
        for rows in [AT_HOME, OUTSIDE] {
            let (common, kubectl, healthy) = (&common, kubectl.as_deref(), &healthy);
            scope.spawn(move || assert_told(common, rows, kubectl, healthy));
        }
    });
}

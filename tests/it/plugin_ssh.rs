//! `cred-helper serve` on another machine, behind a real `sshd` on loopback, as a plugin: that
//! machine's sign-in serves this one, and its refresh token stays there.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::authority::Settings;
use crate::oidc_ground::eventually;
use crate::scene::{Scene, profile, refresh_token};
use crate::support::Sandbox;
use crate::tool::{SSH, SSHD, needs};

/// A server that starts an `sshd` for each connection, as inetd did.
struct SshServer {
    port: u16,
    is_stopping: Arc<AtomicBool>,
}

impl SshServer {
    /// With the configuration in that file.
    fn start(configuration: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let server = Self {
            port,
            is_stopping: Arc::clone(&is_stopping),
        };
        let program = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join("sshd"))
            .find(|path| path.is_file())
            .expect("it was looked for");
        let log = configuration.with_extension("log");
        let configuration = configuration.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                let stream = OwnedFd::from(stream);
                let output = stream.try_clone().expect("it can be shared");
                let mut command = Command::new(&program);
                command
                    .args(["-i", "-f"])
                    .arg(&configuration)
                    .arg("-E")
                    .arg(&log)
                    .stdin(Stdio::from(stream))
                    .stdout(Stdio::from(output))
                    .stderr(Stdio::null());
                let mut child = command.spawn().expect("sshd starts");
                thread::spawn(move || child.wait());
            }
        });
        server
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the one who listens; where that fails, it has ended already.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

/// A machine here, and one that it reaches by `ssh`; both have the profile `api`.
struct Machines {
    near: Sandbox,
    far: Scene,
    server: SshServer,
}

impl Machines {
    /// With that sandbox as the other machine. Its `sshd` takes our key for `cred-helper serve` and
    /// for nothing else.
    fn new(far: Scene) -> Self {
        let near = Sandbox::new("");
        let make_key = |path: &Path| {
            let mut command = Command::new("ssh-keygen");
            command
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path);
            assert!(command.status().expect("ssh-keygen starts").success());
            let public = fs::read_to_string(path.with_extension("pub"));
            public.expect("it was made")
        };
        let host_key = far.file("host_key");
        let known = make_key(&host_key);
        let key = near.path().join("key");
        let own = make_key(&key);

        // Nothing of the person who runs this test is at that machine.
        let serve = far.sandbox.command(&["serve"]);
        let variables = serve.get_envs().filter_map(|(name, value)| {
            let value = value?.to_string_lossy().into_owned();
            Some(format!("{}='{value}'", name.to_string_lossy()))
        });
        let variables: Vec<String> = variables.collect();
        let program = serve.get_program().to_string_lossy().into_owned();
        let line = format!(
            "env -i SSH_CONNECTION=x {} '{program}' serve",
            variables.join(" ")
        );
        fs::write(
            far.file("authorized_keys"),
            format!("restrict,command=\"{line}\" {own}"),
        )
        .expect("it can be written");
        let configuration = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nUsePAM no\nPidFile none\nLogLevel VERBOSE\n",
            host_key.display(),
            far.file("authorized_keys").display()
        );
        let path = far.file("sshd_config");
        fs::write(&path, configuration).expect("it can be written");
        if id("-u") == "0" {
            // Debian makes it when the service is started, which it is not here.
            fs::create_dir_all("/run/sshd").expect("root can make it");
        }
        let server = SshServer::start(&path);

        let host = format!("[127.0.0.1]:{} {known}", server.port);
        fs::write(near.path().join("known_hosts"), host).expect("it can be written");
        let configuration = format!(
            "Host laptop\nHostName 127.0.0.1\nPort {}\nUser {}\nIdentityFile {}\nIdentitiesOnly yes\n\
             IdentityAgent none\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\nBatchMode yes\n",
            server.port,
            id("-un"),
            key.display(),
            near.path().join("known_hosts").display()
        );
        fs::write(near.path().join("ssh_config"), configuration).expect("it can be written");
        let machines = Self { near, far, server };
        machines.reach("laptop");
        machines
    }

    /// Has the profile name that machine.
    fn reach(&self, host: &str) {
        let configuration = self.near.path().join("ssh_config");
        self.near.write_profiles(&format!(
            "[profiles.api.grant]\ntype = \"plugin\"\n\
             command = [\"ssh\", \"-F\", \"{}\", \"{host}\", \"cred-helper\", \"serve\"]\n",
            configuration.display()
        ));
    }

    /// What no file and no word here may hold.
    fn learn(&self) -> String {
        let session = self.far.session();
        let refresh_token = refresh_token(&session);
        self.near.secret(&refresh_token);
        let own = fs::read_to_string(self.near.session()).expect("there is one");
        assert!(!own.contains(&refresh_token));
        assert!(own.contains("\"refresh_token\":null"), "{own}");
        refresh_token
    }
}

/// A machine where nobody is signed in, whose codes wait for a decision.
fn undecided() -> Scene {
    Scene::of(Settings::default(), |issuer| profile("api", issuer))
}

/// What `id` says of who runs this test.
fn id(of: &str) -> String {
    let output = Command::new("id").arg(of).output().expect("id starts");
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    text.trim().to_owned()
}

#[test]
fn another_machine_s_sign_in_serves_this_one_and_its_refresh_token_stays_there() {
    needs!(SSHD);
    needs!(SSH);
    let machines = Machines::new(Scene::signed_in());
    let (near, far) = (&machines.near, &machines.far);
    let first = near.run(&["get", "-o", "json"]).json();
    assert_eq!(first["source"], "plugin");
    assert_eq!(first["account"], "ada@example.test");
    assert_eq!(first["access_token"], far.run(&["get"]).ok().trim_end());
    let before = machines.learn();
    assert_eq!(near.run(&["get", "-o", "json"]).json()["source"], "cache");

    // What that machine refreshes is this one's, too.
    let second = near.run(&["get", "--force-refresh", "-o", "json"]).json();
    assert_ne!(second["access_token"], first["access_token"]);
    assert_eq!(second["access_token"], far.run(&["get"]).ok().trim_end());
    assert_eq!(far.refreshes(), 1);
    assert_ne!(machines.learn(), before);

    // To sign out here is not to sign out there.
    near.run(&["logout"]).ok();
    assert_eq!(near.run(&["get", "-o", "json"]).json()["source"], "plugin");
    // Whoever is signed out there has nothing for this machine.
    far.run(&["logout"]).ok();
    let stderr = near.run(&["get", "--force-refresh"]).failed(4);
    assert!(
        stderr.contains("the plugin `ssh` gave no token"),
        "{stderr}"
    );
    assert!(stderr.contains("cred-helper login -p api"), "{stderr}");
}

#[test]
fn the_code_of_a_sign_in_there_is_shown_here() {
    needs!(SSHD);
    needs!(SSH);
    let machines = Machines::new(undecided());
    let terminal = machines
        .near
        .in_terminal("cred-helper get >answer 2>errors");
    let code = machines.far.authority.approve_newest();
    let shown = terminal.wait();
    assert!(shown.contains(&format!("    {code}\r\n")), "{shown}");
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    let read = |name| fs::read_to_string(machines.near.path().join(name)).expect("it is there");
    assert_eq!(read("errors"), "");
    assert_eq!(read("answer"), machines.far.run(&["get"]).ok());
    machines.learn();
}

#[test]
fn a_sign_in_there_that_is_given_up_here_holds_up_nobody() {
    needs!(SSHD);
    needs!(SSH);
    let machines = Machines::new(undecided());
    let (call, mut keyboard) = machines
        .near
        .with_keyboard("cred-helper get >answer 2>errors");
    let is_waiting = || {
        let status = machines.far.run(&["status", "-o", "json"]).json();
        let accounts = status["profiles"][0]["accounts"].as_array().cloned();
        let accounts = accounts.unwrap_or_default();
        accounts
            .iter()
            .any(|account| !account["waiting_since"].is_null())
    };
    eventually("the code is shown", || {
        keyboard.sees().contains("on any device")
    });
    assert!(is_waiting());
    keyboard.type_in("\u{3}");
    let (code, shown) = call.end();
    assert_eq!(code, Some(130), "{shown}");
    eventually("the other machine asks nobody any more", || !is_waiting());
}

#[test]
fn an_ssh_that_does_not_get_there_says_why() {
    needs!(SSHD);
    needs!(SSH);
    let machines = Machines::new(Scene::signed_in());
    let fails = |code: i32, expected: &str| {
        let stderr = machines.near.run(&["get"]).failed(code);
        assert!(
            stderr.contains("the plugin `ssh` gave no token"),
            "{stderr}"
        );
        assert!(stderr.contains(expected), "{stderr}");
    };
    // The profile has another name there.
    let profiles = fs::read_to_string(machines.far.sandbox.config()).expect("it is there");
    let renamed = profiles.replace("[profiles.api]", "[profiles.other]");
    machines.far.sandbox.write_profiles(&renamed);
    fails(3, "there is no profile `api`");
    // `serve` may not use it.
    let guarded = format!("{profiles}tools = [\"git\"]\n");
    machines.far.sandbox.write_profiles(&guarded);
    fails(3, "the profile `api` may not be used by `serve`");
    machines.far.sandbox.write_profiles(&profiles);
    let keys = machines.far.file("authorized_keys");
    let known = fs::read(&keys).expect("it is there");
    fs::write(&keys, "").expect("it can be written");
    fails(6, "Permission denied");
    fs::write(&keys, known).expect("it can be written");
    fs::write(machines.near.path().join("known_hosts"), "").expect("it can be written");
    fails(6, "Host key verification failed");
    let Machines { near, server, .. } = &machines;
    server.is_stopping.store(true, Ordering::SeqCst);
    drop(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)));
    let stderr = near.run(&["get"]).failed(6);
    assert!(stderr.contains("it said: "), "{stderr}");
}

//! What `setup` writes into a kubeconfig, and what kubectl makes of it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::setup_ground::{Home, rows};
use crate::support::Ran;
use crate::tool::{KUBECTL, needs};

/// The kubectls of this machine.
fn kubectls() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    // Older ones, as Debian 12 and Google's package have them.
    let unpacked = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-client/usr/bin/kubectl");
    let old = [
        PathBuf::from("/usr/lib/google-cloud-sdk/bin/kubectl.1.27"),
        unpacked,
    ];
    let mut found: Vec<PathBuf> = own.filter(|path| path.is_file()).take(1).collect();
    found.extend(old.into_iter().filter(|path| path.is_file()));
    found
}

/// A home in which this is kubectl.
fn home(kubectl: &Path) -> Home {
    let row = rows().into_iter().find(|row| row.tool == "kubectl");
    let home = Home::with(&row.expect("kubectl has a row"));
    #[cfg(unix)]
    std::os::unix::fs::symlink(kubectl, home.0.bin().join("kubectl")).expect("a link can be made");
    #[cfg(not(unix))]
    drop(kubectl);
    home
}

fn view(home: &Home) -> Value {
    home.shell("kubectl config view -o json").json()
}

fn user(view: &Value, name: &str) -> Value {
    let users = view["users"].as_array().into_iter().flatten();
    let mut found = users.filter(|user| user["name"] == name);
    found
        .next()
        .map_or(Value::Null, |user| user["user"].clone())
}

fn current_user(home: &Home) -> String {
    let line = "kubectl config view --minify -o jsonpath={.contexts[0].context.user}";
    home.shell(line).ok()
}

#[test]
fn kubectl_sees_a_user_that_asks_us() {
    needs!(KUBECTL);
    for kubectl in kubectls() {
        let home = home(&kubectl);
        let said = home.setup("kubectl").ok();
        let advice = "to use it: kubectl config set-context k --user=cred-helper-work\n";
        assert!(said.ends_with(advice), "{said}");
        let exec = user(&view(&home), "cred-helper-work")["exec"].clone();
        assert_eq!(exec["command"], "cred-helper", "{exec}");
        assert_eq!(exec["args"], json!(["kubectl", "--profile=work"]));
        let version = exec["apiVersion"].as_str().expect("it has a version");
        let is_v1 = version == "client.authentication.k8s.io/v1";
        assert!(is_v1 || version == "client.authentication.k8s.io/v1beta1");
        assert!(!is_v1 || exec["interactiveMode"] == "IfAvailable", "{exec}");
        // Contexts are the user's own, and so is everything beside.
        assert_eq!(current_user(&home), "me");
        let cluster = &view(&home)["clusters"][0]["cluster"];
        assert_eq!(cluster["certificate-authority"], "../ca.crt", "{cluster}");

        // The advice works, and kubectl starts us.
        let advised = advice.trim_start_matches("to use it: ");
        home.shell(advised).ok();
        let nearby = "kubectl config unset clusters.k.certificate-authority && \
                      kubectl config set-cluster k --server=https://127.0.0.1:1";
        home.shell(nearby).ok();
        assert_eq!(current_user(&home), "cred-helper-work");
        let started = home.shell("kubectl get --raw /api");
        let error = started.failed(1);
        assert!(
            error.contains("nobody is signed in") || error.contains("cred-helper login"),
            "{error}"
        );
    }
}

#[test]
fn with_a_url_contexts_are_pointed_to_us_and_back() {
    needs!(KUBECTL);
    for kubectl in kubectls() {
        let home = home(&kubectl);
        home.setup("kubectl --url https://k8s.example.test:6443")
            .ok();
        assert_eq!(current_user(&home), "cred-helper-work");
        let again = home
            .setup("kubectl --url https://k8s.example.test:6443")
            .ok();
        assert!(again.starts_with("nothing to change"), "{again}");
        // Somebody else writes, so that nothing comes back as a whole.
        home.shell("kubectl config set-context later --cluster=k")
            .ok();
        home.setup("kubectl --undo").ok();
        assert_eq!(current_user(&home), "me");
        let view = view(&home);
        assert_eq!(user(&view, "cred-helper-work"), Value::Null);
        assert_ne!(user(&view, "me"), Value::Null);
        assert_eq!(view["contexts"].as_array().map(Vec::len), Some(2), "{view}");
    }
}

#[test]
fn a_context_without_a_user_has_none_again() {
    needs!(KUBECTL);
    for kubectl in kubectls() {
        let home = home(&kubectl);
        home.shell("kubectl config set-context k --user=").ok();
        home.setup("kubectl --url https://k8s.example.test:6443")
            .ok();
        home.shell("kubectl config set-context later --cluster=k")
            .ok();
        home.setup("kubectl --undo").ok();
        assert_eq!(current_user(&home), "");
    }
}

#[test]
fn the_file_is_the_one_that_kubectl_would_write() {
    needs!(KUBECTL);
    let run = |home: &Home, list: &str, line: &str| -> Ran {
        home.shell(&format!(
            "touch there later; export KUBECONFIG={list}; {line}"
        ))
    };
    for (list, written) in [
        ("$HOME/new", "new"),
        ("$HOME/no:$HOME/there:$HOME/later", "there"),
        ("$HOME/no:$HOME/new", "new"),
        (":$HOME/new:", "new"),
    ] {
        let home = Home::new();
        run(&home, list, "cred-helper setup kubectl -p bare").ok();
        assert!(home.read(written).contains("cred-helper-bare"), "{list}");
        let home = Home::new();
        run(&home, list, "kubectl config set-credentials a --token=b").ok();
        assert!(home.read(written).contains("token: b"), "{list}");
    }
}

#[test]
fn where_no_cluster_is_meant_nothing_is_written() {
    needs!(KUBECTL);
    let home = Home::new();
    let before = home.files();
    for words in [
        "",
        "--url https://work.example.test",
        "-p work --url https://work.example.test",
    ] {
        let error = home.setup(&format!("kubectl {words}")).failed(8);
        assert!(error.contains("error: no cluster in `"), "{error}");
        assert_eq!(home.files(), before);
    }
    let said = home.setup("kubectl -p bare").ok();
    let advice = "to use it: kubectl config set-context --current --user=cred-helper-bare\n";
    assert!(said.ends_with(advice), "{said}");
}

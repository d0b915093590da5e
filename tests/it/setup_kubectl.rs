//! What `setup` writes into a kubeconfig, and what kubectl makes of it.

use std::fs;

use serde_json::{Value, json};

use crate::kubectl_ground::{Kubectl, KubectlGround, kubectls, new_kubectl};
use crate::oidc_ground::for_each;
use crate::setup_ground::{Home, rows};
use crate::support::{Ran, Sandbox};
use crate::tool::{KUBECTL, needs};

/// Makes this the sandbox's kubectl.
fn install(sandbox: &Sandbox, kubectl: &Kubectl) {
    sandbox.script("kubectl", &format!("exec {} \"$@\"\n", kubectl.word()));
}

/// The kubectls that can write a user with a plugin. Debian's 1.20, built with a newer Go than it
/// was made for, panics over any.
fn writing_kubectls() -> impl Iterator<Item = Kubectl> {
    let kubectls = kubectls().into_iter();
    kubectls.filter(|kubectl| kubectl.versions().contains(&"v1"))
}

/// A home in which this is kubectl.
fn home(kubectl: &Kubectl) -> Home {
    let row = rows().into_iter().find(|row| row.tool == "kubectl");
    let home = Home::with(&row.expect("kubectl has a row"));
    install(&home.0, kubectl);
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
    for kubectl in writing_kubectls() {
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
        assert_eq!(is_v1, exec["provideClusterInfo"] == true, "{exec}");
        // Contexts are the user's own, and so is everything beside.
        assert_eq!(current_user(&home), "me");
        let cluster = &view(&home)["clusters"][0]["cluster"];
        assert_eq!(cluster["certificate-authority"], "../ca.crt", "{cluster}");

        // The advice works.
        home.shell(advice.trim_start_matches("to use it: ")).ok();
        assert_eq!(current_user(&home), "cred-helper-work");
    }
}

#[test]
fn kubectl_asks_us_and_after_undo_as_before() {
    for_each(writing_kubectls(), |kubectl| {
        let ground = KubectlGround::signed_in(json!({}));
        ground.configure("v1beta1", json!({ "command": "false" }));
        install(&ground.ground.sandbox, &kubectl);
        let path = ground.ground.sandbox.path().join("kubeconfig");
        let before = fs::read(&path).expect("it can be read");
        let get = "kubectl get namespaces -o name";
        assert_ne!(ground.run(get).code, Some(0), "nobody is asked");

        let url = ground.url();
        ground
            .run(&format!("cred-helper setup kubectl --url {url}"))
            .ok();
        assert_eq!(ground.run(get).ok(), "namespace/default\n", "{kubectl:?}");

        ground.run("cred-helper setup kubectl --undo").ok();
        assert_eq!(fs::read(&path).expect("it can be read"), before);
        assert_ne!(ground.run(get).code, Some(0), "nobody is asked");
    });
}

#[test]
fn a_cluster_that_the_profile_does_not_name_gets_no_token() {
    let Some(kubectl) = new_kubectl() else {
        return;
    };
    let ground = KubectlGround::signed_in(json!({}));
    install(&ground.ground.sandbox, &kubectl);
    let (stranger, url) = ground.stranger();
    ground.run("cred-helper setup kubectl -p api").ok();
    ground
        .run("kubectl config set-context --current --user=cred-helper-api")
        .ok();
    // Last: a kubectl may ask the server its version in each command.
    ground
        .run(&format!("kubectl config set-cluster c --server={url}"))
        .ok();
    let error = ground.run("kubectl get namespaces").failed(1);
    assert!(
        error.contains(&format!("does not answer for `{url}`")),
        "{error}"
    );
    let requests = stranger.requests();
    let with_token = requests
        .iter()
        .filter(|request| !request.header("authorization").is_empty());
    assert_eq!(with_token.count(), 0);
}

#[test]
fn with_a_url_contexts_are_pointed_to_us_and_back() {
    for kubectl in writing_kubectls() {
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
    for kubectl in writing_kubectls() {
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
    // A profile without `urls` answers for whatever cluster is named.
    let exec = &user(&view(&home), "cred-helper-bare")["exec"];
    assert_eq!(exec["provideClusterInfo"], false, "{exec}");
    assert!(!said.contains("it gets no token"), "{said}");
    // One with `urls` does not.
    let said = home.setup("kubectl -p work").ok();
    let warning = "has a server in the `urls` of profile `work`: it gets no token for these\n";
    assert!(said.contains(warning), "{said}");
}

#[test]
fn names_that_would_move_the_cursor_are_shown_without_what_does() {
    needs!(KUBECTL);
    let home = Home::new();
    home.write(
        ".kube/config",
        "apiVersion: v1\nkind: Config\nclusters:\n- name: k\n  cluster: {server: \
         'https://k8s.example.test:6443'}\ncontexts:\n- name: \"a\\e[2Jb\"\n  context: {cluster: k, \
         user: \"c\\e[2Jd\"}\n",
    );
    home.write(
        ".gitconfig",
        "[credential \"https://work.example.test\"]\n\thelper = e\\b\u{1b}[2Jf\n",
    );
    for words in ["kubectl", "--list"] {
        let said = home.setup(words).ok();
        assert!(said.contains("a[2Jb"), "{said}");
        assert!(!said.contains(['\u{1b}', '\u{8}']), "{said:?}");
    }
}

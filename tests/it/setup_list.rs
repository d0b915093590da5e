//! What `setup` says: of tools, of helpers in front of us, of what is wrong.

use serde_json::{Value, json};

use crate::setup_ground::{Home, rows};
use crate::tool::{KUBECTL, needs};

fn tool(home: &Home, name: &str) -> Value {
    let list = home.setup("--list -o json").json();
    let tools = list["tools"].as_array().expect("there are tools");
    let mut found = tools.iter().filter(|row| row["tool"] == name);
    found.next().expect("it is listed").clone()
}

#[test]
fn each_tool_is_listed_before_and_after() {
    needs!(KUBECTL);
    let wired = [
        json!([
            {"for": "https://other.example.test/team", "profile": null},
            {"for": "https://work.example.test", "profile": null},
            {"for": "https://k8s.example.test:6443", "profile": null},
        ]),
        json!([{"for": "work", "profile": null}]),
        json!([{"for": "user cred-helper-work", "profile": "work"}]),
        json!([
            {"for": "work.example.test", "profile": null},
            {"for": "k8s.example.test:6443", "profile": null},
        ]),
        json!([
            {"for": "work.example.test", "profile": null},
            {"for": "k8s.example.test", "profile": null},
        ]),
        json!([{"for": "every host", "profile": null}]),
        json!([{"for": "every host", "profile": null}]),
        json!([
            {"for": "//work.example.test/", "profile": "work"},
            {"for": "//k8s.example.test:6443/", "profile": "work"},
        ]),
        json!([{"for": "profile work", "profile": "work"}]),
        json!([{"for": "every index", "profile": null}]),
        json!([{"for": "every index", "profile": null}]),
    ];
    for (row, wired) in rows().iter().zip(wired) {
        let home = Home::with(row);
        let before = tool(&home, row.tool);
        let file = home.0.path().join(row.path).display().to_string();
        assert_eq!(before["file"], file);
        assert_eq!(before["error"], Value::Null, "{before}");
        assert_eq!(before["wired"], json!([]));
        // The others would ask the network first, take their time, or have a version of two numbers.
        let is_asked = !["bazel", "terraform", "pnpm", "aws", "pip"].contains(&row.tool);
        if before["installed"] == true && is_asked {
            let version = before["version"].as_str().expect("it tells its version");
            let numbers: Vec<&str> = version.split('.').collect();
            assert!(numbers.len() >= 3, "{version}");
            assert!(numbers[0].parse::<u32>().is_ok(), "{version}");
        }
        home.setup(row.tool).ok();
        assert_eq!(tool(&home, row.tool)["wired"], wired);
        let table = home.setup("--list").ok();
        let target = wired[0]["for"].as_str().expect("it is text");
        assert!(table.contains(target), "{table}");
        home.setup(&format!("{} --undo", row.tool)).ok();
        assert_eq!(tool(&home, row.tool), before);
    }
}

#[test]
fn a_helper_that_stands_in_front_of_us_is_told() {
    needs!(KUBECTL);
    let work = "https://work.example.test";
    let registry = "[registries.work]\nindex = \"https://work.example.test/i/\"\n";
    let rows = [
        (
            "git",
            format!("[credential]\nhelper = store --file x\n[credential \"{work}\"]\nhelper = !cred-helper git\n"),
            json!({"for": work, "helper": "store"}),
        ),
        (
            "git",
            format!("[credential \"{work}/\"]\nhelper = !f() {{ echo; }}; f\n"),
            json!({"for": work, "helper": "!f()"}),
        ),
        (
            "git",
            format!("[credential \"{work}\"]\nhelper =\nhelper = !cred-helper git\nhelper = store\n"),
            Value::Null,
        ),
        (
            "cargo",
            format!("{registry}credential-provider = \"other --x\"\n"),
            json!({"for": "work", "helper": "other"}),
        ),
        (
            "cargo",
            format!("{registry}[registry]\nglobal-credential-providers = [\"cred-helper\", \"cargo:token\"]\n"),
            json!({"for": "work", "helper": "cargo:token"}),
        ),
        (
            "cargo",
            format!("{registry}[registry]\nglobal-credential-providers = [\"cargo:token\", \"cred-helper -p work\"]\n"),
            Value::Null,
        ),
        (
            "kubectl",
            "clusters: [{name: k, cluster: {server: 'https://k8s.example.test:6443'}}]\n\
             contexts: [{name: k, context: {cluster: k, user: me}}]\nusers: [{name: me, user: {}}]\n"
                .to_owned(),
            json!({"for": "context k", "helper": "user me"}),
        ),
        (
            "terraform",
            "credentials_helper \"other\" {}\n".to_owned(),
            json!({"for": "work.example.test", "helper": "other"}),
        ),
        (
            "terraform",
            "credentials_helper \"cred-helper\" {}\ncredentials \"work.example.test\" {}\n".to_owned(),
            json!({"for": "work.example.test", "helper": "credentials"}),
        ),
        (
            "pnpm",
            "//work.example.test/:tokenHelper=/opt/other x\n".to_owned(),
            json!({"for": "//work.example.test/", "helper": "/opt/other"}),
        ),
        (
            "aws",
            "[profile work]\ncredential_process = /opt/other x\n".to_owned(),
            json!({"for": "profile work", "helper": "/opt/other"}),
        ),
        (
            "aws",
            "[profile work]\ncredential_process = cred-helper aws\nrole_arn = x\n".to_owned(),
            json!({"for": "profile work", "helper": "role_arn"}),
        ),
        (
            "aws",
            "[profile elsewhere]\ncredential_process = /opt/other\n".to_owned(),
            Value::Null,
        ),
        (
            "bazel",
            "common --credential_helper=*.example.test=/opt/other\n".to_owned(),
            json!({"for": "work.example.test", "helper": "/opt/other"}),
        ),
        (
            "bazel",
            "common --credential_helper=other\n\
             common --credential_helper=*.example.test=bazel-credential-cred-helper\n"
                .to_owned(),
            Value::Null,
        ),
        (
            "docker",
            "{\"credHelpers\": {\"work.example.test\": \"other\"}}".to_owned(),
            json!({"for": "work.example.test", "helper": "other"}),
        ),
        (
            "docker",
            "{\"credsStore\": \"desktop\"}".to_owned(),
            json!({"for": "work.example.test", "helper": "desktop"}),
        ),
        (
            "docker",
            "{\"credHelpers\": {\"work.example.test\": \"cred-helper-work\", \
             \"k8s.example.test:6443\": \"cred-helper\"}, \"credsStore\": \"desktop\"}"
                .to_owned(),
            Value::Null,
        ),
    ];
    let paths = crate::setup_ground::rows();
    for (name, text, expected) in rows {
        let home = Home::new();
        let row = paths.iter().find(|row| row.tool == name).expect(name);
        home.write(row.path, &text);
        let row = tool(&home, name);
        let in_front = row["in_front"].as_array().expect("it is a list");
        let found = in_front.iter().find(|row| **row == expected);
        let is_none = in_front.is_empty();
        assert!(
            found.is_some() || (expected.is_null() && is_none),
            "{text}\n{row}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_an_error_with_advice() {
    let home = Home::new();
    let before = home.files();
    for (words, code, expected) in [
        ("git -p wok", 8, "hint: did you mean `work`?"),
        ("git -p bare", 8, "hint: add `urls = "),
        (
            "git --url https://nobody.example.test",
            8,
            "no profile answers for",
        ),
        ("git -p bare --url https://work.example.test", 8, "error: "),
        ("git --url ftp://x", 2, "is no URL that a token may go to"),
        ("docker -p other", 8, "may not be used by `docker`"),
        ("aws -p bare", 3, "hint: add `[profiles.bare.aws]` with"),
        (
            "gitt",
            2,
            "hint: did you mean `git`? it takes `git`, `cargo`,",
        ),
        ("", 2, "cred-helper setup git --dry-run"),
        ("--undo", 2, "<TOOL>"),
        ("git -o json", 2, "cannot be used with"),
        ("git --list", 2, "cannot be used with"),
    ] {
        let error = home.setup(words).failed(code);
        assert!(error.contains(expected), "{words}: {error}");
        assert_eq!(home.files(), before, "{words}");
    }
    home.0.write_profiles(
        "[profiles.bare]\nclient_id = \"c\"\nauthority = \"https://login.example.test\"\nscopes = []\n",
    );
    let error = home.setup("git").failed(8);
    assert!(
        error.contains("no profile has `urls` for which git could ask"),
        "{error}"
    );
    let error = home.setup("aws").failed(8);
    assert!(error.contains("hint: add `[profiles.NAME.aws]`"), "{error}");
}

#[test]
fn a_mistake_in_one_profile_is_told_and_does_not_stop_the_others() {
    let home = Home::new();
    let profiles = std::fs::read_to_string(home.0.config()).expect("it can be read");
    let wrong = "[profiles.wrong]\nclientid = \"c\"\nurls = [\"https://wrong.example.test\"]\n";
    home.0.write_profiles(&format!("{profiles}\n{wrong}"));
    for words in ["git", "--list"] {
        let ran = home.setup(words);
        let told = ran.stderr.matches("left out profile `wrong`").count();
        assert_eq!(told, 1, "{ran:?}");
        let said = ran.ok();
        assert!(said.contains("https://work.example.test"), "{said}");
        assert!(!said.contains("wrong.example.test"), "{said}");
    }
    let error = home.setup("git -p wrong").failed(3);
    assert!(error.contains("clientid"), "{error}");
}

#[test]
fn what_the_tool_will_not_know_is_said() {
    let home = Home::new();
    let setup = |line: &str| home.shell(line);
    let alone = setup("unset CRED_HELPER_CONFIG; cred-helper --config profiles.toml setup git");
    assert_eq!(alone.code, Some(0), "{alone:?}");
    let config = home.0.config().display().to_string();
    let warning = format!("git will not know of `--config`: set CRED_HELPER_CONFIG to `{config}`");
    assert!(alone.stderr.contains(&warning), "{alone:?}");
    let with_variable = setup("cred-helper setup git");
    assert_eq!(with_variable.stderr, "");
}

#[test]
fn a_tool_that_fails_is_told_and_nothing_is_written() {
    for (tool, path) in [("git", ".gitconfig"), ("kubectl", ".kube/config")] {
        let home = Home::new();
        home.write(path, "");
        let before = home.files();
        home.0.script(
            tool,
            "echo out; echo >&2; echo why >&2; echo more >&2; exit 2\n",
        );
        let error = home.setup(&format!("{tool} -p work")).failed(3);
        let cause = format!("\ncaused by: `{tool}` failed: why\n");
        assert!(error.contains(&cause), "{error}");
        home.0.script(tool, "exit 2\n");
        let error = home.setup(&format!("{tool} -p work --dry-run")).failed(3);
        assert!(error.contains("failed (exit status: 2)"), "{error}");
        assert_eq!(home.files(), before);
    }
}

#[test]
fn a_tool_that_is_not_here_is_told() {
    let home = Home::new();
    let setup = |words: &str| home.shell(&format!("PATH=$HOME/bin cred-helper setup {words}"));
    for (tool, path) in [("git", ".gitconfig"), ("kubectl", ".kube/config")] {
        let error = setup(&format!("{tool} -p work")).failed(3);
        let expected = format!("error: `{tool}` is not installed");
        assert!(error.contains(&expected), "{error}");
        assert!(!home.0.path().join(path).exists());
    }
    // Who has docker's file on a machine without docker can have it written.
    setup("docker -p work").ok();
    let list = setup("--list -o json").json();
    for row in list["tools"].as_array().expect("there are tools") {
        assert_eq!(row["installed"], false, "{row}");
        assert_eq!(row["version"], Value::Null);
        assert_eq!(row["error"], Value::Null);
        let is_wired = row["wired"]
            .as_array()
            .is_some_and(|wired| !wired.is_empty());
        assert_eq!(is_wired, row["tool"] == "docker", "{row}");
    }
}

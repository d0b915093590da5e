//! What `setup` does to the files of all tools: nothing but what it says, and it can be undone.

use std::fs;
use std::process::Command;
use std::thread;

use crate::oidc_ground::eventually;
use crate::setup_ground::{CANARY, Home, Row, rows};
use crate::support::detached;
use crate::support::set_mode;
use crate::tool::{KUBECTL, needs};

#[test]
fn what_setup_wrote_is_undone_byte_for_byte() {
    needs!(KUBECTL);
    for row in rows() {
        let home = Home::with(&row);
        let path = home.0.path().join(row.path);
        set_mode(&path, 0o640);
        let before = home.files();

        let dry = home.setup(&format!("{} --dry-run", row.tool)).ok();
        assert_eq!(home.files(), before, "{}: a dry run wrote", row.tool);
        let said = home.setup(row.tool).ok();
        let (difference, _) = said.split_once("wrote `").expect(row.tool);
        assert!(dry.starts_with(difference), "{dry}\n{said}");
        assert!(
            difference.contains("\n+") && difference.starts_with("--- "),
            "{said}"
        );
        let after = home.files();
        assert_ne!(after[&path].0, before[&path].0, "{said}");
        assert_eq!(after[&path].1, before[&path].1, "the mode is kept");
        assert_eq!(home.kept().0, 1, "{}", row.tool);
        for (own, (_, mode)) in &after {
            let is_ours = own.starts_with(home.0.state().join("setup"));
            assert!(
                !is_ours || *mode == Some(0o600),
                "{} is private",
                own.display()
            );
        }

        let again = home.setup(row.tool).ok();
        assert!(again.contains("nothing to change in `"), "{again}");
        assert_eq!(home.files(), after, "{}: twice is once", row.tool);

        let dry = home.setup(&format!("{} --undo --dry-run", row.tool)).ok();
        assert_eq!(home.files(), after, "{dry}");
        home.setup(&format!("{} --undo", row.tool)).ok();
        let undone = home.files();
        assert_eq!(undone[&path], before[&path], "{}", row.tool);
        assert_eq!(home.kept(), (2, 0), "two backups, and no record");
        let again = home.setup(&format!("{} --undo", row.tool)).ok();
        assert!(again.starts_with("nothing to undo"), "{again}");
        assert_eq!(home.files(), undone);
    }
}

#[test]
fn undo_keeps_what_others_wrote_since() {
    needs!(KUBECTL);
    /// What somebody writes after setup, in a shell of the home.
    const LATER: [&str; 11] = [
        "git config --global core.editor vi && \
         git config --global --add credential.https://work.example.test.helper later",
        "printf '\\n[net]\\nretry = 1' >> .cargo/config.toml",
        "kubectl config set-cluster later --server=https://later.example.test",
        "sed -i 's/\"psFormat\"/\"later\": 1, &/' .docker/config.json",
        "printf '\\ncommon --later' >> .bazelrc",
        "printf '\\ndisable_checkpoint = true' >> .terraformrc",
        "printf '\\nGOSUMDB=off' >> .config/go/env",
        "printf '\\nlater=x' >> .npmrc",
        "printf '\\n[profile later]\\nregion=x' >> .aws/config",
        "printf '\\nlater=x' >> .config/pip/pip.conf",
        "printf '\\nlater = 1' >> .config/uv/uv.toml",
    ];
    for (row, later) in rows().iter().zip(LATER) {
        let home = Home::with(row);
        home.setup(row.tool).ok();
        home.shell(later).ok();
        home.setup(&format!("{} --undo", row.tool)).ok();
        let undone = home.read(row.path);

        // As if setup had never been there.
        let home = Home::with(row);
        home.shell(later).ok();
        if row.tool == "git" {
            // git gives the section a place where it was first needed.
            let own = undone.replace(
                "[credential \"https://work.example.test\"]\n\thelper = later\n",
                "",
            );
            let section = "[credential \"https://work.example.test\"]\n\thelper = later\n";
            assert_eq!(format!("{own}{section}"), home.read(row.path));
        } else {
            assert_eq!(undone, home.read(row.path), "{}", row.tool);
        }
    }
}

#[test]
fn what_somebody_took_out_or_changed_is_theirs() {
    let home = Home::new();
    home.setup("docker -p work").ok();
    home.setup("git -p work").ok();
    home.write(
        ".docker/config.json",
        "{\"credHelpers\":{\"work.example.test\":\"theirs\"}}",
    );
    home.write(".gitconfig", "[user]\n\tname = Ada\n");
    let before = (home.read(".docker/config.json"), home.read(".gitconfig"));
    for tool in ["docker", "git"] {
        let said = home.setup(&format!("{tool} --undo")).ok();
        assert!(said.contains("is not there any more"), "{said}");
    }
    let after = (home.read(".docker/config.json"), home.read(".gitconfig"));
    assert_eq!(after, before);
    assert_eq!(home.kept().1, 0);
    // A file that is gone has nothing of ours.
    home.setup("git -p work").ok();
    fs::remove_file(home.0.path().join(".gitconfig")).expect("it is there");
    home.setup("git --undo").ok();
    assert!(!home.0.path().join(".gitconfig").exists());
    assert_eq!(home.kept().1, 0);
}

#[test]
fn one_profile_can_be_undone_and_the_other_stays() {
    for (tool, path) in [("git", ".gitconfig"), ("docker", ".docker/config.json")] {
        let home = Home::new();
        let work = home
            .setup(&format!("{tool} -p work --url https://work.example.test/"))
            .ok();
        let first = home.read(path);
        home.setup(&format!(
            "{tool} -p work --url https://k8s.example.test:6443"
        ))
        .ok();
        home.setup(&format!(
            "{tool} --undo --url https://k8s.example.test:6443"
        ))
        .ok();
        assert_eq!(home.read(path), first, "{work}");
        let none = home.setup(&format!("{tool} --undo -p bare")).ok();
        assert_eq!(
            none,
            format!("nothing to undo: setup has written nothing of that for {tool}\n")
        );
        home.setup(&format!("{tool} --undo -p work")).ok();
        assert!(
            !home.0.path().join(path).exists(),
            "it was not there before"
        );
    }
}

#[test]
fn a_new_file_is_private_and_undo_removes_it() {
    needs!(KUBECTL);
    for (row, words) in rows()
        .iter()
        .zip(["", "", "-p work", "", "", "", "", "", "", ""])
    {
        if row.tool == "cargo" {
            // Without a registry there is nothing to write.
            continue;
        }
        let home = Home::new();
        let before = home.files();
        let path = home.0.path().join(row.path);
        let said = home.setup(&format!("{} {words}", row.tool)).ok();
        assert!(said.starts_with("--- /dev/null\n"), "{said}");
        assert_eq!(home.files()[&path].1, Some(0o600), "{said}");
        let said = home.setup(&format!("{} --undo", row.tool)).ok();
        assert!(said.contains("\n+++ /dev/null\n"), "{said}");
        let mut after = home.files();
        after.retain(|path, _| !path.starts_with(home.0.state()));
        assert_eq!(after, before, "{said}");
    }
}

#[test]
fn a_link_stays_a_link_and_what_it_names_is_written() {
    needs!(KUBECTL);
    for row in rows() {
        let home = Home::with(&row);
        let path = home.0.path().join(row.path);
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder.join("dots")).expect("a folder can be made");
        fs::rename(&path, folder.join("dots/file")).expect("it can be moved");
        std::os::unix::fs::symlink("dots/second", &path).expect("a link can be made");
        std::os::unix::fs::symlink("file", folder.join("dots/second")).expect("a link can be made");
        let before = home.files();
        home.setup(row.tool).ok();
        let after = home.files();
        assert_eq!(after[&path], before[&path], "{}", row.tool);
        assert_ne!(home.read(row.path), row.text, "{}", row.tool);
        home.setup(&format!("{} --undo", row.tool)).ok();
        assert_eq!(home.files()[&path], before[&path], "{}", row.tool);
        assert_eq!(home.read(row.path), row.text, "{}", row.tool);
    }
}

#[test]
fn what_lies_beside_the_file_stays_as_it_is() {
    needs!(KUBECTL);
    for row in rows() {
        let home = Home::with(&row);
        let beside = [".new", ".old", ".tmp", ".bak", "~"].map(|end| format!("{}{end}", row.path));
        for path in &beside {
            home.write(path, "mine");
        }
        home.setup(row.tool).ok();
        home.setup(&format!("{} --undo", row.tool)).ok();
        for path in &beside {
            assert_eq!(home.read(path), "mine", "{path}");
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_copy_is_not_followed() {
    needs!(KUBECTL);
    for row in rows() {
        let home = Home::with(&row);
        home.write("theirs", "mine");
        let folder = std::path::Path::new(row.path).parent();
        let folder = folder.expect("it lies in a folder").display();
        // The shell's number is that of the program which takes its place.
        let said = home.shell(&format!(
            "mkdir -p \"$CRED_HELPER_STATE/setup\" && \
             for folder in ./{folder} \"$CRED_HELPER_STATE/setup\"; do \
             ln -s \"$PWD/theirs\" \"$folder/.tmp-cred-helper-$$\" || exit; done && \
             exec cred-helper setup {}",
            row.tool
        ));
        said.ok();
        assert_eq!(home.read("theirs"), "mine", "{}", row.tool);
    }
}

#[test]
fn links_in_a_circle_and_links_to_nowhere_are_no_trouble() {
    let home = Home::new();
    let link = |target: &str, path: &str| {
        let path = home.0.path().join(path);
        std::os::unix::fs::symlink(target, path).expect("a link can be made");
    };
    link("dots/gitconfig", ".gitconfig");
    home.setup("git").ok();
    assert!(home.read("dots/gitconfig").contains("cred-helper"));
    home.setup("git --undo").ok();
    assert!(!home.0.path().join("dots/gitconfig").exists());
    fs::create_dir_all(home.0.path().join(".docker")).expect("a folder can be made");
    link("config.json", ".docker/config.json");
    let error = home.setup("docker").failed(3);
    assert!(error.contains("its links go round in a circle"), "{error}");
}

#[test]
fn a_damaged_file_is_told_with_its_place_and_left_alone() {
    needs!(KUBECTL);
    let rows = [
        (
            "git",
            ".gitconfig",
            "[user]\nname = CANARY\n[oh\n",
            "line 3",
        ),
        (
            "cargo",
            ".cargo/config.toml",
            "[registries.x]\ntoken = CANARY\n",
            "config.toml:2:9: cargo's configuration is damaged: ",
        ),
        (
            "kubectl",
            ".kube/config",
            "users:\n- name: a\n  user: {token: CANARY\n",
            "line ",
        ),
        (
            "docker",
            ".docker/config.json",
            "{\n\t\"auths\": {\"h\": {\"auth\": \"CANARY\",}}\n}",
            "config.json:2:55: docker's configuration is damaged: key must be a string",
        ),
        (
            "docker",
            ".docker/config.json",
            "{\n\t\"credHelpers\": [\"CANARY\"]\n}",
            "config.json:2:17: docker's configuration is damaged: invalid type: sequence",
        ),
        ("docker", ".docker/config.json", "[]", "config.json:1:1: "),
    ];
    for (tool, path, text, expected) in rows {
        let home = Home::with(&Row {
            tool,
            path,
            text: text.replace("CANARY", CANARY),
        });
        let before = home.files();
        for words in ["", "--dry-run", "-p work"] {
            let error = home.setup(&format!("{tool} {words}")).failed(3);
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(path), "{error}");
            assert!(error.contains("it was left as it is"), "{error}");
            assert_eq!(home.files(), before, "{tool} {words}");
        }
        let list = home.setup("--list -o json").json();
        let tools = list["tools"].as_array().expect("there are tools");
        let own = tools.iter().find(|row| row["tool"] == tool);
        assert!(
            own.is_some_and(|row| row["error"]["kind"] == "config"),
            "{list}"
        );
    }
    let home = Home::new();
    let path = home.0.path().join(".gitconfig");
    fs::write(path, b"[user]\nname = \xffAda\n").expect("it can be written");
    let error = home.setup("git").failed(3);
    assert!(error.contains(".gitconfig:2:8: "), "{error}");
}

#[test]
fn terraforms_file_is_left_alone_where_ours_would_not_be_read() {
    for (text, expected) in [
        (
            "credentials \"h\" {\n  token = \"CANARY\"\n",
            ".terraformrc:3:1: terraform's configuration is damaged: ",
        ),
        ("plugin_cache_dir = \"CANARY\n", "does not end"),
        ("/* CANARY", "does not end"),
        (
            "credentials_helper \"\u{1b}[31mother\" {}\n",
            "names the helper `[31mother` already",
        ),
    ] {
        let home = Home::with(&Row {
            tool: "terraform",
            path: ".terraformrc",
            text: text.replace("CANARY", CANARY),
        });
        let before = home.files();
        let error = home.setup("terraform").failed(3);
        assert!(error.contains(expected), "{error}");
        assert_eq!(home.files(), before, "{text}");
    }
}

#[test]
fn a_file_that_is_protected_is_left_alone() {
    needs!(KUBECTL);
    for row in rows() {
        let home = Home::with(&row);
        set_mode(&home.0.path().join(row.path), 0o444);
        let before = home.files();
        for words in ["", "--dry-run"] {
            let error = home.setup(&format!("{} {words}", row.tool)).failed(3);
            assert!(error.contains("it is read-only"), "{error}");
            assert_eq!(home.files(), before, "{}", row.tool);
        }
    }
    // What is no file is not replaced by one.
    let home = Home::new();
    let mut command = home.command("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let error = home.check(command).failed(3);
    assert!(error.contains("it is no file"), "{error}");
}

#[test]
fn whatever_is_secret_is_not_shown() {
    needs!(KUBECTL);
    let texts = [
        (
            "git",
            "[credential]\n\thelper = \"!f() { echo password=CANARY; }; f\"\n# CANARY\n[url \
                 \"https://a:CANARY@h/\"]\n\tinsteadOf = h:\n[http]\n\textraHeader=CANARY\n",
        ),
        (
            "git",
            "[credential \"https://a:CANARY@h\"]\n\thelper = !cred-helper git\n",
        ),
        (
            "kubectl",
            "clusters:\n- name: k\n  cluster:\n    server: https://k8s.example.test:6443\n\
             - name: l\n  cluster:\n    server: https://a:CANARY@l\ncontexts: []\nusers: []\n",
        ),
        (
            "cargo",
            "# token = \"CANARY\"\n[registries.work]\nindex = \
                   \"sparse+https://work.example.test/i/\"\ntoken = \"\"\"\nCANARY\"\"\"\n",
        ),
        (
            "kubectl",
            "{\"clusters\": [{\"name\": \"k\", \"cluster\": {\"server\": \
                     \"https://k8s.example.test:6443\"}}], \"users\": [{\"name\": \"a\", \"user\": \
                     {\"password\": \"CANARY\", \"username\": \"a\"}}]}",
        ),
        (
            "kubectl",
            "clusters:\n- {name: k, cluster: {server: 'https://k8s.example.test:6443'}}\n\
                     users:\n- name: a\n  user:\n    exec:\n      command: x\n      apiVersion: \
                     client.authentication.k8s.io/v1\n      interactiveMode: Never\n      args:\n\
                     \x20     - --secret=CANARY\n      - CANARY\n      env:\n      - name: A\n\
                     \x20       value: CANARY\n",
        ),
        (
            "terraform",
            "credentials \"work.example.test\" { token = \"CANARY\" }\n# CANARY\n",
        ),
        (
            "go",
            "GOPROXY=https://a:CANARY@h\nGOAUTH=git https://a:CANARY@h\n",
        ),
        ("pnpm", "//h/:_password=CANARY\n_auth = CANARY\nCANARY"),
        (
            "pip",
            "# CANARY\n[CANARY]\nextra-index-url =\n  https://a:CANARY@h\n",
        ),
        ("uv", "index-url = \"https://a:CANARY@h\" # CANARY\n"),
        (
            "bazel",
            "# CANARY=\nbuild --remote_header=a=CANARY --credential_helper=h=p\nCANARY",
        ),
        (
            "docker",
            "{\"auths\":{\"h\":{\"auth\":\"CANARY\"}},\"HttpHeaders\":{\"X\":\"CANARY\"}}",
        ),
        (
            "docker",
            "{\"credHelpers\":{\"work.example.test\":\"other\"},\n\"proxies\":{\"default\":\
                    {\"httpProxy\":\"http://a:CANARY@h\"}}}",
        ),
    ];
    for (tool, text) in texts {
        let rows = rows();
        let row = rows.iter().find(|row| row.tool == tool).expect(tool);
        let home = Home::with(&Row {
            tool,
            path: row.path,
            text: text.replace("CANARY", CANARY),
        });
        // What is run is scanned.
        let said = home.setup(tool).ok();
        assert!(said.contains("wrote `"), "{said}");
        home.setup("--list").ok();
        home.setup("--list -o json").ok();
        home.setup(&format!("{tool} --undo")).ok();
        assert_eq!(home.read(row.path), text.replace("CANARY", CANARY));
    }
}

#[test]
fn setups_at_once_lose_nothing_of_each_other() {
    for (tool, path) in [("git", ".gitconfig"), ("docker", ".docker/config.json")] {
        let home = Home::new();
        let hosts: Vec<String> = (0..6)
            .map(|number| format!("h{number}.example.test"))
            .collect();
        let profiles: Vec<String> = hosts
            .iter()
            .map(|host| {
                format!(
                    "[profiles.{}]\nclient_id = \"c\"\nauthority = \
                     \"https://login.example.test\"\nscopes = [\"s\"]\nurls = [\"https://{host}/\"]\n",
                    &host[..2]
                )
            })
            .collect();
        home.0.write_profiles(&profiles.concat());
        home.write(path, if tool == "git" { "" } else { "{}" });
        for words in ["", "--undo"] {
            thread::scope(|scope| {
                for host in &hosts {
                    let home = &home;
                    scope.spawn(move || {
                        home.setup(&format!("{tool} -p {} {words}", &host[..2]))
                            .ok()
                    });
                }
            });
            let text = home.read(path);
            let is_there = words.is_empty();
            for host in &hosts {
                assert_eq!(text.contains(host.as_str()), is_there, "{tool}: {text}");
            }
        }
        assert_eq!(home.kept().1, 0, "{tool}: {:?}", home.files().keys());
    }
}

#[test]
fn killed_at_any_call_it_leaves_the_old_file_or_the_new_one_and_both_can_be_undone() {
    /// What changes a file, or makes it durable.
    const CALLS: [&str; 8] = [
        "rename", "fsync", "unlink", "chmod", "symlink", "mkdir", "write", "openat",
    ];
    let rows = rows();
    let row = rows.iter().find(|row| row.tool == "docker");
    let row = row.expect("docker has a row");
    let home = Home::with(row);
    home.setup("docker -p work").ok();
    let written = home.read(row.path);
    let mut killed = 0;
    for call in CALLS {
        for nth in 1.. {
            let home = Home::with(row);
            let own = home.command("docker -p work");
            let mut command = Command::new("strace");
            home.prepare(&mut command);
            let inject = format!("inject={call}:signal=KILL:when={nth}");
            command
                .env_remove("CRED_HELPER_LOG")
                .args(["-f", "-qq", "-o", "/dev/null", "-e", &inject])
                .arg(own.get_program())
                .args(own.get_args());
            let is_done = home.check(command).code == Some(0);
            let text = home.read(row.path);
            assert!(text == row.text || text == written, "{call} {nth}: {text}");
            // As whoever comes next is told to.
            fs::remove_file(home.0.path().join(".docker/config.json.lock")).ok();
            home.setup("docker -p work").ok();
            assert_eq!(home.read(row.path), written, "{call} {nth}");
            home.setup("docker --undo").ok();
            assert_eq!(home.read(row.path), row.text, "{call} {nth}");
            assert_eq!(home.kept().1, 0, "{call} {nth}: {:?}", home.files().keys());
            if is_done {
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 20, "only {killed} points were found");
}

#[test]
fn whoever_writes_the_file_is_waited_for() {
    let row = &rows()[0];
    let home = Home::with(row);
    let lock = home.0.path().join(".gitconfig.lock");
    fs::write(&lock, "").expect("it can be written");
    let mut running = detached(home.command("git")).spawn().expect("it starts");
    eventually("it waits", || {
        let log = fs::read_to_string(home.0.log()).unwrap_or_default();
        log.contains("waiting for another program that writes `")
    });
    assert_eq!(home.read(row.path), row.text);
    fs::remove_file(&lock).expect("it is there");
    assert!(running.wait().expect("it ends").success());
    assert_ne!(home.read(row.path), row.text);
    assert!(!lock.exists());
}

//! A day with pip of both generations, uv and twine, at an index that has each token judged.

use std::fs;

use crate::keyring_ground::{Client, KeyringGround, basic, python_path};
use crate::oidc_ground::{eventually, for_each};

/// What tells how one signs in.
const HINT: &str = "cred-helper login -p api";

/// These clients, as far as they were installed.
fn installed(clients: &[Client]) -> Vec<Client> {
    let clients = clients.iter().copied();
    clients.filter(|client| client.is_there()).collect()
}

#[test]
fn one_sign_in_at_the_terminal_serves_pip_uv_and_twine_until_the_index_rejects_its_token() {
    // By the package in its own environment pip does as twine does.
    let clients = [
        Client::OldPip,
        Client::NewPip,
        Client::UvWithName,
        Client::UvAlways,
        Client::Twine,
    ];
    for_each(installed(&clients), |client| {
        let ground = KeyringGround::new();
        let own = &ground.ground;
        // Nobody can be asked: the index hears no password.
        let ran = ground.is_refused(client);
        assert_eq!(ground.usernames(), [""; 0], "{client:?}");
        assert_eq!(own.authority.requests().total, 0, "{client:?}");
        let said = format!("{}{}", ran.stderr, own.read("said"));
        // pip from 26.2 on drops what a program says, and asks for a password itself.
        let is_told = said.contains(HINT);
        assert_eq!(is_told, client != Client::NewPip, "{client:?}: {said}");
        let shown = own.shell_as_ada(&ground.line(client));
        assert!(shown.contains("Signed in as ada@"), "{client:?}: {shown}");
        own.authority.reset_requests();
        ground.is_known(client);
        own.assert_requests(0, 0);
        own.expire();
        ground.is_known(client);
        own.assert_requests(1, 0);
        // None of them tells anybody of a token that was rejected.
        own.authority.revoke(&own.get(&[]));
        ground.is_refused(client);
        own.assert_requests(1, 0);
        let url = ground.index.url("/simple/");
        assert_eq!(ground.keyring(&["del", &url, "bob"]).ok(), "");
        ground.is_known(client);
        own.assert_requests(2, 0);
        // The sign-in is for another index now, and nothing is behind us.
        ground.answer_for(&["https://other.example.test/"]);
        ground.is_refused(client);
        assert_eq!(ground.usernames(), [""; 0], "{client:?}");
        own.assert_requests(2, 0);
    });
}

#[test]
fn a_token_of_16_kilobytes_passes() {
    let ground = KeyringGround::signed_in();
    let token = "0123456789abcdef".repeat(1024);
    ground.ground.sandbox.secret(&token);
    let mut session = ground.ground.session();
    session["content"]["accounts"][0]["access_tokens"][0]["secret"] = token.as_str().into();
    ground.ground.write_session(&session);
    *ground.taken.lock().expect("no test panicked with it") = Some(token.clone());
    for client in installed(&Client::ALL) {
        ground.is_known(client);
        let requests = ground.index.requests();
        let mut pairs = requests.iter().filter_map(basic);
        assert!(pairs.any(|(_, password)| password == token), "{client:?}");
    }
    ground.ground.assert_requests(0, 0);
}

#[test]
fn a_password_that_somebody_types_at_pip_is_kept_nowhere_and_pip_says_so() {
    let clients = [Client::OldPip, Client::NewPip];
    for_each(installed(&clients), |client| {
        let ground = KeyringGround::new();
        // pip saves for the host alone.
        ground.answer_for(&[&ground.index.url("/")]);
        let typed = "typed-password";
        *ground.taken.lock().expect("no test panicked with it") = Some(typed.to_owned());
        let line = ground
            .line(client)
            .replace("-q ", "")
            .replace(">../said", "")
            .replace("bob@", "");
        let line = format!("export CRED_HELPER_INTERACTIVE=never; {line}");
        let (terminal, mut keyboard) = ground.ground.sandbox.with_keyboard(&line);
        for (question, answer) in [
            ("User for ", "bob"),
            ("Password: ", typed),
            ("Save credentials to keyring", "y"),
        ] {
            eventually(question, || keyboard.sees().contains(question));
            keyboard.type_in(&format!("{answer}\n"));
        }
        let shown = terminal.wait();
        for words in [
            "cred-helper stores no passwords",
            HINT,
            "Saved ./out/dep-1.0",
        ] {
            assert!(shown.contains(words), "{client:?}: {words}: {shown}");
        }
        ground.ground.sandbox.assert_kept_nowhere(&[typed]);
    });
}

/// A keyring that lies behind our link on the PATH: Python's own, whose passwords are kept in a file.
/// Our backend is installed beside it.
/// Its path of modules.
fn put_real_keyring_behind(ground: &KeyringGround) -> Option<String> {
    let path = python_path()?;
    let home = ground.ground.sandbox.path();
    let behind = home.join("behind");
    fs::create_dir(&behind).expect("a folder can be made");
    let backend = "import json, pathlib\n\
        from keyring.backend import KeyringBackend\n\
        FILE = pathlib.Path(__file__).with_name('passwords')\n\
        class Kept(KeyringBackend):\n\
        \x20   priority = 1\n\
        \x20   def kept(self):\n\
        \x20       return json.loads(FILE.read_text()) if FILE.exists() else {}\n\
        \x20   def get_password(self, service, username):\n\
        \x20       return self.kept().get(f'{service} {username}')\n\
        \x20   def set_password(self, service, username, password):\n\
        \x20       FILE.write_text(json.dumps({**self.kept(), f'{service} {username}': password}))\n\
        \x20   def delete_password(self, service, username):\n\
        \x20       FILE.write_text('{}')\n";
    fs::write(behind.join("kept.py"), backend).expect("it can be written");
    let script = ground.ground.sandbox.script(
        "real-keyring",
        &format!(
            "export PYTHONPATH='{}:{path}' PYTHONDONTWRITEBYTECODE=1\n\
             exec python3 -c 'import sys, kept; from keyring.cli import main; sys.argv[0] = \
             \"keyring\"; sys.exit(main())' \"$@\"\n",
            behind.display()
        ),
    );
    fs::rename(script, behind.join("keyring")).expect("it can be moved");
    Some(format!("{}:{path}", behind.display()))
}

#[test]
fn a_keyring_behind_ours_answers_for_what_no_profile_names() {
    let ground = KeyringGround::signed_in();
    if put_real_keyring_behind(&ground).is_none() {
        return;
    }
    let path = "export PATH=\"$HOME/bin:$HOME/behind:$PATH\"; ";
    let run = |line: &str| ground.ground.shell(&format!("{path}{line}"));
    run("printf 'other-password\\n' | keyring set Backup bob").ok();
    assert_eq!(run("keyring get Backup bob").ok(), "other-password\n");
    assert_eq!(
        run("keyring --mode creds get Backup bob").ok(),
        "bob\nother-password\n"
    );
    // By the subcommand as by the link, and not where it is the real one that asks.
    assert_eq!(
        run("cred-helper keyring get Backup bob").ok(),
        "other-password\n"
    );
    assert_eq!(
        run("cred-helper keyring --alone get Backup bob").failed(1),
        ""
    );
    let listed = run("keyring --list-backends").ok();
    assert!(listed.starts_with("cred-helper\n"), "{listed}");
    for backend in ["kept.Kept", "cred_helper_keyring.CredHelperBackend"] {
        assert!(listed.contains(backend), "{listed}");
    }
    // What is ours is refused, also by the real one, and does not come to the other backend.
    let url = ground.index.url("/simple/");
    for program in ["keyring", "behind/keyring"] {
        let error = run(&format!(
            "printf 'typed-password\\n' | {program} set {url} bob"
        ));
        let error = error.failed(if program == "keyring" { 2 } else { 1 });
        assert!(error.contains(HINT), "{program}: {error}");
    }
    ground
        .ground
        .sandbox
        .assert_kept_nowhere(&["typed-password"]);
    // A mistake in the profiles takes nothing from those who ask for something else.
    ground.ground.sandbox.write_profiles("oops = [\n");
    let ran = run("keyring get Backup bob");
    assert!(ran.stderr.starts_with("cred-helper: "), "{ran:?}");
    assert_eq!(ran.ok(), "other-password\n");
    run("cred-helper keyring --alone get Backup bob").failed(3);
    ground.answer_for(&[&url]);
    run("keyring del Backup bob").ok();
    assert_eq!(run("keyring get Backup bob").failed(1), "");
    // pip gets from it what is not for us.
    if Client::NewPip.is_there() && Client::OldPip.is_there() {
        ground.answer_for(&["https://other.example.test/"]);
        *ground.taken.lock().expect("no test panicked with it") = Some("index-password".to_owned());
        run(&format!(
            "printf 'index-password\\n' | keyring set {url} bob"
        ))
        .ok();
        let ran = ground.run_line(&format!("{path}{}", ground.line(Client::OldPip)));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ground.usernames().is_empty());
    }
    ground.ground.assert_requests(0, 0);
    // What the real one is told to forget is forgotten where it lies.
    ground.answer_for(&[&ground.index.url("/")]);
    run(&format!("behind/keyring del {url} bob")).ok();
    run(&format!("behind/keyring get {url} bob")).ok();
    ground.ground.assert_requests(1, 0);
}

#[test]
fn the_same_line_brings_the_same_bytes_and_exit_code_as_of_the_real_keyring() {
    let ground = KeyringGround::signed_in();
    let Some(path) = put_real_keyring_behind(&ground) else {
        return;
    };
    let url = ground.index.url("/simple/");
    let host = ground.index.address();
    ground.answer_for(&[&ground.index.url("/")]);
    let lines = [
        "get URL bob",
        "get HOST bob",
        "get URL bob --output json",
        "--output=json --mode=password get URL bob",
        "--mode=creds --output=json get URL",
        "--mode=creds --output=json get HOST",
        "get URL --mode creds",
        "--output plain get URL --mode=creds",
        "-- get URL bob",
        "get https://other.example.test/ bob",
        "get other.example.test bob",
        "--mode=creds --output=json get other.example.test",
        "get http://other.example.test/ bob",
        "get Backup bob",
        // Mistakes.
        "",
        "get",
        "get URL",
        "--mode password get URL",
        "set URL",
        "del URL",
        "get URL bob more",
        "list URL bob",
        "get URL bob --all",
        "--mode=cred get URL bob",
        "--mode get URL bob",
        "get URL bob --mode",
        "--output=yaml get URL bob",
        "--list-backends=1",
    ]
    .map(|line: &str| line.replace("URL", &url).replace("HOST", host));
    // All in one process: most of a call is Python's beginning.
    let script = "import contextlib, io, json, sys\n\
        import kept\n\
        from keyring.cli import main\n\
        for line in open('lines').read().splitlines():\n\
        \x20   out = io.StringIO()\n\
        \x20   with contextlib.redirect_stdout(out):\n\
        \x20       try:\n\
        \x20           code = main(line.split())\n\
        \x20       except SystemExit as end:\n\
        \x20           code = end.code\n\
        \x20   print(json.dumps([code or 0, out.getvalue()]))\n";
    let home = ground.ground.sandbox.path();
    fs::write(home.join("lines"), lines.join("\n")).expect("it can be written");
    fs::write(home.join("script.py"), script).expect("it can be written");
    let ran = ground
        .ground
        .shell(&format!("PYTHONPATH='{path}' python3 script.py"));
    let theirs: Vec<(i32, String)> = ran
        .ok()
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    assert_eq!(theirs.len(), lines.len());
    for (line, theirs) in lines.iter().zip(theirs) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ran = ground.keyring(&words);
        assert_eq!((ran.code, ran.stdout), (Some(theirs.0), theirs.1), "{line}");
    }
    // A pattern with a path is for no host alone: nobody knows by what scheme the tool goes there.
    ground.answer_for(&[&url]);
    assert_eq!(ground.keyring(&["get", host, "bob"]).failed(1), "");
    ground.keyring(&["get", &url, "bob"]).ok();
}

#[test]
fn setup_has_pip_and_uv_ask_us_and_undo_ends_it() {
    let ground = KeyringGround::signed_in();
    let own = &ground.ground;
    fs::remove_file(own.sandbox.bin().join("keyring")).expect("it is there");
    let link = own.sandbox.state().join("bin/keyring");
    let uses = |client: Client| {
        let line = ground.line_with(client, "");
        let ran = ground.run_line(&format!(
            "export PATH=\"$CRED_HELPER_STATE/bin:$PATH\"; {line}"
        ));
        assert_eq!(
            ran.code == Some(0),
            !ground.usernames().is_empty(),
            "{client:?}: {ran:?}"
        );
        ran.code == Some(0)
    };
    let rows = [
        ("pip", vec![Client::OldPip, Client::NewPip]),
        ("uv", vec![Client::UvWithName, Client::UvAlways]),
    ];
    for (tool, clients) in &rows {
        let clients = installed(clients);
        assert!(clients.iter().all(|client| !uses(*client)), "{tool}");
        let said = own.shell(&format!("cred-helper setup {tool}")).ok();
        assert!(said.contains("+keyring-provider = "), "{said}");
        assert!(link.exists(), "{said}");
        assert!(clients.iter().all(|client| uses(*client)), "{tool}: {said}");
        let named = own
            .shell(&format!("cred-helper setup {tool} -p api --dry-run"))
            .ok();
        assert!(named.contains("no profile can be named here"), "{named}");
    }
    for (tool, clients) in &rows {
        // The link is the other's too.
        assert!(link.exists(), "{tool}");
        own.shell(&format!("cred-helper setup {tool} --undo")).ok();
        assert!(
            installed(clients).iter().all(|client| !uses(*client)),
            "{tool}"
        );
    }
    assert!(!link.exists());
    // A profile that keyring may not use is for none of them; another keyring that is found first is told.
    own.set_profile(&format!(
        "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\"]\ntools = [\"git\"]\n",
        ground.index.url("/")
    ));
    own.shell("cred-helper setup pip").failed(8);
    ground.answer_for(&[&ground.index.url("/")]);
    own.sandbox.script("keyring", "exit 1\n");
    let said = own.shell("cred-helper setup uv").ok();
    assert!(said.contains("bin/keyring` comes first on PATH"), "{said}");
    let listed = own.shell("cred-helper setup --list -o json").json();
    let tools = listed["tools"].as_array().expect("there are tools");
    let of_uv = tools
        .iter()
        .find(|row| row["tool"] == "uv")
        .expect("it is listed");
    let other = own.sandbox.bin().join("keyring").display().to_string();
    assert_eq!(of_uv["in_front"][0]["helper"], other.as_str(), "{of_uv}");
}

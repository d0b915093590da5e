//! `profile add` and `profile remove`: questions at a terminal, flags without one.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::oidc_ground::{Ground, eventually};
use crate::scene::{Scene, follow_hint, profile};
use crate::support::{InTerminal, Keyboard, Sandbox, mode, set_mode};

/// The line that asks for one more answer.
const PROMPT: &str = "\n> ";

/// Somebody at `profile add`.
struct Asked<'s> {
    terminal: InTerminal<'s>,
    keyboard: Keyboard,
    answers: usize,
}

impl<'s> Asked<'s> {
    fn new(sandbox: &'s Sandbox, line: &str) -> Self {
        let (terminal, keyboard) = sandbox.with_keyboard(line);
        Self {
            terminal,
            keyboard,
            answers: 0,
        }
    }

    /// Waits for the next question, which says this, and answers it.
    fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for(question);
        self.keyboard.type_in(answer);
    }

    /// Waits for the next question, which says this.
    fn wait_for(&mut self, question: &str) {
        let keyboard = &self.keyboard;
        let shown = || keyboard.sees().replace('\r', "");
        let count = self.answers + 1;
        eventually(question, || shown().matches(PROMPT).count() >= count);
        let all = shown();
        let asked = all.split(PROMPT).nth(self.answers).unwrap_or_default();
        assert!(asked.contains(question), "`{question}` is not asked: {all}");
        self.answers = count;
    }
}

fn read(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.config()).expect("the profile file can be read")
}

#[test]
fn who_answers_the_questions_is_signed_in_at_the_end() {
    let ground = Ground::new(json!({}));
    let before = read(&ground.sandbox);
    let issuer = ground.authority.issuer();
    let mut asked = Asked::new(&ground.sandbox, "cred-helper profile add work >answer");
    asked.answer("Who gives the tokens?", "keycloack\n");
    asked.answer("Did you mean `keycloak`?", "http://issuer.example.com\n");
    asked.answer("allowed on loopback only", &format!("{issuer}/nothing\n"));
    asked.answer("has no metadata", &format!("{issuer}\n"));
    asked.answer("or a device code where there is none", "a b\n");
    asked.answer("is one word", "cli\n");
    asked.answer("the scopes email, api:read, api:write", "api:read \"\n");
    asked.answer("is no scope", "api:read, api:write\n");
    asked.answer("Which URLs", "http://api.example.test\n");
    asked.answer("for this machine", "https://api.example.test/\n");
    asked.answer("Which tools", "gti\n");
    asked.answer("did you mean `git`?", "git get\n");
    asked.answer("scopes = [\"api:read\", \"api:write\"]", "\n");
    ground.authority.approve(None, "ada");
    asked.answer("`cred-helper setup git -p work`", "no\n");
    let shown = asked.terminal.wait();
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    let written = format!(
        "{before}\n[profiles.work]\nclient_id = \"cli\"\nauthority = \"{issuer}\"\n\
         scopes = [\"api:read\", \"api:write\"]\nurls = [\"https://api.example.test/\"]\n\
         tools = [\"git\", \"get\"]\n"
    );
    assert_eq!(read(&ground.sandbox), written);
    // stdout has the answer alone.
    let answer = ground.read("answer");
    assert!(answer.starts_with("wrote profile `work` into"), "{answer}");
    assert_eq!(answer.lines().count(), 1, "{answer}");
    let answer = ground.get_json(&["-p", "work"]);
    assert_eq!(answer["account"], "ada@example.test");
    assert_eq!(ground.authority.requests().device_authorization, 1);
}

#[test]
fn who_goes_away_from_a_question_leaves_everything_as_it_was() {
    let sandbox = Sandbox::new("# Mine\n");
    for (key, code) in [("\u{3}", 130), ("\u{4}", 130)] {
        for answers in [0, 2] {
            let line =
                "cred-helper profile add work --authority https://login.microsoftonline.com/common";
            let mut asked = Asked::new(&sandbox, line);
            for (question, answer) in [("client id", "c\n"), ("scopes", "\n")]
                .iter()
                .take(answers)
            {
                asked.answer(question, answer);
            }
            asked.answer("", key);
            let (ended, shown) = asked.terminal.end();
            assert_eq!(ended, Some(code), "{shown}");
            assert_eq!(read(&sandbox), "# Mine\n", "{shown}");
            assert!(!shown.contains("panicked"), "{shown}");
        }
    }
    // Nor is a file made where there was none.
    fs::remove_file(sandbox.config()).expect("it is there");
    let mut asked = Asked::new(&sandbox, "cred-helper profile add work --preset aks");
    asked.answer("authority", "\u{4}");
    assert_eq!(asked.terminal.end().0, Some(130));
    let left = fs::read_dir(sandbox.path()).expect("it can be read");
    let left = left.map(|entry| entry.expect("it can be read").file_name());
    assert!(
        !left
            .into_iter()
            .any(|name| name.to_string_lossy().contains("profiles"))
    );
}

#[test]
fn nobody_is_asked_where_that_is_forbidden_or_nobody_is() {
    let sandbox = Sandbox::new("# Mine\n");
    for forbidden in ["CRED_HELPER_INTERACTIVE=never", "CI=true"] {
        let line = format!("{forbidden} cred-helper profile add work --preset github");
        let (code, shown) = sandbox.in_terminal(&line).end();
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.contains("lacks `--client-id`"), "{shown}");
    }
    assert_eq!(read(&sandbox), "# Mine\n");
}

#[test]
fn a_profile_whose_sign_in_is_refused_stays_if_it_is_wanted() {
    let ground = Ground::new(json!({}));
    let before = read(&ground.sandbox);
    let line = format!(
        "cred-helper profile add work --authority {} --client-id cli --scope api:read",
        ground.authority.issuer()
    );
    for (answer, is_kept) in [("n\n", false), ("\n", true)] {
        let mut asked = Asked::new(&ground.sandbox, &line);
        ground.authority.deny(None, "ada");
        asked.answer("Keep the profile all the same?", answer);
        let (code, shown) = asked.terminal.end();
        assert_eq!(code, Some(5), "{shown}");
        assert_eq!(read(&ground.sandbox) != before, is_kept, "{shown}");
    }
    let kept = read(&ground.sandbox);
    assert!(kept.starts_with(&format!("{before}\n[profiles.work]\n")));
    // One that was replaced is there again, and what somebody else wrote meanwhile stays.
    let mut asked = Asked::new(
        &ground.sandbox,
        &format!("{line} --replace --scope api:write"),
    );
    ground.authority.deny(None, "ada");
    asked.wait_for("Keep the profile all the same?");
    let replaced = read(&ground.sandbox);
    assert_ne!(replaced, kept);
    let meanwhile = format!("{replaced}# Meanwhile\n");
    fs::write(ground.sandbox.config(), meanwhile).expect("it can be written");
    asked.keyboard.type_in("n\n");
    let (_, shown) = asked.terminal.end();
    assert_eq!(
        read(&ground.sandbox),
        format!("{kept}# Meanwhile\n"),
        "{shown}"
    );
}

#[test]
fn flags_alone_write_a_profile_which_is_replaced_only_where_that_is_said() {
    let sandbox = Sandbox::new("");
    fs::remove_file(sandbox.config()).expect("it is there");
    let config = sandbox.path().join("new").join("own.toml");
    let config = config.to_str().expect("it is UTF-8");
    let run = |more: &[&str]| sandbox.run(&[&["--config", config, "profile"], more].concat());
    let said = run(&["add", "work"]).failed(2);
    for flag in ["--authority", "--preset", "--client-id", "--scope"] {
        assert!(said.contains(flag), "{said}");
    }
    let add = ["add", "work", "--preset", "gitlab", "--client-id", "c"];
    let add = [&add[..], &["--scope", "read_repository", "--tool", "git"]].concat();
    let full = [
        &add[..],
        &["--url", "https://gitlab.com/", "--set", "extra.\"a.b\"=1=2"],
    ]
    .concat();
    let ran = run(&full);
    assert!(
        ran.stderr
            .contains(&format!("`cred-helper --config {config} login -p work`"))
            && ran.stderr.contains("setup git -p work`"),
        "{ran:?}"
    );
    assert_eq!(ran.ok(), format!("wrote profile `work` into `{config}`\n"));
    let text = "[profiles.work]\npreset = \"gitlab\"\nclient_id = \"c\"\n\
                scopes = [\"read_repository\"]\nurls = [\"https://gitlab.com/\"]\ntools = [\"git\"]\n\n\
                [profiles.work.extra]\n\"a.b\" = \"1=2\"\n";
    let written = || fs::read_to_string(config).expect("it is there");
    assert_eq!(written(), text);
    assert_eq!(mode(config.as_ref()).unwrap_or(0o600), 0o600);
    let folder = std::path::Path::new(config).parent().expect("it has one");
    assert_eq!(mode(folder).unwrap_or(0o700), 0o700);
    let said = run(&add).failed(3);
    assert!(said.contains("say `--replace`"), "{said}");
    fs::write(
        config,
        format!("# First.\n\n# Work.\n{text}\n[lock] # last\ntimeout = '9s'\n"),
    )
    .expect("it can be written");
    run(&[&add[..], &["--replace", "--no-login"]].concat()).ok();
    assert_eq!(
        written(),
        "# First.\n\n# Work.\n[profiles.work]\npreset = \"gitlab\"\nclient_id = \"c\"\n\
         scopes = [\"read_repository\"]\ntools = [\"git\"]\n\n[lock] # last\ntimeout = '9s'\n"
    );
}

#[test]
fn what_is_wrong_or_hostile_or_a_secret_is_refused_and_nothing_is_written() {
    let sandbox = Sandbox::new("# Mine\n[profiles.a]\nclient_id = \"c\"\nscopes = []\n");
    let before = read(&sandbox);
    sandbox.secret("canary-of-an-argument");
    let good = [
        "--authority",
        "https://h.example",
        "--client-id",
        "c",
        "--scope",
        "s",
    ];
    let cases: [(&str, &[&str], i32, &str); 10] = [
        ("b c", &[], 3, "a profile's name is made of"),
        ("-", &[], 3, "a profile's name is made of"),
        ("x\"]\n[policy", &[], 3, "a profile's name is made of"),
        ("b", &["--url", "http://h.example/"], 3, "for this machine"),
        ("b", &["--scope", "x\u{1b}[31m"], 3, "is no scope"),
        ("b", &["--set", "grnt=auto"], 3, "did you mean `grant`?"),
        (
            "b",
            &["--set", "grant=devicecode"],
            3,
            "did you mean `device_code`?",
        ),
        (
            "b",
            &["--set", "client_secret=canary-of-an-argument"],
            2,
            "env = \"NAME\"",
        ),
        ("b", &["--set", "canary-of-an-argument"], 2, "KEY=VALUE"),
        ("b", &["--set", "client_id=again"], 2, "is said twice"),
    ];
    for (name, more, code, expected) in cases {
        let line = [&["profile", "add"], &good[..], more, &["--", name]].concat();
        let said = sandbox.run(&line).failed(code);
        assert!(said.contains(expected), "{name} {more:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{said}");
        assert_eq!(read(&sandbox), before, "{name} {more:?}");
    }
    // A text is a text, whatever it says.
    let hostile = "c\"\n[policy]\ntools = []\n#";
    let line = [
        "profile",
        "add",
        "b",
        "--authority",
        "https://h.example",
        "--scope",
        "s",
    ];
    sandbox
        .run(&[&line[..], &["--client-id", hostile]].concat())
        .ok();
    let shown = sandbox.run(&["profile", "show", "b", "-o", "json"]).json();
    assert_eq!(shown["client_id"], hostile);
    assert_eq!(sandbox.run(&["profile", "list"]).ok().lines().count(), 2);
}

#[test]
fn nothing_is_written_where_others_could_write_it_until_the_hint_was_followed() {
    for (place, config) in [
        (".config/cred-helper", None),
        ("named", Some("named/profiles.toml")),
        // A link into a place that others can write is no way around it.
        ("shared", Some("link.toml")),
    ] {
        let sandbox = Sandbox::new("");
        let directory = sandbox.path().join(place);
        fs::create_dir_all(&directory).expect("it is ours");
        symlink("shared/profiles.toml", sandbox.path().join("link.toml")).expect("it is ours");
        set_mode(&directory, 0o775);
        let command = |words: &[&str]| {
            let mut command = sandbox.command(words);
            command.env_remove("CRED_HELPER_CONFIG");
            if let Some(config) = config {
                command.env("CRED_HELPER_CONFIG", sandbox.path().join(config));
            }
            command
        };
        let run = |words: &[&str]| sandbox.run_command(command(words));
        let place = directory.canonicalize().expect("it is there");
        let expected = format!(
            "error: others can write `{}`, and a configuration runs commands\n",
            place.display()
        );
        let line = "profile add b --authority https://h.example --scope s --client-id c";
        let line: Vec<&str> = line.split(' ').collect();
        let error = run(&line).failed(3);
        assert!(error.starts_with(&expected), "{error}");
        let left = fs::read_dir(&directory).expect("it can be read").count();
        assert_eq!(left, 0, "nothing is written");
        follow_hint(&error);
        run(&line).ok();
        assert_eq!(run(&["profile", "list"]).ok().lines().count(), 1);
    }
}

#[test]
fn who_could_not_have_it_written_is_asked_nothing() {
    let sandbox = Sandbox::new("");
    let directory = sandbox.path().join(".config/cred-helper");
    fs::create_dir_all(&directory).expect("it is ours");
    set_mode(&directory, 0o775);
    let terminal =
        sandbox.in_terminal("env -u CRED_HELPER_CONFIG cred-helper profile add work --replace");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains("others can write"), "{shown}");
    assert!(!shown.contains("Who gives"), "{shown}");
}

#[test]
fn a_file_that_is_protected_or_damaged_stays_and_of_two_at_once_both_are_written() {
    let sandbox = Sandbox::new("# Mine\n");
    let line = |name| {
        [
            "profile",
            "add",
            name,
            "--preset",
            "github",
            "--client-id",
            "c",
            "--scope",
            "repo",
        ]
    };
    set_mode(&sandbox.config(), 0o400);
    if mode(&sandbox.config()).is_some() {
        let said = sandbox.run(&line("a")).failed(3);
        assert!(said.contains("read-only"), "{said}");
        set_mode(&sandbox.config(), 0o600);
    }
    sandbox.write_profiles("[profiles.a\n");
    let said = sandbox.run(&line("b")).failed(3);
    assert!(said.contains("profiles.toml:1:12"), "{said}");
    sandbox.write_profiles("# Mine\n");
    std::thread::scope(|scope| {
        let names = ["a", "b", "c", "d"].map(|name| scope.spawn(|| sandbox.run(&line(name))));
        for one in names {
            one.join().expect("it ends").ok();
        }
    });
    let text = read(&sandbox);
    assert!(text.starts_with("# Mine\n"), "{text}");
    assert_eq!(text.matches("[profiles.").count(), 4, "{text}");
    sandbox.run(&["profile", "check"]).ok();
}

#[test]
fn a_profile_is_removed_where_it_stands_in_the_users_file_and_its_sign_in_is_told_of() {
    let scene = Scene::signed_in();
    let sandbox = &scene.sandbox;
    let issuer = scene.authority.issuer();
    let (api, other) = (profile("api", &issuer), profile("other", &issuer));
    let text = format!("default_profile = \"other\"\n\n# About it.\n{api}\n# The other.\n{other}");
    sandbox.write_profiles(&text);
    let said = sandbox.run(&["profile", "remove", "other"]).failed(3);
    assert!(said.contains("`default_profile`"), "{said}");
    let said = sandbox.run(&["profile", "remove", "apo"]).failed(8);
    assert!(said.contains("did you mean `api`?"), "{said}");
    assert_eq!(read(sandbox), text);
    let ran = scene.run(&["profile", "remove", "api"]);
    assert!(
        ran.stderr.contains("the sign-in of `api` is kept"),
        "{ran:?}"
    );
    assert!(ran.ok().starts_with("removed profile `api` from"));
    let left = format!("default_profile = \"other\"\n\n# The other.\n{other}");
    assert_eq!(read(sandbox), left);
}

#[test]
fn a_profile_of_another_file_is_not_removed() {
    let sandbox = Sandbox::new("");
    let home = sandbox.path().join(".config").join("cred-helper");
    let directory = home.join("profiles.d");
    fs::create_dir_all(&directory).expect("it can be made");
    crate::support::private(&home);
    crate::support::private(&directory);
    let file = directory.join("team.toml");
    let text = profile("team", "https://login.example.com");
    fs::write(&file, &text).expect("it can be written");
    let mut command = sandbox.command(&["profile", "remove", "team"]);
    command.env_remove("CRED_HELPER_CONFIG");
    command.env("XDG_CONFIG_HOME", sandbox.path().join(".config"));
    let said = sandbox.run_command(command).failed(3);
    assert!(said.contains(&file.display().to_string()), "{said}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), text);
}

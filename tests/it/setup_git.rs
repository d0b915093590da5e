//! A git that `setup` wrote the configuration of, at a forge that has each token judged.

use std::fs;

use serde_json::json;

use crate::git_ground::{BOTH, GitGround, gits};
use crate::oidc_ground::for_each;
use crate::setup_ground::Home;
use crate::support::Ran;

/// Runs `cred-helper setup` where git's wrapper of the ground is.
fn setup(ground: &GitGround, words: &str) -> Ran {
    let home = ground.ground.sandbox.path().display();
    ground.shell(&format!(
        "export GIT_CONFIG_GLOBAL='{home}/gitconfig'; cred-helper setup {words}"
    ))
}

#[test]
fn git_asks_us_and_nobody_else_and_after_undo_as_before() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        ground.configure("# mine\n[credential]\n\thelper = store\n");
        let path = ground.ground.sandbox.path().join("gitconfig");
        let before = fs::read(&path).expect("it can be read");
        let clone = |name: &str| ground.run(&["clone", "-q", &ground.url("project"), name]);
        clone("without").failed(128);

        let said = setup(&ground, "git").ok();
        assert!(said.contains("+\thelper = !cred-helper git\n"), "{said}");
        let key = format!("credential.{}.helper", ground.forge.url(""));
        let helpers = ground.run(&["config", "--global", "--get-all", &key]).ok();
        assert_eq!(helpers, "\n!cred-helper git\n");
        let asked = format!("protocol=http\nhost={}\n\n", ground.forge.address());
        let asked_at = ground.ground.sandbox.path().join("asked");
        fs::write(asked_at, asked).expect("it can be written");
        let filled = ground.shell("git credential fill < asked >filled && cat filled | wc -l");
        assert_ne!(filled.ok().trim(), "0");
        clone("with").ok();
        let home = ground.ground.sandbox.path();
        assert!(
            !home.join(".git-credentials").exists(),
            "store was left out"
        );

        setup(&ground, "git --undo").ok();
        assert_eq!(fs::read(&path).expect("it can be read"), before);
        clone("after").failed(128);
    });
}

#[test]
fn a_path_in_the_url_is_told_to_us() {
    for_each(gits(), |git| {
        let ground = GitGround::signed_in(&git, json!({}), BOTH);
        let urls = format!("urls = [\"{}\"]\n", ground.forge.url("/team/"));
        ground.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\n{urls}"
        ));
        ground.configure("");
        let said = setup(&ground, "git -p api").ok();
        assert!(said.contains("+\tuseHttpPath = true\n"), "{said}");
        let line = "+\thelper = !cred-helper git --profile api\n";
        assert!(said.contains(line), "{said}");
        ground.run(&["ls-remote", &ground.url("project")]).ok();
        let elsewhere = ground.forge.url("/elsewhere/project.git");
        ground.forge.reset();
        ground.run(&["ls-remote", &elsewhere]).failed(128);
        assert!(ground.forge.schemes().is_empty(), "no token went there");
    });
}

#[test]
fn what_git_says_for_the_same_url_comes_back() {
    let home = Home::new();
    let key = "credential.https://other.example.test/team.";
    let own = "[credential \"https://other.example.test/team\"]\n\thelper = first\n\thelper = \n\
         \thelper = second # why\n\tuseHttpPath = true\n";
    home.write(".gitconfig", own);
    home.setup("git -p other").ok();
    let all = |name: &str| {
        home.shell(&format!("git config --get-all {key}{name}"))
            .ok()
    };
    let ours = "!cred-helper git --profile other\n";
    assert_eq!(all("helper"), format!("first\n\nsecond\n\n{ours}"));
    assert_eq!(all("useHttpPath"), "true\n", "it was there");
    // Somebody else writes, so that nothing comes back as a whole.
    home.shell("git config --global core.editor vi").ok();
    home.setup("git --undo").ok();
    assert_eq!(all("helper"), "first\n\nsecond\n");
    assert_eq!(all("useHttpPath"), "true\n");
    assert!(home.read(".gitconfig").contains("editor = vi"));
}

#[test]
fn another_profile_takes_the_place_of_the_one_before() {
    let home = Home::new();
    let all = || {
        let key = "credential.https://work.example.test.helper";
        home.shell(&format!("git config --get-all {key}")).ok()
    };
    home.setup("git --url https://work.example.test").ok();
    assert_eq!(all(), "\n!cred-helper git\n");
    home.setup("git -p work --url https://work.example.test")
        .ok();
    assert_eq!(all(), "\n!cred-helper git --profile work\n");
    home.setup("git --undo").ok();
    assert!(!home.0.path().join(".gitconfig").exists());
}

#[test]
fn the_file_is_the_one_that_git_would_write() {
    for (set, file) in [
        ("true", ".gitconfig"),
        (
            "mkdir -p .config/git; touch .config/git/config",
            ".config/git/config",
        ),
        (
            "mkdir -p .config/git; touch .config/git/config .gitconfig",
            ".gitconfig",
        ),
        (
            "mkdir -p x/git; touch x/git/config; export XDG_CONFIG_HOME=$HOME/x",
            "x/git/config",
        ),
        ("export GIT_CONFIG_GLOBAL=$HOME/mine", "mine"),
        ("export GIT_CONFIG_GLOBAL=mine", "mine"),
    ] {
        let home = Home::new();
        home.shell(&format!("{set}; cred-helper setup git -p work"))
            .ok();
        assert!(home.read(file).contains("cred-helper"), "{set}");
        let home = Home::new();
        home.shell(&format!("{set}; git config --global a.b c"))
            .ok();
        assert!(home.read(file).contains("[a]"), "{set}");
    }
}

#[test]
fn a_program_that_is_not_on_the_path_is_named_by_its_place() {
    let home = Home::new();
    let folder = home.0.path().join("a 'b'");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let program = folder.join("cred-helper");
    let own = fs::canonicalize(home.0.link("cred-helper")).expect("it leads to the binary");
    fs::hard_link(&own, &program)
        .or_else(|_| fs::copy(&own, &program).map(drop))
        .expect("it can be linked");
    // Another program of our name comes first.
    home.shell(
        "mkdir first; printf '#!/bin/sh\\nexit 1' > first/cred-helper; chmod +x first/cred-helper",
    )
    .ok();
    home.shell("PATH=$HOME/first:$PATH \"a 'b'/cred-helper\" setup git -p work")
        .ok();
    let key = "credential.https://work.example.test.helper";
    let helper = home.shell(&format!("git config --get {key}")).ok();
    assert_ne!(helper, "!cred-helper git --profile work\n");
    let asked = "printf 'protocol=https\\nhost=work.example.test\\n\\n' | \
                 PATH=$HOME/first:$PATH GIT_TERMINAL_PROMPT=0 git credential fill";
    let said = home.shell(asked).failed(128);
    assert!(said.contains("told us to quit"), "it was started: {said}");
    let list = home.setup("--list -o json").json();
    let wired = json!({"for": "https://work.example.test", "profile": "work"});
    assert_eq!(list["tools"][0]["wired"][0], wired, "{list}");
}

//! The machine-wide file and its `[policy]`, through the library: where it lies is not a test's
//! to write.

use std::fs;
use std::path::Path;

use cred_helper::error::ErrorKind;
use cred_helper::profile::Configuration;
use cred_helper::profile::file::{self, Location, Source};

const PROFILE: &str = "client_id = \"c\"\nauthority = \"https://id.example\"\nscopes = [\"s\"]\n";

/// A machine-wide file, and a user's.
fn sources(directory: &Path, machine_wide: &str, user: &str, only: Option<&str>) -> Vec<Source> {
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().expect("it lies in a directory")).expect("it is made");
        fs::write(path, text).expect("it is written");
    };
    let machine = directory.join("etc/profiles.toml");
    let user_directory = directory.join("user");
    write(&machine, machine_wide);
    write(&user_directory.join("profiles.toml"), user);
    let only = only.map(|text| {
        let path = directory.join("only.toml");
        write(&path, text);
        path
    });
    let location = Location {
        only,
        machine_wide: machine,
        user: Some(user_directory),
    };
    file::read(&location).expect("the files can be read")
}

#[test]
fn a_user_s_profile_replaces_the_machine_s_whole_and_other_tables_key_by_key() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let machine = format!(
        "default_profile = \"b\"\n[profiles.a]\n{PROFILE}audience = \"x\"\n[profiles.b]\n{PROFILE}\
         [lock]\ntimeout = \"5s\"\n[store]\nseal = \"none\"\n"
    );
    let user = format!("[profiles.a]\n{PROFILE}[lock]\ntimeout = \"7s\"\n");
    let sources = sources(directory.path(), &machine, &user, None);
    let configuration = Configuration::new(&sources).expect("the files are good");
    assert_eq!(configuration.default_profile(), Some("b"));
    assert_eq!(
        configuration.lock_timeout().map(|limit| limit.as_secs()),
        Some(7)
    );
    assert_eq!(configuration.sealing().seal.as_deref(), Some("none"));
    let profile = configuration.profile("a").expect("it is good");
    assert_eq!(profile.client.audience, None);
    assert!(profile.file.ends_with("user/profiles.toml"));
}

#[test]
fn nobody_overrides_the_policy() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let machine =
        format!("[profiles.a]\n{PROFILE}[policy]\nuser_profiles = false\ntools = [\"serve\"]\n");
    let own = format!("[profiles.mine]\n{PROFILE}");
    // `--config` replaces profiles, and not the policy.
    for only in [None, Some(own.as_str())] {
        let sources = sources(directory.path(), &machine, &own, only);
        let configuration = Configuration::new(&sources).expect("the files are good");
        let error = configuration.profile("mine").expect_err("it is a user's");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("policy"), "{error}");
        if only.is_none() {
            let profile = configuration.profile("a").expect("it is the machine's");
            assert!(configuration.allow("serve", &profile).is_ok());
            let error = configuration
                .allow("get", &profile)
                .expect_err("it is not listed");
            assert_eq!(error.kind(), ErrorKind::NoProfile);
            let hint = error.hint_text().expect("it says what is allowed");
            assert!(hint.starts_with("it allows serve;"), "{hint}");
        }
    }
}

#[test]
fn a_policy_in_a_user_s_file_is_a_mistake() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let sources = sources(
        directory.path(),
        "",
        "[policy]\nuser_profiles = true\n",
        None,
    );
    let error = Configuration::new(&sources).err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("unknown key `policy`"), "{error}");
}

#[test]
fn a_seal_or_a_tool_that_this_program_does_not_have_is_a_mistake_also_in_the_policy() {
    for machine in [
        "[store]\nseal = \"vault\"\n",
        "[policy]\nseal = \"vault\"\n",
        "[policy]\ntools = [\"git\", \"vault\"]\n",
    ] {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let sources = sources(directory.path(), machine, "", None);
        let error = Configuration::new(&sources).err().expect("it is refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("there is no `vault`"), "{error}");
    }
}

#[test]
fn a_seal_of_the_policy_counts_before_the_user_s_and_needs_its_command() {
    let own = format!("[store]\nseal = \"none\"\n[profiles.mine]\n{PROFILE}");
    let with_command = "[store]\ncommand = [\"pass\"]\n[policy]\nseal = \"command\"\n";
    // Also where the user names another file instead of all: what the policy needs is the machine's.
    for only in [None, Some(own.as_str())] {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let sources = sources(directory.path(), with_command, &own, only);
        let configuration = Configuration::new(&sources).expect("the files are good");
        let sealing = configuration.sealing();
        assert_eq!(sealing.seal.as_deref(), Some("command"));
        assert_eq!(sealing.command, ["pass"]);
        let overruled = configuration
            .overruled_seal()
            .expect("the user says another");
        let file = if only.is_some() {
            "only.toml:2:8"
        } else {
            "user/profiles.toml:2:8"
        };
        let overruled = overruled.to_string().replace('\\', "/");
        assert!(overruled.ends_with(file), "{overruled}");
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    let machine = "[policy]\nseal = \"command\"\n";
    let sources = sources(directory.path(), machine, "", None);
    let error = Configuration::new(&sources).err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    let told = "etc/profiles.toml:2:8: `policy.seal`: `command` is missing below `[store]`";
    let message = error.message().replace('\\', "/");
    assert!(message.contains(told), "{error}");
}

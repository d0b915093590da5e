//! `setup` where a tool looks for us under a name of its own: the links, and the places of OpenTofu.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::setup_ground::{Home, Row, rows};

/// The links to us, and where they lead.
fn links(home: &Home) -> BTreeMap<PathBuf, PathBuf> {
    let files = home.files().into_keys();
    files
        .filter_map(|path| Some((path.clone(), fs::read_link(path).ok()?)))
        .collect()
}

#[test]
fn a_configuration_that_names_us_already_gets_its_links_and_is_not_ours_to_undo() {
    for tool in ["docker", "bazel", "terraform", "pnpm", "pip", "uv"] {
        let rows = rows();
        let row = rows.iter().find(|row| row.tool == tool).expect(tool);
        let home = Home::with(row);
        home.setup(tool).ok();
        let (text, linked) = (home.read(row.path), links(&home));
        assert!(!linked.is_empty(), "{tool}");
        // As on a new machine, where the file came along.
        fs::remove_dir_all(home.0.state()).expect("it is ours");
        linked.keys().for_each(|link| drop(fs::remove_file(link)));
        // Without the link, pip and uv ask another `keyring`, or none.
        if !["pip", "uv"].contains(&tool) {
            let doctor = home.0.run(&["doctor", "-o", "json"]).stdout;
            let told = format!("{tool} does not find us");
            assert!(doctor.contains(&told), "{tool}: {doctor}");
        }
        let said = home.setup(tool).ok();
        assert!(said.starts_with("nothing to change in `"), "{tool}: {said}");
        assert!(said.contains("\nlinked `"), "{tool}: {said}");
        assert_eq!(links(&home), linked, "{tool}");
        assert!(!home.setup(tool).ok().contains("linked"), "{tool}");
        home.setup(&format!("{tool} --undo")).ok();
        assert_eq!(home.read(row.path), text, "{tool}");
        assert_eq!(links(&home), linked, "{tool}");
    }
}

#[test]
fn a_link_stays_as_long_as_a_configuration_names_us_whoever_wrote_it() {
    let helpers = |host: &str| format!("\"{host}\": \"cred-helper\"");
    let by_hand = format!("{{\"credHelpers\": {{{}}}}}", helpers("mine.example.test"));
    let of_pip = "[global]\nkeyring-provider = subprocess\n";
    for (path, text, tool) in [
        (".docker/config.json", by_hand.as_str(), "docker"),
        (".config/pip/pip.conf", of_pip, "uv"),
    ] {
        let home = Home::new();
        home.write(path, text);
        home.setup(tool).ok();
        let linked = links(&home);
        assert_eq!(linked.len(), 1, "{tool}: {linked:?}");
        home.setup(&format!("{tool} --undo")).ok();
        assert_eq!(home.read(path), text, "{tool}");
        assert_eq!(links(&home), linked, "{tool}");
        home.write(path, if tool == "docker" { "{}" } else { "" });
        home.setup(tool).ok();
        home.setup(&format!("{tool} --undo")).ok();
        assert!(links(&home).is_empty(), "{tool}: nobody names it");
    }
}

#[test]
fn opentofu_is_asked_in_the_file_that_it_reads() {
    let rows = rows();
    let of_terraform = rows.iter().find(|row| row.tool == "terraform");
    let text = &of_terraform.expect("it is there").text;
    let folder = |home: &Home, name: &str| home.0.path().join(name);
    for (there, written) in [
        (vec![], ".tofurc"),
        (vec![".terraformrc"], ".terraformrc"),
        (vec![".terraformrc", ".tofurc"], ".tofurc"),
        (vec![".config/opentofu/tofurc"], ".tofurc"),
    ] {
        let home = Home::new();
        there.iter().for_each(|path| home.write(path, text));
        let before = home.files();
        let mut command = home.command("tofu");
        command.env_remove("XDG_CONFIG_HOME");
        let said = home.check(command).ok();
        let file = folder(&home, written).display().to_string();
        assert!(said.contains(&format!("wrote `{file}`")), "{said}");
        assert!(
            home.read(written)
                .contains("credentials_helper \"cred-helper\"")
        );
        let mut command = home.command("tofu --undo");
        command.env_remove("XDG_CONFIG_HOME");
        home.check(command).ok();
        for (path, content) in &before {
            let after = home.files();
            assert_eq!(after.get(path), Some(content), "{}", path.display());
        }
    }

    // A folder of Terraform's would take the place of its own.
    let home = Home::new();
    let row = Row {
        tool: "tofu",
        path: "xdg/opentofu/tofurc",
        text: text.clone(),
    };
    home.write(row.path, &row.text);
    for words in ["tofu", "tofu --undo"] {
        let mut command = home.command(words);
        command.env("XDG_CONFIG_HOME", folder(&home, "xdg"));
        command.env("XDG_DATA_HOME", folder(&home, "data"));
        home.check(command).ok();
        assert!(!folder(&home, ".terraform.d").exists(), "{words}");
        assert!(!folder(&home, ".terraformrc").exists(), "{words}");
    }
    assert_eq!(home.read(row.path), row.text);
}

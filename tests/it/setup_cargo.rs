//! A cargo that `setup` wrote the configuration of, at a registry that has each token judged.

use serde_json::json;

use crate::cargo_ground::CargoGround;
use crate::setup_ground::Home;

#[test]
fn cargo_asks_us_and_after_undo_as_before() {
    let ground = CargoGround::signed_in(json!({}));
    let by_url = format!("cargo --url sparse+{}", ground.registry.url("/index/"));
    let rows = [
        ("one", "cargo"),
        ("two", "cargo -p api"),
        ("three", &by_url),
    ];
    for (name, words) in rows {
        ground.configure("# mine\n");
        ground.add_package(name, "");
        let own = ground.ground.read("cargo/config.toml");
        let publish =
            &format!("cd {name} && cargo publish -q --allow-dirty --no-verify --registry my");
        assert_ne!(ground.run(publish).code, Some(0), "nobody is asked");

        let said = ground.run(&format!("cred-helper setup {words}")).ok();
        assert!(
            said.contains("+credential-provider = [\"cred-helper\""),
            "{said}"
        );
        ground.run(publish).ok();
        assert!(ground.registry.schemes()["Bearer"] > 0);

        ground.run("cred-helper setup cargo --undo").ok();
        assert_eq!(ground.ground.read("cargo/config.toml"), own);
        assert_ne!(ground.run(publish).code, Some(0), "nobody is asked");
    }
}

#[test]
fn comments_order_and_line_ends_stay_in_each_form_of_a_registry() {
    let index = "index = \"sparse+https://work.example.test/i/\"";
    let provider = "credential-provider = [\"cred-helper\"]";
    for (before, after) in [
        (
            format!("# a\n[registries.work] # b\n{index} # c\n# d\n[net]\nretry = 1"),
            format!("# a\n[registries.work] # b\n{index} # c\n{provider}\n# d\n[net]\nretry = 1"),
        ),
        (
            format!("[registries]\r\nwork = {{ {index} }} # a\r\n"),
            format!("[registries]\r\nwork = {{ {index}, {provider} }} # a\r\n"),
        ),
        (
            format!("registries.work.{index}\n# b"),
            format!("registries.work.{index}\nregistries.work.{provider}\n# b"),
        ),
        (
            format!("[registries.work]\ncredential-provider = 'other --secret' # why\n{index}\n"),
            format!("[registries.work]\n{provider} # why\n{index}\n"),
        ),
    ] {
        let home = Home::new();
        home.write(".cargo/config.toml", &before);
        home.setup("cargo").ok();
        assert_eq!(home.read(".cargo/config.toml"), after);
        // Somebody else writes, so that nothing comes back as a whole.
        let later = "\n[term]\nquiet = false\n";
        home.write(".cargo/config.toml", &format!("{after}{later}"));
        home.setup("cargo --undo").ok();
        let undone = home.read(".cargo/config.toml");
        let expected = format!("{before}{later}");
        let expected = if before.contains('\r') {
            expected.replace("\r\n", "\n").replace('\n', "\r\n")
        } else {
            expected
        };
        assert_eq!(undone, expected);
    }
}

#[test]
fn the_file_is_the_one_that_cargo_reads() {
    let index = "[registries.work]\nindex = \"https://work.example.test/i/\"\n";
    for (set, files, written) in [
        ("true", &[".cargo/config.toml"][..], ".cargo/config.toml"),
        (
            "true",
            &[".cargo/config", ".cargo/config.toml"],
            ".cargo/config",
        ),
        (
            "export CARGO_HOME=$HOME/x",
            &["x/config.toml"],
            "x/config.toml",
        ),
    ] {
        let home = Home::new();
        for file in files {
            home.write(file, index);
        }
        home.shell(&format!("{set}; cred-helper setup cargo")).ok();
        for file in files {
            let is_written = home.read(file) != index;
            assert_eq!(is_written, *file == written, "{file}");
        }
    }
}

#[test]
fn where_no_registry_is_meant_it_is_said_what_to_write() {
    let home = Home::new();
    home.write(
        ".cargo/config.toml",
        "[registries.a]\nindex = \"https://a.example.test/\"\n",
    );
    let before = home.files();
    for (words, expected) in [
        ("", "the `urls` of any profile"),
        ("-p other", "\"cred-helper\", \"--profile\", \"other\""),
        (
            "--url sparse+https://work.example.test/i/",
            "`index = \"sparse+https://work.example.test/i/\"`",
        ),
    ] {
        let error = home.setup(&format!("cargo {words}")).failed(8);
        assert!(error.contains("error: no registry in `"), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(home.files(), before);
    }
}

//! `setup` for tools whose own name has to lead to us: a link, before the real program on PATH.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::az_call::{alone, install_real, scene};
use crate::scene::Scene;
use crate::support::Ran;

/// `setup` with these directories on PATH, and no others.
fn setup(scene: &Scene, words: &str, folders: &[&Path]) -> Ran {
    let path = std::env::join_paths(folders).expect("they can be joined");
    let mut command = alone(&scene.sandbox);
    command
        .arg(format!("PATH={}", path.display()))
        .arg(scene.sandbox.bin().join("cred-helper"))
        .arg("setup")
        .args(words.split(' '));
    scene.run_command(command)
}

#[test]
fn a_stand_in_is_a_link_and_setup_tells_where_it_has_to_be_on_path() {
    let scene = scene(|_| String::new());
    fs::remove_file(scene.sandbox.bin().join("az")).expect("it is there");
    scene.sandbox.link("cred-helper");
    install_real(&scene, "az", "printf real\n");
    let links = scene.sandbox.state().join("bin");
    let (real, link): (PathBuf, PathBuf) = (scene.file("real"), links.join("az"));
    let wiring = |folders: &[&Path]| {
        let list = setup(&scene, "--list -o json", folders).json();
        let tools = list["tools"].as_array().expect("there are tools");
        let row = tools.iter().find(|row| row["tool"] == "az");
        let row = row.expect("it is listed").clone();
        assert_eq!(row["program"], json!(real.join("az")));
        [row["wired"].clone(), row["in_front"].clone()]
    };
    let none = [json!([]), json!([])];
    assert_eq!(wiring(&[&real]), none);
    let said = setup(&scene, "az --dry-run", &[&real]).ok();
    assert!(said.starts_with("+ ") && !link.exists(), "{said}");
    let said = setup(&scene, "az", &[&real]).ok();
    assert!(
        said.contains("linked") && said.contains("comes before"),
        "{said}"
    );
    let leads_to = |path: &Path| path.canonicalize().expect("it leads somewhere");
    assert_eq!(
        leads_to(&link),
        leads_to(&scene.sandbox.bin().join("cred-helper"))
    );
    let front = json!([{ "for": "every call", "helper": real.join("az") }]);
    assert_eq!(wiring(&[&real, &links]), [json!([]), front]);
    let said = setup(&scene, "az", &[&real, &links]).ok();
    assert!(
        said.contains("comes before") && said.contains("export PATH="),
        "{said}"
    );
    let said = setup(&scene, "az", &[&links, &real]).ok();
    assert!(said.starts_with("nothing to change"), "{said}");
    let wired = json!([{ "for": "every call", "profile": Value::Null }]);
    assert_eq!(wiring(&[&links, &real]), [wired, json!([])]);
    // Without a real one, a link that nobody finds is of no use either.
    for tool in ["azd", "keyring"] {
        let said = setup(&scene, tool, &[&real]).ok();
        assert!(said.contains("is not on PATH"), "{said}");
        assert!(links.join(tool).exists(), "{said}");
    }
    for (words, code) in [("az -p vault", 2), ("az --undo --url https://x.example", 2)] {
        let error = setup(&scene, words, &[&real]).failed(code);
        assert!(error.contains("CRED_HELPER_PROFILE"), "{error}");
    }
    let said = setup(&scene, "az --undo --dry-run", &[&links]).ok();
    assert!(said.starts_with("- ") && link.exists(), "{said}");
    let said = setup(&scene, "az --undo", &[&links]).ok();
    assert!(said.contains("removed") && !link.exists(), "{said}");
    let said = setup(&scene, "az --undo", &[&links]).ok();
    assert!(said.contains("nothing to undo"), "{said}");
    assert_eq!(wiring(&[&links, &real]), none);
}

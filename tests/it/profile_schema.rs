//! `profile schema`: what it takes and refuses, as the parser does.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::tool::{JSONSCHEMA, installed};

/// Prints, for each document on stdin, what the first complaint of it is about.
const CHECK: &str = "import json, sys\nfrom jsonschema import Draft7Validator\n\
    given = json.load(sys.stdin)\nDraft7Validator.check_schema(given['schema'])\n\
    validator = Draft7Validator(given['schema'])\n\
    json.dump([[e.json_path for e in validator.iter_errors(d)][:1] for d in given['documents']], \
    sys.stdout)\n";

/// A file of TOML as JSON.
fn as_json(text: &str) -> Value {
    let table: toml::Table = text
        .parse()
        .unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_value(table).expect("it has no dates")
}

/// Where each document is wrong.
fn complaints(sandbox: &Sandbox, library: &Path, documents: &[Value]) -> Vec<Vec<String>> {
    let schema = sandbox.run(&["profile", "schema"]).json();
    let given = json!({ "schema": schema, "documents": documents }).to_string();
    let mut command = Command::new("python3");
    sandbox.prepare(&mut command);
    command
        .env("PYTHONPATH", library)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["-c", CHECK]);
    let ran = sandbox.run_with_input(command, &given);
    let answer = ran.json();
    serde_json::from_value(answer).expect("it is a list of lists")
}

/// Every example of the documents, and every preset as the profile that it lies under.
fn examples() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut examples = Vec::new();
    let mut files = vec![root.join("README.md")];
    for folder in ["docs", "profiles"] {
        let entries = fs::read_dir(root.join(folder)).expect("it can be read");
        files.extend(entries.map(|entry| entry.expect("it can be read").path()));
    }
    // Pictures lie beside the pages.
    files.retain(|file| file.is_file());
    for file in files {
        let text = fs::read_to_string(&file).expect("it can be read");
        let name = file.display().to_string();
        if file.extension().is_some_and(|end| end == "toml") {
            let preset = as_json(&text);
            let profile = preset.get("profile").cloned().unwrap_or(json!({}));
            examples.push((name, json!({ "profiles": { "x": profile } })));
            continue;
        }
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("\n```").next().unwrap_or_default();
            examples.push((name.clone(), as_json(block)));
        }
    }
    examples
}

#[test]
fn every_example_and_preset_is_right_by_the_schema_and_what_the_parser_refuses_is_not() {
    let Some(library) = installed(&JSONSCHEMA, "jsonschema") else {
        return;
    };
    let sandbox = Sandbox::new("");
    let examples = examples();
    assert!(examples.len() > 60, "only {} were found", examples.len());
    let wrong = [
        ("x = 1", "$"),
        ("[profiles.\"a b\"]", "$.profiles"),
        ("[profiles.a]\nclient_idd = 'c'", "$.profiles.a"),
        ("[profiles.a]\nscopes = 's'", "$.profiles.a.scopes"),
        ("[profiles.a]\npreset = 'githb'", "$.profiles.a.preset"),
        ("[profiles.a]\ntools = ['gti']", "$.profiles.a.tools[0]"),
        ("[profiles.a]\ndpop = 'yes'", "$.profiles.a.dpop"),
        ("[profiles.a]\ngrant = 'x'", "$.profiles.a.grant"),
        (
            "[profiles.a]\ngrant = { type = 'auto', x = 1 }",
            "$.profiles.a.grant",
        ),
        (
            "[profiles.a]\nclient_secret = { env = 'X', file = 'y' }",
            "$.profiles.a.client_secret",
        ),
        (
            "[profiles.a]\nclient_assertion = 'x'",
            "$.profiles.a.client_assertion",
        ),
        (
            "[profiles.a.endpoints]\ntokn = 'x'",
            "$.profiles.a.endpoints",
        ),
        ("[profiles.a.aws]\nregion = 'x'", "$.profiles.a.aws"),
        (
            "[profiles.a.session]\nmsal = 1",
            "$.profiles.a.session.msal",
        ),
        ("[store]\nseal = 'x'", "$.store.seal"),
    ];
    let documents: Vec<Value> = examples
        .iter()
        .map(|(_, document)| document.clone())
        .collect();
    let refused = wrong.iter().map(|(text, _)| as_json(text));
    let documents: Vec<Value> = documents.into_iter().chain(refused).collect();
    let complaints = complaints(&sandbox, &library, &documents);
    let (of_examples, of_wrong) = complaints.split_at(examples.len());
    for ((name, document), complaints) in examples.iter().zip(of_examples) {
        assert!(
            complaints.is_empty(),
            "{name}: {complaints:?} of {document}"
        );
    }
    for ((text, place), complaints) in wrong.iter().zip(of_wrong) {
        assert_eq!(complaints, &[(*place).to_owned()], "{text}");
        sandbox.write_profiles(text);
        let file = sandbox.config();
        let check = ["profile", "check", file.to_str().expect("it is UTF-8")];
        sandbox.run(&check).failed(3);
    }
}

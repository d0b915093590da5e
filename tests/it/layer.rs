//! Who imports whom, as the header of `src/lib.rs` says: arrows go down only.

use std::fs;
use std::path::{Path, PathBuf};

use cred_helper::grant::GRANTS;
use cred_helper::protocol::PROTOCOLS;
use cred_helper::setup::SETUPS;

use super::architecture::layers_of_the_header;

/// The rank of each module of `src/`: its layer, and its place within that. `setup` lies below `command`,
/// `secret_source` above `system`, which lies above the types of layer 1, and `text` below `error`.
const RANKS: &[(&str, u32)] = &[
    ("main", 70),
    ("lib", 70),
    ("cli", 70),
    ("command", 61),
    ("answer", 61),
    ("setup", 60),
    ("acquire", 50),
    ("profile", 40),
    ("grant", 30),
    ("exchange", 30),
    ("oauth", 20),
    ("store", 20),
    ("protocol", 20),
    ("secret_source", 14),
    ("system", 13),
    ("io", 12),
    ("proof_key", 12),
    ("signing_key", 11),
    ("context", 11),
    ("credential", 11),
    ("token", 10),
    ("claims", 10),
    ("endpoint", 10),
    ("line", 10),
    ("error", 2),
    ("encoding", 2),
    ("text", 1),
    ("secret", 0),
    ("style", 0),
    ("digest", 0),
];

/// What these places alone may name, and do: crates, and what not every operating system has.
const CONFINED: &[(&str, &[&str])] = &[
    ("reqwest::", &["system/http.rs"]),
    ("rustls::", &["system/http.rs", "system/pinned.rs"]),
    ("signal_hook::", &["system/signal.rs"]),
    ("directories::ProjectDirs", &["system/directories.rs"]),
    ("rustix::", &["system/unix.rs"]),
    ("lexopt::", &["protocol/argument.rs"]),
    (
        "ring::",
        &[
            "digest.rs",
            // Whose signature a token has: other keys than ours.
            "oauth/json_web_key.rs",
            "proof_key.rs",
            "signing_key/certificate.rs",
            "signing_key/encryption.rs",
            "signing_key/mod.rs",
            "signing_key/pfx.rs",
            "store/seal/key.rs",
            "system/http.rs",
            "system/pinned.rs",
            "system/random.rs",
        ],
    ),
    ("httparse::", &["system/listener.rs"]),
    (
        "base64::",
        &[
            "encoding.rs",
            "oauth/client_authentication.rs",
            "oauth/id_token.rs",
            "protocol/git.rs",
        ],
    ),
    ("qrcodegen::", &["grant/person/qr_code.rs"]),
    ("chrono::", &["system/zone.rs"]),
    ("clap_mangen::", &["command/man.rs"]),
    (
        "toml_edit::",
        &["command/profile_text.rs", "setup/cargo.rs"],
    ),
    ("chacha20poly1305::", &["store/seal/cipher.rs"]),
    ("security_framework::", &["system/os_keyring/keychain.rs"]),
    (
        "keyring_core::",
        &["system/os_keyring/credential_manager.rs"],
    ),
    (
        "windows_native_keyring_store::",
        &["system/os_keyring/credential_manager.rs"],
    ),
    ("linux_keyutils::", &["system/key_cache/kernel.rs"]),
    (
        "cfg_attr(",
        &[
            "system/key_cache/mod.rs",
            "system/os_keyring/mod.rs",
            "system/mod.rs",
        ],
    ),
    // What is tested with a shell or with modes.
    (
        "cfg(all(",
        &[
            "system/browser.rs",
            "system/documents.rs",
            "system/process.rs",
        ],
    ),
    ("cfg(any(", &[]),
    ("cfg(not(", &[]),
    ("cfg(target", &["system/os_keyring/mod.rs"]),
    ("cfg(unix", &[]),
    ("cfg(windows", &[]),
    ("cfg!(", &[]),
    (
        "os::unix",
        &[
            "system/documents.rs",
            "system/os_keyring/bus.rs",
            "system/os_keyring/secret_service.rs",
            "system/unix.rs",
        ],
    ),
    ("os::linux", &["system/os_keyring/bus.rs"]),
    ("os::windows", &["system/windows.rs"]),
    ("libc::", &[]),
    ("windows_sys::", &[]),
    ("\"/proc/", &["system/unix.rs"]),
    ("\"/dev/tty", &["system/unix.rs"]),
    // The latter two in tests.
    (
        "consts::OS",
        &["system/unix.rs", "store/lock.rs", "system/browser.rs"],
    ),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory of sources can be read") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn rank(module: &str) -> u32 {
    let found = RANKS.iter().find(|(name, _)| *name == module);
    found
        .unwrap_or_else(|| panic!("`{module}` has no layer: give it one here and in lib.rs"))
        .1
}

/// Each name that follows `prefix` in `text`.
fn names_after<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(prefix).filter_map(move |(start, _)| {
        let before = text[..start].chars().next_back();
        let rest = &text[start + prefix.len()..];
        let end = rest
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(rest.len());
        let whole = before.is_none_or(|before| !before.is_alphanumeric() && before != '_');
        (whole && end > 0).then_some(&rest[..end])
    })
}

#[test]
fn imports_go_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 40, "the sources were not found");
    let mut offences = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).expect("it lies below the root");
        let shown = relative.display().to_string().replace('\\', "/");
        let first = shown.split('/').next().expect("a path has a first part");
        let module = first.trim_end_matches(".rs");
        let text = fs::read_to_string(&file).expect("a source can be read");
        let own = rank(module);
        for used in names_after(&text, "crate::") {
            if used != module && RANKS.iter().any(|(name, _)| *name == used) && rank(used) >= own {
                offences.push(format!(
                    "src/{shown} imports `{used}` from the same layer or above"
                ));
            }
        }
        for (name, places) in CONFINED {
            let mut uses = text.match_indices(name).map(|(start, _)| &text[..start]);
            let is_part = |before: &str| before.ends_with(|last: char| last.is_alphanumeric());
            let is_named = uses.any(|before| !is_part(before));
            if is_named != places.contains(&shown.as_str()) {
                offences.push(format!(
                    "`{name}` is for {places:?}, and src/{shown} is otherwise"
                ));
            }
        }
        let stdout = ["println!", "print!", "stdout()"].iter().any(|word| {
            text.match_indices(word)
                .any(|(start, _)| !text[..start].ends_with('e'))
        });
        // The first hands it down; the others ask whether it is a terminal, and whether somebody reads it.
        const ASKING: [&str; 3] = ["main.rs", "system/terminal.rs", "system/unix.rs"];
        if stdout && !ASKING.contains(&shown.as_str()) {
            offences.push(format!("src/{shown} writes to stdout by itself"));
        }
        if module == "acquire" {
            for foreign in ["clap", "toml", "reqwest", "protocol", "command"] {
                if text.contains(&format!("{foreign}::")) {
                    offences.push(format!("src/{shown} knows who asks: `{foreign}`"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_layer_stands_in_the_architecture() {
    let mut named: Vec<(String, u32)> = layers_of_the_header()
        .into_iter()
        .flat_map(|(layer, modules)| {
            let layer = layer.parse().expect("a layer is a number");
            modules.into_iter().map(move |module| (module, layer))
        })
        .collect();
    let ranks = RANKS.iter();
    let mut expected: Vec<(String, u32)> = ranks
        .map(|(module, rank)| ((*module).to_owned(), rank / 10))
        .collect();
    named.sort();
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn a_tool_is_one_file_and_its_lines_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    // `get` and `serve` share the JSON of their answers.
    let tools = PROTOCOLS
        .iter()
        .map(|entry| entry.name)
        .filter(|name| !["get", "serve"].contains(name));
    let tools = tools.map(|name| ("protocol", name));
    let setups = SETUPS.iter().map(|entry| ("setup", entry.name));
    let mut count = 0;
    for (folder, tool) in tools.chain(setups) {
        let own = root.join(format!("{folder}/{tool}.rs"));
        assert!(files.contains(&own), "{} is not there", own.display());
        let names = [format!("{tool}::"), format!("mod {tool};")];
        let mut lines = Vec::new();
        for file in files
            .iter()
            .filter(|file| !is_the_tools_own(file, &root, tool))
        {
            let text = fs::read_to_string(file).expect("a source can be read");
            let named = text
                .lines()
                .filter(|line| names.iter().any(|name| holds_name(line, name)));
            lines.extend(named.map(|line| format!("{}: {line}", file.display())));
        }
        let (here, elsewhere): (Vec<_>, Vec<_>) = lines
            .iter()
            .partition(|line| line.contains(&format!("{folder}/mod.rs")));
        assert_eq!(here.len(), 2, "its module, and its entry: {here:#?}");
        let tables = ["protocol/mod.rs", "setup/mod.rs", "exchange/mod.rs"];
        let is_in_a_table = |line: &&String| tables.iter().any(|table| line.contains(table));
        assert!(elsewhere.iter().all(is_in_a_table), "{elsewhere:#?}");
        count += 1;
    }
    assert!(count >= 6, "only {count} tools were found");
}

/// Whether a line holds a name, and not as the end of another.
fn holds_name(line: &str, name: &str) -> bool {
    let mut places = line.match_indices(name);
    let is_part = |last: char| last.is_alphanumeric() || last == '_';
    places.any(|(start, _)| !line[..start].ends_with(is_part))
}

/// Whether a source is this tool's own, in one of the tables of tools.
fn is_the_tools_own(file: &Path, root: &Path, tool: &str) -> bool {
    let own = ["protocol", "setup"].map(|folder| root.join(format!("{folder}/{tool}.rs")));
    own.iter().any(|own| own == file)
}

/// Where a tool's name has to stand beside its own files: an exchange is of the tool that gets what it
/// gives, and a table of the profile has its keys; a provider has the name of its libraries; two
/// protocols ask git whether it has a person asked; one tool is called like the place that keys are
/// kept in; cargo starts the program itself, with an argument instead of a name; and what is imported is
/// read by the tool that it belongs to.
const NAMED_ELSEWHERE: &[(&str, &str)] = &[
    ("aws", "exchange/aws.rs"),
    ("aws", "profile/mod.rs"),
    ("cargo", "cli.rs"),
    ("exec", "command/import/kubeconfig.rs"),
    ("git", "command/import/git_helper.rs"),
    ("git", "protocol/git_prompt.rs"),
    ("google", "profile/preset.rs"),
    ("keyring", "command/wizard.rs"),
    ("keyring", "profile/client_authentication.rs"),
    ("keyring", "profile/file.rs"),
    ("keyring", "secret_source.rs"),
    ("keyring", "setup/index.rs"),
    ("keyring", "store/seal/os_keyring.rs"),
    ("kubectl", "command/import/kubeconfig.rs"),
    ("terraform", "setup/credentials_helper.rs"),
];

#[test]
fn a_tool_is_named_in_its_own_files_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut found = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).expect("it lies below the root");
        let shown = relative.display().to_string().replace('\\', "/");
        let text = fs::read_to_string(&file).expect("a source can be read");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for tool in PROTOCOLS.iter().map(|entry| entry.name) {
            // `get` is a word of several protocols, and `serve` a verb.
            let is_own = ["protocol", "setup"].map(|folder| format!("{folder}/{tool}.rs"));
            let is_word = ["get", "serve"].contains(&tool);
            if !is_word && !is_own.contains(&shown) && code.contains(&format!("\"{tool}\"")) {
                found.push((tool.to_owned(), shown.clone()));
            }
        }
    }
    let expected: Vec<(String, String)> = NAMED_ELSEWHERE
        .iter()
        .map(|(tool, file)| ((*tool).to_owned(), (*file).to_owned()))
        .collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_grant_is_one_file_and_its_line_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = root.join("grant/mod.rs");
    let mut files = Vec::new();
    sources(&root, &mut files);
    // A large one has a directory of its own beside it.
    let folder = root.join("grant");
    let is_grant = |file: &&PathBuf| file.parent() == Some(&*folder) && **file != table;
    let count = files.iter().filter(is_grant).count();
    assert_eq!(count, GRANTS.len(), "each file is a grant's");
    for grant in GRANTS.iter().map(|entry| entry.name) {
        let own = root.join(format!("grant/{grant}.rs"));
        assert!(files.contains(&own), "{} is not there", own.display());
        let (part, module) = (format!("{grant}::"), format!("mod {grant};"));
        let mut lines = Vec::new();
        for file in files.iter().filter(|file| **file != own) {
            // One grant chooses among two others.
            let is_chooser = file.ends_with("grant/auto.rs");
            let text = fs::read_to_string(file).expect("a source can be read");
            let named = text
                .lines()
                .filter(|line| !is_chooser && (line.contains(&part) || line.contains(&module)));
            lines.extend(named.map(|line| format!("{}: {}", file.display(), line.trim())));
        }
        let is_in_table = |line: &String| line.starts_with(&format!("{}: ", table.display()));
        assert!(lines.iter().all(is_in_table), "{lines:#?}");
        assert_eq!(lines.len(), 2, "its module, and its entry: {lines:#?}");
    }
}

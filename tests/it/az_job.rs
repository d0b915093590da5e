//! A day with Azure's own library for Python: it starts `az` and `azd`, and its tokens are shown to a
//! resource server.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::az_call::{OTHER_TENANT, alone, scene};
use crate::microsoft::TENANT;
use crate::scene::{Scene, now};
use crate::support::Ran;
use crate::tool::{AZURE_IDENTITY, installed};

const VAULT: &str = "https://vault.azure.net/.default";

/// Every way to a token.
const ALL: [(&str, &str, &str); 4] = [
    ("az", VAULT, ""),
    ("azd", VAULT, ""),
    ("default", VAULT, ""),
    ("chain", VAULT, TENANT),
];

/// The two programs, and nothing else on PATH.
struct AzureGround {
    scene: Scene,
    library: PathBuf,
    python: String,
}

impl AzureGround {
    /// Nobody is signed in. `None` where the library is missing, which is noted.
    fn new() -> Option<Self> {
        let library = installed(&AZURE_IDENTITY, "azure-identity")?;
        let asked = ["-c", "import sys; print(sys.executable)"];
        let found = Command::new("python3").args(asked).output();
        let found = found.expect("python3 starts").stdout;
        let scene = scene(|_| String::new());
        Some(Self {
            scene,
            library,
            python: String::from_utf8(found)
                .expect("a path is text")
                .trim()
                .to_owned(),
        })
    }

    /// The library's call for each of these: credential, scope, tenant.
    fn command(&self, cases: &[(&str, &str, &str)]) -> Command {
        let mut command = alone(&self.scene.sandbox);
        command
            .env("PYTHONPATH", &self.library)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(&self.python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/azure/get_token.py"
            ))
            .arg(self.scene.authority.url("/resource"))
            .args(cases.iter().map(|case| json!(case).to_string()));
        command
    }

    /// What came of each.
    fn ask(&self, cases: &[(&str, &str, &str)]) -> Vec<String> {
        let ran: Ran = self.scene.run_command(self.command(cases));
        assert_eq!(ran.stderr, "");
        let lines: Vec<String> = ran.ok().lines().map(String::from).collect();
        assert_eq!(lines.len(), cases.len(), "{lines:?}");
        lines
    }
}

/// Whether a line tells of a token that the resource server took, and that lasts an hour.
fn is_taken(line: &str) -> bool {
    let numbers: Vec<i64> = line
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    matches!(numbers[..], [200, end, _] if (3000..=3600).contains(&(end - now())))
}

#[test]
fn azure_s_library_signs_in_through_the_profile_of_a_resource_and_knows_where_somebody_has_to() {
    let Some(azure) = AzureGround::new() else {
        return;
    };
    let scene = &azure.scene;
    // Nobody has signed in, and nobody is asked.
    let cold = azure.ask(&ALL);
    assert!(
        cold[0].starts_with("CredentialUnavailableError: Please run 'az login'"),
        "{cold:?}"
    );
    assert!(
        cold[1].starts_with("CredentialUnavailableError: Please run 'azd auth login'"),
        "{cold:?}"
    );
    // Either went on to its last one.
    for line in &cold[2..] {
        assert!(
            line.contains("'az login'") && line.contains("'azd auth login'"),
            "{line}"
        );
    }
    assert_eq!(scene.authority.requests().len(), 0);
    scene.run(&["login"]).ok();
    let before = scene.authority.requests().len();
    let others = [
        ("az", "https://other.azure.net/.default", ""),
        ("az", VAULT, OTHER_TENANT),
        ("azd", VAULT, OTHER_TENANT),
    ];
    let lines = azure.ask(&[&ALL[..], &others].concat());
    let (taken, refused) = lines.split_at(ALL.len());
    assert!(taken.iter().all(|line| is_taken(line)), "{lines:?}");
    for (line, login) in refused
        .iter()
        .zip(["'az login'", "'az login'", "'azd auth login'"])
    {
        assert!(
            line.starts_with("CredentialUnavailableError: Please run"),
            "{line}"
        );
        assert!(line.contains(login), "{line}");
    }
    let asked = scene.authority.requests().len() - before;
    assert_eq!(asked, taken.len(), "the resource alone was asked");
    scene.authority.expire_access_tokens();
    scene.age(-1);
    assert!(azure.ask(&ALL).iter().all(|line| is_taken(line)));
    assert_eq!(scene.refreshes(), 1);
}

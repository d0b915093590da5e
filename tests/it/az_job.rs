//! A day with Azure's own libraries for Python and JavaScript: they start `az` and `azd`, and their tokens
//! are shown to a resource server.

use std::process::Command;

use serde_json::json;

use crate::az_call::{OTHER_TENANT, alone, scene};
use crate::microsoft::TENANT;
use crate::scene::{Scene, now};
use crate::support::Ran;
use crate::tool::{AZURE_IDENTITY, AZURE_IDENTITY_JS, installed};

const VAULT: &str = "https://vault.azure.net/.default";

/// Every way to a token.
const ALL: [(&str, &str, &str); 4] = [
    ("az", VAULT, ""),
    ("azd", VAULT, ""),
    ("default", VAULT, ""),
    ("chain", VAULT, TENANT),
];

/// The two programs, and nothing else on PATH; a program that uses a library.
struct AzureGround {
    scene: Scene,
    program: Vec<String>,
}

impl AzureGround {
    /// With the library for Python. `None` where it is missing, which is noted.
    fn python() -> Option<Self> {
        let library = installed(&AZURE_IDENTITY, "azure-identity")?;
        let python = output("python3", &["-c", "import sys; print(sys.executable)"]);
        Some(Self::new(vec![
            format!("PYTHONPATH={}", library.display()),
            "PYTHONDONTWRITEBYTECODE=1".to_owned(),
            python,
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azure/get_token.py").to_owned(),
        ]))
    }

    /// With the library for JavaScript, likewise.
    fn node() -> Option<Self> {
        let library = "azure-identity-js/node_modules/@azure/identity";
        let library = installed(&AZURE_IDENTITY_JS, library)?;
        Some(Self::new(vec![
            output("node", &["-p", "process.execPath"]),
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/azure/get_token.cjs").to_owned(),
            library.display().to_string(),
        ]))
    }

    /// Nobody is signed in.
    fn new(program: Vec<String>) -> Self {
        let scene = scene(|_| String::new());
        Self { scene, program }
    }

    /// The library's call for each of these: credential, scope, tenant.
    fn command(&self, cases: &[(&str, &str, &str)]) -> Command {
        let mut command = alone(&self.scene.sandbox);
        command
            .args(&self.program)
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

/// What a program prints: where it lies itself, behind whatever PATH finds.
fn output(program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program).args(arguments).output();
    let printed = ran.expect("the program starts").stdout;
    let printed = String::from_utf8(printed).expect("a path is text");
    printed.trim().to_owned()
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
fn azure_s_library_for_python_signs_in_through_the_profile_of_a_resource_and_knows_where_somebody_has_to()
 {
    let Some(azure) = AzureGround::python() else {
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

#[test]
fn azure_s_library_for_javascript_does_too_and_shows_what_az_says() {
    let Some(azure) = AzureGround::node() else {
        return;
    };
    let all = [
        ("az", VAULT, ""),
        ("azd", VAULT, ""),
        ("chain", VAULT, TENANT),
    ];
    let cold = azure.ask(&all);
    let own = "ERROR: profile `vault` needs a sign-in, and nobody may be asked here \
               hint: run `cred-helper login -p vault`";
    let azd = "Please run 'azd auth login'";
    for (line, parts) in cold.iter().zip([&[own][..], &[azd], &[own, azd]]) {
        assert!(line.contains("CredentialUnavailableError: "), "{line}");
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    azure.scene.run(&["login"]).ok();
    assert!(azure.ask(&all).iter().all(|line| is_taken(line)));
}

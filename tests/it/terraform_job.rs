//! A day with Terraform: a module from a private registry that has each token judged.

use std::fs;

use serde_json::{Value, json};

use crate::http_server::{Answer, HttpServer};
use crate::oidc_ground::{Ground, large_tokens};
use crate::support::Ran;
use crate::tls::{CertificateAuthority, Front};
use crate::tool::{TERRAFORM, needs};

/// A registry, and a home with a module that needs one of it.
struct TerraformGround {
    ground: Ground,
    registry: HttpServer,
    _front: Front,
}

/// Gets the module. What Terraform says of it is in the file `said`.
const INIT: &str =
    "rm -rf work/.terraform && cd work && terraform init -no-color -input=false >../said";

impl TerraformGround {
    fn new() -> Self {
        Self::with(json!({}))
    }

    /// The same with an authority of these options.
    fn with(options: Value) -> Self {
        let keys = "client_id = \"cli\"\nscopes = [\"api:read\"]\n\
                    urls = [\"https://reg.example.test/\"]\n";
        let ground = Ground::with_profile(options, keys);
        let home = ground.sandbox.path().to_owned();
        let judge = ground.authority.judge();
        let module = format!("file://{}", home.join("module").display());
        let registry = HttpServer::start(move |request| {
            let (scheme, token) = request.authorization();
            if scheme != "Bearer" || !judge(token) {
                return Answer::new(401, "no").with("Connection", "close");
            }
            let answer = match request.path.as_str() {
                "/m/v1/ns/name/prov/versions" => Answer::new(
                    200,
                    json!({ "modules": [{ "versions": [{ "version": "1.0.0" }] }] }).to_string(),
                ),
                "/m/v1/ns/name/prov/1.0.0/download" => {
                    Answer::new(204, "").with("X-Terraform-Get", &module)
                }
                _ => Answer::new(404, "{}"),
            };
            answer.with("Connection", "close")
        });
        let certificates = CertificateAuthority::new(&home, "registry-ca");
        let certificate = certificates.issue("registry", "IP:127.0.0.1", "+0");
        let front = Front::start(certificate, registry.address().parse().expect("an address"));
        let plugins = home.join(".terraform.d/plugins");
        for folder in [&plugins, &home.join("module"), &home.join("work")] {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        let link = ground.sandbox.link("cred-helper");
        fs::copy(link, plugins.join("terraform-credentials-cred-helper"))
            .expect("it can be copied");
        let module = "module \"a\" {\n  source  = \"reg.example.test/ns/name/prov\"\n  \
                      version = \"1.0.0\"\n}\n";
        fs::write(home.join("work/main.tf"), module).expect("it can be written");
        fs::write(home.join("module/main.tf"), "").expect("it can be written");
        let ground = Self {
            ground,
            registry,
            _front: front,
        };
        let origin = ground._front.origin();
        let host = format!(
            "host \"reg.example.test\" {{\n  services = {{\n    \"modules.v1\" = \"{origin}/m/v1/\"\n  \
             }}\n}}\n"
        );
        fs::write(home.join("host"), host).expect("it can be written");
        ground.configure("credentials_helper \"cred-helper\" {}\n");
        ground
    }

    fn signed_in() -> Self {
        let ground = Self::new();
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    /// Replaces Terraform's configuration, but for where the registry is.
    fn configure(&self, text: &str) {
        let host = self.ground.read("host");
        let path = self.ground.sandbox.path().join(".terraformrc");
        fs::write(path, format!("{host}\n{text}")).expect("it can be written");
    }

    fn line(line: &str) -> String {
        format!("export SSL_CERT_FILE=$HOME/registry-ca.pem CHECKPOINT_DISABLE=1; {line}")
    }

    fn run(&self, line: &str) -> Ran {
        let ran = self.ground.shell(&Self::line(line));
        self.ground.sandbox.scan("terraform's stdout", &ran.stdout);
        let said = fs::read_to_string(self.ground.sandbox.path().join("said"));
        self.ground
            .sandbox
            .scan("terraform's stdout", &said.unwrap_or_default());
        ran
    }
}

#[test]
fn terraform_gets_a_module_silently_after_one_sign_in_and_refreshes_once() {
    needs!(TERRAFORM);
    let ground = TerraformGround::new();
    let shown = ground.ground.shell_as_ada(&TerraformGround::line(INIT));
    assert!(shown.contains("Signed in as ada@example.test"), "{shown}");
    let said = ground.ground.read("said");
    assert!(said.contains("successfully initialized"), "{said}");
    ground.ground.authority.reset_requests();
    ground.run(INIT).ok();
    ground.ground.assert_requests(0, 0);
    ground.ground.expire();
    ground.run(INIT).ok();
    ground.run(INIT).ok();
    ground.ground.assert_requests(1, 0);
    let schemes = ground.registry.schemes();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["Bearer"]);
}

#[test]
fn a_profile_in_its_arguments_is_the_only_one_that_answers() {
    needs!(TERRAFORM);
    let ground = TerraformGround::signed_in();
    let helper = |arguments: Value| {
        format!("credentials_helper \"cred-helper\" {{\n  args = {arguments}\n}}\n")
    };
    ground.configure(&helper(json!(["--profile", "api"])));
    ground.run(INIT).ok();
    ground.configure(&helper(json!(["-p", "apo"])));
    let error = ground
        .run(&format!("export TF_LOG=debug; {INIT}"))
        .failed(1);
    assert!(error.contains("there is no profile `apo`"), "{error}");
}

#[test]
fn where_nobody_can_be_asked_the_log_has_the_command_that_signs_in() {
    needs!(TERRAFORM);
    let ground = TerraformGround::new();
    // Terraform shows nothing of it, and goes on without credentials.
    let error = ground.run(INIT).failed(1);
    assert!(error.contains("401"), "{error}");
    let error = ground
        .run(&format!("export TF_LOG=debug; {INIT}"))
        .failed(1);
    assert!(error.contains("cred-helper login -p api"), "{error}");
    assert_eq!(ground.ground.authority.requests().total, 0);
    assert!(ground.registry.schemes().is_empty());
}

#[test]
fn a_host_that_no_profile_names_gets_nothing() {
    needs!(TERRAFORM);
    let ground = TerraformGround::signed_in();
    let host = ground
        .ground
        .read("host")
        .replace("reg.example.test", "other.example.test");
    let module = ground.ground.read("work/main.tf");
    let home = ground.ground.sandbox.path();
    fs::write(home.join("host"), host).expect("it can be written");
    ground.configure("credentials_helper \"cred-helper\" {}\n");
    let module = module.replace("reg.example.test", "other.example.test");
    fs::write(home.join("work/main.tf"), module).expect("it can be written");
    let error = ground.run(INIT).failed(1);
    assert!(error.contains("401"), "{error}");
    assert!(!ground.registry.requests().is_empty());
    assert!(ground.registry.schemes().is_empty());
    assert_eq!(ground.ground.authority.requests().total, 0);
}

#[test]
fn a_token_that_the_registry_rejects_is_mended_by_a_logout_that_keeps_the_sign_in() {
    needs!(TERRAFORM);
    let ground = TerraformGround::signed_in();
    ground.ground.authority.revoke(&ground.ground.get(&[]));
    ground.run(INIT).failed(1);
    ground.ground.assert_requests(0, 0);
    let said = ground
        .run("terraform logout -no-color reg.example.test")
        .ok();
    assert!(said.contains("Success!"), "{said}");
    ground.run(INIT).ok();
    ground.ground.assert_requests(1, 0);
    ground.run("terraform logout other.example.test").ok();
}

#[test]
fn what_setup_writes_makes_terraform_ask_until_it_is_undone() {
    needs!(TERRAFORM);
    let ground = TerraformGround::signed_in();
    ground.configure("");
    let plugins = ground.ground.sandbox.path().join(".terraform.d");
    fs::remove_dir_all(&plugins).expect("it is there");
    let before = ground.ground.read(".terraformrc");
    ground.run(INIT).failed(1);
    ground.run("cred-helper setup terraform").ok();
    ground.run(INIT).ok();
    assert!(!ground.registry.schemes().is_empty());
    ground.run("cred-helper setup terraform --undo").ok();
    assert_eq!(ground.ground.read(".terraformrc"), before);
    ground.registry.reset();
    ground.run(INIT).failed(1);
    assert!(ground.registry.schemes().is_empty());
    ground.ground.assert_requests(0, 0);
}

#[test]
fn terraform_takes_a_token_of_16_kb() {
    needs!(TERRAFORM);
    let ground = TerraformGround::with(large_tokens());
    let token = ground.ground.sign_in("ada");
    assert!(token.len() > 16 * 1024, "{}", token.len());
    ground.run(INIT).ok();
}

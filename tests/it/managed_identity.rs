//! What runs in Azure signs in as itself, in each of the places there.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;

use cred_helper::digest::digest;
use serde_json::json;

use crate::azure_ground::{Azure, HEADER, KEY, Place, RESOURCE, SYSTEM, robot, said, token_number};
use crate::http_server::{Answer, HttpServer};
use crate::msal::msal;
use crate::oidc_ground::eventually;
use crate::support::Sandbox;
use crate::tls::{CertificateAuthority, Front};

/// The requests of a place, each as [`said`] has it, where `ids` are further parameters.
fn requests(place: Place, ids: &[&str]) -> Vec<Vec<String>> {
    let resource = format!("resource={RESOURCE}");
    let path = match place {
        Place::AppService => "GET /msi/token/",
        Place::MachineLearning => "GET /MSI/auth",
        Place::CloudShell => "POST /oauth2/token",
        Place::ServiceFabric | Place::Arc | Place::VirtualMachine => {
            "GET /metadata/identity/oauth2/token"
        }
    };
    let version = match place {
        Place::ServiceFabric => "api-version=2019-07-01-preview",
        Place::AppService => "api-version=2019-08-01",
        Place::MachineLearning => "api-version=2017-09-01",
        Place::Arc => "api-version=2020-06-01",
        Place::CloudShell => "",
        Place::VirtualMachine => "api-version=2018-02-01",
    };
    let header = match place {
        Place::ServiceFabric | Place::MachineLearning => format!("secret: {HEADER}"),
        Place::AppService => format!("x-identity-header: {HEADER}"),
        Place::Arc | Place::CloudShell | Place::VirtualMachine => String::new(),
    };
    let metadata = match place {
        Place::ServiceFabric | Place::MachineLearning => "",
        Place::AppService | Place::Arc | Place::CloudShell | Place::VirtualMachine => {
            "metadata: true"
        }
    };
    let with = |further: &str| {
        let all = [version, &resource, &header, metadata, further];
        let mut all: Vec<String> = all
            .iter()
            .chain(ids)
            .filter(|text| !text.is_empty())
            .map(|text| (*text).to_owned())
            .collect();
        all.sort();
        all.insert(0, path.to_owned());
        all
    };
    let mut all = vec![with("")];
    if place == Place::Arc {
        all.push(with(&format!("authorization: Basic {KEY}")));
    }
    all
}

fn asked(azure: &Azure) -> Vec<Vec<String>> {
    azure.server.requests().iter().map(said).collect()
}

#[test]
fn every_place_is_asked_as_it_wants_and_the_token_is_kept() {
    for place in Place::ALL {
        let azure = Azure::new(place);
        let first = azure.get();
        assert_eq!(first["access_token"], token_number(1), "{place:?}");
        assert_eq!(first["source"], "managed_identity", "{place:?}");
        assert_eq!(first["account"], json!(null));
        let left = first["expires_in"].as_i64().expect("it ends");
        assert!((3500..=3600).contains(&left), "{place:?}: {left}");
        let second = azure.get();
        assert_eq!(second["source"], "cache", "{place:?}");
        assert_eq!(second["access_token"], token_number(1));
        assert_eq!(asked(&azure), requests(place, &[]), "{place:?}");
        let forced = azure.run(&["get", "--force-refresh"]).ok();
        assert_eq!(forced.trim_end(), token_number(2));
        let login = azure.run(&["login", "-p", "robot"]);
        assert_eq!(login.code, Some(0), "{login:?}");
        assert_eq!(azure.get()["access_token"], token_number(3), "{place:?}");
    }
}

#[test]
fn verbose_says_which_place_it_is_and_why() {
    for (place, told) in [
        (
            Place::ServiceFabric,
            "Azure Service Fabric: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` and \
             `IDENTITY_SERVER_THUMBPRINT` are set",
        ),
        (
            Place::AppService,
            "Azure App Service: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` are set",
        ),
        (
            Place::MachineLearning,
            "Azure Machine Learning: `MSI_ENDPOINT` and `MSI_SECRET` are set",
        ),
        (
            Place::Arc,
            "Azure Arc: `IDENTITY_ENDPOINT` and `IMDS_ENDPOINT` are set",
        ),
        (
            Place::CloudShell,
            "Azure Cloud Shell: `AZUREPS_HOST_ENVIRONMENT` begins with `cloud-shell`",
        ),
        (
            Place::VirtualMachine,
            "this virtual machine: `AZURE_POD_IDENTITY_AUTHORITY_HOST` is set",
        ),
    ] {
        let azure = Azure::new(place);
        for command in ["get", "login"] {
            let mut command = azure.command(&[command, "-p", "robot", "-v"]);
            command.env_remove("CRED_HELPER_LOG");
            let ran = azure.sandbox.run_command(command);
            assert!(ran.stderr.contains(told), "{place:?}: {}", ran.stderr);
            ran.ok();
        }
    }
}

#[test]
fn an_identity_is_named_as_the_place_wants_or_the_error_says_that_it_cannot_be() {
    const ID: &str = "/subscriptions/s/resourceGroups/g/providers/x&y";
    let none = "leave the id out";
    for (place, names) in [
        (Place::ServiceFabric, [Err(none); 3]),
        (
            Place::AppService,
            [Ok("client_id"), Ok("mi_res_id"), Ok("object_id")],
        ),
        (
            Place::MachineLearning,
            [
                Ok("clientid"),
                Err("name the identity by `client_id`"),
                Err("name the identity by `client_id`"),
            ],
        ),
        (
            Place::Arc,
            [Ok("client_id"), Ok("msi_res_id"), Ok("object_id")],
        ),
        (Place::CloudShell, [Err(none); 3]),
        (
            Place::VirtualMachine,
            [Ok("client_id"), Ok("msi_res_id"), Ok("object_id")],
        ),
    ] {
        for (key, name) in ["client_id", "resource_id", "object_id"].iter().zip(names) {
            let grant = format!("{{ type = \"managed_identity\", {key} = \"{ID}\" }}");
            let azure = Azure::of(place, &robot(&grant, ""));
            match name {
                Ok(name) => {
                    assert_eq!(azure.get()["access_token"], token_number(1), "{place:?}");
                    let id = format!("{name}={ID}");
                    assert_eq!(asked(&azure), requests(place, &[&id]), "{place:?} {key}");
                }
                Err(hint) => {
                    let said = azure.run(&["get"]).failed(3);
                    assert!(said.contains(&format!("`{key}` (`{ID}`)")), "{said}");
                    assert!(said.contains(hint), "{place:?}: {said}");
                    assert_eq!(azure.server.requests().len(), 0, "{place:?}");
                }
            }
        }
    }
}

#[test]
fn identities_do_not_share_their_tokens_and_resources_of_one_do() {
    let grant = |id: &str| format!("{{ type = \"managed_identity\", client_id = \"{id}\" }}");
    let second = robot(&grant("b"), "").replace("robot", "second");
    let third = robot(SYSTEM, "").replace("robot", "third");
    let profiles = format!("{}{second}{third}", robot(&grant("a"), ""));
    let azure = Azure::of(Place::VirtualMachine, &profiles);
    let get = |profile: &str| azure.run(&["get", "-p", profile]).ok();
    for (number, profile) in (1..).zip(["robot", "second", "third"]) {
        assert_eq!(get(profile).trim_end(), token_number(number));
        assert_eq!(get(profile).trim_end(), token_number(number));
    }
    assert_eq!(azure.sandbox.sessions().len(), 3);
    let vault = [
        "get",
        "-p",
        "third",
        "--scope",
        "https://vault.azure.net/.default",
    ];
    assert_eq!(azure.run(&vault).ok().trim_end(), token_number(4));
    assert_eq!(azure.run(&vault).ok().trim_end(), token_number(4));
    assert_eq!(azure.sandbox.sessions().len(), 3);
    assert_eq!(get("third").trim_end(), token_number(3));
    let newest = azure.server.requests().pop().expect("it was asked");
    assert!(
        newest
            .query
            .ends_with("resource=https%3A%2F%2Fvault.azure.net")
    );
}

#[test]
fn a_token_is_kept_for_whoever_the_platform_gave_it_to() {
    let (header, secret) = ("IDENTITY_HEADER", "MSI_SECRET");
    let (endpoint, old_endpoint) = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT");
    for (place, variables) in [
        (Place::AppService, vec![header, endpoint]),
        (Place::MachineLearning, vec![secret, old_endpoint]),
        (Place::CloudShell, vec![old_endpoint]),
        (
            Place::VirtualMachine,
            vec!["AZURE_POD_IDENTITY_AUTHORITY_HOST"],
        ),
    ] {
        let azure = Azure::new(place);
        assert_eq!(azure.get()["access_token"], token_number(1), "{place:?}");
        for (number, variable) in (2..).zip(variables) {
            let of_another_app = azure.variable(variable).trim_end_matches('/').to_owned() + "/b";
            azure.sandbox.secret("secret-of-the-platform/b");
            let run = |arguments: &[&str]| {
                let mut command = azure.command(arguments);
                command.env(variable, &of_another_app);
                azure.sandbox.run_command(command)
            };
            for _ in 0..2 {
                let answer = run(&["get"]).ok();
                assert_eq!(answer.trim_end(), token_number(number), "{variable}");
            }
            let status = run(&["status", "-o", "json"]).json();
            let row = &status["profiles"][0]["accounts"][0];
            assert_eq!(row["signed_in"], true, "{status}");
        }
        assert_eq!(azure.get()["source"], "cache", "{place:?}");
        assert_eq!(azure.get()["access_token"], token_number(1), "{place:?}");
    }
}

#[test]
fn a_token_that_ends_is_replaced_and_status_and_logout_know_it() {
    let azure = Azure::new(Place::VirtualMachine);
    let aged =
        json!({ "access_token": "token-number-0", "expires_in": "0", "token_type": "Bearer" });
    azure.say(200, &aged);
    assert_eq!(azure.get()["access_token"], "token-number-0");
    assert_eq!(azure.get()["access_token"], token_number(1), "it is over");
    let status = azure.run(&["status", "-o", "json"]).json();
    let row = &status["profiles"][0];
    assert_eq!(row["grant"], "managed_identity", "{status}");
    assert_eq!(row["accounts"][0]["signed_in"], true, "{status}");
    let out = azure.run(&["logout", "-p", "robot"]);
    assert_eq!(out.code, Some(0), "{out:?}");
    assert_eq!(azure.sandbox.sessions().len(), 0);
    assert_eq!(azure.server.requests().len(), 2, "nobody else was asked");
}

#[test]
fn an_authority_that_has_not_issued_a_token_does_not_see_it_at_a_logout() {
    let other = HttpServer::start(|_| Answer::new(200, ""));
    let endpoints = format!(
        "endpoints = {{ revocation = \"{}\", token = \"{}\" }}\n",
        other.url("/revoke"),
        other.url("/token")
    );
    let azure = Azure::of(Place::VirtualMachine, &robot(SYSTEM, &endpoints));
    azure.get();
    let out = azure.run(&["logout", "-p", "robot"]);
    assert!(
        out.stderr
            .contains("tokens of `managed_identity` just end; access tokens end at"),
        "{out:?}"
    );
    assert_eq!(out.code, Some(0));
    assert_eq!(azure.sandbox.sessions().len(), 0);
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn a_profile_needs_one_resource_and_neither_client_nor_authority() {
    let other = "scopes = [\"https://a.example/.default\", \"https://b.example/.default\"]\n";
    let two = robot(SYSTEM, "").replace(&format!("scopes = [\"{RESOURCE}/.default\"]\n"), other);
    let none = two.replace(other, "scopes = []\n");
    for profile in [two, none] {
        let azure = Azure::of(Place::VirtualMachine, &profile);
        let said = azure.run(&["get"]).failed(3);
        assert!(said.contains("one resource at a time"), "{said}");
        assert!(said.contains("hint: name one in `scopes`"), "{said}");
        assert_eq!(azure.server.requests().len(), 0);
    }
    for (profile, part) in [
        (
            robot(SYSTEM, "client_id = \"00001111\"\n"),
            "`profiles.robot.client_id`: a managed identity is named in the `grant` table",
        ),
        (
            robot(
                "{ type = \"managed_identity\", client_id = \"a\", object_id = \"b\" }",
                "",
            ),
            "one of `client_id`, `resource_id` and `object_id`",
        ),
        (
            robot("{ type = \"managed_identity\", client_id = \"\" }", ""),
            "`client_id` is no id",
        ),
        (
            robot("{ type = \"managed_identity\", object_id = 7 }", ""),
            "`object_id` is no id",
        ),
        (
            robot("{ type = \"managed_identity\", clientid = \"a\" }", ""),
            "`profiles.robot.grant.clientid`",
        ),
    ] {
        let said = Sandbox::new(&profile).run(&["profile", "check"]).failed(3);
        assert!(said.contains(part), "{said}");
    }
    // What a preset says of a person's sign-in is no mistake.
    let of_preset = "[profiles.robot]\npreset = \"aks\"\ngrant = \"managed_identity\"\n\
                     authority = \"https://login.microsoftonline.com/t.example\"\n";
    let azure = Azure::of(Place::AppService, of_preset);
    assert_eq!(azure.get()["access_token"], token_number(1));
}

#[test]
fn every_place_is_asked_what_msal_asks() {
    /// Who MSAL is, and a name for the request that Azure's support could ask for.
    const OF_MSAL: [&str; 3] = [
        "x-client-sku: ",
        "x-client-ver: ",
        "x-ms-client-request-id: ",
    ];
    let Some(msal) = msal() else { return };
    let challenge = "{\"access_token\":{\"nbf\":{\"essential\":true}}}";
    let capable = "client_capabilities = [\"CP1\"]\n";
    for place in Place::ALL {
        let ids: &[Option<&str>] = match place {
            Place::ServiceFabric | Place::CloudShell => &[None],
            Place::MachineLearning => &[None, Some("client_id")],
            Place::AppService | Place::Arc | Place::VirtualMachine => &[
                None,
                Some("client_id"),
                Some("resource_id"),
                Some("object_id"),
            ],
        };
        for key in ids {
            let grant = key.map_or_else(
                || SYSTEM.to_owned(),
                |key| format!("{{ type = \"managed_identity\", {key} = \"an/id\" }}"),
            );
            let azure = Azure::of(place, &robot(&grant, capable));
            let mut python = Command::new("python3");
            python.arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/msal/managed_identity.py"
            ));
            python.args([&azure.server.url(""), RESOURCE, "CP1"]);
            python.args(key.iter().flat_map(|key| [*key, "an/id"]));
            let mut command = azure.in_place(python);
            command.env("PYTHONPATH", &msal);
            azure.sandbox.run_command(command).ok();
            let has_challenges = place != Place::CloudShell;
            let numbers: &[u32] = if has_challenges { &[1, 2] } else { &[1] };
            let is_ours = |text: &String| !OF_MSAL.iter().any(|own| text.starts_with(own));
            let theirs: Vec<Vec<String>> = asked(&azure)
                .into_iter()
                .map(|request| request.into_iter().filter(is_ours).collect())
                .collect();
            azure.restart();
            for (number, claims) in numbers.iter().zip([None, Some(challenge)]) {
                let claims = claims.iter().flat_map(|claims| ["--claims", claims]);
                let arguments: Vec<&str> = ["get"].into_iter().chain(claims).collect();
                let token = azure.run(&arguments).ok();
                assert_eq!(token.trim_end(), token_number(*number), "{place:?} {key:?}");
            }
            assert_eq!(asked(&azure), theirs, "{place:?} {key:?}");
            let first = digest(token_number(1).as_bytes());
            for part in ["xms_cc=CP1", &format!("token_sha256_to_refresh={first}")] {
                let is_said = theirs.iter().flatten().any(|text| text == part);
                assert_eq!(is_said, place == Place::ServiceFabric, "{part}: {theirs:?}");
            }
        }
    }
}

#[test]
fn the_token_of_a_managed_identity_is_what_another_profile_proves_itself_with() {
    let other = HttpServer::start(|_| {
        let answer = json!({
            "access_token": "token-of-the-other-cloud", "expires_in": 60, "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        Answer::new(200, answer.to_string())
    });
    let origin = other.url("");
    let rows = [
        // An application in another tenant, which trusts the identity.
        (
            format!(
                "preset = \"entra\"\nauthority = \"{origin}/tenant\"\nclient_id = \"app\"\n\
                 scopes = [\"https://graph.microsoft.com/.default\"]\n\
                 client_assertion = {{ profile = \"robot\" }}\ngrant = \"client_credentials\"\n"
            ),
            "client_assertion",
        ),
        // Another cloud, which takes its token for one of its own.
        (
            format!(
                "scopes = [\"cloud\"]\nendpoints = {{ token = \"{origin}/token\" }}\n\
                 grant = {{ type = \"token_exchange\", subject_token = {{ profile = \"robot\" }} }}\n"
            ),
            "subject_token",
        ),
    ];
    for (profile, parameter) in rows {
        let source = robot(SYSTEM, "").replace(RESOURCE, "api://AzureADTokenExchange");
        let profiles = format!("default_profile = \"cloud\"\n[profiles.cloud]\n{profile}{source}");
        let azure = Azure::of(Place::AppService, &profiles);
        azure.sandbox.secret("token-of-the-other-cloud");
        for _ in 0..2 {
            assert_eq!(azure.get()["access_token"], "token-of-the-other-cloud");
        }
        let sent = other.requests();
        assert_eq!(sent.len(), 1, "both tokens are kept");
        let proof = format!("{parameter}={}", token_number(1));
        assert!(said(&sent[0]).contains(&proof), "{:?}", said(&sent[0]));
        let asked = asked(&azure);
        assert_eq!(asked.len(), 1);
        let resource = "resource=api://AzureADTokenExchange".to_owned();
        assert!(asked[0].contains(&resource), "{asked:?}");
        // Where the identity is refused, the error says whose.
        azure.run(&["logout", "-p", "cloud", "--local"]).ok();
        azure.run(&["logout", "-p", "robot", "--local"]).ok();
        azure.say(
            400,
            &json!({"statusCode": 400, "message": "Unable to load it"}),
        );
        let error = azure.run(&["get"]).failed(5);
        for part in [
            "profile `robot`: ",
            "Unable to load it",
            "profile `cloud` needs its token",
        ] {
            assert!(error.contains(part), "{error}");
        }
        other.reset();
    }
}

#[test]
fn a_hundred_jobs_at_once_make_one_request() {
    let azure = Azure::new(Place::VirtualMachine);
    let answers: Vec<String> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| azure.run(&["get"]).ok()))
            .collect();
        jobs.into_iter()
            .map(|job| job.join().expect("it was answered"))
            .collect()
    });
    assert_eq!(azure.server.requests().len(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.trim_end() == token_number(1))
    );
}

#[test]
fn no_proxy_stands_between() {
    let proxy = HttpServer::start(|_| Answer::new(502, "I am a proxy"));
    for place in Place::ALL {
        let azure = Azure::new(place);
        let mut command = azure.command(&["get"]);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command
                .env(name, proxy.url(""))
                .env(name.to_lowercase(), proxy.url(""));
        }
        let answer = azure.sandbox.run_command(command).ok();
        assert_eq!(answer.trim_end(), token_number(1), "{place:?}");
    }
    assert_eq!(proxy.requests().len(), 0);
}

#[test]
fn a_service_with_https_has_a_certificate_that_the_profile_trusts() {
    for (tls, code) in [("tls = { ca_file = \"platform.pem\" }\n", 0), ("", 6)] {
        let azure = Azure::of(Place::AppService, &robot(SYSTEM, tls));
        let authority = CertificateAuthority::new(azure.sandbox.path(), "platform");
        let presented = authority.issue("service", "IP:127.0.0.1", "+0");
        let behind: SocketAddr = azure.server.address().parse().expect("an address");
        let front = Front::start(presented, behind);
        let mut command = azure.command(&["get"]);
        command.env("IDENTITY_ENDPOINT", format!("{}/token", front.origin()));
        let ran = azure.sandbox.run_command(command);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert_eq!(azure.server.requests().len(), usize::from(code == 0));
    }
}

#[test]
fn a_virtual_machine_is_asked_at_its_own_address_without_a_proxy() {
    let azure = Azure::new(Place::VirtualMachine);
    let script = "set -e; ip link set lo up; ip addr add 169.254.169.254/32 dev lo; mkfifo ready; \
                  python3 \"$SERVICE\" requests ready & read _ <ready; \
                  \"$@\" && code=0 || code=$?; kill $!; exit $code";
    let service = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/azure/metadata_service.py"
    );
    let own = azure.sandbox.command(&["get", "-o", "json"]);
    let mut command = Command::new("unshare");
    azure.sandbox.prepare(&mut command);
    command
        .args(["-n", "sh", "-c", script, "sh"])
        .arg(own.get_program())
        .args(own.get_args())
        .env("SERVICE", service)
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("http_proxy", "http://127.0.0.1:9");
    let answer = azure.sandbox.run_command(command).json();
    assert_eq!(answer["access_token"], "token-of-the-metadata-service");
    let requests = fs::read_to_string(azure.file("requests")).expect("it was asked");
    assert_eq!(
        requests,
        "GET /metadata/identity/oauth2/token?api-version=2018-02-01\
         &resource=https%3A%2F%2Fmanagement.azure.com%2F HTTP/1.1 Metadata: true\n"
    );
}

#[test]
fn the_agent_of_azure_arc_is_found_by_its_program() {
    let azure = Azure::new(Place::Arc);
    let own = azure.sandbox.command(&["get", "-v"]);
    let install = "mount -t tmpfs none /opt; mkdir -p /opt/azcmagent/bin; \
                   : >/opt/azcmagent/bin/himds";
    let mut command = azure.with_agent(&own, install);
    // Nobody listens at its port in a network of one's own.
    let mut alone = Command::new("unshare");
    azure.sandbox.prepare(&mut alone);
    alone
        .arg("-n")
        .arg(command.get_program())
        .args(command.get_args());
    command = alone;
    command.env_remove("CRED_HELPER_LOG");
    let said = azure.sandbox.run_command(command).failed(6);
    assert!(said.contains("Azure Arc: its agent is installed"), "{said}");
    assert!(said.contains("http://localhost:40342/metadata/identity/oauth2/token"));
    assert!(said.contains("the managed identity of Azure Arc cannot be asked"));
}

#[test]
fn a_call_waits_while_the_service_is_updated() {
    let azure = Azure::new(Place::VirtualMachine);
    azure.answer(Answer::new(410, "gone"));
    let mut command = azure.command(&["get"]);
    // Ten seconds are two there.
    let own: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(ToOwned::to_owned)
        .collect();
    let mut fast = Command::new("faketime");
    azure.sandbox.prepare(&mut fast);
    fast.args(["-f", "+0 x5"]).args(own);
    azure.settle(&mut fast);
    command = fast;
    let ran = azure.sandbox.run_command(command);
    assert!(ran.stderr.contains("which is being updated"), "{ran:?}");
    assert_eq!(ran.ok().trim_end(), token_number(1));
    eventually("both requests are written down", || {
        azure.server.requests().len() == 2
    });
}

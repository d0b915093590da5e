//! Clients that present a certificate (RFC 8705), at an authority that asks for one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::oidc_ground::Ground;
use crate::oidc_provider::http;
use crate::oidc_serve::Serve;
use crate::tls::{CertificateAuthority, Front};

const MACHINE: &str = "DNS:machine.example";

/// A certificate authority that the server trusts, its own certificate, and those of clients.
struct Certificates {
    known: CertificateAuthority,
    unknown: CertificateAuthority,
    _directory: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let known = CertificateAuthority::new(directory.path(), "known");
        let unknown = CertificateAuthority::new(directory.path(), "unknown");
        known.sign("server", "IP:127.0.0.1", "+0");
        known.sign("machine", MACHINE, "+0");
        Self {
            known,
            unknown,
            _directory: directory,
        }
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.known.path(name, "pem")
    }

    fn key(&self, name: &str) -> PathBuf {
        self.known.path(name, "key")
    }

    /// What the server is started with.
    fn options(&self) -> Value {
        json!({ "mutualTls": {
            "ca": self.known.pem(),
            "certificate": self.pem("server"),
            "key": self.key("server"),
            // The authority's own is self-signed.
            "registered": self.unknown.pem(),
        } })
    }

    fn ground(&self) -> Ground {
        Ground::new(self.options())
    }

    /// A profile's `tls`, with these keys beside `ca_file`.
    fn tls(&self, keys: &str) -> String {
        let ca_file = self.known.pem().display().to_string();
        format!("tls = {{ ca_file = \"{ca_file}\"{keys} }}\n")
    }

    /// The same with a certificate and a key.
    fn tls_with(&self, certificate: &str, key: &str) -> String {
        self.tls(&format!(
            ", client_certificate = \"{}\", client_key = \"{}\"",
            self.pem(certificate).display(),
            self.key(key).display()
        ))
    }
}

/// The name of a certificate as RFC 8705 §3.1 has it, said by somebody else.
fn thumbprint(certificate: &PathBuf) -> String {
    let script = "openssl x509 -in \"$1\" -outform DER | openssl dgst -sha256 -binary | \
                  openssl base64 -A | tr +/ -_ | tr -d =";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(certificate)
        .output()
        .expect("sh starts");
    let text = String::from_utf8(output.stdout).expect("it is base64");
    assert_eq!(text.len(), 43, "{text}");
    text
}

fn method(name: &str) -> String {
    format!("client_auth_method = \"{name}\"\n")
}

const SCOPES: &str = "scopes = [\"api:read\"]\n";

#[test]
fn a_certificate_proves_who_the_client_is_and_its_tokens_are_bound_to_it() {
    let certificates = Certificates::new();
    let ground = certificates.ground();
    for (client_id, name, certificate) in [
        ("machine", "tls_client_auth", "machine"),
        (
            "machine-self-signed",
            "self_signed_tls_client_auth",
            "unknown",
        ),
    ] {
        let keys = format!(
            "client_id = \"{client_id}\"\n{SCOPES}{}{}",
            method(name),
            certificates.tls_with(certificate, certificate)
        );
        let bound_to = thumbprint(&certificates.pem(certificate));
        ground.authority.reset_requests();
        ground.set_profile(&keys);
        let first = ground.sign_in("ada");
        ground.expire();
        let second = ground.get_json(&[]);
        assert_eq!(second["source"], "refresh");
        let second = second["access_token"].as_str().expect("a token").to_owned();
        let refresh_token = ground.refresh_token();
        for token in [&first, &second] {
            let known = ground.authority.introspect(token);
            assert_eq!(known["client_id"], client_id);
            assert_eq!(known["x5t"], bound_to.as_str());
        }
        let ran = ground.run(&["logout"]);
        assert!(!ran.stderr.contains("warning"), "{ran:?}");
        for token in [&second, &refresh_token] {
            assert_eq!(ground.authority.introspect(token)["active"], false);
        }
        // The same client as itself.
        ground.set_profile(&format!("{keys}grant = \"client_credentials\"\n"));
        let own = ground.get_json(&[]);
        assert_eq!(own["source"], "client_credentials");
        let own = own["access_token"].as_str().expect("a token");
        let known = ground.authority.introspect(own);
        assert_eq!(known["kind"], "ClientCredentials");
        assert_eq!(known["x5t"], bound_to.as_str());
        ground.run(&["logout"]).ok();
        assert_eq!(ground.authority.introspect(own)["active"], false);
        let requests = ground.authority.requests();
        let polls = requests.token("device_code");
        assert_eq!(requests.token("refresh_token"), 1);
        assert_eq!(
            requests.authentication,
            [("certificate".to_owned(), polls + 2)].into(),
            "each came with the certificate, at the aliases of the metadata"
        );
        assert!(requests.revocation >= 2, "{requests:?}");
    }
}

#[test]
fn a_public_clients_sign_in_belongs_to_its_certificate_which_may_be_replaced_for_a_machines() {
    let certificates = Certificates::new();
    certificates.known.sign("other", MACHINE, "+0");
    let ground = certificates.ground();
    let profile = |client_id: &str, keys: &str, tls: &str| {
        ground.set_profile(&format!("client_id = \"{client_id}\"\n{SCOPES}{keys}{tls}"));
    };
    let machine = certificates.tls_with("machine", "machine");
    profile("cli-bound", "", &machine);
    ground.sign_in("ada");
    ground.expire();
    let bound = ground.get_json(&[]);
    assert_eq!(bound["source"], "refresh");
    let known = ground
        .authority
        .introspect(bound["access_token"].as_str().expect("a token"));
    assert_eq!(
        known["x5t"],
        thumbprint(&certificates.pem("machine")).as_str()
    );
    // Whoever comes with another one, or with none, neither uses that sign-in nor ends it.
    for tls in [
        certificates.tls_with("other", "other"),
        certificates.tls(""),
    ] {
        profile("cli-bound", "", &tls);
        let error = ground.fail(4, &["get"]);
        assert_eq!(error["kind"], "login_required", "{error}");
    }
    profile("cli-bound", "", &machine);
    assert_eq!(ground.get_json(&["--force-refresh"])["source"], "refresh");

    // A certificate is renewed in its place before it expires.
    ground.run(&["logout"]).ok();
    let in_place = certificates.tls_with("current", "current");
    let renew = |from: &str| {
        fs::copy(certificates.pem(from), certificates.pem("current")).expect("it is there");
        fs::copy(certificates.key(from), certificates.key("current")).expect("it is there");
    };
    renew("machine");
    let keys = method("tls_client_auth");
    profile("machine", &keys, &in_place);
    ground.sign_in("ada");
    assert_eq!(ground.get_json(&[])["source"], "cache");
    renew("other");
    let renewed = ground.get_json(&[]);
    assert_eq!(renewed["source"], "refresh", "the sign-in goes on");
    let known = ground
        .authority
        .introspect(renewed["access_token"].as_str().expect("a token"));
    assert_eq!(
        known["x5t"],
        thumbprint(&certificates.pem("other")).as_str()
    );
    assert_eq!(ground.get_json(&[])["source"], "cache");

    // A program that stays notices that as well.
    let mut serve = Serve::start(&ground);
    for from in ["other", "machine", "other"] {
        renew(from);
        let request = json!({ "kind": "get", "profile": "api", "force_refresh": true });
        let answer = serve.ask(request);
        let token = answer["Ok"]["access_token"].as_str();
        let token = token.unwrap_or_else(|| panic!("{answer}"));
        let known = ground.authority.introspect(token);
        assert_eq!(known["x5t"], thumbprint(&certificates.pem(from)).as_str());
    }
    assert_eq!(serve.end(), Some(0));
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let certificates = Certificates::new();
    certificates.known.sign("expired", MACHINE, "-3d");
    certificates
        .known
        .sign("stranger", "DNS:other.example", "+0");
    certificates.unknown.sign("foreign", MACHINE, "+0");
    let ground = certificates.ground();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-ec", script])
            .env("P", certificates.pem("machine"));
        command.env("K", certificates.key("machine"));
        command.env("D", ground.sandbox.path());
        assert!(command.status().expect("sh starts").success(), "{script}");
    };
    shell("openssl pkcs8 -topk8 -in $K -passout pass:x -out $D/encrypted.key");
    shell("openssl ec -aes128 -in $K -passout pass:x -out $D/older.key 2>$D/said");
    shell("cat $P $D/encrypted.key >$D/encrypted.pem; echo nothing >$D/nothing.pem");
    let own = |certificate: &str, key: &str| {
        let key = if key.is_empty() {
            String::new()
        } else {
            format!(", client_key = \"{key}\"")
        };
        certificates.tls(&format!(", client_certificate = \"{certificate}\"{key}"))
    };
    let pem = certificates.pem("machine").display().to_string();
    for (tls, code, expected) in [
        (
            certificates.tls_with("expired", "expired"),
            5,
            "invalid_client",
        ),
        (
            certificates.tls_with("stranger", "stranger"),
            5,
            "invalid_client",
        ),
        (
            certificates.tls_with("foreign", "foreign"),
            5,
            "invalid_client",
        ),
        (
            certificates.tls_with("machine", "server"),
            3,
            "is not that of the certificate in",
        ),
        (own(&pem, ""), 3, "holds no private key in PEM"),
        (own(&pem, "gone.key"), 3, "gone.key` cannot be read"),
        (
            own(&pem, "nothing.pem"),
            3,
            "nothing.pem` holds no private key in PEM",
        ),
        (own(&pem, "encrypted.key"), 3, "encrypted.key` is encrypted"),
        (own(&pem, "older.key"), 3, "older.key` is encrypted"),
        (own("encrypted.pem", ""), 3, "encrypted.pem` is encrypted"),
        (
            own("nothing.pem", "nothing.pem"),
            3,
            "nothing.pem` holds no certificate in PEM",
        ),
        (own("gone.pem", ""), 3, "gone.pem` cannot be read"),
    ] {
        ground.set_profile(&format!(
            "client_id = \"machine\"\n{SCOPES}{}{tls}grant = \"client_credentials\"\n",
            method("tls_client_auth"),
        ));
        let error = ground.fail(code, &["get"]);
        assert!(error.to_string().contains(expected), "{tls}: {error}");
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("client_certificate"), "{tls}: {error}");
    }
}

#[test]
fn a_server_that_ends_the_handshake_for_want_of_a_certificate_is_understood() {
    let certificates = Certificates::new();
    certificates.unknown.sign("foreign", MACHINE, "+0");
    certificates.known.sign("expired", MACHINE, "-3d");
    let ground = Ground::new(json!({}));
    let behind = ground.authority.issuer().trim_start_matches("http://");
    let demands = certificates
        .known
        .present("server", Some(&certificates.known));
    let front = Front::start(demands, behind.parse().expect("it is an address"));
    let set = |tls: &str| {
        ground.set_profile(&format!(
            "client_id = \"service\"\n{SCOPES}grant = \"client_credentials\"\n{tls}\
             client_secret = {{ env = \"SERVICE_SECRET\" }}\n\
             endpoints = {{ token = \"{}/token\" }}\n",
            front.origin()
        ));
    };
    let run = |arguments: &[&str]| {
        let mut command = ground.sandbox.command(arguments);
        command.env("SERVICE_SECRET", ground.authority.service_secret());
        ground.run_command(command)
    };
    for (tls, expected) in [
        (certificates.tls(""), "CertificateRequired"),
        (certificates.tls_with("foreign", "foreign"), "UnknownCA"),
        (
            certificates.tls_with("expired", "expired"),
            "CertificateExpired",
        ),
    ] {
        set(&tls);
        let error = run(&["get"]).failed(6);
        assert!(error.contains(expected), "{tls}: {error}");
        assert!(error.contains("hint: nothing was lost"), "{error}");
        assert!(error.contains("`client_certificate`"), "{error}");
    }
    assert_eq!(ground.authority.requests().total, 0, "nothing was read");
    set(&certificates.tls_with("machine", "machine"));
    run(&["get"]).ok();
}

#[test]
fn request_presents_the_certificate_that_the_token_is_bound_to() {
    let certificates = Certificates::new();
    let ground = certificates.ground();
    let issuer = ground.authority.issuer();
    let metadata = http::request(
        "GET",
        &format!("{issuer}/.well-known/openid-configuration"),
        &[],
        "",
    );
    let metadata = metadata.expect("it answers").json();
    let userinfo = metadata["mtls_endpoint_aliases"]["userinfo_endpoint"].as_str();
    let userinfo = userinfo.expect("it is on the server that asks for a certificate");
    ground.set_profile(&format!(
        "client_id = \"cli-bound\"\nscopes = [\"openid\"]\nendpoint = \"{userinfo}\"\nurls = [\"{issuer}\"]\n{}",
        certificates.tls_with("machine", "machine")
    ));
    ground.sign_in("ada");
    assert_eq!(ground.run(&["request"]).json()["sub"], "ada");
    // The same token without it is of no use.
    let ran = ground.run(&["request", &format!("{issuer}/me")]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
}

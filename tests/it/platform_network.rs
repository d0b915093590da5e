//! How a platform's own services are reached: in plain http beside this machine alone, or with one
//! certificate and no other.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cred_helper::context::{Http, HttpFailure, HttpRequest, HttpResponse, Tls};
use cred_helper::digest::sha1;
use cred_helper::system::http::Network;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::http_server::{Answer, HttpServer};
use crate::tls::{CertificateAuthority, Front};

fn ask(url: &str, tls: &Tls) -> Result<HttpResponse, HttpFailure> {
    let request = HttpRequest {
        method: "GET",
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
    };
    Network::default().send(&request, tls, Duration::from_secs(20))
}

#[test]
fn plain_http_leaves_this_machine_for_a_platform_alone() {
    let platform = Tls {
        is_of_platform: true,
        ..Tls::default()
    };
    let pinned = Tls {
        thumbprint: Some([7; 20]),
        ..platform.clone()
    };
    for (url, tls) in [
        ("http://169.254.169.254/", &Tls::default()),
        ("http://172.16.1.3:8081/", &Tls::default()),
        ("http://10.0.0.4/", &platform),
        ("http://metadata.example/", &platform),
        ("http://[fe80::1]/", &platform),
        // Where a certificate is wanted, there is no way without one.
        ("http://169.254.169.254/", &pinned),
        ("http://127.0.0.1:9/", &pinned),
    ] {
        let Err(failure) = ask(url, tls) else {
            panic!("{url} was asked");
        };
        let refused = HttpFailure::NotSent("only https is allowed".to_owned());
        assert_eq!(failure, refused, "{url}");
    }
}

#[test]
fn a_pinned_peer_has_that_certificate_and_its_key_and_no_other() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let authority = CertificateAuthority::new(directory.path(), "authority");
    // Neither its name nor its time is right.
    let own = authority.issue("own", "DNS:elsewhere.example", "-3d");
    let other = authority.issue("other", "IP:127.0.0.1", "+0");
    let server = HttpServer::start(|_| Answer::new(200, "here"));
    let behind: SocketAddr = server.address().parse().expect("it is an address");
    let front = Front::start(own, behind);
    let certificate = |name: &str| {
        CertificateDer::from_pem_file(directory.path().join(name)).expect("it was made")
    };
    let tls = |name: &str| Tls {
        thumbprint: sha1(&certificate(name)).try_into().ok(),
        is_of_platform: true,
        ..Tls::default()
    };
    let body = |tls: &Tls| ask(&front.origin(), tls).map(|response| response.body.to_vec());
    assert_eq!(body(&tls("own.pem")), Ok(b"here".to_vec()));
    assert_eq!(server.requests().len(), 1);
    // One that is good for everybody else, and one that whoever issued the right one has.
    front.present(other);
    for name in ["own.pem", "authority.pem"] {
        let failure = body(&tls(name)).expect_err("it is another certificate");
        assert!(matches!(failure, HttpFailure::NotSent(_)), "{failure:?}");
        assert!(failure.reason().contains("certificate"), "{failure:?}");
    }
    assert_eq!(server.requests().len(), 1, "nothing was sent");
}

/// What presents a certificate and has another one's key.
fn forge(certificate: CertificateDer<'static>, key: &Path) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_file(key).expect("it was made");
    let key = provider.key_provider.load_private_key(key);
    let certified = CertifiedKey::new(vec![certificate], key.expect("it is a key"));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Arc::new(config)
}

#[test]
fn a_pinned_certificate_without_its_key_is_worth_nothing() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let authority = CertificateAuthority::new(directory.path(), "authority");
    let own = directory.path().join("own.pem");
    authority.issue("own", "IP:127.0.0.1", "+0");
    // Whoever stands between has seen the certificate, and signs with a key of their own.
    let stolen = CertificateDer::from_pem_file(&own).expect("it was made");
    let thumbprint = sha1(&stolen).try_into().ok();
    authority.issue("forger", "IP:127.0.0.1", "+0");
    let forged = forge(stolen, &directory.path().join("forger.key"));
    let server = HttpServer::start(|_| Answer::new(200, "here"));
    let behind: SocketAddr = server.address().parse().expect("it is an address");
    let front = Front::start(forged, behind);
    let tls = Tls {
        thumbprint,
        is_of_platform: true,
        ..Tls::default()
    };
    let failure = ask(&front.origin(), &tls).map(|response| response.status);
    let failure = failure.expect_err("the signature is another's");
    assert!(failure.reason().contains("BadSignature"), "{failure:?}");
    assert_eq!(server.requests().len(), 0, "nothing was sent");
}

//! The network: the only file that names reqwest, and beside `pinned.rs` the only one that names rustls.
//!
//! The client is built when the first request is due; a silent answer never pays for it.

use std::cell::RefCell;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, crypto};
use zeroize::Zeroizing;

use crate::context::{
    ClientCertificate, Context, Http, HttpFailure, HttpRequest, HttpResponse, StreamedRequest,
    StreamedResponse, Tls, Upload,
};
use crate::digest::digest;
use crate::endpoint::{is_beside_this_machine, is_loopback};
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::system::pinned;

/// What speaks TLS, and whom it trusts.
pub const TLS: &str = "rustls with ring, the system's authorities";

/// How long may a connection take to be made?
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long may one to the platform's own service take? Where there is none, nobody refuses it.
const CONNECT_LIMIT_OF_PLATFORM: Duration = Duration::from_secs(2);
/// How many bytes a second may an upload bring at least?
const SLOWEST_UPLOAD: u64 = 50_000;
/// How large may an answer be? Metadata and token answers are a few kilobytes.
const LONGEST_BODY: u64 = 1024 * 1024;

/// What decides how a client is built.
#[derive(PartialEq, Eq)]
struct Settings {
    tls: Tls,
    /// What the files hold that it names: they are replaced while a program runs.
    files: Vec<Option<String>>,
    /// Whether no proxy stands between.
    is_direct: bool,
    is_plain: bool,
    /// How long the head of an answer is waited for, and then each part of its body.
    patience: Duration,
}

/// The network, through reqwest: blocking, rustls with ring, no redirects.
#[derive(Default)]
pub struct Network {
    clients: RefCell<Vec<(Settings, Client)>>,
}

impl Network {
    fn client(&self, settings: Settings) -> Result<Client, HttpFailure> {
        let is_it = |(built_with, _): &&(Settings, Client)| *built_with == settings;
        if let Some((_, client)) = self.clients.borrow().iter().find(is_it) {
            return Ok(client.clone());
        }
        // Fails only if a provider is there already, which is then the same one.
        drop(crypto::ring::default_provider().install_default());
        let mut builder = Client::builder()
            .user_agent(concat!("cred-helper/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(settings.patience)
            .connect_timeout(if settings.tls.is_of_platform {
                CONNECT_LIMIT_OF_PLATFORM
            } else {
                CONNECT_LIMIT
            })
            // A connection kept open may be closed by the other side at the moment it is used
            // again, and then nobody knows whether the request was read.
            .pool_max_idle_per_host(0);
        if settings.is_direct {
            builder = builder.no_proxy();
        }
        if let Some(thumbprint) = settings.tls.thumbprint {
            let pinned = pinned::configuration(thumbprint).map_err(HttpFailure::NotSent)?;
            builder = builder.tls_backend_preconfigured(pinned);
        } else if settings.is_plain {
            // To read the system's certificate authorities takes longer than all the rest.
            builder = builder.tls_certs_only([]);
        } else {
            if let Some(path) = &settings.tls.ca_file {
                let certificates =
                    authorities(path).map_err(|reason| unusable("ca_file", reason))?;
                builder = builder.tls_certs_only(certificates);
            }
            if let Some(certificate) = &settings.tls.client_certificate {
                let identity = identity(certificate);
                let wrong = |reason| unusable("client_certificate", reason);
                builder = builder.identity(identity.map_err(wrong)?);
            }
        }
        let client = builder
            .build()
            .map_err(|error| HttpFailure::NotSent(reason(&error)))?;
        // The last one that is dropped waits for its threads, and one of them may be waiting for
        // a name server that does not answer: the call would outlive its limit by minutes.
        std::mem::forget(client.clone());
        let mut clients = self.clients.borrow_mut();
        let is_other = |(built_with, _): &(Settings, Client)| {
            built_with.tls != settings.tls || built_with.files == settings.files
        };
        clients.retain(is_other);
        clients.push((settings, client.clone()));
        Ok(client)
    }

    /// The client for a URL, which is checked where it is read, too: this is the last gate before a secret
    /// leaves.
    fn client_for(
        &self,
        url: &str,
        tls: &Tls,
        patience: Duration,
    ) -> Result<(Client, Url), HttpFailure> {
        let url = Url::parse(url)
            .map_err(|error| HttpFailure::NotSent(format!("the URL cannot be read: {error}")))?;
        let is_loopback = url.host_str().is_some_and(is_loopback);
        let may_be_plain = tls.thumbprint.is_none()
            && (is_loopback
                || tls.is_of_platform && url.host_str().is_some_and(is_beside_this_machine));
        if url.scheme() != "https" && !(url.scheme() == "http" && may_be_plain) {
            return Err(HttpFailure::NotSent("only https is allowed".to_owned()));
        }
        let is_plain = url.scheme() == "http";
        let client = self.client(Settings {
            tls: tls.clone(),
            files: if is_plain { Vec::new() } else { held(tls) },
            is_direct: is_loopback || tls.is_of_platform,
            is_plain,
            patience,
        })?;
        Ok((client, url))
    }
}

impl Http for Network {
    fn send(
        &self,
        request: &HttpRequest,
        tls: &Tls,
        limit: Duration,
    ) -> Result<HttpResponse, HttpFailure> {
        let (client, url) = self.client_for(&request.url, tls, Context::REQUEST_LIMIT)?;
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
        let mut builder = match request.method {
            "POST" => client.post(url),
            _ => client.get(url),
        };
        if let Some(body) = &request.body {
            builder = builder.body(body.expose().to_owned());
        }
        let response = send(builder.headers(sensitive(headers)?).timeout(limit))?;
        let (status, headers) = head(&response);
        let mut body = Zeroizing::new(Vec::new());
        response
            .take(LONGEST_BODY + 1)
            .read_to_end(&mut body)
            .map_err(|error| {
                HttpFailure::NotAnswered(format!("the answer broke off: {}", reason(&error)))
            })?;
        if body.len() as u64 > LONGEST_BODY {
            return Err(HttpFailure::NotAnswered(format!(
                "the answer is longer than {LONGEST_BODY} bytes"
            )));
        }
        Ok(HttpResponse {
            status,
            headers,
            body,
        })
    }

    fn stream(
        &self,
        request: StreamedRequest,
        tls: &Tls,
        limit: Duration,
    ) -> Result<StreamedResponse, HttpFailure> {
        let length = request.body.as_ref().map_or(0, |body| body.length);
        // A limit of the request's own would be one for the whole answer.
        let patience = limit + Duration::from_secs(length / SLOWEST_UPLOAD);
        let (client, url) = self.client_for(&request.url, tls, patience)?;
        let unsendable = |what: &str| HttpFailure::NotSent(format!("{what} cannot be sent"));
        let method = Method::from_bytes(request.method.as_bytes());
        let mut builder = client.request(method.map_err(|_| unsendable("the method"))?, url);
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            headers.push((name.map_err(|_| unsendable("the name of a header"))?, value));
        }
        if let Some(Upload { bytes, length }) = request.body {
            builder = builder.body(Body::sized(bytes, length));
        }
        let response = send(builder.headers(sensitive(headers)?))?;
        let (status, headers) = head(&response);
        Ok(StreamedResponse {
            head: HttpResponse {
                status,
                headers,
                body: Zeroizing::default(),
            },
            body: Box::new(response),
        })
    }
}

/// Headers whose values no log of the client's shows.
fn sensitive<'h>(
    given: impl IntoIterator<Item = (HeaderName, &'h Secret)>,
) -> Result<HeaderMap, HttpFailure> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
            HttpFailure::NotSent(format!("the header {name} holds a control character"))
        })?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn send(builder: RequestBuilder) -> Result<Response, HttpFailure> {
    builder.send().map_err(|error| {
        let reason = reason(&error);
        if error.is_connect() || error.is_builder() || refuses_certificate(&reason) {
            HttpFailure::NotSent(reason)
        } else {
            HttpFailure::NotAnswered(reason)
        }
    })
}

/// The status, and the headers that are text.
fn head(response: &Response) -> (u16, Vec<(String, Secret)>) {
    let headers = response.headers().iter();
    let headers = headers.filter_map(|(name, value)| {
        let value = Secret::new(value.to_str().ok()?);
        Some((name.as_str().to_owned(), value))
    });
    (response.status().as_u16(), headers.collect())
}

/// What the files hold that a profile names for its connections; `None` for one that cannot be read,
/// which is told when a client is built.
fn held(tls: &Tls) -> Vec<Option<String>> {
    let own = tls.client_certificate.as_ref();
    let key = own.and_then(|own| own.key.as_ref());
    let files = [tls.ca_file.as_ref(), own.map(|own| &own.file), key];
    let held = |file: &PathBuf| Some(digest(&read(file).ok()?));
    files.into_iter().flatten().map(held).collect()
}

/// What a profile names for its connections is wrong.
fn unusable(key: &str, reason: String) -> HttpFailure {
    let error = Error::new(ErrorKind::Config, reason);
    HttpFailure::Misconfigured(Box::new(
        error.hint(format!("check `tls.{key}` of the profile")),
    ))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let read = fs::read(path).map(Zeroizing::new);
    read.map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, String> {
    let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?)
        .map_err(|error| format!("`{}`: {}", path.display(), reason(&error)))?;
    if certificates.is_empty() {
        return Err(format!("`{}` holds no certificate", path.display()));
    }
    Ok(certificates)
}

/// Reads a certificate and its key, and sees to it that they belong together.
fn identity(certificate: &ClientCertificate) -> Result<reqwest::Identity, String> {
    let file = &certificate.file;
    let key_file = certificate.key.as_ref().unwrap_or(file);
    let pem = read(file)?;
    let key_pem = read(key_file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("`{}` is no PEM file: {error}", file.display()))?;
    if chain.is_empty() {
        return Err(format!("`{}` holds no certificate in PEM", file.display()));
    }
    // PKCS#8, and OpenSSL's older form.
    let is_encrypted = [&b"ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .into_iter()
        .any(|mark| key_pem.windows(mark.len()).any(|part| part == mark));
    let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| {
        if is_encrypted {
            format!(
                "the key in `{}` is encrypted: decrypt it (`openssl pkey`) into a file that is \
                 yours alone",
                key_file.display()
            )
        } else {
            format!("`{}` holds no private key in PEM", key_file.display())
        }
    })?;
    let pair = CertifiedKey::from_der(chain, key, &crypto::ring::default_provider());
    pair.map_err(|error| {
        let (file, key_file) = (file.display(), key_file.display());
        if error == InconsistentKeys::KeyMismatch.into() {
            format!("the key in `{key_file}` is not that of the certificate in `{file}`")
        } else {
            format!("`{file}` with the key in `{key_file}`: {error}")
        }
    })?;
    // The last key is the one that counts.
    let parts: &[&[u8]] = match &certificate.key {
        Some(_) => &[&pem, b"\n", &key_pem],
        None => &[&pem],
    };
    reqwest::Identity::from_pem(&Zeroizing::new(parts.concat()))
        .map_err(|error| format!("`{}`: {}", file.display(), reason(&error)))
}

/// Whether the other side ended the handshake for want of a certificate, or because of the one that
/// was presented. In TLS 1.3 that is noticed when an answer is waited for, and the request was not
/// read all the same ([RFC 8446 §6.2](https://www.rfc-editor.org/rfc/rfc8446#section-6.2)).
fn refuses_certificate(reason: &str) -> bool {
    const ALERTS: [&str; 9] = [
        "AccessDenied",
        "BadCertificate",
        "CertificateExpired",
        "CertificateRequired",
        "CertificateRevoked",
        "CertificateUnknown",
        "HandshakeFailure",
        "UnknownCA",
        "UnsupportedCertificate",
    ];
    let alert = reason.split_once("received fatal alert: ");
    alert.is_some_and(|(_, alert)| ALERTS.iter().any(|name| alert.starts_with(name)))
}

/// The innermost causes of an error, without the URL.
fn reason(error: &dyn std::error::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !causes.iter().any(|earlier| earlier.contains(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    match causes.len() {
        0 => error.to_string(),
        1 => causes.remove(0),
        length => causes.split_off(length - 2).join(": "),
    }
}

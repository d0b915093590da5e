//! https on loopback: certificates of an authority that a test makes, and a server that presents
//! them in front of one that speaks http.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A certificate authority, whose files lie in a directory.
pub(crate) struct CertificateAuthority {
    directory: PathBuf,
    name: &'static str,
}

impl CertificateAuthority {
    /// Makes one.
    pub(crate) fn new(directory: &Path, name: &'static str) -> Self {
        let authority = Self {
            directory: directory.to_owned(),
            name,
        };
        fs::write(
            authority.file("cnf"),
            "[req]\ndistinguished_name = dn\n[dn]\n",
        )
        .expect("the directory is the test's");
        authority.make(
            "+0",
            name,
            &["-addext", "basicConstraints=critical,CA:TRUE"],
        );
        authority
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.path(self.name, extension)
    }

    /// The file of a certificate (`pem`) or its key (`key`) by name.
    pub(crate) fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.directory.join(format!("{name}.{extension}"))
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> PathBuf {
        self.file("pem")
    }

    /// Makes a key and a certificate for a day, beginning when a wrong clock says.
    fn make(&self, clock: &str, name: &str, options: &[&str]) {
        let path = |extension: &str| self.path(name, extension).display().to_string();
        let config = self.file("cnf").display().to_string();
        let output = Command::new("faketime")
            .args(["-f", clock])
            .args(["openssl", "req", "-x509", "-nodes", "-days", "1"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-config", &config, "-subj", &format!("/CN={name}")])
            .args(["-keyout", &path("key"), "-out", &path("pem")])
            .args(options)
            .output()
            .expect("faketime and openssl start");
        assert!(output.status.success(), "{output:?}");
    }

    /// A certificate for these names, such as `IP:127.0.0.1`, issued when the clock showed that
    /// much more or less, such as `-3d`; it is good for a day. Its files are at [`Self::path`].
    pub(crate) fn sign(&self, name: &str, subject: &str, clock: &str) {
        let (ca, key) = (
            self.pem().display().to_string(),
            self.file("key").display().to_string(),
        );
        let subject = format!("subjectAltName={subject}");
        self.make(
            clock,
            name,
            &["-CA", &ca, "-CAkey", &key, "-addext", &subject],
        );
    }

    /// The same for a server, with its key.
    pub(crate) fn issue(&self, name: &str, subject: &str, clock: &str) -> Arc<ServerConfig> {
        self.sign(name, subject, clock);
        self.present(name, None)
    }

    /// What a server presents whose certificate was signed. It demands certificates of that
    /// authority, if one is given.
    pub(crate) fn present(&self, name: &str, of: Option<&Self>) -> Arc<ServerConfig> {
        let read = |path: PathBuf| CertificateDer::from_pem_file(path).expect("it was made");
        let key = PrivateKeyDer::from_pem_file(self.path(name, "key")).expect("it was made");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = of.map(|authority| {
            let mut roots = RootCertStore::empty();
            roots.add(read(authority.pem())).expect("it is one");
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .expect("it has roots")
        });
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them");
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let config = builder
            .with_single_cert(vec![read(self.path(name, "pem"))], key)
            .expect("the key is the certificate's");
        Arc::new(config)
    }
}

/// Speaks https for a server behind it that speaks http, one request a connection. It ends with
/// the test's process.
pub(crate) struct Front {
    address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    broken_off: Arc<AtomicUsize>,
}

impl Front {
    /// Stands on a free port of 127.0.0.1, and sends everything on to `behind`.
    pub(crate) fn start(config: Arc<ServerConfig>, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let config = Arc::new(Mutex::new(config));
        let presented = Arc::clone(&config);
        let broken_off = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&broken_off);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = presented
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    if pass(config, stream, behind).is_err() {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self {
            address,
            config,
            broken_off,
        }
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How many connections came to nothing, such as those whose client did not like what was
    /// presented.
    pub(crate) fn broken_off(&self) -> usize {
        self.broken_off.load(Ordering::SeqCst)
    }

    /// Presents this from now on.
    pub(crate) fn present(&self, config: Arc<ServerConfig>) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

/// Passes one request on, and its answer back.
fn pass(config: Arc<ServerConfig>, stream: TcpStream, behind: SocketAddr) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut chunk = [0; 4096];
        match client.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => request.extend_from_slice(&chunk[..length]),
            Err(error) => {
                // If something were left unread, the connection would be reset, and the client would
                // not hear why.
                client.sock.shutdown(Shutdown::Write)?;
                io::copy(&mut client.sock, &mut io::sink())?;
                return Err(error);
            }
        }
    }
    let mut server = TcpStream::connect(behind)?;
    server.write_all(&request)?;
    io::copy(&mut server, &mut client)?;
    client.conn.send_close_notify();
    client.flush()
}

/// Whether this is a head, and as much after it as it says.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(Ok(0), |length| length.trim().parse());
    length.is_ok_and(|length: usize| body.len() >= length)
}

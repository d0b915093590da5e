//! Keys and certificates in every form that OpenSSL writes, made anew for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory in which OpenSSL works.
pub(crate) struct OpenSsl {
    directory: PathBuf,
}

impl OpenSsl {
    /// Works in that directory.
    pub(crate) fn new(directory: &Path) -> Self {
        let config = "[req]\ndistinguished_name = dn\n[dn]\n";
        fs::write(directory.join("openssl.cnf"), config).expect("the directory is the test's");
        Self {
            directory: directory.to_owned(),
        }
    }

    /// A file in the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What it holds.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A certificate as DER.
    pub(crate) fn der(&self, name: &str) -> Vec<u8> {
        self.run(&format!("x509 -in {name}.pem -outform DER -out {name}.der"));
        self.read(&format!("{name}.der"))
    }

    /// Its text.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("PEM is text")
    }

    /// Writes a file of the text of others.
    pub(crate) fn join(&self, name: &str, parts: &[&str]) -> PathBuf {
        let text: String = parts.iter().map(|part| self.text(part)).collect();
        fs::write(self.file(name), text).expect("the directory is the test's");
        self.file(name)
    }

    /// Runs a line, whose names of files are in the directory.
    pub(crate) fn run(&self, line: &str) {
        assert!(self.succeeds(line), "{line}");
    }

    /// Whether a line ends well.
    pub(crate) fn succeeds(&self, line: &str) -> bool {
        self.ends_well(Command::new("openssl"), line)
    }

    fn ends_well(&self, mut openssl: Command, line: &str) -> bool {
        openssl.args(line.split(' ')).current_dir(&self.directory);
        let output = openssl.output().expect("openssl and faketime start");
        output.status.success()
    }

    /// Makes a key, `NAME.key` as PKCS#8, and `NAME.pem`, its certificate for a day.
    pub(crate) fn make(&self, name: &str, kind: &str) {
        self.make_by(Command::new("openssl"), name, kind);
    }

    /// The same three days ago: the certificate has ended.
    pub(crate) fn make_long_ago(&self, name: &str, kind: &str) {
        let mut openssl = Command::new("faketime");
        openssl.args(["-f", "-3d", "openssl"]);
        self.make_by(openssl, name, kind);
    }

    fn make_by(&self, openssl: Command, name: &str, kind: &str) {
        self.run(&format!("genpkey -out {name}.key {kind}"));
        let line = format!(
            "req -x509 -config openssl.cnf -key {name}.key -subj /CN={name} -days 1 -out {name}.pem"
        );
        assert!(self.ends_well(openssl, &line), "{line}");
    }
}

/// Kinds of keys, for [`OpenSsl::make`].
pub(crate) const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
pub(crate) const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
pub(crate) const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";

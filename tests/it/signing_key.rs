//! Keys in every form that OpenSSL writes: what is read of them, and what they sign.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cred_helper::error::ErrorKind;
use cred_helper::signing_key::{Algorithm, KeyFile, Problem};

use crate::openssl::{OpenSsl, P256, P384, RSA};

const MESSAGE: &[u8] = b"header.claims";
const PASSPHRASE: &str = "a passphrase: \u{fc}\u{1f511}";

/// A key that OpenSSL reads as well, with its certificate `one.pem`.
fn openssl(kind: &str) -> (tempfile::TempDir, OpenSsl) {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let openssl = OpenSsl::new(directory.path());
    openssl.make("one", kind);
    openssl.run("pkey -in one.key -pubout -out one.pub");
    fs::write(openssl.file("message"), MESSAGE).expect("it can be written");
    fs::write(openssl.file("passphrase"), PASSPHRASE).expect("it can be written");
    (directory, openssl)
}

/// Has OpenSSL verify what the key in a file signs.
#[track_caller]
fn assert_signs(openssl: &OpenSsl, file: &str, passphrase: Option<&str>) {
    let read = KeyFile::read(&openssl.read(file), passphrase);
    let key = read.map(KeyFile::into_key);
    let key = key.unwrap_or_else(|problem| panic!("{file}: {problem:?}"));
    for algorithm in key.algorithms() {
        let signature = key.sign(*algorithm, MESSAGE).expect("it signs in this way");
        let (signature, options) = match algorithm {
            Algorithm::Rs256 => (signature, "-sha256"),
            Algorithm::Ps256 => (
                signature,
                "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32",
            ),
            Algorithm::Es256 => (as_der(&signature), "-sha256"),
            Algorithm::Es384 => (as_der(&signature), "-sha384"),
        };
        fs::write(openssl.file("signature"), signature).expect("it can be written");
        let line = format!("dgst {options} -verify one.pub -signature signature message");
        assert!(openssl.succeeds(&line), "{file} {algorithm:?}");
    }
}

/// A signature of two numbers side by side as OpenSSL has it: a sequence of two integers.
fn as_der(signature: &[u8]) -> Vec<u8> {
    let (one, other) = signature.split_at(signature.len() / 2);
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let mut bytes = number[zeros..].to_vec();
        if bytes[0] >= 0x80 {
            bytes.insert(0, 0);
        }
        [
            vec![2, u8::try_from(bytes.len()).expect("it is short")],
            bytes,
        ]
        .concat()
    };
    let content = [integer(one), integer(other)].concat();
    let length = u8::try_from(content.len()).expect("it is short");
    [vec![0x30, length], content].concat()
}

#[test]
fn every_wrong_passphrase_is_told_as_one() {
    let (_directory, openssl) = openssl(P256);
    openssl.run("pkcs8 -topk8 -in one.key -iter 1 -passout file:passphrase -out encrypted.key");
    let pem = openssl.read("encrypted.key");
    // One of 256 brings an end that looks right.
    for number in 0..4000 {
        let read = KeyFile::read(&pem, Some(&format!("wrong {number}")));
        let problem = read.err().expect("it is refused");
        let told = "it cannot be decrypted with this `client_passphrase`";
        assert_eq!(problem.reason, told, "{number}");
    }
}

#[test]
fn a_key_is_read_in_every_form_that_openssl_writes_and_openssl_verifies_what_it_signs() {
    for (kind, algorithms) in [
        (RSA, &[Algorithm::Rs256, Algorithm::Ps256][..]),
        (P256, &[Algorithm::Es256]),
        (P384, &[Algorithm::Es384]),
    ] {
        let (_directory, openssl) = openssl(kind);
        let read = KeyFile::read(&openssl.read("one.key"), None);
        let key = read.expect("it is read").into_key();
        assert_eq!(key.algorithms(), algorithms);
        assert_signs(&openssl, "one.key", None);
        // PKCS#1 and SEC1, the latter behind its parameters.
        openssl.run("pkey -in one.key -traditional -out traditional.key");
        assert_signs(&openssl, "traditional.key", None);
        if kind == P256 {
            openssl.run("ecparam -name prime256v1 -out parameters");
            openssl.join("both", &["parameters", "traditional.key"]);
            assert_signs(&openssl, "both", None);
        }
        for options in [
            "",
            "-v2prf hmacWithSHA1",
            "-v2prf hmacWithSHA512 -iter 10000",
        ] {
            for cipher in ["aes128", "aes192", "aes256", "des3"] {
                openssl.run(
                    &format!(
                        "pkcs8 -topk8 -in one.key -v2 {cipher} {options} -passout file:passphrase \
                     -out encrypted.key"
                    )
                    .replace("  ", " "),
                );
                assert_signs(&openssl, "encrypted.key", Some(PASSPHRASE));
                let pem = openssl.read("encrypted.key");
                let said = |passphrase| {
                    KeyFile::read(&pem, passphrase)
                        .err()
                        .map(|said| said.reason)
                };
                let wrong = said(Some("wrong")).expect("another passphrase is refused");
                assert!(!wrong.is_empty(), "{wrong}");
                let none = said(None).unwrap_or_default();
                assert!(none.contains("no `client_passphrase`"), "{none}");
            }
        }
    }
}

#[test]
fn a_pfx_file_brings_its_key_and_the_certificate_of_that_key_first() {
    let (_directory, openssl) = openssl(RSA);
    openssl.make("issuer", P256);
    openssl.join("chain", &["issuer.pem", "one.pem"]);
    let expected = [openssl.der("one"), openssl.der("issuer")];
    // What OpenSSL 3 writes, what it and Windows wrote before, and Azure Key Vault without a passphrase.
    for (options, passphrase) in [
        ("-passout file:passphrase", Some(PASSPHRASE)),
        (
            "-passout file:passphrase -macalg sha512 -keypbe AES-128-CBC",
            Some(PASSPHRASE),
        ),
        ("-passout file:passphrase -legacy", Some(PASSPHRASE)),
        (
            "-passout file:passphrase -legacy -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-3DES",
            Some(PASSPHRASE),
        ),
        ("-passout file:passphrase -nomac", Some(PASSPHRASE)),
        ("-passout pass:", None),
        (
            "-passout pass: -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES",
            None,
        ),
        ("-passout pass: -keypbe NONE -certpbe NONE -nomac", None),
    ] {
        openssl.run(&format!(
            "pkcs12 -export -in chain -inkey one.key -out one.pfx {options}"
        ));
        assert_signs(&openssl, "one.pfx", passphrase);
        let bytes = openssl.read("one.pfx");
        let text = STANDARD.encode(&bytes);
        for form in [
            bytes.as_slice(),
            text.as_bytes(),
            format!("{text}\n").as_bytes(),
        ] {
            let file = KeyFile::read(form, passphrase);
            let file = file.unwrap_or_else(|problem| panic!("{options}: {problem:?}"));
            let (_, certificates) = file.into_chain().expect("the key has a certificate");
            let found: Vec<&[u8]> = certificates.iter().map(|one| one.der()).collect();
            assert_eq!(found, expected, "{options}");
        }
        if passphrase.is_some() {
            let said = |passphrase| {
                KeyFile::read(&bytes, passphrase)
                    .err()
                    .map(|said| said.reason)
            };
            let wrong = said(Some("wrong")).unwrap_or_default();
            assert!(wrong.contains("cannot be decrypted"), "{options}: {wrong}");
            // Without a MAC nobody knows that there is a passphrase before it is missing.
            let none = said(None).unwrap_or_default();
            assert!(none.contains("`client_passphrase`"), "{options}: {none}");
        }
    }
}

#[test]
fn whatever_is_wrong_with_a_file_is_said_with_what_to_do() {
    let (_directory, openssl) = openssl(RSA);
    openssl.make("other", P256);
    for (name, kind) in [
        ("small", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
        ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "-algorithm ED25519"),
    ] {
        openssl.run(&format!("genpkey -out {name}.key {kind}"));
    }
    openssl.run("rsa -in one.key -traditional -aes128 -passout file:passphrase -out old.key");
    openssl.run("pkcs8 -topk8 -in one.key -scrypt -passout file:passphrase -out scrypt.key");
    openssl.run("ec -in other.key -no_public -out half.key");
    openssl.join("two.key", &["one.key", "other.key"]);
    openssl.join("pair", &["one.key", "one.pem"]);
    openssl.join("stranger", &["one.key", "other.pem"]);
    let write =
        |name: &str, text: &str| fs::write(openssl.file(name), text).expect("it can be written");
    write("nothing", "");
    write("words", "no key at all");
    write(
        "ssh.key",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    );
    write(
        "damaged",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    write("cut", openssl.text("one.key").split_at(300).0);
    let half = STANDARD.encode(&openssl.read("one.key")[..64]);
    write(
        "garbage",
        &format!("-----BEGIN PRIVATE KEY-----\n*{half}\n-----END PRIVATE KEY-----\n"),
    );
    for (file, reason, hint) in [
        ("nothing", "neither PEM nor PFX", "-----BEGIN"),
        ("words", "neither PEM nor PFX", "-----BEGIN"),
        ("one.pem", "no private key", "same file"),
        ("cut", "no private key", "same file"),
        ("two.key", "several private keys", "leave the one"),
        ("damaged", "damaged", "openssl pkcs8"),
        ("garbage", "damaged", "openssl pkcs8"),
        ("old.key", "before PKCS#8", "openssl pkcs8"),
        ("scrypt.key", "not hashed by PBKDF2", "openssl pkcs8"),
        ("ssh.key", "OpenSSH", "ssh-keygen"),
        ("half.key", "public half", "openssl ec"),
        ("small.key", "refused", "2048"),
        ("p521.key", "not P-256 or P-384", "P-256"),
        ("ed25519.key", "kind that is not used", "P-256"),
    ] {
        let read = KeyFile::read(&openssl.read(file), Some(PASSPHRASE));
        let Problem {
            reason: said,
            hint: advice,
        } = read.err().unwrap_or_else(|| panic!("{file}"));
        assert!(said.contains(reason), "{file}: {said}");
        assert!(advice.contains(hint), "{file}: {advice}");
    }
    for (file, reason) in [
        ("one.key", "no certificate"),
        ("stranger", "of another key"),
        ("pair", ""),
    ] {
        let read = KeyFile::read(&openssl.read(file), None).and_then(KeyFile::into_chain);
        let said = read.err().map(|problem| problem.reason).unwrap_or_default();
        assert_eq!(said.is_empty(), reason.is_empty(), "{file}: {said}");
        assert!(said.contains(reason), "{file}: {said}");
    }
}

#[test]
fn a_file_that_is_damaged_anywhere_is_an_error_at_most() {
    let (_directory, openssl) = openssl(P256);
    openssl.join("both", &["one.key", "one.pem"]);
    for line in [
        "pkcs12 -export -in both -out one.pfx -passout file:passphrase -iter 1 -nomaciter",
        "pkcs12 -export -in both -out open.pfx -passout pass: -keypbe NONE -certpbe NONE -nomac",
        "pkcs8 -topk8 -in one.key -iter 1 -passout file:passphrase -out locked.key",
    ] {
        openssl.run(line);
    }
    openssl.join("locked", &["locked.key", "one.pem"]);
    let is_read = |bytes: &[u8]| {
        let file = KeyFile::read(bytes, Some(PASSPHRASE));
        file.and_then(KeyFile::into_chain).is_ok()
    };
    for name in ["one.pfx", "open.pfx", "both", "locked"] {
        let whole = openssl.read(name);
        assert!(is_read(&whole), "{name}");
        let mut refused = 0;
        for place in (0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[place] = match damaged[place] {
                b'A' => b'/',
                byte if name.ends_with("pfx") => !byte,
                _ => b'A',
            };
            // Some of it is names and times that nobody reads.
            refused += usize::from(!is_read(&damaged));
            assert!(
                !is_read(&whole[..place]) || !name.ends_with("pfx"),
                "{place}"
            );
        }
        assert!(refused > whole.len() / 12, "{name}: {refused}");
    }
}

#[test]
fn a_damaged_key_that_can_be_read_signs_nothing() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fuzz/seeds/key_file/damaged.pem"
    );
    let bytes = fs::read(file).expect("it is there");
    let key = KeyFile::read(&bytes, None).expect("it is not seen at once");
    let key = key.into_key();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        let error = key
            .sign(algorithm, b"message")
            .expect_err("it does not fit");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}

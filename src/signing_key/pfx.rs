//! PFX, also called PKCS#12 and P12 ([RFC 7292](https://www.rfc-editor.org/rfc/rfc7292)): a key and
//! its certificates in one file.

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::Problem;
use super::der::{OBJECT_IDENTIFIER, OCTET_STRING, Reader, in_place, tagged};
use super::encryption::{Passphrase, decrypt, decrypt_key};

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
/// The types of bags, but for the last number.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// `sha…`, but for the last number.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// What a file holds.
#[derive(Default)]
pub(super) struct Contents {
    /// Keys, as PKCS#8.
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    /// Certificates, as DER.
    pub(super) certificates: Vec<Vec<u8>>,
}

/// Whether it looks like such a file.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let mut file = Reader::new(bytes);
    file.sequence().and_then(|mut file| file.number()) == Some(3)
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, or with the passphrase.
pub(super) fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Contents, Problem> {
    let mut file = Reader::new(bytes)
        .sequence()
        .ok_or_else(Problem::malformed)?;
    let _version = file.number();
    let content = file
        .sequence()
        .and_then(data)
        .ok_or_else(Problem::malformed)?;
    let candidates = Passphrase::candidates(passphrase);
    let fits = |candidate: &&Passphrase| verify(file, content, candidate) != Some(false);
    let Some(passphrase) = candidates.iter().find(fits) else {
        return Err(if passphrase.is_none() {
            Problem::encrypted()
        } else {
            Problem::wrong_passphrase()
        });
    };
    let mut contents = Contents::default();
    let mut parts = Reader::new(content)
        .sequence()
        .ok_or_else(Problem::malformed)?;
    while !parts.is_at_end() {
        let mut part = parts.sequence().ok_or_else(Problem::malformed)?;
        if let Some(plain) = data(part) {
            read_bags(plain, passphrase, &mut contents)?;
        } else if part.read(OBJECT_IDENTIFIER) == Some(ENCRYPTED_DATA) {
            let plain = decrypt_data(part, passphrase)?;
            read_bags(&plain, passphrase, &mut contents)?;
        }
    }
    Ok(contents)
}

/// The content of what is not encrypted.
fn data(mut part: Reader<'_>) -> Option<&[u8]> {
    if part.read(OBJECT_IDENTIFIER)? != DATA {
        return None;
    }
    part.within(tagged(0))?.read(OCTET_STRING)
}

/// Whether the MAC is one with this passphrase; `None` where there is none that we know: then the
/// key itself tells.
fn verify(mut rest: Reader<'_>, content: &[u8], passphrase: &Passphrase) -> Option<bool> {
    let mut mac = rest.sequence()?;
    let mut told = mac.sequence()?;
    let mut algorithm = told.sequence()?;
    let expected = told.read(OCTET_STRING)?;
    let name = algorithm.read(OBJECT_IDENTIFIER)?;
    let salt = mac.read(OCTET_STRING)?;
    let count = mac.number().unwrap_or(1);
    let count = passphrase.iterations(count).ok()?.get();
    let (hash, keyed) = match name.strip_prefix(SHA2) {
        _ if name == SHA1 => (
            &digest::SHA1_FOR_LEGACY_USE_ONLY,
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        ),
        Some([1]) => (&digest::SHA256, hmac::HMAC_SHA256),
        Some([2]) => (&digest::SHA384, hmac::HMAC_SHA384),
        Some([3]) => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return None,
    };
    let key = passphrase.derive(hash, 3, salt, count, hash.output_len());
    Some(hmac::verify(&hmac::Key::new(keyed, &key), content, expected).is_ok())
}

/// What an encrypted part holds (RFC 5652 §8).
fn decrypt_data(
    mut part: Reader<'_>,
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut read = || {
        let mut data = part.within(tagged(0))?.sequence()?;
        let _version = data.number()?;
        let mut content = data.sequence()?;
        let _type = content.read(OBJECT_IDENTIFIER)?;
        Some((content.sequence()?, content.read(in_place(0))?))
    };
    let (algorithm, encrypted) = read().ok_or_else(Problem::malformed)?;
    decrypt(algorithm, passphrase, encrypted)
}

/// Adds the keys and the certificates of a part.
fn read_bags(part: &[u8], passphrase: &Passphrase, contents: &mut Contents) -> Result<(), Problem> {
    let mut bags = Reader::new(part)
        .sequence()
        .ok_or_else(Problem::malformed)?;
    while !bags.is_at_end() {
        let mut read = || {
            let mut bag = bags.sequence()?;
            let kind = bag.read(OBJECT_IDENTIFIER)?.strip_prefix(BAG)?;
            Some((kind, bag.read(tagged(0))?))
        };
        let (kind, value) = read().ok_or_else(Problem::malformed)?;
        match kind {
            [1] => contents.keys.push(Zeroizing::new(value.to_vec())),
            [2] => contents.keys.push(decrypt_key(value, passphrase)?),
            [3] => contents.certificates.extend(certificate(value)),
            // Lists of revoked ones, secrets of other kinds, bags in bags.
            _ => {}
        }
    }
    Ok(())
}

/// An X.509 certificate, if it is one.
fn certificate(bag: &[u8]) -> Option<Vec<u8>> {
    let mut bag = Reader::new(bag).sequence()?;
    let is_x509 = bag.read(OBJECT_IDENTIFIER)? == X509_CERTIFICATE;
    let certificate = bag.within(tagged(0))?.read(OCTET_STRING)?;
    is_x509.then(|| certificate.to_vec())
}

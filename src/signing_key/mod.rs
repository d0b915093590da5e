//! A private key, and what it signs ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515)).
//!
//! It is read from PEM (PKCS#8, PKCS#1, SEC1) or PFX, with a passphrase where it is encrypted. The
//! bytes that it is read from are wiped, and no error shows any of them. A key that we make ourselves,
//! for tokens to be bound to, is a `proof_key`.
//!
//! To add a kind of key: an [`Algorithm`], how it is read from PKCS#8 and how it signs, and a file of it
//! in the tests.

mod certificate;
mod der;
mod encryption;
mod pem;
mod pfx;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

pub use self::certificate::Certificate;
use self::der::{BIT_STRING, OBJECT_IDENTIFIER, OCTET_STRING, Reader, tagged};
use self::encryption::{Passphrase, decrypt_key};
use crate::encoding::from_base64;
use crate::error::{Error, ErrorKind};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// How a signature is made: `alg` of [RFC 7518 §3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS#1 v1.5 padding and SHA-256.
    Rs256,
    /// RSA with PSS padding and SHA-256.
    Ps256,
    /// P-256 with SHA-256.
    Es256,
    /// P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }
}

/// A private key.
pub struct SigningKey(Kind);

enum Kind {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// Why a key cannot be read, and what to do about it. It holds nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, of "it".
    pub reason: String,
    /// What to do.
    pub hint: &'static str,
}

impl Problem {
    /// Converting with OpenSSL gives what is understood here.
    const CONVERT: &'static str =
        "write the key as PKCS#8 in PEM: `openssl pkcs8 -topk8 -in OLD -out NEW`";

    fn new(reason: impl Into<String>, hint: &'static str) -> Self {
        Self {
            reason: reason.into(),
            hint,
        }
    }

    fn malformed() -> Self {
        Self::new(
            "it is damaged, or of a kind that is not known",
            Self::CONVERT,
        )
    }

    fn unsupported(reason: &str) -> Self {
        Self::new(reason, Self::CONVERT)
    }

    fn encrypted() -> Self {
        Self::new(
            "its key is encrypted, and there is no `client_passphrase`",
            "name the source of the passphrase in `client_passphrase`",
        )
    }

    fn wrong_passphrase() -> Self {
        Self::new(
            "it cannot be decrypted with this `client_passphrase`",
            "check the passphrase, and that the file is whole",
        )
    }

    fn weak(reason: &str) -> Self {
        Self::new(
            reason,
            "make another: RSA of 2048 to 4096 bits, or an elliptic curve P-256 or P-384",
        )
    }
}

/// A key, and the certificates that lie beside it.
pub struct KeyFile {
    key: SigningKey,
    /// As DER.
    certificates: Vec<Vec<u8>>,
}

impl KeyFile {
    /// Reads PEM or PFX; PFX may be written in base64, as variables and vaults hold it.
    ///
    /// # Errors
    /// What is wrong with it, or with the passphrase.
    pub fn read(bytes: &[u8], passphrase: Option<&str>) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if text.contains("-----BEGIN ") {
            return read_pem(text, passphrase);
        }
        let decoded = Zeroizing::new(without_blanks(text));
        let decoded = from_base64(&decoded).filter(|bytes| !bytes.is_empty());
        let decoded = decoded.map(Zeroizing::new);
        let bytes = decoded.as_deref().map_or(bytes, Vec::as_slice);
        if !pfx::is_one(bytes) {
            return Err(Problem::new(
                "it is neither PEM nor PFX",
                "PEM begins with `-----BEGIN`; `openssl pkcs12` and `openssl pkcs8` convert keys",
            ));
        }
        let contents = pfx::read(bytes, passphrase)?;
        let keys = contents.keys.iter().map(|key| from_pkcs8(key));
        collect(keys.collect(), contents.certificates)
    }

    /// The key, whatever certificates lie beside it.
    pub fn into_key(self) -> SigningKey {
        self.key
    }

    /// The key, and the certificates with that of this key first.
    ///
    /// # Errors
    /// If there is none of this key, or one that cannot be read.
    pub fn into_chain(self) -> Result<(SigningKey, Vec<Certificate>), Problem> {
        let Self { key, certificates } = self;
        let certificates = certificates.into_iter().map(Certificate::parse);
        let certificates: Option<Vec<Certificate>> = certificates.collect();
        let mut certificates = certificates.ok_or_else(|| {
            Problem::new(
                "its certificate is damaged",
                "write it anew, as X.509 in PEM",
            )
        })?;
        let own = certificates
            .iter()
            .position(|certificate| certificate.public_key() == key.public_key());
        match own {
            Some(own) => certificates[..=own].rotate_right(1),
            None if certificates.is_empty() => {
                return Err(Problem::new(
                    "it holds no certificate",
                    "the certificate belongs into the same file as its key, in any order",
                ));
            }
            None => {
                return Err(Problem::new(
                    "its certificate is that of another key",
                    "put the certificate and the key of one pair into it",
                ));
            }
        }
        Ok((key, certificates))
    }
}

fn without_blanks(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    bare.extend(text.split_ascii_whitespace());
    bare
}

fn read_pem(text: &str, passphrase: Option<&str>) -> Result<KeyFile, Problem> {
    let mut keys = Vec::new();
    let mut certificates = Vec::new();
    for block in pem::blocks(text) {
        let is_key = block.label.ends_with("PRIVATE KEY");
        if !is_key && block.label != "CERTIFICATE" {
            continue;
        }
        let bytes = block.bytes.filter(|_| !block.has_headers);
        let key = match (block.label, bytes) {
            ("OPENSSH PRIVATE KEY", _) => Err(Problem::new(
                "it is a key of OpenSSH's own form",
                "write a copy of it anew: `ssh-keygen -p -m PKCS8 -f COPY`",
            )),
            (_, None) if block.has_headers => Err(Problem::unsupported(
                "its key is encrypted in a way that was usual before PKCS#8",
            )),
            (_, None) => Err(Problem::malformed()),
            ("CERTIFICATE", Some(bytes)) => {
                certificates.push(bytes.to_vec());
                continue;
            }
            ("PRIVATE KEY", Some(bytes)) => from_pkcs8(&bytes),
            ("RSA PRIVATE KEY", Some(bytes)) => from_pkcs1(&bytes),
            ("EC PRIVATE KEY", Some(bytes)) => from_sec1(&bytes, None),
            ("ENCRYPTED PRIVATE KEY", Some(bytes)) => decrypted(&bytes, passphrase),
            _ => Err(Problem::weak("its key is of a kind that is not used")),
        };
        keys.push(key);
    }
    collect(keys, certificates)
}

fn decrypted(bytes: &[u8], passphrase: Option<&str>) -> Result<SigningKey, Problem> {
    let passphrase = passphrase.ok_or_else(Problem::encrypted)?;
    let mut candidates = Passphrase::candidates(Some(passphrase)).into_iter();
    let passphrase = candidates.next().ok_or_else(Problem::encrypted)?;
    from_pkcs8(&decrypt_key(bytes, &passphrase)?)
}

/// The only key, and the certificates.
fn collect(
    mut keys: Vec<Result<SigningKey, Problem>>,
    certificates: Vec<Vec<u8>>,
) -> Result<KeyFile, Problem> {
    let key = match (keys.pop(), keys.len()) {
        (Some(key), 0) => key?,
        (Some(_), _) => {
            return Err(Problem::new(
                "it holds several private keys",
                "leave the one of this client in it",
            ));
        }
        (None, _) => {
            return Err(Problem::new(
                "it holds no private key",
                "the key belongs into the same file as its certificate, in any order",
            ));
        }
    };
    Ok(KeyFile { key, certificates })
}

/// `PrivateKeyInfo` (RFC 5958 §2).
pub(crate) fn from_pkcs8(bytes: &[u8]) -> Result<SigningKey, Problem> {
    let read = || {
        let mut info = Reader::new(bytes).sequence()?;
        let _version = info.number()?;
        let mut algorithm = info.sequence()?;
        let name = algorithm.read(OBJECT_IDENTIFIER)?;
        Some((name, algorithm, info.read(OCTET_STRING)?))
    };
    let (name, mut parameters, key) = read().ok_or_else(Problem::malformed)?;
    match name {
        RSA => from_pkcs1(key),
        ELLIPTIC_CURVE => from_sec1(key, parameters.read_if(OBJECT_IDENTIFIER)),
        _ => Err(Problem::weak("its key is of a kind that is not used")),
    }
}

/// `RSAPrivateKey` (RFC 8017 §A.1.2).
fn from_pkcs1(bytes: &[u8]) -> Result<SigningKey, Problem> {
    let key = RsaKeyPair::from_der(bytes)
        .map_err(|rejected| Problem::weak(&format!("its RSA key is refused: {rejected}")))?;
    Ok(SigningKey(Kind::Rsa(Box::new(key))))
}

/// `ECPrivateKey` (RFC 5915 §3).
fn from_sec1(bytes: &[u8], curve: Option<&[u8]>) -> Result<SigningKey, Problem> {
    let read = || {
        let mut key = Reader::new(bytes).sequence()?;
        let _version = key.number()?;
        let private = key.read(OCTET_STRING)?;
        let named = key.read_if(tagged(0));
        let named = named.and_then(|named| Reader::new(named).read_if(OBJECT_IDENTIFIER));
        let public = key.read_if(tagged(1));
        let public = public.and_then(|public| Reader::new(public).read_if(BIT_STRING));
        Some((private, named.or(curve), public))
    };
    let (private, curve, public) = read().ok_or_else(Problem::malformed)?;
    let (algorithm, length, kind): (_, usize, fn(_) -> Kind) = match curve {
        Some(P256) => (&ECDSA_P256_SHA256_FIXED_SIGNING, 32, Kind::P256),
        Some(P384) => (&ECDSA_P384_SHA384_FIXED_SIGNING, 48, Kind::P384),
        _ => return Err(Problem::weak("its elliptic curve is not P-256 or P-384")),
    };
    let public = public.and_then(|public| public.strip_prefix(&[0]));
    let public = public.ok_or_else(|| {
        Problem::new(
            "its key lacks the public half",
            "write it anew: `openssl ec -in OLD -out NEW` adds that",
        )
    })?;
    // Some leave out zeros at the front (RFC 5915 §3 does not).
    let mut whole = Zeroizing::new(vec![0; length.saturating_sub(private.len())]);
    whole.extend_from_slice(private);
    let random = SystemRandom::new();
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &whole, public, &random)
        .map(|key| SigningKey(kind(key)))
        .map_err(|rejected| Problem::weak(&format!("its key is refused: {rejected}")))
}

impl SigningKey {
    /// The ways in which it can sign, the one that every server knows first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        match &self.0 {
            Kind::Rsa(_) => &[Algorithm::Rs256, Algorithm::Ps256],
            Kind::P256(_) => &[Algorithm::Es256],
            Kind::P384(_) => &[Algorithm::Es384],
        }
    }

    /// The public half, as a certificate holds it: `RSAPublicKey`, or a point that is not compressed.
    pub fn public_key(&self) -> &[u8] {
        match &self.0 {
            Kind::Rsa(key) => key.public_key().as_ref(),
            Kind::P256(key) | Kind::P384(key) => key.public_key().as_ref(),
        }
    }

    /// Signs; the signature has the form of JWS (RFC 7518 §3.3 to §3.5).
    ///
    /// # Errors
    /// `internal`, if this key does not sign in that way, and `config`, if it is damaged.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        let rsa = |key: &RsaKeyPair, padding| {
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(padding, &random, message, &mut signature)
                .map(|()| signature)
        };
        let ecdsa = |key: &EcdsaKeyPair| {
            let signature = key.sign(&random, message)?;
            Ok(signature.as_ref().to_vec())
        };
        let signature = match (&self.0, algorithm) {
            (Kind::Rsa(key), Algorithm::Rs256) => rsa(key, &RSA_PKCS1_SHA256),
            (Kind::Rsa(key), Algorithm::Ps256) => rsa(key, &RSA_PSS_SHA256),
            (Kind::P256(key), Algorithm::Es256) | (Kind::P384(key), Algorithm::Es384) => ecdsa(key),
            (Kind::Rsa(_) | Kind::P256(_) | Kind::P384(_), _) => {
                let name = algorithm.name();
                let message = format!("BUG: the key does not sign by {name}");
                return Err(Error::new(ErrorKind::Internal, message));
            }
        };
        // Not each number of an RSA key is looked at when it is read.
        signature.map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "the private key of the client is damaged: what it signs does not fit its public half",
            )
            .hint("bring back the file that the key was made in, or make a new pair")
        })
    }
}

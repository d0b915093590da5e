//! Keys and certificates that a passphrase encrypts: PBES2 of PKCS#5
//! ([RFC 8018](https://www.rfc-editor.org/rfc/rfc8018)), and what PKCS#12 had before it
//! ([RFC 7292, Appendix B and C](https://www.rfc-editor.org/rfc/rfc7292#appendix-B)).

use std::cell::Cell;
use std::num::NonZeroU32;

use aes::cipher::{Block, BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use rc2::Rc2;
use ring::{digest, pbkdf2};
use zeroize::Zeroizing;

use super::Problem;
use super::der::{OBJECT_IDENTIFIER, OCTET_STRING, Reader};

/// How often may a passphrase be hashed, for all parts of a file? More takes longer than a call may.
const MOST_ITERATIONS: u32 = 10_000_000;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// `hmacWithSHA…`, but for the last number.
const HMAC_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// `aes…-CBC`, but for the last number.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
const TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07];
/// `pbeWithSHAAnd…`, but for the last number.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];

/// A passphrase, as each of the two ways wants it.
pub(super) struct Passphrase {
    /// UTF-8.
    plain: Zeroizing<Vec<u8>>,
    /// UTF-16, with a zero at the end; PKCS#12 has an empty one written as nothing or as the zero.
    wide: Zeroizing<Vec<u8>>,
    /// How often it may still be hashed.
    left: Cell<u32>,
}

impl Passphrase {
    /// The ways in which `text` may have been written; none is an empty one.
    pub(super) fn candidates(text: Option<&str>) -> Vec<Self> {
        let of = |text: &str, end: &[u16]| {
            let wide = text.encode_utf16().chain(end.iter().copied());
            Self {
                plain: Zeroizing::new(text.as_bytes().to_vec()),
                wide: Zeroizing::new(wide.flat_map(u16::to_be_bytes).collect()),
                left: Cell::new(MOST_ITERATIONS),
            }
        };
        match text {
            Some(text) if !text.is_empty() => vec![of(text, &[0])],
            Some(_) | None => vec![of("", &[0]), of("", &[])],
        }
    }

    /// How often it is hashed for one more part.
    pub(super) fn iterations(&self, number: u32) -> Result<NonZeroU32, Problem> {
        let left = self.left.get().checked_sub(number);
        let (Some(left), Some(number)) = (left, NonZeroU32::new(number)) else {
            return Err(Problem::unsupported("its passphrase is hashed too often"));
        };
        self.left.set(left);
        Ok(number)
    }

    /// The key that PKCS#12 makes of it (RFC 7292, Appendix B.2). `purpose` is 1 for a key, 2 for an
    /// initialization vector, 3 for a MAC.
    pub(super) fn derive(
        &self,
        hash: &'static digest::Algorithm,
        purpose: u8,
        salt: &[u8],
        iterations: u32,
        length: usize,
    ) -> Zeroizing<Vec<u8>> {
        let block = hash.block_len();
        let filled = |bytes: &[u8]| {
            let whole = bytes.len().div_ceil(block) * block;
            bytes
                .iter()
                .copied()
                .cycle()
                .take(whole)
                .collect::<Vec<_>>()
        };
        let mut input = Zeroizing::new(filled(salt));
        input.extend_from_slice(&Zeroizing::new(filled(&self.wide)));
        let mut key = Zeroizing::new(Vec::with_capacity(length + hash.output_len()));
        while key.len() < length {
            let first = Zeroizing::new([vec![purpose; block], input.to_vec()].concat());
            let mut hashed = digest::digest(hash, &first);
            for _ in 1..iterations {
                hashed = digest::digest(hash, hashed.as_ref());
            }
            key.extend_from_slice(hashed.as_ref());
            let added = hashed.as_ref().iter().copied().cycle().take(block);
            let added: Vec<u8> = added.collect();
            for chunk in input.chunks_mut(block) {
                let mut carry = 1_u16;
                for (byte, added) in chunk.iter_mut().zip(&added).rev() {
                    carry += u16::from(*byte) + u16::from(*added);
                    [_, *byte] = carry.to_be_bytes();
                    carry >>= 8;
                }
            }
        }
        key.truncate(length);
        key
    }
}

/// Decrypts a key: `EncryptedPrivateKeyInfo` (RFC 5958 §3).
pub(super) fn decrypt_key(
    bytes: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let read = || {
        let mut key = Reader::new(bytes).sequence()?;
        Some((key.sequence()?, key.read(OCTET_STRING)?))
    };
    let (algorithm, encrypted) = read().ok_or_else(Problem::malformed)?;
    let plain = decrypt(algorithm, passphrase, encrypted)?;
    // Of 256 wrong passphrases one brings an end that looks right.
    match Reader::new(&plain).sequence() {
        Some(_) => Ok(plain),
        None => Err(Problem::wrong_passphrase()),
    }
}

/// Decrypts what was encrypted as the elements of `algorithm` say.
pub(super) fn decrypt(
    algorithm: Reader<'_>,
    passphrase: &Passphrase,
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut algorithm = algorithm;
    let name = algorithm.read(OBJECT_IDENTIFIER);
    let parameters = algorithm.sequence();
    let (Some(name), Some(parameters)) = (name, parameters) else {
        return Err(Problem::malformed());
    };
    match name.strip_prefix(PKCS12_PBE) {
        _ if name == PBES2 => decrypt_pbes2(parameters, passphrase, encrypted),
        Some([kind]) => decrypt_pkcs12(*kind, parameters, passphrase, encrypted),
        _ => Err(Problem::unsupported("it is encrypted in an unusual way")),
    }
}

fn decrypt_pkcs12(
    kind: u8,
    mut parameters: Reader<'_>,
    passphrase: &Passphrase,
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let salt = parameters.read(OCTET_STRING);
    let (Some(salt), Some(count)) = (salt, parameters.number()) else {
        return Err(Problem::malformed());
    };
    let count = passphrase.iterations(count)?.get();
    let derive = |purpose, length| {
        let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        passphrase.derive(sha1, purpose, salt, count, length)
    };
    let vector = derive(2, 8);
    match kind {
        3 => unlock::<TdesEde3>(&derive(1, 24), &vector, encrypted),
        // Of 128 and of 40 bits.
        5 => unlock::<Rc2>(&derive(1, 16), &vector, encrypted),
        6 => unlock::<Rc2>(&derive(1, 5), &vector, encrypted),
        _ => Err(Problem::unsupported("it is encrypted in an unusual way")),
    }
}

fn decrypt_pbes2(
    mut parameters: Reader<'_>,
    passphrase: &Passphrase,
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let (Some(mut derivation), Some(mut scheme)) = (parameters.sequence(), parameters.sequence())
    else {
        return Err(Problem::malformed());
    };
    if derivation.read(OBJECT_IDENTIFIER) != Some(PBKDF2) {
        return Err(Problem::unsupported(
            "its passphrase is not hashed by PBKDF2",
        ));
    }
    let (hash, salt, count) = read_pbkdf2(&mut derivation)?;
    let count = passphrase.iterations(count)?;
    let name = scheme.read(OBJECT_IDENTIFIER);
    let vector = scheme.read(OCTET_STRING);
    let (Some(name), Some(vector)) = (name, vector) else {
        return Err(Problem::malformed());
    };
    let derive = |length| {
        let mut key = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(hash, count, salt, &passphrase.plain, &mut key);
        key
    };
    match name.strip_prefix(AES) {
        Some([2]) => unlock::<Aes128>(&derive(16), vector, encrypted),
        Some([22]) => unlock::<Aes192>(&derive(24), vector, encrypted),
        Some([42]) => unlock::<Aes256>(&derive(32), vector, encrypted),
        _ if name == TRIPLE_DES => unlock::<TdesEde3>(&derive(24), vector, encrypted),
        _ => Err(Problem::unsupported("it is encrypted in an unusual way")),
    }
}

/// The parameters of PBKDF2: the hash, the salt and how often.
fn read_pbkdf2<'d>(
    derivation: &mut Reader<'d>,
) -> Result<(pbkdf2::Algorithm, &'d [u8], u32), Problem> {
    let mut parameters = derivation.sequence().ok_or_else(Problem::malformed)?;
    let salt = parameters.read(OCTET_STRING);
    let (Some(salt), Some(count)) = (salt, parameters.number()) else {
        return Err(Problem::malformed());
    };
    // The length of the key follows from the cipher.
    let _length = parameters.number();
    let hash = match parameters.sequence() {
        // RFC 8018 §A.2.
        None => pbkdf2::PBKDF2_HMAC_SHA1,
        Some(mut hash) => {
            let name = hash.read(OBJECT_IDENTIFIER).unwrap_or_default();
            match name.strip_prefix(HMAC_WITH) {
                Some([7]) => pbkdf2::PBKDF2_HMAC_SHA1,
                Some([9]) => pbkdf2::PBKDF2_HMAC_SHA256,
                Some([10]) => pbkdf2::PBKDF2_HMAC_SHA384,
                Some([11]) => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(Problem::unsupported("its passphrase is hashed unusually")),
            }
        }
    };
    Ok((hash, salt, count))
}

/// Decrypts in CBC mode.
fn unlock<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    vector: &[u8],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let cipher = C::new_from_slice(key).map_err(|_| Problem::malformed())?;
    let mut decrypt = |bytes: &mut [u8]| {
        if let Ok(block) = <&mut Block<C>>::try_from(bytes) {
            cipher.decrypt_block(block);
        }
    };
    chain(&mut decrypt, C::block_size(), vector, encrypted)
}

/// Decrypts block by block. One function for all ciphers: theirs are large, and a file is small.
/// Padding that is none means another key, so another passphrase.
#[inline(never)]
fn chain(
    decrypt: &mut dyn FnMut(&mut [u8]),
    size: usize,
    vector: &[u8],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    if vector.len() != size || encrypted.is_empty() || !encrypted.len().is_multiple_of(size) {
        return Err(Problem::malformed());
    }
    let mut bytes = Zeroizing::new(encrypted.to_vec());
    let before = std::iter::once(vector).chain(encrypted.chunks(size));
    for (block, before) in bytes.chunks_mut(size).zip(before) {
        decrypt(block);
        for (byte, before) in block.iter_mut().zip(before) {
            *byte ^= before;
        }
    }
    // RFC 8018 §6.1.1: as many bytes as each of them says.
    let padding = bytes.last().copied().unwrap_or_default();
    let length = bytes.len().saturating_sub(usize::from(padding));
    let is_good = (1..=size).contains(&usize::from(padding));
    if !is_good || bytes[length..].iter().any(|byte| *byte != padding) {
        return Err(Problem::wrong_passphrase());
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{MOST_ITERATIONS, Passphrase, digest};

    #[test]
    fn a_passphrase_is_hashed_so_often_however_many_parts_a_file_has() {
        let [passphrase] = &Passphrase::candidates(Some("smeg"))[..] else {
            panic!("a passphrase is written in one way");
        };
        let is_hashed = |number: u32| passphrase.iterations(number).is_ok();
        assert!(!is_hashed(0) && !is_hashed(MOST_ITERATIONS + 1) && !is_hashed(u32::MAX));
        assert!(is_hashed(MOST_ITERATIONS - 1) && !is_hashed(2));
        assert!(is_hashed(1) && !is_hashed(1));
    }

    #[test]
    fn pkcs12_makes_keys_of_a_passphrase_as_others_do() {
        // The vectors of PKCS#12 that Bouncy Castle and GnuTLS test with.
        let [smeg] = &Passphrase::candidates(Some("smeg"))[..] else {
            panic!("a passphrase is written in one way");
        };
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        for (purpose, salt, count, expected) in [
            (
                1,
                [0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f],
                1,
                "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3",
            ),
            (
                2,
                [0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f],
                1,
                "79993dfe048d3b76",
            ),
            (
                3,
                [0x3d, 0x83, 0xc0, 0xe4, 0x54, 0x6a, 0xc1, 0x40],
                1,
                "8d967d88f6caa9d714800ab3d48051d63f73a312",
            ),
        ] {
            let key = smeg.derive(
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                purpose,
                &salt,
                count,
                expected.len() / 2,
            );
            assert_eq!(hex(&key), expected, "{purpose}");
        }
    }
}

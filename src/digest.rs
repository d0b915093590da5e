//! SHA-256 as a name: for a file, or for telling one secret from another without showing it; and SHA-1
//! where others name a certificate by it.

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().to_vec()
}

/// SHA-1 of `bytes`, for the thumbprint of a certificate alone.
pub fn sha1(bytes: &[u8]) -> Vec<u8> {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    digest.as_ref().to_vec()
}

/// SHA-256 of `bytes` in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    sha256(bytes)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|half| DIGITS[usize::from(half)])
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thumbprint_is_sha_1() {
        let digest = [0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e];
        assert!(super::sha1(b"abc").starts_with(&digest));
    }

    #[test]
    fn a_digest_is_sha_256() {
        assert_eq!(
            super::digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

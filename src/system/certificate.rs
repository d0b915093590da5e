//! The name of a certificate, by which tokens are bound to it
//! ([RFC 8705 §3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)).

use std::fs;
use std::path::Path;

use crate::digest::sha256;
use crate::encoding::{from_base64, to_base64url};

/// `x5t#S256` of the first certificate in a PEM file; `None` if there is none.
pub fn thumbprint(file: &Path) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let pem = zeroize::Zeroizing::new(fs::read_to_string(file).ok()?);
    let (_, rest) = pem.split_once(BEGIN)?;
    let (body, _) = rest.split_once('-')?;
    let base64: String = body.split_ascii_whitespace().collect();
    let certificate = from_base64(&base64).filter(|bytes| !bytes.is_empty())?;
    Some(to_base64url(&sha256(&certificate)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::thumbprint;

    #[test]
    fn a_thumbprint_is_that_of_the_first_certificate_wherever_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pem");
        // SHA-256 of `abc`.
        const ABC: &str = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        let certificate = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\r\n{body}\r\n-----END CERTIFICATE-----\n")
        };
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (text, expected) in [
            (certificate("YWJj"), Some(ABC)),
            (certificate("YW\r\nJj"), Some(ABC)),
            (
                format!("{key}{}{}", certificate("YWJj"), certificate("AAAA")),
                Some(ABC),
            ),
            (certificate(""), None),
            (certificate("!"), None),
            (key.to_owned(), None),
            (String::new(), None),
        ] {
            fs::write(&file, &text).unwrap();
            assert_eq!(thumbprint(&file).as_deref(), expected, "{text}");
        }
        assert_eq!(thumbprint(directory.path()), None);
    }
}

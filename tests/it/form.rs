//! The forms in which a secret may lie in a file, or in memory.

use cred_helper::encoding::{to_base64, to_base64url};

/// What shows a secret: itself, in hexadecimal digits, and in base64, wherever in a longer text it
/// begins.
pub(crate) fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let digits = |upper: bool| -> String {
        let digit = |byte: &u8| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        };
        secret.iter().map(digit).collect()
    };
    let mut forms = vec![secret.to_vec(), digits(false).into(), digits(true).into()];
    for before in 0..3 {
        let text = [&[0; 2][..before], secret].concat();
        // The first characters and the last one also tell what stands beside it.
        let from = (before * 8).div_ceil(6);
        let to = text.len() * 8 / 6;
        forms.push(to_base64(&text).as_bytes()[from..to].to_vec());
        forms.push(to_base64url(&text).as_bytes()[from..to].to_vec());
    }
    forms
}

/// How often some form of a secret is found.
pub(crate) fn count(bytes: &[u8], secret: &[u8]) -> usize {
    let found = |form: &Vec<u8>| {
        bytes
            .windows(form.len())
            .filter(|part| part == form)
            .count()
    };
    forms(secret).iter().map(found).sum()
}

#[test]
fn a_secret_is_found_in_each_form() {
    let secret = b"canary-of-all-forms";
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}canary-of-all-forms, and more");
        for (form, encoded) in [
            ("itself", text.clone()),
            ("base64", to_base64(text.as_bytes())),
            ("base64url", to_base64url(text.as_bytes())),
            (
                "digits",
                text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            ),
        ] {
            assert!(
                count(encoded.as_bytes(), secret) > 0,
                "{form} after {before:?}"
            );
        }
    }
    assert_eq!(count(b"canary-of-all-form, and more", secret), 0);
}

//! PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)).

use zeroize::Zeroizing;

use crate::encoding::from_base64;

/// What stands between a `BEGIN` and its `END`.
pub(super) struct Block<'t> {
    /// The words behind `BEGIN`.
    pub(super) label: &'t str,
    /// What it holds; `None` if that is no base64.
    pub(super) bytes: Option<Zeroizing<Vec<u8>>>,
    /// Whether it has headers (RFC 1421), as keys have that OpenSSL encrypted before PKCS#8.
    pub(super) has_headers: bool,
}

/// The blocks of a text, whatever stands between them.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let Some((label, body)) = begun.split_once("-----") else {
            break;
        };
        let end = format!("-----END {label}-----");
        let Some((body, after)) = body.split_once(&end) else {
            break;
        };
        let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
        let mut has_headers = false;
        for line in body.lines() {
            if line.contains(':') {
                has_headers = true;
            } else {
                base64.extend(line.split_whitespace());
            }
        }
        found.push(Block {
            label,
            bytes: from_base64(&base64).map(Zeroizing::new),
            has_headers,
        });
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn a_text_holds_any_number_of_blocks() {
        let text = "Bag Attributes\n    friendlyName: ada\n-----BEGIN A B-----\r\nAQ\r\nID\r\n\
                    -----END A B-----\nsubject=x\n-----BEGIN C-----\nProc-Type: 4,ENCRYPTED\n\nAQ==\n\
                    -----END C-----\n-----BEGIN D-----\n*\n-----END D-----\n-----BEGIN E-----\nAQID\n";
        let found: Vec<_> = blocks(text)
            .iter()
            .map(|block| {
                let bytes = block.bytes.as_ref().map(|bytes| bytes.to_vec());
                (block.label, bytes, block.has_headers)
            })
            .collect();
        let expected = [
            ("A B", Some(vec![1, 2, 3]), false),
            ("C", Some(vec![1]), true),
            ("D", None, false),
        ];
        assert_eq!(found, expected, "what does not end is none");
        assert!(blocks("").is_empty());
    }
}

//! What an assertion needs of an X.509 certificate
//! ([RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).

use ring::digest;

use super::der::{BIT_STRING, GENERALIZED_TIME, INTEGER, Reader, SEQUENCE, UTC_TIME, tagged};
use crate::token::Timestamp;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    ends_at: Timestamp,
}

impl Certificate {
    /// Reads DER; `None` if it is no certificate.
    pub fn parse(der: Vec<u8>) -> Option<Self> {
        let mut certificate = Reader::new(&der).sequence()?.sequence()?;
        let _version = certificate.read_if(tagged(0));
        let _serial_number = certificate.read(INTEGER)?;
        let _signature = certificate.read(SEQUENCE)?;
        let _issuer = certificate.read(SEQUENCE)?;
        let mut validity = certificate.sequence()?;
        let _begin = time(&mut validity)?;
        let ends_at = time(&mut validity)?;
        let _subject = certificate.read(SEQUENCE)?;
        let mut public_key = certificate.sequence()?;
        let _algorithm = public_key.read(SEQUENCE)?;
        // The first byte says how many bits of the last are none.
        let public_key = public_key.read(BIT_STRING)?.strip_prefix(&[0])?.to_vec();
        Some(Self {
            der,
            public_key,
            ends_at,
        })
    }

    /// The certificate as DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key, as [`super::SigningKey::public_key`] has it.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The last second of its validity.
    pub fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// `x5t` before it is encoded (RFC 7515 §4.1.7).
    pub fn sha1(&self) -> Vec<u8> {
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der);
        hash.as_ref().to_vec()
    }
}

/// A time, which is UTC without fractions in either form (RFC 5280 §4.1.2.5).
fn time(validity: &mut Reader<'_>) -> Option<Timestamp> {
    let (century, rest) = match validity.tag()? {
        UTC_TIME => {
            let text = std::str::from_utf8(validity.read(UTC_TIME)?).ok()?;
            let century = if text < "50" { "20" } else { "19" };
            (century, text)
        }
        _ => std::str::from_utf8(validity.read(GENERALIZED_TIME)?)
            .ok()?
            .split_at_checked(2)?,
    };
    let digits = rest.strip_suffix('Z')?;
    if digits.len() != 10 && digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let part = |index: usize| digits.get(2 * index..2 * index + 2).unwrap_or("00");
    let [year, month, day, hour, minute, second] = [0, 1, 2, 3, 4, 5].map(part);
    let text = format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    if text.as_str() < "1970" {
        // Before all that a timestamp can say, and long over.
        return Some(Timestamp(0));
    }
    humantime::parse_rfc3339(&text).ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::{GENERALIZED_TIME, Reader, UTC_TIME, time};

    #[test]
    fn a_time_has_two_digits_of_a_year_or_four() {
        for (tag, text, expected) in [
            (UTC_TIME, "301231235959Z", Some("2030-12-31T23:59:59Z")),
            (UTC_TIME, "500101000000Z", Some("1970-01-01T00:00:00Z")),
            (UTC_TIME, "3012312359Z", Some("2030-12-31T23:59:00Z")),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                Some("9999-12-31T23:59:59Z"),
            ),
            (
                GENERALIZED_TIME,
                "20501231235959Z",
                Some("2050-12-31T23:59:59Z"),
            ),
            (UTC_TIME, "301331235959Z", None),
            (UTC_TIME, "301231235959+0100", None),
            (UTC_TIME, "", None),
            (GENERALIZED_TIME, "2", None),
            (GENERALIZED_TIME, "20501231235959.5Z", None),
        ] {
            let length = u8::try_from(text.len()).unwrap();
            let bytes = [&[tag, length][..], text.as_bytes()].concat();
            let found = time(&mut Reader::new(&bytes)).map(|time| time.rfc3339());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}

//! DER (X.690), as far as keys and certificates need it.

/// Tags of the types that are read here.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;

/// The tag `[number]` around another element.
pub(super) const fn tagged(number: u8) -> u8 {
    0xa0 | number
}

/// The tag `[number]` in place of a primitive element's own.
pub(super) const fn in_place(number: u8) -> u8 {
    0x80 | number
}

/// Elements one after the other. What cannot be read is `None`, as is one that is not there.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// The elements of `bytes`.
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    /// The tag of the next element.
    pub(super) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn read(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (own, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        if *own != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    /// The same, if it has this tag.
    pub(super) fn read_if(&mut self, tag: u8) -> Option<&'d [u8]> {
        if self.tag() == Some(tag) {
            self.read(tag)
        } else {
            None
        }
    }

    /// The elements in the next one.
    pub(super) fn within(&mut self, tag: u8) -> Option<Self> {
        self.read(tag).map(Self)
    }

    /// The elements in the next sequence.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.within(SEQUENCE)
    }

    /// A whole number that is not negative and fits.
    pub(super) fn number(&mut self) -> Option<u32> {
        let bytes = self.read(INTEGER)?;
        let significant = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
        if is_negative || bytes.is_empty() || significant.len() > 4 {
            return None;
        }
        let fold = |number, byte: &u8| (number << 8) | u32::from(*byte);
        Some(significant.iter().fold(0, fold))
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// A length, and what comes behind it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    // 0x80 is BER's: the end is marked, not told.
    let (digits, rest) = rest.split_at_checked(usize::from(*first & 0x7f))?;
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let fold = |length, byte: &u8| (length << 8) | usize::from(*byte);
    Some((digits.iter().fold(0, fold), rest))
}

#[cfg(test)]
mod tests {
    use super::{INTEGER, OCTET_STRING, Reader, SEQUENCE};

    #[test]
    fn an_element_has_a_tag_and_as_much_as_its_length_says() {
        let long = [&[OCTET_STRING, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(Reader::new(&long).read(OCTET_STRING), Some(&[7; 0x80][..]));
        for bad in [
            &[][..],
            &[OCTET_STRING],
            &[OCTET_STRING, 2, 1],
            &[OCTET_STRING, 0x80, 0, 0],
            &[OCTET_STRING, 0x81],
            &[OCTET_STRING, 0x85, 0, 0, 0, 0, 0],
            &[OCTET_STRING, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[INTEGER, 1, 1],
        ] {
            assert_eq!(Reader::new(bad).read(OCTET_STRING), None, "{bad:?}");
        }
        let mut nested = Reader::new(&[SEQUENCE, 3, INTEGER, 1, 5]);
        let mut inner = nested.sequence().unwrap();
        assert_eq!(inner.read_if(OCTET_STRING), None);
        assert_eq!(inner.number(), Some(5));
        assert!(inner.is_at_end() && nested.is_at_end());
    }

    #[test]
    fn a_number_is_whole_and_not_negative() {
        for (bytes, number) in [
            (&[INTEGER, 1, 0][..], Some(0)),
            (&[INTEGER, 2, 8, 0], Some(2048)),
            (&[INTEGER, 5, 0, 0xff, 0xff, 0xff, 0xff], Some(u32::MAX)),
            (&[INTEGER, 1, 0xff], None),
            (&[INTEGER, 0], None),
            (&[INTEGER, 5, 1, 0, 0, 0, 0], None),
        ] {
            assert_eq!(Reader::new(bytes).number(), number, "{bytes:?}");
        }
    }
}

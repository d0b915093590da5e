//! HTTP/1.1 as far as one request and one answer per connection need it, and
//! the encodings of OAuth.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind, Read, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

/// How long may the request line and the headers be?
const HEAD_LIMIT: usize = 16 * 1024;

/// How long may a body be? A form with a token in it has a few thousand bytes.
const BODY_LIMIT: usize = 64 * 1024;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case, in the order sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, decoded, if it is `application/x-www-form-urlencoded`.
    pub(crate) form: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Recorded {
    /// The first header of this name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first form parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    /// The first query parameter of this name.
    pub(crate) fn query_parameter(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }
}

fn find<'pairs>(pairs: &'pairs [(String, String)], name: &str) -> Option<&'pairs str> {
    let found = pairs.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// An answer. `Connection` and, unless a header says otherwise,
/// `Content-Length` are added when it is written.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// An answer of one content type.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
        .with("Content-Type", content_type)
    }

    /// A JSON answer, which nobody may keep (RFC 6749 §5.1).
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string()).with("Cache-Control", "no-store")
    }

    /// An OAuth error (RFC 6749 §5.2).
    pub(crate) fn error(status: u16, error: &str, description: &str) -> Self {
        Self::json(
            status,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// Writes the head as it should be, and that many bytes of the body.
    pub(super) fn write(&self, stream: &mut TcpStream, body_length: usize) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "As Scripted",
        };
        let mut bytes = Vec::new();
        write!(
            bytes,
            "HTTP/1.1 {} {reason}\r\nConnection: close\r\n",
            self.status
        )?;
        for (name, value) in &self.headers {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        if !self.has("Content-Length") && !self.has("Transfer-Encoding") {
            write!(bytes, "Content-Length: {}\r\n", self.body.len())?;
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body[..body_length]);
        stream.write_all(&bytes)
    }
}

/// Reads a request but for its last byte, or the answer that refuses it.
///
/// The byte that is seen but left unread is what makes closing the connection
/// reset it, where std has no stable `set_linger`. [`read_last_byte`] takes it.
pub(super) fn read_request(stream: &mut TcpStream) -> io::Result<Result<Recorded, Response>> {
    let mut head = Vec::new();
    let end = loop {
        let mut chunk = [0; 4096];
        let seen = stream.peek(&mut chunk)?;
        if seen == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let before = head.len();
        head.extend_from_slice(&chunk[..seen]);
        if head.len() > HEAD_LIMIT {
            return Ok(Err(Response::error(
                431,
                "invalid_request",
                "too many headers",
            )));
        }
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            // All but the last byte of the empty line.
            stream.read_exact(&mut chunk[..end + 3 - before])?;
            break end;
        }
        stream.read_exact(&mut chunk[..seen])?;
    };
    let head = String::from_utf8_lossy(&head[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let request_line = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = request_line.split(' ').collect::<Vec<_>>()[..] else {
        return Ok(Err(Response::error(400, "invalid_request", "not HTTP/1.1")));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Recorded {
        method: method.to_owned(),
        path: path.to_owned(),
        query: decode_form(query),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        form: Vec::new(),
        body: String::new(),
    };
    if request.header("transfer-encoding").is_some() {
        return Ok(Err(Response::error(
            411,
            "invalid_request",
            "no Content-Length",
        )));
    }
    let length = match request.header("content-length").map(str::parse) {
        None => 0,
        Some(Ok(length)) if length <= BODY_LIMIT => length,
        Some(_) => {
            return Ok(Err(Response::error(
                413,
                "invalid_request",
                "body too long",
            )));
        }
    };
    if length > 0 {
        read_last_byte(stream)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body[..length - 1])?;
        if stream.peek(&mut body[length - 1..])? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        request.body = String::from_utf8_lossy(&body).into_owned();
    }
    let content_type = request.header("content-type").unwrap_or_default();
    if content_type.split(';').next().map(str::trim) == Some("application/x-www-form-urlencoded") {
        request.form = decode_form(&request.body);
    }
    Ok(Ok(request))
}

/// Reads the byte that [`read_request`] left.
pub(super) fn read_last_byte(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])
}

fn decode_form(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| (decode_form_value(name), decode_form_value(value)))
        .collect()
}

/// Decodes `application/x-www-form-urlencoded`; a stray percent sign stays.
pub(super) fn decode_form_value(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let escaped = after
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match (
            first,
            escaped.and_then(|digits| str::from_utf8(digits).ok()),
        ) {
            (b'%', Some(digits)) => {
                decoded.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = &after[2..];
            }
            (b'+', _) => decoded.push(b' '),
            (other, _) => decoded.push(other),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Encodes in base64url without padding (RFC 4648 §5).
pub(super) fn base64url(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, at| {
            word << 8 | usize::from(chunk.get(at).copied().unwrap_or_default())
        });
        for at in 0..=chunk.len() {
            encoded.push(char::from(BASE64[word >> (18 - 6 * at) & 63]));
        }
    }
    encoded
}

/// Decodes base64 of either alphabet, padded or not.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (mut decoded, mut word, mut bits) = (Vec::new(), 0_usize, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let byte = match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        word = (word << 6 | BASE64.iter().position(|letter| *letter == byte)?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            decoded.push(u8::try_from(word >> bits & 0xff).expect("eight bits"));
        }
    }
    Some(decoded)
}

/// Fills an array from the system's random numbers or, where there is no
/// `/dev/urandom`, from the keys of std's hash maps: enough for a demo.
pub(super) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_err() {
        for chunk in bytes.chunks_mut(8) {
            let hash = RandomState::new().hash_one(chunk.len()).to_ne_bytes();
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
    }
    bytes
}

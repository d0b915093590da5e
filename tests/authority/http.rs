//! A client for the plain HTTP of servers on loopback, so that the tests judge the helper with a
//! hand that is not the helper's own.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long may a server on this machine stay silent? Longer than its own long polls (20 s).
const SILENCE: Duration = Duration::from_secs(60);

/// An answer that came whole.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code, such as 200.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body, without the framing of chunks.
    pub(crate) body: String,
}

impl Response {
    /// The body as JSON; panics with the body where it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the answer {} {:?}", self.status, self.body))
    }
}

/// Posts JSON and returns the answer.
///
/// # Errors
///
/// What the connection says, and an answer that is no HTTP/1.1 or ends early.
pub(crate) fn post_json(url: &str, body: &serde_json::Value) -> io::Result<Response> {
    let headers = [("Content-Type", "application/json")];
    request("POST", url, &headers, &body.to_string())
}

/// Posts a form, already encoded, and returns the answer.
///
/// # Errors
///
/// What the connection says, and an answer that is no HTTP/1.1 or ends early.
pub(crate) fn post_form(url: &str, form: &str) -> io::Result<Response> {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    request("POST", url, &headers, form)
}

/// Sends one request over a connection of its own and returns the answer.
///
/// # Errors
///
/// What the connection says, and an answer that is no HTTP/1.1 or ends early.
pub(crate) fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Response> {
    let (host, path) = split(url)?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;

    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;

    read_response(&mut BufReader::new(stream))
}

/// `http://host:port/path` as `host:port` and `/path`.
fn split(url: &str) -> io::Result<(&str, &str)> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| invalid(format!("`{url}` is not http")))?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    Ok((host, if path.is_empty() { "/" } else { path }))
}

fn read_response(reader: &mut BufReader<TcpStream>) -> io::Result<Response> {
    let status_line = read_line(reader)?;
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| invalid(format!("`{status_line}` is no status line")))?;

    let headers = read_headers(reader)?;
    let mut body = read_body(reader, &headers)?;
    if body.is_none() {
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest)?;
        body = Some(rest);
    }
    let body = String::from_utf8(body.unwrap_or_default());
    let body = body.map_err(|error| invalid(error.to_string()))?;
    Ok(Response {
        status,
        headers,
        body,
    })
}

/// Headers, of a request too, up to the empty line; names in lower case. What comes several times
/// is joined by commas (RFC 9110 §5.3).
///
/// # Errors
///
/// What the connection says, and an end before the empty line.
pub(crate) fn read_headers(
    reader: &mut BufReader<TcpStream>,
) -> io::Result<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.trim();
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|before: &mut String| *before = format!("{before}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
}

/// The body, of a request too, without the framing of chunks; none, if the headers tell of none.
///
/// # Errors
///
/// What the connection says, and an end within the body.
pub(crate) fn read_body(
    reader: &mut BufReader<TcpStream>,
    headers: &BTreeMap<String, String>,
) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    let coding = headers.get("transfer-encoding");
    if coding.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        read_chunks(reader, &mut body)?;
        return Ok(Some(body));
    }
    let length = headers.get("content-length");
    let Some(length) = length.and_then(|length| length.parse().ok()) else {
        return Ok(None);
    };
    read_exactly(reader, length, &mut body)?;
    Ok(Some(body))
}

fn read_chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(reader)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16)
            .map_err(|_| invalid(format!("`{line}` is no length of a chunk")))?;
        if length == 0 {
            return Ok(());
        }
        read_exactly(reader, length, body)?;
        read_line(reader)?;
    }
}

fn read_exactly(
    reader: &mut BufReader<TcpStream>,
    length: usize,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    let start = body.len();
    body.resize(start + length, 0);
    reader.read_exact(&mut body[start..])
}

/// One line without its end.
///
/// # Errors
///
/// What the connection says, and an end within the line.
pub(crate) fn read_line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the answer ends within the line {line:?}"),
        )),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

//! A small HTTP server on loopback, which writes down what came: the world that a token is good
//! for, or must not reach.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use crate::loopback::Port;
use crate::oidc_provider::http::{read_body, read_headers, read_line};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The scheme of its credentials and what follows it; both empty where there are none.
    pub(crate) fn authorization(&self) -> (&str, &str) {
        let value = self.header("authorization");
        value.split_once(' ').unwrap_or((value, ""))
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A 401 with these challenges.
    pub(crate) fn challenge(challenges: &[&str]) -> Self {
        let refusal = Self::new(401, "no");
        let add = |answer: Self, challenge: &&str| answer.with("WWW-Authenticate", challenge);
        challenges.iter().fold(refusal, add)
    }
}

/// A running server; dropping it ends it.
pub(crate) struct HttpServer {
    port: Port,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl HttpServer {
    /// Answers every request with what the closure makes of it.
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let port = Port::start(move |stream| {
            // What goes wrong here is the peer's doing: it went away.
            serve(stream, &answer, &kept).ok();
        });
        Self { port, requests }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.port.address()
    }

    /// The URL of a path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The schemes of the credentials that came, each as often as it came.
    pub(crate) fn schemes(&self) -> BTreeMap<String, usize> {
        let mut schemes = BTreeMap::new();
        for request in self.requests() {
            let (scheme, _) = request.authorization();
            if !scheme.is_empty() {
                *schemes.entry(scheme.to_owned()).or_default() += 1;
            }
        }
        schemes
    }

    /// Forgets what came.
    pub(crate) fn reset(&self) {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Serves the requests of a connection, one after the other, until the peer closes it, or an answer
/// says that it is closed: with a new connection for each, curl would ask in each what credentials
/// are wanted.
fn serve(
    stream: TcpStream,
    answer: &impl Fn(&Request) -> Answer,
    requests: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = match read_request(&mut reader) {
            // Whoever tries TLS first goes on without it after this.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return reader
                    .get_mut()
                    .write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
            }
            request => request?,
        };
        let mut kept = requests.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(request.clone());
        drop(kept);
        let answer = answer(&request);
        let mut head = format!("HTTP/1.1 {} As Told\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // An answer to HEAD tells the length of what GET would bring.
        if !answer
            .headers
            .iter()
            .any(|(name, _)| name == "content-length")
        {
            head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
        }
        head.push_str("\r\n");
        let stream = reader.get_mut();
        stream.write_all(head.as_bytes())?;
        // What came behind it would be taken for the next answer's beginning.
        if request.method != "HEAD" {
            stream.write_all(&answer.body)?;
        }
        let close = ("Connection".to_owned(), "close".to_owned());
        if answer.headers.contains(&close) {
            return Ok(());
        }
    }
}

/// Has another server on loopback answer a request.
pub(crate) fn forward(request: &Request, address: &str) -> Answer {
    let answer = ask(request, address);
    answer.unwrap_or_else(|error| panic!("{request:?}: {error}"))
}

fn ask(request: &Request, address: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    let Request {
        method,
        path,
        query,
        headers,
        body,
    } = request;
    let mut head = format!("{method} {path}?{query} HTTP/1.1\r\nConnection: close\r\n");
    let is_framing = |name: &str| {
        [
            "connection",
            "content-length",
            "transfer-encoding",
            "expect",
        ]
        .contains(&name)
    };
    for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut reader = BufReader::new(stream);
    let line = read_line(&mut reader)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let headers = read_headers(&mut reader)?;
    let mut answer = Answer::new(status.unwrap_or(502), Vec::new());
    // What answers HEAD has a length, and no body.
    if method != "HEAD" {
        answer.body = read_body(&mut reader, &headers)?.unwrap_or_default();
    }
    for (name, value) in headers {
        if method == "HEAD" || !is_framing(&name) {
            answer = answer.with(&name, &value);
        }
    }
    Ok(answer)
}

fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Request> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = read_headers(reader)?;
    if headers.contains_key("expect") {
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: read_body(reader, &headers)?.unwrap_or_default(),
        headers,
    })
}

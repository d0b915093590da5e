//! What a browser brings to this machine: HTTP requests on loopback, of limited size and time.
//!
//! Any program and any web page on this machine can come here. Whoever is slow, large or no HTTP
//! is sent away without holding up others; what the rest say is for the grant to judge.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::clock::SystemClock;
use crate::context::{Clock, LoopbackHost, Visit, Visitors};
use crate::secret::Secret;

/// How much may a request say before its body? An answer of Entra has some kilobytes.
const LONGEST_HEAD: usize = 32 * 1024;

/// How large may a body be?
const LONGEST_BODY: usize = 64 * 1024;

/// How many headers may a request have?
const MOST_HEADERS: usize = 100;

/// How long may a request take to come?
const PATIENCE: Duration = Duration::from_secs(10);

/// How many may come at once? A browser opens some connections in advance.
const MOST_CONNECTIONS: usize = 32;

/// Sockets on loopback, and what came.
pub struct Listener {
    port: u16,
    addresses: Vec<SocketAddr>,
    visits: mpsc::Receiver<Connection>,
    is_over: Arc<AtomicBool>,
}

/// A request whose answer is awaited.
struct Connection {
    stream: TcpStream,
    visit: Visit,
}

impl Listener {
    /// Listens at `host`, on `port` or on any free one. `localhost` may mean either address, so
    /// both must be ours.
    ///
    /// # Errors
    /// If nothing can be listened to there.
    pub fn open(host: LoopbackHost, port: Option<u16>) -> io::Result<Self> {
        /// How often may the port that is free for one address be taken for the other?
        const ATTEMPTS: usize = 20;
        let mut sockets = bind(host, port.unwrap_or(0));
        for _ in 1..ATTEMPTS {
            if sockets.is_ok() || port.is_some() {
                break;
            }
            sockets = bind(host, 0);
        }
        let sockets = sockets?;
        let (sender, visits) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let mut addresses = Vec::new();
        for socket in sockets {
            addresses.push(socket.local_addr()?);
            let (sender, is_over) = (sender.clone(), Arc::clone(&is_over));
            let connections = Arc::clone(&connections);
            let _thread = std::thread::spawn(move || {
                accept(&socket, &sender, &is_over, &connections);
            });
        }
        let first = addresses.first().expect("there is a socket or an error");
        Ok(Self {
            port: first.port(),
            addresses,
            visits,
            is_over,
        })
    }
}

impl Visitors for Listener {
    fn port(&self) -> u16 {
        self.port
    }

    fn next(&self, judge: &mut dyn FnMut(&Visit) -> (u16, &'static str)) -> bool {
        let Ok(connection) = self.visits.try_recv() else {
            return false;
        };
        let (status, page) = judge(&connection.visit);
        answer(&connection.stream, status, page);
        true
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            // Wakes the thread that waits there; where that fails, nobody does.
            drop(TcpStream::connect_timeout(
                address,
                Duration::from_millis(200),
            ));
        }
    }
}

/// The sockets of a host. A machine without IPv6 has one for `localhost`.
fn bind(host: LoopbackHost, port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    match host {
        LoopbackHost::V4 => Ok(vec![TcpListener::bind((v4, port))?]),
        LoopbackHost::V6 => Ok(vec![TcpListener::bind((v6, port))?]),
        LoopbackHost::Localhost => {
            let first = TcpListener::bind((v4, port))?;
            let port = first.local_addr()?.port();
            match TcpListener::bind((v6, port)) {
                Ok(second) => Ok(vec![first, second]),
                // Somebody else would get what the browser brings to `localhost`.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
                Err(_) => Ok(vec![first]),
            }
        }
    }
}

fn accept(
    socket: &TcpListener,
    sender: &mpsc::Sender<Connection>,
    is_over: &AtomicBool,
    connections: &Arc<AtomicUsize>,
) {
    for stream in socket.incoming() {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            // No file is left to be opened, perhaps: what ends by itself is not waited for in a loop.
            std::thread::park_timeout(Duration::from_millis(50));
            continue;
        };
        if connections.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
            connections.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let (sender, connections) = (sender.clone(), Arc::clone(connections));
        let _thread = std::thread::spawn(move || {
            match read(&stream) {
                Ok(visit) => drop(sender.send(Connection { stream, visit })),
                Err(Some(status)) => {
                    answer(&stream, status, "This is not understood here.");
                    read_rest(&stream);
                }
                Err(None) => {}
            }
            connections.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Reads a request. The error is the status to answer with, where somebody is left to read it.
fn read(mut stream: &TcpStream) -> Result<Visit, Option<u16>> {
    let clock = SystemClock::new();
    let mut bytes = Zeroizing::new(Vec::new());
    let mut read_more = |bytes: &mut Vec<u8>| {
        let left = PATIENCE.saturating_sub(clock.monotonic());
        if left.is_zero() {
            return Err(Some(408));
        }
        let mut buffer = Zeroizing::new([0; 4096]);
        let patient = stream.set_read_timeout(Some(left));
        match patient.and_then(|()| stream.read(&mut buffer[..])) {
            Ok(0) | Err(_) => Err(None),
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    };
    let (visit, body) = loop {
        match begin(&bytes)? {
            Some(begun) => break begun,
            None => read_more(&mut bytes)?,
        }
    };
    while bytes.len() < body.end {
        read_more(&mut bytes)?;
    }
    Ok(finish(visit, &bytes[body])?)
}

/// A request without its body, and where that lies; `None` if more has to come. The error is the status
/// to answer with.
fn begin(bytes: &[u8]) -> Result<Option<(Visit, Range<usize>)>, u16> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > LONGEST_HEAD => return Err(431),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(400),
    };
    let header = |name: &str| {
        let mut named = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        let value = named.next().map(|header| header.value);
        let text = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        // Two that differ are one for us and another for somebody else.
        (named.next().is_none()).then_some(text).ok_or(400_u16)
    };
    let visit = Visit {
        method: request.method.unwrap_or_default().to_owned(),
        target: Secret::new(request.path.unwrap_or_default()),
        host: header("host")?,
        content_type: header("content-type")?,
        body: Secret::new(""),
    };
    if !header("transfer-encoding")?.is_empty() {
        return Err(411);
    }
    let body = header("content-length")?;
    let body: usize = match body.as_str() {
        "" => 0,
        digits => digits.parse().map_err(|_| 400_u16)?,
    };
    if body > LONGEST_BODY {
        return Err(413);
    }
    Ok(Some((visit, length..length + body)))
}

/// The request with its body. The error is the status to answer with.
fn finish(visit: Visit, body: &[u8]) -> Result<Visit, u16> {
    let body = std::str::from_utf8(body).map_err(|_| 400_u16)?;
    Ok(Visit {
        body: Secret::new(body),
        ..visit
    })
}

/// The request that bytes are, if it is whole: what a fuzzer calls.
///
/// # Errors
/// The status that it is refused with.
pub fn decodes(bytes: &[u8]) -> Result<Option<Visit>, u16> {
    let begun = begin(bytes)?;
    let whole = begun.and_then(|(visit, body)| Some((visit, bytes.get(body)?)));
    whole.map(|(visit, body)| finish(visit, body)).transpose()
}

/// Answers with a page that holds nothing of what was asked, and closes.
fn answer(mut stream: &TcpStream, status: u16, text: &str) {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>cred-helper</title></head><body><p>{text}</p></body></html>\n"
    );
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        if status == 200 { "OK" } else { "Refused" },
        page.len()
    );
    // Whoever went away does not want it.
    drop(
        stream
            .set_write_timeout(Some(Duration::from_secs(2)))
            .and_then(|()| stream.write_all(head.as_bytes()))
            .and_then(|()| stream.write_all(page.as_bytes()))
            .and_then(|()| stream.shutdown(std::net::Shutdown::Write)),
    );
}

/// Reads on for a moment: what is unread when a socket is closed can take the answer with it.
fn read_rest(mut stream: &TcpStream) {
    let mut rest = [0; 4096];
    drop(stream.set_read_timeout(Some(Duration::from_millis(500))));
    for _ in 0..16 {
        if !matches!(stream.read(&mut rest), Ok(count) if count > 0) {
            return;
        }
    }
}

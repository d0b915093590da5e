//! As much of D-Bus as a keyring needs: calls over the socket of a bus, their answers, and one kind of
//! signal (<https://dbus.freedesktop.org/doc/dbus-specification.html>).
//!
//! The well-kept libraries either are in C, whose symbols cost each start of this program more than the
//! rest of a silent call, or bring an asynchronous runtime.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::context::Clock;
use crate::system::clock::SystemClock;
use crate::text::printable;

/// How long may the header of a message be? Those of a keyring have some hundred bytes.
const LONGEST: usize = 1024 * 1024;

/// How long may what it says be? A secret that other programs share may be long.
pub(super) const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// How many signals are kept that come while an answer is waited for? One is of use.
const MOST_SIGNALS: usize = 16;

/// The version of the protocol.
const VERSION: u8 = 1;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no bus.
    Absent(String),
    /// The bus does not let this program in, or has gone meanwhile.
    Broken(String),
    /// Nothing came in time.
    Silent,
    /// The answer is an error of this name, with these words.
    Said(String, String),
    /// What came is not D-Bus.
    Garbled,
    /// What came, or would be sent, is too long.
    TooLong,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let late = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        if late.contains(&error.kind()) {
            return Self::Silent;
        }
        Self::Broken(printable(&error.to_string()))
    }
}

/// Who is called, and for what.
#[derive(Clone, Copy)]
pub(super) struct Method<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
}

/// A connection to a bus.
pub(super) struct Bus {
    stream: UnixStream,
    clock: SystemClock,
    /// When the last answer has to be there, on the clock, which began when this one was connected to.
    until: Duration,
    serial: u32,
    signals: VecDeque<Message>,
}

/// What came.
pub(super) struct Message {
    kind: u8,
    answers: Option<u32>,
    path: String,
    member: String,
    error: String,
    signature: String,
    is_little: bool,
    body: Zeroizing<Vec<u8>>,
}

impl Message {
    /// Its values, which have to be of these types.
    pub(super) fn values(&self, signature: &str) -> Result<Reader<'_>, Failure> {
        if self.signature != signature {
            return Err(Failure::Garbled);
        }
        Ok(self.reader())
    }

    /// Its first value, which has to be yes or no.
    pub(super) fn first_boolean(&self) -> Result<bool, Failure> {
        match self.signature.starts_with('b') {
            true => self.reader().boolean(),
            false => Err(Failure::Garbled),
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            bytes: &self.body,
            at: 0,
            is_little: self.is_little,
        }
    }
}

impl Bus {
    /// Connects to the first of `addresses` that answers, for as long as `limit`.
    pub(super) fn connect(addresses: &str, limit: Duration) -> Result<Self, Failure> {
        let clock = SystemClock::new();
        let mut failure = Failure::Absent("its address names no socket".to_owned());
        for (name, is_abstract) in addresses.split(';').filter_map(socket) {
            match connect(&name, is_abstract) {
                Ok(stream) => return Self::over(stream, clock, limit),
                Err(error) => failure = not_connected(&error),
            }
        }
        Err(failure)
    }

    /// Is let in by the bus behind that socket, for as long as `limit` on the clock.
    pub(super) fn over(
        stream: UnixStream,
        clock: SystemClock,
        limit: Duration,
    ) -> Result<Self, Failure> {
        let mut bus = Self {
            stream,
            clock,
            until: limit,
            serial: 0,
            signals: VecDeque::new(),
        };
        bus.authenticate()?;
        let hello = Method {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
        };
        bus.call(hello, Body::default())?;
        Ok(bus)
    }

    /// Who this is, the kernel tells the bus.
    fn authenticate(&mut self) -> Result<(), Failure> {
        /// How long may a line of the handshake be?
        const LINE: usize = 1024;
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\n")?;
        for expected in ["DATA", "OK"] {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                self.receive(&mut byte)?;
                line.push(byte[0]);
                if line.len() > LINE {
                    return Err(Failure::Garbled);
                }
            }
            if !line.starts_with(expected.as_bytes()) {
                let refusal = printable(&String::from_utf8_lossy(&line));
                return Err(Failure::Broken(format!(
                    "the session bus says `{}`",
                    refusal.trim()
                )));
            }
        }
        self.send(b"BEGIN\r\n")
    }

    /// What is left until `until`.
    fn left(&self, until: Duration) -> Result<Duration, Failure> {
        let left = until.min(self.until).saturating_sub(self.clock.monotonic());
        if left.is_zero() {
            return Err(Failure::Silent);
        }
        Ok(left)
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let left = self.left(self.until)?;
            self.stream.set_write_timeout(Some(left))?;
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        self.receive_until(bytes, self.until)
    }

    fn receive_until(&mut self, bytes: &mut [u8], until: Duration) -> Result<(), Failure> {
        let mut at = 0;
        while at < bytes.len() {
            let left = self.left(until)?;
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut bytes[at..]) {
                Ok(0) => return Err(Failure::Broken("the session bus is gone".to_owned())),
                Ok(count) => at += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Calls a method, and waits for its answer.
    pub(super) fn call(&mut self, method: Method<'_>, body: Body) -> Result<Message, Failure> {
        if body.bytes.len() > LONGEST_BODY {
            return Err(Failure::TooLong);
        }
        self.serial += 1;
        let serial = self.serial;
        let message = encode(method, serial, &body);
        self.send(&message)?;
        loop {
            let message = self.next(self.until)?;
            if message.kind == SIGNAL {
                // However many come meanwhile, they are not all kept.
                self.signals.truncate(MOST_SIGNALS - 1);
                self.signals.push_back(message);
            } else if message.answers == Some(serial) && message.kind == METHOD_RETURN {
                return Ok(message);
            } else if message.answers == Some(serial) && message.kind == ERROR {
                let is_text = message.signature.starts_with('s');
                let text = is_text.then(|| message.values(&message.signature).ok()?.text().ok());
                let text = text.flatten().unwrap_or_default();
                return Err(Failure::Said(message.error, printable(&text)));
            }
        }
    }

    /// Waits for a signal of that object, until so much time is over since this bus was connected to.
    pub(super) fn signal(
        &mut self,
        path: &str,
        member: &str,
        until: Duration,
    ) -> Result<Message, Failure> {
        let is_it = |message: &Message| {
            message.kind == SIGNAL && message.path == path && message.member == member
        };
        if let Some(place) = self.signals.iter().position(is_it) {
            return self.signals.remove(place).ok_or(Failure::Garbled);
        }
        loop {
            let message = self.next(until)?;
            if is_it(&message) {
                return Ok(message);
            }
        }
    }

    /// The next message. Only before its first byte the time may be shorter than for all.
    fn next(&mut self, until: Duration) -> Result<Message, Failure> {
        let mut start = [0; 16];
        self.receive_until(&mut start[..1], until)?;
        self.receive(&mut start[1..])?;
        let is_little = match start[0] {
            b'l' => true,
            b'B' => false,
            _ => return Err(Failure::Garbled),
        };
        if start[3] != VERSION {
            return Err(Failure::Garbled);
        }
        let number = |at: usize| {
            let bytes: [u8; 4] = std::array::from_fn(|index| start[at + index]);
            let number = match is_little {
                true => u32::from_le_bytes(bytes),
                false => u32::from_be_bytes(bytes),
            };
            usize::try_from(number).unwrap_or(usize::MAX)
        };
        let (body, fields) = (number(4), number(12));
        if body > LONGEST_BODY {
            return Err(Failure::TooLong);
        }
        if fields > LONGEST {
            return Err(Failure::Garbled);
        }
        let mut header = vec![0; fields.next_multiple_of(8)];
        self.receive(&mut header)?;
        let mut bytes = Zeroizing::new(vec![0; body]);
        self.receive(&mut bytes)?;
        let mut message = Message {
            kind: start[1],
            answers: None,
            path: String::new(),
            member: String::new(),
            error: String::new(),
            signature: String::new(),
            is_little,
            body: bytes,
        };
        let mut reader = Reader {
            bytes: &header[..fields],
            at: 0,
            is_little,
        };
        while reader.at < reader.bytes.len() {
            reader.align(8)?;
            let field = reader.byte()?;
            match (field, reader.signature()?.as_str()) {
                (1, "o") => message.path = reader.path()?,
                (3, "s") => message.member = reader.text()?,
                (4, "s") => message.error = reader.text()?,
                (5, "u") => message.answers = Some(reader.number()?),
                (8, "g") => message.signature = reader.signature()?,
                (_, "s" | "o") => drop(reader.text()?),
                (_, "g") => drop(reader.signature()?),
                (_, "u") => drop(reader.number()?),
                // No field of another type is known, and a bus passes on none that it does not know.
                _ => return Err(Failure::Garbled),
            }
        }
        Ok(message)
    }
}

/// Where nobody listens, there is no bus. One that is somebody else's is one.
fn not_connected(error: &io::Error) -> Failure {
    let reason = printable(&error.to_string());
    let nobody = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    if nobody.contains(&error.kind()) {
        return Failure::Absent(reason);
    }
    Failure::Broken(format!("the session bus: {reason}"))
}

fn connect(name: &[u8], is_abstract: bool) -> io::Result<UnixStream> {
    if !is_abstract {
        return UnixStream::connect(OsStr::from_bytes(name));
    }
    let address = SocketAddr::from_abstract_name(name)?;
    UnixStream::connect_addr(&address)
}

/// The socket that an address names: its path, or its name in no file system.
fn socket(address: &str) -> Option<(Vec<u8>, bool)> {
    let parameters = address.strip_prefix("unix:")?;
    parameters.split(',').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        match key {
            "path" => Some((unescape(value)?, false)),
            "abstract" => Some((unescape(value)?, true)),
            _ => None,
        }
    })
}

/// The address of the bus at that path.
pub(super) fn address_of(path: &Path) -> String {
    let mut address = "unix:path=".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'-' | b'_' | b'/' | b'.' | b'*' => address.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            _ => address.push_str(&format!("%{byte:02x}")),
        }
    }
    address
}

/// Undoes `%2f`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let byte = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        bytes.push(byte);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    Some(bytes)
}

fn encode(method: Method<'_>, serial: u32, body: &Body) -> Zeroizing<Vec<u8>> {
    let mut header = Body::default();
    for byte in [b'l', METHOD_CALL, 0, 1] {
        header.bytes.push(byte);
    }
    header.count(body.bytes.len());
    header.number(serial);
    header.array(8, |fields| {
        for (field, kind, value) in [
            (1, "o", method.path),
            (2, "s", method.interface),
            (3, "s", method.member),
            (6, "s", method.destination),
            (8, "g", &body.signature),
        ] {
            if field == 8 && value.is_empty() {
                continue;
            }
            fields.align(8);
            fields.bytes.push(field);
            fields.signature_value(kind);
            match kind {
                "g" => fields.signature_value(value),
                _ => fields.text_value(value),
            }
        }
    });
    header.align(8);
    header.bytes.extend_from_slice(&body.bytes);
    header.bytes
}

/// Values for a call, one after the other.
#[derive(Default)]
pub(super) struct Body {
    signature: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl Body {
    /// With a text.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.signature.push('s');
        self.text_value(text);
        self
    }

    /// With an object's path.
    pub(super) fn path(mut self, path: &str) -> Self {
        self.signature.push('o');
        self.text_value(path);
        self
    }

    /// With paths.
    pub(super) fn paths(mut self, paths: &[&str]) -> Self {
        self.signature.push_str("ao");
        self.array(4, |values| {
            for path in paths {
                values.text_value(path);
            }
        });
        self
    }

    /// With yes or no.
    pub(super) fn boolean(mut self, is_so: bool) -> Self {
        self.signature.push('b');
        self.number(u32::from(is_so));
        self
    }

    /// With names and texts.
    pub(super) fn texts(mut self, texts: &[(&str, &str)]) -> Self {
        self.signature.push_str("a{ss}");
        self.texts_value(texts);
        self
    }

    /// With a text of any type.
    pub(super) fn any_text(mut self, text: &str) -> Self {
        self.signature.push('v');
        self.signature_value("s");
        self.text_value(text);
        self
    }

    /// With an item's properties: its label, and what it is found by.
    pub(super) fn properties(mut self, label: &str, attributes: &[(&str, &str)]) -> Self {
        self.signature.push_str("a{sv}");
        self.array(8, |values| {
            values.align(8);
            values.text_value("org.freedesktop.Secret.Item.Label");
            values.signature_value("s");
            values.text_value(label);
            values.align(8);
            values.text_value("org.freedesktop.Secret.Item.Attributes");
            values.signature_value("a{ss}");
            values.texts_value(attributes);
        });
        self
    }

    /// With a secret of a session.
    pub(super) fn secret(mut self, session: &str, secret: &[u8]) -> Self {
        /// How long is all else of a call with a secret? An object's path, some texts, and lengths.
        const REST: usize = 4096;
        self.signature.push_str("(oayays)");
        // What moves leaves a copy behind.
        self.bytes.reserve(secret.len() + REST);
        self.align(8);
        self.text_value(session);
        self.array(1, |_| {});
        self.array(1, |values| values.bytes.extend_from_slice(secret));
        self.text_value("text/plain");
        self
    }

    fn align(&mut self, to: usize) {
        let length = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(length, 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        // What is sent is some hundred bytes.
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn text_value(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature_value(&mut self, signature: &str) {
        // No signature of ours has more than ten characters.
        self.bytes
            .push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.bytes.extend_from_slice(signature.as_bytes());
        self.bytes.push(0);
    }

    fn texts_value(&mut self, texts: &[(&str, &str)]) {
        self.array(8, |values| {
            for (name, text) in texts {
                values.align(8);
                values.text_value(name);
                values.text_value(text);
            }
        });
    }

    /// An array of what is aligned so; its length is known when it is written.
    fn array(&mut self, aligned: usize, write: impl FnOnce(&mut Self)) {
        self.number(0);
        let place = self.bytes.len() - 4;
        self.align(aligned);
        let start = self.bytes.len();
        write(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[place..place + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads values one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_little: bool,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], Failure> {
        let end = self.at.checked_add(count).ok_or(Failure::Garbled)?;
        let taken = self.bytes.get(self.at..end).ok_or(Failure::Garbled)?;
        self.at = end;
        Ok(taken)
    }

    /// Goes on where what comes next may begin.
    pub(super) fn align(&mut self, to: usize) -> Result<(), Failure> {
        let padding = self.at.next_multiple_of(to) - self.at;
        self.zeros(padding)
    }

    /// Passes what has to be zero.
    fn zeros(&mut self, count: usize) -> Result<(), Failure> {
        match self.take(count)?.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(Failure::Garbled),
        }
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u32, Failure> {
        self.align(4)?;
        let is_little = self.is_little;
        let taken = self.take(4)?;
        let bytes: [u8; 4] = std::array::from_fn(|index| taken[index]);
        Ok(match is_little {
            true => u32::from_le_bytes(bytes),
            false => u32::from_be_bytes(bytes),
        })
    }

    fn count(&mut self) -> Result<usize, Failure> {
        usize::try_from(self.number()?).map_err(|_| Failure::Garbled)
    }

    /// A text.
    pub(super) fn text(&mut self) -> Result<String, Failure> {
        let length = self.count()?;
        self.text_of(length)
    }

    /// An object's path. It goes into calls, and into rules.
    pub(super) fn path(&mut self) -> Result<String, Failure> {
        let is_element = |element: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            !element.is_empty() && element.bytes().all(is_plain)
        };
        let path = self.text()?;
        match path.strip_prefix('/') {
            Some(rest) if rest.is_empty() || rest.split('/').all(is_element) => Ok(path),
            _ => Err(Failure::Garbled),
        }
    }

    fn signature(&mut self) -> Result<String, Failure> {
        let length = usize::from(self.byte()?);
        self.text_of(length)
    }

    /// As many bytes, and the zero behind them, which is the only one.
    fn text_of(&mut self, length: usize) -> Result<String, Failure> {
        let text = String::from_utf8(self.take(length)?.to_vec());
        self.zeros(1)?;
        let text = text.map_err(|_| Failure::Garbled)?;
        match text.contains('\0') {
            true => Err(Failure::Garbled),
            false => Ok(text),
        }
    }

    /// Yes or no.
    pub(super) fn boolean(&mut self) -> Result<bool, Failure> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Failure::Garbled),
        }
    }

    /// Bytes.
    pub(super) fn bytes(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let length = self.count()?;
        Ok(Zeroizing::new(self.take(length)?.to_vec()))
    }

    /// Paths.
    pub(super) fn paths(&mut self) -> Result<Vec<String>, Failure> {
        let length = self.count()?;
        let end = self.at.checked_add(length).ok_or(Failure::Garbled)?;
        let mut paths = Vec::new();
        while self.at < end {
            paths.push(self.path()?);
        }
        match self.at == end {
            true => Ok(paths),
            false => Err(Failure::Garbled),
        }
    }

    /// Begins a value of any type, which has to be this one.
    pub(super) fn any(&mut self, signature: &str) -> Result<(), Failure> {
        match self.signature()? == signature {
            true => Ok(()),
            false => Err(Failure::Garbled),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::{Body, Bus, Failure, LONGEST_BODY, MOST_SIGNALS, Method, Reader, SystemClock};

    const PING: Method<'_> = Method {
        destination: "org.example.X",
        path: "/x",
        interface: "org.example.X",
        member: "Ping",
    };
    /// What a bus says to whoever it lets in.
    const WELCOME: &[u8] = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";

    /// A message of that kind, with these header fields and this body.
    fn message(kind: u8, fields: impl FnOnce(&mut Body), body: &[u8]) -> Vec<u8> {
        let mut message = Body::default();
        message.bytes.extend_from_slice(&[b'l', kind, 1, 1]);
        message.count(body.len());
        message.number(7);
        message.array(8, fields);
        message.align(8);
        message.bytes.extend_from_slice(body);
        message.bytes.to_vec()
    }

    /// The header field that says which call is answered.
    fn answers(serial: u32) -> impl Fn(&mut Body) {
        move |fields| {
            fields.align(8);
            fields.bytes.push(5);
            fields.signature_value("u");
            fields.number(serial);
        }
    }

    fn signature(fields: &mut Body, field: u8, signature: &str) {
        fields.align(8);
        fields.bytes.push(field);
        fields.signature_value("g");
        fields.signature_value(signature);
    }

    fn text(fields: &mut Body, field: u8, kind: &str, text: &str) {
        fields.align(8);
        fields.bytes.push(field);
        fields.signature_value(kind);
        fields.text_value(text);
    }

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader {
            bytes,
            at: 0,
            is_little: true,
        }
    }

    /// The bus that says this after its welcome and its answer to `Hello`, and the other end of its
    /// socket, where it goes on.
    fn bus(said: &[u8], limit: Duration) -> (Result<Bus, Failure>, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair can be made");
        let all = [WELCOME, &message(2, answers(1), b""), said].concat();
        theirs.write_all(&all).expect("there is room");
        (Bus::over(ours, SystemClock::new(), limit), theirs)
    }

    /// What a call comes to, where the bus says this and is gone.
    fn called(said: &[u8]) -> Result<Vec<u8>, Failure> {
        let (bus, theirs) = bus(said, Duration::from_secs(10));
        theirs.shutdown(Shutdown::Write).expect("it is open");
        let answer = bus?.call(PING, Body::default())?;
        Ok(answer.body.to_vec())
    }

    #[test]
    fn an_answer_is_heard_whatever_comes_before_it() {
        let foreign = [
            message(4, |_| {}, b""),
            message(1, |_| {}, b""),
            message(2, answers(1), b"late"),
            message(3, answers(3), b"early"),
            // Of a kind, and with a field, that nobody knows yet.
            message(99, answers(2), b""),
            message(2, |fields| signature(fields, 99, "s"), b""),
        ];
        let little = message(2, answers(2), b"it");
        let big = b"B\x02\x01\x01\0\0\0\x02\0\0\0\x07\0\0\0\x08\x05\x01u\0\0\0\0\x02it";
        for answer in [&little[..], big] {
            let heard = called(&[&foreign.concat(), answer].concat());
            assert_eq!(heard.expect("it is answered"), b"it");
        }
        let error = message(3, answers(2), b"");
        assert!(matches!(called(&error), Err(Failure::Said(..))));
        assert!(matches!(called(b""), Err(Failure::Broken(_))));
    }

    #[test]
    fn what_is_no_message_ends_the_conversation() {
        let good = message(2, answers(2), b"");
        let with = |place: usize, byte: u8| {
            let mut bad = good.clone();
            bad[place] = byte;
            bad
        };
        let of = |write: &dyn Fn(&mut Body)| message(2, write, b"");
        for (what, bad) in [
            ("byte order", with(0, b'x')),
            ("version", with(3, 2)),
            ("fields that are too long", with(15, 1)),
            ("fields that end too early", with(12, 7)),
            ("a type of a known field", with(18, b'i')),
            ("the end of a signature", with(19, 1)),
            (
                "padding",
                of(&|fields| {
                    signature(fields, 8, "s");
                    fields.bytes.push(1);
                    answers(2)(fields);
                }),
            ),
            (
                "a signature that is cut off",
                of(&|fields| signature(fields, 8, "s\0")),
            ),
            (
                "a text that is cut off",
                of(&|fields| text(fields, 3, "s", "a\0b")),
            ),
            ("a path", of(&|fields| text(fields, 1, "o", "a/b"))),
        ] {
            let heard = called(&[&bad[..], &good].concat());
            assert!(matches!(heard, Err(Failure::Garbled)), "{what}: {heard:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_neither_heard_nor_said() {
        let mut long = message(2, answers(2), b"");
        long[7] = 2;
        assert!(matches!(called(&long), Err(Failure::TooLong)));
        let (bus, _theirs) = bus(b"", Duration::from_secs(10));
        let body = Body::default().secret("/s", &vec![0; LONGEST_BODY]);
        let said = bus.expect("it lets us in").call(PING, body);
        assert!(matches!(said, Err(Failure::TooLong)));
    }

    #[test]
    fn values_are_read_as_they_have_to_be_written() {
        let paths = |paths: &[&str]| Body::default().paths(paths).bytes;
        let read = |bytes: &[u8]| reader(bytes).paths().ok();
        let good = ["/", "/a", "/a_1/B"];
        assert_eq!(
            read(&paths(&good)).as_deref(),
            Some(&good.map(String::from)[..])
        );
        for bad in ["", "a", "/a/", "//", "/a//b", "/a-b", "/ä", "/a'"] {
            assert_eq!(read(&paths(&[bad])), None, "{bad}");
        }
        let mut longer = paths(&["/a", "/b"]);
        longer[0] -= 1;
        assert_eq!(
            read(&longer),
            None,
            "an element does not end behind its array"
        );
        longer[0] += 2;
        assert_eq!(
            read(&longer),
            None,
            "an array does not end behind its message"
        );
        for (number, expected) in [(0_u32, Some(false)), (1, Some(true)), (2, None)] {
            let is_so = reader(&number.to_le_bytes()).boolean().ok();
            assert_eq!(is_so, expected, "{number}");
        }
        let text = Body::default().text("ä\u{1b}").bytes;
        assert_eq!(reader(&text).text().ok().as_deref(), Some("ä\u{1b}"));
        for end in 0..text.len() {
            assert!(reader(&text[..end]).text().is_err(), "{end}");
        }
    }

    #[test]
    fn a_bus_that_talks_without_end_is_given_up_in_time_and_not_kept_in_mind() {
        let (bus, mut theirs) = bus(b"", Duration::from_millis(300));
        let talks = std::thread::spawn(move || {
            let signal = message(4, |_| {}, &[0; 1000]);
            while theirs.write_all(&signal).is_ok() {}
        });
        let mut bus = bus.expect("it lets us in");
        assert!(matches!(
            bus.call(PING, Body::default()),
            Err(Failure::Silent)
        ));
        assert!(bus.signals.len() <= MOST_SIGNALS);
        drop(bus);
        talks.join().expect("it ends when nobody listens");
    }
}

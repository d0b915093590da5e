//! The network between the processes and the token endpoint: it knows which process sends what,
//! spoils what it is told to, and notes all that the authority did.
//!
//! Connections are served one after the other, as they came. So what a killed process has sent
//! still reaches the authority before the request of whoever has the session's lock after it.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::chance::Chance;
use crate::crowd::{Crowd, Number};
use crate::oidc_provider::http::{self, read_body, read_headers, read_line};

/// How long may a process be silent on a connection that it has made?
const SILENCE: Duration = Duration::from_secs(20);

/// What this network does to requests.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// It loses, delays and cuts.
    pub(crate) is_rough: bool,
    /// It tells when to kill the process that refreshes.
    pub(crate) kills: bool,
    /// Every one of so many times, where it is anything.
    pub(crate) once_in: u64,
    /// From what it is drawn.
    pub(crate) chance: Chance,
}

/// A token request that reached the authority.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Whose it is; `None` in fair weather, where nobody is killed.
    pub(crate) process: Option<Number>,
    /// The refresh token that was sent; `None` in a sign-in.
    pub(crate) sent: Option<String>,
    pub(crate) arrived: Instant,
    pub(crate) answered: Instant,
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The answer was not passed on, or not whole.
    pub(crate) is_withheld: bool,
}

/// A network that is up; dropping it ends it.
pub(crate) struct Network {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    weather: Option<Weather>,
    exchanges: Vec<Exchange>,
    is_stopping: bool,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passed,
    /// Reset when the connection is made.
    Reset,
    /// It is read, and not passed on.
    Swallowed,
    /// A status that is answered in the authority's place.
    Answered(u16),
    /// It comes late.
    Late,
    /// The authority's answer comes piece by piece.
    Slow,
    /// The authority's answer is lost.
    Lost,
    /// Half of the authority's answer is lost.
    Cut,
    /// The process is killed when its request was read.
    KilledBefore,
    /// The process is killed when the authority has answered, and has not seen it.
    KilledBetween,
    /// The process is killed so many milliseconds after it has the answer.
    KilledAfter(u64),
}

impl Fate {
    fn draw(weather: &mut Weather) -> Self {
        /// Those that cost nothing, and those that may cost a sign-in: the second are drawn less often.
        const HARMLESS: [Fate; 7] = [
            Fate::Reset,
            Fate::Swallowed,
            Fate::Answered(500),
            Fate::Answered(502),
            Fate::Answered(503),
            Fate::Late,
            Fate::Slow,
        ];
        const COSTLY: [Fate; 2] = [Fate::Lost, Fate::Cut];
        let Weather {
            is_rough,
            kills,
            once_in,
            chance,
        } = weather;
        if *kills && chance.is_one_in(*once_in * 2) {
            let later = chance.below(12);
            return *chance.one_of(&[
                Self::KilledBefore,
                Self::KilledBetween,
                Self::KilledAfter(later),
                Self::KilledAfter(later),
            ]);
        }
        if !*is_rough || !chance.is_one_in(*once_in) {
            return Self::Passed;
        }
        let is_costly = chance.is_one_in(12);
        *chance.one_of(if is_costly { &COSTLY[..] } else { &HARMLESS })
    }
}

impl Network {
    /// Passes requests on to this token endpoint; the processes are those of `crowd`.
    pub(crate) fn start(token_endpoint: String, crowd: Arc<Crowd>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let state = Arc::new(Mutex::new(State {
            weather: None,
            exchanges: Vec::new(),
            is_stopping: false,
        }));
        let line = Line {
            token_endpoint,
            crowd,
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if line.state().is_stopping {
                    return;
                }
                // What goes wrong here is the peer's doing: it was killed.
                line.serve(stream).ok();
            }
        });
        Self { address, state }
    }

    /// The token endpoint, as the processes know it.
    pub(crate) fn token_endpoint(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Changes the weather, once all that was sent in the old one has been served.
    pub(crate) fn set_weather(&self, weather: Option<Weather>) {
        // The last one that comes in the old weather says nothing, and is hung up on in its turn.
        let last = TcpStream::connect(self.address).expect("the network is up");
        last.shutdown(Shutdown::Write).ok();
        read_line(&mut BufReader::new(last)).ok();
        self.state().weather = weather;
    }

    /// All that reached the authority since the last call.
    pub(crate) fn take_exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.state().exchanges)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.state().is_stopping = true;
        // Wakes the one who listens.
        TcpStream::connect(self.address).ok();
    }
}

/// What serves the connections.
struct Line {
    token_endpoint: String,
    crowd: Arc<Crowd>,
    state: Arc<Mutex<State>>,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let arrived = Instant::now();
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let is_fair = self.state().weather.is_none();
        let process = if is_fair {
            None
        } else {
            let Some(owner) = self.crowd.owner(stream.peer_addr()?) else {
                // It is dead, and has sent nothing that is passed on.
                return Ok(());
            };
            Some(owner)
        };
        let fate = match &mut self.state().weather {
            Some(weather) => Fate::draw(weather),
            None => Fate::Passed,
        };
        let kill = || {
            process
                .into_iter()
                .for_each(|number| self.crowd.kill(number))
        };
        if fate == Fate::Reset {
            return Ok(());
        }
        let mut reader = BufReader::new(stream.try_clone()?);
        read_line(&mut reader)?;
        let headers = read_headers(&mut reader)?;
        let form = read_body(&mut reader, &headers)?.unwrap_or_default();
        let form = String::from_utf8(form).map_err(io::Error::other)?;
        match fate {
            Fate::Swallowed => return Ok(()),
            Fate::Answered(status) => return stream.write_all(&answer(status, "")),
            Fate::Late => thread::sleep(Duration::from_millis(50)),
            Fate::KilledBefore => kill(),
            Fate::Passed
            | Fate::Reset
            | Fate::Slow
            | Fate::Lost
            | Fate::Cut
            | Fate::KilledBetween
            | Fate::KilledAfter(_) => {}
        }
        let response = http::post_form(&self.token_endpoint, &form).expect("the authority answers");
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(form.as_bytes()).collect();
        self.state().exchanges.push(Exchange {
            process,
            sent: form.get("refresh_token").map(|token| token.to_string()),
            arrived,
            answered: Instant::now(),
            status: response.status,
            body: response.json(),
            is_withheld: matches!(fate, Fate::Lost | Fate::Cut),
        });
        let bytes = answer(response.status, &response.body);
        match fate {
            Fate::Lost => Ok(()),
            Fate::Cut => stream.write_all(&bytes[..bytes.len() - response.body.len() / 2]),
            Fate::Slow => bytes.chunks(bytes.len() / 8).try_for_each(|piece| {
                thread::sleep(Duration::from_millis(3));
                stream.write_all(piece)
            }),
            Fate::KilledBetween => {
                kill();
                Ok(())
            }
            Fate::KilledAfter(milliseconds) => {
                stream.write_all(&bytes)?;
                thread::sleep(Duration::from_millis(milliseconds));
                kill();
                Ok(())
            }
            Fate::Passed
            | Fate::Reset
            | Fate::Swallowed
            | Fate::Answered(_)
            | Fate::Late
            | Fate::KilledBefore => stream.write_all(&bytes),
        }
    }
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} said\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

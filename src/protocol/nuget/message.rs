//! The messages of the plugins' protocol: a line of JSON each.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::encoding::from_object;
use crate::line::Line;

/// What arrived.
pub(super) enum Message {
    /// Something is wanted.
    Request {
        /// What the answer repeats.
        id: String,
        /// The same; a word.
        method: String,
        /// What it says, or why that cannot be read.
        payload: Result<Asked, String>,
    },
    /// An answer to a request of ours.
    Response {
        /// The id of our request.
        id: String,
        /// What it says, if that can be read.
        payload: Option<Asked>,
    },
    /// A request is not wanted any more.
    Cancel {
        /// The id of the request.
        id: String,
    },
    /// A request that was taken back before anybody looked at it.
    Cancelled {
        /// The id of the request.
        id: String,
        /// Its method.
        method: String,
    },
    /// Nothing that is to be answered.
    Nothing,
    /// No message.
    Nonsense {
        /// Why.
        reason: String,
    },
    /// NuGet wants an end.
    Close,
    /// Nothing more will arrive.
    End,
}

/// What the payloads of all requests, and of the answer to a handshake, may hold that we read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Asked {
    /// `Handshake`: the newest version.
    pub(super) protocol_version: Option<String>,
    /// `Handshake`: the oldest version.
    pub(super) minimum_protocol_version: Option<String>,
    /// What became of a request of ours.
    pub(super) response_code: Option<String>,
    /// `MonitorNuGetProcessExit`.
    pub(super) process_id: Option<u32>,
    /// `SetLogLevel`.
    pub(super) log_level: Option<String>,
    /// `GetOperationClaims`: the source; all of them, if there is none.
    pub(super) package_source_repository: Option<String>,
    service_index: Option<IgnoredAny>,
    /// `GetAuthenticationCredentials`: what wants credentials.
    pub(super) uri: Option<String>,
    is_retry: Option<bool>,
    is_non_interactive: Option<bool>,
}

impl Asked {
    /// Whether the index of a source is told.
    pub(super) fn has_service_index(&self) -> bool {
        self.service_index.is_some()
    }

    /// Whether the last answer for this was refused.
    pub(super) fn is_retry(&self) -> bool {
        self.is_retry == Some(true)
    }

    /// Whether a person may be asked. Whoever does not say so has none.
    pub(super) fn may_ask(&self) -> bool {
        self.is_non_interactive == Some(false)
    }
}

/// The requests that are answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Handshake,
    Initialize,
    MonitorNuGetProcessExit,
    GetOperationClaims,
    SetLogLevel,
    SetCredentials,
    GetAuthenticationCredentials,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Handshake,
        Self::Initialize,
        Self::MonitorNuGetProcessExit,
        Self::GetOperationClaims,
        Self::SetLogLevel,
        Self::SetCredentials,
        Self::GetAuthenticationCredentials,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "Handshake",
            Self::Initialize => "Initialize",
            Self::MonitorNuGetProcessExit => "MonitorNuGetProcessExit",
            Self::GetOperationClaims => "GetOperationClaims",
            Self::SetLogLevel => "SetLogLevel",
            Self::SetCredentials => "SetCredentials",
            Self::GetAuthenticationCredentials => "GetAuthenticationCredentials",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether what it says is read. The passwords of proxies are nothing to us.
    const fn is_read(self) -> bool {
        !matches!(self, Self::SetCredentials | Self::Initialize)
    }
}

/// What NuGet shows of what it is told, from all to next to nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Debug,
    Verbose,
    Information,
    Minimal,
    Warning,
    Error,
}

impl Level {
    const ALL: [Self; 6] = [
        Self::Debug,
        Self::Verbose,
        Self::Information,
        Self::Minimal,
        Self::Warning,
        Self::Error,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Debug => "Debug",
            Self::Verbose => "Verbose",
            Self::Information => "Information",
            Self::Minimal => "Minimal",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// The numbers of a version; what stands behind them does not count.
pub(super) fn version(text: &str) -> Option<[u64; 3]> {
    let numbers = text.split(['-', '+']).next()?;
    let numbers: Vec<u64> = numbers
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    numbers.try_into().ok()
}

impl Message {
    /// Reads a line.
    pub(super) fn read(line: &Line) -> Self {
        /// What the writer of .NET Framework begins with.
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let bytes = match line {
            Line::Whole(bytes) => bytes.strip_prefix(MARK).unwrap_or(bytes),
            Line::TooLong => return nonsense("a line is longer than 1 MiB"),
            Line::End => return Self::End,
        };
        if bytes.trim_ascii().is_empty() {
            return Self::Nothing;
        }
        /// How long may an id be? NuGet's are GUIDs.
        const LONGEST_ID: usize = 256;
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Wire<'w> {
            request_id: String,
            r#type: String,
            method: String,
            #[serde(borrow, default)]
            payload: Option<&'w RawValue>,
        }
        // The error's own text may show a part of the line.
        let Ok(wire) = from_object::<Wire<'_>>(bytes) else {
            return nonsense(
                "a line is no message: a `RequestId`, a `Type` and a `Method` in JSON",
            );
        };
        let Wire {
            request_id: id,
            r#type,
            method,
            payload,
        } = wire;
        if id.is_empty() || id.len() > LONGEST_ID {
            return nonsense("a `RequestId` is empty or too long");
        }
        let is_letter = |byte: u8| byte.is_ascii_alphabetic();
        if method.is_empty() || method.len() > LONGEST_ID || !method.bytes().all(is_letter) {
            return nonsense("a `Method` is no name");
        }
        match r#type.as_str() {
            "Request" if method == "Close" => Self::Close,
            "Request" => Self::Request {
                payload: read_payload(&method, payload),
                id,
                method,
            },
            "Response" => Self::Response {
                payload: read_payload(&method, payload).ok(),
                id,
            },
            "Cancel" => Self::Cancel { id },
            "Progress" | "Fault" => Self::Nothing,
            _ => nonsense("there is no such `Type`"),
        }
    }
}

fn nonsense(reason: &str) -> Message {
    Message::Nonsense {
        reason: reason.to_owned(),
    }
}

fn read_payload(method: &str, payload: Option<&RawValue>) -> Result<Asked, String> {
    let is_read = Method::parse(method).is_some_and(Method::is_read);
    let Some(payload) = payload.filter(|_| is_read) else {
        return Ok(Asked::default());
    };
    serde_json::from_str(payload.get())
        .map_err(|_| "the `Payload` has a member of another type than it should".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Level, version};

    #[test]
    fn a_version_has_three_numbers() {
        for (text, expected) in [
            ("2.0.0", Some([2, 0, 0])),
            ("10.2.3-beta.1+x", Some([10, 2, 3])),
            ("2.0", None),
            ("2.0.0.0", None),
            ("2.x.0", None),
            ("-2.0.0", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }

    #[test]
    fn levels_go_from_all_to_next_to_nothing() {
        assert!(Level::Debug < Level::Minimal && Level::Minimal < Level::Error);
        assert!(Level::parse("Minimal") == Some(Level::Minimal));
        assert!(Level::parse("minimal").is_none());
    }
}

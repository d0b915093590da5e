//! The exec plugins of kubectl and of every other client-go program
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>).
//!
//! The request comes in a variable, the answer is one document. There is no way to decline: a process
//! that fails ends the command, and client-go may start it several times for one. Nor is it told that
//! a token was rejected: a second start looks like the first.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::argument::{Arguments, Flag};
use super::{Answer, Entry};
use crate::credential::{Action, Credential, Interactive, Request, Response, TokenKind};
use crate::encoding::from_object;
use crate::error::{Error, ErrorKind};
use crate::io::Io;
use crate::text::printable;

/// The line in the table.
pub(super) const ENTRY: Entry = Entry {
    name: "kubectl",
    summary: "Answer kubectl and other client-go programs as an exec plugin",
    help: "Set it up for a user of a kubeconfig:\n  users:\n  - name: ada\n    user:\n      exec:\n        apiVersion: client.authentication.k8s.io/v1\n        command: cred-helper\n        args: [kubectl]\n        provideClusterInfo: true\n        interactiveMode: IfAvailable",
    link_names: &[],
    time_limit: LIMIT,
    flags: FLAGS,
    verbs: &[],
    operands: &[],
    is_raw: false,
    is_mute: false,
    serve,
};

const FLAGS: &[Flag] = &[
    // Not the one of all tools, for which `CRED_HELPER_PROFILE` may stand: a cluster's own profile wins
    // over the variable.
    Flag::value(
        "profile",
        "NAME",
        "Profile to use, whatever the cluster names",
    )
    .short('p'),
    Flag::value(
        "token",
        "WHICH",
        "Which token to answer with [default: the profile's `token`]",
    )
    .choices(&TokenKind::NAMES),
];

/// Where client-go says what it wants.
const VARIABLE: &str = "KUBERNETES_EXEC_INFO";

/// The versions that are spoken; the first is the newest.
const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// How long may a call take, but for a person? client-go waits for ever. But it gives up the requests
/// of discovery, with which kubectl begins, after 32 s, whatever the plugin brings later, and starts it
/// again for the next.
const LIMIT: Duration = Duration::from_secs(30);

/// What client-go wants; what we do not know is ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    #[expect(dead_code, reason = "another kind is refused where it is read")]
    kind: Option<Kind>,
    api_version: Option<String>,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
enum Kind {
    ExecCredential,
}

#[derive(Default, Deserialize)]
struct Spec {
    interactive: Option<bool>,
    cluster: Option<Cluster>,
}

/// The cluster, where the kubeconfig says `provideClusterInfo`.
#[derive(Default, Deserialize)]
struct Cluster {
    server: Option<String>,
    /// Its extension `client.authentication.k8s.io/exec`: for us it is `{"profile": "NAME"}`, and
    /// another plugin may have put anything there.
    config: Option<Value>,
}

fn serve(arguments: &Arguments, io: &mut Io<'_>, answer: &Answer<'_>) -> Result<u8, Error> {
    let wanted = match io.environment.variable(VARIABLE) {
        Some(text) => read(&text)?,
        None => ExecCredential::default(),
    };
    let version = spoken(wanted.api_version.as_deref())?;
    let spec = wanted.spec.unwrap_or_default();
    let cluster = spec.cluster.unwrap_or_default();
    let named = profile_of(cluster.config.as_ref())?;
    let request = Request {
        profile: arguments.get("profile").or(named).map(String::from),
        url: cluster.server,
        interactive: match spec.interactive {
            Some(false) => Some(Interactive::Never),
            Some(true) | None => None,
        },
        token: arguments.get("token").and_then(TokenKind::parse),
        ..Request::new(Action::Get)
    };
    let is_named = request.profile.is_some() || request.url.is_some();
    if !is_named && io.environment.variable("CRED_HELPER_PROFILE").is_none() {
        // The default profile is for people: its token is not for just any cluster.
        return Err(Error::new(
            ErrorKind::NoProfile,
            "neither a profile nor the cluster is named",
        )
        .hint(
            "add `--profile NAME` to the `args` of the user in the kubeconfig, or set its \
             `provideClusterInfo: true`",
        ));
    }
    let Response::Token(credential) = answer(&request, None)? else {
        return Err(Error::new(
            ErrorKind::Internal,
            "BUG: kubectl was answered without a token",
        ));
    };
    // Ctrl-C during a refresh waited until the new tokens were kept; now it counts.
    io.signals.check()?;
    io.answer(&render(version, &credential)).map(|()| 0)
}

fn read(text: &str) -> Result<ExecCredential, Error> {
    from_object(text.as_bytes()).map_err(|error| {
        let error = printable(&error.to_string());
        usage(format!("`{VARIABLE}` cannot be read: {error}"))
            .hint("kubectl and other client-go programs set it themselves")
    })
}

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// The version of the answer: the one that is asked for.
fn spoken(asked: Option<&str>) -> Result<&'static str, Error> {
    let Some(asked) = asked else {
        return Ok(VERSIONS[0]);
    };
    let known = VERSIONS.into_iter().find(|version| *version == asked);
    known.ok_or_else(|| {
        usage(format!("the apiVersion `{}` is unknown", printable(asked))).hint(format!(
            "write `apiVersion: {}` below `exec` in the kubeconfig",
            VERSIONS[0]
        ))
    })
}

/// The profile that the cluster's configuration names.
fn profile_of(config: Option<&Value>) -> Result<Option<&str>, Error> {
    match config.and_then(|config| config.get("profile")) {
        Some(Value::String(name)) => Ok(Some(name)),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(usage(format!(
            "the `profile` of the cluster in `{VARIABLE}` is no text"
        ))
        .hint("write `profile: NAME` into the cluster's extension in the kubeconfig")),
    }
}

fn render(version: &str, credential: &Credential) -> Zeroizing<String> {
    let token = credential.access_token.expose();
    let token = Zeroizing::new(serde_json::to_string(token).expect("text is JSON"));
    let end = credential.told_end().map_or_else(String::new, |end| {
        format!(",\"expirationTimestamp\":\"{}\"", end.rfc3339())
    });
    Zeroizing::new(format!(
        "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{version}\",\
         \"status\":{{\"token\":{}{end}}}}}\n",
        token.as_str()
    ))
}

//! The AWS CLI, and an STS on loopback over TLS that checks what AWS checks: the signature of a token,
//! for whom it is, and that of each request which the credentials sign.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cred_helper::token::Timestamp;
use ring::{digest, hmac};
use serde_json::json;

use crate::http_server::{Answer, HttpServer, Request};
use crate::kubectl_ground::id_token_judge;
use crate::oidc_ground::Ground;
use crate::scene::now;
use crate::support::Ran;
use crate::tls::{CertificateAuthority, Front};
use crate::tool::{AWS_CLI, installed};

/// The role, and another one.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
pub(crate) const OTHER_ROLE: &str = "arn:aws:iam::123456789012:role/other";

/// What STS knows.
#[derive(Default)]
struct Service {
    /// What the next requests for credentials are answered with.
    script: VecDeque<Answer>,
    /// For how many seconds credentials are good, if that is not what was asked for.
    life: Option<i64>,
    /// The ARNs of the sessions, in the order in which they began.
    sessions: Vec<String>,
    /// How many of them were looked at.
    seen: usize,
}

/// An STS, and a home whose profile `api` has a role there.
pub(crate) struct AwsGround {
    pub(crate) ground: Ground,
    pub(crate) sts: HttpServer,
    service: Arc<Mutex<Service>>,
    front: Front,
    cli: PathBuf,
}

impl AwsGround {
    /// Nobody is signed in. `None` where the AWS CLI is missing, which is noted.
    pub(crate) fn new() -> Option<Self> {
        let cli = installed(&AWS_CLI, "awscli")?;
        let ground = Ground::new(json!({}));
        let service: Arc<Mutex<Service>> = Arc::default();
        let (judge, shared) = (id_token_judge(&ground), Arc::clone(&service));
        let sts = HttpServer::start(move |request| {
            let mut service = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = service.answer(request, &judge);
            answer.with("Connection", "close")
        });
        // STS has read the keys.
        ground.authority.reset_requests();
        let home = ground.sandbox.path().to_owned();
        let certificates = CertificateAuthority::new(&home, "aws-ca");
        let certificate = certificates.issue("sts", "IP:127.0.0.1", "+0");
        let front = Front::start(certificate, sts.address().parse().expect("an address"));
        for secret in ["key-of-session-", "token-of-session-"] {
            ground.sandbox.secret(secret);
        }
        let ground = Self {
            ground,
            sts,
            service,
            front,
            cli,
        };
        ground.profile(&format!("role_arn = \"{ROLE}\"\n"));
        ground.configure("credential_process = cred-helper aws -p api");
        Some(ground)
    }

    /// The same where ada is signed in.
    pub(crate) fn signed_in() -> Option<Self> {
        let ground = Self::new()?;
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        Some(ground)
    }

    /// Gives the profile's table these keys beside its region.
    pub(crate) fn profile(&self, table: &str) {
        self.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\ntoken = \"id\"\n\
             [profiles.api.aws]\nregion = \"eu-central-1\"\n{table}"
        ));
    }

    /// Writes the AWS profile `work`.
    pub(crate) fn configure(&self, lines: &str) {
        let folder = self.home(".aws");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let text = format!("[profile work]\nregion = eu-central-1\n{lines}\n");
        fs::write(folder.join("config"), text).expect("it can be written");
    }

    pub(crate) fn home(&self, name: &str) -> PathBuf {
        self.ground.sandbox.path().join(name)
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request for credentials is refused like this.
    pub(crate) fn refuse(&self, status: u16, code: &str, message: &str) {
        self.service()
            .script
            .push_back(refusal(status, code, message));
    }

    /// AWS takes requests and says nothing, until this is dropped.
    pub(crate) fn silence(&self) -> impl Drop + '_ {
        self.service()
    }

    /// Credentials are good for so long from now on.
    pub(crate) fn live(&self, seconds: i64) {
        self.service().life = Some(seconds);
    }

    /// The sessions that began since the last look.
    pub(crate) fn sessions(&self) -> Vec<String> {
        let mut service = self.service();
        let new = service.sessions[service.seen..].to_vec();
        service.seen = service.sessions.len();
        new
    }

    /// The bodies of the requests for credentials, as they came.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let requests = self.sts.requests().into_iter();
        let bodies = requests.map(|request| String::from_utf8(request.body).expect("it is text"));
        bodies.filter(|body| body.contains("WebIdentity")).collect()
    }

    /// The line with the AWS CLI on PATH, as `aws`, and STS known to it.
    pub(crate) fn line(&self, line: &str) -> String {
        self.ground.sandbox.script(
            "aws",
            &format!(
                "PYTHONPATH='{}' PYTHONDONTWRITEBYTECODE=1 exec python3 -m awscli \"$@\"\n",
                self.cli.display()
            ),
        );
        format!(
            "export AWS_ENDPOINT_URL_STS={} AWS_CA_BUNDLE=\"$HOME/aws-ca.pem\" \
             AWS_EC2_METADATA_DISABLED=true AWS_PAGER=; {line}",
            self.front.origin()
        )
    }

    /// Runs a line of a shell without a terminal.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.ground.shell(&self.line(line))
    }

    /// Who the AWS CLI works as.
    pub(crate) fn identity(&self) -> String {
        let said = self.run(IDENTITY).ok();
        said.trim_end().to_owned()
    }

    /// What the AWS CLI says where it has no credentials.
    pub(crate) fn failure(&self) -> String {
        let ran = self.run(IDENTITY);
        assert_eq!(ran.stdout, "");
        ran.failed(255)
    }
}

/// Has AWS tell who it takes the AWS CLI for.
pub(crate) const IDENTITY: &str =
    "aws --profile work sts get-caller-identity --query Arn --output text";

/// The ARN that AWS knows a session of a role by.
pub(crate) fn session_of(role: &str, name: &str) -> String {
    let role = role.replace(":iam:", ":sts:");
    format!("{}/{name}", role.replace(":role/", ":assumed-role/"))
}

impl Service {
    fn answer(&mut self, request: &Request, judge: &impl Fn(&str) -> bool) -> Answer {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body)
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        match field("Action") {
            "AssumeRoleWithWebIdentity" => {
                if let Some(answer) = self.script.pop_front() {
                    return answer;
                }
                if field("Version") != "2011-06-15" || !request.header("authorization").is_empty() {
                    return refusal(400, "ValidationError", "it is not as it should be");
                }
                if ![ROLE, OTHER_ROLE].contains(&field("RoleArn")) {
                    return refusal(403, "AccessDenied", "Not authorized to perform it");
                }
                if !judge(field("WebIdentityToken")) {
                    return refusal(400, "InvalidIdentityToken", "it is no good token");
                }
                let seconds = field("DurationSeconds").parse().unwrap_or(3600);
                let end = Timestamp(now() + self.life.unwrap_or(seconds));
                self.sessions
                    .push(session_of(field("RoleArn"), field("RoleSessionName")));
                Answer::new(200, granted(self.sessions.len(), end))
            }
            "GetCallerIdentity" => match self.signer(request) {
                Some(arn) => Answer::new(200, identity(arn)),
                None => refusal(
                    403,
                    "InvalidClientTokenId",
                    "it is not signed as it should be",
                ),
            },
            _ => refusal(400, "InvalidAction", "there is no such action"),
        }
    }

    /// The session whose credentials signed a request
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
    fn signer(&self, request: &Request) -> Option<&str> {
        let given = request.header("authorization");
        let given = given.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
        let (credential, rest) = given.split_once(", SignedHeaders=")?;
        let (headers, signature) = rest.split_once(", Signature=")?;
        let (id, scope) = credential.split_once('/')?;
        let number: usize = id.strip_prefix(KEY_ID)?.parse().ok()?;
        let session = self.sessions.get(number.checked_sub(1)?)?;
        let has_token = request.header("x-amz-security-token") == token(number)
            && headers
                .split(';')
                .any(|name| name == "x-amz-security-token");
        let mut canonical = "POST\n/\n\n".to_owned();
        for name in headers.split(';') {
            canonical.push_str(&format!("{name}:{}\n", request.header(name)));
        }
        canonical.push_str(&format!("\n{headers}\n{}", sha256(&request.body)));
        let time = request.header("x-amz-date");
        let signed = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            sha256(canonical.as_bytes())
        );
        let mut key = format!("AWS4{}", secret(number)).into_bytes();
        for part in scope.split('/').chain([signed.as_str()]) {
            let by = hmac::Key::new(hmac::HMAC_SHA256, &key);
            key = hmac::sign(&by, part.as_bytes()).as_ref().to_vec();
        }
        (has_token && hex(&key) == signature).then_some(session)
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the ids of keys begin with.
const KEY_ID: &str = "ASIAEXAMPLE";

fn secret(number: usize) -> String {
    format!("key-of-session-{number}")
}

fn token(number: usize) -> String {
    format!("token-of-session-{number}==")
}

fn granted(number: usize, end: Timestamp) -> String {
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
         <AssumeRoleWithWebIdentityResult>\n    <Audience>cli</Audience>\n    <Credentials>\n      \
         <SessionToken>{}</SessionToken>\n      <SecretAccessKey>{}</SecretAccessKey>\n      \
         <Expiration>{}</Expiration>\n      <AccessKeyId>{KEY_ID}{number}</AccessKeyId>\n    \
         </Credentials>\n  </AssumeRoleWithWebIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>r</RequestId>\n  </ResponseMetadata>\n</AssumeRoleWithWebIdentityResponse>\n",
        token(number),
        secret(number),
        end.rfc3339()
    )
}

fn identity(arn: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>u</UserId><Account>123456789012</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    )
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(
        status,
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
             <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        ),
    )
}

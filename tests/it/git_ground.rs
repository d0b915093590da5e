//! A real git beside a forge that takes tokens: what the tests of `git_*.rs` share.
//!
//! The forge is `git http-backend` behind a server that has each token judged by the authority
//! which issued it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::Ground;
use crate::support::Ran;
use crate::tool::{GIT_BEFORE_2_46, GIT_FROM_2_46, note_missing};

/// A git of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    program: PathBuf,
    version: (u32, u32),
}

impl Git {
    /// Whether it hands `authtype` and `credential` to its helpers.
    pub(crate) fn knows_authtype(&self) -> bool {
        self.version >= (2, 46)
    }
}

/// A git that knows `authtype`, and one that does not; those that are missing are noted.
pub(crate) fn gits() -> Vec<Git> {
    [new_git(), old_git()].into_iter().flatten().collect()
}

/// A git that knows `authtype`; noted, if it is missing.
pub(crate) fn new_git() -> Option<Git> {
    let found = find(Git::knows_authtype);
    if found.is_none() {
        note_missing(&GIT_FROM_2_46);
    }
    found
}

/// A git from before `authtype`; noted, if it is missing.
pub(crate) fn old_git() -> Option<Git> {
    let found = find(|git| !git.knows_authtype());
    if found.is_none() {
        note_missing(&GIT_BEFORE_2_46);
    }
    found
}

fn find(is_wanted: impl Fn(&Git) -> bool) -> Option<Git> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A distribution's own often stands behind another one.
    let usual = ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from);
    let folders = std::env::split_paths(&path).chain(usual);
    let programs = folders.map(|folder| folder.join("git"));
    programs.filter_map(identify).find(is_wanted)
}

fn identify(program: PathBuf) -> Option<Git> {
    let output = Command::new(&program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    let mut number = || numbers.next()?.trim().parse().ok();
    let version = (number()?, number()?);
    Some(Git { program, version })
}

/// What a forge asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Its `WWW-Authenticate` headers. What they do not offer is not taken.
    pub(crate) challenges: &'static [&'static str],
    /// The only user name that it takes with a token.
    pub(crate) username: Option<&'static str>,
}

/// Bearer, and Basic for those who cannot.
pub(crate) const BOTH: Rules = Rules {
    challenges: &["Bearer realm=\"forge\"", "Basic realm=\"forge\""],
    username: None,
};

/// The token as a password alone.
pub(crate) const BASIC: Rules = Rules {
    challenges: &["Basic realm=\"forge\""],
    username: None,
};

/// Bearer alone.
pub(crate) const BEARER: Rules = Rules {
    challenges: &["Bearer realm=\"forge\""],
    username: None,
};

/// More than git sends in one piece, whatever compresses it.
pub(crate) fn noise() -> Vec<u8> {
    let words = (0..750_000_u32).map(|number| number.wrapping_mul(2_654_435_761));
    words.flat_map(u32::to_le_bytes).collect()
}

/// A git, a forge, and a home whose only profile is for it.
pub(crate) struct GitGround {
    pub(crate) ground: Arc<Ground>,
    pub(crate) forge: HttpServer,
}

impl GitGround {
    /// A forge with these rules and a repository at `/team/project.git`; an authority with these
    /// options; nobody is signed in.
    pub(crate) fn new(git: &Git, options: Value, rules: Rules) -> Self {
        let ground = Self::on(Arc::new(Ground::new(options)), git, rules);
        ground.set_profile("");
        ground
    }

    /// Such a git and forge on a ground that is there, whose profile names the forge or will.
    pub(crate) fn on(ground: Arc<Ground>, git: &Git, rules: Rules) -> Self {
        let repositories = ground.sandbox.path().join("repositories");
        let backend = install(&ground, git);
        let judge = ground.authority.judge();
        let root = repositories.clone();
        let forge = HttpServer::start(move |request| {
            if is_taken(request, &rules, &judge) {
                http_backend(&backend, &root, request)
            } else {
                Answer::challenge(rules.challenges)
            }
        });
        let ground = Self { ground, forge };
        ground.configure(&ground.helper("cred-helper"));
        ground.add_repository("project");
        ground
    }

    /// The same, with somebody signed in; counting begins anew.
    pub(crate) fn signed_in(git: &Git, options: Value, rules: Rules) -> Self {
        let ground = Self::new(git, options, rules);
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    /// Gives the profile of the forge further keys.
    pub(crate) fn set_profile(&self, keys: &str) {
        self.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = [\"{}\"]\n{keys}",
            self.forge.url("/")
        ));
    }

    /// Replaces git's configuration, but for who commits.
    pub(crate) fn configure(&self, text: &str) {
        let own = "[user]\nname = Ada\nemail = ada@example.test\n[init]\ndefaultBranch = main\n";
        let path = self.ground.sandbox.path().join("gitconfig");
        fs::write(path, format!("{own}{text}")).expect("git's configuration can be written");
    }

    /// The configuration that is recommended: `helper`, and no other, for the forge.
    pub(crate) fn helper(&self, helper: &str) -> String {
        let url = self.forge.url("");
        format!("[credential \"{url}\"]\nhelper =\nhelper = {helper}\n")
    }

    /// A repository `/team/NAME.git` with one commit.
    pub(crate) fn add_repository(&self, name: &str) {
        let bare = format!("repositories/team/{name}.git");
        let seed = format!("seed-{name}");
        for arguments in [
            &["init", "-q", "--bare", &bare][..],
            &["init", "-q", &seed],
            &["-C", &seed, "commit", "-q", "--allow-empty", "-m", name],
            &["-C", &seed, "push", "-q", &format!("../{bare}"), "main"],
        ] {
            self.run(arguments).ok();
        }
    }

    /// The URL of a repository.
    pub(crate) fn url(&self, name: &str) -> String {
        self.forge.url(&format!("/team/{name}.git"))
    }

    /// git in the sandbox, with nothing of the caller's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let sandbox = &self.ground.sandbox;
        let mut command = Command::new(sandbox.bin().join("git"));
        sandbox.prepare(&mut command);
        command
            .env("PATH", sandbox.path_with_links())
            .args(arguments);
        command
    }

    /// Runs git without a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.check(self.command(arguments))
    }

    /// Runs a command without a terminal; neither stream may show a token.
    pub(crate) fn check(&self, command: Command) -> Ran {
        let ran = self.ground.run_command(command);
        self.ground.sandbox.scan("git's stdout", &ran.stdout);
        ran
    }

    /// A shell's command line in the sandbox, in which `git` is this git.
    pub(crate) fn shell_command(&self, line: &str) -> Command {
        let sandbox = &self.ground.sandbox;
        let mut command = Command::new("sh");
        sandbox.prepare(&mut command);
        command
            .env("PATH", sandbox.path_with_links())
            .args(["-c", line]);
        command
    }

    /// Runs a shell's command line without a terminal; neither stream may show a token.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        self.check(self.shell_command(line))
    }

    /// Fails if a file of the sandbox, but for the session, holds the token in any form.
    pub(crate) fn assert_kept_nowhere(&self, token: &str) {
        let pair = STANDARD.encode(format!("oauth2:{token}"));
        let count = self.ground.sandbox.assert_kept_nowhere(&[token, &pair]);
        assert!(count > 10, "only {count} files were looked at");
    }
}

/// Puts a git into the sandbox that knows nothing of the world outside; its path.
fn install(ground: &Ground, git: &Git) -> PathBuf {
    let sandbox = &ground.sandbox;
    sandbox.link("git-credential-cred-helper");
    sandbox.link("git-credential-cred-helper-api");
    let home = sandbox.path().display();
    let script = format!(
        "unset SSL_CERT_FILE SSL_CERT_DIR\n\
         export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL='{home}/gitconfig'\n\
         export XDG_CONFIG_HOME='{home}/config' XDG_CACHE_HOME='{home}/cache'\n\
         exec '{}' \"$@\"\n",
        git.program.display()
    );
    sandbox.script("git", &script)
}

/// Whether a request brings a token that is good, in a form that was asked for.
pub(crate) fn is_taken(request: &Request, rules: &Rules, judge: &impl Fn(&str) -> bool) -> bool {
    let (scheme, credentials) = request.authorization();
    let is_offered = |challenge: &&str| challenge.split(' ').next() == Some(scheme);
    if !rules.challenges.iter().any(is_offered) {
        return false;
    }
    if scheme != "Basic" {
        return judge(credentials);
    }
    let pair = STANDARD.decode(credentials).unwrap_or_default();
    let pair = String::from_utf8(pair).unwrap_or_default();
    let (username, token) = pair.split_once(':').unwrap_or_default();
    rules.username.is_none_or(|only| only == username) && judge(token)
}

/// Has git answer a request (git-http-backend(1)).
fn http_backend(git: &Path, root: &Path, request: &Request) -> Answer {
    let mut child = Command::new(git)
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "ada")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("GIT_PROTOCOL", request.header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let body = request.body.clone();
    // Beside reading: a pipe holds only so much. Whoever does not read to the end has reasons.
    let writer = thread::spawn(move || stdin.write_all(&body).ok());
    let output = child.wait_with_output().expect("git can be waited for");
    writer.join().expect("nothing panics there");
    let end = output.stdout.windows(4).position(|end| end == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{request:?}: {output:?}"));
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let mut answer = Answer::new(200, &output.stdout[end + 4..]);
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(": ").expect("it is a header");
        match name {
            "Status" => answer.status = value[..3].parse().expect("it is a status"),
            _ => answer = answer.with(name, value),
        }
    }
    answer
}

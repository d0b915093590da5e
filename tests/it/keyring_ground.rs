//! A package index that has each password judged, and the programs that ask keyring for one.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use cred_helper::encoding::from_base64;
use serde_json::json;

use crate::http_server::{Answer, HttpServer, Request};
use crate::oidc_ground::Ground;
use crate::support::Ran;
use crate::tool::{PIP, TWINE, Tool, UV, installed};

/// A wheel of nothing but its metadata.
const WHEEL: &str = "dep-1.0-py3-none-any.whl";

/// Makes the wheel.
const MAKE_WHEEL: &str = r#"python3 - <<'END'
import zipfile
metadata = "Metadata-Version: 2.1\nName: dep\nVersion: 1.0\n"
wheel = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
record = "dep-1.0.dist-info/METADATA,,\ndep-1.0.dist-info/WHEEL,,\ndep-1.0.dist-info/RECORD,,\n"
with zipfile.ZipFile("work/dep-1.0-py3-none-any.whl", "w") as archive:
    for name, text in [("METADATA", metadata), ("WHEEL", wheel), ("RECORD", record)]:
        archive.writestr("dep-1.0.dist-info/" + name, text)
END
"#;

/// A program, and how it comes to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// pip before 26.2 asks for the password of a user name that stands in the index's URL.
    OldPip,
    /// Later ones ask for both.
    NewPip,
    /// pip, with the backend for Python's keyring in its own environment.
    ImportingPip,
    /// uv, with a user name in the URL.
    UvWithName,
    /// uv, where the index wants credentials always.
    UvAlways,
    /// By the backend for Python's keyring.
    Twine,
}

impl Client {
    pub(crate) const ALL: [Self; 6] = [
        Self::OldPip,
        Self::NewPip,
        Self::ImportingPip,
        Self::UvWithName,
        Self::UvAlways,
        Self::Twine,
    ];

    /// Which tool it is, and where `.ci/run` puts it.
    fn place(self) -> (&'static Tool, &'static str) {
        match self {
            Self::OldPip => (&PIP, "pip23"),
            Self::NewPip | Self::ImportingPip => (&PIP, "pip26"),
            Self::UvWithName | Self::UvAlways => (&UV, "uv"),
            Self::Twine => (&TWINE, "twine"),
        }
    }

    /// Whether it was installed, with what it needs.
    pub(crate) fn is_there(self) -> bool {
        let (tool, place) = self.place();
        let needs_backend = matches!(self, Self::ImportingPip | Self::Twine);
        installed(tool, place).is_some() && (!needs_backend || python_path().is_some())
    }

    /// The user name that the index must see, where ada is signed in.
    pub(crate) fn username(self) -> &'static str {
        match self {
            Self::OldPip | Self::UvWithName => "bob",
            Self::NewPip | Self::ImportingPip | Self::UvAlways | Self::Twine => "ada@example.test",
        }
    }
}

/// Python's keyring with our backend, as `.ci/run` installs them.
pub(crate) fn python_path() -> Option<String> {
    let keyring = installed(&TWINE, "twine")?;
    let backend = installed(&TWINE, "keyring-backend")?;
    Some(format!("{}:{}", backend.display(), keyring.display()))
}

/// The index, and a home whose profile is for it.
pub(crate) struct KeyringGround {
    pub(crate) ground: Ground,
    pub(crate) index: HttpServer,
    /// A password that the index takes beside the authority's tokens.
    pub(crate) taken: Arc<Mutex<Option<String>>>,
}

impl KeyringGround {
    pub(crate) fn new() -> Self {
        let ground = Ground::new(json!({}));
        let home = ground.sandbox.path().to_owned();
        fs::create_dir(home.join("work")).expect("a folder can be made");
        let ran = ground.shell(MAKE_WHEEL);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let wheel = fs::read(home.join("work").join(WHEEL)).expect("the wheel can be read");
        let judge = ground.authority.judge();
        let taken = Arc::new(Mutex::new(None));
        let also = Arc::clone(&taken);
        let index = HttpServer::start(move |request| {
            let password = basic(request).map(|(_, password)| password);
            let is_taken = password.is_some_and(|password| {
                let also = also.lock().expect("no test panicked with it");
                also.as_ref() == Some(&password) || judge(&password)
            });
            if !is_taken {
                return Answer::challenge(&["Basic realm=\"index\""]);
            }
            match (request.method.as_str(), request.path.as_str()) {
                ("POST", "/legacy/") => Answer::new(200, ""),
                ("GET", "/simple/dep/") => {
                    let page = format!("<!DOCTYPE html><a href=\"/files/{WHEEL}\">{WHEEL}</a>");
                    Answer::new(200, page).with("Content-Type", "text/html")
                }
                ("GET", path) if path.ends_with(".whl") => Answer::new(200, wheel.clone()),
                _ => Answer::new(404, ""),
            }
        });
        let ground = Self {
            ground,
            index,
            taken,
        };
        // As the documents say: a pattern with a path is for no host alone.
        ground.answer_for(&[&ground.index.url("/simple/"), &ground.index.url("/legacy/")]);
        ground.ground.sandbox.link("keyring");
        for (name, text) in [
            ("req.in", "dep\n".to_owned()),
            (
                "pyproject.toml",
                format!(
                    "[project]\nname = \"own\"\nversion = \"0\"\nrequires-python = \">=3.9\"\n\
                     dependencies = [\"dep\"]\n\n[[tool.uv.index]]\nurl = \"{}\"\ndefault = true\n\
                     authenticate = \"always\"\n",
                    ground.index.url("/simple/")
                ),
            ),
        ] {
            fs::write(home.join("work").join(name), text).expect("it can be written");
        }
        ground
    }

    /// A ground where ada is signed in; counting begins anew.
    pub(crate) fn signed_in() -> Self {
        let ground = Self::new();
        ground.ground.sign_in("ada");
        ground.ground.authority.reset_requests();
        ground
    }

    /// Gives the profile these patterns.
    pub(crate) fn answer_for(&self, patterns: &[&str]) {
        self.ground.set_profile(&format!(
            "client_id = \"cli\"\nscopes = [\"api:read\"]\nurls = {patterns:?}\n"
        ));
    }

    /// The line that has a client use the index once. Where keyring comes from is told by flags.
    pub(crate) fn line(&self, client: Client) -> String {
        let provider = if client == Client::ImportingPip {
            "--keyring-provider import"
        } else {
            "--keyring-provider subprocess"
        };
        self.line_with(client, provider)
    }

    /// The same with these flags in place of where keyring comes from.
    pub(crate) fn line_with(&self, client: Client, provider: &str) -> String {
        let place = installed(client.place().0, client.place().1).expect("the caller looked");
        let place = place.display();
        let address = self.index.address();
        let python = python_path().unwrap_or_default();
        let pip = |path: &str, user: &str| {
            format!(
                "PYTHONPATH='{path}' python3 -m pip download -q --no-deps --no-cache-dir \
                 --disable-pip-version-check {provider} -i http://{user}{address}/simple/ -d out dep"
            )
        };
        let uv = format!("UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 '{place}/bin/uv'");
        let line = match client {
            Client::OldPip => pip(&place.to_string(), "bob@"),
            Client::NewPip => pip(&place.to_string(), ""),
            Client::ImportingPip => pip(&format!("{place}:{python}"), ""),
            Client::UvWithName => format!(
                "{uv} pip compile -q {provider} --index-url http://bob@{address}/simple/ req.in"
            ),
            Client::UvAlways => format!("rm -f uv.lock; {uv} lock -q {provider}"),
            Client::Twine => format!(
                "PYTHONPATH='{python}' python3 -m twine --no-color upload --disable-progress-bar \
                 --repository-url http://{address}/legacy/ {WHEEL}"
            ),
        };
        format!("unset CI; export PYTHONDONTWRITEBYTECODE=1; cd work; rm -rf out; {line} >../said")
    }

    /// Has a client use the index, without a terminal.
    pub(crate) fn run(&self, client: Client) -> Ran {
        self.run_line(&self.line(client))
    }

    /// The same for a line of its own.
    pub(crate) fn run_line(&self, line: &str) -> Ran {
        self.index.reset();
        // pip would ask who sits there, and nobody does.
        let ran = self.ground.shell(&format!("export PIP_NO_INPUT=1; {line}"));
        let said = self.ground.read("said");
        self.ground.sandbox.scan("the tool's stdout", &said);
        ran
    }

    /// Uses the index, and the password is taken; each that came, with this user name.
    #[track_caller]
    pub(crate) fn is_known(&self, client: Client) {
        let ran = self.run(client);
        assert_eq!(ran.code, Some(0), "{client:?}: {ran:?}");
        let names = self.usernames();
        assert!(!names.is_empty(), "{client:?}");
        assert!(
            names.iter().all(|name| name == client.username()),
            "{client:?}: {names:?}"
        );
    }

    /// Uses the index, and is refused.
    #[track_caller]
    pub(crate) fn is_refused(&self, client: Client) -> Ran {
        let ran = self.run(client);
        assert!(
            ran.code.is_some_and(|code| code != 0),
            "{client:?}: {ran:?}"
        );
        ran
    }

    /// The user names that came with passwords. Some clients send a name alone first.
    pub(crate) fn usernames(&self) -> Vec<String> {
        let requests = self.index.requests();
        let pairs = requests.iter().filter_map(basic);
        let with_password = pairs.filter(|(_, password)| !password.is_empty());
        with_password.map(|(name, _)| name).collect()
    }

    /// Runs the line of a tool that calls our link.
    pub(crate) fn keyring(&self, arguments: &[&str]) -> Ran {
        let link = self.ground.sandbox.link("keyring");
        let mut command = Command::new(link);
        self.ground.sandbox.prepare(&mut command);
        command.args(arguments);
        self.ground.run_command(command)
    }
}

/// User name and password of a request.
pub(crate) fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, credentials) = request.authorization();
    if scheme != "Basic" {
        return None;
    }
    let pair = String::from_utf8(from_base64(credentials)?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

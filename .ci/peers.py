"""Programs that answer with a person's token, each set up at one authority on loopback, as
`docs/comparison.md` tells: what signs it in there, and which call asks it for a token."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from authority import TENANT
from measure import run
from session import seal, write_session

HOST = "git.example"
# Told by each process that comes of a peer, also by one that goes on in the background.
MARK = "COMPARED_PEER"


def await_(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"after {seconds} seconds it is not so: {what}")
        time.sleep(0.01)


class Ground:
    """Where peers live while they are compared."""

    def __init__(self, place, authority, tools):
        self.place, self.authority, self.tools = place, authority, tools
        self.stubs = place / "stubs"
        self.stubs.mkdir()
        # What opens a browser for a person only writes that down.
        for name in ["xdg-open", "x-www-browser", "www-browser"]:
            (self.stubs / name).write_text('#!/bin/sh\necho "$@" >>"$HOME/asked"\n')
            (self.stubs / name).chmod(0o755)


class Peer:
    # What it is called in the tables, what is asked, and who does the same for us.
    name, asked, ours = "", "", "cred-helper"
    # What the tables should say beside.
    remark = ""
    # Whether it is a program of its own, whose version is told.
    is_named = True
    # Whether a call takes a tenth of a second and more.
    is_slow = False
    # Whether it redeems refresh tokens at an authority of one's own.
    refreshes = True
    given = os.devnull

    def __init__(self, ground):
        self.ground = ground
        self.home = ground.place / type(self).__name__
        self.home.mkdir(mode=0o700)
        roots = str(ground.place / "roots.pem")
        path = [ground.stubs, ground.tools / "debian/usr/bin", "/usr/local/bin", "/usr/bin", "/bin"]
        self.env = {"PATH": ":".join(map(str, path)), "HOME": str(self.home), "LANG": "C.UTF-8",
                    "SSL_CERT_FILE": roots, "REQUESTS_CA_BUNDLE": roots, "CURL_CA_BUNDLE": roots,
                    "BROWSER": "xdg-open", "PYTHONDONTWRITEBYTECODE": "1", MARK: type(self).__name__}
        self.prepare()

    def prepare(self):
        """Its configuration, once."""

    def missing(self):
        """Why it cannot be compared here; nothing if it can."""
        return None if shutil.which(self.command[0], path=self.env["PATH"]) else "it is not installed"

    def version(self):
        raise NotImplementedError

    def sign_in(self, life):
        """Makes it hold a fresh sign-in, whose access token lives for so many seconds."""
        raise NotImplementedError

    def demanding(self):
        """A call that no token from before can answer."""
        raise NotImplementedError

    def log_in_again(self):
        """What starts it when the machine was started anew."""

    # --- What is seen of it ---

    def call(self, arguments=None):
        """Calls it without a terminal. What came of it, in a word or two."""
        before = self.opened()
        with open(self.given) as given, tempfile.TemporaryFile() as printed, self.errors() as said:
            child = subprocess.Popen(arguments or self.command, env=self.env, stdin=given,
                                     stdout=printed, stderr=said, start_new_session=True)
            # Whoever opens a browser waits for the person.
            await_(lambda: child.poll() is not None or self.opened() != before, "it ends", 120)
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            printed.seek(0)
            text = printed.read().decode()
        token = self.ground.authority.judge(text)
        if child.returncode == 0 and token:
            return token
        return "opens a browser" if self.opened() != before else "error"

    def errors(self):
        """Where it complains, for those who want to see it."""
        return (self.ground.place.parent / f"{type(self).__name__}.log").open("a")

    def opened(self):
        asked = self.home / "asked"
        return asked.read_text().count("\n") if asked.exists() else 0

    def processes(self):
        """Those that run now, by name and resident kilobytes."""
        found = {}
        for directory in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                environment = (directory / "environ").read_bytes().split(b"\0")
                status = (directory / "status").read_text()
                words = (directory / "cmdline").read_text().split("\0")
            except OSError:
                continue
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            if f"{MARK}={type(self).__name__}".encode() in environment and "VmRSS" in fields:
                found[int(directory.name)] = (words[0].split("/")[-1], int(fields["VmRSS"].split()[0]))
        return found

    def end_processes(self):
        for process in self.processes():
            # Some end by themselves.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        await_(lambda: not self.processes(), "its processes end")

    def in_the_clear(self):
        """The files that hold a token as it is."""
        tokens = [token.encode() for token in self.ground.authority.issued]
        tokens += [token.encode() for sign_in in self.ground.authority.sign_ins for token in sign_in]
        files = (path for path in self.home.rglob("*") if path.is_file())
        return [path for path in files if any(token in path.read_bytes() for token in tokens)]


class Ours(Peer):
    """`binary` is set before the first one is made."""
    name, asked = "cred-helper", "`cred-helper get`"
    remark = "no keyring here: kept in the clear"
    binary = ""
    seals = False

    def prepare(self):
        authority = self.ground.authority
        self.profiles, self.state = self.home / "profiles.toml", self.home / "state"
        self.text = (f'[profiles.work]\nclient_id = "work"\nscopes = ["read"]\nurls = ["https://{HOST}/"]\n'
                     f'[profiles.work.endpoints]\ntoken = "{authority.token_endpoint}"\n'
                     f'device_authorization = "{authority.token_endpoint}"\n')
        self.env |= {"CRED_HELPER_CONFIG": str(self.profiles), "CRED_HELPER_STATE": str(self.state)}
        self.command = [self.binary, "get"]

    def version(self):
        return run([self.binary, "--version"], self.env).stdout.split()[1]

    def sign_in(self, life):
        self.profiles.write_text(self.text)
        shutil.rmtree(self.state, ignore_errors=True)
        identity = [["client_id", "work"], ["token_endpoint", self.ground.authority.token_endpoint],
                    ["scope", "read"]]
        write_session(self.state, identity, life, *self.ground.authority.sign_in(life))
        if self.seals:
            seal(self.binary, self.profiles, self.env)

    def demanding(self):
        return [self.binary, "get", "--force-refresh"]


class OursSealed(Ours):
    name = "cred-helper, sealed"
    remark = "its key lies in the kernel's keyring"
    is_named = False
    seals = True


class OursForGit(Ours):
    name, asked, ours = "cred-helper, for git", "`git credential fill`", "cred-helper, for git"
    is_named = False
    remark = ""

    def prepare(self):
        super().prepare()
        configure_git(self, f'[credential "https://{HOST}"]\n\thelper = "!{self.binary} git"\n')


def configure_git(peer, text):
    """git asks as it does for a clone, and has what worked stored."""
    (peer.home / ".gitconfig").write_text(text)
    peer.env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    peer.given = str(peer.home / "question")
    pathlib.Path(peer.given).write_text(f"protocol=https\nhost={HOST}\n\n")
    peer.command = ["git", "credential", "fill"]
    peer.whole = ["sh", "-c", 'answer=$(git credential fill) && echo "$answer" && '
                              'echo "$answer" | git credential approve']


class OidcAgent(Peer):
    name, asked = "oidc-agent", "`oidc-token`"
    remark = "started anew, it was given the password of its account again"

    def prepare(self):
        (self.home / ".oidc-agent").mkdir(mode=0o700)
        self.env |= {"OIDC_PASSWORD": "of the account", "TMPDIR": str(self.home),
                     "LD_LIBRARY_PATH": f"{self.ground.tools}/debian/usr/lib/{os.uname().machine}-linux-gnu"}
        self.command = ["oidc-token", "work"]

    def version(self):
        return run(["oidc-agent", "--version"], self.env).stdout.split()[1]

    def start(self):
        # It goes on in the background, and holds what it was started with.
        said = self.home / "said"
        with said.open("w") as output:
            subprocess.run(["oidc-agent"], env=self.env, stdin=subprocess.DEVNULL, stdout=output,
                           stderr=output, check=True, start_new_session=True)
        await_(lambda: "OIDC_SOCK=" in said.read_text(), "oidc-agent tells its socket")
        self.env |= dict(word.split("=", 1) for word in said.read_text().replace(";", " ").split()
                         if word.startswith("OIDC_SOCK="))
        await_(lambda: subprocess.run(["oidc-agent", "--status"], env=self.env, capture_output=True
                                      ).returncode == 0, "oidc-agent is there")

    def sign_in(self, life):
        authority = self.ground.authority
        self.end_processes()
        self.start()
        (self.home / ".oidc-agent/work").unlink(missing_ok=True)
        granted, authority.life = authority.life, life
        run(["oidc-gen", "work", "--iss", authority.issuer, "--client-id", "work", "--client-secret", "",
             "--rt", authority.sign_in(life)[1], "--scope", "openid offline_access read",
             "--cp", self.env["SSL_CERT_FILE"], "--pw-env=OIDC_PASSWORD", "--confirm-default",
             "--prompt=none", "--redirect-uri", "http://localhost:8080", "--no-url-call"], self.env)
        authority.life = granted
        # As it advises for refresh tokens that are replaced: the agent keeps the password.
        run(["oidc-add", "--remove", "work"], self.env)
        authority.life = life
        self.add()
        authority.life = granted

    def add(self):
        run(["oidc-add", "work", "--pw-env=OIDC_PASSWORD", "--pw-store"], self.env)

    def log_in_again(self):
        self.start()
        self.add()

    def demanding(self):
        return ["oidc-token", "--time=100000", "work"]


class Msal(Peer):
    name, asked = "MSAL Python", "`acquire_token_silent` of a script"
    remark = "with msal-extensions' file and lock"
    is_slow = True
    script = """
import sys, msal, msal_extensions
cache = msal_extensions.PersistedTokenCache(msal_extensions.FilePersistence(sys.argv[1]))
app = msal.PublicClientApplication("work", authority=sys.argv[2], token_cache=cache, instance_discovery=False)
answer = app.acquire_token_silent(["read"], account=app.get_accounts()[0], force_refresh=sys.argv[3:] != [])
print(answer["access_token"])
"""

    def prepare(self):
        authority, tools = self.ground.authority, self.ground.tools
        self.cache = self.home / "cache.json"
        self.env["PYTHONPATH"] = f"{tools}/msal:{tools}/msal-extensions:{tools}/portalocker"
        self.command = [sys.executable, "-c", self.script, str(self.cache),
                        f"{authority.origin}/{TENANT}"]

    def missing(self):
        folders = self.env["PYTHONPATH"].split(":")
        return None if all(map(os.path.isdir, folders)) else "it is not installed"

    def version(self):
        return run([sys.executable, "-c", "import msal; print(msal.__version__)"], self.env).stdout.strip()

    def sign_in(self, life):
        write_msal_cache(self.cache, self.ground.authority, "work", "read", life)

    def demanding(self):
        return self.command + ["force"]


def write_msal_cache(path, authority, client, scope, life):
    """One account, as MSAL itself writes it down."""
    access_token, refresh_token = authority.sign_in(life)
    home, host, now = "ada.contoso", "127.0.0.1", int(time.time())
    common = {"home_account_id": home, "environment": host}
    cache = {
        "Account": {f"{home}-{host}-{TENANT}": {
            **common, "realm": TENANT, "local_account_id": "ada", "username": "ada@example.test",
            "authority_type": "MSSTS"}},
        "AccessToken": {f"{home}-{host}-accesstoken-{client}-{TENANT}-{scope}": {
            **common, "credential_type": "AccessToken", "client_id": client, "realm": TENANT,
            "target": scope, "secret": access_token, "token_type": "Bearer",
            "cached_at": str(now - 3600), "expires_on": str(now + life),
            "extended_expires_on": str(now + life)}},
        "RefreshToken": {f"{home}-{host}-refreshtoken-{client}--{scope}": {
            **common, "credential_type": "RefreshToken", "client_id": client, "target": scope,
            "secret": refresh_token, "last_modification_time": str(now - 3600)}},
    }
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(cache))


class Az(Peer):
    name, asked = "az", "`az account get-access-token`"
    is_slow = True
    client = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

    def prepare(self):
        origin = self.ground.authority.origin
        self.env |= {"PYTHONPATH": str(self.ground.tools / "azure-cli"),
                     "AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_INSTANCE_DISCOVERY": "false",
                     "AZURE_CORE_SURVEY_MESSAGE": "no", "AZURE_CORE_NO_COLOR": "1"}
        self.az = [sys.executable, "-m", "azure.cli"]
        self.command = [*self.az, "account", "get-access-token", "--query", "accessToken", "-o", "tsv"]
        # `az cloud register` would ask the cloud itself what else it has.
        folder = self.home / ".azure"
        folder.mkdir(mode=0o700)
        (folder / "config").write_text("[cloud]\nname = Loopback\n")
        (folder / "clouds.config").write_text(
            f"[Loopback]\nendpoint_active_directory = {origin}\nendpoint_management = {origin}/manage\n"
            f"endpoint_resource_manager = {origin}/manage\n"
            f"endpoint_active_directory_resource_id = {origin}/manage\n")
        subscription = {"id": "11112222-bbbb-3333-cccc-4444dddd5555", "name": "work", "state": "Enabled",
                        "user": {"name": "ada@example.test", "type": "user"}, "isDefault": True,
                        "tenantId": TENANT, "environmentName": "Loopback", "homeTenantId": TENANT}
        (folder / "azureProfile.json").write_text(json.dumps({"subscriptions": [subscription]}))

    def missing(self):
        return None if os.path.isdir(self.env["PYTHONPATH"]) else "it is not installed"

    def version(self):
        return json.loads(run([*self.az, "version"], self.env).stdout)["azure-cli"]

    def sign_in(self, life):
        scope = f"{self.ground.authority.origin}/manage/.default"
        self.cache = self.home / ".azure/msal_token_cache.json"
        write_msal_cache(self.cache, self.ground.authority, self.client, scope, life)

    def demanding(self):
        cache = json.loads(self.cache.read_text())
        for token in cache["AccessToken"].values():
            token["expires_on"] = token["extended_expires_on"] = "1"
        self.cache.write_text(json.dumps(cache))
        return self.command


class GitCredentialOauth(Peer):
    name, asked = "git-credential-oauth", "`git credential fill`"
    ours = OursForGit.name
    remark = "behind git-credential-cache, as `git credential-oauth configure` sets it up"

    def prepare(self):
        base = self.ground.authority.token_endpoint.removesuffix("/token")
        configure_git(self, f"""[credential]
\thelper = cache --timeout 21600
\thelper = oauth
[credential "https://{HOST}"]
\toauthClientId = work
\toauthScopes = read
\toauthAuthURL = {base}/authorize
\toauthTokenURL = {base}/token
\toauthDeviceAuthURL = {base}/devicecode
""")

    def missing(self):
        found = shutil.which("git-credential-oauth", path=self.env["PATH"])
        return None if found else "it is not installed"

    def version(self):
        return run(["git-credential-oauth", "version"], self.env).stdout.split()[1]

    def approve(self, access_token, refresh_token, life):
        text = (f"protocol=https\nhost={HOST}\nusername=oauth2\npassword={access_token}\n"
                f"oauth_refresh_token={refresh_token}\npassword_expiry_utc={int(time.time()) + life}\n")
        # The daemon that it leaves behind must hold no pipe of ours.
        subprocess.run(["git", "credential", "approve"], env=self.env, input=text, text=True, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def sign_in(self, life):
        self.end_processes()
        self.approve(*self.ground.authority.sign_in(life), life)

    def demanding(self):
        held = dict(line.split("=", 1) for line in run(self.command, self.env, self.given).stdout.split())
        self.approve(held["password"], held["oauth_refresh_token"], 1)
        time.sleep(2)
        return self.command


class Gh(Peer):
    name, asked = "gh", "`gh auth token`"
    remark = "its tokens have no end, so there is nothing to refresh"
    refreshes = False

    def prepare(self):
        self.env |= {"GH_NO_UPDATE_NOTIFIER": "1", "GH_PROMPT_DISABLED": "1"}
        self.command = ["gh", "auth", "token"]

    def version(self):
        return run(["gh", "--version"], self.env).stdout.split()[2]

    def sign_in(self, life):
        path = self.home / ".config/gh/hosts.yml"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        token = self.ground.authority.sign_in(life)[0]
        path.write_text(f"github.com:\n    user: ada\n    oauth_token: {token}\n    git_protocol: https\n")


class SecretTool(Peer):
    name, asked = "secret-tool", "`secret-tool lookup`"
    remark = "GNOME's keyring alone, as git-credential-libsecret and others ask it: nobody refreshes"
    refreshes = False

    def prepare(self):
        self.runtime = self.home / "run"
        self.runtime.mkdir(mode=0o700)
        self.env |= {"XDG_RUNTIME_DIR": str(self.runtime),
                     "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.runtime}/bus"}
        self.command = ["secret-tool", "lookup", "compared", "yes"]

    def missing(self):
        tools = ["secret-tool", "gnome-keyring-daemon", "dbus-daemon"]
        absent = [tool for tool in tools if not shutil.which(tool)]
        return f"{', '.join(absent)} not installed" if absent else None

    def version(self):
        return run(["gnome-keyring-daemon", "--version"], self.env).stdout.split()[1]

    def sign_in(self, life):
        for words in [["dbus-daemon", "--session", "--fork", "--address",
                       self.env["DBUS_SESSION_BUS_ADDRESS"]],
                      ["gnome-keyring-daemon", "--unlock", "--components=secrets"]]:
            subprocess.run(words, env=self.env, input="of the keyring", text=True, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        token = self.ground.authority.sign_in(life)[0]
        subprocess.run(["secret-tool", "store", "--label", "compared", "compared", "yes"], env=self.env,
                       input=token, text=True, check=True, timeout=20)


PEERS = [Ours, OursSealed, OidcAgent, SecretTool, Gh, Msal, Az, OursForGit, GitCredentialOauth]
# Others of the field, which neither Debian nor PyPI has, and where they are.
ABSENT = {
    "Git Credential Manager": "NuGet, packages of its own",
    "kubelogin of int128, kubelogin of Azure": "Go modules, archives of their own",
    "azureauth": "packages of its own",
    "pizauth, ortie": "crates.io",
}

"""A backend of Python's keyring that asks cred-helper for tokens.

A service that no profile of cred-helper names is for the other backends. Nothing is stored here: a
password is a token, and comes from a sign-in.
"""

import json
import logging
import os
import shutil
import subprocess

from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential
from keyring.errors import (
    KeyringError,
    KeyringLocked,
    PasswordDeleteError,
    PasswordSetError,
)

__all__ = ["CredHelperBackend"]

_log = logging.getLogger(__name__)

_PROGRAM = "cred-helper"

# The variable that names the program where it is not on PATH.
_VARIABLE = "CRED_HELPER"

# With this exit code, and not a word on stderr, no profile names the service.
_NOTHING = 1


# The chainer goes on to the next backend after NotImplementedError alone; whoever asks this one
# alone expects an error of keyring's.
class _NotSet(PasswordSetError, NotImplementedError):
    pass


class _NotDeleted(PasswordDeleteError, NotImplementedError):
    pass


class _Priority:
    """Before all others: a service that a profile names is meant for it. The chainer has 10."""

    def __get__(self, instance, owner):
        if _find_program() is None:
            raise RuntimeError(
                f"{_PROGRAM} is not on PATH, and {_VARIABLE} does not name it"
            )
        return 9.95


class CredHelperBackend(KeyringBackend):
    """Asks cred-helper; the environment and the profiles are those of the user."""

    priority = _Priority()

    # How long may cred-helper take, in seconds? It ends by itself within a minute, but for a person
    # who is signing in: a code is mostly good for 15 minutes. KEYRING_PROPERTY_TIMEOUT sets it.
    timeout = 1000

    def get_credential(self, service, username):
        asked = self._ask("get", service, username)
        if asked.is_nothing:
            return None
        if asked.kind == "config":
            # A mistake in the profiles must not take the passwords of other backends from anybody.
            _log.warning("%s", asked.message)
            return None
        asked.check(KeyringError)
        try:
            credential = json.loads(asked.stdout)
            return SimpleCredential(credential["username"], credential["password"])
        except (ValueError, KeyError, TypeError):
            # Neither this error nor what it came from may show what was read.
            reason = f"{asked.program} gave an answer that cannot be read"
        raise KeyringError(reason)

    def get_password(self, service, username):
        credential = self.get_credential(service, username)
        return None if credential is None else credential.password

    def set_password(self, service, username, password):
        # The password goes nowhere, also not to cred-helper, which would refuse it.
        asked = self._ask("set", service, username)
        if asked.kind == "no_profile":
            raise _NotSet(asked.message)
        asked.check(PasswordSetError)
        raise PasswordSetError(f"{asked.program} stores no passwords")

    def delete_password(self, service, username):
        asked = self._ask("del", service, username)
        if asked.kind == "no_profile":
            raise _NotDeleted(asked.message)
        asked.check(PasswordDeleteError)

    def _ask(self, operation, service, username):
        program = _find_program()
        if program is None:
            raise KeyringError(f"{_PROGRAM} is not on PATH")
        # `--alone`: it must not ask the keyring that asks.
        command = [program, "keyring", "--alone", "--error-format", "json", "--"]
        command += ["--mode", "creds", "--output", "json", "--", operation, service]
        if username is not None:
            command.append(username)
        limit = float(self.timeout)
        try:
            ran = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            # What it had printed by then stays out of the traceback.
            reason = f"{program} gave no answer within {limit:g} s"
        except (OSError, ValueError) as error:
            reason = f"{program} cannot be started: {error}"
        else:
            return _Asked(program, ran)
        raise KeyringError(reason)


class _Asked:
    """What cred-helper answered."""

    def __init__(self, program, ran):
        self.program = program
        self.code = ran.returncode
        self.stdout = ran.stdout
        said = ran.stderr.decode("utf-8", "replace").strip()
        self.is_nothing = self.code == _NOTHING and not said
        self.kind = None
        self.message = None
        if self.code == 0:
            if said:
                _log.warning("%s", said)
            return
        *_, line = said.splitlines() or [""]
        try:
            error = json.loads(line)["error"]
            self.kind = error["kind"]
            parts = [error["message"], *error.get("caused_by", [])]
            self.message = f"{_PROGRAM}: {': '.join(parts)}"
            if error.get("hint"):
                self.message += f"; {error['hint']}"
        except (ValueError, KeyError, TypeError):
            # Not ours, or too old to know these arguments.
            self.message = f"{program} failed ({self.code}): {said}"

    def check(self, error):
        if self.code == 0:
            return
        if self.kind == "login_required" and error is KeyringError:
            error = KeyringLocked
        raise error(self.message)


def _find_program():
    """The program; nothing is taken from the current directory."""
    named = os.environ.get(_VARIABLE)
    if named:
        return shutil.which(named) if os.path.isabs(named) else None
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if os.path.isabs(folder):
            found = shutil.which(os.path.join(folder, _PROGRAM))
            if found:
                return found
    return None

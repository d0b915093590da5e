"""The backend with a program that plays cred-helper: it writes down how it was called, and does as told."""

import importlib.metadata
import json
import os
import pathlib
import stat
import sys
import tempfile
import traceback
import unittest
from unittest import mock

import keyring.backend
import keyring.errors
from keyring.backends.chainer import ChainerBackend

from cred_helper_keyring import CredHelperBackend

SERVICE = "https://pypi.example/simple/"
TOKEN = "token." * 2700

PLAYER = """
import json, pathlib, sys, threading
place = pathlib.Path({place!r})
told = json.loads((place / "told").read_text())
called = {{"arguments": sys.argv[1:], "stdin": sys.stdin.read()}}
with open(place / "calls", "a") as calls:
    calls.write(json.dumps(called) + "\\n")
sys.stdout.write(told["stdout"])
sys.stdout.flush()
sys.stderr.write(told["stderr"])
if told["hangs"]:
    threading.Event().wait()
sys.exit(told["code"])
"""


class Other(keyring.backend.KeyringBackend):
    """A keyring of the operating system."""

    priority = 5

    def get_password(self, service, username):
        return f"other of {username}"

    def set_password(self, service, username, password):
        self.stored = password

    def delete_password(self, service, username):
        self.stored = None


class BackendTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name).resolve()
        script = self.place / "player.py"
        script.write_text(PLAYER.format(place=str(self.place)))
        if os.name == "nt":
            self.program = self.place / "cred-helper.bat"
            self.program.write_text(f'@"{sys.executable}" "{script}" %*\n')
        else:
            self.program = self.place / "cred-helper"
            self.program.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n'
            )
            self.program.chmod(stat.S_IRWXU)
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ["PATH"] = str(self.place)
        os.environ.pop("CRED_HELPER", None)
        self.backend = CredHelperBackend()

    def tell(self, stdout="", stderr="", code=0, hangs=False):
        told = {"stdout": stdout, "stderr": stderr, "code": code, "hangs": hangs}
        (self.place / "told").write_text(json.dumps(told))

    def tell_credential(self):
        self.tell(json.dumps({"username": "ada", "password": TOKEN}) + "\n")

    def tell_error(self, kind, code):
        error = {"kind": kind, "message": "it failed", "caused_by": ["a cause"]}
        error["hint"] = "run `cred-helper login -p api`"
        lines = "warning: something else\n" + json.dumps({"error": error}) + "\n"
        self.tell(stderr=lines, code=code)

    def calls(self):
        lines = (self.place / "calls").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def fails(self, error, call, *arguments):
        """The error's message; nothing that is shown with it holds a secret."""
        with self.assertRaises(error) as caught:
            call(*arguments)
        shown = "".join(traceback.format_exception(None, caught.exception, None))
        self.assertNotIn(TOKEN, shown)
        self.assertNotIn("typed-password", shown)
        return str(caught.exception)

    def test_a_token_comes_with_its_user_name_and_none_of_it_is_in_an_argument(self):
        self.tell_credential()
        credential = self.backend.get_credential(SERVICE, None)
        self.assertEqual((credential.username, credential.password), ("ada", TOKEN))
        self.assertEqual(self.backend.get_password(SERVICE, "bob"), TOKEN)
        line = ["keyring", "--alone", "--error-format", "json", "--"]
        line += ["--mode", "creds", "--output", "json", "--", "get", SERVICE]
        called = [{"arguments": line, "stdin": ""}]
        called.append({"arguments": [*line, "bob"], "stdin": ""})
        self.assertEqual(self.calls(), called)

    def test_a_service_that_is_not_ours_is_for_other_keyrings(self):
        self.tell(code=1)
        self.assertIsNone(self.backend.get_credential("https://other.example/", None))
        self.assertIsNone(self.backend.get_password("Backup", "bob"))
        self.tell_error("no_profile", 8)
        for call, error in [
            (lambda: self.backend.set_password("Backup", "bob", "typed-password"), keyring.errors.PasswordSetError),
            (lambda: self.backend.delete_password("Backup", "bob"), keyring.errors.PasswordDeleteError),
        ]:
            self.fails(error, call)
            self.fails(NotImplementedError, call)

    def test_the_chain_of_keyrings_goes_on_behind_ours_and_ends_where_the_service_is_ours(self):
        other = Other()
        chain = ChainerBackend()
        with mock.patch.object(ChainerBackend, "backends", [self.backend, other]):
            self.tell(code=1)
            self.assertEqual(chain.get_password("Backup", "bob"), "other of bob")
            self.tell_error("no_profile", 8)
            chain.set_password("Backup", "bob", "typed-password")
            self.assertEqual(other.stored, "typed-password")
            chain.delete_password("Backup", "bob")
            self.assertIsNone(other.stored)
            self.tell_credential()
            self.assertEqual(chain.get_password(SERVICE, "bob"), TOKEN)
            self.tell_error("usage", 2)
            self.fails(
                keyring.errors.PasswordSetError,
                chain.set_password, SERVICE, "bob", "typed-password",
            )
            self.assertIsNone(other.stored)

    def test_nothing_is_stored_and_a_password_goes_nowhere(self):
        self.tell_error("usage", 2)
        message = self.fails(
            keyring.errors.PasswordSetError,
            self.backend.set_password, SERVICE, "bob", "typed-password",
        )
        self.assertIn("it failed: a cause; run `cred-helper login -p api`", message)
        # Also of a program that would have kept it.
        self.tell()
        self.fails(
            keyring.errors.PasswordSetError,
            self.backend.set_password, SERVICE, "bob", "typed-password",
        )
        self.backend.delete_password(SERVICE, "bob")
        self.assertNotIn("typed-password", json.dumps(self.calls()))
        self.assertEqual([call["arguments"][-3] for call in self.calls()], ["set", "set", "del"])

    def test_an_error_of_ours_is_one_of_keyrings_with_its_hint(self):
        for kind, code, error in [
            ("login_required", 4, keyring.errors.KeyringLocked),
            ("unavailable", 6, keyring.errors.KeyringError),
            ("internal", 1, keyring.errors.KeyringError),
        ]:
            with self.subTest(kind):
                self.tell_error(kind, code)
                for call in [self.backend.get_credential, self.backend.get_password]:
                    message = self.fails(error, call, SERVICE, "bob")
                    self.assertEqual(
                        message,
                        "cred-helper: it failed: a cause; run `cred-helper login -p api`",
                    )

    def test_what_cannot_be_understood_is_an_error_without_the_answer(self):
        half = json.dumps({"username": "ada", "password": TOKEN})[:-1]
        for told in [
            {"stdout": half},
            {"stdout": json.dumps([TOKEN])},
            {"stdout": json.dumps({"password": TOKEN})},
            {"stdout": TOKEN},
            {"stdout": ""},
            {"stdout": TOKEN, "stderr": "error: unrecognized subcommand 'keyring'", "code": 2},
            {"stdout": TOKEN, "stderr": '{"error":null}', "code": 101},
            {"stdout": TOKEN, "stderr": "killed", "code": 1},
        ]:
            with self.subTest(str(told)[:40]):
                self.tell(**told)
                self.fails(keyring.errors.KeyringError, self.backend.get_credential, SERVICE, None)

    def test_a_program_that_hangs_is_given_up(self):
        self.tell(stdout=TOKEN, hangs=True)
        self.backend.timeout = "0.2"
        message = self.fails(
            keyring.errors.KeyringError, self.backend.get_credential, SERVICE, None
        )
        self.assertIn("gave no answer within 0.2 s", message)
        with mock.patch.dict(os.environ, {"KEYRING_PROPERTY_TIMEOUT": "7"}):
            self.assertEqual(float(CredHelperBackend().timeout), 7)

    def test_a_mistake_in_the_profiles_is_logged_and_other_keyrings_are_asked(self):
        self.tell_error("config", 3)
        with self.assertLogs("cred_helper_keyring") as logged:
            self.assertIsNone(self.backend.get_password("Backup", "bob"))
        self.assertIn("it failed: a cause", logged.output[0])

    def test_a_warning_is_logged(self):
        self.tell(json.dumps({"username": "ada", "password": TOKEN}), "warning: it is stale\n")
        with self.assertLogs("cred_helper_keyring") as logged:
            self.backend.get_credential(SERVICE, None)
        self.assertEqual([record.getMessage() for record in logged.records], ["warning: it is stale"])

    def test_a_service_is_never_taken_for_a_flag(self):
        self.tell(code=1)
        self.backend.get_password("--disable", "-p")
        self.assertEqual(self.calls()[0]["arguments"][-4:], ["--", "get", "--disable", "-p"])
        self.fails(keyring.errors.KeyringError, self.backend.get_password, "a\0b", "ada")

    def test_the_program_is_looked_for_in_whole_paths_alone(self):
        self.assertEqual(CredHelperBackend.priority, 9.95)
        self.assertIn(CredHelperBackend, keyring.backend.KeyringBackend.get_viable_backends())
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.place)
        for path in ["", ".", os.pathsep]:
            os.environ["PATH"] = path
            self.fails(RuntimeError, lambda: CredHelperBackend.priority)
            self.assertNotIn(
                CredHelperBackend, keyring.backend.KeyringBackend.get_viable_backends()
            )
            self.fails(keyring.errors.KeyringError, self.backend.get_password, SERVICE, "ada")
        self.tell_credential()
        os.environ["CRED_HELPER"] = str(self.program)
        self.assertEqual(self.backend.get_password(SERVICE, "ada"), TOKEN)
        os.environ["CRED_HELPER"] = self.program.name
        self.fails(RuntimeError, lambda: CredHelperBackend.priority)

    def test_keyring_finds_the_backend_by_itself(self):
        found = importlib.metadata.distribution("cred-helper-keyring").entry_points
        [point] = [point for point in found if point.group == "keyring.backends"]
        self.assertIs(point.load(), sys.modules["cred_helper_keyring"])


if __name__ == "__main__":
    unittest.main()

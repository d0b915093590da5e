#!/usr/bin/env python3
"""Profiles and sign-ins as the program keeps them: `.ci/session.py DIRECTORY` makes three profiles
there, and a cached token of 1,500 bytes for the first of them."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

NAMES = ["graph", "github", "robot"]
# What the first profile's session is named after.
IDENTITY = [["issuer", "https://id.example/graph"], ["client_id", "graph"], ["scope", "read"]]


def write_profiles(path, names, further=""):
    text = f'default_profile = "{names[0]}"\n'
    for name in names:
        text += (f'[profiles.{name}]\nclient_id = "{name}"\n'
                 f'authority = "https://id.example/{name}"\nscopes = ["read"]\n{further}')
    path.touch(mode=0o600)
    path.write_text(text)


def write_session(state, identity, expires_in, access_token="a" * 1500, refresh_token="r" * 800):
    """A sign-in with one access token."""
    now = int(time.time())
    token = {"key": {"scopes": ["read"]}, "secret": access_token, "token_type": "Bearer",
             "issued_at": now - 3600, "expires_at": now + expires_in, "refresh_at": None,
             "scopes": ["read"]}
    account = {"name": "ada@example.test", "subject": "ada", "grant": "device_code",
               "scopes": ["read"], "signed_in_at": now - 3600, "refresh_token": refresh_token,
               "refresh_expires_at": None, "last_refreshed_at": None, "id_token": "i" * 600,
               "access_tokens": [token]}
    content = {"identity": identity, "accounts": [account], "sign_in": {}}
    sessions = state / "sessions"
    sessions.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = "".join(f"{len(part)}:{part}" for pair in identity for part in pair)
    path = sessions / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"version": 1, "seal": {"name": "none"}, "content": content}))
    return path


def seal(binary, profiles, env):
    """Seals what is there with a key that lies in the kernel's keyring alone. `store lock` drops it."""
    kept = profiles.read_text()

    def write(command):
        profiles.write_text(f'{kept}[store]\nseal = "command"\nkey_cache = "1h"\n'
                            f'command = {json.dumps(command)}\n')
    write(["echo", os.urandom(32).hex()])
    subprocess.run([binary, "store", "migrate", "--to", "command"], env=env, check=True,
                   capture_output=True)
    write(["false"])
    if subprocess.run([binary, "get"], env=env, capture_output=True).returncode != 0:
        sys.exit("the kernel's keyring holds no key for us: where a container forbids it, allow "
                 "`add_key` and `keyctl` (as docker does with `--security-opt seccomp=…`)")


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[1])
    write_profiles(place / "profiles.toml", NAMES)
    write_session(place / "state", IDENTITY, 86400)

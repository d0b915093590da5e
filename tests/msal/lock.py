"""Takes the lock beside an MSAL cache, as one of the libraries does: KIND CACHE COUNT.

With 0 it says `held`, and holds it until its stdin ends. Else it counts so often in the file CACHE,
holding the lock each time.
"""

import fcntl
import importlib.util
import logging
import os
import sys
import time
import types


def crossplat_lock():
    """The class that msal-extensions would choose, and its error. To import all of it takes MSAL, and long."""
    spec = importlib.util.find_spec("msal_extensions")
    package = types.ModuleType("msal_extensions")
    package.__path__ = spec.submodule_search_locations
    sys.modules["msal_extensions"] = package
    try:
        from msal_extensions.cache_lock import CrossPlatLock, LockError
    except ImportError:
        from msal_extensions.filelock import CrossPlatLock, LockError
    return CrossPlatLock, LockError


def extensions(path):
    """msal-extensions itself; what it waits for it says at its lowest level."""
    while True:
        lock = CrossPlatLock(path)
        try:
            lock.__enter__()
        except LockError:
            continue
        return lambda: lock.__exit__(None, None, None)


def locked(path, flags):
    """An open file, which nobody else has locked, but somebody may have removed."""
    while True:
        file = os.open(path, os.O_CREAT | flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            os.close(file)
            print("waiting", flush=True)
            time.sleep(0.01)


def go(path):
    """microsoft-authentication-extensions-for-go: it has the file open to read, and writes nothing."""
    file = locked(path, os.O_RDONLY)

    def release():
        fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)
        try:
            os.remove(path)
        except FileNotFoundError:
            pass

    return release


def dotnet(path):
    """Microsoft.Identity.Client.Extensions.Msal: a file that goes when it is closed."""
    file = locked(path, os.O_RDWR)
    os.write(file, "\ufeff{} pwsh\n".format(os.getpid()).encode())

    def release():
        os.remove(path)
        os.close(file)

    return release


class Waiting(logging.Handler):
    def emit(self, record):
        if "retry" in record.getMessage():
            print("waiting", flush=True)


acquire = {"extensions": extensions, "go": go, "dotnet": dotnet}[sys.argv[1]]
if sys.argv[1] == "extensions":
    CrossPlatLock, LockError = crossplat_lock()
cache, count = sys.argv[2], int(sys.argv[3])
logging.getLogger().addHandler(Waiting())
logging.getLogger().setLevel(logging.DEBUG)
if count == 0:
    release = acquire(cache + ".lockfile")
    print("held", flush=True)
    sys.stdin.read()
    release()
for _ in range(count):
    release = acquire(cache + ".lockfile")
    with open(cache, encoding="utf-8") as file:
        number = int(file.read())
    # What is written in place is seen half by whoever is not kept out.
    with open(cache, "w", encoding="utf-8") as file:
        file.write(str(number + 1))
    release()

"""How calls of programs are measured: alone, by turns so that load hits all alike, and many at once."""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

NULL = os.open(os.devnull, os.O_RDWR)


def require(tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing: {' '.join(missing)}")


def run(arguments, env, given=os.devnull):
    with open(given) as stdin:
        done = subprocess.run(arguments, env=env, stdin=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments} failed with {done.returncode}: {done.stdout}{done.stderr}")
    return done


def once(arguments, env, given=os.devnull):
    """Milliseconds, and what the kernel counted."""
    program = shutil.which(arguments[0], path=env["PATH"])
    files = [(os.POSIX_SPAWN_OPEN, 0, given, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, NULL, 1)]
    start = time.perf_counter()
    child = os.posix_spawn(program, arguments, env, file_actions=files)
    _, status, usage = os.wait4(child, 0)
    milliseconds = (time.perf_counter() - start) * 1000
    if status != 0:
        sys.exit(f"{arguments} failed")
    return milliseconds, usage


def resident(arguments, env, given=os.devnull, calls=51):
    # The kernel counts also what a child had before it became this program: of `time`, little.
    tool = ["time", "-f", "%M"]
    measured = (run(tool + arguments, env, given).stderr.split()[-1] for _ in range(calls))
    return statistics.median_low(map(int, measured))


def by_turns(rounds, commands):
    """The milliseconds of each command in each round."""
    for command in commands.values():
        once(*command)
    measured = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            measured[name].append(once(*command)[0])
    return measured


def ratio(measured, name, base):
    """How much longer it takes, as the median over the rounds."""
    return statistics.median(a / b for a, b in zip(measured[name], measured[base]))


def at_once(arguments, env, count, given=os.devnull, errors=NULL, outputs=None):
    """Milliseconds from the opening of a gate for so many to the last one's end, and the status of each.
    What each prints goes to its file of `outputs`, if there are any."""
    with tempfile.TemporaryDirectory() as place:
        gate = pathlib.Path(place) / "gate"
        os.mkfifo(gate)
        waiting = ["/bin/sh", "-c", ': <"$0"; exec "$@"', str(gate)] + arguments
        children = []
        for output in outputs or [NULL] * count:
            with open(given) as stdin:
                children.append(subprocess.Popen(waiting, env=env, stdin=stdin, stdout=output,
                                                 stderr=errors))
        # Long enough for all to stand there.
        time.sleep(0.5 + count / 500)
        start = time.perf_counter()
        os.close(os.open(gate, os.O_WRONLY))
        statuses = [child.wait() for child in children]
        return (time.perf_counter() - start) * 1000, statuses

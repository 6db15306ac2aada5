"""Programs that end with the run.

Takes their arguments, and a timeout in seconds; gives their output as text, or a process that leads a
session of its own, by which whatever it starts is found and ended.
"""

import contextlib
import os
import signal
import subprocess

from . import Failure, Unanswered

# Even when this process is killed outright, nothing shall stay behind.
LAUNCHER = ["setpriv", "--pdeathsig", "TERM"]
running = set()


def start(argv, user=None, **options):
    """As a user that root has, and the group of that name."""
    launcher = [*LAUNCHER, f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else LAUNCHER
    words = [str(word) for word in (*launcher, *argv)]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    running.add(process)
    return process


def stop(process, patience=15):
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    # What it left behind is still in its session.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    running.discard(process)


def stop_all():
    for process in running:
        process.terminate()
    for process in list(running):
        stop(process)


def run(argv, timeout, what):
    """The output of a tool that has to succeed."""
    process = start(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        stop(process, 1)
        problem = f"{what} did not end within {timeout:.0f} seconds"
        raise Unanswered(problem, "run this again when the machine is less busy") from None
    running.discard(process)
    output = output.decode(errors="replace")
    if process.returncode != 0:
        command = " ".join(map(str, argv))
        raise Failure(f"{what} failed (exit status {process.returncode} of: {command}):\n{output.rstrip()}")
    return output

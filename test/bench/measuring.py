"""What requests cost a server, in round after round of all cases.

Takes cases and groups of targets; gives results: by (case, target) and figure a value of each round. rps and
rate are in requests a second, cpu_us in microseconds of user and system time a request, p50_us, p99_us and
p99.9_us in microseconds until the answer, after_tenth_kib and after_all_kib in KiB of memory, instructions in
those of user space a request, seconds in seconds, closed in connections, and stalled in runs.
"""

import collections
import contextlib
import copy
import dataclasses
import os
import pathlib
import random
import re
import statistics
import sys
import time

from . import Failure, Unanswered
from .load import ask_in_a_row, h2load, handshakes, wrk
from .processes import stop


class Run:
    """What is measured, and what has been so far."""

    def __init__(self, setting, options, missing):
        self.setting = setting
        self.options = options
        self.missing = missing
        self.results = collections.defaultdict(lambda: collections.defaultdict(list))
        self.begun = time.monotonic()
        self.planned = self.done = 0

    def median(self, case, target, figure):
        values = self.results.get((case, target.name), {}).get(figure)
        return statistics.median(values) if values else None

    def progress(self, what):
        self.done += 1
        if sys.stderr.isatty():
            spent = time.monotonic() - self.begun
            left = spent / max(1, self.done - 1) * (self.planned - self.done + 1) if self.done > 5 else 0
            left = f", some {left / 60:.0f} min left" if left > 60 else ""
            print(f"\r\033[K[{self.done}/{self.planned}{left}] {what}", end="", file=sys.stderr, flush=True)

    def measure(self, cases, groups):
        for server in dict.fromkeys(target.server for case in cases for target in groups[case.group]):
            server.start(self.setting)
        self.planned = sum(case.rounds * case.times * len(groups[case.group]) for case in cases)
        for index in range(max(case.rounds for case in cases)):
            for case in cases:
                if index < case.rounds:
                    self.measure_round(index, case, groups[case.group])
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)

    def measure_round(self, index, case, targets):
        if not sys.stderr.isatty():
            print(f"bench: round {index + 1}, {case.name}", file=sys.stderr)
        measured = collections.defaultdict(list)
        for turn in range(case.times):
            # None is always the one after the same other.
            order = random.Random(index * case.times + turn)
            for target in order.sample(targets, len(targets)):
                self.progress(f"round {index + 1}, {case.name}: {target.name}")
                for figure, value in case.measure(self, target).items():
                    measured[target.name, figure].append(value)
                target.server.empty_logs()
        # A round that did not end counts for nothing.
        for (name, figure), values in measured.items():
            value = sum(values) if figure == "closed" else statistics.median(values)
            self.results[case.name, name][figure].append(value)


def sum_of_session(leader, read):
    """The sum of read(process) of each process in the session that the leader began."""
    # It may have been installed since this process began.
    import psutil

    total = 0
    for pid in psutil.pids():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            if os.getsid(pid) == leader:
                total += read(psutil.Process(pid))
    return total


def cpu_seconds(leader):
    """User and system time of the processes, also of children that have ended."""
    return sum_of_session(leader, lambda process: sum(process.cpu_times()[:4]))


def memory_kib(leader):
    """Each page once. Pages of files are left out, which psutil does not tell apart: how much of one is
    counted here depends on who else on the machine uses it."""

    def read(process):
        rollup = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+)", rollup, re.MULTILINE)))

    return sum_of_session(leader, read)


def cpu_of(target, work):
    """The figures of work(mark), which calls mark to start the clock."""
    leader = target.server.process.pid
    before = []
    requests, seconds, closed = work(lambda: before.append(cpu_seconds(leader)))
    # Closing connections belongs to it.
    time.sleep(0.1)
    spent = cpu_seconds(leader) - before[0]
    return {"rps": requests / seconds, "cpu_us": spent * 1e6 / requests, "closed": closed}


def keep_alive(run, target, scheme, connections, longer=1):
    return cpu_of(target, lambda mark: wrk(target, scheme, connections, run.options.seconds * longer, mark))


def handshake(run, target, resumed):
    return cpu_of(target, lambda mark: handshakes(target, resumed, run.options.seconds, mark))


def h2(run, target):
    arguments = ["-c", "16", "-m", "16", "-n"]
    rate = run.median("h2", target, "rps")
    if rate is None:
        requests, seconds, _ = h2load(target, [*arguments, "3200"], 60)
        rate = requests / seconds
    count = max(1600, round(rate * run.options.seconds))
    return cpu_of(target, lambda mark: h2load(target, [*arguments, count], 120, before_start=mark))


def latency(run, target):
    seconds = run.options.seconds
    rate = max(1, run.median("https-16", target, "rps") / 2)
    log = target.server.folder / "latency.log"
    count = max(16, round(rate * seconds))
    arguments = ["-c", "16", "-m", "1000", "-n", count, f"--rps={rate / 16:.3f}", f"--log-file={log}"]
    for _ in range(3):
        log.unlink(missing_ok=True)
        h2load(target, arguments, seconds + 60, h1=True)
        begun, _, took = zip(*(map(int, line.split("\t")) for line in log.read_text().splitlines()))
        sending = (max(begun) - min(begun)) / 1e6
        # A client that sends late would hide what a late server does.
        if sending < 1.1 * seconds + 0.5:
            break
    else:
        problem = f"h2load took {sending:.2f} s to send {count} requests to {target.name}, three times"
        raise Failure(f"{problem}; expected {seconds} s", "run this again when the machine is less busy")
    # At first the other connections still shake hands.
    shaken = min(begun) + 300_000
    cuts = statistics.quantiles([us for at, us in zip(begun, took) if at > shaken], n=1000, method="inclusive")
    return {"rate": count / sending, "p50_us": cuts[499], "p99_us": cuts[989], "p99.9_us": cuts[998]}


def stall(run, target):
    """A run that stops answering half way does not end by itself."""
    begun, stalled = time.monotonic(), 1
    with contextlib.suppress(Unanswered):
        h2load(target, ["-c", "16", "-m", "16", "-n", "16000", "-N", "10s"], 30)
        stalled = 0
    return {"stalled": stalled, "seconds": time.monotonic() - begun}


def with_twin(target, *options, mpm=None):
    """The same target, of another server that differs in this alone, and is yet to be started."""
    server = copy.copy(target.server)
    server.options = [*server.options, *options]
    server.mpm = mpm or server.mpm
    return dataclasses.replace(target, server=server)


def memory(run, target):
    twin = with_twin(target, *target.server.steady)
    twin.server.start(target.server.setting)
    total, figures = run.options.requests, {}
    for name, count in (("after_tenth_kib", total // 10), ("after_all_kib", total - total // 10)):
        h2load(twin, ["-c", "16", "-n", count], 60 + count / 500, h1=True)
        figures[name] = memory_kib(twin.server.process.pid)
    stop(twin.server.process)
    return figures


def instructions(run, target, scheme):
    """The difference of two counts has neither the start nor the end of httpd in it."""
    few, many = (100, 300) if run.options.quick else (500, 1500)
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=callgrind.out"]
    twins = {count: with_twin(target, "-X", mpm="prefork") for count in (few, many)}
    for twin in twins.values():
        twin.server.launch(target.server.setting, callgrind)
    totals = {}
    for count, twin in twins.items():
        ask_in_a_row(twin, scheme, count)
        stop(twin.server.process, 120)
        texts = (path.read_text(errors="replace") for path in twin.server.folder.glob("callgrind.out*"))
        counts = (re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE) for text in texts)
        totals[count] = sum(int(found[1]) for found in counts)
        if not totals[count]:
            raise Failure(f"callgrind counted nothing: {twin.server.said()}")
    return {"instructions": (totals[many] - totals[few]) / (many - few)}

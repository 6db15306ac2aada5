"""The command: its options, and what has to be there before anything is measured.

Takes the command line, where times are in seconds; prints what was measured, and ends the process with the
status that usage.txt tells.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile

from . import CHECKOUT, HERE, SCRIPTS, Failure, quote, usage_error
from .cases import QUICK, cases_with, targets_by_group
from .load import PASSWORD
from .measuring import Run
from .processes import LAUNCHER, run, stop_all
from .servers import Setting
from .showing import report, write_chart, write_json

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def whole_number(option, low, high):
    def parse(text):
        with contextlib.suppress(ValueError):
            if low <= int(text) <= high:
                return int(text)
        usage_error(f"{option} {quote(text)} is not right; expected a whole number from {low} to {high}")

    return parse


def known_names(option, known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                usage_error(f"{option} {quote(name)} is unknown; expected one of: {', '.join(known)}")
        return names

    return parse


def parse_options(arguments, cases, peers):
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = usage_error
    parser.add_argument("-h", "--help", action="store_true")
    for option in ("--list", "--quick"):
        parser.add_argument(option, action="store_true")
    for option, known in (("--case", cases), ("--peer", peers)):
        parser.add_argument(option, action="extend", type=known_names(option, known))
    for option, low, high in (("--rounds", 1, 100), ("--seconds", 1, 60), ("--requests", 1000, 10_000_000)):
        parser.add_argument(option, type=whole_number(option, low, high))
    parser.add_argument("--output")
    options = parser.parse_args(arguments)
    options.case = options.case or (QUICK if options.quick else cases)
    options.rounds = options.rounds or (1 if options.quick else 9)
    options.seconds = options.seconds or 1
    options.requests = options.requests or (20_000 if options.quick else 1_000_000)
    return options


def web_user():
    """Whom servers that root starts drop to: the name differs between systems."""
    for name in ("www-data", "apache", "http", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise Failure("there is no user www-data, apache, http or nobody", "make one, or run this without root")


def set_up():
    """It may ask for a password, and when it is stopped it puts back what it has changed."""
    with subprocess.Popen([*LAUNCHER, SCRIPTS / "setup", "--bench"], stdout=sys.stderr) as process:
        try:
            process.wait()
        except SystemExit:
            process.terminate()
            raise
    if process.returncode != 0:
        raise Failure("what is missing could not be installed", "read what it says above, and run this again")


def look(folder, tools, servers):
    """The tools that are missing; the setting, once there is an httpd; what servers lack."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    importlib.invalidate_caches()
    if importlib.util.find_spec("psutil") is None:
        missing.append(f"psutil for {sys.executable}")
    named = os.environ.get("APXS")
    apxs = shutil.which(named) if named else shutil.which("apxs") or shutil.which("apxs2")
    if apxs is None:
        return [*missing, "apxs"], None, {}
    query = [run([apxs, "-q", name], 30, "apxs").strip() for name in ("SBINDIR", "PROGNAME", "LIBEXECDIR")]
    httpd, modules = pathlib.Path(*query[:2]), pathlib.Path(query[2])
    setting = Setting(folder, httpd, modules, next(modules.glob("libphp[0-9]*.so"), None), web_user())
    lacks = {server: server.lacks(setting) for server in servers}
    return missing, setting, {server: package for server, package in lacks.items() if package}


def prepare(folder, cases, targets):
    """Installs what is missing, builds the modules and makes what all servers share. Returns the setting,
    and by server what has to be installed for one that still cannot be measured."""
    tools = sorted({"cmake", "openssl"}.union(*(case.tools for case in cases)))
    servers = dict.fromkeys(target.server for target in targets)
    missing, setting, lacks = look(folder, tools, servers)
    if missing or lacks:
        set_up()
        missing, setting, lacks = look(folder, tools, servers)
    if missing:
        raise Failure(f"missing: {', '.join(missing)}", f"install them, or see {quote(SCRIPTS / 'setup')} --bench")
    run([HERE / "prepare.sh", folder], 1500, "building the modules")
    if "htpasswd" in tools:
        run(["htpasswd", "-c", "-b", "-B", "-C", "10", folder / "passwords", "ada", PASSWORD], 30, "htpasswd")
        (folder / "passwords").chmod(0o644)
        (folder / "session.key").touch(0o600)
        (folder / "session.key").write_text(secrets.token_hex())
    return setting, lacks


def output_folder(options):
    output = pathlib.Path(options.output or CHECKOUT / "build/bench").absolute()
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            return output
    except OSError as error:
        problem = f"cannot write to the folder {quote(output)}: {error.strerror}"
        raise Failure(problem, "choose --output DIR that you may write to") from None


def measure(options, folder, cases, groups, output):
    print("bench: building, starting the servers", file=sys.stderr)
    setting, lacks = prepare(folder, cases, [target for case in cases for target in groups[case.group]])
    measured = Run(setting, options, {server.name: package for server, package in lacks.items()})
    for name, package in measured.missing.items():
        if options.peer:
            raise Failure(f"{name} is missing: {package}", f"install {package}, or leave it out of --peer")
        print(f"bench: {name} is not measured: {package} is missing", file=sys.stderr)
    groups = {group: [target for target in known if target.server not in lacks] for group, known in groups.items()}
    try:
        measured.measure(cases, groups)
    finally:
        # What was measured until something went wrong is shown too.
        report(measured, cases, groups)
    write_json(measured, cases, output / "bench.json")
    print(f"\n{output / 'bench.json'}")
    if write_chart(measured, groups["greeting"], output / "bench.svg"):
        print(output / "bench.svg")


def bench(arguments):
    groups = targets_by_group()
    targets = {target.name: target for known in groups.values() for target in known}
    options = parse_options(arguments, [case.name for case in cases_with()], list(targets))
    if options.help:
        print((HERE / "usage.txt").read_text(), end="")
        return
    if options.list:
        print("Cases", *(f"  {case.name:28} {case.what}" for case in cases_with()), sep="\n")
        print("Peers", *(f"  {target.name:28} {target.label}" for target in targets.values()), sep="\n")
        return
    cases = [case for case in cases_with(options.rounds, options.quick) if case.name in options.case]
    wanted = options.peer or targets
    groups = {group: [target for target in known if target.name in wanted] for group, known in groups.items()}
    if not any(groups[case.group] for case in cases):
        usage_error("--case and --peer leave nothing to measure; see --list")
    if "latency" in options.case and "https-16" not in options.case:
        usage_error("--case latency needs the peaks of https-16; expected --case https-16,latency")
    output = output_folder(options)
    with tempfile.TemporaryDirectory(prefix="mod_hello-bench.") as name:
        folder = pathlib.Path(name).resolve()
        if re.search(r'["\\$\s;{}#]', str(folder)):
            problem = f"the path {quote(folder)} has to stand in the configurations of servers"
            raise Failure(problem, "set TMPDIR to one without blanks, quotes, backslashes and any of $;{}#")
        try:
            measure(options, folder, cases, groups, output)
        finally:
            stop_all()


def on_signal(number, _):
    # A second one shall not come between the servers and their end.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main():
    for each in SIGNALS:
        signal.signal(each, on_signal)
    try:
        bench(sys.argv[1:])
    except Failure as failure:
        print(f"bench: {failure}\nNext: {failure.next_step}", file=sys.stderr)
        sys.exit(failure.status)
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        print(f"bench: {error}\nNext: mend that, and run this again", file=sys.stderr)
        sys.exit(1)

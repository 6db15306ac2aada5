"""Which servers are asked what, and what is measured of it.

Takes how many rounds there are to be; gives cases, and by group the targets that each of them measures.
"""

import collections
import dataclasses
import functools

from . import measuring, servers

GREETING = b"Hello World!"
MPMS = ("event", "worker", "prefork")


@dataclasses.dataclass(frozen=True)
class Target:
    """A URI of a server, and what it has to answer."""

    name: str  # as --peer takes it
    label: str
    server: servers.Server
    path: str = "/"
    status: int = 200
    body: bytes | None = GREETING
    # What has to be in an answer that is not known beforehand, and must not change then.
    holds: bytes = b""
    login: str = ""

    def url(self, scheme):
        return f"{scheme}://{servers.ADDRESS}:{self.server.ports[scheme]}{self.path}"


def targets_by_group():
    groups = collections.defaultdict(list)
    for mpm in MPMS:
        hello = servers.Httpd(f"mod_hello-{mpm}", "hello", mpm)
        groups["greeting"].append(Target(hello.name, f"mod_hello, {mpm}", hello))
        groups["greeting"].append(Target(f"quick-{mpm}", f"quick handler, {mpm}", hello, "/quick"))
        bodies = servers.Httpd(f"more-{mpm}", "bodies", mpm)
        for kind, what, holds in (
            ("static", "a constant", b""),
            ("html", "five variables in HTML", b"<p>Hello 127.0.0.1 GET /html"),
            ("json", "five variables in JSON", b'{"REMOTE_ADDR": "127.0.0.1", '),
            ("file", "HelloFile, unchanged", b""),
        ):
            body = None if holds else GREETING
            target = Target(f"{kind}-{mpm}", f"{what}, {mpm}", bodies, f"/{kind}", body=body, holds=holds)
            groups["bodies"].append(target)
        for kind, what in (("login", "a session of login.conf"), ("basic", "Basic auth, bcrypt of cost 10")):
            server = servers.Httpd(f"{kind}-{mpm}", kind, mpm)
            private = {"path": "/private", "body": None, "holds": b"Hello ada!", "login": kind}
            groups[kind].append(Target(f"{kind}-open-{mpm}", f"an open location, {mpm}", server, "/open"))
            groups[kind].append(Target(server.name, f"{what}, {mpm}", server, **private))
    file = servers.Httpd("file", "file")
    groups["greeting"] += [
        Target("404", "httpd's 404", file, "/nothing", status=404, body=None),
        Target("file", "httpd, a file", file),
        Target("lua", "httpd, mod_lua", servers.Httpd("lua", "lua")),
        Target("php", "httpd, mod_php (prefork)", servers.Php("php", "php", "prefork")),
        Target("flask", "Flask, mod_wsgi (the tutorial)", servers.Flask("flask", "flask")),
        Target("nginx", "nginx, return", servers.Nginx("nginx")),
        Target("haproxy", "HAProxy, http-request return", servers.Haproxy("haproxy")),
        Target("caddy", "Caddy, respond", servers.Caddy("caddy")),
    ]
    for mpm in ("event", "worker"):
        server = servers.Httpd(f"h2-8-workers-{mpm}", "hello", mpm, "-DBENCH_FEW_H2_WORKERS")
        groups["h2"].append(Target(server.name, f"mod_hello, {mpm}, 8 H2 workers", server))
    groups["h2"] += [target for target in groups["greeting"] if target.server.mpm != "prefork"]
    stalling = ("mod_hello-event", "mod_hello-worker", "h2-8-workers-event", "h2-8-workers-worker")
    groups["stall"] += [target for target in groups["h2"] if target.name in stalling]
    # Under callgrind each runs on prefork, whatever its name says.
    counted = ("mod_hello-event", "quick-event", "404", "file")
    groups["instructions"] += [target for target in groups["greeting"] if target.name in counted]
    groups["instructions-bodies"] += [target for target in groups["bodies"] if target.name.endswith("-event")]
    return groups


# measure(run, target) gives figures by name, of which some are shown; tools are what it runs; it is called some
# times in each round.
Case = collections.namedtuple("Case", "name what group measure figures tools rounds times", defaults=(1,))
RATES = ("cpu_us", "rps")


def cases_with(rounds=9, is_quick=False):
    """Some are exact, or take long, and have rounds of their own."""
    # A second's CPU time differs from the next one's by a sixth, and two seconds at a stretch do so no less.
    closely = 1 if is_quick else 4

    def keep_alive(name, what, group, scheme, connections, tools=("wrk",), times=1, longer=1):
        measure = functools.partial(measuring.keep_alive, scheme=scheme, connections=connections, longer=longer)
        return Case(name, what, group, measure, RATES, tools, rounds, times)

    for scheme in ("https", "http"):
        for connections in (1, 16, 64):
            what = f"{scheme.upper()}, keep-alive, {connections} connection{'s' * (connections > 1)}"
            more = {"tools": ("wrk", "gnuplot"), "times": closely} if (scheme, connections) == ("https", 16) else {}
            yield keep_alive(f"{scheme}-{connections}", what, "greeting", scheme, connections, **more)
    yield Case("h2", "HTTP/2, 16 connections of 16 streams", "h2", measuring.h2, RATES, ("h2load",), rounds)
    for name in ("full", "resumed"):
        measure = functools.partial(measuring.handshake, resumed=name == "resumed")
        what = f"TLS 1.3, a {name} handshake for each request"
        yield Case(name, what, "greeting", measure, RATES, (), rounds)
    yield keep_alive("bodies", "HTTPS, 16 connections: bodies of mod_hello", "bodies", "https", 16, times=closely)
    # What is under way when the time is up counts for nothing, and a key or a hash takes long.
    long = {"tools": ("wrk", "htpasswd"), "longer": 4}
    what = "HTTPS, 16 connections: a session of login.conf, and an open location"
    yield keep_alive("login", what, "login", "https", 16, **long)
    yield keep_alive("basic", "HTTPS, 2 connections: Basic auth, and an open location", "basic", "https", 2, **long)
    what = "HTTPS, 16 connections, half of the peak rate: microseconds until the answer"
    figures = ("p50_us", "p99_us", "p99.9_us", "rate")
    yield Case("latency", what, "greeting", measuring.latency, figures, ("h2load",), rounds)
    what = "HTTP/2, runs of 16000 requests that stopped half way"
    yield Case("stall", what, "stall", measuring.stall, ("stalled",), ("h2load",), 2 if is_quick else 20)
    for scheme in ("http", "https"):
        measure = functools.partial(measuring.instructions, scheme=scheme)
        for bodies, of_bodies in (("", ""), ("-bodies", ": bodies of mod_hello")):
            name, group = f"instructions-{scheme}{bodies}", f"instructions{bodies}"
            what = f"User instructions a request, {scheme.upper()}{of_bodies}"
            yield Case(name, what, group, measure, ("instructions",), ("valgrind",), 1)
    what = "Resident memory after all requests, and after a tenth of them (KiB)"
    figures = ("after_all_kib", "after_tenth_kib")
    yield Case("memory", what, "greeting", measuring.memory, figures, ("h2load",), 1)


# A round of everything within minutes.
QUICK = "https-16 http-16 h2 full resumed bodies latency stall instructions-http instructions-https memory".split()

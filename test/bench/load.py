"""Requests, and whether every answer to them is right.

Takes a target, how many connections or requests there are to be, seconds, and a function that is called when
the clock starts. Gives how many requests were answered, in how many seconds, and how many connections the
server has closed. A wrong answer is a Failure, and one that is missing is Unanswered.
"""

import base64
import contextlib
import http.client
import multiprocessing.pool
import re
import socket
import threading
import time
import urllib.parse

from . import TEMPLATES, Failure, Unanswered
from .processes import run
from .servers import ADDRESS, fill

HANDSHAKERS = 8
PASSWORD = "correct horse battery staple"


def wrong_answer(target, what):
    expected = f"status {target.status}" + (f" and {target.body!r}" if target.body is not None else "")
    problem = f"{target.name} gave a wrong answer at {target.path}: {what}; expected {expected}"
    return Failure(problem, "mend that server or its template in test/bench/templates, and run this again")


def unanswered(target, what):
    return Unanswered(f"{target.name} left {what}; it says:\n{target.server.said()}")


def check(target, status, body):
    if status != target.status or (target.body is not None and body != target.body) or target.holds not in body:
        raise wrong_answer(target, f"status {status} and {body[:200]!r}")


def credentials(target):
    """The header that lets its requests in."""
    if target.login == "basic":
        return {"Authorization": "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()}
    if target.login == "login":
        form = urllib.parse.urlencode({"httpd_username": "ada", "httpd_password": PASSWORD})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, headers, _ = target.server.fetch("https", "/login", kind, "POST", form)
        if "Set-Cookie" not in headers:
            raise wrong_answer(target, f"the login brought status {status} and no cookie")
        return {"Cookie": headers["Set-Cookie"].partition(";")[0]}
    return {}


def probe(target, scheme, headers=()):
    """Checks one answer in full, and returns the body that every other answer must have."""
    status, fields, body = target.server.fetch(scheme, target.path, headers)
    check(target, status, body)
    kind = fields.get("Content-Type", "")
    if status == 200 and not kind.startswith(("text/html", "application/json")):
        raise wrong_answer(target, f"Content-Type {kind!r}")
    return body


def wrk(target, scheme, connections, seconds, before_start):
    """With keep-alive and without a pause."""
    headers = credentials(target)
    body = probe(target, scheme, headers)
    script = target.server.folder / "check.lua"
    script.write_text(fill((TEMPLATES / "check.lua").read_text(), {"body": body.decode(), "status": target.status}))
    argv = ["wrk", "-t", min(2, connections), "-c", connections, "-d", f"{seconds}s", "--timeout", "10s", "-s", script]
    for name, value in headers.items():
        argv += ["-H", f"{name}: {value}"]
    before_start()
    output = run([*argv, target.url(scheme)], seconds + 60, f"wrk ({target.name})")
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (.*)", output, re.DOTALL)
    if found is None:
        raise Failure(f"wrk ({target.name}) says:\n{output}")
    requests, microseconds, errors, bad = map(int, found.groups()[:4])
    if bad or not requests:
        raise wrong_answer(target, f"{bad} of {requests} were wrong, {errors} failed; the last wrong one: {found[5]}")
    # The event MPM closes kept connections when all its threads are busy, and wrk opens others.
    if errors > connections + requests / 100:
        raise unanswered(target, f"{errors} requests without an answer, and answered {requests}")
    return requests, microseconds / 1e6, errors


def h2load(target, arguments, timeout, h1=False, before_start=lambda: None):
    """Over https. It is told how many requests to make, since a run by time ends with answers on their way,
    which it counts in one place and not in another."""
    body = probe(target, "https")
    argv = ["h2load", "-t", "1", *(["--h1"] if h1 else []), *arguments, target.url("https")]
    before_start()
    output = run(argv, timeout, f"h2load ({target.name})")
    finished = re.search(r"finished in ([\d.]+)(ms|s|us|m)", output)
    counts = re.search(r"requests: (\d+) total, .* (\d+) done, .* (\d+) errored, (\d+) timeout", output)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    traffic = re.search(r"traffic: .*, \S+ \((\d+)\) data", output)
    protocol = f"Application protocol: {'http/1.1' if h1 else 'h2'}"
    if not (finished and counts and codes and traffic and protocol in output):
        raise Failure(f"h2load ({target.name}) says:\n{output}")
    total, done, errored, late = map(int, counts.groups())
    if done != total or errored or late:
        raise unanswered(target, f"some of {total} requests without an answer: {done} done, {errored} with an error")
    of_status = int(codes[target.status // 100 - 1])
    if not done or of_status != done or int(traffic[1]) != done * len(body):
        raise wrong_answer(target, f"{of_status} of {done} had its status, {traffic[1]} bytes of body came")
    return done, float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[finished[2]], 0


def handshakes(target, resumed, seconds, before_start):
    """Connections made one after the other by each of some clients, a request on each."""
    request = f"GET {target.path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n".encode()
    begins, ends = f"HTTP/1.1 {target.status} ".encode(), b"\r\n\r\n" + probe(target, "https")
    context = target.server.tls_context()
    begun = 0.0

    def connect(session):
        plain = socket.create_connection((ADDRESS, target.server.ports["https"]), timeout=30)
        with plain, context.wrap_socket(plain, server_hostname=ADDRESS, session=session) as tls:
            tls.sendall(request)
            answer = b"".join(iter(lambda: tls.recv(65536), b""))
            if tls.version() != "TLSv1.3" or tls.session_reused != (session is not None):
                kind = "resumed" if tls.session_reused else "a full handshake"
                raise wrong_answer(target, f"{tls.version()}, {kind}")
            if not answer.startswith(begins) or not answer.endswith(ends):
                raise wrong_answer(target, repr(answer[-200:]))
            return tls.session if resumed else None

    def begin():
        nonlocal begun
        time.sleep(0.05)
        before_start()
        begun = time.monotonic()

    ready = threading.Barrier(HANDSHAKERS, begin, timeout=60)

    def client(_):
        try:
            session, count = connect(None) if resumed else None, 0
            ready.wait()
            while time.monotonic() < begun + seconds:
                # A server may take each session once only; the answer has brought the next.
                session = connect(session)
                count += 1
            return count
        except BaseException:
            ready.abort()
            raise

    # Its threads do not keep an interrupted run from its end.
    with multiprocessing.pool.ThreadPool(HANDSHAKERS) as pool:
        try:
            count = sum(pool.map(client, range(HANDSHAKERS), chunksize=1))
        except (OSError, threading.BrokenBarrierError) as problem:
            raise wrong_answer(target, repr(problem)) from None
        return count, time.monotonic() - begun, 0


def ask_in_a_row(target, scheme, count):
    """Requests on one connection, each when the one before is answered, to a server that may still start."""
    server = target.server
    connection = server.connection(scheme)
    deadline = time.monotonic() + 120
    while connection.sock is None:
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise Failure(f"{server.name} does not start; it says:\n{server.said()}") from None
            time.sleep(0.2)
    # Another connection would be counted with its handshake.
    connection.auto_open = False
    with contextlib.closing(connection):
        for _ in range(count):
            try:
                connection.putrequest("GET", target.path, skip_host=True, skip_accept_encoding=True)
                connection.putheader("Host", ADDRESS)
                connection.putheader("User-Agent", "bench")
                connection.endheaders()
                answer = connection.getresponse()
                check(target, answer.status, answer.read())
            except (OSError, http.client.HTTPException) as error:
                raise Failure(f"{server.name} ends a connection ({error}); it says:\n{server.said()}") from None

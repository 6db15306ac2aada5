"""Ratios of what was measured, their ranges, and whether the bars hold.

Takes results: by (case, target) the values of each figure, one of each round, in the figure's own unit.
Gives ratios, which have no unit, and for each bar that was measured what is shown of it.
"""

import collections
import math
import statistics

Bar = collections.namedtuple("Bar", "what case figure ours other at_most")
# Ratios in one run that have to hold, of ours to the other; where there is none, a sum.
BARS = [
    Bar("user instructions, HTTP", "instructions-http", "instructions", "mod_hello-event", "quick-event", 1.35),
    Bar("user instructions, HTTPS", "instructions-https", "instructions", "mod_hello-event", "quick-event", 1.20),
    Bar("CPU, HTTPS, event", "https-16", "cpu_us", "mod_hello-event", "quick-event", 1.10),
    Bar("CPU, HTTPS, event", "https-16", "cpu_us", "mod_hello-event", "file", 0.55),
    Bar("CPU, HTTPS, event", "https-16", "cpu_us", "mod_hello-event", "flask", 0.12),
    Bar("CPU, HTTPS, worker", "https-16", "cpu_us", "mod_hello-worker", "flask", 0.08),
    Bar("CPU, HTTPS, worker", "https-16", "cpu_us", "mod_hello-worker", "caddy", 0.80),
    Bar("CPU, HTTPS, worker", "https-16", "cpu_us", "mod_hello-worker", "haproxy", 1.6),
    Bar("CPU, HTTPS, worker", "https-16", "cpu_us", "mod_hello-worker", "nginx", 1.6),
    Bar("CPU, full TLS 1.3 handshakes, event", "full", "cpu_us", "mod_hello-event", "nginx", 1.5),
    Bar("CPU, full TLS 1.3 handshakes, worker", "full", "cpu_us", "mod_hello-worker", "nginx", 1.5),
    Bar("CPU, full TLS 1.3 handshakes, prefork", "full", "cpu_us", "mod_hello-prefork", "nginx", 1.5),
    Bar("CPU, HTTP/2, event, 8 H2 workers", "h2", "cpu_us", "h2-8-workers-event", "mod_hello-event", 0.70),
    Bar("CPU, HTTP/2, worker, 8 H2 workers", "h2", "cpu_us", "h2-8-workers-worker", "mod_hello-worker", 0.70),
    Bar("CPU, five variables in HTML, event", "bodies", "cpu_us", "html-event", "static-event", 1.25),
    Bar("CPU, five variables in JSON, event", "bodies", "cpu_us", "json-event", "static-event", 1.25),
    Bar("CPU, HelloFile, event", "bodies", "cpu_us", "file-event", "static-event", 1.10),
    Bar("CPU, five variables in HTML, worker", "bodies", "cpu_us", "html-worker", "static-worker", 1.25),
    Bar("CPU, five variables in JSON, worker", "bodies", "cpu_us", "json-worker", "static-worker", 1.25),
    Bar("CPU, HelloFile, worker", "bodies", "cpu_us", "file-worker", "static-worker", 1.10),
    Bar("CPU, five variables in HTML, prefork", "bodies", "cpu_us", "html-prefork", "static-prefork", 1.25),
    Bar("CPU, five variables in JSON, prefork", "bodies", "cpu_us", "json-prefork", "static-prefork", 1.25),
    Bar("CPU, HelloFile, prefork", "bodies", "cpu_us", "file-prefork", "static-prefork", 1.10),
    Bar("HTTP/2, event: stalls", "stall", "stalled", "mod_hello-event", None, 0),
    Bar("HTTP/2, worker: stalls", "stall", "stalled", "mod_hello-worker", None, 0),
    # Threads touch pages for the first time, and sessions fill their cache, whoever answers. Eight bytes
    # a request, the least that a pool of APR's can give, would be 1.5 after a million.
    Bar("growth of memory, event", "memory", "growth", "mod_hello-event", "quick-event", 1.10),
    Bar("growth of memory, worker", "memory", "growth", "mod_hello-worker", "quick-worker", 1.10),
    Bar("growth of memory, prefork", "memory", "growth", "mod_hello-prefork", "quick-prefork", 1.10),
]
# What a bar is against, by its figure or the first word of the other's name.
SHOWN = {"static": "a constant", "quick": "the quick handler", "mod_hello": "mod_http2's defaults"}
SHOWN["growth"] = "that with the quick handler"


def ratios_of(ours, other):
    """Each round's: the machine is faster in one round than in another, for all alike."""
    return [our / their for our, their in zip(ours, other)]


def ratio_of(ours, other):
    return statistics.median(ratios_of(ours, other))


def range_of(values):
    """Where the median of what they are drawn from lies with at least 95 % confidence: the sign test's
    interval, by the binomial distribution of how many are below it. None below six values, whose whole
    span is less than that."""
    ordered = sorted(values)
    count, left_out = len(ordered), 0
    if count < 6:
        return None
    tail = (1 + count) / 2**count
    while tail <= 0.025:
        left_out += 1
        tail += math.comb(count, left_out + 1) / 2**count
    return ordered[left_out], ordered[-1 - left_out]


def verdict(at_most, lowest, highest):
    return "holds" if highest <= at_most else "FALLS SHORT" if lowest > at_most else "cannot be told"


def values_of(results, case, target, figure):
    figures = results.get((case, target), {})
    if figure == "growth":
        # After all requests, as a multiple of that after a tenth of them.
        return ratios_of(figures.get("after_all_kib", ()), figures.get("after_tenth_kib", ()))
    return figures.get(figure)


def judge(results):
    """Each bar that was measured, with its ratio and whether it holds. What is counted is taken as it is."""
    judged = []
    for bar in BARS:
        ours = values_of(results, bar.case, bar.ours, bar.figure)
        other = values_of(results, bar.case, bar.other, bar.figure)
        if not ours or (bar.other and not other):
            continue
        values = ratios_of(ours, other) if bar.other else [sum(ours)]
        ratio = statistics.median(values)
        ends = range_of(values) if bar.figure == "cpu_us" else (ratio, ratio)
        # Where the quick handler misses a bar too, what is missing is httpd's own.
        quick = bar.ours.replace("mod_hello", "quick")
        floors = None if quick in (bar.ours, bar.other) else values_of(results, bar.case, quick, bar.figure)
        floor = ratio_of(floors, other) if floors and other else None
        name = bar.other or f"{len(ours)} runs"
        against = SHOWN.get(bar.figure) or SHOWN.get(name.split("-")[0], name)
        entry = {"what": bar.what, "against": against, "at_most": bar.at_most}
        entry |= {"ratio": ratio, "range": ends, "floor": floor}
        judged.append({**entry, "is": verdict(bar.at_most, *(ends or (0, math.inf)))})
    return judged

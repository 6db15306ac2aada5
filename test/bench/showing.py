"""What a run has measured, for people and for programs.

Takes a run, its cases and its groups of targets; prints tables in Markdown, and writes JSON and a chart.
Figures are in the units of measuring; ratios are of CPU time, mod_hello on the event MPM being 1.
"""

import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess

from . import TEMPLATES
from .judging import judge, ratio_of
from .processes import run as run_tool
from .servers import fill

BASE = "mod_hello-event"
CHART_CASE = "https-16"
HEADINGS = {
    "cpu_us": "CPU µs a request",
    "rps": "requests a second",
    "p50_us": "50 %",
    "p99_us": "99 %",
    "p99.9_us": "99.9 %",
    "rate": "requests a second",
    "stalled": "stalls",
    "closed": "connections closed",
    "instructions": "instructions",
    "after_all_kib": "after all",
    "after_tenth_kib": "after a tenth",
}
RATIOS = {
    "https-16": "HTTPS",
    "http-16": "HTTP",
    "h2": "HTTP/2",
    "full": "full handshake",
    "resumed": "resumed handshake",
}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.3g}"


def shown(figure, values):
    if figure in ("stalled", "closed"):
        return str(sum(values))
    median, lowest, highest = map(number, (statistics.median(values), min(values), max(values)))
    return median if min(values) == max(values) else f"{median} ({lowest} to {highest})"


def print_table(title, rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    print(f"\n{title}\n")
    for first, *others in (rows[0], rule, *rows[1:]):
        print("|", " | ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]), "|")


def report(run, cases, groups):
    for case in cases:
        figures = {target.label: run.results.get((case.name, target.name)) for target in groups[case.group]}
        print_figures(case, {label: of_target for label, of_target in figures.items() if of_target})
    print_ratios(run.results, groups["greeting"])
    print_bars(judge(run.results))
    if run.missing:
        print("\nNot measured, for want of")
        for name, package in run.missing.items():
            print(f"  {name}: {package}")


def print_figures(case, measured):
    columns = list(case.figures)
    if any(any(figures.get("closed", ())) for figures in measured.values()):
        columns.append("closed")
    rows = [[label, *(shown(column, figures[column]) for column in columns)] for label, figures in measured.items()]
    if rows:
        print_table(case.what, [["", *(HEADINGS[column] for column in columns)], *rows])


def print_ratios(results, targets):
    """The table of test/README.md."""
    bases = {case: results[case, BASE]["cpu_us"] for case in RATIOS if (case, BASE) in results}
    rows = [["CPU time a request", *(RATIOS[case] for case in bases)]]
    for target in targets:
        cells = []
        for case, base in bases.items():
            ratio = ratio_of(results[case, target.name]["cpu_us"], base) if (case, target.name) in results else None
            cells.append("" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}")
        if any(cells):
            rows.append([target.label, *cells])
    if len(rows) > 2:
        print_table("Ratios, mod_hello on event = 1", rows)


def print_bars(judged):
    rows = [["bar", "against", "at most", "ratio", "range", "", "the quick handler's"]]
    for bar in judged:
        ratio = f"{bar['ratio']:.2f}" if bar["at_most"] else str(bar["ratio"])
        lowest, highest = bar["range"] or (0, 0)
        ends = f"{lowest:.2f} to {highest:.2f}" if lowest < highest else ""
        floor = "" if bar["floor"] is None else f"{bar['floor']:.2f}"
        rows.append([bar["what"], bar["against"], f"{bar['at_most']:g}", ratio, ends, bar["is"], floor])
    if judged:
        print_table("Bars", rows)


def first_line(*argv):
    with contextlib.suppress(OSError, IndexError, subprocess.TimeoutExpired):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    return None


def machine():
    cpu = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    system = "Linux"
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release().get("PRETTY_NAME", system)
    cpu = cpu[1] if cpu else platform.machine()
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "system": system}


def versions(httpd):
    options = {"openssl": "version", "nginx": "-v", "haproxy": "-v", "caddy": "version", "php": "-v", "wrk": "-v"}
    options |= {"h2load": "--version", "valgrind": "--version"}
    return {"httpd": first_line(httpd, "-v"), **{name: first_line(name, option) for name, option in options.items()}}


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": values}


def write_json(run, cases, path):
    names = [case.name for case in cases]
    results = [
        {"case": case, "server": target, **{figure: summary(values) for figure, values in figures.items()}}
        for (case, target), figures in sorted(run.results.items(), key=lambda item: names.index(item[0][0]))
    ]
    content = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{option: getattr(run.options, option) for option in ("quick", "rounds", "seconds")},
        "machine": machine(),
        "versions": versions(run.setting.httpd),
        "cases": {case.name: case.what for case in cases},
        "results": results,
        "bars": judge(run.results),
        "missing": run.missing,
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_chart(run, targets, path):
    """False where there is nothing to draw."""
    measured = {target: run.results.get((CHART_CASE, target.name), {}).get("cpu_us") for target in targets}
    base = next((values for target, values in measured.items() if target.name == BASE), None)
    if not base:
        return False
    # The 404 is no greeting, and one quick handler is enough to see.
    hidden = ("404", "quick-worker", "quick-prefork")
    entries = [(ratio_of(values, base), t) for t, values in measured.items() if values and t.name not in hidden]
    entries.sort(key=lambda entry: entry[0])
    bars = []
    for index, (ratio, target) in enumerate(entries):
        colour = "0x2f6db5" if target.name.startswith("mod_hello") else "0x9aa5b1"
        bars.append(f'{index} {ratio:.4f} {colour} "{ratio:.2f}"')
    values = {"height": 70 + 28 * len(entries), "top": len(entries) - 0.4, "right": entries[-1][0] * 1.12}
    values["tics"] = ", ".join(f'"{target.label}" {index}' for index, (_, target) in enumerate(entries))
    script, chart = run.setting.shared / "chart.gp", run.setting.shared / "chart.svg"
    script.write_text(fill((TEMPLATES / "chart.gp").read_text(), {**values, "bars": "\n".join(bars), "output": chart}))
    run_tool(["gnuplot", script], 60, "gnuplot")
    shutil.copyfile(chart, path)
    return True

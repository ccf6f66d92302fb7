"""The files of docs/results. One appears whole or not at all."""

import datetime
import os
import platform
import statistics

from .programs import ROOT

RESULTS = ROOT / "docs/results"


def write(name, text):
    path = RESULTS / name
    partial = path.with_name(f".{name}.partial")
    partial.write_text(text.strip("\n") + "\n", encoding="utf-8")
    partial.replace(path)


def today():
    return datetime.date.today().isoformat()


def machine():
    return f"{platform.system()}, {platform.machine()}, {os.cpu_count()} processors"


def spread(values, form):
    """The median, with the smallest and the largest value."""
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{form.format(median)} ({form.format(low)}–{form.format(high)})"

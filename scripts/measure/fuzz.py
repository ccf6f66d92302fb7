"""The command scripts/fuzz: every fuzz target for so many seconds."""

import argparse
import re
import subprocess
import sys

from . import documents
from .programs import ROOT, Programs, fail, run


def main(head):
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=head, formatter_class=form)
    parser.add_argument("seconds", metavar="SECONDS", type=int, nargs="?", default=60)
    seconds = parser.parse_args().seconds
    if seconds < 1:
        parser.error("SECONDS is at least 1")
    if subprocess.run(["cargo", "fuzz", "--version"], capture_output=True).returncode:
        run("cargo", "install", "--locked", "cargo-fuzz")
    targets = sorted(file.stem for file in (ROOT / "fuzz/fuzz_targets").glob("*.rs"))
    with Programs() as programs:
        rows = [f"| {name} | {fuzz(name, programs.folder / name, seconds)} | 0 |" for name in targets]
    text = document(seconds, rows)
    documents.write("fuzz.md", text)
    print(text)


def fuzz(name, corpus, seconds):
    """The number of runs. What the fuzzer finds new goes elsewhere; a crash becomes a seed by hand, with its test."""
    corpus.mkdir()
    words = [name, corpus, f"fuzz/corpus/{name}", "--", f"-max_total_time={seconds}", "-timeout=10"]
    done = subprocess.run(
        ["cargo", "+nightly", "fuzz", "run", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if done.returncode:
        print("\n".join(done.stderr.splitlines()[-30:]), file=sys.stderr)
        fail(f"{name} found something; see fuzz/artifacts/{name}")
    return re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE).group(1)


def document(seconds, rows):
    return "\n".join(
        [
            "# Fuzzing\n",
            f"Made by `scripts/fuzz {seconds}` on {documents.today()}: each target for {seconds} seconds, with the seeds in"
            " `fuzz/corpus`.\n",
            "| target | runs | crashes |",
            "|---|---:|---:|",
            *rows,
        ]
    )

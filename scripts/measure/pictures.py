"""Pictures of what a run leaves, for the documents: its report in a browser, and the terminal."""

import shutil
import subprocess
import time

from .programs import ROOT, fail, run

IMAGES = ROOT / "docs/images"
TERMINAL_MAX_S = 120


def of_report(folder):
    """The report's first screen, on a desk and on a phone, light and dark; and the result as a picture to send."""
    run("node", ROOT / "tests/browser/picture.mjs", folder / "report.html", IMAGES / "lab-report")
    shutil.copy(folder / "result.png", IMAGES / "lab-result.png")


def of_terminal(binary, folder):
    """What a terminal of 80 × 24 shows when the lab has run without a word, as text."""
    tmux = ["tmux", "-S", folder / "tmux"]
    # The terminal stays when the lab has ended.
    command = f"cd '{folder}' && '{binary}'; exec sleep {TERMINAL_MAX_S}"
    run(*tmux, "new-session", "-d", "-x", "80", "-y", "24", "-s", "lab", command)
    try:
        until = time.monotonic() + TERMINAL_MAX_S
        while not is_over(screen := screen_of(tmux)):
            if time.monotonic() > until:
                fail(f"the lab took longer than {TERMINAL_MAX_S} s")
            time.sleep(0.5)
    finally:
        run(*tmux, "kill-server")
    (IMAGES / "lab-terminal.txt").write_text(screen, encoding="utf-8")


def screen_of(tmux):
    screen = subprocess.check_output([*tmux, "capture-pane", "-t", "lab", "-p"], text=True)
    return "\n".join(line.rstrip() for line in screen.splitlines()).strip("\n") + "\n"


def is_over(screen):
    """The last line is the run's folder, below the path of its report."""
    return screen.count("\nboltbouncer-lab/") == 2

"""Seconds from the command to a window that can be used, and whether torch is loaded by then.

    python tests/benchmarks/start_up.py [--rounds 5] [--project FOLDER]

The clock starts before the process does. The window counts as usable when it is painted and has
answered an event sent to it after that. Under Xvfb where there is no screen.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from virtual_screen import screen

DRIVER = """
import json, sys, time
from PySide6.QtCore import QCoreApplication, QEvent
from mmstudio.gui import main_window

ASKED = QEvent.Type(QEvent.registerEventType())

class Window(main_window.MainWindow):
    def __init__(self, *args):
        super().__init__(*args)
        # connected first, so that what the app starts then counts against the answer
        self.stood.connect(self.ask)

    def ask(self):
        self.painted_at = time.time()
        self.torch_loaded = "torch" in sys.modules
        QCoreApplication.postEvent(self, QEvent(ASKED))

    def event(self, event):
        if event.type() == ASKED:
            print(json.dumps({"painted": self.painted_at, "usable": time.time(),
                              "torch": self.torch_loaded or "torch" in sys.modules}), flush=True)
            self.close()
        return super().event(event)

main_window.MainWindow = Window
from mmstudio import cli

sys.argv[0] = "mmstudio"
cli.main()
"""


def start(project: str) -> dict[str, float]:
    """One start; seconds from the command."""
    arguments = [sys.executable, "-c", DRIVER, *([project] if project else [])]
    began = time.time()
    done = subprocess.run(arguments, capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"the app did not start:\n{done.stderr}")
    told = json.loads(done.stdout)
    return {"painted": told["painted"] - began, "usable": told["usable"] - began,
            "torch": told["torch"]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--project", default="", help="a project folder to open")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as config, screen():
        os.environ["MMSTUDIO_CONFIG"] = config
        rounds = [start(options.project) for _ in range(options.rounds)]
    for name in ("painted", "usable"):
        seconds = [r[name] for r in rounds]
        print(f"{name:8} median {statistics.median(seconds):.2f} s "
              f"(all rounds: {', '.join(format(s, '.2f') for s in seconds)})")
    print(f"torch loaded by then: {'yes' if any(r['torch'] for r in rounds) else 'no'}")


if __name__ == "__main__":
    main()

"""Kills one training at random moments, resumes it each time, and compares it with a whole one.

    python tests/trials/kill_and_resume.py [--times 100] [--folder FOLDER] [--seed 0]
                                           [--every 0] [--most-minutes 30]

The training is tiny, writes its state after each step or nearly so, and is killed with SIGKILL
while it starts, trains, writes a checkpoint or validates. When it has ended, it begins anew under
another name, until so many kills are done. Each that ended must have, bit by bit, the weights of
one that nobody disturbed; its curves each point once; and no file half-written beside it.

The full trial is ``--times 100``; in parts, each takes another seed. With ``--every 0.4`` a state
is written each 0.4 s at most: kills then fall between two of them, as they do within long epochs.
Ends with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mmstudio.training import checkpoints  # noqa: E402
from mmstudio.training.events import Started, StepDone  # noqa: E402
from mmstudio.training.run_folder import RunFolder  # noqa: E402
from tests.small_project import start_small, write_small_project  # noqa: E402

SETTINGS = {"training.epochs": 3, "training.batch_size": 2, "training.threads": 1,
            "training.precision": "float32", "training.patience": 100,
            "training.modality_dropout": 0.2}
LONGEST_S = 120.0
WRITING = 0.35
"""Of the kills, those that come while a checkpoint is written."""

class Trainer:
    """A training in a process of its own: a copy of this one, which has all modules loaded.

    Attributes:
        told: A letter per event: ``S7;`` started at step 7, ``w`` writes a state, ``.`` made a
            step, ``e`` has ended.
    """

    def __init__(self, project: Path, run: str, every_s: float) -> None:
        self.told, self.code = "", 0
        self._output, child = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                _train(project, run, every_s, child)
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        os.close(child)

    def hear(self, until_s: float) -> bool:
        """Listen until something is told; False where it has ended."""
        ready, _, _ = select.select([self._output], [], [], max(0.0, until_s))
        new = os.read(self._output, 65536).decode() if ready else ""
        self.told += new
        return bool(new) or not ready

    def end(self, number: int | None = None) -> None:
        """Wait for its end, which a signal may bring about."""
        if number is not None:
            os.kill(self._pid, number)
        while self.hear(LONGEST_S):
            pass
        os.close(self._output)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def _train(project: Path, run: str, every_s: float, output: int) -> None:
    """Begin, or go on with, a run, and tell of it."""
    plain = torch.save

    def save(*arguments: Any) -> None:
        os.write(output, b"w")
        plain(*arguments)

    torch.save = save
    checkpoints.LEAST_S = checkpoints.MOST_S = every_s
    resume = (project / "runs" / run / "experiment.toml").exists()
    for event in start_small(project, SETTINGS, run=run, resume=resume):
        if isinstance(event, Started):
            os.write(output, f"S{event.first_step};".encode())
        elif isinstance(event, StepDone):
            os.write(output, b".")
    os.write(output, b"e")


def killed(trainer: Trainer, chance: random.Random) -> str:
    """Let it train until a random moment and kill it; when that was."""
    kind, end = chance.random(), time.monotonic() + LONGEST_S
    when, wanted, more_s = "training", "S", chance.uniform(0.0, 4.0)
    if kind < WRITING:
        when, wanted, more_s = "writing", "w", chance.uniform(0.0, 0.004)
    elif kind < 0.5:
        when, wanted, more_s = "starting", "", chance.uniform(0.0, 1.5)
    count = chance.randint(1, 40) if wanted == "w" else 1
    while wanted and trainer.told.count(wanted) < count and time.monotonic() < end:
        if not trainer.hear(1.0):
            break
    end = time.monotonic() + more_s
    while time.monotonic() < end and trainer.hear(end - time.monotonic()):
        pass
    trainer.end(signal.SIGKILL)
    return when


def wrong_in(project: Path, run: str) -> list[str]:
    """How a run that ended differs from the whole one."""
    one, other = (RunFolder(project / "runs" / name) for name in ("whole", run))
    wrong = []
    for name in ("best.safetensors", "last.safetensors"):
        a, b = load_file(one.path / name), load_file(other.path / name)
        if list(a) != list(b) or not all(torch.equal(a[n], b[n]) for n in a):
            wrong.append(f"{name} differs")
    a, b = one.history(), other.history()
    if a.step_loss != b.step_loss or a.validation_loss != b.validation_loss:
        wrong.append("the curves differ")
    left = [p.name for p in other.path.iterdir() if p.name.endswith(".new")]
    steps = [json.loads(line)["step"] for line in other.log.read_text().splitlines()
             if '"step_done"' in line]
    if steps != sorted(set(steps)):
        wrong.append("steps are in the log twice")
    return wrong + [f"left: {name}" for name in left]


def main() -> int:
    """Kill so many times, and print what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=0.0, help="seconds between checkpoints")
    parser.add_argument("--most-minutes", type=float, default=30.0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="kill_and_resume_"))
    project = folder / "project"
    if not project.exists():
        write_small_project(project)
    os.environ.setdefault("MMSTUDIO_CACHE", str(folder / "cache"))
    Trainer(project, "whole", 1e9).end()
    began, number, most_lost, ended, reached = time.monotonic(), 1, 0, 0, 0
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    while kinds.total() < asked.times and time.monotonic() - began < 60 * asked.most_minutes:
        trainer = Trainer(project, f"killed-{number}", asked.every)
        when = killed(trainer, chance)
        begun = trainer.told.partition("S")[2].partition(";")
        if begun[1]:
            most_lost = max(most_lost, reached - (int(begun[0]) - 1))
            reached = int(begun[0]) - 1 + trainer.told.count(".")
        print(f"{kinds.total() + 1:4} {when:9} run {number}, step {reached}", flush=True)
        if trainer.code not in (0, -signal.SIGKILL):
            wrong.append(f"exit {trainer.code}")
        if "e" in trainer.told:
            wrong += wrong_in(project, f"killed-{number}")
            ended, number, reached = ended + 1, number + 1, 0
        else:
            kinds[when] += 1
    last = Trainer(project, f"killed-{number}", asked.every)
    last.end()
    wrong += [f"exit {last.code}"] if last.code else wrong_in(project, f"killed-{number}")
    each = ", ".join(f"{count} while {kind}" for kind, count in sorted(kinds.items()))
    print(f"{kinds.total()} kills ({each}), {ended + 1} runs ended, wrong: {wrong or 'nothing'}; "
          f"most steps lost by one: {most_lost}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

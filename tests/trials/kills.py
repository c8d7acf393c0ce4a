"""Kills trainings at random moments, lets two write into one run, fills the disk: what is lost?

    python tests/trials/kills.py FOLDER [--kills 40] [--seed 0]

One run of the small project is trained, killed and gone on with, again and again; the last table
compares its epochs with those of a run that nobody disturbed. What was done is kept in FOLDER, so a
second call goes on where the first one ended, up to so many kills in all. The disk that is filled
is one of 16 MB that root mounts in FOLDER; others are told that it was not tried.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mmstudio.training.run_folder import RunFolder  # noqa: E402
from tests.small_project import write_small_project  # noqa: E402

SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
ENDLESS = ("--set", "training.epochs=10000", "--set", "training.patience=10000",
           "--set", "training.threads=1", "--set", "training.precision=float32")
LONGEST_S = 60
RUN = "killed"


class Training:
    """``mmstudio train`` in a process of its own, whose events are read as they come."""

    def __init__(self, project: Path, run: str, more: Sequence[str] = (), **env: str) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mmstudio", "train", "experiment.toml", "--run", run, "--json",
             *ENDLESS, *more], cwd=project, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
                              "PYTHONUNBUFFERED": "1"} | env)
        self.first_epoch: int | None = None
        self.epochs = 0
        self.errors = ""
        self.stepped = threading.Event()
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._hear)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                event: dict[str, Any] = json.loads(line)
                if event["event"] == "started":
                    self.first_epoch = event["first_epoch"]
                self.epochs += event["event"] == "epoch_done"
                if event["event"] == "step_done":
                    self.stepped.set()
        self.stepped.set()

    def _hear(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def go_on(self, seconds: float) -> bool:
        """Let it train for so long, or until it ends by itself; whether it still does."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is None

    def end(self, number: int | None = None) -> tuple[int, float]:
        """Send a signal, and wait: the exit code, and how long it took."""
        began = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
            self.errors += "\nit did not end"
        took = time.monotonic() - began
        for reader in self._readers:
            reader.join()
        return code, took


def whole(folder: RunFolder, *, in_order: bool) -> list[str]:
    """What is wrong with the files of a run that was ended."""
    from safetensors.numpy import load_file

    wrong = []
    for name in ("best.safetensors", "last.safetensors"):
        if (folder.path / name).exists():
            try:
                load_file(folder.path / name)
            except Exception as error:
                wrong.append(f"{name}: {error}")
    if (folder.path / "experiment.toml").exists():
        epochs = folder.history().epochs
        if epochs != list(range(1, len(epochs) + 1)):
            wrong.append(f"epochs {epochs[-5:]}")
    if in_order and folder.path.is_dir():
        wrong += [p.name for p in folder.path.iterdir()
                  if p.name.endswith(".new") or p.name.startswith("training.")]
    return wrong


def epochs_of(folder: RunFolder) -> int:
    """How many epochs its log tells."""
    exists = (folder.path / "experiment.toml").exists()
    return len(folder.history().epochs) if exists else 0


def killed_once(project: Path, number: int, chance: random.Random) -> dict[str, Any]:
    """Start or go on with the run, end it at a random moment, and look at what is left."""
    folder = RunFolder(project / "runs" / RUN)
    before = epochs_of(folder)
    left = {p.name for p in folder.path.iterdir()} if folder.path.is_dir() else set()
    name = SIGNALS[number % len(SIGNALS)]
    resume = (folder.path / "state.pt").exists()
    if not resume:
        shutil.rmtree(folder.path, ignore_errors=True)
    training = Training(project, RUN, ("--resume",) if resume else ())
    loading = chance.random() < 0.15
    if loading:
        training.go_on(chance.uniform(0.0, 4.0))
    else:
        training.stepped.wait(LONGEST_S)
        training.go_on(chance.uniform(0.0, 2.0))
    alive = training.go_on(0.0)
    code, took = training.end(getattr(signal, name))
    lost = 0 if training.first_epoch is None or not resume else before - training.first_epoch + 1
    wrong = whole(folder, in_order=name != "SIGKILL")
    if training.first_epoch is None:  # it never had the run: what a kill left is still there
        wrong = [one for one in wrong if one not in left]
    if not alive or "did not end" in training.errors:
        wrong.append("it ended by itself" if not alive else "it did not end")
    if "Traceback" in training.errors:
        wrong.append("a traceback")
    if resume and epochs_of(folder) < before - 1:
        wrong.append(f"{before} epochs became {epochs_of(folder)}")
    return {"number": number, "signal": name, "when": "loading" if loading else "training",
            "code": code, "ended_s": round(took, 2), "epochs_before": before,
            "epochs_lost": lost, "epochs_after": epochs_of(folder), "wrong": wrong,
            "errors": training.errors[-500:] if wrong else ""}


def undisturbed(project: Path, epochs: int) -> list[str]:
    """Train so many epochs at a stretch; where the killed run's figures differ."""
    training = Training(project, "undisturbed")
    while training.epochs <= epochs and training.go_on(0.1):
        pass
    training.end(signal.SIGTERM)
    killed, other = (RunFolder(project / "runs" / run).history().validation_loss
                     for run in (RUN, "undisturbed"))
    both = min(len(killed), len(other))
    differ = [i + 1 for i in range(both) if killed[i] != other[i]]
    return [f"{both} epochs compared, {len(differ)} differ"
            + (f", the first is {differ[0]}" if differ else "")]


def two_writers(project: Path) -> list[str]:
    """A second training into a run in training, and one after the first of them was killed."""
    shutil.rmtree(project / "runs" / "two", ignore_errors=True)
    first = Training(project, "two")
    first.stepped.wait(LONGEST_S)
    first.go_on(1.0)
    second = Training(project, "two", ("--resume",))
    code, took = second.end()
    told = (second.errors.strip().splitlines() or [""])[0]
    alive = first.process.poll() is None
    first.end(signal.SIGKILL)
    third = Training(project, "two", ("--resume",))
    third.stepped.wait(LONGEST_S)
    went_on, _ = third.end(signal.SIGTERM)
    return [f"second writer: exit {code} after {took:.1f} s: {told}",
            f"first writer went on: {alive}; after its kill a resume ended with {went_on}",
            f"files: {whole(RunFolder(project / 'runs' / 'two'), in_order=True) or 'whole'}"]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of 16 MB at the folder, where root may mount one; whether it could be."""
    folder.mkdir(parents=True, exist_ok=True)
    made = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=False,
        capture_output=True).returncode == 0
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", folder], check=True)


def full_disk(folder: Path) -> list[str]:
    """Fill the disk under a training, make room again, and go on."""
    with small_disk(folder / "disk") as made:
        if not made:
            return ["no disk could be mounted; not tried"]
        project = write_small_project(folder / "disk" / "project")
        cache = {"MMSTUDIO_CACHE": str(folder / "cache")}
        training = Training(project, "full", **cache)
        while training.epochs < 3 and training.go_on(0.1):
            pass
        with contextlib.suppress(OSError), (folder / "disk" / "ballast").open("wb") as ballast:
            while True:
                ballast.write(bytes(4096))
                ballast.flush()
        code, took = training.end()
        run = RunFolder(project / "runs" / "full")
        before, wrong = epochs_of(run), whole(run, in_order=False)
        (folder / "disk" / "ballast").unlink()
        again = Training(project, "full", ("--resume",), **cache)
        again.stepped.wait(LONGEST_S)
        went_on, _ = again.end(signal.SIGTERM)
        lines = training.errors.strip().splitlines() or [""]
        return [f"full disk: exit {code} after {took:.1f} s: {lines[0]}",
                f"tracebacks: {training.errors.count('Traceback')}; files: {wrong or 'whole'}",
                f"epochs before {before}; with room again it went on from epoch "
                f"{again.first_epoch} and ended with {went_on}; "
                f"files: {whole(run, in_order=True) or 'whole'}"]


def main() -> None:
    """Do what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    project, log = asked.folder / "project", asked.folder / "kills.jsonl"
    if not project.is_dir():
        asked.folder.mkdir(parents=True, exist_ok=True)
        write_small_project(project)
    os.environ.setdefault("MMSTUDIO_CACHE", str(asked.folder / "cache"))
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    print("   n signal   when      exit  ended  epochs before/lost/after  wrong", flush=True)
    for number in range(len(done), asked.kills):
        found = killed_once(project, number, random.Random(1000 * asked.seed + number))
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        done.append(found)
        print(f"{number:4} {found['signal']:8} {found['when']:9} {found['code']:4} "
              f"{found['ended_s']:5.1f}s {found['epochs_before']:7}/{found['epochs_lost']}/"
              f"{found['epochs_after']}  {'; '.join(found['wrong']) or '-'}", flush=True)
    print(f"\n{len(done)} kills, {sum(bool(d['wrong']) for d in done)} with something wrong, "
          f"most epochs lost by one: {max(d['epochs_lost'] for d in done)}, slowest end "
          f"{max(d['ended_s'] for d in done):.1f} s", flush=True)
    for line in (*undisturbed(project, epochs_of(RunFolder(project / "runs" / RUN))),
                 *two_writers(project), *full_disk(asked.folder)):
        print(line, flush=True)


if __name__ == "__main__":
    main()

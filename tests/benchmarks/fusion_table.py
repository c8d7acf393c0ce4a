"""Every fusion on real and planted data: figure with its 95 % interval, and time per epoch.

    python tests/benchmarks/fusion_table.py [SET …] [--fusions concat,gated] [--seeds 3]
        [--epochs N] [--folder FOLDER] [--data FOLDER] [--device D] [--json]

The sets: ``avdigits`` (written and spoken digits, other speakers in the test split), ``emoji``
(pictures and keywords; the group), ``xor`` (the label says whether exactly one of the two inputs
shows its property: neither input tells anything alone) and ``noise`` (one input tells the label,
the other is noise). Each is one comparison, as ``mmstudio compare`` makes it. The whole table
takes hours on a CPU: with ``--folder`` it is kept there, and the same command goes on with it.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from real_data import add_data_option

from mmstudio.comparison.contest import compare
from mmstudio.comparison.events import ComparisonFinished, RunFailed, RunScored
from mmstudio.comparison.folder import ComparisonFolder
from mmstudio.comparison.plan import make_plan, sensible_fusions
from mmstudio.comparison.ranking import Ranking, read_ranking
from mmstudio.comparison.report import interval_words
from mmstudio.experiment import Experiment
from mmstudio.units import duration_text

ROWS = 1500
RATE_HZ = 8000
SECONDS = 0.25
SPLITS = ("train", "train", "train", "validation", "test")
NOISE_FLIPS = 0.1
"""Share of the noise set's labels that say the opposite: no model can pass 0.9."""
NAME = "table"

AVDIGITS = """
[data]
table = "metadata.csv"
split = "split_speaker"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.sound]
column = "audio"
modality = "audio"
[targets.digit]
task = "classification"
"""
EMOJI = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[targets.group]
task = "classification"
"""
PLANTED = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
encoder = { name = "cnn", width = 16 }
[inputs.sound]
column = "audio"
modality = "audio"
encoder = { name = "crnn", width = 16, mel_bands = 16 }
[fusion]
name = "concat"
hidden = 64
[targets.label]
task = "classification"
[training]
epochs = 30
"""


def link_real(source: str, toml: str) -> Callable[[Path, Path], None]:
    """Makes a project of links to real data."""

    def make(folder: Path, data: Path) -> None:
        for item in (data / source).iterdir():
            if not (folder / item.name).exists():
                (folder / item.name).symlink_to(item)
        (folder / "experiment.toml").write_text(toml, encoding="utf-8")

    return make


def plant(*, xor: bool) -> Callable[[Path, Path], None]:
    """Makes a project of small pictures and sounds with a known truth."""

    def make(folder: Path, _: Path) -> None:
        if (folder / "experiment.toml").exists():
            return
        chance = np.random.default_rng(11)
        for name in ("images", "sounds"):
            (folder / name).mkdir(exist_ok=True)
        rows = []
        for row in range(ROWS):
            left, high = (bool(b) for b in chance.integers(0, 2, 2))
            # a ceiling below 1: a model that learns the noise by heart is seen to
            label = left != high if xor else left != (chance.random() < NOISE_FLIPS)
            cells = {"file_name": f"images/{row:04d}.png", "audio": f"sounds/{row:04d}.wav",
                     "label": "yes" if label else "no", "split": SPLITS[row % len(SPLITS)]}
            Image.fromarray(picture(left, chance)).save(folder / cells["file_name"])
            sound = tone(high, chance) if xor else 0.2 * chance.normal(size=samples())
            soundfile.write(folder / cells["audio"], sound, RATE_HZ)
            rows.append(cells)
        with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        (folder / "experiment.toml").write_text(PLANTED, encoding="utf-8")

    return make


def picture(left: bool, chance: np.random.Generator) -> np.ndarray:
    """A bright patch in the left or the right half, somewhere."""
    pixels = chance.integers(0, 90, (24, 24))
    top = int(chance.integers(0, 17))
    across = int(chance.integers(0, 5)) + (0 if left else 12)
    pixels[top:top + 7, across:across + 7] += 140
    return pixels.astype(np.uint8)


def samples() -> int:
    """Samples of a sound."""
    return round(SECONDS * RATE_HZ)


def tone(high: bool, chance: np.random.Generator) -> np.ndarray:
    """A high or a low tone in noise."""
    hertz = chance.uniform(1800, 2400) if high else chance.uniform(300, 500)
    time_s = np.arange(samples()) / RATE_HZ
    return 0.4 * np.sin(2 * np.pi * hertz * time_s) + 0.05 * chance.normal(size=samples())


SETS: dict[str, Callable[[Path, Path], None]] = {
    "avdigits": link_real("avdigits", AVDIGITS),
    "emoji": link_real("emoji", EMOJI),
    "xor": plant(xor=True),
    "noise": plant(xor=False),
}
REAL = ("avdigits", "emoji")


def run_set(name: str, folder: Path, options: argparse.Namespace) -> Ranking:
    """One set's comparison, or what is left of it."""
    folder.mkdir(parents=True, exist_ok=True)
    SETS[name](folder, options.data)
    experiment = Experiment.load(folder / "experiment.toml")
    experiment = experiment.replaced("training.device", options.device)
    if options.epochs:
        experiment = experiment.replaced("training.epochs", options.epochs)
    fusions = options.fusions.split(",") if options.fusions else sensible_fusions(experiment)
    plan = make_plan(experiment, NAME, fusions=fusions, seeds=options.seeds)
    files = ComparisonFolder.of(folder, NAME)
    if files.exists:
        plan = files.plan().joined(plan).on_device(options.device)
    began = time.perf_counter()
    for event in compare(plan, folder=folder):
        if isinstance(event, RunScored):
            tell(f"{name}: {event.run}  {plan.figure.text(event.score)}  {event.seconds:.0f} s")
        elif isinstance(event, RunFailed):
            tell(f"{name}: {event.run} failed: {event.message} {event.hint}")
        elif isinstance(event, ComparisonFinished):
            tell(f"{name}: done after {time.perf_counter() - began:.0f} s")
    return read_ranking(files)


def tell(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def show(rankings: dict[str, Ranking]) -> None:
    """One row per method, two columns per set."""
    by_set = {name: {s.contestant.key: s for s in r.standings} for name, r in rankings.items()}
    keys = list(dict.fromkeys(
        c.key for r in rankings.values() for kind in ("fusion", "input")
        for c in sorted((s.contestant for s in r.standings), key=lambda c: c.name)
        if c.kind == kind))
    keys.sort(key=lambda key: not key.startswith("fusion"))
    heads = "".join(f"{name:>26}{'s/epoch':>9}" for name in rankings)
    print(f"{'method':22}{heads}")
    for key in keys:
        cells = ""
        for name, ranking in rankings.items():
            standing = by_set[name].get(key)
            if standing is None:
                cells += f"{'':>35}"
                continue
            figure = ranking.figure.value(standing.score.mean)
            cells += (f"{figure:>9.1f} [{interval_words(ranking, standing):>14}]"
                      f"{standing.seconds_per_epoch:>9.2f}")
        kind, _, method = key.partition(":")
        print(f"{method if kind == 'fusion' else f'{method} alone':22}{cells}")
    for name, ranking in rankings.items():
        whole = sum(s.seconds * s.runs for s in ranking.standings)
        print(f"\n{name}: {ranking.rows} {ranking.split} rows, {ranking.done} of "
              f"{ranking.total} trainings, {duration_text(whole)} of training")
        if ranking.verdict is not None:
            print(f"  {ranking.verdict.sentence}")
        for line in below_single(ranking):
            print(f"  {line}")


def below_single(ranking: Ranking) -> list[str]:
    """Fusions whose interval lies wholly below the best single input's figure."""
    single = max((s for s in ranking.standings if s.contestant.kind == "input"),
                 key=lambda s: s.validation, default=None)
    if single is None:
        return []
    return [f"{s.contestant.title} lies below {single.contestant.title}"
            for s in ranking.standings
            if s.contestant.kind == "fusion" and s.score.high < single.score.mean]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}")
    parser.add_argument("--fusions", default="", help="by name, with commas; all that suit")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0, help="fewer, for a first look")
    parser.add_argument("--folder", type=Path, help="kept, and gone on with")
    add_data_option(parser)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="print the rankings as JSON")
    options = parser.parse_args()
    unknown = set(options.sets) - set(SETS)
    if unknown:
        parser.error(f"no set is named {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="fusion-table-") as place:
        folder = options.folder or Path(place)
        rankings: dict[str, Ranking] = {}
        for name in options.sets or SETS:
            if name in REAL and not (options.data / name).is_dir():
                tell(f"{name}: skipped, {options.data / name} is not there")
                continue
            rankings[name] = run_set(name, folder / name, options)
    if options.json:
        told: dict[str, Any] = {name: r.to_json() for name, r in rankings.items()}
        print(json.dumps(told, ensure_ascii=False))
    else:
        show(rankings)


if __name__ == "__main__":
    main()

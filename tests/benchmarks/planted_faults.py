"""Plant faults in a copy of real data, and count how many of them the check finds.

    python -m tests.benchmarks.planted_faults FOLDER

FOLDER holds ``metadata.csv`` with the columns ``file_name``, ``audio``, ``text``, ``split`` and a
label, as ``shared/data/avdigits`` does. The copy is made in a temporary folder; the check runs on
the clean copy first, for its false alarms.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from mmstudio.data.checks import Report, check
from mmstudio.experiment import Experiment

DUPLICATES, GROUPS, SPELLINGS, SILENT, NAMES = 20, 10, 5, 10, 10
GROUP_ROWS = 6
WORDS = dict(zip("0123456789", "zero one two three four five six seven eight nine".split(),
                 strict=True))

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """What came of it: per kind how many were planted and found, and the false alarms.

    Attributes:
        planted: Per kind ``(found, planted)``.
        clean_rows: Rows of the clean copy.
        alarmed: Rows of the clean copy that some problem is about.
        others: Rows of the faulty copy that are reported and hold no planted fault.
    """

    planted: dict[str, tuple[int, int]]
    clean_rows: int
    alarmed: int
    others: int


def measure(source: Path, folder: Path, *, label: str = "digit") -> Outcome:
    """Copy the data twice, plant faults in one copy, check both."""
    clean, faulty = folder / "clean", folder / "faulty"
    for copy in (clean, faulty):
        shutil.copytree(source, copy)
    rows = _with_words(_read(clean), label)
    _write(clean, rows)
    _write(faulty, rows)
    first = _report(clean, rows, label)
    alarmed = {row for p in first.problems for row in (p.rows or (p.row,))}
    planted = plant(faulty, _read(faulty), label)
    report = _report(faulty, _read(faulty), label)
    told: dict[str, set[int]] = {}
    for problem in report.problems:
        told.setdefault(problem.kind, set()).update(problem.rows or (problem.row,))
    found = {
        kind: (sum(bool(fault & told.get(kind, set())) for fault in faults), len(faults))
        for kind, faults in planted.items()}
    at_fault = {row for faults in planted.values() for fault in faults for row in fault}
    others = {row for told_rows in told.values() for row in told_rows} - at_fault
    return Outcome(found, len(rows), len(alarmed), len(others))


def plant(folder: Path, rows: Rows, label: str) -> dict[str, list[set[int]]]:
    """Plant the faults and write the table. Per kind the faults, each the rows it is in."""
    chance = np.random.default_rng(0)
    free = chance.permutation(len(rows)).tolist()

    def take(fits: Callable[[dict[str, str]], bool] = lambda _: True) -> int:
        for place, row in enumerate(free):
            if fits(rows[row]):
                return free.pop(place)
        raise ValueError("not enough rows to plant faults in")

    def of(split: str) -> Callable[[dict[str, str]], bool]:
        return lambda cells: cells["split"] == split and all(
            cells[c] for c in ("file_name", "audio"))

    duplicates = []
    for i in range(DUPLICATES):
        one, other = take(of("train")), take(of(("validation", "test")[i % 2]))
        (_copy_picture if i % 4 < 2 else _copy_sound)(folder, rows[one], rows[other], i)
        duplicates.append({one, other})
    silent = [{take(of("train"))} for _ in range(SILENT)]
    for row, in silent:
        _silence(folder / rows[row]["audio"], row)
    spellings = []
    for i in range(SPELLINGS):
        row = take(lambda cells, i=i: cells[label] == list(WORDS.values())[i])
        rows[row][label] = (str.upper, str.title, lambda t: f"{t[:2]} {t[2:]}")[i % 3](
            rows[row][label])
        spellings.append({row})
    names = []
    for i in range(NAMES):
        row = take(of("train"))
        before = rows[row]["file_name"]
        after = Path(before).with_name(f"{rows[row][label]}_{i:05d}{Path(before).suffix}")
        (folder / before).rename(folder / after)
        rows[row]["file_name"] = after.as_posix()
        names.append({row})
    straddling = _straddle(rows, chance)
    _write(folder, rows)
    return {"duplicate": duplicates, "straddling_group": straddling, "similar_label": spellings,
            "silent": silent, "name_holds_label": names}


def _straddle(rows: Rows, chance: np.random.Generator) -> list[set[int]]:
    """Have one row of some groups in another split than the rest."""
    groups: dict[str, list[int]] = {}
    for row, cells in enumerate(rows):
        groups.setdefault(cells["family"], []).append(row)
    # moved between validation and test: that leaves duplicates in their two splits
    able = sorted(g for g, members in groups.items()
                  if len(members) == GROUP_ROWS and rows[members[0]]["split"] == "test")
    faults = []
    for group in chance.choice(able, GROUPS, replace=False):
        rows[groups[group][0]]["split"] = "validation"
        faults.append(set(groups[group]))
    return faults


def _with_words(rows: Rows, label: str) -> Rows:
    """Labels as words, which have cases, and a column ``family`` that keeps to the splits."""
    counts: dict[str, int] = {}
    for cells in rows:
        cells[label] = WORDS.get(cells[label], cells[label])
        number = counts[cells["split"]] = counts.get(cells["split"], 0) + 1
        cells["family"] = f"{cells['split'][:2]}{(number - 1) // GROUP_ROWS:04d}"
    return rows


def _copy_picture(folder: Path, cells: dict[str, str], onto: dict[str, str], i: int) -> None:
    """Exactly, or saved anew as JPEG."""
    target = Path(onto["file_name"])
    if i % 2:
        target = target.with_name(f"c{target.stem}.jpg")
        with Image.open(folder / cells["file_name"]) as picture:
            picture.convert("RGB").save(folder / target, quality=75)
        onto["file_name"] = target.as_posix()
    else:
        shutil.copyfile(folder / cells["file_name"], folder / target)


def _copy_sound(folder: Path, cells: dict[str, str], onto: dict[str, str], i: int) -> None:
    """Exactly, or at another level."""
    samples, rate_hz = soundfile.read(folder / cells["audio"])
    soundfile.write(folder / onto["audio"], samples * (0.4 if i % 2 else 1.0), rate_hz)


def _silence(path: Path, row: int) -> None:
    """Nothing, or next to nothing."""
    info = soundfile.info(path)
    noise = np.random.default_rng(row).normal(size=info.frames) * 1e-5 * (row % 2)
    soundfile.write(path, noise, info.samplerate)


def _report(folder: Path, rows: Rows, label: str) -> Report:
    inputs = {"image": "file_name", "audio": "audio", "text": "text"}
    experiment = Experiment.from_dict({
        "data": {"table": "metadata.csv", "split": "split", "group": "family"},
        "inputs": {m: {"column": c, "modality": m} for m, c in inputs.items() if c in rows[0]},
        "targets": {label: {}},
    })
    *_, report = check(experiment, folder)
    if not isinstance(report, Report):
        raise TypeError("the check ended without a report")
    return report


def _read(folder: Path) -> Rows:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(folder: Path, rows: Rows) -> None:
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", default="digit")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = measure(arguments.folder, Path(folder), label=arguments.label)
    for kind, (found, planted) in outcome.planted.items():
        print(f"{kind:18} {found:3d} of {planted} found")
    rate = outcome.alarmed / outcome.clean_rows
    print(f"clean copy: {outcome.alarmed} of {outcome.clean_rows} rows reported, {rate:.2%}")
    print(f"faulty copy: {outcome.others} rows reported without a planted fault")


if __name__ == "__main__":
    main()

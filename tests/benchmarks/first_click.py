"""The first click: what the default settings reach on data that nobody tuned to, beside sklearn.

    python tests/benchmarks/first_click.py [NAME …] [--seeds 0 1 2] [--split validation]
                                           [--data FOLDER] [--sets FOLDER] [--set KEY=VALUE]
                                           [--baselines-only] [--json]

It is promised that on each set the first training, with default settings, is at or above the best
that scikit-learn reaches with models tuned on the same rows, within half a standard error; on two
thirds of them a point above; never more than a point below the best of its own inputs; and done
within 300 seconds. Where that falls short the program ends with 1.

The sets are those in FOLDER (``esc10``, ``icons``, ``emoji``, ``avdigits``; by default
``shared/data`` beside the checkout, or MMSTUDIO_TEST_DATA) and those of ``first_click_sets``,
which are made once and kept. Each is trained as a new user would: ``mmstudio new``, then
``mmstudio train``; where what ``new`` proposes is not what the set is for, an experiment file with
nothing but data, inputs and targets stands in, and the table says so. Decoded data of earlier
trainings is not used.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs
from first_click_report import Measured, Row, judgement, table
from first_click_sets.case import TABLE, Case
from first_click_sets.made import MADE, made_case
from first_click_sets.real import real_cases
from real_data import add_data_option

from mmstudio.experiment import Experiment
from mmstudio.training.choose import usual_encoder

METRICS = {"classification": "accuracy", "multilabel": "macro_average_precision",
           "regression": "r2"}


def main() -> None:
    """The command line."""
    options = _options()
    rows: list[Row] = []
    for case in chosen_cases(options.names, options.data, options.sets):
        rows += measured_case(case, options)
    if not rows:
        sys.exit("None of these sets is there.")
    promises, kept = judgement(rows)
    if options.json:
        print(json.dumps({"kept": kept, "rows": [
            asdict(row) | {"figure": row.figure, "single": row.single, "verdict": row.verdict}
            for row in rows]}, indent=1))
    else:
        print(table(rows))
    if not options.baselines_only:
        print(f"\n{promises}", file=sys.stderr if options.json else sys.stdout)
        sys.exit(0 if kept else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--split", choices=("validation", "test"), default="test",
                        help="whose rows the figures are of")
    set_options(parser)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
                        help="passed on to each training; may be repeated")
    parser.add_argument("--baselines-only", action="store_true", help="train nothing of the app")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def set_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the sets are."""
    add_data_option(parser)
    parser.add_argument("--sets", type=Path, help="where the made sets and baselines are kept",
                        default=platformdirs.user_cache_path("mmstudio-first-click", False))


def chosen_cases(names: Sequence[str], data: Path, sets: Path) -> Iterator[Case]:
    """The sets of those names, all by default; a made one is made when its turn comes."""
    real = {case.name: case for case in real_cases(data.resolve())}
    for name in names or [*real, *MADE]:
        if name in real:
            yield real[name]
        elif name in MADE:
            yield made_case(name, sets.resolve())
        else:
            _say(f"{name}: skipped, it is not in {data} and no script makes it")


def measured_case(case: Case, options: argparse.Namespace) -> list[Row]:
    """Its rows, one per target; a set on which the app fails has rows without figures."""
    from first_click_baselines import baselines

    found = baselines(case, options.sets)
    measured: dict[str, list[Measured]] = {target: [] for target in case.targets}
    note = ""
    for seed in () if options.baselines_only else options.seeds:
        try:
            of_seed, note = trained(case, seed, options.split, options.changes)
        except subprocess.CalledProcessError as error:
            measured, note = {target: [] for target in case.targets}, "FAILED"
            _say(f"{case.name}, seed {seed}: {' '.join(error.cmd[3:5])} failed\n{error.stderr}")
            break
        for target, one in of_seed.items():
            measured[target].append(one)
            _say(f"{case.name} {target}, seed {seed}: {one.figure:.3f} in {one.seconds:.0f} s")
    rows = [Row(case.name, target, METRICS[task], found[target].best(options.split),
                found[target].chosen, found[target].errors[options.split], measured[target],
                case.promised.get(target), note)
            for target, task in case.targets.items()]
    for row in rows if options.baselines_only else ():
        _say(f"{row.name} {row.target}: scikit-learn {row.baseline:.3f}, {row.chosen}")
    return rows


def trained(
    case: Case, seed: int, split: str, changes: Sequence[str]
) -> tuple[dict[str, Measured], str]:
    """Train and evaluate once, in a folder that is then deleted.

    Args:
        case: The set.
        seed: Of the training.
        split: Whose rows the figures are of.
        changes: ``KEY=VALUE`` for ``--set``; one with ``{input}`` is repeated for each input, and
            ``{usual}`` is the name of its modality's network from scratch.

    Returns:
        Per target what came of it, and a note where the experiment was written by hand.

    Raises:
        subprocess.CalledProcessError: A command failed; its ``stderr`` says why.
    """
    with tempfile.TemporaryDirectory(prefix="first-click-") as name:
        place = Path(name)
        experiment, note = _experiment(case, place)
        inputs = Experiment.load(experiment).inputs
        sets = [f"--set={change.format(input=name, usual=usual_encoder(settings).name)}"
                for change in [f"training.seed={seed}", *changes]
                for name, settings in ([*inputs.items()] if "{input}" in change
                                       else [*inputs.items()][:1])]
        began = time.perf_counter()
        command_line(place, "train", str(experiment), "--run", "run", *sets)
        seconds = time.perf_counter() - began
        run = experiment.parent / "runs" / "run"
        said = command_line(place, "evaluate", str(run), "--split", split, "--inputs")[-1]
    return {target: _looked_at(said, target, METRICS[task], seconds)
            for target, task in case.targets.items()}, note


def _experiment(case: Case, place: Path) -> tuple[Path, str]:
    """The experiment file that ``new`` writes, or one by hand where that is for something else."""
    source = str(case.folder / TABLE)
    said = command_line(place, "new", str(place / "new"), "--data", source)[-1]
    columns = {role: {c["name"]: c for c in said["columns"] if c["role"] == role}
               for role in ("input", "target", "split")}
    proposed = ({name: c["modality"] for name, c in columns["input"].items()},
                {name: c["task"] for name, c in columns["target"].items()}, [*columns["split"]])
    if proposed == (dict(case.inputs), dict(case.targets), [case.split]):
        return Path(said["experiment"]), ""
    (place / "by_hand").mkdir()
    experiment = place / "by_hand" / "experiment.toml"
    experiment.write_text(case.experiment(), encoding="utf-8")
    return experiment, "by hand"


def command_line(place: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run ``mmstudio … --json`` with a cache of its own in ``place``; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "mmstudio", *arguments, "--json"], capture_output=True, text=True,
        check=True, env=os.environ | {"MMSTUDIO_CACHE": str(place / "cache")})
    return [json.loads(line) for line in done.stdout.splitlines()]


def _looked_at(said: dict[str, Any], target: str, metric: str, seconds: float) -> Measured:
    """One target's figures in what ``evaluate --inputs`` printed.

    An input that some rows lack is not compared: its figure alone is of other rows.
    """
    figure = said["tasks"][target][metric]
    whole, *others = said["subsets"]
    singles = [one["tasks"][target][metric] for one in others
               if len(one["inputs"]) == 1 and one["samples"] == whole["samples"]]
    if not singles:
        return Measured(figure, None, None, seconds)
    return Measured(figure, max(singles), whole["tasks"][target][metric], seconds)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

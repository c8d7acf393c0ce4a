"""What each choice of the first click is worth, on several sets and seeds, by the validation.

    python tests/benchmarks/ablation.py [CHOICE …] [--on NAME …] [--seeds 0 1 2]
                                        [--data FOLDER] [--sets FOLDER] [--set KEY=VALUE]

Each choice is switched off, or set to what it was before, and the same trainings run again. The
table says per set how many points of the validation's figures (accuracy, macro average precision
or R², the mean over targets and seeds) are lost without it, and how sure that is. A choice that
pays on one set alone does not belong in the defaults. The sets are those of ``first_click.py``;
the test split is not looked at.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from first_click import chosen_cases, set_options, trained
from first_click_sets.case import Case

WITHOUT: Mapping[str, Sequence[str]] = {
    "combination": ["training.combine=false"],
    "automatic encoders": ["inputs.{input}.encoder.name={usual}"],
    "varied samples": ["training.augment=false"],
    "small batches": ["training.batch_size=64"],
    "averaged weights": ["training.averaging=0"],
    "inputs' own heads": ["training.input_loss=0"],
    "hidden inputs": ["training.modality_dropout=0"],
}
"""Per choice what takes it away."""
SETS = ("esc10", "tones", "rhythms", "languages", "misleading", "photographs")


@dataclass(frozen=True)
class Figures:
    """What trainings reached: per seed the mean over a set's targets, and the seconds of one."""

    of_seeds: Sequence[float]
    seconds: float


def main() -> None:
    """The command line."""
    options = _options()
    cases = list(chosen_cases(options.on, options.data, options.sets))
    if not cases:
        sys.exit("None of these sets is there.")
    usual = {case.name: measured(case, options.seeds, options.set) for case in cases}
    _say_row("choice", [*usual, "all sets", "pays on"])
    _say_row("as it is", [f"{statistics.mean(f.of_seeds):.3f}" for f in usual.values()])
    for choice in options.choices or WITHOUT:
        without = {case.name: measured(case, options.seeds, [*options.set, *WITHOUT[choice]])
                   for case in cases}
        _say_row(choice, told(usual, without))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("choices", nargs="*", metavar="CHOICE",
                        help=f"all by default: {', '.join(WITHOUT)}")
    parser.add_argument("--on", nargs="+", metavar="NAME", default=SETS, help="sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    set_options(parser)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="passed on to each training; may be repeated")
    options = parser.parse_args()
    if unknown := set(options.choices) - set(WITHOUT):
        parser.error(f"no such choice: {', '.join(sorted(unknown))}")
    return options


def measured(case: Case, seeds: Sequence[int], changes: Sequence[str]) -> Figures:
    """A set's figures with some changes of the settings."""
    means, longest = [], 0.0
    for seed in seeds:
        found, _ = trained(case, seed, "validation", changes)
        means.append(statistics.mean(one.figure for one in found.values()))
        longest = max(longest, *(one.seconds for one in found.values()))
        print(f"{case.name}, seed {seed} {' '.join(changes)}: {means[-1]:.3f} in "
              f"{longest:.0f} s", file=sys.stderr, flush=True)
    return Figures(means, longest)


def told(usual: Mapping[str, Figures], without: Mapping[str, Figures]) -> list[str]:
    """Per set the points that are lost without a choice; then the mean, and on how many it pays."""
    cells, means, pays = [], [], 0
    for name, figures in usual.items():
        lost = 100 * (np.array(figures.of_seeds) - np.array(without[name].of_seeds))
        error = float(lost.std(ddof=1) / np.sqrt(len(lost))) if len(lost) > 1 else 0.0
        means.append(float(lost.mean()))
        pays += means[-1] > error
        cells.append(f"{means[-1]:+.1f} ± {error:.1f}")
    return [*cells, f"{statistics.mean(means):+.2f}", f"{pays} of {len(means)}"]


def _say_row(first: str, cells: Sequence[str]) -> None:
    print(" | ".join(["", f"{first:20}", *(f"{cell:>12}" for cell in cells), ""]).strip(),
          flush=True)


if __name__ == "__main__":
    main()

"""What choosing the rows to label is worth: test accuracy with 100 chosen and 100 random labels.

    python tests/benchmarks/choose_to_label.py [--data FOLDER] [--seeds 0 1 2] [--first 50]
                                               [--inputs image words sound] [--count 100]
                                               [--round 100]

FOLDER holds ``avdigits``; by default ``shared/data`` beside the checkout, or MMSTUDIO_TEST_DATA. No
network is trained: inputs are described by plain features, made without labels, and a linear head
stands on them. From some labelled training rows on, rows are labelled round by round, chosen or by
chance, and the head is fitted anew after each.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from real_data import DIGITS, add_data_option

from mmstudio.advice.features import cheap_features
from mmstudio.advice.linear import logistic
from mmstudio.advice.probe import block_of
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.evaluation.choose_to_label import chosen, uncertainties
from mmstudio.evaluation.held_out import level, softmax
from mmstudio.experiment import Experiment

STRENGTH = 0.003


def described(data: Path, inputs: list[str]) -> tuple[Dataset, np.ndarray]:
    """The rows and their features ``(N, D)``."""
    experiment = Experiment.parse(DIGITS)
    *_, dataset = prepare(experiment, data)
    assert isinstance(dataset, Dataset)
    parts = []
    for name in inputs:
        settings = experiment.inputs[name]
        arrays = [dataset.decoded[name].row(r) for r in range(len(dataset.table))]
        values = dataset.values[name]
        assert all(a is not None for a in arrays) and all(v is not None for v in values)
        features = cheap_features(settings.modality, arrays, values,  # type: ignore[arg-type]
                                  dataset.schema.inputs[name])
        parts.append(level(block_of(features, np.ones(len(arrays), dtype=bool), 3).linear))
    return dataset, level(np.hstack(parts))


def answered(x: np.ndarray, labels: np.ndarray, learnt: np.ndarray, asked: np.ndarray
             ) -> np.ndarray:
    """Probabilities of the asked rows by a head on the learnt ones."""
    wide = np.hstack([x, np.ones((len(x), 1), np.float32)])
    truth = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels[learnt]]
    weights = np.zeros((wide.shape[1], truth.shape[1]), np.float32)
    for strength in (0.03, STRENGTH):
        weights = logistic(wide[learnt], truth, np.ones(len(learnt)), strength, weights)
    return softmax(wide[asked] @ weights)


def labelled_by(
    x: np.ndarray, labels: np.ndarray, train: np.ndarray, first: np.ndarray, count: int, step: int,
    chance: np.random.Generator | None,
) -> np.ndarray:
    """The labelled rows after some rounds: by chance, or chosen where there is none."""
    learnt = first
    for _ in range(0, count, step):
        left = np.setdiff1d(train, learnt)
        if chance is not None:
            new = chance.choice(left, step, replace=False)
        else:
            unsure = uncertainties(answered(x, labels, learnt, left), labels)
            new = left[chosen(x[left], unsure, step)]
        learnt = np.concatenate([learnt, new])
    return learnt


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--inputs", nargs="+", default=["image", "words", "sound"])
    parser.add_argument("--first", type=int, default=50)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--round", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("MMSTUDIO_CACHE", folder)
        dataset, x = described(given.data / "avdigits", given.inputs)
    labels = dataset.labels["digit"].values
    train, test = dataset.rows("train"), dataset.rows("test")
    print(f"{len(train)} training rows, {len(test)} test rows, inputs {', '.join(given.inputs)}")
    gains = []
    for seed in given.seeds:
        chance = np.random.default_rng(seed)
        first = chance.choice(train, given.first, replace=False)
        figures = {}
        for name, rows in (
            ("start", first),
            ("random", labelled_by(x, labels, train, first, given.count, given.round, chance)),
            ("chosen", labelled_by(x, labels, train, first, given.count, given.round, None)),
            ("all", train),
        ):
            right = answered(x, labels, rows, test).argmax(axis=1) == labels[test]
            figures[name] = float(right.mean())
        gains.append(figures["chosen"] - figures["random"])
        print(f"seed {seed}: {given.first} labels {figures['start']:.3f}; {given.count} more "
              f"random {figures['random']:.3f}, chosen {figures['chosen']:.3f}; all "
              f"{figures['all']:.3f}", flush=True)
    print(f"chosen beats random by {np.mean(gains):+.3f}")


if __name__ == "__main__":
    main()

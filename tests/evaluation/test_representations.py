"""What a model makes of its rows is worked out once and kept with the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmstudio.data.prepare import Progress
from mmstudio.evaluation.representations import SHARED, load_representations, represented
from mmstudio.evaluation.scores import Scores, scores_of
from tests.small_project import train_small


def answered(steps: object) -> tuple[dict[str, np.ndarray], list[Progress]]:
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return end.value, told


def test_they_are_kept_until_the_weights_change(copied: Path) -> None:
    scores = list(scores_of(copied))[-1]
    assert isinstance(scores, Scores) and load_representations(scores) is None
    found, told = answered(represented(scores))
    assert told and told[-1].done == len(scores)
    assert set(found) == {SHARED, "image", "words", "sound"}
    assert all(len(values) == len(scores) for values in found.values())
    # an absent picture is the same absent token in all rows that lack it
    absent = found["image"][~scores.present[:, 0]]
    assert np.ptp(absent, axis=0).max(initial=0) < 1e-4
    again, told = answered(represented(scores))
    assert not told
    for name, values in found.items():
        np.testing.assert_array_equal(again[name], values)
    train_small(copied.parent.parent, {"training.epochs": 9}, resume=True)
    assert load_representations(scores) is None


def test_a_torn_file_is_as_good_as_none(copied: Path) -> None:
    scores = list(scores_of(copied))[-1]
    answered(represented(scores))
    kept = next(copied.rglob("test-map.safetensors"))
    kept.write_bytes(kept.read_bytes()[:100])
    assert load_representations(scores) is None

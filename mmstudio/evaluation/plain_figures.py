"""An evaluation's plain figures as they are kept beside the scores, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mmstudio.inference.evaluation import Evaluation
from mmstudio.shapes import fitted_to
from mmstudio.training.events import without_nan
from mmstudio.training.input_figures import InputScores
from mmstudio.training.retrieval import Retrieval

_MEANS = {"mean": float, "mean_absolute": float, "samples": int}
_RECALL = {"**": float}
_SHAPE = {
    "split": str, "samples": int, "loss": float, "tasks": {"**": {"**": float}},
    "main_figures": {"**": str}, "unseen": {"**": int}, "counted_wrong": [str],
    "source": str,
    "trained_on": int, "changed": [str],
    "retrieval": [{"source": str, "target": str, "rows": int, "candidates": int,
                   "recall": _RECALL, "chance": _RECALL}],
}
_INPUTS = {
    "samples": int,
    "subsets": [{"inputs": [str], "samples": int, "loss": float,
                 "tasks": {"**": {"**": float}}}],
    "contributions": {"**": {"**": _MEANS}},
    "interactions": {"**": [_MEANS | {"inputs": [str]}]},
}
_LISTS = ("changed", "counted_wrong")
NOT_A_NUMBER = float("nan")


def to_plain(evaluation: Evaluation) -> dict[str, Any]:
    """As plain data; null where a figure is not a number."""
    data: dict[str, Any] = without_nan(dataclasses.asdict(evaluation))
    return data | {part: list(getattr(evaluation, part)) for part in _LISTS}


def from_plain(told: Mapping[str, Any]) -> Evaluation:
    """Back from what ``to_plain`` gave. Raises ValueError, KeyError or TypeError."""
    data = fitted_to(dict(told), _SHAPE)
    found = data["inputs"]
    data |= {"loss": _with_nan(data["loss"]), "tasks": _with_nan(data["tasks"])}
    data["inputs"] = (
        None if found is None else InputScores(**_with_nan(fitted_to(found, _INPUTS))))
    data["retrieval"] = [Retrieval(**one | {
        part: {int(k): v for k, v in one[part].items()} for part in ("recall", "chance")})
        for one in data["retrieval"]]
    return Evaluation(**data | {part: tuple(data[part]) for part in _LISTS})


def _with_nan(value: Any) -> Any:
    """Nulls among figures are what is not a number."""
    if isinstance(value, dict):
        return {k: _with_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_nan(v) for v in value]
    return NOT_A_NUMBER if value is None else value

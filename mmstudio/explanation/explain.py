"""Why a model answers as it does for one sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mmstudio.errors import UserError, nearest
from mmstudio.explanation.asked import Asked, never
from mmstudio.explanation.change import Turn, turn_by_inputs, turn_by_pieces
from mmstudio.explanation.gradients import Score, grad_cam, integrated_gradients
from mmstudio.explanation.together import AskedTogether
from mmstudio.inference.ensemble import Ensemble
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities.pieces import Shown
from mmstudio.tasks.base import Answer
from mmstudio.threads import fitting_threads

MOST_UNSEEN = 0.1
"""Of an answer that gradients don't see, such as that of kernel machines; where it is more, the
model is asked about the sample with pieces of it hidden instead, which sees everything."""
MOST_UNSEEN_DEAR = 0.5
"""The same, where asking so often would take seconds; the map then says how much it misses."""
METHODS = {"grad_cam": "Grad-CAM", "integrated_gradients": "integrated gradients",
           "occlusion": "pieces hidden in turn"}

Method = Literal["auto", "gradients", "occlusion"]


@dataclass(frozen=True)
class InputMap:
    """What of one input counted.

    Attributes:
        input: Its name.
        method: How it was found: a key of ``METHODS``.
        unit: Of the weights: ``log-odds``, a number's unit, or "" for shares without one.
        shown: The map over the sample.
        weights: Per piece of the input what it adds to the answer.
        unseen: How much of the answer rests on what this method does not see, 0 to 1.
    """

    input: str
    method: str
    unit: str
    shown: Shown
    weights: np.ndarray
    unseen: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        data = {"method": self.method, "unit": self.unit, "unseen": self.unseen}
        return data | self.shown.to_json()


@dataclass(frozen=True)
class Explanation:
    """Why a task's answer is as it is.

    Attributes:
        task: Its name.
        label: The label that is explained; None for a number.
        answer: The answer.
        inputs: Per input that is there and whose places can be told, what of it counted.
        turns: What turns the answer when it is gone, the whole inputs first; empty where nothing
            was found. Only of the label that is answered.
        tried: Whether that was looked for.
        seconds: How long it took.
    """

    task: str
    label: str | None
    answer: Answer
    inputs: dict[str, InputMap]
    turns: tuple[Turn, ...] = ()
    tried: bool = False
    seconds: float = field(default=0.0, compare=False)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        data: dict[str, Any] = {
            "task": self.task, "label": self.label, "answer": self.answer.to_json(),
            "inputs": {name: one.to_json() for name, one in self.inputs.items()}}
        return data | ({"turned_by": [turn.to_json() for turn in self.turns]}
                       if self.tried else {})


def explain(
    predictor: Predictor, inputs: Mapping[str, Any], task: str | None = None,
    label: str | None = None, *, use: Collection[str] | None = None, method: Method = "auto",
    change: bool = True,
) -> Explanation:
    """Explain one task's answer for one sample.

    Args:
        predictor: The model.
        inputs: As ``Predictor.predict`` takes them.
        task: Whose answer; None for the first.
        label: Which label is explained; None for the one that is answered.
        use: The inputs that may count; None means all.
        method: ``auto`` takes gradients where they see the answer; else, and of an ensemble,
            pieces of the sample are hidden in turn.
        change: Look for what would have to change, too.

    Raises:
        UserError: An unknown input, task or label, a file that can't be read, or no input.
    """
    steps = explaining(predictor, inputs, task, label, use=use, method=method, change=change)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Explanation = end.value
            return found


def explaining(
    predictor: Predictor, inputs: Mapping[str, Any], task: str | None = None,
    label: str | None = None, *, use: Collection[str] | None = None, method: Method = "auto",
    change: bool = True, should_stop: Callable[[], bool] = never,
) -> Generator[Explanation, None, Explanation]:
    """As ``explain``, step by step: what is known so far after every input.

    Where ``should_stop`` says so in between, it ends with a UserError.
    """
    began = time.perf_counter()
    with fitting_threads():
        asked = (AskedTogether(predictor, inputs, use, should_stop)
                 if isinstance(predictor, Ensemble)
                 else Asked(predictor, inputs, use, should_stop))
    task = _task_of(predictor, task)
    head = asked.model.tasks[task]
    answer = asked.answers(task, asked.outputs[task])[0]
    label, at = _label_of(task, head.labels, label, answer)
    unit = answer.unit if answer.value is not None else "log-odds"
    maps: dict[str, InputMap] = {}

    def so_far(turns: tuple[Turn, ...] = (), tried: bool = False) -> Explanation:
        return Explanation(task, label, answer, dict(maps), turns, tried,
                           time.perf_counter() - began)

    for name in asked.present:
        with fitting_threads():
            found = map_of(asked, name, task, lambda outputs: head.spoken(outputs, at), unit,
                           method)
        if found is not None:
            maps[name] = found
        yield so_far()
    answered = label is None or label == answer.label or label in (answer.labels or ())
    if not change or not answered:
        return so_far()
    turns: list[Turn | None] = []
    with fitting_threads():
        turns.append(turn_by_inputs(asked, task))
    for name, one in maps.items():
        yield so_far()
        with fitting_threads():
            turns.append(turn_by_pieces(asked, task, name, one.weights))
    return so_far(tuple(turn for turn in turns if turn is not None), tried=True)


def map_of(
    asked: Asked, name: str, task: str, score: Score, unit: str, method: Method = "auto"
) -> InputMap | None:
    """What of one input counted for a score; None where the input has no places.

    Args:
        asked: The sample.
        name: The input.
        task: The task whose outputs ``score`` takes.
        score: How much outputs speak for what is explained.
        unit: Of the score.
        method: As ``explain`` takes it.
    """
    pieces = asked.pieces(name)
    if pieces is None:
        return None
    unseen = asked.unseen_share(task, name)
    layout = None if method == "occlusion" else asked.layout(name)
    if layout is not None and method == "auto" and (
            unseen > (MOST_UNSEEN_DEAR if layout.dear else MOST_UNSEEN)):
        layout = None
    if layout is None:
        weights = occlusion(asked, name, task, score)
        return InputMap(name, "occlusion", unit, pieces.shown(weights, whole=True), weights)
    if layout.method == "grad_cam":
        fine, unit = grad_cam(asked, name, layout, task, score), ""
    else:
        fine, _ = integrated_gradients(asked, name, layout, task, score)
    return InputMap(name, layout.method, unit, pieces.shown(fine, whole=False),
                    pieces.gathered(fine), unseen)


def occlusion(asked: Asked, name: str, task: str, score: Score) -> np.ndarray:
    """How much the score falls when each piece of an input is hidden alone: ``shape``.

    Zeiler and Fergus 2014, on the answer as it is given.
    """
    pieces = asked.pieces(name)
    if pieces is None:
        raise ValueError(f"{name} has no pieces")
    count = int(np.prod(pieces.shape))
    # nothing hidden is asked along: what stands beside a row in a batch changes its last digits
    gone = np.eye(count + 1, count, dtype=bool).reshape(count + 1, *pieces.shape)
    scores = score(asked.without(name, gone)[task]).double().cpu().numpy()
    found: np.ndarray = (scores[-1] - scores[:-1]).reshape(pieces.shape)
    return found


def _task_of(predictor: Predictor, task: str | None) -> str:
    if task is None:
        return next(iter(predictor.tasks))
    if task not in predictor.tasks:
        raise UserError(f"The model has no target '{task}'.", nearest(task, predictor.tasks))
    return task


def _label_of(
    task: str, labels: list[str], label: str | None, answer: Answer
) -> tuple[str | None, int]:
    """The label that is explained, and its place among the outputs."""
    if not labels:
        if label is not None:
            raise UserError(f"'{task}' is a number: it has no label '{label}'.",
                            "Leave the label out.")
        return None, 0
    if label is None:
        label = answer.label or next(iter(answer.labels or answer.scores))
    if label not in labels:
        raise UserError(f"'{label}' is not a label of '{task}'.", nearest(label, labels))
    return label, labels.index(label)

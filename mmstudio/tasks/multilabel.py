"""Any number of labels per sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import Fused
from mmstudio.registry import Help, Range
from mmstudio.tasks.base import TASKS, Answer, Task, log_mean
from mmstudio.tasks.kinds import LABEL_SET
from mmstudio.tasks.kinds.label_set import SEPARATOR

LARGEST_WEIGHT = 100.0
LEAST_SHARE = 1e-4
"""Of a label, where nothing is known of a sample."""


@TASKS.register(
    "multilabel", title="Several labels", summary="Says of each label whether it applies.",
    source="binary cross entropy",
)
class Multilabel(Task):
    """A linear head and binary cross entropy, one output per label.

    A cell holds the labels with the separator between them. One that holds only the separator
    says that no label applies; an empty cell says that the labels are unknown.
    """

    kind = LABEL_SET
    main_metric = "macro_average_precision"
    row_figure = "samples_f1"

    def __init__(
        self,
        width: int,
        spec: dict[str, Any],
        *,
        separator: Annotated[
            str, Help("what stands between the labels of a cell; alone, it means no label")
        ] = SEPARATOR,
        threshold: Annotated[
            float, Range(0.01, 0.99, "least probability of a label that is answered")
        ] = 0.5,
        class_weights: Annotated[
            bool, Help("let a label's rare samples count as much as those without it")
        ] = False,
    ) -> None:
        super().__init__(width, spec)
        self.classes: list[str] = spec["classes"]
        self.threshold = threshold
        self._shares = (np.array(spec["counts"]) / max(1, spec["rows"])
                        if "counts" in spec and "rows" in spec else None)
        self._weights = positive_weights(spec["counts"], spec["rows"]) if class_weights else None
        self.linear = nn.Linear(width, len(self.classes))

    def forward(self, fused: Fused) -> torch.Tensor:
        """``(B, K, D)`` to logits ``(B, C)``: the weighted sum over the views.

        With an arithmetic mean, the logit of the weighted sum of their probabilities.
        """
        logits: torch.Tensor = self.linear(fused.views)  # (B, K, C)
        if fused.mean == "arithmetic":
            applies, not_so = (
                log_mean(functional.logsigmoid(x), fused.weights)
                for x in (logits.float(), -logits.float()))
            return applies - not_so
        return (logits * fused.weights.unsqueeze(-1)).sum(dim=1)

    def loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Mean binary cross entropy over the labels of known rows; weighted in training only."""
        weights = None
        if self._weights is not None and self.training:
            self._weights = weights = self._weights.to(outputs.device)
        each = functional.binary_cross_entropy_with_logits(
            outputs.float(), targets.float(), reduction="none", pos_weight=weights).mean(dim=1)
        return (each * known).sum() / known.sum().clamp(min=1)

    @property
    def outputs(self) -> int:
        """One per label."""
        return len(self.classes)

    def regressed(self, targets: np.ndarray) -> np.ndarray:
        """1 for each label that applies."""
        return targets.astype(np.float64)

    def usual_outputs(self, mean: np.ndarray) -> np.ndarray:
        """The log-odds of each label's share."""
        share = np.clip(mean, LEAST_SHARE, 1 - LEAST_SHARE)
        return np.asarray(np.log(share / (1 - share)))

    def prior(self) -> np.ndarray | None:
        """The log-odds of each label's share of the training rows."""
        return None if self._shares is None else self.usual_outputs(self._shares)

    def truth_scores(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """``(B,)`` the geometric mean over the labels of the probability that each is as it is."""
        each = functional.binary_cross_entropy_with_logits(
            outputs.float(), targets.float(), reduction="none")
        return (-each.mean(dim=1)).exp()

    def support(self, outputs: np.ndarray, answered: np.ndarray) -> np.ndarray:
        """The log-odds of all labels that ``answered`` gives, added up.

        Where it gives none, those of the label that comes nearest.
        """
        chosen = _probabilities(answered) >= self.threshold  # (N, C)
        best = np.arange(answered.shape[-1]) == answered.argmax(axis=-1)[:, None]
        chosen = np.where(chosen.any(axis=-1, keepdims=True), chosen, best)
        return np.asarray(np.where(chosen, outputs.astype(np.float64), 0.0).sum(axis=-1))

    def metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Binary cross entropy, macro ``average_precision_score``, micro and macro ``f1_score``.

        The latter three as scikit-learn defines them: every label counts, and one that no row has
        gives a 0. They are computed here, after every epoch: importing scikit-learn costs more.

        Args:
            outputs: ``(N, C)`` logits.
            targets: ``(N, C)`` 0 or 1.
        """
        names = ("loss", "macro_average_precision", "micro_f1", "macro_f1")
        if len(targets) == 0:
            return dict.fromkeys(names, float("nan"))
        truth = targets.astype(bool)
        logits = outputs.astype(np.float64)
        loss = float((np.logaddexp(0, logits) - logits * truth).mean())
        precision = [average_precision(truth[:, c], outputs[:, c]) for c in range(truth.shape[1])]
        answers = _probabilities(outputs) >= self.threshold
        hits = (answers & truth).sum(axis=0)
        seen = answers.sum(axis=0) + truth.sum(axis=0)
        micro = 2 * hits.sum() / max(1, seen.sum())
        macro = (2 * hits / seen.clip(min=1)).mean()
        values = (loss, float(np.mean(precision)), float(micro), float(macro))
        return dict(zip(names, values, strict=True))

    def row_scores(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The F1 of each row's labels; 1 where none applies and none is answered.

        Args:
            outputs: ``(N, C)`` logits.
            targets: ``(N, C)`` 0 or 1.
        """
        if len(targets) == 0:
            return np.zeros(0)
        truth = targets.astype(bool)
        answers = _probabilities(outputs) >= self.threshold
        hits = (answers & truth).sum(axis=1)
        seen = answers.sum(axis=1) + truth.sum(axis=1)
        return np.where(seen == 0, 1.0, 2 * hits / seen.clip(min=1))

    def answers(self, outputs: torch.Tensor) -> list[Answer]:
        """The labels that reach the threshold, and all probabilities, highest first."""
        logits = outputs.float().cpu().numpy()
        return [self._answer(row, row >= self.threshold, self.threshold)
                for row in _probabilities(logits)]

    def calibrated_answers(
        self, outputs: torch.Tensor, temperatures: np.ndarray
    ) -> list[Answer]:
        """As ``answers``, logits divided by the temperatures, and the threshold's likewise."""
        logits = outputs.float().cpu().numpy()
        chosen = _probabilities(logits) >= self.threshold
        found = _probabilities(logits / temperatures[:, None])
        thresholds = _probabilities(
            np.log(self.threshold / (1 - self.threshold)) / temperatures)
        return [self._answer(*row) for row in zip(
            found, chosen, map(float, thresholds), strict=True)]

    def _answer(self, row: np.ndarray, chosen: np.ndarray, threshold: float) -> Answer:
        """Of ``(C,)`` probabilities, and which labels are answered."""
        order = np.argsort(-row, kind="stable")
        return Answer(scores={self.classes[i]: float(row[i]) for i in order}, threshold=threshold,
                      labels=tuple(self.classes[i] for i in order if chosen[i]))


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """The sum over the thresholds of precision times the gain in recall; 0 without a positive.

    Args:
        truth: ``(N,)`` bool.
        scores: ``(N,)``; rows with equal scores are found together.
    """
    positives = int(truth.sum())
    if positives == 0:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = truth[order].cumsum()[ends]
    gains = np.diff(hits, prepend=0)
    return float((gains * hits / (ends + 1)).sum() / positives)


def positive_weights(counts: Sequence[int], rows: int) -> torch.Tensor:
    """``(C,)`` rows without a label per row with it, at most 100."""
    # on the CPU, whatever device the model is being built on
    many = torch.tensor(counts, dtype=torch.float32, device="cpu")
    return ((rows - many) / many).clamp(1 / LARGEST_WEIGHT, LARGEST_WEIGHT)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """The logistic function; what overflows in its exponential is 0."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

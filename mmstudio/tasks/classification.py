"""One label out of several."""

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
from mmstudio.tasks.kinds import ONE_LABEL

VALUES_AT_ONCE = 2_000_000
"""Logits whose exponentials are held at a time."""
LEAST_SHARE = 1e-4
"""Of a class, where nothing is known of a sample."""


@TASKS.register(
    "classification", title="One label", summary="Chooses one label out of several.",
    source="cross entropy",
)
class Classification(Task):
    """A linear head and cross entropy."""

    kind = ONE_LABEL
    main_metric = "accuracy"
    row_figure = "accuracy"
    counts_unseen = True

    def __init__(
        self,
        width: int,
        spec: dict[str, Any],
        *,
        label_smoothing: Annotated[
            float, Range(0.0, 0.5, "share of each label spread over the others in training")
        ] = 0.05,
        class_weights: Annotated[
            bool, Help("let rare classes count as much as frequent ones in training")
        ] = False,
    ) -> None:
        super().__init__(width, spec)
        self.classes: list[str] = spec["classes"]
        self.label_smoothing = label_smoothing
        # a run from before there were counts has none, and no weights
        counts = self._counts = spec.get("counts")
        self._weights = balanced_weights(counts) if class_weights and counts else None
        self.linear = nn.Linear(width, len(self.classes))

    def forward(self, fused: Fused) -> torch.Tensor:
        """``(B, K, D)`` to logits ``(B, C)``: the weighted sum over the views.

        With an arithmetic mean, the logarithm of the weighted sum of their probabilities.
        """
        logits: torch.Tensor = self.linear(fused.views)  # (B, K, C)
        if fused.mean == "arithmetic":
            return log_mean(logits.float().log_softmax(dim=-1), fused.weights)
        return (logits * fused.weights.unsqueeze(-1)).sum(dim=1)

    def loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Mean cross entropy over known rows; smoothed and weighted in training only."""
        smoothing = self.label_smoothing if self.training else 0.0
        weights = None
        if self._weights is not None and self.training:
            self._weights = weights = self._weights.to(outputs.device)
        each = functional.cross_entropy(outputs.float(), targets, weights, reduction="none",
                                        label_smoothing=smoothing)
        return (each * known).sum() / known.sum().clamp(min=1)

    @property
    def outputs(self) -> int:
        """One per label."""
        return len(self.classes)

    def regressed(self, targets: np.ndarray) -> np.ndarray:
        """1 for the row's class, 0 for the others."""
        ones = np.zeros((len(targets), len(self.classes)))
        ones[np.arange(len(targets)), targets] = 1.0
        return ones

    def usual(self, targets: np.ndarray) -> np.ndarray:
        """``(C,)`` each class's share."""
        return np.bincount(targets, minlength=len(self.classes)) / len(targets)

    def usual_outputs(self, mean: np.ndarray) -> np.ndarray:
        """The logarithm of each class's share."""
        return np.asarray(np.log(np.clip(mean, LEAST_SHARE, 1.0)))

    def prior(self) -> np.ndarray | None:
        """The logarithm of each class's share of the training rows."""
        if not self._counts or not sum(self._counts):
            return None
        return self.usual_outputs(np.array(self._counts) / sum(self._counts))

    def truth_scores(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """``(B,)`` the probability of each row's class."""
        chances = outputs.float().softmax(dim=-1)
        return chances.gather(1, targets.unsqueeze(1)).squeeze(1)

    def support(self, outputs: np.ndarray, answered: np.ndarray) -> np.ndarray:
        """The log-odds of the class that ``answered`` gives, ``log p / (1 - p)``."""
        logits = outputs.astype(np.float64)
        if logits.shape[-1] == 1:
            # the only class is certain, whatever is there
            return np.zeros(logits.shape[:-1])
        chosen = np.arange(logits.shape[-1]) == answered.argmax(axis=-1)[:, None]  # (N, C)
        others = np.where(chosen, -np.inf, logits)
        highest = others.max(axis=-1, keepdims=True)
        rest = np.log(np.exp(others - highest).sum(axis=-1)) + highest[..., 0]
        own = np.where(chosen, logits, 0.0).sum(axis=-1)
        return np.asarray(own - rest)

    def spoken(self, outputs: torch.Tensor, at: int) -> torch.Tensor:
        """``(B,)`` the log-odds of a class; 0 where there is but one."""
        logits = outputs.float()
        if logits.shape[1] == 1:
            return logits[:, 0] * 0
        others = torch.cat([logits[:, :at], logits[:, at + 1 :]], dim=1)
        return logits[:, at] - others.logsumexp(dim=1)

    def metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Cross entropy, and scikit-learn's ``accuracy_score`` and macro ``f1_score``.

        Args:
            outputs: ``(N, C)`` logits.
            targets: ``(N,)`` class numbers.
        """
        answers, losses = np.zeros(len(targets), np.int64), np.zeros(len(targets))
        rows = max(1, VALUES_AT_ONCE // outputs.shape[1])
        for start in range(0, len(targets), rows):
            part = slice(start, start + rows)
            logits, own = outputs[part], targets[part, None]
            answers[part] = logits.argmax(axis=1)
            shifted = logits.astype(np.float64)
            shifted -= shifted.max(axis=1, keepdims=True)
            losses[part] = -np.take_along_axis(shifted, own, axis=1)[:, 0]
            losses[part] += np.log(np.exp(shifted, out=shifted).sum(axis=1))
        return _figures(answers, losses, targets, outputs.shape[1])

    def kept(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """``(B, 2)`` float32: the class that is answered, and the cross entropy."""
        losses = functional.cross_entropy(outputs.float(), targets, reduction="none")
        return torch.stack([outputs.argmax(dim=1).to(losses.dtype), losses], dim=1)

    def metrics_of_stored(self, kept: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """As ``metrics``, from ``(N, 2)`` answers and losses."""
        return _figures(kept[:, 0].astype(np.int64), kept[:, 1].astype(np.float64), targets,
                        len(self.classes))

    def row_scores(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """1 where the answer is right, 0 where it is wrong; their mean is the accuracy.

        Args:
            outputs: ``(N, C)`` logits.
            targets: ``(N,)`` class numbers.
        """
        if len(targets) == 0:
            return np.zeros(0)
        right: np.ndarray = outputs.argmax(axis=1) == targets
        return right.astype(np.float64)

    def figures_with_unseen(
        self, outputs: np.ndarray, truth: Sequence[str]
    ) -> dict[str, float]:
        """Accuracy and macro F1, as scikit-learn defines them."""
        from sklearn.metrics import accuracy_score, f1_score

        answered = [self.classes[a] for a in outputs.argmax(axis=1)]
        return {"accuracy": float(accuracy_score(truth, answered)),
                "macro_f1": float(f1_score(truth, answered, average="macro"))}

    def answers(self, outputs: torch.Tensor) -> list[Answer]:
        """The class with the highest probability, and all probabilities, highest first."""
        rows = outputs.cpu().double().softmax(dim=-1).numpy()
        orders = np.argsort(-rows, axis=-1, kind="stable")
        answers = []
        for order, row in zip(orders.tolist(), rows.tolist(), strict=True):
            scores = {self.classes[i]: row[i] for i in order}
            answers.append(Answer(label=self.classes[order[0]], scores=scores))
        return answers

    def calibrated_answers(
        self, outputs: torch.Tensor, temperatures: np.ndarray
    ) -> list[Answer]:
        """As ``answers``, logits divided by the temperatures."""
        # doubles: logits that differ must go on differing, so that the same class is answered
        return self.answers(outputs.cpu().double() / torch.from_numpy(temperatures)[:, None])


def _figures(
    answers: np.ndarray, losses: np.ndarray, targets: np.ndarray, classes: int
) -> dict[str, float]:
    """Counted here, after every epoch: importing scikit-learn's metrics would cost more.

    Per class three counts are enough; a matrix of all pairs of many classes fills the memory.
    """
    if len(targets) == 0:
        return {"loss": float("nan"), "accuracy": float("nan"), "macro_f1": float("nan")}
    hits = np.bincount(targets[answers == targets], minlength=classes)
    seen = np.bincount(targets, minlength=classes) + np.bincount(answers, minlength=classes)
    f1 = 2 * hits[seen > 0] / seen[seen > 0]
    return {"loss": float(losses.mean()), "accuracy": float(hits.sum() / len(targets)),
            "macro_f1": float(f1.mean())}


def balanced_weights(counts: Sequence[int]) -> torch.Tensor:
    """``(C,)`` weights inverse to the classes' counts; over the training rows their mean is 1."""
    # on the CPU, whatever device the model is being built on
    many = torch.tensor(counts, dtype=torch.float32, device="cpu")
    return many.sum() / (len(counts) * many)

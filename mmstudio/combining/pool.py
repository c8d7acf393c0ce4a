"""How much each of several answers counts: by how well it does alone, and beside the others."""

from __future__ import annotations

import numpy as np
import torch

from mmstudio.combining.minimise import minimised
from mmstudio.tasks import Task

PULL = 1.0
"""Of the weights towards where they begin: an answer that has twice its weight costs as much as a
row that is held e times less probable."""
MOST = 20.0
"""Of a weight, as a multiple of where it begins."""
LEAST = 1e-3
"""Below this multiple an answer has no say."""


def pooled(outputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted sum of ``(A, B, C)`` outputs by ``(A, B)`` weights: ``(B, C)``.

    Of log-probabilities it is the logarithmic opinion pool (Genest and Zidek 1986); a factor on
    all weights is a temperature.
    """
    return (outputs * weights.unsqueeze(-1)).sum(dim=0)


def first_weights(task: Task, outputs: torch.Tensor, labels: np.ndarray) -> np.ndarray:
    """``(A,)`` weights by how well each answers alone, adding up to 1; equal where nothing tells.

    ``exp(-√n (l - l_best))`` of the mean losses l: between equal weights and those of Bayesian
    averaging, ``exp(-n (l - l_best))``, which are all of the best one's as soon as rows are many.

    Args:
        task: Its loss decides; in evaluation mode, on the CPU.
        outputs: ``(A, n, C)`` to rows that none of the answers was learnt from.
        labels: ``(n, …)`` those of these rows.
    """
    count, rows = outputs.shape[:2]
    if rows == 0:
        return np.full(count, 1 / max(1, count))
    targets, known = torch.from_numpy(labels), torch.ones(rows, dtype=torch.bool)
    losses = np.array([float(task.loss(one.float(), targets, known)) for one in outputs])
    found: np.ndarray = np.exp(-np.sqrt(rows) * (losses - losses.min()))
    return np.asarray(found / found.sum())


def fit_weights(
    task: Task, outputs: torch.Tensor, labels: np.ndarray, begin: np.ndarray
) -> np.ndarray:
    """``(A,)`` weights of at least 0.

    The more rows there are, the less ``begin`` counts (stacking, Wolpert 1992, with a ridge
    around the weights that it begins with).

    Args:
        task: Its loss decides; in evaluation mode, on the CPU.
        outputs: ``(A, n, C)`` to rows that none of the answers was learnt from.
        labels: ``(n, …)`` those of these rows.
        begin: ``(A,)`` where the weights begin, above 0.
    """
    rows = outputs.shape[1]
    if rows == 0:
        return begin
    start = torch.from_numpy(begin).float()[:, None, None]
    given, targets = outputs.float() * start, torch.from_numpy(labels)
    known = torch.ones(rows, dtype=torch.bool)

    def loss_of(multiples: torch.Tensor) -> torch.Tensor:
        found = (given * multiples.float()[:, None, None]).sum(dim=0)
        loss = rows * task.loss(found, targets, known).double()
        return loss + PULL * (multiples - 1).square().sum()

    multiples = minimised(loss_of, np.ones(len(begin)), [(0.0, MOST)] * len(begin))
    found: np.ndarray = begin * np.where(multiples < LEAST, 0, multiples)
    return found

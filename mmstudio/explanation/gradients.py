"""What counted, by gradients: integrated gradients and Grad-CAM, at one place of an encoder."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from mmstudio.encoders.base import Layout, looked_into
from mmstudio.explanation.asked import Asked

STEPS = (16, 40, 144)
"""Points along the path; more are taken until what they add up to fits."""
LARGEST_GAP = 0.01
"""Of the difference between content and baseline that the sum may miss."""
ROWS_AT_ONCE = 48

Score = Callable[[torch.Tensor], torch.Tensor]
"""From a task's outputs ``(B, C)`` to how much each speaks for what is explained ``(B,)``."""


def integrated_gradients(
    asked: Asked, name: str, layout: Layout, task: str, score: Score
) -> tuple[np.ndarray, float]:
    """What each number of an encoder's layout adds to the score (Sundararajan et al. 2017).

    Along the straight line from the baseline to the content, at Gauss-Legendre points (as the
    authors' rule, with fewer of them). The kernel machines' part of the answer stays as it is.

    Returns:
        Weights as the modality's ``Pieces.gathered`` takes them, and by what share of the
        difference their sum misses ``f(content) - f(baseline)``.
    """
    given = _recorded(asked, name, layout)
    baseline = torch.zeros_like(given) if layout.baseline is None else (
        layout.baseline.to(given.dtype).expand_as(given))
    way = given - baseline
    with torch.no_grad():
        ends = _scores(asked, name, layout, task, score, torch.cat([baseline, given]))
    difference = float(ends[1] - ends[0])
    found, gap = torch.zeros_like(given), 0.0
    for steps in STEPS:
        points, shares = (torch.from_numpy(a).to(given) for a in _gauss_legendre(steps))
        slope = torch.zeros_like(given)
        for start in range(0, steps, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            some, weights = points[part], shares[part]
            at = baseline + some.view(-1, *[1] * (given.ndim - 1)) * way
            with looked_into():
                leaf = at.detach().requires_grad_()
                total = (_scores(asked, name, layout, task, score, leaf) * weights).sum()
                slope += torch.autograd.grad(total, leaf)[0].sum(dim=0, keepdim=True)
        found = slope * way
        missed = abs(float(found.sum()) - difference)
        gap = missed / max(abs(difference), 1e-3)
        if gap <= LARGEST_GAP:
            break
    return _placed(layout, found), gap


def grad_cam(
    asked: Asked, name: str, layout: Layout, task: str, score: Score
) -> np.ndarray:
    """Where in a map of convolutions the score comes from (Selvaraju et al. 2017).

    Per channel the mean of its gradient is its weight. What differs: cells that speak against the
    answer keep their sign; the authors set them to 0.

    Returns:
        ``(H', W')``, without a unit.
    """
    given = _recorded(asked, name, layout)
    with looked_into():
        leaf = given.detach().requires_grad_()
        total = _scores(asked, name, layout, task, score, leaf).sum()
        slope = torch.autograd.grad(total, leaf)[0]
    return _placed(layout, (slope.mean(dim=(2, 3), keepdim=True) * given).sum(dim=1))


def _placed(layout: Layout, weights: torch.Tensor) -> np.ndarray:
    return np.asarray(layout.placed(weights.detach()).double().cpu().numpy())


def _gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Points between 0 and 1 and their weights, which add up to 1."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (points + 1) / 2, weights / 2


def _scores(
    asked: Asked, name: str, layout: Layout, task: str, score: Score, at: torch.Tensor
) -> torch.Tensor:
    """``(R,)`` the scores where the layout's module gives ``at (R, …)`` instead of its own."""
    batch = asked.batch[name]
    rows = len(at)
    values = batch.values.expand(rows, *batch.values.shape[1:])
    mask = None if batch.mask is None else batch.mask.expand(rows, -1)

    def instead(_: Any, __: Any, output: Any) -> Any:
        # not the leaf itself: what comes behind may work in place
        return (at.clone(), *output[1:]) if isinstance(output, tuple) else at.clone()

    with _hooked(layout.module, instead), _any_recurrence(at.device):
        outputs = asked.varied(name, values, mask, same=True)
    return score(outputs[task])


def _recorded(asked: Asked, name: str, layout: Layout) -> torch.Tensor:
    """``(1, …)`` what the layout's module gives for the sample."""
    found: list[torch.Tensor] = []

    def record(_: Any, __: Any, output: Any) -> None:
        found.append((output[0] if isinstance(output, tuple) else output).detach().clone())

    batch = asked.batch[name]
    with torch.no_grad(), _hooked(layout.module, record):
        asked.encoder(name)(batch.values, batch.mask)
    if len(found) != 1:
        raise ValueError(f"the layout of {name} was passed {len(found)} times")
    return found[0].float()


@contextlib.contextmanager
def _hooked(module: torch.nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """Inside, a hook behind a module; for this thread alone, as others may ask the same model."""
    own = threading.get_ident()

    def for_this_thread(*given: Any) -> Any:
        return hook(*given) if threading.get_ident() == own else None

    handle = module.register_forward_hook(for_this_thread)
    try:
        yield
    finally:
        handle.remove()


def _any_recurrence(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """For cuDNN gives no gradients of recurrent layers that are not in training."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(enabled=False)

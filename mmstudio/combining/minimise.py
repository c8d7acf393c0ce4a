"""The least of a smooth function of a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

STEPS = 100


def minimised(
    loss_of: Callable[[torch.Tensor], torch.Tensor], begin: np.ndarray,
    bounds: Sequence[tuple[float, float]],
) -> np.ndarray:
    """Where a function is least, found from a start within bounds (L-BFGS-B, Byrd et al. 1995).

    Args:
        loss_of: Takes ``(P,)`` float64, gives a scalar that torch can take the gradient of.
        begin: ``(P,)``.
        bounds: Per number the lowest and the highest that it may be.

    Returns:
        ``(P,)``; ``begin`` where the function has no finite value anywhere near it.
    """
    from scipy.optimize import minimize

    def value_and_gradient(at: np.ndarray) -> tuple[float, np.ndarray]:
        numbers = torch.from_numpy(at).requires_grad_()
        loss = loss_of(numbers)
        (gradient,) = torch.autograd.grad(loss, numbers)
        return float(loss.detach()), gradient.numpy()

    with torch.enable_grad():
        found = minimize(value_and_gradient, begin.astype(np.float64), jac=True, bounds=bounds,
                         method="L-BFGS-B", options={"maxiter": STEPS, "ftol": 1e-6, "gtol": 1e-4})
    answer = np.asarray(found.x, dtype=np.float64)
    return answer if np.isfinite(answer).all() else begin

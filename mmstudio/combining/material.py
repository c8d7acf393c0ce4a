"""What machines are fitted on: rows of blocks, and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.combining.machines import Block
from mmstudio.tasks import Task


@dataclass(frozen=True)
class Known:
    """One target's labels.

    Attributes:
        values: ``(n, C)`` what is regressed on; see ``Task.regressed``.
        known: ``(n,)`` bool.
        labels: ``(n, …)`` as the target's ``Labels`` hold them.
    """

    values: np.ndarray
    known: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Material:
    """What machines are fitted on.

    Attributes:
        blocks: The parts of the descriptions.
        rows: Per block ``(n, D)`` numbers, sparse for counts; 0 where the input is absent.
        present: ``(n, M)`` bool, which inputs each row has.
        trained: ``(n,)`` bool, True = a training row, False = one of the validation.
        targets: Per target its labels.
        tasks: Per target its head.
        origins: ``(n,)`` the place of the row that each is a varied copy of, its own where it is
            none; None where there are no copies.
    """

    blocks: Sequence[Block]
    rows: Sequence[Any]
    present: np.ndarray
    trained: np.ndarray
    targets: Mapping[str, Known]
    tasks: Mapping[str, Task]
    origins: np.ndarray | None = None

    @property
    def own(self) -> np.ndarray:
        """``(n,)`` bool, the rows that are not copies."""
        places = np.arange(len(self.trained))
        return np.asarray(places == (places if self.origins is None else self.origins))

"""How much there is of a content, and how much of that a model gets to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mmstudio.modalities.value import Value

if TYPE_CHECKING:
    import numpy as np


class ContentLimit:
    """Says how long or large contents are, in a unit of its own: tokens, seconds, pixels."""

    option: ClassVar[str]
    """The modality's option that limits how much is taken."""
    limited_by: ClassVar[str]
    """Where the settings of ``fit`` say the limit."""
    least: ClassVar[float]
    """What loses less is of no interest where the limit is the data's own."""
    cap: ClassVar[float]
    """No limit that is learnt from data is higher."""
    largest: ClassVar[float]
    """No limit that a person may set is higher."""
    reduces: ClassVar[bool] = False
    """Whether more than the limit is made smaller, and not cut off."""

    def limit(self, spec: Mapping[str, Any]) -> float:
        """The limit, as the option counts it."""
        return float(spec[self.limited_by])

    def limit_words(self, spec: Mapping[str, Any]) -> str:
        """The limit, for people."""
        raise NotImplementedError

    def taken(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """``(n,)`` lengths of decoded arrays in the unit."""
        raise NotImplementedError

    def at_limit(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """``(n,)`` bool: which of the decoded arrays may have been longer."""
        raise NotImplementedError

    def measured(self, values: Sequence[Value], spec: Mapping[str, Any]) -> np.ndarray:
        """``(n, 3)``: the whole, what of it is taken, and how large a limit would take all.

        0 where one can't be read. May be called from several threads.
        """
        raise NotImplementedError

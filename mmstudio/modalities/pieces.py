"""What of one content can be pointed at, and hidden: patches, words, moments, columns.

Each modality says it in ``modalities/pointing``; an explanation is made of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image


@dataclass(frozen=True)
class Spot:
    """One named place of a content and what it adds to an answer.

    Attributes:
        name: For people, such as a word, or ``0.2 to 0.3 s``.
        weight: In the unit of the answer that is explained; above 0 it speaks for it.
        where: The place as plain data: ``{"begin": 0, "end": 4}`` of a word.
    """

    name: str
    weight: float
    where: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"name": self.name, "weight": self.weight} | self.where


class Shown:
    """A map over one content, as people see it.

    Attributes:
        weights: As fine as the method made it; its axes are the content's: rows and columns of a
            picture, words of a text, moments and pitches of a sound, columns of a table.
        spots: Its named places, in their order in the content.
        text: The content where it is words, so that they can be told in colours; else "".
    """

    weights: np.ndarray
    spots: tuple[Spot, ...]
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        raise NotImplementedError

    def picture(self) -> Image.Image | None:
        """The content with the map drawn over it; None where it is told in words."""
        return None


class Pieces:
    """One content in pieces.

    Attributes:
        shape: How many pieces there are along each axis.
    """

    shape: tuple[int, ...]

    def hidden(
        self, values: torch.Tensor, mask: torch.Tensor | None, gone: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The content with some of its pieces hidden.

        Args:
            values: Prepared values of this one content ``(1, …)``.
            mask: Theirs.
            gone: ``(R, *shape)`` bool, True = hidden.

        Returns:
            Prepared values of ``R`` contents, and their mask.
        """
        raise NotImplementedError

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """An encoder's weights, laid out as its input is, summed per piece: ``shape``.

        Args:
            weights: Along the same axes, such as ``(H', W')`` of a picture's feature map, or one
                per token of a text, padding included.
        """
        raise NotImplementedError

    def names(self) -> list[str]:
        """What each piece is called, in the order of a flattened ``shape``."""
        raise NotImplementedError

    def shown(self, weights: np.ndarray, *, whole: bool) -> Shown:
        """A map for people.

        Args:
            weights: Per piece, or as ``gathered`` takes them.
            whole: They are per piece.
        """
        raise NotImplementedError

"""What an export must know of a kind of content; without a file here it can't be exported."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from mmstudio.modalities.base import Modality

ROWS = 3
"""Of the example that a graph is traced from."""
MADE_UP = 8
"""Samples that are made up for a self-test."""


class Carried(ABC):
    """One kind of content, from a request to the encoder's tensors.

    Attributes:
        packages: What ``predict.py`` needs to read it.
        given: How one is given on the command line.
        more: What the tensor beside its values is called; "" where there is none.
        side: What its values' open side counts; "" where only the batch is open.
        tokenized: Whether a tokenizer travels with it.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    given: ClassVar[str] = "value"
    more: ClassVar[str] = ""
    side: ClassVar[str] = ""
    tokenized: ClassVar[bool] = False

    @abstractmethod
    def settings(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """What ``predict.py`` needs to read one content, of what ``fit`` learnt."""

    @abstractmethod
    def example(
        self, spec: Mapping[str, Any], chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Values of ``ROWS`` rows, and the tensor beside them, to trace the graph from.

        Args:
            spec: As ``settings`` gave it.
            chance: Draws them.
        """

    def prepared(
        self, modality: Modality, values: torch.Tensor, more: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Values and mask ``(B, T)`` as encoders take them, within the graph."""
        return values, None

    def held(self, content: bytes, spec: Mapping[str, Any]) -> Any:
        """A request's bytes, as the app's modality takes what is held in memory.

        Args:
            content: The bytes.
            spec: What ``fit`` learnt.

        Raises:
            PredictError: They can't be read.
        """
        return content

    @abstractmethod
    def made_up(
        self, spec: Mapping[str, Any], folder: Path, at: int, chance: np.random.Generator
    ) -> Any:
        """A content that nobody has, as the app is asked about it; files go into ``folder``.

        Args:
            spec: What ``fit`` learnt.
            folder: Where to write.
            at: Which one, from 0 to ``MADE_UP``: they differ in size.
            chance: Draws it.
        """

    @abstractmethod
    def described(self, spec: Mapping[str, Any], tensors: Mapping[str, str]) -> tuple[str, str]:
        """Its tensors and what it is, for the model's card.

        Args:
            spec: As ``settings`` gave it, with the tokenizer's file.
            tensors: Their names: ``values``, and what ``more`` is called.
        """


@functools.cache
def carried(modality: str) -> Carried | None:
    """How a modality enters an exported model; None where it can't."""
    name = f"{__package__}.{modality}"
    if not modality.isidentifier() or importlib.util.find_spec(name) is None:
        return None
    found: Carried | None = getattr(importlib.import_module(name), "CARRIED", None)
    return found


def carried_names() -> list[str]:
    """The modalities that can be exported."""
    package = importlib.import_module(str(__package__))
    return [m.name for m in pkgutil.iter_modules(package.__path__) if carried(m.name) is not None]


def free_path(folder: Path, suffix: str) -> Path:
    """A file's path that is not taken in a folder."""
    return folder / f"{len(list(folder.iterdir()))}{suffix}"

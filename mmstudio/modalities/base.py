"""What a modality is, and the registry of modalities."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmstudio.errors import UserError
from mmstudio.modalities.preview import Preview
from mmstudio.modalities.value import Value as Value
from mmstudio.reading import kind_of
from mmstudio.registry import Registry, options_of

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mmstudio.modalities.content_limit import ContentLimit
    from mmstudio.modalities.corruption import Corruption
    from mmstudio.modalities.pieces import Pieces


class Modality:
    """How one kind of content is read from files, kept in the store and put into batches.

    The way of a value: ``locate`` (cell to path or text), ``fit`` (once, on training rows: the
    settings that all rows share), ``decode`` (one value to an array, kept in the store),
    ``collate`` (arrays to one tensor), ``prepare`` and ``augment`` (on the training device).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    default_encoder: ClassVar[str]
    dtype: ClassVar[str]
    """Of the decoded arrays."""
    plural: ClassVar[str] = "contents"
    """What its contents are called, such as ``pictures``."""
    given_as: ClassVar[tuple[str, ...]] = ("FILE",)
    """How one is given on the command line."""
    needs: ClassVar[tuple[str, ...]] = ()
    """The settings of ``fit`` without which nothing can be decoded."""
    alike: ClassVar[float | None] = None
    """The least correlation of the fingerprints of copies; None where there are no fingerprints."""
    holds_words: ClassVar[bool] = False
    """Whether its contents are words: they may tell labels, and the same words are copies."""
    first_bytes: ClassVar[tuple[bytes, ...]] = ()
    """What its files begin with, whatever they are called."""
    contained: ClassVar[Mapping[bytes, tuple[bytes, ...]]] = {}
    """Per first four bytes of a container what follows four bytes later."""
    own_suffix: ClassVar[str] = ""
    """Of a file of it that came without a name."""
    empty: ClassVar[tuple[str, str]] = ("", "")
    """The kind of problem that a content without anything in it is, and what is wrong with it."""
    in_cells: ClassVar[bool] = False
    """Whether a value may stand in the cell itself; else each is a file's path."""
    several_columns: ClassVar[bool] = False
    """Whether an input may read several columns; a row's value is then one of ``records``."""
    looks_at: ClassVar[int | None] = None
    """How many files ``fit`` opens at most, evenly spread; None where values may be texts."""
    chosen: Mapping[str, Any] = {}
    """The options that an experiment gave to make it."""

    def options_in_use(self) -> dict[str, Any]:
        """Per registered option its value; one that was not given has its attribute or default."""
        return {name: self.chosen.get(name, getattr(self, name, option.default))
                for name, option in options_of(type(self)).items()}

    def names_file(self, cell: str | None) -> bool:
        """Whether a table's cell names a file, as far as the cell alone tells."""
        return cell is not None

    def locate(self, cell: str, folder: Path) -> Value:
        """The value that a table's cell means; paths are relative to ``folder``."""
        return folder / cell

    def fit(self, values: Sequence[Value], wanted: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Settings learnt from training rows, plain data for ``schema.json``.

        Values that can't be read are skipped.

        Args:
            values: Those of the training rows that are there.
            wanted: What the input's encoder needs to be given; it takes the place of what would
                be learnt.

        Raises:
            UserError: Not one value can be read.
        """
        raise NotImplementedError

    def decode(self, value: Value, spec: Mapping[str, Any]) -> np.ndarray:
        """One value as an array of ``dtype``; its first axis may vary in length.

        Raises:
            UserError: The file is missing or can't be read; names it.
        """
        raise NotImplementedError

    @classmethod
    def is_whole(cls, spec: Mapping[str, Any]) -> bool:
        """Whether settings from a file hold all that ``decode`` needs."""
        return all(key in spec for key in cls.needs)

    def try_read(self, value: Value) -> None:
        """Read a value without what ``fit`` learns, only to see whether it can be read.

        Nothing is tried where a modality does not say how.

        Raises:
            UserError: It can't.
        """

    def decode_held(self, content: Any, spec: Mapping[str, Any]) -> np.ndarray:
        """As ``decode``, for content that is held in memory and lies in no file.

        Args:
            content: Such as an array; what is possible, each modality says.
            spec: What ``fit`` learnt.

        Raises:
            UserError: It is of a kind that this modality does not know.
        """
        raise UserError(f"A {type(content).__name__} can't be read as {self.name}.",
                        "Give a file's path.")

    def collate(
        self, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Arrays to one tensor and, where length varies, a mask ``(B, T)``, True = real.

        None stands for an absent input; its row is zeros.
        """
        raise NotImplementedError

    def prepare(self, values: torch.Tensor) -> torch.Tensor:
        """The tensor as encoders take it, computed on its device."""
        return values

    def fingerprints(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where ``alike`` is set: ``(n, 256)`` uint8, and ``(n,)`` bool, True = nothing is in it.

        Args:
            arrays: Decoded contents.
            spec: What ``fit`` learnt.
        """
        raise NotImplementedError

    def same(self, one: np.ndarray, other: np.ndarray, spec: Mapping[str, Any]) -> bool:
        """Where ``alike`` is set: whether two decoded contents are copies of each other."""
        raise NotImplementedError

    def content_limit(self) -> ContentLimit | None:
        """How much there is of a content and how much is taken; None where all always is."""
        return None

    def corruptions(self) -> Sequence[Corruption]:
        """The ways in which its contents get worse; none where nobody has said."""
        return ()

    def pieces(self, content: Any, array: np.ndarray, spec: Mapping[str, Any]) -> Pieces | None:
        """What of one content can be pointed at and hidden; None where it is only all or nothing.

        Args:
            content: A path, a text, or what ``decode_held`` takes.
            array: The same, decoded.
            spec: What ``fit`` learnt.
        """
        return None

    def cheap_features(
        self, arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
    ) -> np.ndarray | None:
        """``(n, D)`` of decoded contents, made without labels: enough for a linear look at them.

        None where the contents are described elsewhere.
        """
        return None

    def traits(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """What people may ask of decoded contents, such as their length: per trait ``(n,)`` float.

        The names hold the unit where there is one.

        Args:
            arrays: At least one.
            spec: What ``fit`` learnt.
        """
        return {}

    def preview(self, value: Value) -> Preview:
        """What a page without the app shows of a value.

        Raises:
            UserError: It can't be read.
        """
        return Preview(value.name if isinstance(value, Path) else value)

    def long_from(self, spec: Mapping[str, Any]) -> float | None:
        """The length of a decoded content from which on its order is much of what it says."""
        return None

    def extent(self, path: Path) -> int:
        """How many pixels a readable file holds, from its header; 0 where that says nothing."""
        return 0

    def augment(
        self, values: torch.Tensor, mask: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Vary prepared values a little, for training."""
        return values, mask


_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
"""Of a path that was an address; ``Path`` takes its second slash away."""

MODALITIES: Registry[Modality] = Registry("modality", "mmstudio.modalities")


def modality_of_file(path: str | Path) -> str | None:
    """The modality that a file's suffix tells, or None."""
    suffix = Path(path).suffix.lower()
    for name, cls in MODALITIES.classes().items():
        if suffix in cls.suffixes:
            return name
    return None


def modality_that(attribute: str) -> str:
    """The first modality of which a flag of its class is set, such as ``holds_words``."""
    return next(name for name, cls in MODALITIES.classes().items() if getattr(cls, attribute))


def names_medium(path: str | Path) -> bool:
    """Whether a file's suffix tells a medium: content that never stands in a cell itself."""
    modality = modality_of_file(path)
    return modality is not None and not MODALITIES.get(modality).in_cells


def readable_file(path: Value) -> Path:
    """The path, where a file with content is there.

    Raises:
        UserError: No file, a folder, or an empty file.
    """
    address = _ADDRESS.match(str(path))
    if address is not None:
        raise UserError(
            f"{address[1]}://{address[2]} is an address: addresses are not fetched.",
            "Save the file on this computer and give its path.")
    path = Path(path)
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not a file.", "Give the path of a file.")
        state = path.stat()
        size = state.st_size
        if not stat.S_ISREG(state.st_mode):
            raise UserError(f"{path} is {kind_of(state.st_mode)}, not a file.",
                            "Give the path of a file.")
    except FileNotFoundError:
        raise UserError(f"{path} is missing.",
                        "Put the file there, or leave the cell empty.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}.",
                        "Check its name and its permissions.") from None
    if size == 0:
        raise UserError(f"{path} is empty (0 bytes).", "Replace it, or leave the cell empty.")
    return path


def spread(values: Sequence[Value], most: int) -> list[Value]:
    """At most ``most`` of the values, evenly spread: enough to learn settings from."""
    step = max(1, len(values) / most)
    return [values[int(i * step)] for i in range(min(most, len(values)))]

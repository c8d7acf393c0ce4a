"""Numbers and categories: several columns of a table as one input."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mmstudio.errors import UserError
from mmstudio.modalities.base import MODALITIES, Modality, Value
from mmstudio.modalities.preview import Preview
from mmstudio.modalities.records import is_missing, plain_record, read_record
from mmstudio.registry import Range

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mmstudio.modalities.corruption import Corruption
    from mmstudio.modalities.pieces import Pieces

NUMBER, CATEGORY = "number", "category"
PARTS = 4
"""Of a decoded cell: whether it is known, the number, its rank, the place of its category."""
KNOWN, SIZE, RANK, PLACE = range(PARTS)
MOST_CODES = 0.05
"""Of a column's cells may begin with a zero, as codes do, and it is still one of numbers."""
UNSEEN = 0
"""The place of a category that the training rows don't have, or have but once."""
LARGEST = 6.0
"""Of a standardised number: what lies further off counts as that."""
LARGEST_READ = 1e140
"""What is larger counts as that, so that squares of it are finite."""
KNOTS = 65
"""Quantiles of the training rows by which a number's rank is found."""
MOST_LEVELS = 12
"""Whole numbers of no more different values are categories beside."""
IQR_OF_NORMAL = 1.349
SPREAD_OF_RANKS = 12**0.5
"""Ranks go from -√3 to √3: their deviation is 1."""


@MODALITIES.register("tabular", title="Table",
                     summary="Columns of numbers or of few words, such as age and city.")
class TabularModality(Modality):
    """A row's numbers and categories as ``(C, 4)`` float32, one line per column.

    A line holds 1 or 0 for known or missing, the number in robust deviations from the median, its
    rank among the training rows, and the place of its category, 0 for one that is new. What is
    learnt and how a cell is placed is reckoned in double precision.

    Args:
        categories: The most categories of a column that have a place of their own.
    """

    plural = "tables"
    needs = ("columns",)
    in_cells = True
    given_as = ("'column=VALUE, column=VALUE'", "JSON")
    several_columns = True
    default_encoder = "mlp"
    dtype = "float32"

    def __init__(
        self,
        *,
        categories: Annotated[
            int, Range(2, 10_000, "most categories of a column; rarer ones count as new")
        ] = 500,
    ) -> None:
        self.categories = categories

    def names_file(self, cell: str | None) -> bool:
        """Never: numbers and categories stand in the table."""
        return False

    def locate(self, cell: str, folder: Path) -> Value:
        """The record itself."""
        return cell

    def fit(self, values: Sequence[Value], wanted: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Per column what its cells are and how they are spread: ``{columns: [{…}]}``.

        A column is one of numbers where nearly all of its cells are; where more than a few begin
        with a zero they are codes, which are categories.

        Raises:
            UserError: Not one record can be read.
        """
        names: dict[str, None] = {}
        records = []
        for value in values:
            try:
                record = json.loads(str(value))
            except ValueError:
                continue
            if isinstance(record, dict):
                names.update(dict.fromkeys(record))
                records.append(record)
        if not names:
            raise UserError("Not one row of the training rows can be read.", "Check the columns.")
        columns = [_fitted(name, [_filled(r.get(name)) for r in records], self.categories)
                   for name in names]
        return {"columns": columns, **wanted}

    def decode(self, value: Value, spec: Mapping[str, Any]) -> np.ndarray:
        """``(C, 4)`` of a record; a cell that is not a number among numbers is missing.

        Of a record without any filled cell ``(0, 4)``: nothing is there.

        Raises:
            UserError: No record, or it names a column that there is not.
        """
        import numpy as np

        columns = spec["columns"]
        record = read_record(str(value), [column["name"] for column in columns])
        if not record:
            return np.zeros((0, PARTS), dtype=np.float32)
        found = np.zeros((len(columns), PARTS), dtype=np.float64)
        for line, column in zip(found, columns, strict=True):
            cell = record.get(column["name"])
            if cell is not None:
                line[:] = placed(cell, column)
        return found.astype(np.float32)

    def decode_held(self, content: Any, spec: Mapping[str, Any]) -> np.ndarray:
        """As ``decode``, of a mapping of columns to cells, such as ``{"age": 30}``.

        None, nan, NaT and NA are missing cells.
        """
        if not isinstance(content, Mapping):
            raise UserError(f"A {type(content).__name__} can't be read as a record.",
                            'Give a mapping of columns to cells, such as {"age": 30}.')
        return self.decode(self._record(content, spec), spec)

    def _record(self, content: Mapping[Any, Any], spec: Mapping[str, Any]) -> str:
        """A mapping that is held in memory, as a record."""
        kinds = {column["name"]: column["kind"] for column in spec["columns"]}
        return json.dumps({str(name): _held_cell(str(name), cell, kinds.get(str(name)))
                           for name, cell in content.items()})

    @classmethod
    def is_whole(cls, spec: Mapping[str, Any]) -> bool:
        """Whether each column is told whole."""
        columns = spec.get("columns", ())
        return bool(columns) and all(
            "words" in c if c.get("kind") == CATEGORY else (
                c.get("width") and c.get("middle") is not None and "levels" in c
                and 0 < len(c.get("knots", ())) == len(c.get("ranks", ())))
            for c in columns)

    def try_read(self, value: Value) -> None:
        """Nothing that could fail: any cell is a category."""

    def preview(self, value: Value) -> Preview:
        """Its cells, as a person types them."""
        return Preview(plain_record(str(value)))

    def corruptions(self) -> Sequence[Corruption]:
        """See ``Modality.corruptions``."""
        from mmstudio.modalities.corrupting.records import CORRUPTIONS

        return CORRUPTIONS

    def pieces(self, content: Any, array: np.ndarray, spec: Mapping[str, Any]) -> Pieces:
        """Columns."""
        from mmstudio.modalities.pointing.tables import TablePieces

        record = self._record(content, spec) if isinstance(content, Mapping) else str(content)
        return TablePieces(read_record(record, [c["name"] for c in spec["columns"]]), spec)

    def cheap_features(
        self, arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
    ) -> np.ndarray:
        """Numbers, ranks and which are known, in deviations; 1 at each row's categories."""
        import numpy as np

        cells = np.stack([a.reshape(-1, PARTS) for a in arrays])  # (n, C, 4)
        plain = cells[:, :, :PLACE].reshape(len(cells), -1)
        deviation = plain.std(axis=0)
        scaled = (plain - plain.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        sizes = [1 + len(c.get("words", c.get("levels", ()))) for c in spec["columns"]]
        places = [np.eye(size, dtype=np.float32)[cells[:, i, PLACE].astype(int)]
                  * cells[:, i, KNOWN, None] for i, size in enumerate(sizes)]
        return np.concatenate([scaled, *places], axis=1).astype(np.float32)

    def collate(
        self, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """``(B, C, 4)`` float32; no mask."""
        import numpy as np
        import torch

        batch = np.zeros((len(arrays), len(spec["columns"]), PARTS), dtype=np.float32)
        for row, array in enumerate(arrays):
            if array is not None:
                batch[row] = array.reshape(batch.shape[1:])
        return torch.from_numpy(batch), None


def placed(cell: str, column: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """One filled cell as its four numbers; all 0 where it is not a number among numbers."""
    if column["kind"] == CATEGORY:
        return 1.0, 0.0, 0.0, float(place_of(cell, column["words"]))
    number = number_of(cell, column)
    if number is None:
        return 0.0, 0.0, 0.0, 0.0
    size = (number - column["middle"]) / column["width"]
    levels = column["levels"]
    place = 1 + levels.index(number) if number in levels else UNSEEN
    return (1.0, min(LARGEST, max(-LARGEST, size)),
            SPREAD_OF_RANKS * (_rank(number, column["knots"], column["ranks"]) - 0.5), float(place))


def number_of(cell: str, column: Mapping[str, Any]) -> float | None:
    """The finite number that a cell holds, written as those of its column are; else None."""
    from mmstudio.numbers import read_number

    # of a run from before that was noted, a comma between thousands is read anywhere, as then
    return read_number(cell, column.get("unit", ""), column.get("thousands", True))


def _filled(cell: Any) -> str | None:
    text = "" if cell is None else str(cell).strip()
    return text or None


def place_of(word: str, words: Sequence[str]) -> int:
    """The place of a category, from 1 on; yes and no are known however they are written."""
    try:
        return 1 + words.index(word)
    except ValueError:
        lower = word.lower()
        if lower not in ("true", "false"):
            return UNSEEN
        return next((i for i, w in enumerate(words, start=1) if w.lower() == lower), UNSEEN)


def _held_cell(name: str, cell: Any, kind: str | None) -> str | None:
    """One cell that is held in memory as a table's; None where it is missing."""
    import numpy as np

    if is_missing(cell):
        return None
    if isinstance(cell, bool | np.bool_):
        return str(int(cell)) if kind == NUMBER else str(bool(cell))
    several = isinstance(cell, Mapping | Set | Sequence) and not isinstance(cell, str)
    if several or getattr(cell, "ndim", False):
        raise UserError(f"'{name}' holds more than one value.", "Give a number or a word.")
    return str(cell)


def _rank(number: float, knots: Sequence[float], ranks: Sequence[float]) -> float:
    """From 0 to 1, between the knots on either side."""
    at = bisect_right(knots, number)
    if at == 0 or at == len(knots):
        return ranks[min(at, len(knots) - 1)]
    share = (number - knots[at - 1]) / (knots[at] - knots[at - 1])
    return ranks[at - 1] + share * (ranks[at] - ranks[at - 1])


def _fitted(name: str, cells: Sequence[str | None], most: int) -> dict[str, Any]:
    """What is learnt of one column."""
    from mmstudio.numbers import read_numbers

    numbers = read_numbers(cells)
    codes = sum(c is not None and re.fullmatch(r"0\d+", c) is not None for c in cells)
    filled = sum(c is not None for c in cells)
    if numbers.usual and codes <= MOST_CODES * filled:
        return {"name": name, "kind": NUMBER, "unit": numbers.unit,
                "thousands": numbers.thousands} | _spread(numbers.values)
    counts = Counter(c for c in cells if c is not None)
    common = [(w, n) for w, n in sorted(counts.items(), key=lambda i: (-i[1], i[0])) if n > 1]
    return {"name": name, "kind": CATEGORY, "missing": any(c is None for c in cells),
            "words": [w for w, _ in common[:most]], "counts": [n for _, n in common[:most]]}


def _spread(values: np.ndarray) -> dict[str, Any]:
    """Middle, width, quantiles and levels of numbers ``(N,)``, nan where there is none."""
    import numpy as np

    known = np.clip(values[~np.isnan(values)], -LARGEST_READ, LARGEST_READ)
    low, middle, high = (float(q) for q in np.quantile(known, (0.25, 0.5, 0.75)))
    width = (high - low) / IQR_OF_NORMAL
    if not width > 0:  # at least half of them are one number
        middle, width = float(known.mean()), float(known.std())
    if not width > 0:
        width = 1.0
    at = np.linspace(0, 1, KNOTS)
    knots, place = np.unique(np.quantile(known, at), return_inverse=True)
    # a number that many rows have stands at the middle of its rows
    ranks = np.bincount(place, at) / np.bincount(place)
    levels = np.unique(known)
    few = len(levels) <= MOST_LEVELS and bool((levels == levels.round()).all())
    usual = np.quantile(known, (0.01, 0.99))
    return {"middle": middle, "width": width, "knots": knots.tolist(), "ranks": ranks.tolist(),
            "levels": levels.tolist() if few else [], "usual": usual.tolist(),
            "missing": bool(np.isnan(values).any())}

"""A trained model that answers for what is held in memory: arrays, pictures, data frames."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities.records import is_missing

if TYPE_CHECKING:
    import polars as pl

    from mmstudio.explanation.explain import Explanation
    from mmstudio.inference.prediction import Prediction
    from mmstudio.inference.predictor import Predictor


class Model:
    """A run's best model; ``run.model()`` gives it.

    An input is given as what it is: a file as a ``pathlib.Path``, and for all but texts also as
    ``str``; a text as ``str``, which is the text itself, never a path; a picture as a
    ``PIL.Image.Image`` or an array ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, bytes, or floats
    from 0 to 1; a sound as ``(samples, rate_hz)`` with samples ``(L,)`` or ``(L, channels)``,
    floats from -1 to 1 or whole numbers of their type's range. None, or leaving it out, says that
    it is absent.

    Attributes:
        inputs: Per input its modality: ``{"image": "image", "words": "text"}``.
        tasks: Per target its task: ``{"digit": "classification"}``.
        predictor: What the window and the command line use.

    Args:
        run: The run's folder.
        device: ``auto``, ``cpu``, ``cuda`` …

    Raises:
        UserError: No run, no model in it, or damaged files.
    """

    def __init__(self, run: Path | str, device: str = "auto") -> None:
        from mmstudio.inference.ensemble import open_model

        self.predictor: Predictor = open_model(Path(run), device)
        self.inputs = dict(self.predictor.inputs)
        self.tasks = dict(self.predictor.tasks)

    def __repr__(self) -> str:
        return f"Model({str(self.predictor.run.path)!r}, inputs={list(self.inputs)})"

    def predict(self, /, **inputs: Any) -> Prediction:
        """Answer for one sample, any subset of the inputs.

        ``model.predict(image="3.png", words="about three").tasks["digit"].label``

        Args:
            inputs: By name, as the class says.

        Returns:
            Per task its answer, which inputs were there, and what each of them added.

        Raises:
            UserError: No such input, or something that can't be read.
        """
        return self.predictor.predict(inputs)

    def explain(
        self, task: str | None = None, label: str | None = None, /, **inputs: Any
    ) -> Explanation:
        """Say what of each input counted for an answer, and what would have to change.

        ``model.explain("digit", image="3.png").inputs["image"].shown.picture().show()``

        Args:
            task: Whose answer; None for the first target.
            label: Which label is explained; None for the one that is answered.
            inputs: By name, as the class says.

        Returns:
            Per input a map over it (``shown.weights``, ``shown.spots``, ``shown.picture()``), and
            in ``turns`` what turns the answer when it is gone.

        Raises:
            UserError: No such input, target or label, nothing given, or something that can't be
                read.
        """
        from mmstudio.explanation.explain import explain

        return explain(self.predictor, inputs, task, label)

    def predict_table(self, frame: Any, *, folder: Path | str = ".") -> pl.DataFrame:
        """Answer for every row of a data frame.

        Args:
            frame: Of polars or pandas, or a mapping of columns, named as in the training table;
                cells are paths and texts.
            folder: What paths are relative to.

        Returns:
            The frame's columns as texts, then ``TASK answer``, for labels ``TASK score``, and
            ``error``, null where all of a row could be read.

        Raises:
            UserError: It has none of the model's input columns, or no rows.
        """
        from mmstudio.data.table import Table, as_cells
        from mmstudio.inference.table_answers import answers_frame

        where = Path(folder).resolve()
        table = Table(where / "data frame", where, as_cells(_polars(frame)))
        return answers_frame(self.predictor, table)

    def embed(self, /, **inputs: Any) -> dict[str, np.ndarray]:
        """What the model makes of each input before they are fused.

        Args:
            inputs: By name, as the class says; those that are given are embedded.

        Returns:
            Per input ``(W,)`` float32. Of a run with alignment all are of length 1 and may be
            compared with each other; otherwise each is its encoder's mean token, comparable with
            those of the same input only.

        Raises:
            UserError: No such input, nothing given, or something that can't be read.
        """
        given = {n: v for n, v in inputs.items() if v is not None}
        if not given:
            raise UserError("There is nothing to embed.",
                            f"Give one of the inputs: {', '.join(self.inputs)}.")
        return {name: self.predictor.embedded_alone(name, value) for name, value in given.items()}

    def embed_fused(self, /, **inputs: Any) -> np.ndarray:
        """What the model makes of all inputs together: ``(D,)`` float32, the fusion's output.

        Args:
            inputs: By name, as the class says; what is left out is absent, as in ``predict``.

        Raises:
            UserError: No such input, or something that can't be read.
        """
        return self.predictor.fused(inputs)


_OF_POLARS = (str, bytes, bool, int, float, Decimal, date, time, timedelta, dict)
"""Cells that polars takes as they are; of pandas' own, such as periods, the text is taken."""


def _polars(frame: Any) -> pl.DataFrame:
    """A data frame of polars, whatever library it is of."""
    import polars as pl

    if isinstance(frame, pl.DataFrame):
        found = frame
    elif isinstance(frame, pl.LazyFrame):
        found = frame.collect()
    elif hasattr(frame, "columns") and hasattr(frame, "to_dict"):  # of pandas
        found = pl.DataFrame({str(c): [_cell(v) for v in frame[c].tolist()]
                              for c in frame.columns}, strict=False)
    else:
        found = pl.DataFrame(frame, strict=False)
    if found.height == 0:
        raise UserError("The data frame holds no rows.", "It needs one row per sample.")
    return found


def _cell(value: Any) -> Any:
    """A cell of pandas, of what polars takes: nan and the like become None, lists one text."""
    if is_missing(value):
        return None
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        items = [_cell(item) for item in value]
        return "|".join(str(item) for item in items if item is not None)
    if isinstance(value, np.number | np.bool_):
        return value.item()
    return value if isinstance(value, _OF_POLARS) else str(value)

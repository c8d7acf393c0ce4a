"""A run's best model, ready to answer."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from mmstudio.data.input_cells import is_there
from mmstudio.data.schema import values_of
from mmstudio.data.table import Table
from mmstudio.errors import UserError, nearest
from mmstudio.inference.contributions import (
    MOST_INPUTS,
    contributions_of,
    outputs_of_subsets,
)
from mmstudio.inference.loaded_model import LoadedModel
from mmstudio.inference.prediction import Prediction
from mmstudio.modalities.base import Value
from mmstudio.tasks.base import Answer
from mmstudio.threads import fitting_threads
from mmstudio.training.shapley import all_subsets


class Predictor(LoadedModel):
    """Loads a run's best weights once and answers for any subset of its inputs.

    Args:
        run: The run folder.
        device: As in ``training.device``.

    Raises:
        UserError: No run, no model in it, damaged files, or an ensemble of several models.
    """

    def predict(
        self, inputs: Mapping[str, Any], use: Collection[str] | None = None
    ) -> Prediction:
        """Answer for one sample.

        Args:
            inputs: Per input a file's path, a text, or what its modality's ``decode_held`` takes,
                such as an array; what is missing or None is absent.
            use: The inputs that may count; None means all.

        Raises:
            UserError: An unknown input, or a file that can't be read.
        """
        began = time.perf_counter()
        for name in use or ():
            if name not in self.inputs:
                raise UserError(f"The model has no input '{name}'.", nearest(name, self.inputs))
        arrays = {n: self.decode(n, v) for n, v in inputs.items() if use is None or n in use}
        present = tuple(n for n in self.inputs if arrays.get(n) is not None)
        columns = {n: [arrays.get(n)] for n in self.inputs}
        if len(present) > MOST_INPUTS:
            outputs = self._outputs(columns)
        else:
            outputs = self._subset_outputs(columns)
        # the last subset is the whole sample: its outputs are the answer that is explained
        answers = {name: found[0] for name, found in self._answers(
            {n: o[-1:] for n, o in outputs.items()}, self._there(columns)).items()}
        subsets = self._subsets(present)
        contributions = {
            n: contributions_of(task, self._calibrated(n, outputs[n], subsets), answers[n],
                                list(present), outputs[n][-1:])
            for n, task in self.heads.items()} if len(present) <= MOST_INPUTS else {}
        return Prediction(answers, present, time.perf_counter() - began, contributions)

    def predict_table(
        self, table: Table, batch_size: int = 64, rows: Sequence[int] | None = None
    ) -> Iterator[Prediction | UserError]:
        """Answer for every row of a table, from those of its inputs that can be read.

        As in training, a cell that can't be read counts as absent; the answer's ``error`` tells
        why. A row of which nothing is left gives the error instead.

        Args:
            table: The rows' table.
            batch_size: Rows that are answered at once.
            rows: Places in it; all of them when None.

        Raises:
            UserError: The table has none of the model's input columns.
        """
        settings = self.experiment.active_inputs
        there = {n: i for n, i in settings.items() if is_there(table, i)}
        if not there:
            wanted = ", ".join(f"'{c}'" for i in settings.values() for c in i.read_columns)
            raise UserError(f"{table.path} has none of the columns {wanted}.",
                            "Name the columns as in the training table.")
        values = {n: values_of(table, i) for n, i in there.items()}
        asked = range(len(table)) if rows is None else rows
        chunks = [asked[at : at + batch_size] for at in range(0, len(asked), batch_size)]
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as decoder:
            # the model works on one batch while the next is decoded
            ahead = deque([decoder.submit(self._decoded, values, chunks[0])] if chunks else [])
            for at, some in enumerate(chunks):
                began = time.perf_counter()
                arrays, errors = ahead.popleft().result()
                if at + 1 < len(chunks):
                    ahead.append(decoder.submit(self._decoded, values, chunks[at + 1]))
                yield from self._predict_rows(some, arrays, errors, began)

    def _decoded(
        self, values: Mapping[str, Sequence[Value | None]], rows: Sequence[int]
    ) -> tuple[dict[str, list[np.ndarray | None]], dict[int, list[UserError]]]:
        """Per input some rows' contents; per place among the rows what could not be read."""
        arrays: dict[str, list[np.ndarray | None]] = {n: [] for n in self.inputs}
        errors: dict[int, list[UserError]] = {}
        for name in self.inputs:  # one kind after the other: a processor holds one decoder at hand
            for at, row in enumerate(rows):
                try:
                    value = values[name][row] if name in values else None
                    arrays[name].append(self.decode(name, value))
                except UserError as error:
                    arrays[name].append(None)
                    errors.setdefault(at, []).append(
                        UserError(f"Row {row + 1}: {error.message}", error.hint))
        return arrays, errors

    def _predict_rows(
        self, rows: Sequence[int], arrays: Mapping[str, Sequence[np.ndarray | None]],
        errors: Mapping[int, list[UserError]], began: float,
    ) -> Iterator[Prediction | UserError]:
        with fitting_threads():  # of the answers too: threads that spin cost most in small steps
            answers = self._answers(self._outputs(arrays), self._there(arrays))
        seconds = (time.perf_counter() - began) / len(rows)
        for at in range(len(rows)):
            present = tuple(n for n in self.inputs if arrays[n][at] is not None)
            told = errors.get(at, [])
            if told and not present:
                yield told[0] if len(told) == 1 else UserError(" ".join(map(str, told)))
                continue
            yield Prediction({n: found[at] for n, found in answers.items()}, present, seconds,
                             error=" ".join(map(str, told)))

    def _answers(
        self, outputs: Mapping[str, torch.Tensor], there: np.ndarray
    ) -> dict[str, list[Answer]]:
        """Per task the rows' answers; a number's usual error is that of the validation rows.

        Args:
            outputs: Per task ``(B, …)``.
            there: ``(B, M)`` bool, which inputs each row has.
        """
        calibration = self.calibration
        found = {n: task.answers(outputs[n]) if calibration is None
                 else task.calibrated_answers(outputs[n], calibration.temperatures(n, there))
                 for n, task in self.heads.items()}
        for name, error in self.usual_errors.items():
            found[name] = [dataclasses.replace(a, usual_error=error) for a in found[name]]
        return found

    def _there(self, columns: Mapping[str, Sequence[np.ndarray | None]]) -> np.ndarray:
        """``(B, M)`` bool, which inputs each row has."""
        return np.array([[array is not None for array in columns[n]] for n in self.inputs]).T

    def _subsets(self, present: Sequence[str]) -> np.ndarray:
        """``(2^P, M)`` bool, all subsets of the inputs that are there, as they are answered."""
        names = list(self.inputs)
        subsets = np.zeros((2 ** len(present), len(names)), bool)
        subsets[:, [names.index(n) for n in present]] = all_subsets(len(present))
        return subsets

    def _calibrated(
        self, name: str, outputs: torch.Tensor, subsets: np.ndarray
    ) -> torch.Tensor:
        """``(S, …)`` logits of some subsets, divided by their temperatures; others stay."""
        if self.calibration is None or not self.heads[name].scores:
            return outputs
        temperatures = torch.from_numpy(self.calibration.temperatures(name, subsets))
        return outputs.cpu().double() / temperatures.reshape(-1, *[1] * (outputs.dim() - 1))

    def _outputs(
        self, arrays: Mapping[str, Sequence[np.ndarray | None]]
    ) -> dict[str, torch.Tensor]:
        """The model's outputs for decoded inputs."""
        rows = len(next(iter(arrays.values())))
        with torch.inference_mode():
            outputs: dict[str, torch.Tensor] = self.model(self._batch(arrays), rows=rows)
        return outputs

    def _subset_outputs(
        self, arrays: Mapping[str, Sequence[np.ndarray | None]]
    ) -> dict[str, torch.Tensor]:
        """The outputs for one sample's decoded inputs and all subsets of them, itself last."""
        with torch.inference_mode(), self._threads():
            features, there = self.model.encoded(self._batch(arrays), rows=1)
            return outputs_of_subsets(self.model, features, there)

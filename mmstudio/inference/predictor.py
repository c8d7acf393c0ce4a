"""A run's best model, ready to answer."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import InputBatch, collate_input
from mmstudio.data.input_cells import is_there
from mmstudio.data.prepare import Dataset
from mmstudio.data.schema import values_of
from mmstudio.data.table import Table
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment
from mmstudio.inference.calibrated import Calibration, read_calibration
from mmstudio.inference.contributions import (
    MOST_INPUTS,
    Contributions,
    contributions_of,
    outputs_of_subsets,
)
from mmstudio.modalities.base import Value
from mmstudio.tasks.base import Answer
from mmstudio.threads import fitting_threads, one_thread
from mmstudio.training.answers_file import load_combination
from mmstudio.training.checkpoint import load_weights
from mmstudio.training.combine import described
from mmstudio.training.device import choose_device, choose_precision
from mmstudio.training.encode_once import with_kept_features
from mmstudio.training.ensemble_file import refuse_ensemble
from mmstudio.training.model import build_model, completed
from mmstudio.training.published import check_published
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.shapley import all_subsets

__all__ = ["Answer", "Prediction", "Predictor"]


NOTHING_THERE = "No input is present: the answer rests on the training rows' labels alone."


def completed_experiment(files: RunFolder) -> Experiment:
    """A run's experiment with every default.

    Raises:
        UserError: It can't be read; names the file.
    """
    experiment = files.experiment()
    try:
        return completed(experiment)
    except UserError as error:
        raise UserError(f"{files.path / 'experiment.toml'}: {error.message}", error.hint) from None


@dataclass(frozen=True)
class Prediction:
    """The answers for one sample, the inputs that were there, and the time that it took.

    ``contributions`` tells per task what each input added; empty where the sample is a row of a
    table, or has more than six inputs. ``error`` tells of a row of a table which of its cells can't
    be read, where others gave the answer. Without any input the training rows' labels are the
    answer, and ``note`` says so.
    """

    tasks: dict[str, Answer]
    present: tuple[str, ...]
    seconds: float
    contributions: dict[str, Contributions] = field(default_factory=dict)
    error: str = ""

    @property
    def note(self) -> str:
        """What people should know of the answer; "" of most."""
        return "" if self.present else NOTHING_THERE

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        data: dict[str, Any] = {
            "tasks": {n: a.to_json() for n, a in self.tasks.items()},
            "present": list(self.present),
        }
        if self.error:
            data["error"] = self.error
        if self.note:
            data["note"] = self.note
        return data | ({"contributions": {n: c.to_json() for n, c in self.contributions.items()}}
             if self.contributions else {})


class Predictor:
    """Loads a run's best weights once and answers for any subset of its inputs.

    Args:
        run: The run folder.
        device: As in ``training.device``.

    Raises:
        UserError: No run, no model in it, damaged files, or an ensemble of several models.
    """

    def __init__(self, run: Path, device: str = "auto") -> None:
        files = RunFolder.existing(run)
        refuse_ensemble(files.path)
        if not files.has_model():
            raise UserError(f"{run} holds no trained model.", "Train it first.")
        self.run = files
        self.experiment = completed_experiment(files)
        self.schema = files.schema()
        self.device = choose_device(device)
        check_published(files)
        # without weights of its own: drawing some would disturb a run that trains meanwhile
        try:
            with torch.device("meta"):
                self.model = build_model(self.experiment, self.schema)
        except UserError:
            raise
        except Exception:  # whatever an encoder runs into whose settings and schema don't fit
            raise UserError(f"{run} was trained by another version of mmstudio, or its schema.json "
                            "is damaged.", "Train it again.") from None
        load_weights(self.model, files.best, self.device)
        self.model.to(  # type: ignore[call-overload]
            device=self.device, memory_format=torch.channels_last)
        self.model.eval()
        self.model.answer_with(load_combination(
            files.answers, self.model, self.experiment, self.schema, self.device))
        self.inputs = {n: i.modality for n, i in self.experiment.active_inputs.items()}
        self.modalities, self.heads = self.model.modalities, self.model.tasks
        self.tasks = {n: t.task for n, t in self.experiment.active_targets.items()}
        self.separators = {n: str(spec["separator"]) for n, spec in self.schema.targets.items()
                           if "separator" in spec}
        self.usual_errors = self._read_usual_errors()
        self.calibration = self._read_calibration()

    def answering(self, split: str) -> contextlib.AbstractContextManager[None]:
        """Inside, validation rows are answered by models that have not learnt from them.

        Args:
            split: Whose rows are asked about; empty for rows that are in no split.
        """
        combination = self.model.combination
        return contextlib.nullcontext() if combination is None else combination.answering(split)

    def with_features(self, dataset: Dataset) -> Dataset:
        """A dataset with what training kept: frozen encoders' features, and descriptions."""
        combination = self.model.combination
        if combination is not None:
            for step in described(dataset, self.model.modalities, combination.describers):
                if isinstance(step, Dataset):
                    dataset = step
        try:
            dtype = choose_precision(self.experiment.training.precision, self.device)
        except UserError:  # trained on another device, in a format that this one has not
            return dataset
        return with_kept_features(self.model, dataset, self.device, dtype)

    def _read_usual_errors(self) -> dict[str, float]:
        """Per regression its mean absolute error on the validation rows at the best epoch."""
        metrics = {n: task.kind.error_metric for n, task in self.heads.items()}
        if not any(metrics.values()):
            return {}
        found = {n: figures.get(metrics.get(n, ""), float("nan"))
                 for n, figures in self.run.history().at_best().items()}
        return {n: error for n, error in found.items() if math.isfinite(error)}

    def _read_calibration(self) -> Calibration | None:
        """What its scores are brought to what they say with; None before an evaluation."""
        try:
            return read_calibration(self.run, list(self.inputs))
        except OSError:
            return None

    def decode(self, name: str, value: Any) -> np.ndarray | None:
        """One input's value as its modality decodes it.

        Args:
            name: The input.
            value: A path, a text, or what its modality's ``decode_held`` takes.

        Raises:
            UserError: No such input, or the file can't be read.
        """
        if name not in self.inputs:
            raise UserError(f"The model has no input '{name}'.", nearest(name, self.inputs))
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        modality = self.model.modalities[name]
        if not isinstance(value, str | Path):
            array = modality.decode_held(value, self.schema.inputs[name])
        else:
            array = modality.decode(value if modality.in_cells else Path(value),
                                    self.schema.inputs[name])
        return array if array.size else None

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

    @property
    def finds_similar(self) -> bool:
        """Whether the run has a shared representation to compare in."""
        return self.model.alignment is not None

    def check_alignment(self) -> None:
        """Raise UserError where the run has no shared representation to compare in."""
        if self.model.alignment is None:
            raise UserError(
                f"{self.run.path} was trained without alignment: it has no measure of similarity.",
                "Train with two inputs or more and training.alignment = 1.")

    def embedding(self, name: str, value: Value | None) -> np.ndarray:
        """One input's value in the shared representation: ``(W,)`` float32 of length 1.

        Raises:
            UserError: No alignment, no such input, nothing given, or a file that can't be read.
        """
        self.check_alignment()
        array = self.decode(name, value)
        if array is None:
            raise UserError(f"No value was given for '{name}'.", "Give a file or a text.")
        with torch.inference_mode(), self._threads():
            found: np.ndarray = self.embedded(name, self._batch({name: [array]})[name])[0]
        return found

    def embedded_alone(self, name: str, value: Any) -> np.ndarray:
        """One input's value as the model sees it by itself: ``(W,)`` float32.

        Of a run with alignment in the shared representation; else the encoder's mean token.

        Raises:
            UserError: No such input, nothing given, or a file that can't be read.
        """
        if self.model.alignment is not None:
            return self.embedding(name, value)
        array = self.decode(name, value)
        if array is None:
            raise UserError(f"No value was given for '{name}'.", "Give a file or a text.")
        with torch.inference_mode(), self._threads():
            features, _ = self.model.encoded(self._batch({name: [array]}))
            pooled = features[self.model.names.index(name)].pooled()[0]
        return np.asarray(pooled.float().cpu().numpy())

    def fused(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """All inputs of one sample as the fusion brings them together: ``(D,)`` float32.

        Raises:
            UserError: No such input, or a file that can't be read.
        """
        columns = {n: [self.decode(n, v)] for n, v in inputs.items()}
        with torch.inference_mode(), self._threads():
            features, present = self.model.encoded(self._batch(columns), rows=1)
            fused = self.model.fusion(self.model.reduced(features, present), present)
            shared = (fused.views * fused.weights.unsqueeze(-1)).sum(dim=1)[0]
        return np.asarray(shared.float().cpu().numpy())

    def embedded(self, name: str, batch: InputBatch) -> np.ndarray:
        """``(B, W)`` embeddings of one input's prepared values."""
        features, _ = self.model.encoded({name: batch})
        i = self.model.names.index(name)
        alignment = self.model.alignment
        if alignment is None:
            raise ValueError("the model has no alignment")
        return np.asarray(alignment.embedded(i, features[i]).cpu().numpy())

    def _threads(self) -> contextlib.AbstractContextManager[Any]:
        """One thread for one sample on the CPU; torch must have counted its threads before."""
        if self.device.type != "cpu":
            return contextlib.nullcontext()
        torch.get_num_threads()
        return one_thread()

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

    def _batch(
        self, arrays: Mapping[str, Sequence[np.ndarray | None]]
    ) -> dict[str, InputBatch]:
        """Decoded inputs as the model takes them; one with no content at all stays out."""
        batch: dict[str, InputBatch] = {}
        for name, column in arrays.items():
            if any(a is not None for a in column):
                modality = self.model.modalities[name]
                item = collate_input(modality, column, self.schema.inputs[name]).to(self.device)
                batch[name] = dataclasses.replace(item, values=modality.prepare(item.values))
        return batch

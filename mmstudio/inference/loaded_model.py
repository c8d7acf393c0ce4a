"""A run's best model in memory, and what it makes of contents before it answers."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import InputBatch, collate_input
from mmstudio.data.prepare import Dataset
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment
from mmstudio.inference.calibrated import Calibration, read_calibration
from mmstudio.modalities.base import Value
from mmstudio.threads import one_thread
from mmstudio.training.answers_file import load_combination
from mmstudio.training.checkpoint import load_weights
from mmstudio.training.descriptions import described
from mmstudio.training.device import choose_device, choose_precision
from mmstudio.training.encode_once import with_kept_features
from mmstudio.training.ensemble_file import refuse_ensemble
from mmstudio.training.model import build_model, completed
from mmstudio.training.published import check_published
from mmstudio.training.run_folder import RunFolder


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


class LoadedModel:
    """A run's best weights, loaded once.

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

    def _read_usual_errors(self) -> dict[str, float]:
        """Per regression its mean absolute error on the validation rows at the best epoch."""
        metrics = {n: task.kind.error_metric for n, task in self.heads.items()}
        if not any(metrics.values()):
            return {}
        found = {n: figures.get(metrics.get(n, ""), float("nan"))
                 for n, figures in self.run.history(steps=False).at_best().items()}
        return {n: error for n, error in found.items() if math.isfinite(error)}

    def _read_calibration(self) -> Calibration | None:
        """What its scores are brought to what they say with; None before an evaluation."""
        try:
            return read_calibration(self.run, list(self.inputs))
        except OSError:
            return None

    def _threads(self) -> contextlib.AbstractContextManager[Any]:
        """One thread for one sample on the CPU; torch must have counted its threads before."""
        if self.device.type != "cpu":
            return contextlib.nullcontext()
        torch.get_num_threads()
        return one_thread()

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

"""All that a run's events told so far: what the plots and the tables show."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mmstudio.training.events import (
    CheckpointSaved,
    Combined,
    EncoderChosen,
    EpochDone,
    InputsScored,
    Preparing,
    RunEvent,
    RunFinished,
    Shortened,
    Started,
    StepDone,
    Stopped,
    Tuned,
    Warned,
    WeightsTaken,
    WentBack,
)

if TYPE_CHECKING:
    import polars as pl


SHOWN_ROWS = 20
"""Of a batch at which training diverged."""


class RunHistory:
    """Keeps every point. Live runs and opened ones go through the same ``apply``.

    Attributes:
        step_epochs, step_loss: Per step its place in epochs (0.5 = half of the first) and loss.
        epochs, train_loss, validation_loss: Per epoch; ``epoch_seconds`` how long it took.
        trained_s: How long the training took so far, all its sessions together.
        metrics: ``metrics[task][figure]["train" | "validation"]``, a list per epoch.
        input_loss, gradient_share: Per input a list per epoch, nan where it was not watched.
        alignment_loss: Of ``train`` and ``validation`` a list per epoch, nan where there was none.
        recall: ``recall[from, to]["recall@10"]``, the validation's, a list per epoch likewise.
        combined: What the run's answers are weighed from, the latest; None for the fusion alone.
        tuned: How steps are made, the latest; None where nothing was measured.
        encoders_chosen: Per input that was left open which encoder it got, and why.
        weights_taken: Of the run that it starts from; None where it starts anew.
        shortened: That the epochs were made fewer to end in time; None where they were not.
        inputs_scored: What each input is worth to the best model; None before the end.
        best_epoch: Of the weights kept as best; None before the first.
    """

    def __init__(self) -> None:
        self.preparing: Preparing | None = None
        self.started: Started | None = None
        self.stopped: Stopped | None = None
        self.finished: RunFinished | None = None
        self.last_step: StepDone | None = None
        self.last_epoch: EpochDone | None = None
        self.best_epoch: int | None = None
        self.warnings: list[Warned] = []
        self.step_epochs: list[float] = []
        self.step_loss: list[float] = []
        self.epochs: list[int] = []
        self.epoch_seconds: list[float] = []
        self.trained_s = 0.0
        self._session_s = 0.0
        self.train_loss: list[float] = []
        self.validation_loss: list[float] = []
        self.metrics: dict[str, dict[str, dict[str, list[float]]]] = {}
        self.input_loss: dict[str, list[float]] = {}
        self.gradient_share: dict[str, list[float]] = {}
        self.alignment_loss: dict[str, list[float]] = {}
        self.recall: dict[tuple[str, str], dict[str, list[float]]] = {}
        self.inputs_scored: InputsScored | None = None
        self.combined: Combined | None = None
        self.encoders_chosen: dict[str, EncoderChosen] = {}
        self.tuned: Tuned | None = None
        self.shortened: Shortened | None = None
        self.weights_taken: WeightsTaken | None = None

    def apply(self, event: RunEvent) -> None:
        """Take in one event."""
        if isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, EpochDone):
            self._epoch(event)
        elif isinstance(event, Preparing):
            self.preparing = event
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, CheckpointSaved):
            if event.best:
                self.best_epoch = event.epoch
        elif isinstance(event, Warned):
            self.warnings.append(event)
        elif isinstance(event, WentBack):
            self._go_back(event)
        elif isinstance(event, InputsScored):
            self.inputs_scored = event
        elif isinstance(event, Combined):
            self.combined = event
        elif isinstance(event, EncoderChosen):
            self.encoders_chosen[event.input] = event
        elif isinstance(event, WeightsTaken):
            self.weights_taken = event
        elif isinstance(event, Shortened):
            self._shorten(event)
        elif isinstance(event, Tuned):
            self._tune(event)
        elif isinstance(event, Stopped):
            self.stopped = event
        elif isinstance(event, RunFinished):
            self.finished = event
            self.best_epoch = event.best_epoch
            # the whole session, with all that came before its first step
            self.trained_s += max(0.0, (event.seconds or 0.0) - self._session_s)
            self._session_s = 0.0

    def apply_steps(self, steps: list[int], losses: list[float], last: StepDone) -> None:
        """Take in many steps that follow each other, as ``apply`` does one by one.

        Args:
            steps: Counted from 1 over all epochs.
            losses: Of each step; nan where it was no number.
            last: The last of them.
        """
        self.last_step = last
        per_epoch = self._steps_per_epoch()
        self.step_epochs.extend([step / per_epoch for step in steps])
        self.step_loss.extend(losses)

    def progress(self) -> float:
        """Share of the planned epochs that is done, 0 to 1."""
        if self.started is None:
            return 0.0
        if self.finished is not None:
            return 1.0
        done = self.step_epochs[-1] if self.step_epochs else self._begun(self.started)
        return min(1.0, done / self.started.epochs)

    def remaining_s(self) -> float | None:
        """Seconds left to the planned end; None before the first epoch is done."""
        return None if self.last_epoch is None else self.last_epoch.remaining_s

    def at_best(self, split: str = "validation") -> dict[str, dict[str, float]]:
        """Per task the figures at the best epoch."""
        if self.best_epoch not in self.epochs:
            return {}
        at = self.epochs.index(self.best_epoch)
        return {
            task: {figure: series[split][at] for figure, series in figures.items()}
            for task, figures in self.metrics.items()
        }

    def answered(self) -> dict[str, dict[str, float]]:
        """Per task the validation figures of what the run answers with."""
        if self.combined is None:
            return self.at_best()
        return {task: {f: _number(v) for f, v in figures.items()}
                for task, figures in self.combined.validation.items()}

    def to_polars(self) -> pl.DataFrame:
        """A row per epoch: ``epoch``, ``train loss``, ``validation digit accuracy`` and so on."""
        import polars as pl

        columns: dict[str, Any] = {"epoch": self.epochs, "train loss": self.train_loss,
                                   "validation loss": self.validation_loss}
        for task, figures in self.metrics.items():
            for figure, series in figures.items():
                for split in ("train", "validation"):
                    columns[f"{split} {task} {figure}"] = series[split]
        kinds = {name: pl.Int64 if name == "epoch" else pl.Float64 for name in columns}
        return pl.DataFrame(columns, schema=kinds)

    def _shorten(self, event: Shortened) -> None:
        self.shortened = event
        if self.started is not None:
            self.started = dataclasses.replace(self.started, epochs=event.epochs)

    def _tune(self, event: Tuned) -> None:
        self.tuned = event
        if self.started is not None:
            self.started = dataclasses.replace(self.started, precision=event.precision)

    def _start(self, event: Started) -> None:
        """A resumed run makes the steps since its last checkpoint once more: drop their points."""
        self.started, self.preparing, self._session_s = event, None, 0.0
        self.stopped = self.finished = None
        self.inputs_scored = self.combined = self.tuned = None
        self._drop(event.first_epoch, self._begun(event))

    def _begun(self, event: Started) -> float:
        """Where a run begins or goes on, in epochs."""
        if event.first_step > 0:
            return (event.first_step - 1) / event.steps_per_epoch
        return event.first_epoch - 1

    def _go_back(self, event: WentBack) -> None:
        """Training went back: its epoch and step come once more."""
        self._drop(event.epoch, (event.step - 1) / self._steps_per_epoch())
        shown = ", ".join(map(str, event.rows[:SHOWN_ROWS]))
        more = len(event.rows) - SHOWN_ROWS
        self.warnings.append(Warned(
            f"Training diverged: {event.reason}. It went back to step {event.step}, with half the "
            f"learning rate: {event.learning_rate:.3g}.",
            f"The batch was of rows {shown}{f' and {more} more' if more > 0 else ''}."))

    def _drop(self, epoch: int, begun: float) -> None:
        """Drop the points of this epoch and of later ones, and of the steps after ``begun``."""
        steps = sum(x <= begun + 1e-9 for x in self.step_epochs)
        del self.step_epochs[steps:], self.step_loss[steps:]
        kept = sum(e < epoch for e in self.epochs)
        del self.epochs[kept:], self.train_loss[kept:], self.validation_loss[kept:]
        del self.epoch_seconds[kept:]
        for figures in self.metrics.values():
            for series in figures.values():
                del series["train"][kept:], series["validation"][kept:]
        for told in (*self.input_loss.values(), *self.gradient_share.values(),
                     *self.alignment_loss.values(),
                     *(series for pair in self.recall.values() for series in pair.values())):
            del told[kept:]

    def _step(self, event: StepDone) -> None:
        self.last_step = event
        self.step_epochs.append(event.step / self._steps_per_epoch())
        self.step_loss.append(_number(event.loss))

    def _steps_per_epoch(self) -> int:
        return self.started.steps_per_epoch if self.started is not None else 1

    def _epoch(self, event: EpochDone) -> None:
        self.last_epoch = event
        self.epochs.append(event.epoch)
        seconds = event.seconds or 0.0  # null in a damaged log
        self.epoch_seconds.append(seconds)
        self.trained_s += seconds
        self._session_s += seconds
        self.train_loss.append(_number(event.train["loss"]))
        self.validation_loss.append(_number(event.validation["loss"]))
        for task, figures in event.validation.items():
            if not isinstance(figures, dict):
                continue
            for figure, value in figures.items():
                series = self.metrics.setdefault(task, {}).setdefault(
                    figure, {"train": [], "validation": []})
                for split, told in (("validation", value),
                                    ("train", event.train.get(task, {}).get(figure))):
                    _fill(series[split], len(self.epochs) - 1)
                    series[split].append(_number(told))
        for figures in self.metrics.values():
            for series in figures.values():
                for one in series.values():
                    _fill(one, len(self.epochs))
        self._inputs(event)
        self._alignment(event)

    def _inputs(self, event: EpochDone) -> None:
        """An input that was not watched from the start has nan until then: lists stay in line."""
        for kept, figure in ((self.input_loss, "loss"), (self.gradient_share, "gradient_share")):
            for name in event.inputs:
                kept.setdefault(name, [float("nan")] * (len(self.epochs) - 1))
            for name, told in kept.items():
                told.append(_number(event.inputs.get(name, {}).get(figure)))


    def _alignment(self, event: EpochDone) -> None:
        """Likewise for a run that was resumed with alignment on."""
        before = [float("nan")] * (len(self.epochs) - 1)
        for split in ("train", "validation"):
            if split in event.alignment:
                self.alignment_loss.setdefault(split, list(before))
        for split, losses in self.alignment_loss.items():
            losses.append(_number(event.alignment.get(split, {}).get("loss")))
        told = {(one["from"], one["to"]): one for one in event.alignment.get("retrieval", [])}
        for pair, one in told.items():
            kept = self.recall.setdefault(pair, {})
            for figure in one:
                if figure.startswith("recall@"):
                    kept.setdefault(figure, list(before))
        for pair, kept in self.recall.items():
            for figure, series in kept.items():
                series.append(_number(told.get(pair, {}).get(figure)))


def _fill(series: list[float], length: int) -> None:
    """An epoch that did not tell a figure has nan: lists stay in line."""
    series.extend([float("nan")] * (length - len(series)))


def _number(value: Any) -> float:
    """The log writes null for what is not a number."""
    return float("nan") if value is None else float(value)

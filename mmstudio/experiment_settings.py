"""The parts of an experiment: frozen values with their defaults, ranges and help."""

from __future__ import annotations

import dataclasses
import functools
import typing
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from mmstudio.registry import Help, Option, Range, option_from_annotation

AUTO = "auto"
"""The encoder that is left open: the training chooses it, by what it finds in the data."""


@dataclass(frozen=True)
class Component:
    """An encoder or a fusion: its name and the options that the user set."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True)
class SplitShares:
    """Shares of the rows, drawn by the rows' ids.

    Attributes:
        train: Share for training; likewise ``validation`` and ``test``.
        group: A column; rows that are equal in it stay together.
        stratify: A column; each of its values is shared out alike.
        id: A column that names the sample; without it the inputs' cells do.
    """

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    group: str | None = None
    stratify: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Fold:
    """One of the parts that a cross-validation cuts the training and validation rows into.

    Attributes:
        number: Which one is held out, counted from 1.
        of: How many there are.
    """

    number: int
    of: int


@dataclass(frozen=True)
class DataSettings:
    """Where the rows come from, and which serve for what.

    Attributes:
        table: A file or folder, relative to the experiment file.
        split: A column's name, or shares.
        group: A column; where a column gives the split, rows equal in ``group`` should lie in one
            split. The check looks at it.
        leave_out: A CSV file beside the experiment file that lists rows to leave out.
        fold: The part of the training and validation rows that is held out, and then is the test
            split; the split's own test rows are in none. None of a run by itself.
    """

    table: str
    split: str | SplitShares = SplitShares()
    group: str | None = None
    leave_out: str | None = None
    fold: Fold | None = None

    @property
    def group_column(self) -> str | None:
        """The column whose equal rows belong together, whichever way the split is given."""
        shared = self.split.group if isinstance(self.split, SplitShares) else None
        return shared or self.group


@dataclass(frozen=True)
class InputSettings:
    """One input: a column of one modality with its encoder; ``options`` are the modality's.

    Where the modality reads several columns, ``columns`` names them and ``column`` is empty.

    ``augment`` says whether it is varied in training; None leaves that to a trial.
    ``modality_dropout`` is the chance that it is hidden from a training sample; None takes the
    one of ``[training]``. ``folder`` is where the files of the column are, relative to the table;
    None leaves them to be found.
    """

    column: str
    modality: str
    encoder: Component
    use: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    modality_dropout: float | None = None
    augment: bool | None = None
    folder: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Every column that it reads, one or several."""
        return self.columns or (self.column,)

    @property
    def column_words(self) -> str:
        """The columns' names, for people."""
        return ", ".join(self.read_columns)


@dataclass(frozen=True)
class TargetSettings:
    """One target: a column, its task, its weight in the loss; ``options`` are the task's.

    ``merge`` says which labels mean another one: ``{"Cat" = "cat"}``. ``columns`` are those that
    say yes or no of one label each, whose name it is: together they are one ``multilabel`` target,
    and ``column`` is what it is called.
    """

    task: str
    column: str
    weight: float = 1.0
    use: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    merge: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


LEAST_EPOCHS, MOST_EPOCHS, ENOUGH_STEPS = 40, 100, 2000
"""Where the number of epochs is automatic: as many as make enough steps, between the two."""

PATIENT = 0.4
"""Where epochs are automatic: it waits for a gain for at least this share of them."""
MINUTES, MINUTES_ROWS = 5.0, 2000
"""Where the time is automatic: so many minutes for so many training rows, or fewer."""

BATCHES, BATCH_SIZE = ((500, 16), (2000, 32)), 64
"""Where the size of a batch is automatic: below so many training rows; and from there on."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the model is trained. Each field's annotation holds its range and help."""

    epochs: Annotated[
        int, Range(0, 10_000, "passes over the training rows, at most; 0 takes 40 to 100, the "
                   "more the fewer the rows are")
    ] = 0
    minutes: Annotated[
        float, Range(0.0, 100_000.0, "how long a training may take, about; 0 takes 5 for up to "
                     "2,000 rows and more for more, and no limit where epochs are set")
    ] = 0.0
    batch_size: Annotated[
        int, Range(0, 4096, "samples per step; 0 takes 16 below 500 training rows, 32 below "
                   "2,000, else 64")
    ] = 0
    learning_rate: Annotated[float, Range(1e-6, 1.0, "highest learning rate")] = 2e-3
    weight_decay: Annotated[float, Range(0.0, 1.0, "pull of the weights towards zero")] = 0.02
    warm_up: Annotated[float, Range(0.0, 0.9, "share of the steps with a rising rate")] = 0.1
    gradient_clip: Annotated[float, Range(0.01, 1000.0, "largest norm of the gradient")] = 1.0
    patience: Annotated[
        int, Range(1, 10_000, "epochs without better validation figures, or as good ones with a "
                   "lower loss, before it stops")
    ] = 16
    averaging: Annotated[
        float, Range(0.0, 0.5, "how far back the model averages its weights over the epochs: "
                     "their mean age, as a share of the epochs so far; 0 is off")
    ] = 0.2
    modality_dropout: Annotated[
        float, Range(0.0, 0.9, "chance that an input is hidden from a training sample")
    ] = 0.3
    input_loss: Annotated[
        float, Range(0.0, 10.0, "how much each input learns to answer on its own, as far as it "
                     "can; 0 only watches it")
    ] = 2.0
    gradient_modulation: Annotated[
        Literal["off", "ogm", "ogm-ge"],
        Help("slow the inputs that learn faster than the others; ogm-ge adds noise"),
    ] = "off"
    modulation_strength: Annotated[
        float, Range(0.0, 10.0, "how much gradient modulation slows them")
    ] = 0.3
    alignment: Annotated[
        float, Range(0.0, 10.0, "how much the inputs of a row are drawn together, so that each "
                     "finds the others; 0 is off, 1 usual")
    ] = 0.0
    alignment_epochs: Annotated[
        int, Range(0, 10_000, "the first epochs, in which the alignment alone is trained")
    ] = 0
    balancing: Annotated[
        Literal["fixed", "uncertainty"],
        Help("how the targets' losses are brought together: by their weights, or by learned "
             "uncertainty too"),
    ] = "fixed"
    combine: Annotated[bool, Help("answer with what the fusion, each input alone and quick kernel "
                                  "machines say together, weighed by the validation; off answers "
                                  "with the fusion alone")] = True
    augment: Annotated[bool, Help("vary the training samples a little: shifts, noise, masks")] = (
        True
    )
    start_from: Annotated[
        str, Help("a run whose weights the model starts with, such as runs/first; empty starts "
                  "anew")
    ] = ""
    seed: Annotated[
        int, Range(0, 2**31 - 1, "the same seed gives the same run; to the bit where threads and "
                   "precision are set too")
    ] = 0
    device: Annotated[str, Help("auto, cpu, cuda, cuda:1 or mps")] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Help("number format of the layers; auto takes the fastest safe one, measured on a CPU"),
    ] = "auto"
    memory_layout: Annotated[
        Literal["auto", "channels_last", "contiguous"],
        Help("how pictures and convolutions lie in memory; auto takes the faster, measured on a "
             "CPU"),
    ] = "auto"
    threads: Annotated[
        int, Range(0, 1024, "of the CPU in each step; 0 takes as many as are the fastest, and "
                   "follows what else the computer does")
    ] = 0
    tensorboard: Annotated[bool, Help("write TensorBoard's event files into the run's folder "
                                      "too")] = False

    def batch_size_for(self, rows: int) -> int:
        """How many of so many training rows make a step: few rows make few steps otherwise."""
        return self.batch_size or next((size for most, size in BATCHES if rows < most), BATCH_SIZE)

    def seconds_for(self, rows: int) -> float | None:
        """How long a training on so many rows may take; None is as long as its epochs do."""
        if self.minutes:
            return 60 * self.minutes
        return None if self.epochs else 60 * MINUTES * max(1.0, rows / MINUTES_ROWS)

    def patience_for(self, epochs: int) -> int:
        """Epochs without a gain before it stops, where the training has so many.

        Where their number is automatic, few rows make many epochs of few steps: it waits longer.
        """
        return self.patience if self.epochs else max(self.patience, round(PATIENT * epochs))

    def epochs_for(self, rows: int) -> int:
        """How many epochs so many training rows get, at most.

        Few rows are few steps in an epoch, after 40 of which a model is still learning: on 1,200
        pictures with texts, up to 100 epochs in place of 40 brought a target of nine classes from
        0.847 to 0.863 and one of a hundred from 0.690 to 0.708 (validation, mean of four folds
        that keep look-alikes together).
        """
        if self.epochs:
            return self.epochs
        steps = max(1, rows // self.batch_size_for(rows))
        return min(MOST_EPOCHS, max(LEAST_EPOCHS, ENOUGH_STEPS // steps))


@functools.cache
def training_options() -> dict[str, Option]:
    """The options of ``[training]``, for the file, the command line and the form."""
    hints = typing.get_type_hints(TrainingSettings, include_extras=True)
    return {
        f.name: option_from_annotation(f.name, hints[f.name], f.default)
        for f in dataclasses.fields(TrainingSettings)
    }


MODALITY_DROPOUT = Option(
    "modality_dropout", "float", TrainingSettings.modality_dropout,
    "chance that this input is hidden from a training sample", 0.0, 0.9)

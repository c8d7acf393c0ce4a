"""Training, and what is known of a run, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstudio.experiment import Experiment

if TYPE_CHECKING:
    from mmstudio.api.model import Model
    from mmstudio.inference.evaluate import Evaluation
    from mmstudio.training.events import RunEvent
    from mmstudio.training.history import RunHistory


def train(
    experiment: Experiment, run: Path | str, *, progress: bool = False, resume: bool = False
) -> Run:
    """Train a model to the end.

    Args:
        experiment: What to train, as ``Experiment.load`` gives it.
        run: The run's folder, ``PROJECT/runs/NAME``; what ``data.table`` says is relative to
            ``PROJECT``. It must not be there, unless ``resume``.
        progress: Show a bar and a line per epoch.
        resume: Go on with the run that is there.

    Returns:
        The run.

    Raises:
        UserError: What you can mend: a key of the experiment, a file, memory.
    """
    folder = Path(run)
    events = train_events(experiment, folder, resume=resume)
    if progress:
        from mmstudio.cli.progress import show_training

        show_training(events, folder)
    else:
        for _ in events:
            pass
    return load_run(folder)


def train_events(
    experiment: Experiment, run: Path | str, *, resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    stop_after_epoch: Callable[[], bool] = lambda: False,
) -> Iterator[RunEvent]:
    """Train step by step: whoever iterates sets the pace, and pauses by not asking for the next.

    Args:
        experiment: What to train.
        run: The run's folder, as in ``train``.
        resume: Go on with the run that is there.
        should_stop: Asked at every step; True ends the run with its best weights kept. At the
            event ``Stopped`` all is written, before a last look at the model.
        stop_after_epoch: Asked at the end of each epoch; True ends the run there.

    Yields:
        The events of ``mmstudio.training.events``, in order; the last is ``RunFinished``.

    Raises:
        UserError: As ``train``.
    """
    from mmstudio.training.loop import train as train_run

    folder = Path(run)
    _own_components(folder)
    project = folder.resolve().parent.parent
    return train_run(experiment, folder, folder=project, resume=resume, should_stop=should_stop,
                     stop_after_epoch=stop_after_epoch)


def load_components(project: Path | str, *, trust: bool = False) -> tuple[str, ...]:
    """Have the components in a project's folder ``components``.

    They are programs and can do all that you can do. ``train``, ``load_run`` and what a run does
    take those of their project that were allowed before, here, on the command line or in the
    window, and warn of the others. There are those of one project at a time.

    Args:
        project: The project's folder.
        trust: Allow them, and remember it for these very files.

    Returns:
        What was registered: ``("fusion maximum",)``.

    Raises:
        UserError: One of them can't be used.
    """
    from mmstudio import own_components

    folder = Path(project)
    loaded = own_components.load_components(folder)
    if loaded.untrusted and trust:
        own_components.trust(loaded.untrusted)
        loaded = own_components.load_components(folder)
    if loaded.problems:
        raise loaded.problems[0]
    return loaded.names


def load_run(run: Path | str) -> Run:
    """A run that is there.

    Args:
        run: Its folder.

    Raises:
        UserError: It is not a run folder.
    """
    folder = Path(run)
    _own_components(folder)
    return Run(folder)


def _own_components(run: Path) -> None:
    """Have the components of the project that a run lies in; warn of those not allowed."""
    import warnings

    from mmstudio import own_components

    project = own_components.project_of_run(run)
    if project is None:
        return
    loaded = own_components.load_components(project)
    for file in loaded.untrusted:
        warnings.warn(f"{file.path} was not run: it was not allowed to. Look at it, then call "
                      f"mmstudio.load_components({str(project)!r}, trust=True).", stacklevel=3)
    if loaded.problems:
        raise loaded.problems[0]


class Run:
    """What is known of a run; ``train`` and ``load_run`` give it.

    Attributes:
        path: Its folder.
        name: The folder's name.
        experiment: As it was run, every default written out.

    Raises:
        UserError: It is not a run folder.
    """

    def __init__(self, path: Path) -> None:
        from mmstudio.training.run_folder import RunFolder

        self._files = RunFolder.existing(path)
        self.path = self._files.path
        self.name = self._files.name
        self.experiment = self._files.experiment()

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def history(self) -> RunHistory:
        """All that its events told, read again; ``history.to_polars()`` has a row per epoch."""
        return self._files.history()

    @property
    def environment(self) -> list[dict[str, Any]]:
        """With what it began, and each time went on: versions, device, seed, threads, rows."""
        from mmstudio.training.environment import starts_of

        return starts_of(self._files)

    def evaluate(
        self, split: str = "test", *, table: Path | str | None = None, device: str = "auto",
        inputs: bool = False,
    ) -> Evaluation:
        """The figures of its best model: ``run.evaluate().tasks["digit"]["accuracy"]``.

        Args:
            split: ``train``, ``validation`` or ``test``.
            table: Another table of the same columns, all rows of which count.
            device: ``auto``, ``cpu``, ``cuda`` …
            inputs: Find out too what each input is worth.

        Raises:
            UserError: No such split or table, no model, or no rows with a label.
        """
        from mmstudio.errors import UserError
        from mmstudio.inference.evaluate import Evaluation, evaluate

        _own_components(self.path)  # another run's may be there
        other = None if table is None else Path(table)
        for step in evaluate(self.path, split, other, device, inputs):
            if isinstance(step, Evaluation):
                return step
        raise UserError(f"{self.path} gave no figures.", "Train it again.")

    def model(self, device: str = "auto") -> Model:
        """Its best model, ready to answer.

        Args:
            device: ``auto``, ``cpu``, ``cuda`` …

        Raises:
            UserError: It holds no model, or damaged files.
        """
        from mmstudio.api.model import Model

        _own_components(self.path)  # another run's may be there
        return Model(self.path, device)

"""Optuna's study of a search: it asks for a trial's values and is told how good they were."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError
from mmstudio.reading import reading
from mmstudio.search.folder import SearchFolder
from mmstudio.search.space import Dimension, Value

if TYPE_CHECKING:
    import optuna

FIRST_TRIALS = 5
"""So many trials are drawn at random, and are not pruned, before the others learn from them."""
EARLIEST = 3
"""The first tenth of a training after which a trial may be pruned."""
TENTHS = 10
WORKER, BASELINE, FAILED, SECONDS, PREPARED = (
    "worker", "baseline", "failed", "seconds", "prepared_s")
"""What is kept of a trial: whose it is, that it is the experiment as it was, that it failed, and
how long it took where its dates don't say it, and how much of that before its first step."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial that is over.

    Attributes:
        number: Counts from 0, which is the experiment as it was.
        state: ``done``, ``pruned`` or ``failed``; one that was stopped is none of these.
        values: Per key that varies its value.
        figure: Of the validation, more is better; nan where it failed.
        seconds: How long it took.
        is_baseline: Whether it is the experiment as it was.
        prepared_s: Of its seconds, those before its first step, where that is known.
    """

    number: int
    state: str
    values: dict[str, Value]
    figure: float
    seconds: float
    is_baseline: bool = False
    prepared_s: float = 0.0


class Study:
    """The trials of one search, in a journal that several processes may share.

    A trial's figures are reported once per tenth of its training, whatever number of epochs it
    has: trials are compared at the same share of their learning rate's course. One whose best
    figure so far lies below the median of the others' is pruned (Golovin et al. 2017, sec. 3.1.2);
    values are drawn by a tree-structured Parzen estimator (Bergstra et al. 2011).

    Args:
        files: Of the search.
        seed: Of what is drawn.

    Raises:
        UserError: Optuna is not installed.
    """

    def __init__(self, files: SearchFolder, seed: int) -> None:
        optuna = _optuna()
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        files.workers.mkdir(parents=True, exist_ok=True)
        journal = str(files.journal)
        lock = JournalFileOpenLock(journal)
        _end_torn_line(files.journal, lock)
        with reading(files.journal, "Delete this search and begin anew."):
            storage = JournalStorage(JournalFileBackend(journal, lock_obj=lock))
            self._study = optuna.create_study(
                storage=storage, study_name=files.name, direction="maximize",
                load_if_exists=True, pruner=optuna.pruners.MedianPruner(FIRST_TRIALS, EARLIEST))
        # a search that goes on must not draw the same values once more
        drawn = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=FIRST_TRIALS, seed=seed + drawn)
        self._files = files
        self._worker = uuid.uuid4().hex
        self._states = optuna.trial.TrialState

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Show others that this process lives, and take up what dead ones have left."""
        from filelock import FileLock

        with FileLock(self._files.workers / f"{self._worker}.lock"):
            self._take_up()
            yield
        (self._files.workers / f"{self._worker}.lock").unlink(missing_ok=True)

    def _take_up(self) -> None:
        """Trials whose process is gone are tried again."""
        for trial in self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
            worker = str(trial.user_attrs.get(WORKER, ""))
            if worker and self._lives(worker):
                continue
            self._study.tell(trial.number, state=self._states.FAIL)
            self._files.drop_trial(trial.number)
            self._study.enqueue_trial(dict(trial.params), skip_if_exists=False)

    def _lives(self, worker: str) -> bool:
        from filelock import FileLock, Timeout

        path = self._files.workers / f"{worker}.lock"
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        return False

    def again(self, values: dict[str, Value]) -> None:
        """Try these values next: their trial was stopped."""
        self._study.enqueue_trial(values, skip_if_exists=False)

    def add_baseline(
        self, space: Sequence[Dimension], values: dict[str, Value], figure: float,
        reports: dict[int, float], seconds: float, prepared_s: float = 0.0,
    ) -> None:
        """Note the experiment as it was, once it has been trained.

        Args:
            space: What varies.
            values: Its own values.
            figure: Of its validation.
            reports: Per tenth of its training its best figure till then.
            seconds: How long that took.
            prepared_s: Of these, before its first step.
        """
        import optuna

        distributions = {d.key: d.distribution() for d in space if d.key in values}
        self._study.add_trial(optuna.trial.create_trial(
            params=dict(values), distributions=distributions, value=figure,
            intermediate_values=reports,
            user_attrs={WORKER: self._worker, BASELINE: True, SECONDS: seconds,
                        PREPARED: prepared_s}))

    @property
    def others_at_work(self) -> bool:
        """Whether another living process has a trial under way."""
        running = self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,))
        return any((worker := str(t.user_attrs.get(WORKER, ""))) != self._worker
                   and self._lives(worker) for t in running)

    def ask(self, space: Sequence[Dimension]) -> tuple[optuna.Trial, dict[str, Value]]:
        """The next trial and its values."""
        trial = self._study.ask()
        trial.set_user_attr(WORKER, self._worker)
        return trial, {d.key: d.suggested(trial) for d in space}

    def tell(
        self, trial: optuna.Trial, state: str, figure: float, seconds: float | None = None
    ) -> None:
        """How a trial ended: ``done``, ``pruned``, ``failed`` or ``stopped``.

        Args:
            trial: That is over.
            state: How.
            figure: Of its validation.
            seconds: That it worked for, pauses left out; None goes by its dates.
        """
        if seconds is not None:
            trial.set_user_attr(SECONDS, seconds)
        if state == "done":
            self._study.tell(trial, figure)
            return
        if state == "failed":
            trial.set_user_attr(FAILED, True)
        self._study.tell(
            trial, state=self._states.PRUNED if state == "pruned" else self._states.FAIL)

    def trials(self) -> list[TrialRecord]:
        """Those that are over, in the order in which they began."""
        states = {self._states.COMPLETE: "done", self._states.PRUNED: "pruned",
                  self._states.FAIL: "failed"}
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            stopped = trial.state == self._states.FAIL and not trial.user_attrs.get(FAILED)
            if trial.state in states and not stopped:
                figure = float("nan") if trial.value is None else float(trial.value)
                length = float(trial.user_attrs.get(SECONDS) or (
                    trial.duration.total_seconds() if trial.duration else 0.0))
                found.append(TrialRecord(trial.number, states[trial.state],
                                         dict(trial.params), figure, length,
                                         bool(trial.user_attrs.get(BASELINE)),
                                         float(trial.user_attrs.get(PREPARED, 0.0))))
        return found

    def best(self) -> list[TrialRecord]:
        """The trials that were not pruned, the best first; of equal ones the earlier."""
        done = [t for t in self.trials() if t.state == "done"]
        return sorted(done, key=lambda t: (-t.figure, t.number))

    def importances(self) -> dict[str, float]:
        """How much each key moved the figure, as shares; empty where too few trials tell it.

        Functional ANOVA over a random forest (Hutter et al. 2014), as PED-ANOVA does it where
        that can't be computed.
        """
        optuna = _optuna()
        if sum(t.state == "done" for t in self.trials()) < FIRST_TRIALS:
            return {}
        try:
            found: dict[str, float] = optuna.importance.get_param_importances(self._study)
        except (RuntimeError, ValueError):  # all figures equal, or no key that all trials share
            return {}
        return found


def _end_torn_line(path: Path, lock: Any) -> None:
    """Cut a last line that a full disk or a power cut has torn: the next would be added to it."""
    if not path.is_file():
        return
    lock.acquire()
    try:
        with path.open("rb+") as journal:
            text = journal.read()
            if text and not text.endswith(b"\n"):
                journal.truncate(text.rfind(b"\n") + 1)
    finally:
        lock.release()


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("A search needs the package optuna.",
                        'Install it: pip install "mmstudio[search]".') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna

"""Optuna's study of a search: it asks for a trial's values and is told how good they were."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError
from mmstudio.search.folder import SearchFolder
from mmstudio.search.space import Dimension, Value

if TYPE_CHECKING:
    import optuna

FIRST_TRIALS = 5
"""So many trials are drawn at random, and are not pruned, before the others learn from them."""
EARLIEST = 3
"""The first tenth of a training after which a trial may be pruned."""
TENTHS = 10
WORKER = "worker"


@dataclass(frozen=True)
class TrialRecord:
    """A trial that is over.

    Attributes:
        number: Counts from 0, which is the experiment as it was.
        state: ``done``, ``pruned`` or ``failed``.
        values: Per key that varies its value.
        figure: Of the validation, more is better; nan where it failed.
        seconds: How long it took.
    """

    number: int
    state: str
    values: dict[str, Value]
    figure: float
    seconds: float


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
        storage = JournalStorage(
            JournalFileBackend(journal, lock_obj=JournalFileOpenLock(journal)))
        self._study = optuna.create_study(
            storage=storage, study_name=files.name, direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(FIRST_TRIALS, EARLIEST))
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

    def suggest_first(self, values: dict[str, Value]) -> None:
        """Try these values before any that are drawn."""
        self._study.enqueue_trial(values, skip_if_exists=True)

    def ask(self, space: Sequence[Dimension]) -> tuple[optuna.Trial, dict[str, Value]]:
        """The next trial and its values."""
        trial = self._study.ask()
        trial.set_user_attr(WORKER, self._worker)
        return trial, {d.key: d.suggested(trial) for d in space}

    def tell(self, trial: optuna.Trial, state: str, figure: float) -> None:
        """How a trial ended: ``done``, ``pruned`` or ``failed``."""
        if state == "done":
            self._study.tell(trial, figure)
        else:
            self._study.tell(
                trial, state=self._states.PRUNED if state == "pruned" else self._states.FAIL)

    def trials(self) -> list[TrialRecord]:
        """Those that are over, in the order in which they began."""
        states = {self._states.COMPLETE: "done", self._states.PRUNED: "pruned"}
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state in states:
                figure = float("nan") if trial.value is None else float(trial.value)
                length = trial.duration.total_seconds() if trial.duration else 0.0
                found.append(TrialRecord(trial.number, states[trial.state],
                                         dict(trial.params), figure, length))
        return found

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


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("A search needs the package optuna.",
                        'Install it: pip install "mmstudio[search]".') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna

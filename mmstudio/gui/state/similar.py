"""Find similar: the data in the model's shared representation, asked in jobs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.predictor_store import PredictorStore

if TYPE_CHECKING:
    from mmstudio.inference.similar import Similar, SimilarIndex

COUNT = 5
"""So many are shown of each input."""


class SimilarStore(QObject):
    """Keeps the index of the loaded model's data; made when something is first asked.

    Signals:
        found: Per input its nearest, a dictionary of lists of `Similar`.
        progressed: What the index is being made of, how many are done, of how many.
        failed: A message and a hint.
    """

    found = Signal(object)
    progressed = Signal(str, int, int)
    failed = Signal(str, str)

    def __init__(self, jobs: JobRunner, testing: PredictorStore) -> None:
        super().__init__(jobs)
        self._jobs, self._testing = jobs, testing
        self._index: SimilarIndex | None = None
        self._preparing, self._asking = (
            JobSlot(jobs, testing.scope) for _ in range(2))
        self._wanted: tuple[str, str | Path] | None = None
        testing.changed.connect(self.forget)

    @property
    def possible(self) -> bool:
        """Whether the loaded model was trained with alignment."""
        predictor = self._testing.predictor
        return predictor is not None and predictor.finds_similar

    @property
    def is_preparing(self) -> bool:
        """Whether the data is being brought into the shared representation."""
        return self._preparing.busy

    def forget(self) -> None:
        """Another model is loaded: what is known or on its way is of no use."""
        self.leave_off()
        self._index = None

    def ask(self, name: str, value: str | Path) -> None:
        """Look for what is nearest to an input's value; a newer question supersedes the older."""
        self._wanted = (name, value)
        if not self.possible or self._jobs.closed:
            return
        if self._index is None:
            self._prepare()
        else:
            self._look()

    def leave_off(self) -> None:
        """Nobody waits for an answer any more; a half made index is given up."""
        self._wanted = None
        self._preparing.cancel()
        self._asking.cancel()

    def _prepare(self) -> None:
        predictor = self._testing.predictor
        if self._preparing.busy or predictor is None:
            return

        def work() -> Generator[Any, None, SimilarIndex | None]:
            from mmstudio.inference.similar import SimilarIndex, similar_index

            index = None
            for step in similar_index(predictor):
                if isinstance(step, SimilarIndex):
                    index = step
                else:
                    yield step
            return index

        def done(index: SimilarIndex) -> None:
            self._index = index
            if self._wanted is not None:
                self._look()

        self._preparing.run(
            work, done, self.failed.emit, self._tell_progress, low_priority=True)

    def _tell_progress(self, steps: list[Any]) -> None:
        last = steps[-1]
        self.progressed.emit(last.message, last.done, last.total)

    def _look(self) -> None:
        predictor, index, wanted = self._testing.predictor, self._index, self._wanted
        if predictor is None or index is None or wanted is None:
            return
        name, value = wanted

        def work() -> dict[str, list[Similar]]:
            from mmstudio.inference.similar import find_similar

            return find_similar(predictor, index, name, value, COUNT)

        self._asking.run(work, self.found.emit, self.failed.emit)

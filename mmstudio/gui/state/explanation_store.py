"""Explanations: why the loaded model answers as it does, asked in jobs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job
from mmstudio.gui.state.predictor_store import PredictorStore

if TYPE_CHECKING:
    from mmstudio.explanation.explain import Explanation


@dataclass(frozen=True)
class Why:
    """An explanation, as far as it is known, ready for the screen.

    Attributes:
        explanation: What is known.
        marks: Per input what is drawn over its content, as its medium made it.
    """

    explanation: Explanation
    marks: dict[str, Any]


class ExplanationStore(QObject):
    """Asks for the newest explanation only; another model's never arrives.

    Signals:
        found: A `Why`; first what is known early, then the whole.
        failed: A message and a hint.
    """

    found = Signal(object)
    failed = Signal(str, str)

    def __init__(self, jobs: JobRunner, testing: PredictorStore) -> None:
        super().__init__(jobs)
        self._jobs, self._testing = jobs, testing
        self._asking = JobSlot(jobs, testing.scope)

    @property
    def busy(self) -> bool:
        """Whether more is on its way."""
        return self._asking.busy

    def leave_off(self) -> None:
        """Nobody waits for an explanation any more."""
        self._asking.cancel()

    def ask(
        self, inputs: Mapping[str, str | Path | None], use: set[str], task: str,
        label: str | None,
    ) -> None:
        """Explain one task's answer to a sample; what was asked before is left.

        Args:
            inputs: Per input its file or text.
            use: The inputs that may count.
            task: Whose answer.
            label: Which label; None for the one that is answered.
        """
        predictor = self._testing.predictor
        if predictor is None or self._jobs.closed:
            return
        kinds, given, jobs = dict(predictor.inputs), dict(inputs), list[Job]()

        def work() -> Generator[Why, None, Why]:
            from mmstudio.explanation.explain import explaining

            made: dict[str, Any] = {}

            def ready(explanation: Explanation) -> Why:
                for name, one in explanation.inputs.items():
                    if name not in made:
                        made[name] = medium_of(kinds[name]).marks(one.shown)
                return Why(explanation, dict(made))

            steps = explaining(
                predictor, given, task, label, use=set(use),
                should_stop=lambda: any(job.should_stop() for job in jobs))
            while True:
                try:
                    known = next(steps)
                except StopIteration as end:
                    return ready(end.value)
                yield ready(known)

        # one that is left must end soon: the next one waits for no answer, but for the processor
        jobs.append(self._asking.run(
            work, self.found.emit, self.failed.emit, lambda some: self.found.emit(some[-1])))

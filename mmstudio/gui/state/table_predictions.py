"""Predicting a table or a folder with the model on the Test page, in jobs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.heavy_work import HeavyWork, Work
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot, LatestSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.predictor_store import PredictorStore

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.table import Table
    from mmstudio.evaluation.drift import Drift
    from mmstudio.inference.answer_sheet import AnswerSheet
    from mmstudio.inference.predictor import Predictor
    from mmstudio.inference.sheet_question import SheetQuestion


class TablePredictions(QObject):
    """One table's answers. Another model, or another project, has none of them.

    `status` is "none", "reading", "working", "stopped", "done" or "failed"; `message` and `hint`
    say why it failed.

    Signals:
        changed: `status` is another.
        progressed: Carries rows answered, of how many, rows per second and seconds left.
        answered: Carries how many rows the sheet has by now.
        listed: Carries the rows that the newest question wants.
        written: Carries the path, and how many rows' answers are in it.
        not_written: A message and a hint.
        drift_changed: `drift`, or what is said of it on its way, is another.

    Attributes:
        source: The table's file, or the folder.
        sheet: The answers so far; None before the table is read.
        notes: What people should know of the table, as sentences.
        drift: Whether its rows look like those that the model learned from; None as long as that
            is not known.
        drift_words: What is being done to find that out, or why it can't be.
    """

    changed = Signal()
    progressed = Signal(int, int, float, float)
    answered = Signal(int)
    listed = Signal(object)
    written = Signal(object, int)
    not_written = Signal(str, str)
    drift_changed = Signal()

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, testing: PredictorStore
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._heavy, self._testing = jobs, libraries, heavy, testing
        self._job = JobSlot(jobs, testing.scope)
        self._comparing = JobSlot(jobs, testing.scope)
        self._writing = JobSlot(jobs, testing.scope)
        self._asking = LatestSlot(jobs, testing.scope)
        self._predictor: Predictor | None = None
        self.status = "none"
        self.message = self.hint = ""
        self.source: Path | None = None
        self.sheet: AnswerSheet | None = None
        self.notes: tuple[str, ...] = ()
        self.drift: Drift | None = None
        self.drift_words = ""
        testing.changed.connect(self._on_model)
        heavy.changed.connect(self._on_heavy)

    @property
    def comparing(self) -> bool:
        """Whether the rows are being compared with the training data."""
        return self._comparing.busy

    # Predicting ----------------------------------------------------------------------------

    def predict(self, source: Path) -> None:
        """Answer for all rows of a table, or for all samples in a folder."""
        predictor = self._testing.predictor
        if predictor is None or self._jobs.closed or self._heavy.refused():
            return
        self._forget()
        self._predictor, self.source = predictor, source

        def work() -> Generator[Any, None, None]:
            from mmstudio.data.table import read_table
            from mmstudio.inference.answer_sheet import AnswerSheet, absent_inputs
            from mmstudio.inference.folder_answers import folder_table

            table = (folder_table(source, predictor.experiment.active_inputs)
                     if source.is_dir() else read_table(source))
            notes = absent_inputs(predictor, table)
            sheet = AnswerSheet(predictor, table)
            yield "table", sheet, tuple(notes)
            yield from _answers(predictor, sheet, table)

        self._begin(work, "reading")

    def go_on(self) -> None:
        """Answer the remaining rows after it was stopped."""
        predictor, sheet = self._predictor, self.sheet
        if predictor is None or sheet is None or self._heavy.refused():
            return
        if len(sheet) < len(sheet.table):
            self._begin(lambda: _answers(predictor, sheet, sheet.table), "working")

    def stop(self) -> None:
        """Leave it off; what is answered stays."""
        if self._job.busy:
            self._job.cancel()
            self._be("stopped" if self.sheet is not None else "none")

    def close(self) -> None:
        """Have no table any more."""
        self._forget()
        self._be("none")

    def _begin(self, work: Any, status: str) -> None:
        self._be(status)
        self._heavy.runs_beside(self._job.run(
            work, lambda _: self._done(), self._fail, self._take, low_priority=True))

    def _take(self, steps: list[Any]) -> None:
        for kind, *rest in steps:
            if kind == "table":
                self.sheet, self.notes = rest
                self._be("working")
            elif self.sheet is not None:
                self.sheet.add(rest[0])
        if self.sheet is not None and steps[-1][0] == "rows":
            self.answered.emit(len(self.sheet))
            self.progressed.emit(len(self.sheet), len(self.sheet.table), *steps[-1][2:])

    def _done(self) -> None:
        self._be("done")
        self.compare()

    def _fail(self, message: str, hint: str) -> None:
        self.message, self.hint = message, hint
        self._be("failed")

    def _be(self, status: str) -> None:
        self.status = status
        self.changed.emit()

    def _forget(self) -> None:
        for slot in (self._job, self._comparing, self._writing, self._asking):
            slot.cancel()
        self._predictor = self.source = self.sheet = self.drift = None
        self.notes = ()
        self.message = self.hint = self.drift_words = ""

    def _on_model(self, predictor: Predictor | None) -> None:
        if predictor is not self._predictor:
            if self.status != "none":
                self.close()
            return
        # the same model: another could not be loaded; what was asked of this one was left
        if self.status in ("reading", "working"):
            self._be("stopped" if self.sheet is not None else "none")
        if self.drift_words and not self.comparing:
            self.drift_words = ""
            self.drift_changed.emit()

    def _on_heavy(self, work: Work | None) -> None:
        if work is not None:
            self.stop()
            self.stop_comparing()

    # What is done with the answers ---------------------------------------------------------

    def ask(self, question: SheetQuestion) -> None:
        """List the rows that a question wants; only the newest is answered."""
        sheet = self.sheet
        if sheet is not None:
            self._asking.ask(lambda: sheet.rows_of(question), self._list, self._jobs.problem.emit)

    def _list(self, rows: np.ndarray) -> None:
        self.listed.emit(rows)

    def write(self, path: Path) -> None:
        """Write the answers that there are."""
        sheet = self.sheet
        if sheet is None:
            return

        def work() -> Generator[Any, None, int]:
            count = 0
            for count in sheet.write(path):
                yield count
            return count  # by now the sheet may have more

        self._writing.run(
            work, lambda count: self.written.emit(path, count), self.not_written.emit)

    def compare(self) -> None:
        """Find out whether the rows look like those that the model learned from."""
        sheet, run, predictor = self.sheet, self._testing.run, self._predictor
        if sheet is None or run is None or predictor is None or self._heavy.running is not None:
            return
        table: Table = sheet.table

        def work() -> Generator[Any, None, Drift | None]:
            from mmstudio.evaluation.drift import Drift, drift

            result = None
            for step in drift(run, table, str(predictor.device)):
                if isinstance(step, Drift):
                    result = step
                else:
                    yield step
            return result

        self.drift, self.drift_words = None, self.tr("Comparing with the training data …")
        self._heavy.runs_beside(self._comparing.run(
            work, self._take_drift, self._fail_drift, self._tell_drift, low_priority=True))
        self.drift_changed.emit()

    def stop_comparing(self) -> None:
        """Leave the comparison off."""
        if self._comparing.busy:
            self._comparing.cancel()
            self.drift_words = ""
            self.drift_changed.emit()

    def _take_drift(self, result: Drift | None) -> None:
        self.drift, self.drift_words = result, ""
        self.drift_changed.emit()

    def _fail_drift(self, message: str, hint: str) -> None:
        self.drift_words = f"{message} {hint}".strip()
        self.drift_changed.emit()

    def _tell_drift(self, steps: list[Any]) -> None:
        self.drift_words = self.tr("Comparing with the training data · {what}: {done} of {all}"
                                   ).format(what=steps[-1].message, done=f"{steps[-1].done:,}",
                                            all=f"{steps[-1].total:,}")
        self.drift_changed.emit()


def _answers(
    predictor: Predictor, sheet: AnswerSheet, table: Table
) -> Generator[Any, None, None]:
    """The answers that a sheet lacks, for a job: "rows", the rows, the pace and the time left."""
    from mmstudio.inference.table_answers import predict_rows

    for chunk in predict_rows(predictor, table, range(len(sheet), len(table))):
        yield "rows", sheet.of(chunk), chunk.rows_per_s, chunk.seconds_left

"""Rows that are worth a look or a label, looked for in jobs that can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.errors import UserError
from mmstudio.gui.state import loading
from mmstudio.gui.state.heavy_work import HeavyWork, Work
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.data.table import Table
    from mmstudio.evaluation.findings import Finding
    from mmstudio.evaluation.label_review import Review

AT_ONCE = 100
"""Rows that are asked for a label before a model looks again."""
MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class Listed:
    """What was looked for.

    Attributes:
        findings: The most urgent or useful first.
        labels: Per target the labels that can be given by a key.
        run: The run whose model looked; None where there was none.
        words: What people should know of the list.
    """

    findings: tuple[Finding, ...]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    run: Path | None = None
    words: str = ""


class FindingsStore(QObject):
    """Looks for rows in one job at a time; heavy work goes first.

    `status` is "none", "working", "ready" or "failed"; `message` and `hint` say why.

    Signals:
        changed: `status`, and with it `listed`, is another.
        progressed: What is being done, how much of it, of how many.
    """

    changed = Signal()
    progressed = Signal(str, int, int)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project = project
        self._job = JobSlot(jobs, project.scope)
        self.status = "none"
        self.listed: Listed | None = None
        self.message = self.hint = ""
        project.changed.connect(lambda _: self._be("none"))
        heavy.changed.connect(self._on_heavy)

    def stop(self) -> None:
        """Leave off."""
        if self.status == "working":
            self._job.cancel()
            self._be("none")

    def _begin(self, work: Callable[[], Generator[Any, None, Listed]]) -> None:
        if self._jobs.closed or self._heavy.refused():
            return
        self._be("working")
        job = self._job.run(work, self._take, self._fail, self._tell, low_priority=True)
        self._heavy.runs_beside(job)

    def _take(self, listed: Listed) -> None:
        self._be("ready", listed)

    def _fail(self, message: str, hint: str) -> None:
        self.message, self.hint = message, hint
        self._be("failed")

    def _tell(self, steps: list[Any]) -> None:
        last = steps[-1]
        self.progressed.emit(last.message, last.done, last.total)

    def _be(self, status: str, listed: Listed | None = None) -> None:
        if status == "none":
            self._job.cancel()
        self.status, self.listed = status, listed
        self.changed.emit()

    def _on_heavy(self, work: Work | None) -> None:
        if work is not None:
            self.stop()


class ReviewStore(FindingsStore):
    """Likely label errors, leaks, near-duplicates and outliers in the data of a run."""

    def look_up(self, run: Path) -> None:
        """Show the review of a run that is there already, where it holds still."""
        table, name, experiment = (
            self._project.table, self._project.table_name, self._project.experiment)
        if table is None or experiment is None or self.status == "working":
            return

        def work() -> Listed | None:
            from mmstudio.evaluation.stored_review import contents_of, stored_review
            from mmstudio.evaluation.unlabelled import labels_offered

            found = stored_review(run)
            if found is None or (found.rows, list(found.columns)) != (len(table), table.columns):
                return None
            if found.contents != contents_of(table, experiment):
                return None
            try:
                check_same_table(run, name)
            except UserError:
                return None
            return Listed(found.findings, labels_offered(table, experiment), run, found.words)

        def done(listed: Listed | None) -> None:
            if listed is not None:
                self._take(listed)

        self._job.run(work, done, lambda *_: None)

    def begin(self, run: Path) -> None:
        """Look at all rows of the table that a run learned from."""
        table, name, experiment = (
            self._project.table, self._project.table_name, self._project.experiment)
        if table is None or experiment is None:
            return

        def work() -> Generator[Any, None, Listed]:
            self._libraries.wait()
            from mmstudio.evaluation.label_review import Review, review_labels
            from mmstudio.evaluation.stored_review import (
                StoredReview,
                contents_of,
                review_key,
                store_review,
            )
            from mmstudio.evaluation.unlabelled import labels_offered

            check_same_table(run, name)
            key = review_key(run)
            for step in review_labels(run):
                if not isinstance(step, Review):
                    yield step
                    continue
                check_rows(step.table, table)
                contents = contents_of(table, experiment)
                if contents_of(step.table, experiment) != contents:
                    raise changed_since(table)  # sorted anew, say: findings name rows by numbers
                words = words_of(step)
                store_review(run, StoredReview(
                    tuple(step.findings), words, len(table), tuple(table.columns), contents),
                    key)
                return Listed(tuple(step.findings), labels_offered(table, experiment), run, words)
            return Listed((), {}, run)

        self._begin(work)


class LabellingStore(FindingsStore):
    """Rows without a label: those first from which a model would learn most."""

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore,
    ) -> None:
        super().__init__(jobs, libraries, heavy, project)
        self._runs = runs

    def begin(self, target: str, settled: frozenset[int]) -> None:
        """Look for rows that lack a target's label.

        Args:
            target: Its name.
            settled: Rows that were decided on, which are not asked for again.
        """
        table, name, experiment = (
            self._project.table, self._project.table_name, self._project.experiment)
        if table is None or experiment is None:
            return
        runs = [run.path for run in self._runs.listed]

        def work() -> Generator[Any, None, Listed]:
            from mmstudio.evaluation.unlabelled import labels_offered, spread_rows

            rows = spread_rows(table, experiment, target)
            if not len(rows):
                raise UserError(f"Every row that has an input has a label for {target}.",
                                "Add rows with empty label cells to the table.")
            labels = labels_offered(table, experiment)
            run = next((r for r in runs if loading.has_model(r) and is_of(r, name, target)), None)
            found: list[Finding] = []
            if run is None:
                found = _plain([int(r) for r in rows if r not in settled], target)
            else:
                self._libraries.wait()
                found = yield from _useful(run, target, settled, set(rows.tolist()))
            return Listed(tuple(found), labels, run)

        self._begin(work)


def words_of(review: Review) -> str:
    """What was not judged, as sentences."""
    words = []
    if review.not_judged:
        words.append(f"Labels of {', '.join(review.not_judged)} were not judged: the task is not "
                     "built in.")
    if review.passed_over:
        words.append(f"{review.passed_over:,} labels of training rows were not judged: there are "
                     "too many different ones.")
    return " ".join(words)


def _plain(rows: list[int], target: str) -> list[Finding]:
    from mmstudio.evaluation.findings import UNLABELLED, Finding

    return [Finding(UNLABELLED, row, "", 0.0, target=target) for row in rows[:MOST_AT_ONCE]]


def _useful(
    run: Path, target: str, settled: frozenset[int], lacking: set[int]
) -> Generator[Any, None, list[Finding]]:
    """The rows of which a run's model is least sure."""
    from mmstudio.evaluation.choose_to_label import choose_to_label
    from mmstudio.evaluation.findings import UNLABELLED, Finding

    chosen: list[Any] = []
    for step in choose_to_label(run, min(MOST_AT_ONCE, AT_ONCE + len(settled))):
        if isinstance(step, list):
            chosen = step
        else:
            yield step
    return [Finding(UNLABELLED, one.row, "", 1 - one.uncertainty, target=target,
                    suggested=one.suggested.get(target, ""))
            for one in chosen if one.row in lacking and one.row not in settled]


def is_of(run: Path, table_name: str, target: str) -> bool:
    """Whether a run learned this target from the table that is open."""
    from mmstudio.training.run_folder import RunFolder

    try:
        experiment = RunFolder(run).experiment()
    except UserError:
        return False  # such a run is listed, and can't answer
    return str(experiment.data.table) == table_name and target in experiment.active_targets


def check_same_table(run: Path, table_name: str) -> None:
    """Refuse a run that learned from another table than the one that is open.

    Raises:
        UserError: It did.
    """
    from mmstudio.training.run_folder import RunFolder

    own = str(RunFolder(run).experiment().data.table)
    if own != table_name:
        raise UserError(f"This run learned from {own}; the project's table is {table_name} now.",
                        "Train again, then review that run.")


def check_rows(read: Table, table: Table) -> None:
    """Refuse a table that has changed on the disk since the project was opened.

    Raises:
        UserError: It has.
    """
    if len(read) != len(table) or read.columns != table.columns:
        raise changed_since(table)


def changed_since(table: Table) -> UserError:
    """What to say of a table that is another on the disk now."""
    return UserError(f"{table.path.name} was changed since the project was opened.",
                     "Open the project again.")

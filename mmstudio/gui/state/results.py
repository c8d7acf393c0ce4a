"""Results: a run's answers to a whole split, looked up or worked out in jobs."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state import loading
from mmstudio.gui.state.heavy_work import HeavyWork, Work
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore, own_run
from mmstudio.tasks import LABEL_SET, NUMBER, ONE_LABEL

if TYPE_CHECKING:
    from mmstudio.data.table import Table
    from mmstudio.evaluation.row_facts import RowFacts
    from mmstudio.evaluation.scores import Scores
    from mmstudio.experiment import Experiment
    from mmstudio.training.run_summary import RunSummary

AUTOMATIC_ROWS = 3000
"""So many rows are answered without a question when the page is opened."""
MOST_CELLS = 4_000_000
"""Of all confusion matrices together that are shown, counted before they are asked for."""
MOST_MATRICES = 32
KINDS = (ONE_LABEL.task, LABEL_SET.task, NUMBER.task)
"""Tasks whose answers can be read; those of a user's own can't."""


@dataclass(frozen=True)
class Shown:
    """What the page shows.

    Attributes:
        scores: The answers.
        facts: Per target that can be shown, what is told of its rows.
        experiment: The run's.
        table: The rows that the scores number.
        warnings: What people should know of the figures, as sentences.
    """

    scores: Scores
    facts: dict[str, RowFacts]
    experiment: Experiment
    table: Table
    warnings: tuple[str, ...] = ()


class ResultsStore(QObject):
    """Keeps one run's answers to one split.

    `status` is "none", "looking" (for kept ones), "missing" (they must be asked for), "working",
    "ready" or "failed"; `message` and `hint` say why.

    Signals:
        changed: `status`, and with it `shown`, is another.
        progressed: What is being done, how much of it, of how many.
        stepping_aside: Heavy work begins: no model may answer here any more.
    """

    changed = Signal()
    progressed = Signal(str, int, int)
    stepping_aside = Signal()

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore,
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project, self._runs = project, runs
        self._job = JobSlot(jobs, project.scope)
        self.run: Path | None = None
        self.split = "test"
        self.status = "none"
        self.shown: Shown | None = None
        self.message = self.hint = ""
        self._folder: Path | None = None
        self._counted: tuple[Path, str] | None = None
        project.changed.connect(self._on_project)
        heavy.changed.connect(self._on_heavy)

    def slot(self) -> JobSlot:
        """A place for jobs that need the answers; it is emptied with the project."""
        return JobSlot(self._jobs, self._project.scope)

    def rows(self, split: str = "") -> int:
        """How many rows a split has, the shown one by default, as far as the open table tells."""
        splits = self._project.splits
        return 0 if splits is None else int((splits == (split or self.split)).sum())

    @property
    def may_begin(self) -> bool:
        """Whether a model may answer rows that nobody asked for: nothing else is hard at work."""
        return self._heavy.running is None

    def wait_for_libraries(self) -> None:
        """Block a job's thread until a model can answer, or the window is closed."""
        self._libraries.wait()

    def model_runs(self) -> list[Path]:
        """The runs that have a model, newest first."""
        return [run.path for run in self._with_model()]

    def usual_run(self) -> Path | None:
        """The run that is shown where none was chosen; None where none has a model."""
        run = own_run(self._with_model())
        return None if run is None else run.path

    def _with_model(self) -> list[RunSummary]:
        return [run for run in self._runs.listed if loading.has_model(run.path)]

    def show(self, run: Path | None, split: str) -> None:
        """Show a run's answers to a split: kept ones at once, others where they are few."""
        self._job.cancel()
        self.run, self.split = run, split
        self.shown = None
        if run is None:
            self._be("none")
            return
        self._be("looking")
        table, name = self._project.table, self._project.table_name
        count = self._counted != (run, split)

        def work() -> Shown | None:
            from mmstudio.evaluation.scores import kept_scores

            found = kept_scores(run, split)
            return None if found is None else ready(found, table, name, count=count)

        self._job.run(work, self._looked, self._fail)

    def evaluate(self) -> None:
        """Have the model answer all rows of the split."""
        run, split = self.run, self.split
        if run is None or self._jobs.closed or self._heavy.refused():
            return
        table, name = self._project.table, self._project.table_name
        count = self._counted != (run, split)
        self._be("working")

        def work() -> Generator[Any, None, Shown]:
            self._libraries.wait()
            from mmstudio.evaluation.scores import scored

            found = yield from scored(run, split)
            return ready(found, table, name, count=count)

        job = self._job.run(work, self._take, self._fail, self._tell, low_priority=True)
        self._heavy.runs_beside(job)

    def may_answer(self) -> bool:
        """Whether a model may answer rows that a person asked for; why not is said."""
        return not self._heavy.refused()

    def runs_beside(self, job: Job) -> None:
        """Note a job of a tab in which a model may answer; the tab leaves it on `stepped_aside`."""
        self._heavy.runs_beside(job)

    def stop(self) -> None:
        """Leave the evaluation off."""
        if self.status == "working":
            self._job.cancel()
            self._be("missing")

    def _looked(self, found: Shown | None) -> None:
        few = 0 < self.rows() <= AUTOMATIC_ROWS
        if found is not None:
            self._take(found)
        elif few and self.may_begin:
            self.evaluate()
        else:
            self._be("missing")

    def _take(self, found: Shown) -> None:
        self.shown = found
        self._counted = (found.scores.run, found.scores.split)
        self._be("ready")

    def _fail(self, message: str, hint: str) -> None:
        self.message, self.hint = message, hint
        self._be("failed")

    def _tell(self, steps: list[Any]) -> None:
        last = steps[-1]
        self.progressed.emit(last.message, last.done, last.total)

    def _be(self, status: str) -> None:
        self.status = status
        self.changed.emit()

    def _on_heavy(self, work: Work | None) -> None:
        if work is not None:
            self.stop()
            self.stepping_aside.emit()

    def _on_project(self, folder: Path | None) -> None:
        if folder != self._folder:
            self._folder = folder
            self._counted = None
            self.show(None, "test")


def ready(scores: Scores, table: Table | None, table_name: str, *, count: bool = True) -> Shown:
    """The answers with what a page needs at once; for a job.

    Args:
        scores: The answers.
        table: The open one.
        table_name: As its experiment names it.
        count: Keep that the test rows are looked at, where these are they.
    """
    from mmstudio.data.table import read_table
    from mmstudio.evaluation.row_facts import RowFacts
    from mmstudio.training.run_folder import RunFolder

    experiment = RunFolder(scores.run).experiment()
    if table is None or str(experiment.data.table) != table_name:
        table = read_table(scores.run.resolve().parent.parent / experiment.data.table)
    facts = {name: RowFacts(scores, name) for name, task in scores.tasks.items()
             if task.kind in KINDS}
    for name, one in facts.items():
        _prepare(one, scores, name)
    return Shown(scores, facts, experiment, table, tuple(_warnings(scores, count=count)))


def _warnings(scores: Scores, *, count: bool) -> Iterator[str]:
    from mmstudio.evaluation.plain_figures import from_plain
    from mmstudio.inference.evaluation import looked_at
    from mmstudio.reading import reading
    from mmstudio.training.looks import count_looks

    run = scores.run
    with reading(run / "evaluation", "Delete this folder."):
        told = from_plain(scores.told)
    looks: int | None = 0
    if scores.split == "test":
        looks = looked_at(run, "test", None) if count else count_looks(run)
    yield from replace(told, looks=looks).warnings()  # those trained on are among `changed`


def _prepare(facts: RowFacts, scores: Scores, name: str) -> None:
    """Work out what is shown first."""
    task = scores.tasks[name]
    facts.confidence(0)
    facts.wrongness(0)
    facts.apart()
    for at in {0, *facts.alone.values()}:
        facts.answers(at)
        facts.confidence(at)
    if task.kind == ONE_LABEL.task:
        facts.mixups()
        for at in subsets_in_order(facts) if has_matrices(facts) else ():
            facts.confusion(at)


def has_matrices(facts: RowFacts) -> bool:
    """Whether a target's confusion matrices are small enough to be shown."""
    task = facts.task
    return task.kind != ONE_LABEL.task or len(task.labels) * len(task.classes) <= MOST_CELLS


def subsets_in_order(facts: RowFacts) -> list[int]:
    """All inputs, then each alone, then the others, the smaller first; not too many."""
    sizes = facts.scores.subsets.sum(axis=1)
    rest = sorted(range(1, len(sizes)), key=lambda at: (int(sizes[at]), at))
    order = [0, *rest]
    cells = max(1, len(facts.task.labels) * len(facts.task.classes))
    return order[: max(1, min(MOST_MATRICES, MOST_CELLS // cells))]

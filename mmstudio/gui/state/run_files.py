"""What is done with runs' folders: notes written, another name given, moved to the trash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.errors import UserError
from mmstudio.gui.state import loading
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.training.run_notes import RunNotes


class RunFiles(QObject):
    """Changes runs' folders in jobs; a run in training or in the queue stays as it is.

    `renamed` carries a run's old folder and the new one.
    """

    renamed = Signal(object, object)

    def __init__(self, jobs: JobRunner, heavy: HeavyWork, runs: RunsStore) -> None:
        super().__init__(jobs)
        self._jobs, self._heavy, self._runs = jobs, heavy, runs

    def note(self, notes: dict[Path, RunNotes]) -> None:
        """Write the notes of some runs."""

        def work() -> None:
            from mmstudio.training.run_notes import write_notes

            for run, one in notes.items():
                write_notes(run, one)

        self._start(work, lambda _: self._runs.refresh())

    def rename(self, run: Path, name: str) -> None:
        """Give a run another name; the one whose curves are on show is opened again under it."""
        shown = run == self._runs.shown

        def work() -> Path:
            from mmstudio.training.run_names import rename_run

            return rename_run(run, name)

        def check() -> None:
            from mmstudio.jobs_queue.in_use import refuse_promised
            from mmstudio.training.run_names import renamed_path

            new = renamed_path(run, name)
            if new != run:
                refuse_promised(run.parent.parent, new.name)

        def renamed(new: Path) -> None:
            self.renamed.emit(run, new)
            self._runs.refresh()
            if shown and self._runs.belongs(new):
                self._runs.open(new)

        def idle(result: tuple[list[Path], UserError | None]) -> None:
            if result[1] is not None:
                self._tell(result[1])
                return
            # a name that is refused must not close what is on show
            self._start(check, lambda _: let_go())

        def let_go() -> None:
            self._runs.let_go(run)
            self._start(work, renamed, not_renamed)

        def not_renamed() -> None:
            if shown and self._runs.belongs(run):
                self._runs.open(run)

        self._look([run], idle)

    def delete(self, runs: Sequence[Path]) -> None:
        """Move runs' folders to the trash, but for those in use, which are named."""

        def idle(result: tuple[list[Path], UserError | None]) -> None:
            free, refused = result
            for run in free:
                self._runs.let_go(run)

            def work() -> UserError | None:
                problem = refused
                for run in free:
                    try:
                        loading.move_to_trash(run)
                    except UserError as error:
                        problem = problem or error
                return problem

            def done(problem: UserError | None) -> None:
                self._runs.refresh()
                if problem is not None:
                    self._tell(problem)

            self._start(work, done)

        self._look(runs, idle)

    def _look(
        self, runs: Sequence[Path], done: Callable[[tuple[list[Path], UserError | None]], None]
    ) -> None:
        """Find those that nobody uses, and why the first of the others can't be touched."""
        here, wanted = self._heavy.run, list(runs)

        def work() -> tuple[list[Path], UserError | None]:
            from mmstudio.jobs_queue.in_use import refuse_in_use

            free, problem = [], None
            for run in wanted:
                try:
                    if run == here:  # its folder may not be there yet
                        raise UserError(f"The run {run.name} is being trained.",
                                        "Wait until it ends, or stop it first.")
                    refuse_in_use(run)
                    free.append(run)
                except UserError as error:
                    problem = problem or error
            return free, problem

        self._start(work, done)

    def _start(
        self, work: Callable[[], Any], done: Callable[[Any], None],
        mend: Callable[[], None] = lambda: None,
    ) -> None:
        def failed(message: str, hint: str) -> None:
            self._runs.refresh()
            mend()
            self._jobs.problem.emit(message, hint)

        self._jobs.start(work, done, failed)

    def _tell(self, problem: UserError) -> None:
        self._jobs.problem.emit(problem.message, problem.hint)

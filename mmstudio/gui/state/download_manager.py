"""Published models: which are on this computer, and fetching those that are not.

Nothing here goes to the network unasked: only `plan` and `download` do, and a click calls them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job, while_it_lives
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.pretrained import published

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.pretrained.download import Plan

SPEED_S = 8.0
"""The time left is told from the speed over so many seconds."""


@dataclass(frozen=True)
class ModelState:
    """What is known of a model now.

    Attributes:
        here: Whether it is on this computer; None until somebody looked.
        loading: Whether it is being downloaded.
        stopping: Whether the download was asked to end.
        done: Bytes that are here already.
        total: Bytes in all, 0 where not known.
        remaining_s: Seconds until it is here, None where not known.
        message: What went wrong; "" where nothing did.
        hint: What helps.
    """

    here: bool | None = None
    loading: bool = False
    stopping: bool = False
    done: int = 0
    total: int = 0
    remaining_s: float | None = None
    message: str = ""
    hint: str = ""


@dataclass
class _Download:
    """A model that is on its way; `seen` are the times and the bytes of the last seconds."""

    job: Job | None = None
    done: int = 0
    total: int = 0
    stopping: bool = False
    seen: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, done: int, total: int, now_s: float) -> None:
        """Note how far it is."""
        self.done, self.total = done, total
        self.seen.append((now_s, done))
        while len(self.seen) > 2 and now_s - self.seen[0][0] > SPEED_S:
            self.seen.popleft()

    def remaining_s(self) -> float | None:
        """Seconds left at the speed of the last seconds."""
        if len(self.seen) < 2 or not self.total:
            return None
        (since, before), (now, done) = self.seen[0], self.seen[-1]
        if done <= before or now <= since:
            return None
        return (self.total - done) * (now - since) / (done - before)


class DownloadManager(QObject):
    """Keeps what is known of the published models. `changed` is sent when there is more."""

    changed = Signal()

    def __init__(self, jobs: JobRunner, project: ProjectStore) -> None:
        super().__init__(jobs)
        self._jobs, self._project = jobs, project
        self._on_disk: frozenset[str] | None = None
        self._asked: set[tuple[str, str]] = set()
        self._looked: dict[tuple[str, str], ModelState] = {}
        self._downloads: dict[str, _Download] = {}
        self._ended: dict[str, tuple[int, int, str, str]] = {}
        self._plans: dict[str, Plan] = {}
        self._looking = JobSlot(jobs, jobs.scope)
        project.changed.connect(self._follow_project)
        project.experiment_changed.connect(self._follow_project)

    # What is here ---------------------------------------------------------------------------

    @property
    def downloading(self) -> bool:
        """Whether a model is on its way."""
        return bool(self._downloads)

    def is_here(self, model: str) -> bool | None:
        """Whether a model of the list is on this computer; None until somebody looked."""
        return None if self._on_disk is None else model in self._on_disk

    def take_plan(self, model: str, plan: Plan | None) -> None:
        """Remember what a download would fetch; None where the model is here."""
        if plan is not None:
            self._plans[model] = plan
            self._ended.pop(model, None)
        self.changed.emit()

    def plan_of(self, model: str) -> Plan | None:
        """What a download would fetch, where that was asked for."""
        return self._plans.get(model)

    def state(self, model: str, kind: str) -> ModelState:
        """What is known of a model that serves for a kind of input."""
        looked = self._looked.get((model, kind), ModelState(here=self.is_here(model)))
        download = self._downloads.get(model)
        if download is not None:
            return ModelState(
                False, True, download.stopping, download.done, download.total,
                None if download.stopping else download.remaining_s(),
            )
        if looked.here or looked.message:
            return looked
        done, total, message, hint = self._ended.get(model, (0, 0, "", ""))
        plan = self._plans.get(model)
        if plan is not None and not total:
            done, total = plan.present_bytes, plan.bytes
        return ModelState(looked.here, done=done, total=total, message=message, hint=hint)

    def used(self, experiment: Experiment | None = None) -> bool:
        """Whether an input in use has a published model; None means the open project's."""
        return bool(self._wanted(experiment))

    def missing(self, experiment: Experiment | None = None) -> list[tuple[str, str, str]]:
        """The inputs in use whose model is not on this computer: (input, model, kind)."""
        return [
            (name, model, kind) for name, model, kind in self._wanted(experiment)
            if self.state(model, kind).here is False
        ]

    def look(
        self, done: Callable[[], Any] | None = None, experiment: Experiment | None = None
    ) -> None:
        """See in the background what is on this disk.

        Args:
            done: Called when that is known.
            experiment: Whose models are looked for, and all that were before; None means the
                open project's.
        """
        self._asked |= {(model, kind) for _, model, kind in self._wanted(experiment)}
        wanted = frozenset(self._asked)

        def take(found: published.Found) -> None:
            self._on_disk = found.on_disk
            self._looked = {
                key: ModelState(here=error is None, message=(error or ("", ""))[0],
                                hint=(error or ("", ""))[1])
                for key, error in found.looked.items()
            }
            self.changed.emit()
            if done is not None:
                done()

        run = self._looking.run if done is None else self._jobs.start
        run(lambda: published.look(wanted), take)

    def _wanted(self, experiment: Experiment | None) -> list[tuple[str, str, str]]:
        experiment = experiment or self._project.experiment
        return [] if experiment is None else published.models_of(experiment)

    def follow(self, experiment: Experiment | None = None) -> None:
        """Look for an experiment's models where one of them is new; None means the project's."""
        wanted = {(model, kind) for _, model, kind in self._wanted(experiment)}
        shown = experiment or self._project.experiment
        # the boxes list what is on this disk, also where no published model is chosen
        unknown = shown is not None and self._on_disk is None and not self._looking.busy
        if unknown or not wanted <= set(self._looked):
            self.look(experiment=experiment)

    def _follow_project(self) -> None:
        self.follow()

    # Fetching -------------------------------------------------------------------------------

    def see_size(self, model: str, kind: str) -> None:
        """Ask the network for a model's size and licence, and show them where it is chosen."""

        def work(should_stop: Callable[[], bool]) -> Plan:
            from mmstudio.pretrained.download import planned

            return planned(model, kind, should_stop)

        def failed(message: str, hint: str) -> None:
            self._ended[model] = (0, 0, message, hint)
            self.changed.emit()

        self._ended.pop(model, None)
        # one that is waited for in vain ends with the window
        self._jobs.start(work, lambda plan: self.take_plan(model, plan), failed, stoppable=True)

    def download(self, model: str, done: Callable[[], Any] | None = None) -> None:
        """Fetch a model, or go on where it was stopped; `done` is called once it is here."""
        if model in self._downloads or self._jobs.closed:
            return
        self._ended.pop(model, None)
        download = self._downloads[model] = _Download()

        def work(should_stop: Callable[[], bool]) -> Iterator[Any]:
            from mmstudio.pretrained import download as fetching

            yield from fetching.download(model, should_stop=should_stop)

        download.job = self._jobs.start(
            work,
            lambda _: self._on_done(model, done),
            lambda message, hint: self._on_failed(model, message, hint),
            lambda events: self._on_events(model, events),
            orderly=True,  # what is there already is kept
            stoppable=True,
        )
        self.changed.emit()

    def stop(self, model: str) -> None:
        """End a download soon; what is there already is kept."""
        download = self._downloads.get(model)
        if download is not None and download.job is not None:
            download.stopping = True
            download.job.stop()
            self.changed.emit()

    def remove(
        self, model: str, done: Callable[[], Any], failed: Callable[[str, str], Any]
    ) -> None:
        """Delete a model from this disk."""
        done, failed = while_it_lives(done), while_it_lives(failed)

        def gone(_: object) -> None:
            self.look()
            done()

        self._jobs.start(lambda: published.remove(model), gone, failed)

    def _on_events(self, model: str, events: list[Any]) -> None:
        last = events[-1]
        self._downloads[model].take(last.done, last.total, time.monotonic())
        self.changed.emit()

    def _on_done(self, model: str, done: Callable[[], Any] | None) -> None:
        download = self._downloads.pop(model)
        self._ended[model] = (download.done, download.total, "", "")

        def told() -> None:
            if done is not None and not download.stopping and self.is_here(model):
                done()

        self.look(told)

    def _on_failed(self, model: str, message: str, hint: str) -> None:
        download = self._downloads.pop(model)
        self._ended[model] = (download.done, download.total, message, hint)
        self.look(self.changed.emit)

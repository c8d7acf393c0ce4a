"""``mmstudio train`` in one of several processes that torchrun has started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mmstudio.cli.changes import changed
from mmstudio.cli.interrupt import after_the_epoch, interrupts
from mmstudio.cli.output import print_json
from mmstudio.cli.run_names import can_go_on, check_name, resumed, say_how_to_go_on
from mmstudio.errors import UserError
from mmstudio.training.distributed.started import is_quiet, job, restarts

if TYPE_CHECKING:
    from mmstudio.training.distributed.ranks import Ranks


JOB = "torchrun.txt"
"""In a run's folder, which torchrun began it, where that one may start it again."""
MOST_BYTES = 1000


def shared_training(
    experiment_file: Path, run: str, device: str, changes: list[str], resume: bool, as_json: bool
) -> None:
    """Train together with the other processes; the first one shows what happens.

    Where torchrun has started all of them again, the run that it began goes on after its last
    checkpoint.

    Raises:
        UserError: What the user can mend; one of the processes tells it.
    """
    folder = experiment_file.resolve().parent
    try:
        wanted = _device(experiment_file, run, device, changes, resume)
    except UserError:
        if is_quiet():  # the first one says the same
            raise SystemExit(1) from None
        raise
    from mmstudio.experiment import Experiment
    from mmstudio.training.distributed.ranks import joined
    from mmstudio.training.loop import train

    with (joined(wanted) as ranks, interrupts(is_quiet()) as interrupted,
          after_the_epoch(is_quiet()) as last_epoch):
        run, resume = ranks.first_says(
            _chosen(experiment_file, run, resume) if ranks.first else None)
        experiment = (resumed(folder, run)[0] if resume else Experiment.load(experiment_file))
        experiment = changed(experiment, changes, device)
        events = train(experiment, folder / "runs" / run, folder=folder, resume=resume,
                       should_stop=interrupted, stop_after_epoch=last_epoch, ranks=ranks)
        if ranks.first and restarts()[1]:
            events = _noted(events, folder / "runs" / run)
        _show(events, folder / "runs" / run, ranks, as_json)
        ranks.wait()  # for the last look, which the first one takes alone
        ended, wished = ranks.any(interrupted()), ranks.any(last_epoch())
        if ranks.first and (ended or (wished and can_go_on(folder / "runs" / run))):
            say_how_to_go_on(experiment_file, run)
        if ended:
            raise typer.Exit(130)


def _device(
    experiment_file: Path, run: str, device: str, changes: list[str], resume: bool
) -> str:
    """What ``training.device`` is, of the run where it goes on.

    Raises UserError for what is wrong before anything begins.
    """
    from mmstudio.experiment import Experiment

    if restarts()[1] and not run:
        raise UserError("With --max-restarts the run needs a name, by which it is found again.",
                        "Give --run NAME.")
    experiment = (resumed(experiment_file.resolve().parent, run)[0] if resume
                  else Experiment.load(experiment_file))
    return changed(experiment, changes, device).training.device


def _chosen(experiment_file: Path, run: str, resume: bool) -> tuple[str, bool]:
    """The name of the run, and whether it goes on; for the first process to say."""
    from mmstudio.experiment import Experiment
    from mmstudio.training.run_names import next_run_name

    folder = experiment_file.resolve().parent
    if resume:
        return resumed(folder, run)[1], True
    name = run or next_run_name(folder, Experiment.load(experiment_file))
    check_name(name)
    begun = (folder / "runs" / name / "experiment.toml").is_file()
    return name, restarts()[0] > 0 and begun and _begun_by_this_job(folder / "runs" / name)


def _begun_by_this_job(run: Path) -> bool:
    """Whether the torchrun that starts again began the run: another one's is not taken over."""
    from mmstudio.reading import read_bytes

    try:
        return read_bytes(run / JOB, MOST_BYTES) == job().encode()
    except OSError:  # the refusal that the run is there already says it
        return False


def _noted(events: Iterator[Any], run: Path) -> Iterator[Any]:
    """The events of a run; when it has begun, which torchrun began it stands in its folder."""
    from mmstudio.safe_files import write_whole
    from mmstudio.training.events import Started

    for event in events:
        if isinstance(event, Started):
            try:
                write_whole(run / JOB, job())
            except OSError as error:
                raise UserError(f"{run / JOB} can't be written: {error}.",
                                "Free some space, and begin again.") from None
        yield event


def _show(events: Iterator[Any], run: Path, ranks: Ranks, as_json: bool) -> None:
    if not ranks.first:
        for _ in events:
            pass
    elif as_json:
        for event in events:
            print_json(event.to_json())
    else:
        from mmstudio.cli.progress import show_training

        show_training(events, run)

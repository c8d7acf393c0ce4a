"""The ensemble of a search: the models of its finals and of its best trials."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.evaluation.ensembling import EnsembleMade, make_ensemble
from mmstudio.search.events import SearchEvent, SearchTold
from mmstudio.search.folder import SearchFolder
from mmstudio.search.study import Study, TrialRecord
from mmstudio.training.events import Preparing
from mmstudio.training.run_folder import RunFolder

MOST_IN_ENSEMBLE = 12
"""So many trials keep their models until the end, the best ones; the finals' come on top."""


def trial_run(files: SearchFolder, trial: TrialRecord) -> RunFolder:
    """A trial's run folder."""
    return files.baseline if trial.is_baseline else files.trial(trial.number)


def ensemble_of(
    files: SearchFolder, study: Study, finals: Sequence[Path], *, folder: Path, device: str,
    target: str | None, most: int | None = None,
) -> Generator[SearchEvent, None, EnsembleMade | str]:
    """Bring the best models together, then let the trials' models go.

    Args:
        files: Of the search.
        study: Its trials.
        finals: The finals' runs, the best first.
        folder: The project.
        device: As in ``training.device``.
        target: Whose figure counts; None takes all.
        most: So many models at most there is time to ask; the finals come first.

    Returns:
        The ensemble, or why there is none.
    """
    trials = [trial_run(files, trial) for trial in study.best()]
    kept = [run.path for run in trials if run.has_model()]
    candidates = [*finals, *kept][:most]
    name = f"{files.name}.ensemble"
    number = 2
    while (folder / "runs" / name).exists():  # of a search that was killed right after it
        name, number = f"{files.name}.ensemble-{number}", number + 1
    made: EnsembleMade | str = "There was no time to ask the models."
    try:
        for step in make_ensemble(candidates, name, folder=folder, device=device,
                                  target=target) if candidates else ():
            if isinstance(step, Progress):
                yield SearchTold(name, Preparing(step.message, step.done, step.total))
            else:
                made = step
    except UserError as error:
        made = f"{error.message} {error.hint}".strip()
    for run in trials:
        files.drop_weights_of(run)
    return made


def ensemble_sentence(made: EnsembleMade | str, main: dict[str, str]) -> str:
    """What came of it, for people.

    Args:
        made: As ``ensemble_of`` gave it.
        main: Per target its main figure's name.
    """
    if isinstance(made, str):
        return f" No ensemble was made: {made}"
    reached = ", ".join(
        f"{target} {figure} {made.figures[target][figure]:.3f} (the best of them alone "
        f"{made.best_alone[target][figure]:.3f})"
        for target, figure in main.items() if figure in made.figures.get(target, {}))
    count = len(made.members)
    together = (f"{count} models together, runs/{made.run}, reach" if count > 1
                else f"No other model helps the best one, which runs/{made.run} holds: it reaches")
    return f" {together} {reached} on the validation rows, by which they were chosen."

"""The command line, and the door to the app."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import mmstudio
from mmstudio.cli_advise import advise
from mmstudio.cli_compare import compare
from mmstudio.cli_fit import fit
from mmstudio.cli_given import check_device, input_pair
from mmstudio.cli_interrupt import interrupts
from mmstudio.cli_models import download, models
from mmstudio.cli_similar import show_retrieval, similar
from mmstudio.errors import UserError, nearest

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]

COMMANDS = ("demo", "new", "train", "compare", "evaluate", "predict", "check", "advise",
            "fit", "components", "models", "download", "similar", "app")
app = typer.Typer(
    name="mmstudio", add_completion=False, no_args_is_help=False, rich_markup_mode=None,
    help="The desktop workbench for multimodal learning in PyTorch. "
         "'mmstudio [PROJECT]' opens the app.")


def main() -> None:
    """Run the command line. Exits with 0, 1 (the user can mend it), 2 (usage) or 130."""
    arguments = sys.argv[1:]
    # 'mmstudio [PROJECT]' opens the app: a first word that is no command is a project
    if not arguments or (arguments[0] not in COMMANDS and not arguments[0].startswith("-")):
        arguments = ["app", *arguments]
    try:
        from mmstudio.training.device import prepare_process

        if arguments[0] == "app" and arguments[2:] and not arguments[1].startswith("-"):
            _check_project(Path(arguments[1]))  # before the words behind it are called too many
        prepare_process()
        app(arguments, standalone_mode=True)
    except UserError as error:
        _say(f"{error.message}\n{error.hint}".strip())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        _say("Interrupted.")
        raise SystemExit(130) from None
    except BrokenPipeError:
        # the reader of our output left; nothing more can be told
        sys.stdout = None
        raise SystemExit(0) from None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False), flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"mmstudio {mmstudio.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The desktop workbench for multimodal learning in PyTorch."""


@app.command("app")
def open_app(
    project: Annotated[Path | None, typer.Argument(help="A project folder.")] = None,
) -> None:
    """Open the app, on a project where one is given."""
    if project is not None:
        _check_project(project)
    try:
        from mmstudio.gui.app import main as run_app

        code = run_app(project)
    except ImportError as error:
        raise UserError(
            f"The window can't be opened: {error}.",
            "On Debian or Ubuntu install: libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 "
            "libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libdbus-1-3. Or use the commands "
            "listed by 'mmstudio --help', which need no window.") from None
    raise typer.Exit(code)


def _check_project(project: Path) -> None:
    """A word that is no folder is likely a command, mistyped."""
    if not project.exists():
        raise UserError(f"There is no folder {project}.",
                        f"Give a project folder. {nearest(str(project), COMMANDS)}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")], as_json: Json = False
) -> None:
    """Write the sample project: a digit seen, heard and read."""
    from mmstudio.data.demo import write_demo

    experiment = write_demo(folder)
    if as_json:
        _print_json({"experiment": str(experiment)})
    else:
        print(f"The sample project is in {folder}.\n"
              f"Open it:   mmstudio {shlex.quote(str(folder))}\n"
              f"Train it:  mmstudio train {shlex.quote(str(experiment))}")


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="The project's folder; made where missing.")],
    data: Annotated[Path, typer.Option("--data", metavar="SOURCE", help="A table, or a folder "
                                       "of media.")],
    as_json: Json = False,
) -> None:
    """Make a project from your own data: writes its experiment.toml and tells what it says."""
    from mmstudio.data.new_project import propose, write_project

    proposal = propose(data)
    experiment = write_project(folder, proposal)
    if as_json:
        _print_json({"experiment": str(experiment)} | proposal.to_json())
        return
    from mmstudio.cli_proposal import show_proposal

    show_proposal(proposal)
    print(f"Change it:  {experiment}\n"
          f"Check it:   mmstudio check {shlex.quote(str(experiment))}\n"
          f"Train it:   mmstudio train {shlex.quote(str(experiment))}")


@app.command()
def train(
    experiment_file: Annotated[Path, typer.Argument(metavar="EXPERIMENT",
                                                    help="An experiment.toml.")],
    run: Annotated[str, typer.Option("--run", help="The run's name; a free one by default.")] = "",
    device: Device = "",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    as_json: Json = False,
) -> None:
    """Train an experiment; the run is written to runs/NAME beside the experiment file."""
    folder = experiment_file.resolve().parent
    if resume:
        experiment, run = _resumed(folder, run)
    else:
        from mmstudio.experiment import Experiment

        experiment = Experiment.load(experiment_file)
    from mmstudio.cli_changes import changed

    experiment = changed(experiment, changes or [], device)
    if not run:
        from mmstudio.training.run_folder import next_run_name

        run = next_run_name(folder, experiment)
    if Path(run).name != run or run in (".", ".."):
        raise UserError(f"--run {run} is no name.", "Give a name without slashes.")
    from mmstudio.cli_progress import show_training
    from mmstudio.training.loop import train as train_run

    with interrupts() as interrupted:
        events = train_run(experiment, folder / "runs" / run, folder=folder, resume=resume,
                           should_stop=interrupted)
        if as_json:
            for event in events:
                _print_json(event.to_json())
        else:
            show_training(events, folder / "runs" / run)
    if interrupted():
        _say(f"Go on with it:  mmstudio train {shlex.quote(str(experiment_file))} "
             f"--run {shlex.quote(run)} --resume")
        raise typer.Exit(130)


app.command()(compare)


def _resumed(folder: Path, run: str) -> tuple[Any, str]:
    from mmstudio.training.run_folder import RunFolder, list_runs

    if not run:
        runs = list_runs(folder)
        if not runs:
            raise UserError(f"{folder / 'runs'} holds no run to resume.",
                            "Train without --resume first.")
        run = runs[0].name
    return RunFolder.existing(folder / "runs" / run).experiment(), run


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    table: Annotated[Path | None, typer.Option(help="Another table, all rows of which count.")]
    = None,
    device: Device = "auto",
    inputs: Annotated[bool, typer.Option(
        "--inputs", help="What each input is worth too: figures of every subset,"
        " contributions, interactions.")] = False,
    as_json: Json = False,
) -> None:
    """Print the figures of a run's best model."""
    from mmstudio.cli_progress import last_of, show_evaluation
    from mmstudio.inference.evaluate import evaluate as evaluate_run

    check_device(device)
    result = last_of(evaluate_run(run, split, table, device, inputs), quiet=as_json)
    for warning in result.warnings():
        _say(f"Warning: {warning}")
    if as_json:
        _print_json(result.to_json())
        return
    show_evaluation(result)
    if result.retrieval:
        show_retrieval(result.retrieval, result.source)
    if result.inputs is not None:
        from mmstudio.cli_inputs import show_input_scores

        show_input_scores(result.inputs, result.main_figures)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="A file or text; may be repeated."),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="A table of samples.")] = None,
    output: Annotated[Path | None, typer.Option(
        help="Where the table's answers go: .csv, .tsv, .jsonl or .parquet.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Answer for one sample, any subset of its inputs, or for all rows of a table.

    A cell of a table that can't be read counts as absent; the column 'error' says why. Exits with
    1 where not one row could be answered.
    """
    if table is not None and inputs:
        raise typer.BadParameter("give --input or --table, not both")
    if table is not None and output is None and not as_json:
        raise typer.BadParameter("--table needs --output answers.csv, or --json")
    if table is None and output is not None:
        raise typer.BadParameter("--output is for the answers of a --table")
    from mmstudio.inference.predictor import Predictor
    from mmstudio.inference.table_answers import check_place

    if output is not None:
        check_place(output)
    check_device(device)
    predictor = Predictor(run, device)
    if table is None:
        prediction = predictor.predict(_given_inputs(predictor, inputs or []))
        if as_json:
            _print_json(prediction.to_json())
        else:
            from mmstudio.cli_progress import show_prediction

            show_prediction(prediction)
        return
    _predict_table(predictor, table, output, as_json)


def _given_inputs(predictor: Any, inputs: list[str]) -> dict[str, str | Path | None]:
    given: dict[str, str | Path | None] = {}
    for pair in inputs:
        name, value = input_pair(pair, predictor.inputs)
        modality = predictor.model.modalities[name]
        given[name] = modality.locate(value, Path.cwd()) if value else None
    return given


def _predict_table(predictor: Any, path: Path, output: Path | None, as_json: bool) -> None:
    from mmstudio.cli_progress import progress
    from mmstudio.data.table import read_table
    from mmstudio.inference.table_answers import AnswerWriter

    table = read_table(path)
    failed, partly = 0, 0

    def answers() -> Iterator[Any]:
        for done, answer in enumerate(predictor.predict_table(table), start=1):
            yield "Predicting", done, len(table), answer

    with AnswerWriter(output, table, predictor) as writer:
        for row, answer in enumerate(progress(answers(), quiet=as_json)):
            if isinstance(answer, UserError):
                failed += 1
                _say(str(answer))
            elif answer.error:
                partly += 1
                _say(answer.error)
            writer.write(row, answer)
            if as_json:
                error = {"row": row, "error": str(answer)}
                _print_json(error if isinstance(answer, UserError)
                            else {"row": row} | answer.to_json())
    if failed == len(table):
        raise UserError(f"Not one row of {path} could be answered.",
                        "Mend what is told above; paths are relative to the table.")
    if not as_json:
        rest = f", {partly} of them without what can't be read" if partly else ""
        print(f"{len(table) - failed} of {len(table)} rows answered in {output}{rest}.")


@app.command()
def check(
    experiment_file: Annotated[Path, typer.Argument(metavar="EXPERIMENT",
                                                    help="An experiment.toml.")],
    mend: Annotated[str, typer.Option(
        "--mend", metavar="KIND", help="Mend the problems of this kind: the experiment file is"
        " changed, and rows to leave out are listed beside it; the data stays as it is.")] = "",
    as_json: Json = False,
) -> None:
    """Read and decode all data and report what is wrong with it.

    Exits with 0 whatever is told of rows, and with 1 where nothing can be trained like this.
    """
    from mmstudio.cli_progress import last_of, show_report
    from mmstudio.data.checks import KINDS
    from mmstudio.data.checks import check as check_data
    from mmstudio.experiment import Experiment
    from mmstudio.training.model import completed

    if mend and mend not in KINDS:
        raise UserError(f"There is no kind of problem '{mend}'.", nearest(mend, KINDS))
    loaded = Experiment.load(experiment_file)
    folder = experiment_file.resolve().parent
    report = last_of(check_data(completed(loaded), folder), quiet=as_json)
    summary = _mend(loaded, experiment_file, report, mend) if mend else None
    if as_json:
        _print_json(report.to_json() | ({"mended": summary} if summary is not None else {}))
    else:
        show_report(report)
        if summary is not None:
            print(summary)
    if any(p.kind == "table" for p in report.problems):
        raise typer.Exit(1)


def _mend(experiment: Any, experiment_file: Path, report: Any, kind: str) -> str:
    """Mend the problems of one kind; what was done, as a sentence."""
    from mmstudio.data.mend import mended

    problems = [p for p in report.problems if p.kind == kind]
    if not problems:
        return f"There is nothing of the kind '{kind}' to mend."
    result = mended(experiment, experiment_file.resolve().parent, problems)
    result.write(experiment_file.resolve().parent)
    result.experiment.save(experiment_file)
    return result.summary


app.command()(advise)
app.command()(fit)
app.command()(models)
app.command()(download)
app.command()(similar)


@app.command()
def components(
    kind: Annotated[str, typer.Argument(help="encoder, fusion or task; all by default.")] = "",
    as_json: Json = False,
) -> None:
    """List every encoder, fusion and task with its options, ranges and defaults."""
    from mmstudio.cli_progress import show_components
    from mmstudio.encoders import ENCODERS
    from mmstudio.fusion import FUSIONS
    from mmstudio.modalities import MODALITIES
    from mmstudio.tasks import TASKS

    registries: dict[str, Any] = {r.kind: r for r in (MODALITIES, ENCODERS, FUSIONS, TASKS)}
    singular = kind.removesuffix("s") if kind not in registries else kind
    if kind and singular not in registries:
        raise UserError(f"There is no kind '{kind}'.", nearest(kind, registries))
    chosen: Iterable[Any] = [registries[singular]] if kind else registries.values()
    listed = [_described(registry.kind, cls)
              for registry in chosen for cls in registry.classes().values()]
    if as_json:
        for item in listed:
            _print_json(item)
    else:
        show_components(listed)


def _described(kind: str, cls: Any) -> dict[str, Any]:
    from mmstudio.registry import options_of

    data = {"kind": kind, "name": cls.name, "title": cls.title, "summary": cls.summary,
            "source": cls.source}
    if kind == "encoder":
        data["modality"] = cls.modality
    return data | {"options": {n: o.to_json() for n, o in options_of(cls).items()}}

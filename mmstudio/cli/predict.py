"""``mmstudio predict``: answers for one sample, or for all rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Device, Json, check_device, resolved_inputs
from mmstudio.cli.output import print_json, say, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run


def predict(
    run: Annotated[Path, typer.Argument(
        metavar="RUN", help="A run folder, or a folder that was exported.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="A file or text; may be repeated."),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="A table of samples.")] = None,
    folder: Annotated[Path | None, typer.Option(
        help="A folder of files: those of one name are one sample. Stopped, it can go on.")] = None,
    output: Annotated[Path | None, typer.Option(
        help="Where a table's or folder's answers go: .csv, .tsv, .jsonl or .parquet.")] = None,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Answer for one sample, any subset of its inputs, or for all rows of a table or a folder.

    A cell of a table that can't be read counts as absent; the column 'error' says why. Exits with
    1 where not one row could be answered.
    """
    if sum((table is not None, folder is not None, bool(inputs))) > 1:
        raise typer.BadParameter("give one of --input, --table and --folder")
    if table is not None and output is None and not as_json:
        raise typer.BadParameter("--table needs --output answers.csv, or --json")
    if folder is not None and output is None:
        raise typer.BadParameter("--folder needs --output answers.csv")
    if table is None and folder is None and output is not None:
        raise typer.BadParameter("--output is for the answers of a --table or a --folder")
    from mmstudio.inference.table_answers import check_place

    if output is not None:
        check_place(output)
    predictor = _opened(run, device, trust)
    if folder is not None and output is not None:
        _predict_folder(predictor, run, folder, output, as_json)
        return
    if table is None:
        prediction = predictor.predict(resolved_inputs(predictor, inputs or []))
        if as_json:
            print_json(prediction.to_json())
        else:
            from mmstudio.cli.progress import show_prediction

            show_prediction(prediction)
        return
    _predict_table(predictor, table, output, as_json)


def _opened(run: Path, device: str, trust: bool) -> Any:
    """What answers: a run's model, or an exported one."""
    from mmstudio.export.opened import ExportedPredictor, is_exported

    if is_exported(run):
        return ExportedPredictor(run)
    from mmstudio.inference.ensemble import open_model

    own_components(project_of_run(run), trust)
    check_device(device)
    return open_model(run, device)


def _predict_table(predictor: Any, path: Path, output: Path | None, as_json: bool) -> None:
    from mmstudio.cli.progress import progress
    from mmstudio.data.table import read_table
    from mmstudio.inference.table_answers import AnswerWriter, table_answers

    table = read_table(path)
    failed, partly = 0, 0

    def answers() -> Iterator[Any]:
        for done, answer in enumerate(table_answers(predictor, table), start=1):
            yield "Predicting", done, len(table), answer

    with AnswerWriter(output, table, predictor) as writer:
        for row, answer in enumerate(progress(answers(), quiet=as_json)):
            if isinstance(answer, UserError):
                failed += 1
                say(str(answer))
            elif answer.error:
                partly += 1
                say(answer.error)
            writer.write(row, answer)
            if as_json:
                error = {"row": row, "error": str(answer)}
                print_json(error if isinstance(answer, UserError)
                           else {"row": row} | answer.to_json())
    if failed == len(table):
        raise UserError(f"Not one row of {path} could be answered.",
                        "Fix what is listed above; paths are relative to the table.")
    if not as_json:
        rest = f", {partly} of them without what can't be read" if partly else ""
        tell(f"{len(table) - failed} of {len(table)} rows answered in {output}{rest}.")


def _predict_folder(predictor: Any, run: Path, folder: Path, output: Path, as_json: bool) -> None:
    """Answer for all samples in a folder; what is answered is kept until all are."""
    from mmstudio.cli.interrupt import interrupts
    from mmstudio.cli.progress import progress
    from mmstudio.inference.folder_answers import SAMPLE, KeptAnswers, folder_table, rest_of
    from mmstudio.inference.table_answers import AnswerWriter, table_answers

    settings = (predictor.settings if hasattr(predictor, "settings")
                else predictor.experiment.active_inputs)
    table = folder_table(folder, settings)
    kept = KeptAnswers(output.with_name(f"{output.name}.part"), _origin(run, folder))
    rest = list(rest_of(table, kept))
    before = len(kept.found)

    def steps() -> Iterator[Any]:
        asked = table.with_frame(table.frame[[row for row, _ in rest]])
        for done, pair in enumerate(zip(rest, table_answers(predictor, asked), strict=True),
                                    start=before + 1):
            yield "Predicting", done, len(table), pair

    with interrupts() as stopped:
        for (_, sample), answer in progress(steps() if rest else iter(()), quiet=as_json):
            kept.add(sample, answer)
            if stopped():
                tell(f"{len(kept.found)} of {len(table)} samples are answered; the same command "
                     "goes on from there.")
                raise typer.Exit(130)
    answers = [kept.found[sample] for sample in table.column(SAMPLE).to_list()]
    faults = [answer for answer in answers if isinstance(answer, UserError)]
    with AnswerWriter(output, table, predictor) as writer:
        for row, answer in enumerate(answers):
            writer.write(row, answer)
    kept.done()
    for fault in faults:
        say(str(fault))
    if len(faults) == len(table):
        raise UserError(f"Not one sample of {folder} could be answered.",
                        "Fix what is listed above.")
    if as_json:
        print_json({"answered": len(table) - len(faults), "samples": len(table),
                    "output": str(output)})
    else:
        tell(f"{len(table) - len(faults)} of {len(table)} samples answered in {output}.")


def _origin(run: Path, folder: Path) -> dict[str, Any]:
    """What answers are of: the model as it is now, what calibrates it, and the folder."""
    place = next((p for p in (run / "model.onnx", run / "best.safetensors", run) if p.is_file()),
                 run)
    state = place.stat()
    calibration = run / "calibration.json"  # an evaluation meanwhile changes the scores
    kept = calibration.stat() if calibration.is_file() else None
    return {"model": str(place.resolve()), "size": state.st_size, "changed": state.st_mtime_ns,
            "calibration": None if kept is None else [kept.st_size, kept.st_mtime_ns],
            "folder": str(folder.resolve())}

"""``mmstudio predict``: answers for one sample, or for all rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmstudio.cli.arguments import Device, Json, check_device, resolved_inputs
from mmstudio.cli.output import print_json, say, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.data.table import Table
    from mmstudio.inference.table_answers import AnsweredRows


def predict(
    run: Annotated[Path, typer.Argument(
        metavar="RUN", help="A run folder, or a folder that was exported.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="A file or text; may be repeated."),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="A table of samples.")] = None,
    folder: Annotated[Path | None, typer.Option(
        help="A folder of files: those of one name are one sample.")] = None,
    output: Annotated[Path | None, typer.Option(
        help="Where a table's or folder's answers go: .csv, .tsv, .jsonl or .parquet.")] = None,
    device: Device = "auto",
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Answer for one sample, any subset of its inputs, or for all rows of a table or a folder.

    Stopped with Ctrl-C, the same command goes on where it stopped; with --json it prints the rest.
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
        check_place(output, table)
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
    _predict_table(predictor, run, table, output, as_json)


def _opened(run: Path, device: str, trust: bool) -> Any:
    """What answers: a run's model, or an exported one."""
    from mmstudio.export.opened import ExportedPredictor, is_exported

    if is_exported(run):
        return ExportedPredictor(run)
    from mmstudio.inference.ensemble import open_model

    own_components(project_of_run(run), trust)
    check_device(device)
    return open_model(run, device)


def _predict_table(predictor: Any, run: Path, path: Path, output: Path | None,
                   as_json: bool) -> None:
    """Answer for all rows of a table."""
    from mmstudio.data.table import read_table

    table = read_table(path)
    keys = list(map(str, range(len(table))))
    faults, partly = _answered(predictor, table, keys, output, _origin(run, path), as_json)
    if faults == len(table):
        raise UserError(f"Not one row of {path} could be answered.",
                        "Fix what is listed above; paths are relative to the table.")
    if not as_json:
        rest = f", {partly} of them without what can't be read" if partly else ""
        tell(f"{len(table) - faults} of {len(table)} rows answered in {output}{rest}.")


def _predict_folder(predictor: Any, run: Path, folder: Path, output: Path, as_json: bool) -> None:
    """Answer for all samples in a folder."""
    from mmstudio.inference.folder_answers import folder_table, sample_keys

    settings = (predictor.settings if hasattr(predictor, "settings")
                else predictor.experiment.active_inputs)
    table = folder_table(folder, settings)
    faults, _ = _answered(predictor, table, sample_keys(table), output, _origin(run, folder),
                          False, quiet=as_json)
    if faults == len(table):
        raise UserError(f"Not one sample of {folder} could be answered.",
                        "Fix what is listed above.")
    if as_json:
        print_json({"answered": len(table) - faults, "samples": len(table),
                    "output": str(output)})
    else:
        tell(f"{len(table) - faults} of {len(table)} samples answered in {output}.")


def _answered(
    predictor: Any, table: Table, keys: list[str], output: Path | None, of: dict[str, Any],
    as_json: bool, *, quiet: bool = False,
) -> tuple[int, int]:
    """Answer all rows; what is answered is kept beside the output until all are.

    Returns:
        How many rows have no answer, and how many one from some of their inputs only.

    Raises:
        typer.Exit: It was stopped.
    """
    from mmstudio.cli.interrupt import interrupts
    from mmstudio.cli.progress import progress
    from mmstudio.inference.kept_answers import KeptAnswers, is_fault
    from mmstudio.inference.table_answers import AnswerWriter, predict_rows

    writer = AnswerWriter(output, table, predictor)
    if output is None:
        counted = [0, 0]
        for chunk in predict_rows(predictor, table):
            _tell_chunk(chunk, as_json)
            cells = [writer.cells(answer) for answer in chunk.answers]
            counted[0] += sum(map(is_fault, cells))
        return counted[0], 0
    kept = KeptAnswers(output.with_name(f"{output.name}.part"), of, writer.width)
    rest = [row for row, key in enumerate(keys) if key not in kept.cells]
    before = len(keys) - len(rest)

    def steps() -> Iterator[Any]:
        for chunk in predict_rows(predictor, table, rest):
            yield "Predicting", before + chunk.done, len(keys), chunk

    with interrupts() as stopped:
        for chunk in progress(steps(), quiet=as_json or quiet):
            kept.add([keys[row] for row in chunk.rows], list(map(writer.cells, chunk.answers)))
            _tell_chunk(chunk, as_json)
            done = before + chunk.done
            if stopped() and done < len(keys):
                say(f"{done} of {len(keys)} are answered; run the same command to "
                    "continue.")
                raise typer.Exit(130)
    each = [kept.cells[key] for key in keys]  # a file that was changed left an answer of its own
    with writer:
        for row, one in enumerate(each):
            writer.write_cells(row, one)
    kept.done()
    faults = sum(map(is_fault, each))
    return faults, sum(one[-1] is not None for one in each) - faults


def _tell_chunk(chunk: AnsweredRows, as_json: bool) -> None:
    """Say what can't be read, and print the answers where that is asked for."""
    for row, answer in zip(chunk.rows, chunk.answers, strict=True):
        error = str(answer) if isinstance(answer, UserError) else answer.error
        if error:
            say(error)
        if as_json:
            print_json({"row": row, "error": error} if isinstance(answer, UserError)
                       else {"row": row} | answer.to_json())


def _origin(run: Path, source: Path) -> dict[str, Any]:
    """What answers are of: the model as it is now, what calibrates it, and the table or folder."""
    states = [(str(place.resolve()), place.stat()) for place in _model_files(run)]
    calibration = run / "calibration.json"  # an evaluation meanwhile changes the scores
    calibrated = calibration.stat() if calibration.is_file() else None
    table = source.stat() if source.is_file() else None  # a folder's samples have names
    return {"model": [[place, state.st_size, state.st_mtime_ns] for place, state in states],
            "calibration": None if calibrated is None else [
                calibrated.st_size, calibrated.st_mtime_ns],
            "source": str(source.resolve()),
            "table": None if table is None else [table.st_size, table.st_mtime_ns]}


def _model_files(run: Path) -> list[Path]:
    """The files whose change makes a run, an ensemble or an export another model."""
    from mmstudio.training.ensemble_file import FILE, is_ensemble, members_of

    if is_ensemble(run):
        return [run / FILE, *(_weights(member) for member, _ in members_of(run))]
    return [_weights(run)]


def _weights(run: Path) -> Path:
    return next((p for p in (run / "model.onnx", run / "best.safetensors") if p.is_file()), run)

"""``mmstudio predict``: answers for one sample, or for all rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.given import Device, Json, check_device, given_inputs
from mmstudio.cli.output import print_json, say, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run


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
    trust: Trust = False,
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
    own_components(project_of_run(run), trust)
    check_device(device)
    predictor = Predictor(run, device)
    if table is None:
        prediction = predictor.predict(given_inputs(predictor, inputs or []))
        if as_json:
            print_json(prediction.to_json())
        else:
            from mmstudio.cli.progress import show_prediction

            show_prediction(prediction)
        return
    _predict_table(predictor, table, output, as_json)


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

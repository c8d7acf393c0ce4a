"""``mmstudio export``: a run's model as a folder that answers without the app."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.arguments import Json
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.own_components import project_of_run


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    zipped: Annotated[bool, typer.Option("--zip", help="Write FOLDER.zip too.")] = False,
    include_samples: Annotated[bool, typer.Option(
        "--include-samples", help="Use eight samples of your data, not made-up ones, for the "
        "self-test; they leave the machine with the folder.")] = False,
    kind: Annotated[str, typer.Option(
        "--format", help="onnx, or torch: safetensors and code for those who use torch.")] = "onnx",
    quantized: Annotated[bool, typer.Option(
        "--quantize", help="8-bit weights; the loss in accuracy is measured and shown.")] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Write a run's model as ONNX with all that it needs to answer without mmstudio and torch.

    It is run once in a process without them; where a score differs from the app's by more than
    0.0001, nothing is exported.
    """
    from mmstudio.cli.progress import last_of
    from mmstudio.export.exporting import export as export_run

    own_components(project_of_run(run), trust)
    done = last_of(export_run(run, folder, zipped=zipped, include_samples=include_samples,
                              quantized=quantized, kind=kind), quiet=as_json)
    if as_json:
        print_json({
            "folder": str(done.folder), "archive": done.archive and str(done.archive),
            "largest_difference": done.largest, "answers": done.answers,
            "milliseconds": done.milliseconds, "size_bytes": done.size_bytes,
            "quantized": done.quantized and done.quantized.to_json()})
        return
    without = "torch" if kind == "onnx" else "mmstudio"
    tell(f"The model is in {done.folder} ({done.size_bytes / 1e6:.1f} MB). Without {without} its "
         f"{done.answers} answers differ from the app's by up to {done.largest:.1e}; "
         f"{done.milliseconds:.1f} ms per sample.")
    if done.quantized is not None:
        cost = done.quantized
        tell(f"Weights of 8 bits, on {cost.rows:,} {cost.split} rows:")
        for line in cost.lines():
            tell(f"  {line}")
        tell(f"  {cost.sizes[0] / 1e6:.2f} MB with 32 bits, {cost.sizes[1] / 1e6:.2f} MB with 8")
    if done.archive is not None:
        tell(f"All of it as one file: {done.archive}")
    program = done.folder / ("predict.py" if kind == "onnx" else "model.py")
    tell(f"Ask it:  python {shlex.quote(str(program))} --help")

"""``mmstudio serve``: a run or an exported model over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Device, check_device
from mmstudio.cli.output import tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError
from mmstudio.own_components import project_of_run

OWN = ("127.0.0.1", "0.0.0.0")  # a browser on this machine reaches both by this name


def serve(
    place: Annotated[Path, typer.Argument(
        metavar="RUN_OR_FOLDER", help="A run folder, or a folder that was exported.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens.")] = 8000,
    host: Annotated[str, typer.Option(
        help="Where to listen: 127.0.0.1 for this machine alone, 0.0.0.0 for others too.")]
    = "127.0.0.1",
    most_megabytes: Annotated[float, typer.Option(
        min=0.001, max=2000, help="Of a request.")] = 32.0,
    ui: Annotated[bool, typer.Option(
        "--ui", help="A page at / to drop files into and to see the answers as bars.")] = False,
    device: Device = "auto",
    trust: Trust = False,
) -> None:
    """Answer over HTTP: POST /predict, GET /schema and /health; /docs shows how to ask.

    Content comes in the request itself, as a form or as JSON with base64; no path and no address is
    opened. Requests that wait are answered together.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(f"Serving needs a package that is missing: {error.name}.",
                        'Install it:  pip install ".[serve]"') from None
    from mmstudio.export.opened import ExportedPredictor, ServedRun, is_exported
    from mmstudio.export.shipped.serve import MOST_PIXELS
    from mmstudio.export.shipped.serve import serve as serve_model

    model: Any
    if is_exported(place):
        model = ExportedPredictor(place, MOST_PIXELS).model
    else:
        own_components(project_of_run(place), trust)
        check_device(device)
        model = ServedRun(place, device)
    tell(f"Answering at {host}, port {port}; Ctrl-C ends it.")
    if ui:
        tell(f"Ask from a browser:  http://{'localhost' if host in OWN else host}:{port}/")
    serve_model(model, host, port, round(most_megabytes * 1e6), ui)

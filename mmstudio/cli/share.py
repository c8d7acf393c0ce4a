"""``mmstudio push`` and ``mmstudio pull``: models to and from the Hugging Face hub."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmstudio.cli.arguments import Json
from mmstudio.cli.output import print_json, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.own_components import project_of_run

if TYPE_CHECKING:
    from mmstudio.export.sharing import SharedFile

Name = Annotated[str, typer.Argument(metavar="USER/NAME", help="The model on the hub.")]


def push(
    place: Annotated[Path, typer.Argument(
        metavar="RUN_OR_FOLDER", help="A run, which is exported, or an exported folder.")],
    name: Name,
    yes: Annotated[bool, typer.Option(
        "--yes", help="Send it; without --yes, what would be sent is shown.")] = False,
    public: Annotated[bool, typer.Option(
        "--public", help="Let everybody see it; by default, a new model is private.")] = False,
    licence: Annotated[str, typer.Option(
        "--license", metavar="NAME", help="The model's, as the hub calls it, such as mit.")] = "",
    include_samples: Annotated[bool, typer.Option(
        "--include-samples", help="Send eight samples of your data too, for the self-test.")]
    = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Send a model with its card to the Hugging Face hub, as you are logged in there.

    Nothing is sent without --yes, and nothing of your data without --include-samples.
    """
    from mmstudio.cli.progress import last_of
    from mmstudio.export import sharing
    from mmstudio.export.exporting import export
    from mmstudio.export.opened import is_exported

    sharing.check_name(name)
    with tempfile.TemporaryDirectory() as beside:
        folder = place
        if not is_exported(place):
            own_components(project_of_run(place), trust)
            folder = last_of(export(place, Path(beside) / "model",
                                    include_samples=include_samples), quiet=as_json).folder
        files = sharing.files_to_push(folder, include_samples)
        address = sharing.push(folder, name, files, licence=licence, public=public) if yes else ""
        if as_json:
            print_json({"sent": yes, "name": name, "address": address,
                        "files": [{"name": f.name, "bytes": f.size} for f in files]})
            return
        _show(files)
        if not yes:
            tell(sharing.hub_card(folder, licence))
            tell(f"Nothing was sent: --yes sends this to {name}, "
                 + ("for everybody to see, unless it is there already and private."
                    if public else "which stays or becomes private, or is refused."))
        else:
            tell(f"Sent: {address}")


def pull(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="Only show what would be fetched.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a model that was pushed, and try it.

    No program is taken from the hub, and nothing that could be one: the programs in FOLDER are
    those of this mmstudio.
    """
    from mmstudio.cli.progress import last_of
    from mmstudio.export import sharing

    wanted = sharing.listed(name)
    if not as_json:
        _show(wanted.files)
        if wanted.left:
            tell(f"Not taken: {', '.join(wanted.left)}")
    tested = None if dry_run else last_of(sharing.pull(wanted, folder), quiet=as_json)
    if as_json:
        print_json({"fetched": not dry_run, "name": name, "revision": wanted.revision,
                    "folder": None if dry_run else str(folder), "not_taken": list(wanted.left),
                    "largest_difference": tested and tested["largest"],
                    "files": [{"name": f.name, "bytes": f.size} for f in wanted.files]})
    elif not dry_run:
        how = ("It brings no self-test." if tested is None else
               f"Its self-test agrees: scores differ by up to {tested['largest']:.1e}.")
        tell(f"The model is in {folder}. {how}")


def _show(files: Sequence[SharedFile]) -> None:
    for file in files:
        tell(f"{file.size / 1e6:10.2f} MB  {file.name}")
    tell(f"{sum(file.size for file in files) / 1e6:10.2f} MB  together")

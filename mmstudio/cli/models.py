"""``mmstudio models`` and ``mmstudio download``: published models, here and to be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmstudio.cli.arguments import Json
from mmstudio.cli.output import print_json, say, tell
from mmstudio.errors import UserError, nearest

if TYPE_CHECKING:
    from mmstudio.pretrained.download import Plan, Progress


def models(
    kind: Annotated[str, typer.Argument(help="image, text or audio; all by default.")] = "",
    as_json: Json = False,
) -> None:
    """List published models for encoders, and which of them are on this disk."""
    from mmstudio.pretrained.catalogue import KINDS

    if kind and kind not in KINDS:
        raise UserError(f"There is no kind '{kind}'.", nearest(kind, KINDS))
    chosen = [kind] if kind else list(KINDS)
    listed = [item for each in chosen for item in _listed(each)]
    if as_json:
        for item in listed:
            print_json(item)
    else:
        _show_models(listed)


def download(
    model: Annotated[str, typer.Argument(
        metavar="MODEL", help="One of 'mmstudio models', or any Hugging Face id: owner/name.")],
    look: Annotated[bool, typer.Option(
        "--dry-run", help="Only show its size and licence.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a published model; what an earlier download has fetched of it is kept."""
    from mmstudio.pretrained.download import download as fetch
    from mmstudio.pretrained.download import planned

    plan = planned(model)
    if as_json:
        print_json(_plan_json(plan))
    else:
        _show_plan(plan)
    if look:
        return
    try:
        if as_json:
            for step in fetch(model):
                print_json({"event": "progress", "done": step.done, "total": step.total})
            print_json({"event": "downloaded", "model": plan.model})
        else:
            _show_download(fetch(model))
            tell(f"{plan.model} is on this disk.")
    except KeyboardInterrupt:
        say("Stopped. What has arrived is kept: run the same command to continue.")
        raise


def _listed(kind: str) -> Iterator[dict[str, Any]]:
    """The models of a kind: those of the list, then what else is on this disk."""
    from mmstudio.pretrained.catalogue import catalogue, default_model
    from mmstudio.pretrained.source import on_disk

    here = on_disk(kind)
    ids = [entry.id for entry in catalogue(kind)]
    for entry in catalogue(kind):
        yield entry.to_json() | {"on_disk": entry.id in here,
                                 "default": entry.id == default_model(kind)}
    for model in here:
        if model not in ids:
            yield {"model": model, "kind": kind, "on_disk": True, "default": False}


def _show_models(listed: list[dict[str, Any]]) -> None:
    from mmstudio.cli.terminal import Console
    from mmstudio.pretrained.catalogue import READS
    from mmstudio.units import size_text

    console = Console()

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    kind = ""
    for item in listed:
        if item["kind"] != kind:
            line(("\n" if kind else "") + f"For {READS[item['kind']]} (encoder "
                 f"pretrained_{item['kind']})", "bold")
            kind = item["kind"]
        marks = [word for word, said in (("on this disk", item["on_disk"]),
                                         ("the default", item["default"])) if said]
        line(f"  {item['model']}" + (f"  [{', '.join(marks)}]" if marks else ""))
        if "title" in item:
            line(f"      {item['good_for']}")
            by = f"by '{item['install']}'" if item["install"] else "to download"
            line(f"      {size_text(item['download_bytes'])} {by}, "
                 f"{size_text(item['memory_bytes'])} of memory "
                 f"({size_text(item['training_memory_bytes'])} to train all of it), "
                 f"{item['licence']}, {item['languages']}")
    name = f"pretrained_{listed[0]['kind']}"
    line("\nAny other Hugging Face model of these kinds works too, by its id owner/name.\n"
         "Fetch one:  mmstudio download MODEL\n"
         f"Use it:     encoder = {{ name = \"{name}\", model = \"MODEL\" }}")


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {"event": "plan", "model": plan.model, "bytes": plan.bytes,
            "present_bytes": plan.present_bytes, "licence": plan.licence, "gated": plan.gated,
            "kinds": sorted(plan.kinds), "files": [file.name for file in plan.files]}


def _show_plan(plan: Plan) -> None:
    from mmstudio.units import size_text

    licence = plan.licence or "unknown: see the model's page"
    tell(f"{plan.model}: {size_text(plan.bytes)}, licence {licence}")
    if plan.present_bytes:
        tell(f"{size_text(plan.present_bytes)} of it are on this disk already.")


def _show_download(steps: Iterator[Progress]) -> None:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from mmstudio.cli.terminal import Console

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
               TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        for step in steps:
            bar.update(task, description=step.message, completed=step.done,
                       total=step.total or None)

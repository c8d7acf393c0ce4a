"""``mmstudio components``: every encoder, fusion and task with its options."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Json
from mmstudio.cli.output import print_json, say
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError, nearest
from mmstudio.registry import PROBLEMS


def components(
    kind: Annotated[str, typer.Argument(help="encoder, fusion or task; all by default.")] = "",
    project: Annotated[Path | None, typer.Option(
        "--project", metavar="FOLDER", help="With the components of this project's own.")] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """List every encoder, fusion and task with its options, ranges and defaults."""
    from mmstudio.encoders import ENCODERS
    from mmstudio.fusion import FUSIONS
    from mmstudio.modalities import MODALITIES
    from mmstudio.tasks import TASKS

    if project is not None:
        own_components(project, trust)
    registries: dict[str, Any] = {r.kind: r for r in (MODALITIES, ENCODERS, FUSIONS, TASKS)}
    singular = kind.removesuffix("s") if kind not in registries else kind
    if kind and singular not in registries:
        raise UserError(f"There is no kind '{kind}'.", nearest(kind, registries))
    chosen: Iterable[Any] = [registries[singular]] if kind else registries.values()
    listed = [_described(registry.kind, cls)
              for registry in chosen for cls in registry.classes().values()]
    for problem in PROBLEMS:
        say(problem)
    if as_json:
        for item in listed:
            print_json(item)
    else:
        if not kind or singular == ENCODERS.kind:
            print_automatic()
        show_components(listed)


def _described(kind: str, cls: Any) -> dict[str, Any]:
    from mmstudio.registry import options_of

    data = {"kind": kind, "name": cls.name, "title": cls.title, "summary": cls.summary,
            "source": cls.source}
    if kind == "encoder":
        data["modality"] = cls.modality
    return data | {"options": {n: o.to_json() for n, o in options_of(cls).items()}}


def print_automatic() -> None:
    """What stands for no encoder of the list."""
    from mmstudio.cli.terminal import Console
    from mmstudio.experiment import AUTO

    Console().print(f"\n[bold]encoder {AUTO}[/]: Chosen when training starts, by what your data "
                    "shows; the default, for every kind of input.", highlight=False)


def show_components(listed: list[dict[str, Any]]) -> None:
    """Each component with its options."""
    from mmstudio.cli.terminal import Console

    console = Console()
    for item in listed:
        reads = f" for {item['modality']}" if "modality" in item else ""
        console.print(f"\n[bold]{item['kind']} {item['name']}[/]{reads}: {item['summary']}",
                      highlight=False)
        if item["source"]:
            console.print(f"  after {item['source']}", highlight=False, markup=False)
        for name, option in item["options"].items():
            allowed = ", ".join(option.get("choices", []))
            if "minimum" in option:
                allowed = f"{option['minimum']:g} to {option['maximum']:g}"
            console.print(f"  {name} = {option['default']}  ({allowed or option['kind']})  "
                          f"{option['help']}", highlight=False, markup=False)

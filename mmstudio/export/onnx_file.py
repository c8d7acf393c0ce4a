"""From the graph to an ONNX file: standard operators, dynamic batch, time and length."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from mmstudio.errors import UserError
from mmstudio.export.rewritten import OPSET

"""Of the example that is traced: a batch of one would be taken for always one."""
COMMAND = 'pip install ".[export]"'


def check_installed() -> None:
    """Refuse to begin without what writes ONNX.

    Raises:
        UserError: A package is missing; tells the command.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"Exporting needs a package that is missing: {error.name}.",
                        f"Install it:  {COMMAND}") from None


def traced(
    graph: torch.nn.Module, example: Mapping[str, torch.Tensor],
    dynamic: Mapping[str, Sequence[int]],
) -> torch.export.ExportedProgram:
    """The graph as torch's own program.

    Args:
        graph: The model.
        example: Tensors by name, ``ROWS`` rows each.
        dynamic: Per tensor its sides that may have any length.

    Raises:
        Exception: Of whatever kind a component's code ran into.
    """
    shapes = {name: {side: torch.export.Dim.DYNAMIC for side in dynamic[name]}
              for name in example}
    with _quiet(), torch.no_grad(), _lengths_open(graph):
        return torch.export.export(
            graph, (dict(example),), dynamic_shapes=(shapes,), strict=False)


def write_onnx(
    program: torch.export.ExportedProgram, path: Path, inputs: Sequence[str],
    outputs: Sequence[str], metadata: Mapping[str, str],
    sides: Mapping[str, Mapping[int, str]],
) -> None:
    """Write a program as ONNX.

    Args:
        program: As ``traced`` gave it.
        path: The file; of more than 2 GB the weights stand in ``PATH.data`` beside it.
        inputs: The tensors' names, in the order of the example.
        outputs: Likewise.
        metadata: What stands in the file beside the graph.
        sides: Per input what its open sides are called.
    """
    with _quiet(), torch.no_grad():
        made = torch.onnx.export(
            program, input_names=list(inputs), output_names=list(outputs), opset_version=OPSET,
            external_data=False, optimize=False, verbose=False)
        if made is None:
            raise RuntimeError("nothing was made")
        _simplify(made.model)
        _names_apart(made.model.graph, {*inputs, *outputs})
        _name_sides(made.model.graph, sides)
        made.model.metadata_props.update(metadata)
        made.model.producer_name = "mmstudio"
        made.model.graph.doc_string = ""
        _forget_code(made.model.graph)
        made.save(str(path))


def _simplify(model: Any) -> None:
    """Inline and fold what is constant.

    The exporter's own way also tries hundreds of patterns on each node, for minutes; the runtime
    does that by itself when it loads the file.
    """
    from onnxscript import optimizer

    optimizer.inline(model)
    optimizer.fold_constants(model, onnx_shape_inference=True)
    optimizer.remove_unused_nodes(model)


def _forget_code(graph: Any) -> None:
    """Drop where each node's code stands: places of this machine are nobody else's business."""
    for node in graph.all_nodes():
        for key in ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node"):
            node.metadata_props.pop(key, None)


def _name_sides(graph: Any, sides: Mapping[str, Mapping[int, str]]) -> None:
    """Call open sides by what they are; the exporter numbers them."""
    import onnx_ir

    names: dict[str, str] = {}
    for value in graph.inputs:
        for side, name in sides[value.name].items():
            names.setdefault(str(value.shape[side]), name)
            value.shape[side] = name
    batch = names.get("batch", "batch")
    for value in graph.outputs:
        if value.shape is not None and not isinstance(value.shape[0], int):
            value.shape = onnx_ir.Shape([batch, *list(value.shape)[1:]])
    for node in graph.all_nodes():  # their sizes are told in the old names
        for value in node.outputs:
            if value not in graph.outputs:
                value.shape = None


def _names_apart(graph: Any, taken: set[str]) -> None:
    """Rename what inside the graph is called like one of its inputs or outputs."""
    ends = {id(value) for value in (*graph.inputs, *graph.outputs)}
    inside = [value for node in graph.all_nodes() for value in node.outputs]
    for value in inside:
        if value.name in taken and id(value) not in ends:
            value.name = f"inside of {value.name}"


def foreign_operators(path: Path) -> list[str]:
    """The operators in a file that are not of the ONNX standard; they should be none."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    domains = {f.domain for f in model.functions}
    nodes = [*model.graph.node, *(n for f in model.functions for n in f.node)]
    return sorted({f"{n.domain}.{n.op_type}" for n in nodes
                   if n.domain not in ("", "ai.onnx") and n.domain not in domains})


def _length(of: Any) -> Any:
    """As ``len``, which must give a plain number: of a tensor whose length is open, a symbol."""
    return of.shape[0] if isinstance(of, torch.Tensor) else len(of)


@contextlib.contextmanager
def _lengths_open(graph: torch.nn.Module) -> Iterator[None]:
    """Inside, ``len(tensor)`` in components' code leaves the number of rows open.

    Python's own makes a constant of it. For whoever else runs that code meanwhile nothing changes.
    """
    rooms = ("encoders", "fusion", "tasks", "combining", "pretrained")
    names = {type(part).__module__ for part in graph.modules()} | {
        name for name in sys.modules
        if name.startswith("mmstudio.") and name.split(".")[1] in rooms}
    changed = [module for name in names if not name.startswith("torch.")
               and (module := sys.modules.get(name)) is not None and "len" not in vars(module)]
    for module in changed:
        vars(module)["len"] = _length
    try:
        yield
    finally:
        for module in changed:
            vars(module).pop("len", None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own notes to itself: they are of its inside."""
    names = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch.__trace")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    interval, tqdm.monitor_interval = tqdm.monitor_interval, 0  # a thread that would stay
    with warnings.catch_warnings(), open(os.devnull, "w", encoding="utf-8") as nowhere:
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            with contextlib.redirect_stdout(nowhere):
                yield
        finally:
            tqdm.monitor_interval = interval
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)


def first_line(error: BaseException) -> Any:
    """What an error says, in short."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]

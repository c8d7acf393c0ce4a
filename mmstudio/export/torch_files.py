"""A model for those who use torch and not mmstudio: weights as safetensors, and its code.

What torch traced for ONNX is printed as Python: one function of torch's own operators, in
``network.py``, over tensors that ``model.safetensors`` holds by their names in the model. No class
of mmstudio is needed, every component can be written so, those of one's own too, and it can be
read, put on another device and trained on. torch's own saved program (``.pt2``) would be neither
readable nor safe from other versions of torch, and holds the weights once more.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.export.graph_signature import InputKind, OutputKind

from mmstudio.errors import UserError

WEIGHTS, CODE = "model.safetensors", "network.py"
BY_MODEL_PY = {
    "torch.ops.onnx_symbolic._symbolic.default": "self.recurrent",
    "torch.ops.higher_order.wrap_with_autocast": "self.within",
    "device(type='cpu')": "self.place",
}
"""How recurrent layers, stretches without other precisions and the device stand in the traced
program; ``model.py`` has what does the same."""
RECURRENT = "onnx_"
"""Buffers that recurrent layers' parameters were put into."""
HEAD = '''\
"""What the model computes, as torch traced it. Written by mmstudio's export; see model.py."""

'''


def write_torch(
    program: torch.export.ExportedProgram, folder: Path, inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """Write ``network.py`` and ``model.safetensors``.

    Args:
        program: As ``traced`` gave it.
        folder: Where to.
        inputs: The tensors' names, in the order of the example.
        outputs: Likewise.

    Raises:
        UserError: Something in it is not one plain function.
        OSError: It can't be written.
    """
    from safetensors.torch import save_file

    arguments, tensors = _arguments(program, inputs)
    save_file(tensors, folder / WEIGHTS)
    names: dict[str, Any] = {}
    parts = dict(program.graph_module.named_children())
    functions = [_printed(part, name, names) for name, part in parts.items()]
    functions.append(_printed(program.graph_module, "forward", names))
    code = "\n\n\n".join(functions)
    called = {n: v for n, v in names.items() if re.search(rf"\b{n}\b", code)}
    lines = [HEAD + "\n".join(_imports(called)), "",
             f"ARGUMENTS = {_listed(arguments)}",
             '"""Of ``forward``, in order: a parameter, a buffer or an input by its name."""', "",
             f"INPUTS = {_listed(list(inputs))}", f"OUTPUTS = {_listed(list(outputs))}",
             f"PARTS = {_listed(list(parts))}", "", "", code, ""]
    (folder / CODE).write_text("\n".join(lines), encoding="utf-8")


def _printed(part: Any, name: str, names: dict[str, Any]) -> str:
    """A part of the program as a function; adds what it calls by name."""
    if not isinstance(part, torch.fx.GraphModule) or (
            name != "forward" and any(True for _ in part.children())):
        raise _not_plain(f"{name} is not a function")
    for node in part.graph.nodes:
        if node.op == "call_module" or (node.op == "get_attr" and name != "forward"):
            raise _not_plain(f"it calls {node.target}")
    printed = part.graph.python_code("self")
    names.update(printed.globals)
    source: str = printed.src.strip().replace("def forward(", f"def {name}(", 1)
    for traced, own in BY_MODEL_PY.items():
        source = source.replace(traced, own)
    if "higher_order" in source:
        raise _not_plain("it has functions within functions")
    return source


def _arguments(
    program: torch.export.ExportedProgram, inputs: Sequence[str]
) -> tuple[list[tuple[str, str]], dict[str, torch.Tensor]]:
    """What ``forward`` takes, in order, and the weights by their names."""
    given = iter(inputs)
    found: list[tuple[str, str]] = []
    tensors: dict[str, torch.Tensor] = {}
    for one in program.graph_signature.input_specs:
        if one.kind == InputKind.USER_INPUT:
            found.append(("input", next(given)))
            continue
        name = str(one.target)
        tensor = program.state_dict.get(name)
        tensor = program.constants.get(name) if tensor is None else tensor
        if not isinstance(tensor, torch.Tensor):
            raise _not_plain(f"it needs {name}")
        learnt = (one.kind == InputKind.PARAMETER
                  or name.rpartition(".")[2].startswith(RECURRENT))
        found.append(("parameter" if learnt else "buffer", name))
        tensors[name] = tensor.detach().clone().contiguous()
    changed = [o for o in program.graph_signature.output_specs
               if o.kind != OutputKind.USER_OUTPUT]
    if changed:
        raise _not_plain(f"it changes {changed[0].target}")
    return found, tensors


def _imports(names: Mapping[str, Any]) -> list[str]:
    """The lines that give the function what it calls by name."""
    lines = {"import torch"}
    for name, value in names.items():
        if isinstance(value, types.ModuleType):
            lines.add(f"import {value.__name__}" if value.__name__ == name
                      else f"import {value.__name__} as {name}")
        elif name in ("inf", "nan"):
            lines.add(f"from math import {name}")
        elif value is not torch.device and value is not type(None):
            raise _not_plain(f"it calls {name}")
    return sorted(lines)


def _listed(items: Sequence[Any]) -> str:
    return "[\n" + "".join(f"    {item!r},\n" for item in items) + "]"


def _not_plain(why: str) -> UserError:
    return UserError(f"The model can't be written as torch code: {why}.",
                     "Export it as ONNX: leave out --format torch.")

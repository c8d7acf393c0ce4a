"""How much of a published model is trained: nothing, its last blocks, all of it, or LoRA."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import nn

from mmstudio.errors import UserError
from mmstudio.registry import Help, Range

# a published model's options, the same in every modality
ModelName = Annotated[str, Help(
    "published model: one of 'mmstudio models', any Hugging Face id, or a folder")]
Tuning = Annotated[Literal["frozen", "last", "full", "lora"], Help(
    "what of the published model is trained: nothing, its last blocks, all, or small "
    "additions (LoRA)")]
Blocks = Annotated[int, Range(1, 48, "how many of its last blocks are trained (tuning = last)")]
Rate = Annotated[float, Range(
    1e-4, 1.0, "learning rate of the published layers as a share of the others' (last, full)")]
LayerDecay = Annotated[float, Range(
    0.1, 1.0, "factor on that rate from each block to the one below (full)")]
Rank = Annotated[int, Range(1, 256, "rank of the small additions (tuning = lora)")]
MostTokens = Annotated[int, Range(
    1, 1500, "most features per sample; more are averaged in groups")]
Width = Annotated[int, Range(8, 1024, "width of its features")]
Dropout = Annotated[float, Range(0.0, 0.9, "share of features hidden in training")]

LORA_RATE = 0.25
"""Of the learning rate: additions that begin at zero bear more than published weights."""
ATTENTION = ("attn", "attention", "SelfAttention")


@dataclass(frozen=True)
class Tuned:
    """The options of tuning, as the encoders take them."""

    tuning: str = "frozen"
    blocks: int = 2
    rate: float = 0.01
    layer_decay: float = 0.8
    rank: int = 8


def blocks_of(model: nn.Module) -> list[list[nn.Module]]:
    """A model's blocks from the first to the last; each is its modules.

    That is the longest list of modules (a transformer's layers), or where its items are stages,
    their inner blocks; what a stage has besides belongs to its first one. A net of our own says
    itself, by ``blocks()``.
    """
    own = getattr(model, "blocks", None)
    if inspect.ismethod(own):
        return [[block] for block in own()]
    outer = _outermost_lists(model)
    if not outer:
        return []
    blocks: list[list[nn.Module]] = []
    for stage in max(outer, key=_size):
        inner = [one for one in _outermost_lists(stage) if len({type(m) for m in one}) == 1]
        if not inner:
            blocks.append([stage])
            continue
        parts = max(inner, key=_size)
        rest = [m for m in stage.children() if m is not parts]
        first, *others = parts
        blocks += [[first, *rest], *([part] for part in others)]
    return blocks


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _outermost_lists(model: nn.Module) -> list[Any]:
    """The lists of modules that lie in no other list."""
    found: list[Any] = []
    for child in model.children():
        if isinstance(child, nn.ModuleList | nn.Sequential) and len(child) and (
                len(list(child.parameters())) > 0):
            if isinstance(child, nn.ModuleList) or len({type(m) for m in child}) == 1:
                found.append(child)
                continue
        found += _outermost_lists(child)
    return found


def depths_of(model: nn.Module, blocks: Sequence[Sequence[nn.Module]]) -> dict[str, int]:
    """Per parameter how far below the top it lies.

    0 is the last block and what comes after the blocks, ``len(blocks)`` what comes before the
    first, such as embeddings.
    """
    within = {id(p): len(blocks) - 1 - i for i, block in enumerate(blocks)
              for module in block for p in module.parameters()}
    depths, passed = {}, False
    for name, parameter in model.named_parameters():
        inside = within.get(id(parameter))
        if inside is not None:
            passed = True
            depths[name] = inside
        else:
            # a table of relative positions is registered last and read by every block
            below = not passed or "relative" in name or "embed" in name
            depths[name] = len(blocks) if below else 0
    return depths


def tune(model: nn.Module, how: Tuned, name: str) -> tuple[list[nn.Module], dict[str, float]]:
    """Choose what of a published model is trained, and how fast.

    Args:
        model: Changed in place: what stays has ``requires_grad`` False; LoRA adds layers.
        how: The options.
        name: The model's, for messages.

    Returns:
        The modules that are put into ``train`` mode, and per trained parameter its factor on the
        learning rate.

    Raises:
        UserError: LoRA in a model without linear layers, more blocks than there are.
    """
    model.requires_grad_(False)
    if how.tuning == "frozen":
        return [], {}
    blocks = blocks_of(model)
    if how.tuning == "lora":
        return _add_lora(model, blocks, how.rank, name)
    depths = depths_of(model, blocks)
    if how.tuning == "last":
        if not blocks:
            raise UserError(f"No blocks were found in {name}.", 'Set tuning = "full" or "frozen".')
        # one with fewer blocks is trained but for what comes before them
        count = min(how.blocks, len(blocks))
        chosen = {n for n, depth in depths.items() if depth < count}
        active = [m for block in blocks[len(blocks) - count :] for m in block]
        factors = {n: how.rate for n in chosen}
    else:
        chosen, active = set(depths), [model]
        factors = {n: how.rate * how.layer_decay**depth for n, depth in depths.items()}
    for parameter_name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter_name in chosen)
    return active, factors


def _add_lora(
    model: nn.Module, blocks: list[list[nn.Module]], rank: int, name: str
) -> tuple[list[nn.Module], dict[str, float]]:
    """Low-rank additions to the linear layers of attention (Hu et al. 2022).

    Where a model has none in attention, all its blocks' linear layers get one. A model may say
    itself which, by ``lora_targets``.
    """
    from transformers.pytorch_utils import Conv1D

    linears = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D)}
    inside = {id(m) for block in blocks for part in block for m in part.modules()}
    linears = {n: m for n, m in linears.items() if not blocks or id(m) in inside}
    targets = getattr(model, "lora_targets", None) or [
        n for n in linears if any(word in n for word in ATTENTION)] or list(linears)
    if not targets:
        raise UserError(f"{name} has no linear layers, which LoRA adds to.",
                        'Set tuning = "last", "full" or "frozen", or choose a transformer.')
    from peft import LoraConfig, inject_adapter_in_model

    # GPT-2's linear layers hold their weights the other way round
    turned = any(isinstance(linears[n], Conv1D) for n in targets)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules=targets,
                        fan_in_fan_out=turned)
    inject_adapter_in_model(config, model)
    added = [m for n, m in model.named_modules() if n.endswith("lora_dropout")]
    factors = {n: LORA_RATE for n, p in model.named_parameters() if p.requires_grad}
    return added, factors


def set_mode(model: nn.Module, active: Sequence[nn.Module], training: bool) -> None:
    """Put what is trained into ``train`` mode, all else into ``eval``.

    Batch norms stay in ``eval`` everywhere: a small batch of other data would spoil the published
    statistics.
    """
    model.eval()
    if not training:
        return
    for module in active:
        module.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def trained_names(module: nn.Module) -> set[str]:
    """The names of the parameters that training changes, shared ones under all their names."""
    return {n for n, p in module.named_parameters(remove_duplicate=False) if p.requires_grad}



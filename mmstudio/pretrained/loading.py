"""A published model's part for one kind of content, from its folder into memory.

Nothing but the library's own classes is ever run: no code of a model's folder, no pickle.
"""

from __future__ import annotations

import functools
import pickle
from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError
from mmstudio.pretrained.source import Source

if TYPE_CHECKING:
    from torch import nn

WORDS = {"image": "pictures", "text": "texts", "audio": "sounds"}
"""What the kinds of models read, for messages."""
TOWERS = {"image": "vision_config", "text": "text_config", "audio": "audio_config"}
"""Where a model of several kinds describes the part that reads one of them."""
TAKES = {"image": ("pixel_values",), "text": ("input_ids",),
         "audio": ("input_values", "input_features")}
"""What the library calls each kind's values."""
NOT_NEEDED = ("pooler", "mask_token", "masked_spec_embed", "position_ids", "decoder")
"""Parts that a published file may lack: nothing of what they give is used."""


def load(source: Source, kind: str) -> nn.Module:
    """The part of a published model that reads a kind, on the CPU in float32, in ``eval`` mode.

    Torch's random state is left as it was, and a default device does not count.

    Args:
        source: Where the model lies; its files are in the library's layout.
        kind: ``image``, ``text`` or ``audio``.

    Raises:
        UserError: The model is of another kind, of a family that the library doesn't know, damaged,
            or can't be read without running what is in it.
    """
    import torch

    from mmstudio.drawing import DrawnAside

    _check_folder(source)
    quiet()
    with DrawnAside(), torch.device("cpu"):
        config = _tower(_config(source), source, kind)
        model, report = _read(source, config, _class_of(config, source, kind), kind)
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    if report["mismatched_keys"]:
        name, *shapes = sorted(report["mismatched_keys"])[0]
        there, wanted = (" × ".join(map(str, shape)) for shape in shapes)
        raise UserError(
            f"The weights of {source.model} are not those of its config.json: '{name}' is {there}, "
            f"not {wanted}.", "Download it again, or choose another model.")
    lacking = sorted(n for n in report["missing_keys"] if not any(p in n for p in NOT_NEEDED))
    if lacking:
        raise UserError(
            f"The weights of {source.model} lack {len(lacking)} parts that "
            f"{type(model).__name__} needs, first '{lacking[0]}'.",
            "The model is not whole, or its configuration is that of another one. Download it "
            "again, or choose another model.")
    model.eval()
    return model  # type: ignore[no-any-return]


@functools.cache
def quiet() -> None:
    """The library says what it does on standard error; what a person must know is told by us."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _check_folder(source: Source) -> None:
    if (source.folder / "adapter_config.json").is_file():
        raise UserError(f"{source.model} is an adapter, not a whole model.",
                        "Choose the model that it was made for.")
    if "quantization_config" in source.config:
        raise UserError(f"{source.model} is quantised, which can't be trained further.",
                        "Choose the plain model that it was made from.")
    named = str(source.config.get("transformers_weights", ""))
    if "/" in named or "\\" in named:
        raise UserError(f"{source.model} names weights outside of its folder: '{named}'.",
                        "Choose a model from a source that you trust.")


def _config(source: Source) -> Any:
    """The library's configuration object."""
    from transformers import CONFIG_MAPPING, AutoConfig

    family = source.config.get("model_type")
    if family not in CONFIG_MAPPING:
        raise UserError(
            f"{source.model} is of the family '{family}', which the installed transformers "
            "library does not know.",
            "A newer version of the library may know it: pip install -U transformers. "
            "Or choose another model.")
    try:
        return AutoConfig.from_pretrained(
            source.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a damaged configuration runs into
        raise _unreadable(source, error) from None


def _tower(config: Any, source: Source, kind: str) -> Any:
    """The configuration of the part that reads a kind, in a model that reads several."""
    towers: dict[str, Any] = {k: getattr(config, name, None) for k, name in TOWERS.items()}
    there = [k for k, tower in towers.items() if tower is not None]
    if not there:
        return config
    if kind not in there:
        raise _other_kind(source, kind, there)
    return towers[kind]


def _class_of(config: Any, source: Source, kind: str) -> Any:
    """The library's class for a configuration, which must read the kind."""
    from transformers import MODEL_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

    mappings = [MODEL_MAPPING]
    if kind == "text":  # encoders of encoder-decoders, without the other half
        mappings.insert(0, MODEL_FOR_TEXT_ENCODING_MAPPING)
    cls: Any = None
    for mapping in mappings:
        if type(config) in mapping:
            cls = mapping[type(config)]
            break
    if cls is None:  # the library's list lacks CLAP's towers
        import transformers

        cls = getattr(transformers, f"{type(config).__name__.removesuffix('Config')}Model", None)
    if isinstance(cls, tuple):  # several for one configuration: the first is the plain one
        cls = cls[0]
    if cls is None:
        raise UserError(f"{source.model} ('{config.model_type}') has no plain encoder.",
                        "Choose another model.")
    takes = cls.main_input_name
    if takes not in TAKES[kind]:
        raise _other_kind(source, kind, [k for k, names in TAKES.items() if takes in names])
    return cls


def _other_kind(source: Source, kind: str, kinds: list[str]) -> UserError:
    reads = " and ".join(WORDS[k] for k in kinds) or "something else"
    return UserError(f"{source.model} reads {reads}, not {WORDS[kind]}.",
                     f"Choose a model for {WORDS[kind]}: mmstudio models {kind} lists some.")


def _read(source: Source, config: Any, cls: Any, kind: str) -> tuple[Any, dict[str, Any]]:
    import inspect

    import torch

    # a pooling layer is trained for another task, and often missing
    without: dict[str, Any] = {"add_pooling_layer": False} if (
        "add_pooling_layer" in inspect.signature(cls.__init__).parameters) else {}
    if cls.__name__ == "ClapAudioModel":  # its names in the whole model, where it is a part
        without["key_mapping"] = {r"^audio_model\.": ""}
    safe = any(path.suffix == ".safetensors" for path in source.weights)
    try:
        return cls.from_pretrained(  # type: ignore[no-any-return]
            source.folder, config=config, dtype=torch.float32, local_files_only=True,
            trust_remote_code=False, use_safetensors=safe, weights_only=True,
            output_loading_info=True, ignore_mismatched_sizes=True, **without)
    except pickle.UnpicklingError:
        raise refused_pickle(source) from None
    except Exception as error:  # of whatever kind the library ran into
        raise _unreadable(source, error) from None


def refused_pickle(source: Source) -> UserError:
    """What to say of a weights file that would run code as it is read."""
    return UserError(
        f"The weights of {source.model} are a pickle that holds more than tensors; reading it "
        "could run a program. It was not read.",
        "Choose a model with safetensors, or one from a source that you trust.")


def _unreadable(source: Source, error: Exception) -> UserError:
    return UserError(f"{source.model} can't be read: {reason_of(error)}",
                     "Download it again, or choose another model.")


def reason_of(error: Exception) -> str:
    """The first line of what a library says of its failure, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{(lines[0] if lines else type(error).__name__).rstrip('.:')}."

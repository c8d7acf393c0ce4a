"""What a published model wants to be given, as its own configuration says.

The modality brings every row to it, on this machine and without the library's processors: a
picture's size, a text's tokenizer, a sound's rate.
"""

from __future__ import annotations

from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import InputSettings
from mmstudio.pretrained.catalogue import default_model
from mmstudio.pretrained.kinds import EFFICIENTNET_LITE
from mmstudio.pretrained.model_files import processor_of
from mmstudio.pretrained.source import Source, find

PREFIX = "pretrained_"
"""What the names of encoders on published models begin with; their modality follows."""
USUAL_SIDE = 224
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
HALVES = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
BYTES = ([127 / 255] * 3, [128 / 255] * 3)
OF_FAMILY = {
    "vit": HALVES, "siglip": HALVES, "siglip2": HALVES, "beit": HALVES, "mobilenet_v1": HALVES,
    "mobilenet_v2": HALVES, "data2vec-vision": HALVES, "siglip_vision_model": HALVES,
    "siglip2_vision_model": HALVES, "clip": CLIP, "clip_vision_model": CLIP,
    "chinese_clip": CLIP, "metaclip_2": CLIP, "altclip": CLIP,
    EFFICIENTNET_LITE: BYTES,
}
"""Mean and deviation of a family, for folders without a ``preprocessor_config.json``; of all
others they are ImageNet's."""


def model_of(settings: InputSettings) -> str | None:
    """The name of the published model that an input's encoder stands on; None where none."""
    if not settings.encoder.name.startswith(PREFIX):
        return None
    return str(settings.encoder.options.get("model") or default_model(settings.modality))


def wanted(settings: InputSettings) -> dict[str, Any]:
    """What the modality's spec must be for an input's encoder; empty for one from scratch.

    Raises:
        UserError: The model is not on this disk, of another kind, or its files can't be read.
    """
    model = model_of(settings)
    if model is None:
        return {}
    source = find(model, settings.modality)
    if settings.modality == "image":
        return image_facts(source, int(settings.options.get("size", 0)))
    if settings.modality == "text":
        from mmstudio.pretrained.tokenizing import text_facts

        return text_facts(source, int(settings.options.get("max_tokens", 0)))
    from mmstudio.pretrained.sound_settings import sound_wanted

    return sound_wanted(source)


def image_facts(source: Source, size: int = 0) -> dict[str, Any]:
    """``{size: [H, W], channels, mean, std}`` of a model for pictures.

    Args:
        source: The model.
        size: The side that the user set, in pixels; 0 takes the model's own. It is rounded to
            whole patches.
    """
    config = _part(source.config, "vision_config")
    processor = processor_of(source.folder, "image_processor")
    own = _size_of(processor, config)
    if size:
        patch = config.get("patch_size", 32)
        high, wide = patch if isinstance(patch, list) else (patch, patch)
        own = [max(high, high * round(size / high)), max(wide, wide * round(size / wide))]
    channels = int(config.get("num_channels", 3))
    family = OF_FAMILY.get(source.config.get("model_type", ""), IMAGENET)
    mean, std = processor.get("image_mean", family[0]), processor.get("image_std", family[1])
    if processor.get("do_normalize") is False:
        mean, std = [0.0], [1.0]
    try:
        mean, std = ([float(v) for v in (values if isinstance(values, list) else [values])]
                     for values in (mean, std))
        if channels not in (1, 3) or min(std) <= 0 or min(own) < 1:
            raise ValueError
    except (TypeError, ValueError):
        raise UserError(
            f"{source.model} wants pictures of {channels} channels, mean {mean} and deviation "
            f"{std}, which can't be given.", "Choose another model.") from None
    return {"size": own, "channels": channels,
            "mean": _per_channel(mean, channels), "std": _per_channel(std, channels)}


def _per_channel(values: list[float], channels: int) -> list[float]:
    return values * channels if len(values) == 1 else values[:channels]


def _size_of(processor: dict[str, Any], config: dict[str, Any]) -> list[int]:
    """The height and width that pictures come in at last."""
    cropped = processor.get("do_center_crop", "crop_size" in processor)
    for size in ((processor.get("crop_size") if cropped else None), processor.get("size"),
                 config.get("image_size"), USUAL_SIDE):
        if isinstance(size, dict):
            side = size.get("shortest_edge", size.get("longest_edge"))
            size = [size.get("height", side), size.get("width", side)]
        elif isinstance(size, int):
            size = [size, size]
        if isinstance(size, list) and len(size) == 2 and all(isinstance(s, int) for s in size):
            return size
    return [USUAL_SIDE, USUAL_SIDE]


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration of one of a model's parts, or of the model where it has no parts."""
    part = config.get(name)
    return part if isinstance(part, dict) else config

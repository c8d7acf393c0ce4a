"""How a published sound model wants its sounds, read from the files beside its weights."""

from __future__ import annotations

from typing import Any, Literal

from mmstudio.errors import UserError
from mmstudio.pretrained.kinds import SOUNDNET
from mmstudio.pretrained.model_files import processor_of
from mmstudio.pretrained.source import Source

FrontEnd = Literal["waves", "whisper", "kaldi", "clap", "soundnet"]

_BY_EXTRACTOR: dict[str, FrontEnd] = {
    "Wav2Vec2FeatureExtractor": "waves", "WhisperFeatureExtractor": "whisper",
    "ASTFeatureExtractor": "kaldi", "ClapFeatureExtractor": "clap",
}
_BY_FAMILY: dict[str, FrontEnd] = {
    "whisper": "whisper", "audio-spectrogram-transformer": "kaldi",
    "clap": "clap", "clap_audio_model": "clap", SOUNDNET: "soundnet",
}
_WAVES = ("wav2vec2", "wav2vec2-conformer", "hubert", "wavlm", "unispeech", "unispeech-sat",
          "data2vec-audio", "sew", "sew-d")
_KNOWN = "AST, CLAP, Data2Vec, HuBERT, SEW, SoundNet, UniSpeech, Wav2Vec2, WavLM and Whisper"
OF_SOUNDNET: dict[str, Any] = {"sampling_rate": 22_050}
"""It is published without such a file."""


def sound_settings(source: Source) -> dict[str, Any]:
    """What ``preprocessor_config.json`` says, or the part for sounds of ``processor_config.json``.

    Raises:
        UserError: Neither is there, or can be read.
    """
    if source.config["model_type"] == SOUNDNET:
        return OF_SOUNDNET
    settings = processor_of(source.folder, "feature_extractor")
    if not settings:
        raise UserError(
            f"'{source.model}' does not say how it wants its sounds: preprocessor_config.json is "
            "missing.", "Put that file of the published model beside its weights, or download "
            "the model again.")
    return settings


def front_end_of(source: Source, settings: dict[str, Any]) -> FrontEnd:
    """Which of the known ways turns sounds into what a model takes.

    Raises:
        UserError: The model wants another one.
    """
    family = source.config["model_type"]
    known = dict.fromkeys(_WAVES, "waves") | _BY_FAMILY
    named = settings.get("feature_extractor_type")
    by_name = _BY_EXTRACTOR.get(named) if named is not None else known.get(family)
    if family not in known or by_name != known[family]:
        raise UserError(
            f"'{source.model}' ({family}) prepares its sounds in a way that is not known here"
            f"{f' ({named})' if named else ''}.", f"Choose a model of these families: {_KNOWN}.")
    return known[family]  # type: ignore[return-value]


def sound_wanted(source: Source) -> dict[str, Any]:
    """What the sounds' spec must be for a model.

    Returns:
        ``sample_rate_hz``, and ``most_seconds`` where the model can't take longer sounds.

    Raises:
        UserError: The model does not say, or wants what is not known here.
    """
    settings = sound_settings(source)
    front = front_end_of(source, settings)
    try:
        rate_hz = int(settings.get("sampling_rate", 48_000 if front == "clap" else 16_000))
        wanted: dict[str, Any] = {"sample_rate_hz": rate_hz}
        if front == "whisper":
            wanted["most_seconds"] = float(settings.get("chunk_length", 30))
        elif front == "clap":
            wanted["most_seconds"] = float(settings.get("max_length_s", 10))
        elif front == "kaldi":
            # frames of 400 samples, 160 apart
            frames = int(settings.get("max_length", 1024))
            wanted["most_seconds"] = round(((frames - 1) * 160 + 400) / rate_hz, 3)
    except (TypeError, ValueError) as error:
        raise UserError(f"How '{source.model}' wants its sounds can't be read: {error}.",
                        "Download the model again, or choose another.") from None
    return wanted

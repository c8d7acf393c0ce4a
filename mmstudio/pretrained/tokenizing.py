"""The tokenizer of a published model, as plain text for the run's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.pretrained.model_files import read_json
from mmstudio.pretrained.source import Source

MOST_TOKENS = 256
"""Of a text, where the user sets nothing else: a published model's time grows with its texts."""
USUAL_LIMIT = 512
LARGEST_LIMIT = 100_000
"""A model without a limit has a number in its place that no text reaches."""


def text_facts(source: Source, max_tokens: int = 0) -> dict[str, Any]:
    """``{tokenizer, pad, max_tokens}`` of a model for texts.

    The tokenizer adds the model's own special tokens, and cuts a long text before the last of
    them.

    Args:
        source: The model.
        max_tokens: What the user set; 0 takes the model's limit, at most 256.

    Raises:
        UserError: The model has no tokenizer that can be read.
    """
    tokenizer, pad_token = _tokenizer(source)
    limit = _limit(source, tokenizer)
    most = min(limit, max_tokens or MOST_TOKENS)
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    pad = None if pad_token is None else tokenizer.token_to_id(pad_token)
    if pad is None:
        pad = _text_config(source).get("pad_token_id")
    return {"tokenizer": tokenizer.to_str(), "pad": int(pad or 0), "max_tokens": most}


def _tokenizer(source: Source) -> tuple[Any, str | None]:
    """The model's tokenizer, and its token that fills up."""
    from transformers import AutoTokenizer

    from mmstudio.pretrained.loading import quiet, reason_of

    quiet()
    try:
        library = AutoTokenizer.from_pretrained(  # the way in which the library itself reads it
            source.folder, local_files_only=True, trust_remote_code=False)
        backend = library.backend_tokenizer
        if backend.get_vocab_size() <= len(library.all_special_tokens):
            raise ValueError("its vocabulary is missing")  # the library begins an empty one
        return backend.__class__.from_str(backend.to_str()), library.pad_token
    except Exception as error:  # of whatever kind the library ran into
        if (source.folder / "tokenizer.json").is_file():
            return _plain(source.folder)
        raise UserError(
            f"{source.model} has no tokenizer that can be read: {reason_of(error)}",
            "A model for texts needs tokenizer.json or its vocabulary beside the weights. "
            "Download it again, or choose another model.") from None


def _plain(folder: Path) -> tuple[Any, str | None]:
    """The tokenizer of ``tokenizer.json`` alone."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        raise UserError(f"{folder / 'tokenizer.json'} can't be read: {error}",
                        "Download the model again, or choose another.") from None
    pad = read_json(folder / "tokenizer_config.json").get("pad_token")
    return tokenizer, pad.get("content") if isinstance(pad, dict) else pad


def _text_config(source: Source) -> dict[str, Any]:
    part = source.config.get("text_config")
    return part if isinstance(part, dict) else source.config


def _limit(source: Source, tokenizer: Any) -> int:
    """The most tokens that the model takes, special ones included."""
    config = _text_config(source)
    limits = [
        read_json(source.folder / "sentence_bert_config.json").get("max_seq_length"),
        read_json(source.folder / "tokenizer_config.json").get("model_max_length"),
        _positions(config),
    ]
    known = [int(n) for n in limits if isinstance(n, int | float) and 0 < n < LARGEST_LIMIT]
    least = tokenizer.num_special_tokens_to_add(False) + 1
    return max(int(least), min(known, default=USUAL_LIMIT))


def _positions(config: dict[str, Any]) -> int | None:
    """The length of the model's table of positions, without those that no token gets."""
    positions = config.get("max_position_embeddings", config.get("n_positions"))
    if not isinstance(positions, int):
        return None
    # RoBERTa's family counts from behind the padding's number; MPNet's takes two besides
    offset = config.get("model_type") in (
        "roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text",
        "xlm-roberta-xl", "luke")
    return positions - (int(config.get("pad_token_id") or 1) + 1 if offset else 0)

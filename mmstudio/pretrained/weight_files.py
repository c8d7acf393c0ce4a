"""Which files of a published model are taken, of all that lie beside each other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection

CONFIG = "config.json"
_BESIDE = ("preprocessor_config.json", "processor_config.json", "tokenizer.json",
           "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
           "sentence_bert_config.json", "1_Pooling/config.json")
"""What says how inputs are prepared; never code, never weights of other frameworks."""
_VOCABULARY = ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model",
               "spm.model")
"""Holds what ``tokenizer.json`` holds too, where there is one."""
STATE_DICTS = (".pth", ".pt", ".safetensors")
"""Endings of a file that holds weights alone."""
ARRAYS = ".npy"
"""That of the file in which SoundNet is published."""

_PART = re.compile(r"[\w-][\w.-]*\.(safetensors|bin)", re.ASCII)
_WHOLE = ("model.safetensors", "pytorch_model.bin")
"""In this order: safetensors need no pickle."""


def names_beside(there: Collection[str]) -> tuple[str, ...]:
    """What says how inputs are prepared, among the names of a folder's files."""
    wanted = _BESIDE if "tokenizer.json" in there else (*_BESIDE, *_VOCABULARY)
    return tuple(name for name in wanted if name in there)


def weight_names(there: Collection[str], read: Callable[[str], str]) -> tuple[str, ...]:
    """The weights among the names of a folder's files, best first choice; empty where none.

    Args:
        there: Names in the folder.
        read: Gives the text of one of them: a list of parts.

    Returns:
        One file, or all the parts of one that is split; parts may be missing in ``there``.
    """
    for whole in _WHOLE:
        if whole in there:
            return (whole,)
        index = f"{whole}.index.json"
        if index in there:
            return _parts(read(index))
    return ()


def index_name(there: Collection[str]) -> str | None:
    """The list of parts that says which weights there are, None where they are in one file."""
    for whole in _WHOLE:
        if whole in there:
            return None
        if f"{whole}.index.json" in there:
            return f"{whole}.index.json"
    return None


def _parts(text: str) -> tuple[str, ...]:
    try:
        names = set(json.loads(text)["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    # a name with a folder or a drive in it could point out of the model's own
    return tuple(sorted(n for n in names if isinstance(n, str) and _PART.fullmatch(n)))

"""Texts: in the table's cells, or in UTF-8 files."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mmstudio.errors import UserError
from mmstudio.modalities.base import MODALITIES, Modality, Value, readable_file
from mmstudio.modalities.preview import Preview
from mmstudio.registry import Range

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mmstudio.modalities.content_limit import ContentLimit
    from mmstudio.modalities.corruption import Corruption
    from mmstudio.modalities.pieces import Pieces

PAD, UNKNOWN = 0, 1
USUAL_ALPHABET = 1000
"""Characters beyond so many don't take the place of words in the vocabulary."""
EMOJI = (r"\p{Extended_Pictographic}[\p{Emoji_Modifier}\x{FE0F}]*"
         r"(?:\x{200D}\p{Extended_Pictographic}[\p{Emoji_Modifier}\x{FE0F}]*)*"
         r"|\p{Regional_Indicator}{2}|[0-9#*]\x{FE0F}?\x{20E3}")
"""One emoji: with its skin tone, a joined family, a flag, a keycap."""
NO_BLANKS = (r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Yi}]"
             r"|[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Javanese}]\p{M}*")
"""One character of a script that sets no blanks between words, with the marks on it."""
LONG_TOKENS = 24
"""A text from here on is a long sequence to a fusion."""
LARGEST_FILE_BYTES = 1_000_000
MOST_AUTO_TOKENS = 256
TEXTS_AT_ONCE = 1000
"""Whose encodings are held: each takes a hundred times its text."""
LENGTH_STEP = 4
"""Batches are as long as their longest text, in these steps: few shapes, fast kernels."""


@MODALITIES.register("text", title="Text", summary="Words, sentences, notes, in any language.")
class TextModality(Modality):
    """Texts as token numbers ``(T,)`` of a vocabulary learnt on the training rows.

    The vocabulary is byte-pair encoding (Sennrich et al. 2016) over lower-cased NFKC text, so a
    misspelt word becomes known pieces instead of an unknown word. Emoji and the characters of
    scripts without blanks are words of their own: a sentence of them would be one word otherwise,
    of which the pieces that were learnt are seldom those that tell something. Every character of
    the training rows is known.

    Args:
        vocabulary: The most pieces that the vocabulary may hold, characters beyond the first
            thousand aside.
        max_tokens: What is longer is cut; 0 takes the data's own length, at most 256.
    """

    plural = "texts"
    needs = ("tokenizer", "max_tokens")
    holds_words = True
    in_cells = True
    given_as = ("TEXT", "FILE")
    suffixes = (".txt", ".md")
    default_encoder = "rnn"
    dtype = "int32"

    def __init__(
        self,
        *,
        vocabulary: Annotated[int, Range(50, 100_000, "most pieces of the vocabulary")] = 8000,
        max_tokens: Annotated[
            int, Range(0, 10_000, "what is longer is cut; 0 takes the data's own, at most 256")
        ] = 0,
    ) -> None:
        self.vocabulary = vocabulary
        self.max_tokens = max_tokens
        self._tokenizer: tuple[str, Any] | None = None

    def names_file(self, cell: str | None) -> bool:
        """Whether a cell ends like a text file's name."""
        return cell is not None and len(cell) < 500 and cell.lower().endswith(self.suffixes)

    def locate(self, cell: str, folder: Path) -> Value:
        """A file's path where the cell names a text file; else the text itself.

        What ends like a text file's name and holds no blank is one, there or not: its absence is
        to be told, not learnt from. With blanks it may be a sentence, unless the file is there.
        """
        if self.names_file(cell) and "\0" not in cell:
            path = folder / cell
            try:
                if path.is_file() or not any(c.isspace() for c in cell):
                    return path
            except (OSError, ValueError):
                return cell
        return cell

    def fit(self, values: Sequence[Value], wanted: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Vocabulary and usual length: ``{tokenizer, counts, max_tokens}``.

        A published model's encoder wants its own tokenizer: ``{tokenizer, pad, max_tokens}``.
        """
        import numpy as np
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

        texts = []
        for value in values:
            try:
                texts.append(read_text(value))
            except UserError:
                continue
        if not texts:
            raise UserError("Not one text of the training rows can be read.",
                            "Check the column, or switch this input off.")
        if "tokenizer" in wanted:
            return dict(wanted)
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(),
            pre_tokenizers.Split(Regex(f"{EMOJI}|{NO_BLANKS}"), "isolated")])
        alphabet = len(set().union(*texts))
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary + max(0, alphabet - USUAL_ALPHABET), min_frequency=1,
            show_progress=False, special_tokens=["[PAD]", "[UNK]"])
        tokenizer.train_from_iterator(texts, trainer)
        lengths: list[int] = []
        counts = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            encoded = tokenizer.encode_batch_fast(texts[start : start + TEXTS_AT_ONCE])
            lengths += [len(e.ids) for e in encoded]
            ids = np.fromiter(itertools.chain.from_iterable(e.ids for e in encoded), np.int64)
            counts += np.bincount(ids, minlength=len(counts))
        usual = int(np.quantile(lengths, 0.99)) + 1
        return {
            "tokenizer": tokenizer.to_str(),
            "counts": counts.tolist(),
            "max_tokens": self.max_tokens or max(1, min(MOST_AUTO_TOKENS, usual)),
        }

    def decode(self, value: Value, spec: Mapping[str, Any]) -> np.ndarray:
        """Token numbers, cut at the greatest length; a text of blanks is one unknown token."""
        import numpy as np

        held = self._tokenizer
        if held is None or held[0] is not spec["tokenizer"]:
            from tokenizers import Tokenizer

            try:
                tokenizer = Tokenizer.from_str(spec["tokenizer"])
            except Exception as error:  # the library raises no other kind
                raise UserError(f"The model's tokenizer can't be read: {error}.",
                                "Its schema.json is damaged; train it again.") from None
            held = self._tokenizer = (spec["tokenizer"], tokenizer)
        ids = held[1].encode(read_text(value)).ids[: spec["max_tokens"]]
        return np.array(ids or [spec.get("pad", UNKNOWN)], dtype=np.int32)

    def try_read(self, value: Value) -> None:
        """Read the text."""
        read_text(value)

    def traits(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """The length, as far as it is read."""
        import numpy as np

        return {"length (tokens)": np.array([float(len(a)) for a in arrays])}

    def content_limit(self) -> ContentLimit:
        """See ``Modality.content_limit``."""
        from mmstudio.modalities.glance.texts import TextLimit

        return TextLimit()

    def corruptions(self) -> Sequence[Corruption]:
        """See ``Modality.corruptions``."""
        from mmstudio.modalities.corrupting.texts import CORRUPTIONS

        return CORRUPTIONS

    def pieces(self, content: Any, array: np.ndarray, spec: Mapping[str, Any]) -> Pieces:
        """Words."""
        from mmstudio.modalities.pointing.texts import TextPieces

        return TextPieces(read_text(content), spec)

    def cheap_features(
        self, arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
    ) -> np.ndarray:
        """Weighted counts of words and letter sequences."""
        from mmstudio.modalities.glance import texts

        return texts.features(values)

    def preview(self, value: Value) -> Preview:
        """Its words."""
        return Preview(read_text(value))

    def long_from(self, spec: Mapping[str, Any]) -> float:
        """Some pieces of the vocabulary."""
        return LONG_TOKENS

    def collate(
        self, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """``(B, T)`` token numbers and the mask ``(B, T)``."""
        import numpy as np
        import torch

        lengths = np.array([0 if a is None else len(a) for a in arrays])
        length = LENGTH_STEP * max(1, -(-int(lengths.max(initial=1)) // LENGTH_STEP))
        batch = np.full((len(arrays), length), spec.get("pad", PAD), dtype=np.int64)
        for row, array in enumerate(arrays):
            if array is not None:
                batch[row, : len(array)] = array
        return torch.from_numpy(batch), torch.from_numpy(np.arange(length) < lengths[:, None])


def read_text(value: Value) -> str:
    """The text itself, or that of a UTF-8 file, without blanks around it.

    Raises:
        UserError: The file is missing, too long or not UTF-8.
    """
    if not isinstance(value, Path):
        if len(value) > LARGEST_FILE_BYTES:
            raise UserError(f"A text has {len(value):,} characters: {value[:40]!r} …",
                            "Cut it into parts.")
        return value.strip()
    path = readable_file(value)
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise UserError(f"{path} is longer than {LARGEST_FILE_BYTES // 10**6} MB of text.",
                        "Cut it into parts.")
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}).",
                        "Save it again with the encoding UTF-8.") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error}.", "Check its permissions.") from None

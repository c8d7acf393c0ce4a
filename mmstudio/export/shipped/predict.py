"""Answers of an exported model: one file, without torch and without mmstudio.

As a program:  python predict.py --input image=photo.png --input "words=a short note"
As a module:   from predict import Model; Model("folder").answer({"image": "photo.png"})

Any subset of the inputs may be given. It needs numpy, onnxruntime and, for the kinds of content
that the model reads, pillow, soundfile and soxr, tokenizers. It opens no connection.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import re
import sys
import time
import zlib
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TextIO

import numpy as np

HERE = Path(__file__).resolve().parent
AGREE = 1e-4
"""Scores may differ by no more from those of the app, unless the model's schema says so."""
AT_ONCE = 32
"""Rows of a table that are answered together."""
MOST_CELL = 10_000_000
"""Characters of a table's cell."""


class PredictError(ValueError):
    """What the one who asks can mend."""


# Pictures ----------------------------------------------------------------------------------------

MOST_PIXELS = 150_000_000
LARGE_PIXELS = 16_000_000
FORMATS = (
    "PNG", "JPEG", "GIF", "BMP", "DIB", "PPM", "AVIF", "BLP", "CUR", "DCX", "DDS", "FITS", "FLI",
    "FTEX", "GBR", "ICNS", "ICO", "IM", "JPEG2000", "MSP", "PCD", "PCX", "PIXAR", "PSD", "QOI",
    "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM",
)
"""Never those whose readers start other programs on what a file holds."""


def read_picture(
    value: Any, spec: Mapping[str, Any], most_pixels: int = MOST_PIXELS
) -> np.ndarray:
    """A picture as ``(C, H, W)`` bytes, fitted into the model's size.

    First frame, turned as its EXIF says, transparent parts over white, 16 bits scaled to 8; what
    its shape leaves free has the colour of its border.

    Args:
        value: A path, the bytes of a file, a PIL image, or an array ``(H, W)`` or ``(H, W, C)``.
        spec: The input's settings in ``schema.json``.
        most_pixels: Of a file; more are refused.
    """
    from PIL import Image, ImageOps

    high, wide = spec["size"]
    if isinstance(value, np.ndarray):
        value = Image.fromarray(_bytes_of(value))
    if isinstance(value, Image.Image):
        picture = _as_seen(ImageOps.exif_transpose(value))
    else:
        picture = _opened_picture(value, (wide, high), most_pixels)
    mode = "L" if spec["channels"] == 1 else "RGB"
    if picture.mode != mode:
        picture = picture.convert(mode)
    if picture.size != (wide, high):
        edge = np.asarray(picture)
        rim = np.concatenate([edge[0], edge[-1], edge[:, 0], edge[:, -1]])
        colour = tuple(int(c) for c in np.atleast_1d(np.median(rim, axis=0)))
        picture = ImageOps.pad(picture, (wide, high), Image.Resampling.BICUBIC,
                               color=colour if len(colour) > 1 else colour[0])
    return np.asarray(picture).reshape(high, wide, -1).transpose(2, 0, 1)


def _bytes_of(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "bf":
        array = np.round(np.nan_to_num(array.astype(np.float64)) * 255).clip(0, 255)
    array = array.astype(np.uint8)
    return np.ascontiguousarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1
                                else array)


def _opened_picture(value: Any, enough: tuple[int, int], most_pixels: int) -> Any:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # the pixels are counted here
    data = value if isinstance(value, bytes) else _file(value)
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        with Image.open(source, formats=known_formats(*_plugins(data))) as picture:
            width, height = picture.size
            if width * height > most_pixels:
                raise PredictError(f"{_name(value)} has more than {most_pixels / 1e6:.0f} million "
                                   "pixels.")
            picture.draft(None, (2 * enough[0], 2 * enough[1]))
            picture.load()
            return _as_seen(ImageOps.exif_transpose(_reduced(picture, enough)))
    except PredictError:
        raise
    except Exception as error:  # Pillow's readers raise whatever their parsing ran into
        raise PredictError(f"{_name(value)} can't be read as a picture: {error}") from None


def known_formats(*more: str) -> tuple[str, ...]:
    """Those of ``FORMATS``, and more, that the installed Pillow has a reader for."""
    from PIL import Image

    Image.init()
    return tuple(one for one in (*FORMATS, *more) if one in Image.OPEN)


def _plugins(data: Any) -> tuple[str, ...]:
    """HEIC, where its reader is installed and the file is one."""
    if isinstance(data, bytes):
        start = data[:12]
    else:
        with data.open("rb") as file:
            start = file.read(12)
    if start[4:8] != b"ftyp" or start[8:12] in (b"avif", b"avis"):
        return ()
    try:
        import pillow_heif
    except ImportError:
        raise PredictError("A HEIC picture needs the package pillow-heif.") from None
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _reduced(picture: Any, enough: tuple[int, int]) -> Any:
    """A large picture at a whole fraction of its size, still four times what is enough."""
    from PIL import Image

    pixels = picture.width * picture.height
    if pixels <= LARGE_PIXELS:
        return picture
    factor = max(math.ceil(math.sqrt(pixels / LARGE_PIXELS)),
                 picture.width // (4 * enough[0]), picture.height // (4 * enough[1]))
    if picture.mode in ("L", "RGB", "CMYK", "YCbCr", "I", "F"):
        small = picture.reduce(factor)
    else:
        size = (-(-picture.width // factor), -(-picture.height // factor))
        small = picture.resize(size, Image.Resampling.NEAREST)
    small.info = picture.info
    small.getexif().update(picture.getexif())
    return small


def _as_seen(picture: Any) -> Any:
    """As people see it: mode ``L`` or ``RGB``."""
    from PIL import Image

    if picture.mode in ("RGB", "L") and "transparency" not in picture.info:
        return picture.copy()
    if picture.mode.startswith(("I", "F")):
        levels = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0, neginf=0.0)
        low, high = min(0.0, float(levels.min())), float(levels.max())
        top = 255.0 if high <= 255 and picture.mode != "F" else 65535.0 if high <= 65535 else high
        if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG"):
            top = 4095.0 if 255 < high <= 4095 else 65535.0
        if picture.mode == "F" or low < 0:
            top = high
        scaled = (levels - low) / max(top - low, 1e-12) * 255
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
    if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
        over = picture.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        white.alpha_composite(over)
        return white.convert("L" if picture.mode in ("L", "LA", "La", "1") else "RGB")
    return picture.convert("L" if picture.mode == "1" else "RGB")


# Sounds ------------------------------------------------------------------------------------------

MOST_SAMPLES = 1 << 27
"""Of all channels of a sound together: half a gigabyte."""

def read_sound(value: Any, spec: Mapping[str, Any]) -> np.ndarray:
    """A sound as ``(N,)`` float32 mono samples at the model's rate, cut at its greatest length.

    Args:
        value: A path, the bytes of a file, or ``(samples, rate_hz)`` with floats from -1 to 1,
            ``(L,)`` or ``(L, channels)``.
        spec: The input's settings in ``schema.json``.
    """
    if isinstance(value, tuple):
        samples, own_rate = np.asarray(value[0], dtype=np.float32), int(value[1])
        samples = samples[: int(spec["max_seconds"] * own_rate) + 2]
    else:
        samples, own_rate = opened_sound(value, spec["max_seconds"])
    if not np.isfinite(samples).all():
        raise PredictError(f"{_name(value)} holds samples that are not numbers.")
    if samples.ndim == 2:
        samples = samples.mean(axis=1, dtype=np.float32)
    rate = spec["sample_rate_hz"]
    if own_rate != rate:
        import soxr

        samples = soxr.resample(samples, own_rate, rate)
    samples = samples[: round(spec["max_seconds"] * rate)]
    if not len(samples):
        raise PredictError(f"{_name(value)} holds no sound.")
    return samples.astype(np.float32)


def opened_sound(value: Any, seconds: float) -> tuple[np.ndarray, int]:
    """The samples ``(L, channels)`` of a file or its bytes, so many seconds at most; the rate."""
    import soundfile

    source = io.BytesIO(value) if isinstance(value, bytes) else str(_file(value))
    try:
        with soundfile.SoundFile(source) as sound:
            rate = int(sound.samplerate)
            if rate <= 0:
                raise PredictError(f"{_name(value)} says that its rate is {rate} Hz.")
            frames = min(int(np.ceil(seconds * rate)) + 1, sound.frames)
            if frames * sound.channels > MOST_SAMPLES:
                raise PredictError(f"{_name(value)} has {sound.channels} channels at {rate} Hz: "
                                   "that is more than can be held.")
            return sound.read(frames, dtype="float32", always_2d=True), rate
    except PredictError:
        raise
    except Exception as error:  # of whatever kind the library's reader ran into
        raise PredictError(f"{_name(value)} can't be read as a sound: {error}") from None


# Texts -------------------------------------------------------------------------------------------

MOST_TEXT = 1_000_000
WORD_PLACES, CHARACTER_PLACES = 1 << 14, 1 << 15
FIRST_WIDE = 0x2E80


def read_text(value: Any) -> str:
    """A text, or that of a UTF-8 file where a ``Path`` or bytes are given."""
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            raise PredictError(f"A text has {len(value):,} characters: cut it into parts.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise PredictError(f"A text is not valid Unicode (character {error.start}).") from None
        return value.strip()
    data = value if isinstance(value, bytes) else _file(value).read_bytes()
    if len(data) > MOST_TEXT:
        raise PredictError(f"{_name(value)} is longer than 1 MB of text.")
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise PredictError(f"{_name(value)} is not UTF-8 text (byte {error.start}).") from None


def ngram_places(text: str) -> np.ndarray:
    """The places of a text's words, pairs of words, and letter sequences."""
    text = text.lower()
    words = re.findall(r"\w+", text)
    hashed = np.array([zlib.crc32(w.encode("utf-8", "replace")) for w in [
        *words, *(f"{a} {b}" for a, b in pairwise(words))]], dtype=np.int64)
    codes = np.frombuffer(f" {' '.join(text.split())} ".encode("utf-32-le", "replace"),
                          dtype=np.uint32)
    found = [_mixed(codes[codes >= FIRST_WIDE][None])]
    for length in (2, 3, 4, 5):
        count = len(codes) - length + 1
        if count > 0:
            found.append(_mixed(np.stack([codes[at : at + count] for at in range(length)])))
    letters = np.concatenate(found).astype(np.int64)
    return np.concatenate([hashed % WORD_PLACES, WORD_PLACES + letters % CHARACTER_PLACES])


def _mixed(codes: np.ndarray) -> np.ndarray:
    """One hash of ``(length, N)`` codes."""
    mixed = np.full(codes.shape[1], len(codes), dtype=np.uint32)
    for row in codes:
        mixed = mixed * np.uint32(1_000_003) + row
        mixed ^= mixed >> np.uint32(15)
    return mixed


# Numbers and categories --------------------------------------------------------------------------

LARGEST = 6.0
MOST_RECORD = 10_000
"""Characters of a record that is written as ``name=value``; as JSON it may be longer."""
_NUMBER = r"[-+]?(?:\d[\d,.'\u00a0\u202f ]*\d|\d|\.\d+)(?:[eE][-+]?\d+)?"
_WITH_UNIT = re.compile(rf"([^\d+\-.,]{{0,4}}?)\s*({_NUMBER})\s*([^\d+\-.,]{{0,12}}\S?)")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:[,'\u00a0\u202f ]\d{3})+(?:\.\d+)?")


def read_cells(value: Any, spec: Mapping[str, Any]) -> np.ndarray | None:
    """A row's cells as ``(C, 4)`` float32: known, size, rank, place; None where all are empty.

    Args:
        value: A mapping of columns to cells, JSON of one, or ``age=30, city=Rome``.
        spec: The input's settings in ``schema.json``.
    """
    columns = spec["columns"]
    cells = _record(value, columns)
    found = np.zeros((len(columns), 4), dtype=np.float64)
    for line, column in zip(found, columns, strict=True):
        cell = cells.get(column["name"])
        if cell:
            line[:] = _placed(cell, column)
    return found.astype(np.float32) if any(cells.values()) else None


def _record(value: Any, columns: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    kinds = {column["name"]: column["kind"] for column in columns}
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        value = _of_text(value, list(kinds))
        numbers: tuple[str, str] = ("true", "false")
    else:
        numbers = ("1", "0")
    cells = {}
    for name, cell in dict(value).items():
        if name not in kinds:
            raise PredictError(f"'{name}' is not a column of this input.")
        if isinstance(cell, dict | list | tuple | set):
            raise PredictError(f"'{name}' holds more than one value.")
        if cell is None or cell != cell:
            cell = ""
        elif isinstance(cell, bool | np.bool_):
            words = numbers if kinds[name] == "number" or numbers[0] == "true" else (
                "True", "False")
            cell = words[0 if cell else 1]
        cells[name] = str(cell).strip()
    return cells


def _of_text(text: str, names: list[str]) -> dict[str, Any]:
    most = MOST_TEXT if text.lstrip().startswith("{") else MOST_RECORD
    if len(text) > most:
        raise PredictError(f"A record has {len(text):,} characters: {most:,} are the most.")
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise PredictError(f"{text[:60]!r} can't be read as JSON: {error}.") from None
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    begins = list(re.finditer(rf"(?:^|[,;\n])[^\S\n]*({known})\s*=", text))
    if not begins or text[: begins[0].start()].strip():
        raise PredictError(f"{text[:60]!r} gives none of the columns {', '.join(names)[:200]}.")
    ends = [m.start() for m in begins[1:]] + [len(text)]
    return {m[1]: _pair_value(text[m.end() : end], text[end : end + 1])
            for m, end in zip(begins, ends, strict=True)}


def _pair_value(value: str, mark: str) -> str:
    """What stands between two pairs, without the comma that may come before a line's end."""
    value = value.strip()
    return value[:-1].rstrip() if mark == "\n" and value.endswith((",", ";")) else value


def _placed(cell: str, column: Mapping[str, Any]) -> tuple[float, float, float, float]:
    if column["kind"] == "category":
        return 1.0, 0.0, 0.0, float(_place(cell, column["words"]))
    number = _read_number(cell, column.get("unit", ""), column.get("thousands", True))
    if number is None:
        return 0.0, 0.0, 0.0, 0.0
    size = (number - column["middle"]) / column["width"]
    levels = column["levels"]
    place = 1 + levels.index(number) if number in levels else 0
    rank = 12**0.5 * (_rank(number, column["knots"], column["ranks"]) - 0.5)
    return 1.0, min(LARGEST, max(-LARGEST, size)), rank, float(place)


def _place(word: str, words: Sequence[str]) -> int:
    if word in words:
        return 1 + list(words).index(word)
    lower = word.lower()
    if lower not in ("true", "false"):
        return 0
    return next((i for i, w in enumerate(words, start=1) if w.lower() == lower), 0)


def _rank(number: float, knots: Sequence[float], ranks: Sequence[float]) -> float:
    at = bisect_right(knots, number)
    if at == 0 or at == len(knots):
        return ranks[min(at, len(knots) - 1)]
    share = (number - knots[at - 1]) / (knots[at] - knots[at - 1])
    return ranks[at - 1] + share * (ranks[at] - ranks[at - 1])


def _read_number(cell: str, unit: str, thousands: bool) -> float | None:
    text = cell.strip()
    if not _PLAIN.fullmatch(text):
        match = _WITH_UNIT.fullmatch(text)
        if match is None or f"{match[1]}{match[3]}".strip().lower() not in ("", unit):
            return None
        text = match[2]
        if thousands and _THOUSANDS.fullmatch(text):
            text = re.sub(r"[,'\u00a0\u202f ]", "", text)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# The model ---------------------------------------------------------------------------------------


class Model:
    """An exported model, ready to answer.

    Args:
        place: The exported folder, or the ``model.onnx`` in it: the file alone holds all.
        threads: Of the runtime; 0 leaves them to it.
        most_pixels: Of a picture; larger ones are refused.
    """

    def __init__(
        self, place: str | Path = HERE, threads: int = 0, most_pixels: int = MOST_PIXELS
    ) -> None:
        import onnxruntime

        place = Path(place)
        file = place / "model.onnx" if place.is_dir() else place
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"])
            told = self.session.get_modelmeta().custom_metadata_map
            schema = json.loads(told["mmstudio"])
            tokenizers = json.loads(told.get("tokenizers", "{}"))
        except (KeyError, ValueError):
            raise PredictError(f"{file} is not a model that mmstudio exported.") from None
        except Exception as error:  # the runtime's own kinds
            raise PredictError(f"{file} can't be loaded: {error}") from None
        self._hold(file.parent, schema, tokenizers, most_pixels)
        self._read = {i.name for i in self.session.get_inputs()}

    def _hold(
        self, folder: Path, schema: dict[str, Any], tokenizers: Mapping[str, str],
        most_pixels: int,
    ) -> None:
        """Take what the model says of itself."""
        self.folder, self.schema, self.most_pixels = folder, schema, most_pixels
        self.inputs: dict[str, dict[str, Any]] = schema["inputs"]
        self.targets: dict[str, dict[str, Any]] = schema["targets"]
        self.agree = float(schema.get("agree", AGREE))
        self._tokenizers = {name: _tokenizer(text) for name, text in tokenizers.items()}

    def answer(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Answer for one sample.

        Args:
            inputs: Per input a path, a text, the bytes of a file, or what ``read_picture``,
                ``read_sound`` and ``read_cells`` take; what is missing or None is absent.

        Raises:
            PredictError: An unknown input, or content that can't be read.
        """
        return self.answer_all([inputs])[0]

    def answer_all(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer for several samples together. Raises PredictError as ``answer``."""
        answers = []
        for answer in self.answer_each(rows):
            if isinstance(answer, PredictError):
                raise answer
            answers.append(answer)
        return answers

    def answer_each(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any] | PredictError]:
        """Per row its answer, or why it has none: one that can't be read leaves the others be."""
        found: list[dict[str, np.ndarray] | PredictError] = []
        for row in rows:
            try:
                found.append(self.decode(row))
            except PredictError as error:
                found.append(error)
        told = iter(self.told([row for row in found if not isinstance(row, PredictError)]))
        return [one if isinstance(one, PredictError) else next(told) for one in found]

    def told(self, rows: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, Any]]:
        """The answers to decoded rows as plain data."""
        outputs = self.run(rows) if rows else {}
        return [self._told(row, {n: o[at] for n, o in outputs.items()})
                for at, row in enumerate(rows)]

    def decode(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """One sample's contents as arrays; what is absent is left out."""
        found: dict[str, np.ndarray] = {}
        for name, value in inputs.items():
            if name not in self.inputs:
                raise PredictError(f"The model has no input '{name}'; it has "
                                   f"{', '.join(self.inputs)}.")
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            try:
                array = self._decoded(name, value)
            except PredictError:
                raise
            except Exception as error:  # whatever odd content makes of a reader: others go on
                raise PredictError(f"'{name}' can't be read: {_fault(error)}") from None
            if array is not None:
                found[name] = array
        return found

    def _decoded(self, name: str, value: Any) -> np.ndarray | None:
        spec = self.inputs[name]
        kind = spec["modality"]
        if kind == "image":
            return read_picture(value, spec, self.most_pixels)
        if kind == "audio":
            return read_sound(value, spec)
        if kind == "tabular":
            return read_cells(value, spec)
        ids = self._tokenizers[name].encode(read_text(value)).ids[: spec["max_tokens"]]
        return np.array(ids or [spec["empty"]], dtype=np.int64)

    def run(self, rows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Per target the scores ``(B, C)`` or values ``(B,)``, and the embedding ``(B, D)``.

        Args:
            rows: As ``decode`` gave them.
        """
        feed: dict[str, np.ndarray] = {}
        present = np.zeros((len(rows), len(self.inputs)), dtype=bool)
        for i, (name, spec) in enumerate(self.inputs.items()):
            arrays = [row.get(name) for row in rows]
            present[:, i] = [a is not None for a in arrays]
            feed |= self._tensors(name, spec, arrays)
        feed[self.schema["present"]] = present
        wanted = [t["output"] for t in self.targets.values()] + [self.schema["embedding"]]
        found = self.session.run(wanted, {n: a for n, a in feed.items() if n in self._read})
        return dict(zip([*self.targets, self.schema["embedding"]], found, strict=True))

    def _tensors(
        self, name: str, spec: Mapping[str, Any], arrays: Sequence[np.ndarray | None]
    ) -> dict[str, np.ndarray]:
        names, kind = spec["tensors"], spec["modality"]
        if kind in ("image", "tabular"):
            shape = ((spec["channels"], *spec["size"]) if kind == "image"
                     else (len(spec["columns"]), 4))
            empty = np.zeros(shape, dtype=np.uint8 if kind == "image" else np.float32)
            return {names["values"]: np.stack([empty if a is None else a for a in arrays])}
        lengths = np.array([0 if a is None else len(a) for a in arrays], dtype=np.int64)
        step = spec["length_step"]
        length = spec.get("length") or step * max(1, -(-int(lengths.max(initial=1)) // step))
        text = kind == "text"
        values = np.full((len(arrays), length), spec["pad"] if text else 0,
                         dtype=np.int64 if text else np.float32)
        for row, array in enumerate(arrays):
            if array is not None:
                values[row, : len(array)] = array
        if not text:
            return {names["values"]: values, names["length"]: lengths}
        mask = np.arange(length) < lengths[:, None]
        found = {names["values"]: values, names["mask"]: mask}
        if names.get("ngrams"):
            found[names["ngrams"]] = self._places(name, values, mask)
        return found

    def _places(self, name: str, values: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """``(B, N)`` places of words and letter sequences, -1 fills up."""
        rows = [row[there].tolist() for row, there in zip(values, mask, strict=True)]
        texts = self._tokenizers[name].decode_batch(rows, skip_special_tokens=True)
        places = [ngram_places(text) for text in texts]
        found = np.full((len(places), 16 * (1 + max(map(len, places)) // 16)), -1, np.int64)
        for row, some in enumerate(places):
            found[row, : len(some)] = some
        return found

    def temperature(self, target: str, present: Collection[str]) -> float:
        """What a target's logits are divided by where these inputs are there; 1 of most."""
        found = {frozenset(one["inputs"]): float(one["temperature"])
                 for one in self.schema.get("temperatures", {}).get(target, ())}
        there = frozenset(present)
        return found.get(there, found.get(frozenset(self.inputs), 1.0)) if there else 1.0

    def _told(
        self, decoded: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        tasks = {name: _answer(target, outputs[name], self.temperature(name, decoded))
                 for name, target in self.targets.items()}
        data: dict[str, Any] = {"tasks": tasks, "present": [n for n in self.inputs if n in decoded]}
        if not decoded:
            data["note"] = ("No input is present: the answer rests on the training rows' "
                            "labels alone.")
        return data


def _tokenizer(text: str) -> Any:
    from tokenizers import Tokenizer, decoders

    found = Tokenizer.from_str(text)
    if found.decoder is None:
        found.decoder = decoders.Metaspace()
    return found


def _answer(
    target: Mapping[str, Any], output: np.ndarray, temperature: float = 1.0
) -> dict[str, Any]:
    """One row's answer.

    Args:
        target: Its settings in ``schema.json``.
        output: Its scores ``(C,)``, or its value.
        temperature: What its logits were divided by; the threshold's is too.
    """
    if target["task"] == "regression":
        return {"value": float(output), "unit": target["unit"],
                "usual_error": target["usual_error"]}
    classes = target["classes"]
    scores = {classes[i]: float(output[i]) for i in np.argsort(-output, kind="stable")}
    if target["task"] == "multilabel":
        least = target["threshold"]
        if temperature != 1 and 0 < least < 1:
            least = 1 / (1 + math.exp(-math.log(least / (1 - least)) / temperature))
        return {"labels": [n for n, s in scores.items() if s >= least], "scores": scores,
                "threshold": least}
    return {"label": next(iter(scores)), "scores": scores}


def _file(value: Any) -> Path:
    path = Path(value)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(value)):
        raise PredictError(f"{value} is an address: addresses are not fetched.")
    if not path.is_file():
        raise PredictError(f"{path} is missing, or is not a file.")
    if path.stat().st_size == 0:
        raise PredictError(f"{path} is empty (0 bytes).")
    return path


def _fault(error: Exception) -> str:
    return str(error) or type(error).__name__


def _name(value: Any) -> str:
    return str(value) if isinstance(value, str | Path) else "The content"


# The self-test -----------------------------------------------------------------------------------


def self_test(model: Model) -> dict[str, Any]:
    """Compare with the app's answers that were written at the export.

    Each subset of each sample's inputs is asked alone, and all of them in batches.

    Returns:
        ``largest``, the largest difference of a score (of a number, in deviations), infinite
        where other labels are answered; ``answers``, how many were compared;
        ``milliseconds``, one sample's mean time.
    """
    folder = model.folder / "selftest"
    asked = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    rows, truths = [], []
    for sample in asked["samples"]:
        values = {name: folder / value["file"] if "file" in value else value["content"]
                  for name, value in sample["inputs"].items()}
        decoded = model.decode(values)
        for answer in sample["answers"]:
            rows.append({n: a for n, a in decoded.items() if n in answer["inputs"]})
            truths.append(answer)
    largest, began = 0.0, time.perf_counter()
    for row, truth in zip(rows, truths, strict=True):
        largest = max(largest, _apart(model, model.run([row]), 0, truth, row))
    seconds = (time.perf_counter() - began) / max(1, len(rows))
    for begin in range(0, len(rows), AT_ONCE):
        outputs = model.run(rows[begin : begin + AT_ONCE])
        for at, truth in enumerate(truths[begin : begin + AT_ONCE]):
            largest = max(largest, _apart(model, outputs, at, truth, rows[begin + at]))
    return {"largest": largest, "answers": 2 * len(rows), "milliseconds": 1000 * seconds,
            "agrees": bool(largest <= model.agree), "most": model.agree}


def _apart(
    model: Model, outputs: Mapping[str, np.ndarray], at: int, truth: Mapping[str, Any],
    present: Collection[str],
) -> float:
    """The largest difference of a row's scores; infinite where other labels are answered."""
    found = 0.0
    for name, target in model.targets.items():
        apart = np.abs(np.asarray(outputs[name][at], dtype=np.float64)
                       - np.asarray(truth["outputs"][name]))
        if not np.isfinite(apart).all():
            return math.inf
        own = truth.get("labels", {}).get(name)
        if own is not None:
            answer = _answer(target, outputs[name][at], model.temperature(name, present))
            least = answer["threshold"]
            other = set(own) ^ set(answer["labels"])
            # a score at the threshold may fall on either side of it
            if any(abs(answer["scores"][label] - least) > model.agree for label in other):
                return math.inf
        scale = target["deviation"] if target["task"] == "regression" else 1.0
        found = max(found, float(apart.max(initial=0.0)) / max(scale, 1e-12))
    return found


# Tables ------------------------------------------------------------------------------------------

_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def guarded(cell: str) -> str:
    """A cell that no spreadsheet computes: with an apostrophe before it where it would."""
    number = re.fullmatch(r"[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?", cell)
    return f"'{cell}" if _FORMULA.match(cell) and not number else cell


def answer_table(model: Model, table: Path, output: Path) -> tuple[int, int]:
    """Answer for each row of a CSV or TSV file; paths are relative to it.

    Returns:
        How many rows were answered, and how many there are.
    """
    if output.exists() and output.samefile(table):
        raise PredictError(f"{output} is the table itself: choose another --output.")
    beside = output.with_name(f"{output.name}.new")
    try:
        with (table.open(encoding="utf-8-sig", newline="") as source,
              beside.open("w", encoding="utf-8", newline="") as goal):
            found = _written(model, table, source, csv.writer(goal, delimiter=_delimiter(output)))
        os.replace(beside, output)
    except (csv.Error, UnicodeDecodeError) as error:
        raise PredictError(f"{table} can't be read as a table: {error}.") from None
    finally:
        beside.unlink(missing_ok=True)
    return found


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _written(model: Model, table: Path, source: TextIO, writer: Any) -> tuple[int, int]:
    """Answer a table's rows; how many were answered, and how many there are."""
    csv.field_size_limit(MOST_CELL)
    reader = csv.DictReader(source, delimiter=_delimiter(table))
    own = list(reader.fieldnames or [])
    wanted = [c for spec in model.inputs.values() for c in _columns(spec)]
    if not set(wanted) & set(own):
        raise PredictError(f"{table} has none of the columns {', '.join(wanted)[:500]}.")
    added = [f"{name} {part}" for name, target in model.targets.items()
             for part in (("answer",) if target["task"] == "regression"
                          else ("answer", "score"))]
    writer.writerow([guarded(c) for c in [*own, *added]] + ["error"])
    answered = count = 0
    while rows := list(islice(reader, AT_ONCE)):
        for row, (cells, told) in zip(rows, _answered(model, rows, table.parent), strict=True):
            answered, count = answered + bool(cells), count + 1
            line = [*(row[c] or "" for c in own), *(cells or [""] * len(added)), told]
            writer.writerow([guarded(str(c)) for c in line])
    return answered, count


def _columns(spec: Mapping[str, Any]) -> list[str]:
    """The columns of a table that an input reads."""
    return ([c["name"] for c in spec["columns"]] if spec["modality"] == "tabular"
            else [spec["column"]])


def _answered(
    model: Model, rows: Sequence[Mapping[str, Any]], folder: Path
) -> Iterator[tuple[list[Any], str]]:
    decoded, errors = [], []
    for row in rows:
        found: dict[str, np.ndarray] = {}
        told = []
        for name, spec in model.inputs.items():
            try:
                found |= model.decode({name: _cell(spec, row, folder)})
            except PredictError as error:
                told.append(str(error))
            except OSError as error:  # of a cell that can be no file's name
                told.append(f"'{name}' can't be read: {_fault(error)}")
        decoded.append(found)
        errors.append(" ".join(told))
    outputs = model.run(decoded)
    for at, (found, to_plain) in enumerate(zip(decoded, errors, strict=True)):
        if not found:
            yield [], to_plain or "All inputs are empty."
            continue
        cells: list[Any] = []
        for name, target in model.targets.items():
            cells += _cells(target, _answer(
                target, outputs[name][at], model.temperature(name, found)))
        yield cells, to_plain


def _cell(spec: Mapping[str, Any], row: Mapping[str, Any], folder: Path) -> Any:
    if spec["modality"] == "tabular":
        cells = {c["name"]: row.get(c["name"]) or None for c in spec["columns"]}
        return cells if any(cells.values()) else None
    cell = row.get(spec["column"]) or ""
    if not cell.strip():
        return None
    below = folder / spec.get("folder", "")  # where the training table's files were
    found = located(spec, cell, below)
    plain = located(spec, cell, folder)
    return plain if isinstance(plain, Path) and plain.is_file() and not (
        isinstance(found, Path) and found.is_file()) else found


def located(spec: Mapping[str, Any], cell: str, folder: Path) -> Any:
    """What a cell, or a word on the command line, means: a file's path, or the text itself."""
    if spec["modality"] == "tabular":
        return cell
    if spec["modality"] == "text":
        names = len(cell) < 500 and cell.lower().endswith((".txt", ".md")) and "\0" not in cell
        path = folder / cell if names else None
        blank = any(c.isspace() for c in cell)
        return cell if path is None or (blank and not path.is_file()) else path
    return folder / cell


def _cells(target: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Any]:
    if "value" in answer:
        return [answer["value"]]
    if "labels" in answer:
        mark = target["separator"]
        scores = [f"{answer['scores'][label]:.6f}" for label in answer["labels"]]
        return [mark.join(answer["labels"]) or mark, mark.join(scores)]
    return [answer["label"], f"{answer['scores'][answer['label']]:.6f}"]


# The command -------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None, kind: Any = None) -> int:
    """Run the command; gives its exit code.

    Args:
        arguments: Those of the process by default.
        kind: What answers, made of the folder; ``Model`` by default.
    """
    parser = argparse.ArgumentParser(description="Answers of an exported model.")
    parser.add_argument("--model", type=Path, default=HERE, help="the folder, or model.onnx")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=VALUE",
                        help="a file or a text; may be repeated")
    parser.add_argument("--table", type=Path, help="a CSV or TSV file of samples")
    parser.add_argument("--output", type=Path, help="where the table's answers go")
    parser.add_argument("--selftest", action="store_true", help="compare with the app's answers")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    given = parser.parse_args(arguments)
    try:
        return _run((kind or Model)(given.model), given)
    except (PredictError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(model: Model, given: argparse.Namespace) -> int:
    if given.selftest:
        found = self_test(model)
        print(json.dumps(found) if given.json else
              f"{found['answers']} answers compared: the largest difference is "
              f"{found['largest']:.1e} ({'agrees' if found['agrees'] else 'DOES NOT AGREE'}); "
              f"{found['milliseconds']:.1f} ms per sample.")
        return 0 if found["agrees"] else 1
    if given.table:
        if given.output is None:
            raise PredictError("--table needs --output.")
        answered, count = answer_table(model, given.table, given.output)
        print(json.dumps({"answered": answered, "rows": count, "output": str(given.output)})
              if given.json else f"{answered} of {count} rows answered in {given.output}.")
        return 0 if answered else 1
    inputs = {}
    for pair in given.input:
        name, _, value = pair.partition("=")
        spec = model.inputs.get(name)
        if spec is None:
            raise PredictError(f"The model has no input '{name}'; it has "
                               f"{', '.join(model.inputs)}.")
        inputs[name] = located(spec, value, Path.cwd()) if value.strip() else None
    told = model.answer(inputs)
    if given.json:
        print(json.dumps(told, ensure_ascii=False))
        return 0
    for name, answer in told["tasks"].items():
        if "value" in answer:
            print(f"{name}: {answer['value']:.6g} {answer['unit']}".rstrip())
        else:
            best = list(answer["scores"].items())[:5]
            print(f"{name}: " + ", ".join(f"{label} {score:.1%}" for label, score in best))
    return 0


if __name__ == "__main__":
    sys.exit(main())

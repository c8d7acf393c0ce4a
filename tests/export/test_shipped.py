"""What travels with the model reads content as the app does, to the byte."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from mmstudio.encoders.text_ngrams import CHARACTER_PLACES, WORD_PLACES, ngrams
from mmstudio.export.carried.base import carried
from mmstudio.export.shipped import predict
from mmstudio.modalities.audio import AudioModality
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.picture_files import OTHER_FORMATS, USUAL_FORMATS
from mmstudio.modalities.tabular import TabularModality

CHANCE = np.random.default_rng(0)
NOISE = CHANCE.integers(0, 256, (37, 53, 3), dtype=np.uint8)
SMOOTH = Image.fromarray(NOISE).resize((640, 400), Image.Resampling.BICUBIC)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


PICTURES: dict[str, Any] = {
    "plain.png": lambda p: Image.fromarray(NOISE).save(p),
    "grey.png": lambda p: Image.fromarray(NOISE[:, :, 0]).save(p),
    "large.jpg": lambda p: SMOOTH.save(p, quality=80),
    "small.jpg": lambda p: SMOOTH.resize((70, 60)).save(p),
    "turned.jpg": lambda p: SMOOTH.save(p, exif=turned()),
    "clear.png": lambda p: Image.fromarray(np.dstack([NOISE, NOISE[:, :, :1]])).save(p),
    "palette.gif": lambda p: Image.fromarray(NOISE).convert("P").save(p),
    "deep.png": lambda p: Image.fromarray(NOISE[:, :, 0].astype(np.uint16) * 200).save(p),
    "bits.png": lambda p: Image.fromarray(NOISE[:, :, 0]).convert("1").save(p),
    "print.jpg": lambda p: SMOOTH.convert("CMYK").save(p),
    "web.webp": lambda p: SMOOTH.save(p),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_fitted_alike(name: str, channels: int, tmp_path: Path) -> None:
    PICTURES[name](tmp_path / name)
    spec = {"size": [24, 32], "channels": channels}
    own = ImageModality().decode(tmp_path / name, spec)
    found = predict.read_picture(tmp_path / name, spec)
    np.testing.assert_array_equal(found, own.transpose(2, 0, 1))
    np.testing.assert_array_equal(
        predict.read_picture((tmp_path / name).read_bytes(), spec), found)


def test_the_same_formats_are_opened() -> None:
    assert set(predict.FORMATS) == {*USUAL_FORMATS, *OTHER_FORMATS}


def test_formats_without_a_reader_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    monkeypatch.delitem(Image.OPEN, "DDS")
    held = io.BytesIO()
    SMOOTH.save(held, "TIFF")
    assert "DDS" not in predict.known_formats("HEIF") and "TIFF" in predict.known_formats()
    found = predict.read_picture(held.getvalue(), {"size": [8, 8], "channels": 3})
    assert found.shape == (3, 8, 8)
    assert carried("image").held(held.getvalue(), {}).size == SMOOTH.size  # type: ignore[union-attr]


def test_a_requests_sound_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    soundfile.write(held, np.zeros((8000, 2)), 8000, format="FLAC")
    samples, rate = carried("audio").held(  # type: ignore[union-attr]
        held.getvalue(), {"max_seconds": 0.5})
    assert (len(samples), rate) == (4001, 8000)
    monkeypatch.setattr(predict, "MOST_SAMPLES", 8001)
    with pytest.raises(predict.PredictError, match="2 channels at 8000 Hz"):
        predict.opened_sound(held.getvalue(), 0.5)


@pytest.mark.parametrize(("rate", "channels", "seconds"), [
    (8000, 1, 0.3), (16000, 2, 0.2), (11025, 1, 1.4), (4000, 1, 0.05)])
def test_sounds_are_brought_to_the_same_samples(
    rate: int, channels: int, seconds: float, tmp_path: Path
) -> None:
    samples = 0.3 * CHANCE.normal(size=(round(rate * seconds), channels))
    soundfile.write(tmp_path / "sound.wav", samples, rate)
    spec = {"sample_rate_hz": 8000, "max_seconds": 0.9}
    own = AudioModality().decode(tmp_path / "sound.wav", spec)
    found = predict.read_sound(tmp_path / "sound.wav", spec)
    np.testing.assert_array_equal(
        np.round(np.clip(found, -1, 1) * 32767).astype(np.int16), own)


@pytest.mark.parametrize("text", [
    "", "a", "The Cat sat on the mat", "naïve café", "今日は good 🙂🙂", "x" * 300, "Ünï -- 12,5"])
def test_words_and_letters_have_the_same_places(text: str) -> None:
    words, letters = ngrams(text)
    own = np.concatenate([words % WORD_PLACES, WORD_PLACES + letters % CHARACTER_PLACES])
    np.testing.assert_array_equal(predict.ngram_places(text), own)


CELLS = ["30", " 41 ", "1,200", "-7.5e1", "33 kg", "12 m", "", None, "n/a", "Rome", "true", "TRUE",
         True, 3, 2.5, float("nan")]


def test_cells_are_placed_alike() -> None:
    modality = TabularModality()
    rows = [{"age": f"{20 + i} kg", "city": c, "yes": str(bool(i % 2)), "few": str(i % 3)}
            for i, c in enumerate("RRRSSSTTTT" * 4)]
    spec = modality.fit([json.dumps(row) for row in rows])
    for cell in CELLS:
        for column in ("age", "city", "yes", "few"):
            record = {"age": "25 kg", column: cell}
            own = modality.decode_held(record, spec)
            found = predict.read_cells(record, spec)
            if not own.size:
                assert found is None
                continue
            assert found is not None
            np.testing.assert_array_equal(found, own)
            text = json.dumps({k: v for k, v in record.items() if v == v})
            np.testing.assert_array_equal(
                predict.read_cells(text, spec), modality.decode(text, spec))
    written = "age=31 kg, city=R"
    np.testing.assert_array_equal(
        predict.read_cells(written, spec), modality.decode(written, spec))
    assert predict.read_cells({"age": None, "city": ""}, spec) is None
    with pytest.raises(predict.PredictError, match="colour"):
        predict.read_cells({"colour": "red"}, spec)


@pytest.mark.parametrize(("cell", "harmless"), [
    ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("+1+1", "'+1+1"), ("-2", "-2"), ("@x", "'@x"),
    ("\tx", "'\tx"), ("cat", "cat"), ("'=x", "''=x")])
def test_no_spreadsheet_computes_an_answer(cell: str, harmless: str) -> None:
    from mmstudio.data.formulas import guarded

    assert predict.guarded(cell) == harmless == guarded(cell)


@pytest.mark.parametrize(("value", "told"), [
    ("https://example.org/a.png", "address"), ("none.png", "missing"), (b"no picture", "read")])
def test_what_is_no_picture_is_refused(value: Any, told: str) -> None:
    with pytest.raises(predict.PredictError, match=told):
        predict.read_picture(value, {"size": [8, 8], "channels": 3})


def test_nothing_that_travels_needs_torch_or_the_app() -> None:
    import ast

    folder = Path(predict.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = ([a.name for a in node.names] if isinstance(node, ast.Import)
                     else [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            # model.py is for those who use torch
            refused = {"mmstudio", "transformers"} | (set() if path.stem == "model" else {"torch"})
            assert not {n.split(".")[0] for n in names} & refused


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_recurrent_layers_are_told_when_they_are_trained_on(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cuDNN refuses gradients else, which no CPU shows."""
    monkeypatch.setitem(sys.modules, "predict", predict)
    code = Path(predict.__file__).with_name("model.py")
    spec = importlib.util.spec_from_file_location("shipped_model", code)
    assert spec is not None and spec.loader is not None
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    layer, trained = getattr(torch, kind.lower()), []

    def watched(*given: Any) -> Any:
        trained.append(given[-2])
        return layer(*given)

    monkeypatch.setattr(torch, kind.lower(), watched)
    gates, chance = {"GRU": 3, "LSTM": 4}[kind], torch.Generator().manual_seed(0)
    shapes = ((5, 2, 3), (2, gates * 4, 3), (2, gates * 4, 4), (2, 2 * gates * 4))
    tensors = [torch.randn(shape, generator=chance) for shape in shapes]
    lengths = torch.tensor([5, 3], dtype=torch.int32)
    learnt = model.recurrent([*tensors, lengths], kind)
    with torch.no_grad():
        fixed = model.recurrent([*tensors, lengths], kind)
    assert trained == [True, False]
    torch.testing.assert_close(learnt, fixed, rtol=0, atol=0)

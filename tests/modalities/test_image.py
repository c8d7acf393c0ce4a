"""Pictures of every kind that Pillow writes, seen as people see them."""

from __future__ import annotations

import io
import random
import struct
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmstudio.errors import UserError
from mmstudio.modalities import image, picture_files
from mmstudio.modalities.image import ImageModality
from mmstudio.modalities.picture_files import open_image

RED, WHITE = (255, 0, 0), (255, 255, 255)


def quarters() -> np.ndarray:
    """8×8: red above left, green above right, blue below left, white below right."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4, 0] = picture[:4, 4:, 1] = picture[4:, :4, 2] = 255
    picture[4:, 4:] = 255
    return picture


def pixels(path: Path) -> np.ndarray:
    return np.asarray(open_image(path).convert("RGB"))


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "webp", "tif", "ppm", "tga", "pcx", "sgi"])
def test_reads_every_lossless_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"p.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(quarters()).save(path, **options)
    assert np.array_equal(pixels(path), quarters())


@pytest.mark.parametrize("suffix", ["jpg", "jp2", "avif", "ico"])
def test_reads_every_other_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"p.{suffix}"
    big = quarters().repeat(8, axis=0).repeat(8, axis=1)
    try:
        Image.fromarray(big).save(path)
    except (OSError, KeyError):
        pytest.skip(f"this Pillow writes no {suffix}")
    found = pixels(path).astype(int)[4::56, 4::56]
    assert np.abs(found - quarters()[::7, ::7]).max() < 40


@pytest.mark.parametrize("name", ["p.heic", "p.jpg"])
def test_a_picture_of_a_phone_is_read_where_its_plugin_is(name: str, tmp_path: Path) -> None:
    plugin = pytest.importorskip("pillow_heif")
    big = quarters().repeat(8, axis=0).repeat(8, axis=1)
    plugin.from_pillow(Image.fromarray(big)).save(tmp_path / "made.heic")
    (tmp_path / "made.heic").rename(tmp_path / name)
    found = pixels(tmp_path / name).astype(int)[4::56, 4::56]
    assert np.abs(found - quarters()[::7, ::7]).max() < 40
    assert picture_files.picture_size(tmp_path / name) == (64, 64)


@pytest.mark.parametrize("brand, module, words", [
    (b"heic", "pillow_heif", "pillow-heif"), (b"mif1", "pillow_heif", "pillow-heif"),
    (b"avif", "pillow_avif", "Pillow 11.3")])
def test_a_picture_without_its_reader_says_what_to_install(
    brand: bytes, module: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(picture_files, "_other_formats", lambda: ("TIFF",))
    (tmp_path / "p.heic").write_bytes(b"\0\0\0\x1cftyp" + brand + bytes(64))
    with pytest.raises(UserError) as caught:
        open_image(tmp_path / "p.heic")
    assert words in caught.value.hint


def test_palette_becomes_colour(tmp_path: Path) -> None:
    Image.fromarray(quarters()).quantize(8).save(tmp_path / "p.png")
    assert open_image(tmp_path / "p.png").mode == "RGB"
    assert np.array_equal(pixels(tmp_path / "p.png"), quarters())


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:4] = 255
    picture = Image.fromarray(np.dstack([quarters(), alpha]))
    picture.save(tmp_path / "rgba.png")
    expected = np.where(alpha[..., None] == 255, quarters(), 255)
    assert np.array_equal(pixels(tmp_path / "rgba.png"), expected)
    picture.quantize(8).save(tmp_path / "palette.png")
    assert np.array_equal(pixels(tmp_path / "palette.png"), expected)


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    picture = Image.fromarray(quarters()).quantize(8)
    red = picture.getpixel((0, 0))
    for name in ("p.png", "p.gif"):
        picture.save(tmp_path / name, transparency=red)
        expected = quarters()
        expected[:4, :4] = 255
        assert np.array_equal(pixels(tmp_path / name), expected), name


def test_a_transparent_colour_is_white(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "p.png", transparency=RED)
    assert tuple(pixels(tmp_path / "p.png")[0, 0]) == WHITE
    assert tuple(pixels(tmp_path / "p.png")[0, 7]) == (0, 255, 0)


def test_half_transparent_grey_mixes_with_white(tmp_path: Path) -> None:
    grey = np.zeros((4, 4, 2), np.uint8)
    grey[..., 1] = 128
    Image.merge("LA", [Image.fromarray(grey[..., i].copy()) for i in (0, 1)]).save(
        tmp_path / "p.png")
    seen = open_image(tmp_path / "p.png")
    assert seen.mode == "L"
    assert int(np.asarray(seen)[0, 0]) == pytest.approx(127, abs=1)


def test_black_and_white_is_grey(tmp_path: Path) -> None:
    bits = np.eye(8, dtype=bool)
    Image.fromarray(bits).save(tmp_path / "p.png")
    assert open_image(tmp_path / "p.png").mode == "L"
    assert np.array_equal(np.asarray(open_image(tmp_path / "p.png")), bits * np.uint8(255))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_eight(suffix: str, tmp_path: Path) -> None:
    levels = np.array([[0, 257, 32896, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / f"p.{suffix}")
    assert np.asarray(open_image(tmp_path / f"p.{suffix}")).tolist() == [[0, 1, 128, 255]]


def test_floats_are_stretched_to_what_is_there(tmp_path: Path) -> None:
    for name, levels in {
        "unit": [[0.0, 0.5, 1.0]], "large": [[0.0, 500.0, 1000.0]], "signed": [[-2.0, 0.0, 2.0]],
    }.items():
        Image.fromarray(np.array(levels, np.float32)).save(tmp_path / f"{name}.tif")
        assert np.asarray(open_image(tmp_path / f"{name}.tif")).tolist() == [[0, 127, 255]], name


def test_floats_that_are_no_numbers_do_no_harm(tmp_path: Path) -> None:
    levels = np.array([[np.nan, np.inf, -np.inf, 0.0, 1.0]], np.float32)
    Image.fromarray(levels).save(tmp_path / "p.tif")
    assert open_image(tmp_path / "p.tif").size == (5, 1)
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "zero.tif")
    assert np.asarray(open_image(tmp_path / "zero.tif")).max() == 0


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colour_spaces_become_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    colour = {"CMYK": (0, 255, 255, 0), "YCbCr": (76, 85, 255), "LAB": (136, 208, 195)}[mode]
    Image.new(mode, (4, 4), colour).save(path)
    assert open_image(path).mode == "RGB"
    red, green, blue = pixels(path)[0, 0].astype(int)
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("orientation", range(1, 9))
def test_is_turned_as_its_exif_says(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((32, 16, 3), np.uint8)
    upright[:16, :8] = RED
    undo = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
            5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1),
            7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, 3)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("p.png", "p.jpg"):
        stored = Image.fromarray(np.ascontiguousarray(undo(upright)))
        stored.save(tmp_path / name, exif=exif, **({"quality": 100} if name == "p.jpg" else {}))
        seen = pixels(tmp_path / name)
        assert seen.shape == upright.shape
        assert np.abs(seen[4, 4].astype(int) - RED).max() < 20
        assert seen[4, 12].max() < 40 and seen[28, 4].max() < 40
        assert ImageModality().fit([tmp_path / name])["size"] == [32, 16]


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "green", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        options = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert tuple(pixels(tmp_path / name)[0, 0]) == RED, name


def test_a_big_photograph_is_decoded_at_a_fraction(tmp_path: Path) -> None:
    Image.new("RGB", (1600, 1200), "red").save(tmp_path / "p.jpg")
    assert open_image(tmp_path / "p.jpg", hint=(96, 72)).width <= 400
    assert open_image(tmp_path / "p.jpg").width == 1600


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3000, 1), (1, 3000), (2000, 3)])
def test_odd_sizes_are_decoded(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "p.png")
    modality = ImageModality()
    for spec in (modality.fit([tmp_path / "p.png"]), {"size": [32, 48], "channels": 3}):
        array = modality.decode(tmp_path / "p.png", spec)
        assert array.shape == (*spec["size"], 3)
        assert array.dtype == np.uint8
        assert (array.reshape(-1, 3) == RED).all()


def test_is_padded_with_the_colour_of_its_rim(tmp_path: Path) -> None:
    picture = np.full((10, 40, 3), (10, 20, 30), np.uint8)
    picture[3:7, 10:30] = 255
    Image.fromarray(picture).save(tmp_path / "p.png")
    array = ImageModality().decode(tmp_path / "p.png", {"size": [40, 40], "channels": 3})
    assert tuple(array[0, 0]) == (10, 20, 30)
    assert tuple(array[20, 20]) == WHITE


def test_grey_pictures_have_one_channel_and_a_mixture_three(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "grey.png")
    Image.new("1", (16, 16)).save(tmp_path / "bits.png")
    Image.new("I;16", (16, 16)).save(tmp_path / "deep.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "colour.png")
    grey = [tmp_path / n for n in ("grey.png", "bits.png", "deep.png")]
    assert ImageModality().fit(grey) == {"size": [16, 16], "channels": 1}
    assert ImageModality().fit([*grey, tmp_path / "colour.png"])["channels"] == 3
    spec = {"size": [16, 16], "channels": 3}
    assert ImageModality().decode(tmp_path / "grey.png", spec).shape == (16, 16, 3)


def test_the_size_adapts_to_the_data_and_can_be_set(tmp_path: Path) -> None:
    for name, size in {"a": (28, 28), "b": (30, 28), "c": (28, 28), "large": (640, 480)}.items():
        Image.new("L", size).save(tmp_path / f"{name}.png")
    small = [tmp_path / f"{n}.png" for n in "abc"]
    assert ImageModality().fit(small)["size"] == [28, 28]
    assert ImageModality().fit([tmp_path / "large.png"])["size"] == [72, 96]
    assert ImageModality(size=200).fit([tmp_path / "large.png"])["size"] == [152, 200]
    assert ImageModality(size=1).fit(small)["size"] == [8, 8]


def test_files_that_cannot_be_read_are_user_errors(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        whole, "PNG")
    files = {
        "text.png": b"this is no picture", "empty.png": b"", "half.png": whole.getvalue()[:2000],
        "head.png": whole.getvalue()[:20], "noise.jpg": bytes(range(256)) * 4,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    for path in [*(tmp_path / n for n in files), tmp_path / "folder.png", tmp_path / "none.png",
                 tmp_path / "nul\0.png", tmp_path / ("long" * 100 + ".png")]:
        with pytest.raises(UserError) as caught:
            open_image(path)
        assert str(path) in caught.value.message
        assert caught.value.hint


def test_a_broken_picture_among_good_ones_is_passed_over_when_learning(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for suffix in ("png", "jpg", "webp", "tif", "gif"):
        path = tmp_path / f"whole.{suffix}"
        Image.fromarray(noise).save(path)
        (tmp_path / f"half.{suffix}").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    Image.new("RGB", (16, 16)).save(tmp_path / "good.png")
    halves = sorted(tmp_path.glob("half.*"))
    spec = ImageModality().fit([tmp_path / "good.png", tmp_path / "none.png", *halves])
    assert spec["channels"] == 3


def test_none_that_can_be_read_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match="Not one picture"):
        ImageModality().fit([tmp_path / "a.png", tmp_path / "none.png"])


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        import zlib

        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))

    for side in (13_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        (tmp_path / "bomb.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
            + chunk(b"IEND", b""))
        with pytest.raises(UserError, match="million pixels"):
            open_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "tif", "tga", "ico"])
def test_a_damaged_file_is_read_or_refused_and_never_crashes(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a header that promises a huge picture costs seconds
    monkeypatch.setattr("mmstudio.modalities.picture_files.LARGEST_PIXELS", 10**6)
    chance = random.Random(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if suffix in ("png", "jpg", "webp", "tif") else {}
    Image.fromarray(quarters().repeat(4, axis=0)).save(tmp_path / f"p.{suffix}", **options)
    content = (tmp_path / f"p.{suffix}").read_bytes()
    modality, spec = ImageModality(), {"size": [16, 16], "channels": 3}
    for round_ in range(120):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path = tmp_path / f"{round_}.{suffix}"
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        for read in (lambda p=path: modality.decode(p, spec), lambda p=path: modality.fit([p])):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow warns of much that it mends
                try:
                    read()
                except UserError as error:
                    assert error.message


def test_a_batch_is_bytes_then_floats_and_absent_rows_are_zeros() -> None:
    modality, spec = ImageModality(), {"size": [8, 12], "channels": 3}
    array = np.full((8, 12, 3), 255, np.uint8)
    values, mask = modality.collate([array, None, array * 0], spec)
    assert mask is None
    assert values.shape == (3, 3, 8, 12)
    assert values.dtype == torch.uint8
    assert values[1].sum() == 0
    prepared = modality.prepare(values)
    assert prepared.dtype == torch.float32
    assert prepared[0].unique().tolist() == [1.0]
    assert prepared[2].unique().tolist() == [-1.0]
    assert prepared.is_contiguous(memory_format=torch.channels_last)


def test_augmenting_varies_a_little_by_its_generator() -> None:
    modality = ImageModality()
    values = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16)
    results = [modality.augment(values, None, torch.Generator().manual_seed(s))[0]
               for s in (0, 0, 1)]
    assert results[0].shape == values.shape
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert 0 < (results[0] - values).abs().mean() < 0.5


def test_a_dark_picture_of_16_bits_stays_dark(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "dark.png")
    seen = np.asarray(open_image(tmp_path / "dark.png"))
    assert seen.max() <= 1  # 255 of 65,535


def test_large_pictures_are_reduced_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "LARGE_PIXELS", 10_000)
    for mode, colour in (("RGB", (200, 100, 0)), ("RGBA", (200, 100, 0, 255)), ("L", 150),
                         ("I;16", 40_000), ("1", 1), ("P", 0)):
        Image.new(mode, (400, 300), colour).save(tmp_path / "large.png")
        seen = open_image(tmp_path / "large.png", hint=(16, 12))
        assert seen.size in ((66, 50), (67, 50))
        assert np.ptp(np.asarray(seen), axis=(0, 1)).max() == 0
    assert open_image(tmp_path / "large.png").size == (100, 75)


def test_many_threads_open_large_headers_without_a_warning(tmp_path: Path) -> None:
    Image.new("1", (11_000, 11_000)).save(tmp_path / "wide.png")
    with ThreadPoolExecutor(4) as pool:
        fitted = list(pool.map(
            lambda _: ImageModality().fit([tmp_path / "wide.png"]), range(16)))
    assert all(spec == {"size": [96, 96], "channels": 1} for spec in fitted)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(24, 16), (40, 30)])
def test_a_plain_jpeg_is_read_as_pillow_reads_it(
    tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = tmp_path / "plain.jpg"
    Image.fromarray(noise).convert(mode).save(file, quality=80)
    plain = picture_files.plain_jpeg(file, 24, 16)
    assert plain is not None
    with Image.open(file) as picture:
        assert np.array_equal(plain, np.asarray(picture).reshape(plain.shape))


@pytest.mark.parametrize("what", ["turned", "cmyk", "cut", "large"])
def test_an_unusual_jpeg_gets_the_careful_look(tmp_path: Path, what: str) -> None:
    file = tmp_path / "unusual.jpg"
    picture = Image.new("CMYK" if what == "cmyk" else "RGB", (64, 64))
    exif = Image.Exif()
    if what == "turned":
        exif[0x0112] = 6
    picture.save(file, exif=exif)
    if what == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    side = 16 if what == "large" else 64
    assert picture_files.plain_jpeg(file, side, side) is None


def test_the_suffixes_are_all_that_pillow_reads_by_itself() -> None:
    Image.init()
    # stubs without a reader, what needs other programs or another system, and films
    not_so = {"BUFR", "GRIB", "HDF5", "EPS", "WMF", "MPEG",
              "IPTC"}  # a picture of any kind inside
    pillows = {suffix for suffix, kind in Image.registered_extensions().items()
               if (kind in Image.OPEN or kind == "MPO") and kind not in not_so}
    assert pillows - set(image.SUFFIXES) == set()
    assert len(image.SUFFIXES) == len(set(image.SUFFIXES))
    plugins = image.SUFFIXES[image.SUFFIXES.index(".heic"):]
    kinds = {Image.registered_extensions()[suffix] for suffix in image.SUFFIXES
             if suffix not in plugins}
    assert {*picture_files.USUAL_FORMATS, *picture_files.OTHER_FORMATS} == (
        kinds - {"MPO"})  # read as a JPEG


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
(%pipe%touch executed) (w) file closefile
showpage
%%EOF
"""


def embedded(content: bytes) -> bytes:
    """An IPTC file that holds another picture."""
    def field(record: int, number: int, data: bytes) -> bytes:
        return bytes([0x1C, record, number]) + len(data).to_bytes(2, "big") + data

    return b"".join([
        field(3, 20, b"\0\x08"), field(3, 30, b"\0\x08"), field(3, 60, b"\x01\0"),
        field(3, 120, b"\x05"), field(8, 10, content)])


@pytest.mark.parametrize("content", [POSTSCRIPT, embedded(POSTSCRIPT)], ids=["bare", "embedded"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.eps", "a.iim", "a"])
def test_no_file_starts_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    import subprocess

    from PIL import EpsImagePlugin

    started: list[object] = []

    def start(*arguments: object, **_: object) -> None:
        started.append(arguments)
        raise OSError("not here")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", start)
    for how in ("check_call", "run", "Popen"):
        monkeypatch.setattr(subprocess, how, start)
    (tmp_path / name).write_bytes(content)
    modality = ImageModality()
    with pytest.raises(UserError, match="not a picture that can be read"):
        open_image(tmp_path / name)
    with pytest.raises(UserError, match="not a picture that can be read"):
        picture_files.picture_size(tmp_path / name)
    with pytest.raises(UserError):
        modality.decode(tmp_path / name, {"size": [8, 8], "channels": 3})
    with pytest.raises(UserError):
        modality.fit([tmp_path / name])
    assert not started


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 96), (96, 24)])
def test_augmenting_turns_and_scales_but_never_shears(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    from torch.nn import functional

    grids: list[torch.Tensor] = []
    real = functional.grid_sample

    def noted(values: torch.Tensor, grid: torch.Tensor, **options: object) -> torch.Tensor:
        grids.append(grid)
        return real(values, grid, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(functional, "grid_sample", noted)
    ImageModality().augment(
        torch.zeros(50, 1, height, width), None, torch.Generator().manual_seed(1))
    places = grids[0] * torch.tensor([width / 2, height / 2])  # (B, H, W, 2) pixels
    right = places[:, 0, 1] - places[:, 0, 0]
    down = places[:, 1, 0] - places[:, 0, 0]
    lengths = right.norm(dim=1)
    torch.testing.assert_close(down.norm(dim=1), lengths, atol=1e-4, rtol=0)
    assert (right * down).sum(dim=1).abs().max() < 1e-4  # a right angle stays one
    assert 0.9 <= lengths.min() and lengths.max() <= 1.1
    turned = torch.rad2deg(torch.atan2(right[:, 1], right[:, 0])).abs()
    assert 8 < turned.max() < 10

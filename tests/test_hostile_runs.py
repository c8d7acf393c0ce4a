"""Runs, comparisons and tables that anybody may have written: nothing runs, hangs or falls over.

Each is one damage to one file of a sound run. Whatever is done with it, the command line ends with
0 or 1 and names the file.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mmstudio.comparison.folder import ComparisonFolder, list_comparisons
from mmstudio.data.parquet_bounds import MOST_ROWS, check_parquet
from mmstudio.data.parquet_sizes import column_sizes
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.modalities.picture_files import open_image
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from tests.cli.conftest import Run
from tests.cli.conftest import run as run  # a fixture
from tests.in_a_process import LONGEST_S, MOST_MEMORY_MB, run_python
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import train_small, write_small_project

Damage = Callable[[Path], object]
DEEP = 200_000


class Mine:
    """What a pickle would execute."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["MMSTUDIO_TEST_EXECUTED"],)


@pytest.fixture(scope="module")
def sound(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained run; not to be written into."""
    project = write_small_project(tmp_path_factory.mktemp("sound") / "project")
    train_small(project, {"training.epochs": 1})
    train_small(project, {"training.epochs": 1, "inputs.sound.use": False}, run="good")
    return project


@pytest.fixture
def project(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of it; what hostile files try to make is looked for at the end of each test."""
    monkeypatch.setenv("MMSTUDIO_TEST_EXECUTED", str(tmp_path / "executed"))
    folder = tmp_path / "project"
    shutil.copytree(sound / "runs", folder / "runs")
    for name in ("images", "sounds", "metadata.csv"):
        (folder / name).symlink_to(sound / name)
    shutil.copy(sound / "experiment.toml", folder)
    return folder


def text(content: str) -> Damage:
    return lambda path: path.write_text(content, encoding="utf-8")


def raw(content: bytes) -> Damage:
    return lambda path: path.write_bytes(content)


def sparse(size: int) -> Damage:
    """A file that takes no room on the disk, and much in memory."""
    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            file.truncate(size)

    return damage


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def schema(**changes: Any) -> Damage:
    """Other values in one input's or target's part: ``image__size=...``."""
    def damage(path: Path) -> None:
        data = json.loads(path.read_text(encoding="utf-8"))
        for key, value in changes.items():
            part, _, name = key.partition("__")
            group = data["inputs"] if part in data["inputs"] else data["targets"]
            group[part][name] = value
        path.write_text(json.dumps(data), encoding="utf-8")

    return damage


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    def damage(path: Path) -> None:
        tensors = {n: t.clone() for n, t in load_file(path).items()}
        change(tensors)
        save_file(tensors, path)

    return damage


def state(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(path: Path) -> None:
        kept = torch.load(path, weights_only=True)
        change(kept)
        torch.save(kept, path)

    return damage


def first_of(tensors: dict[str, torch.Tensor]) -> str:
    return next(n for n, t in tensors.items() if t.is_floating_point() and t.dim() > 1)


def packed(path: Path) -> None:
    """The parts packed: a megabyte of zeros takes a kilobyte."""
    with zipfile.ZipFile(path) as archive:
        parts = {}
        for entry in archive.infolist():
            with archive.open(entry) as part:
                part._expected_crc = None  # type: ignore[attr-defined]  # none is written
                parts[entry.filename] = part.read()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def optimiser_of_another_size(kept: dict[str, Any]) -> None:
    for values in kept["optimiser"]["state"].values():
        values["exp_avg"] = torch.zeros(7)


EVERYWHERE: dict[str, Damage] = {
    "empty": raw(b""), "no utf-8": raw(b"\xff\xfe\xfa{}"), "a list": text("[]"), "a pipe": pipe,
    "a folder": folder, "a link to a device": link, "nested json": text("[" * DEEP),
    "nested objects": text('{"a":' * DEEP), "huge": sparse(1 << 34),
}
OF_FILE: dict[str, dict[str, Damage]] = {
    "experiment.toml": EVERYWHERE | {
        "nested keys": text("a" + ".a" * 30_000 + " = 1"),
        "nested quoted keys": text("['a'" + ". \"a\"" * 30_000 + "]"),
        "nested lists": text("a = " + "[" * DEEP),
        "a number of many digits": text("a = " + "9" * 100_000),
        "inputs are a number": text("inputs = 3\n[data]\ntable = 'a'"),
        "a text of a megabyte": text(f"[data]\ntable = '{'a' * 10**6}'"),
    },
    "schema.json": EVERYWHERE | {
        "no inputs": text('{"targets": {}}'),
        "inputs are a list": text('{"inputs": [], "targets": {}}'),
        "an input is a text": text('{"inputs": {"image": "a"}, "targets": {}}'),
        "none of the inputs": text('{"inputs": {}, "targets": {}}'),
        "a huge picture": schema(image__size=[10**9, 10**9]),
        "a negative size": schema(image__size=[-1, 16]), "no size": schema(image__size=[]),
        "channels of text": schema(image__channels="three"),
        "a tokenizer that is none": schema(words__tokenizer="{}"),
        "a tokenizer of numbers": schema(words__tokenizer=3),
        "many tokens": schema(words__max_tokens=10**12),
        "a rate of nothing": schema(sound__sample_rate_hz=0),
        "an endless sound": schema(sound__max_seconds=1e300),
        "classes of numbers": schema(shape__classes=[1, 2, 3]),
        "one class more": schema(shape__classes=["bar", "cross", "dot", "more"]),
        "classes in a text": schema(shape__classes="bar"),
    },
    "best.safetensors": EVERYWHERE | {
        "a long header": raw(struct.pack("<Q", 10**12) + b"{}"),
        "a header of spaces": raw(struct.pack("<Q", 90_000_000) + b"{}" + b" " * 89_999_998),
        "nan": weights(lambda t: t[first_of(t)].fill_(float("nan"))),
        "whole numbers": weights(lambda t: t.update({first_of(t): t[first_of(t)].long()})),
        "another size": weights(lambda t: t.update({first_of(t): torch.zeros(3)})),
        "one more": weights(lambda t: t.update({"more": torch.zeros(3)})),
        "one less": weights(lambda t: t.pop(first_of(t))),
        "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    },
    "state.pt": EVERYWHERE | {
        "a pickle": lambda path: path.write_bytes(pickle.dumps(Mine())),
        "a pickle inside": lambda path: torch.save({"model": Mine()}, path), "packed": packed,
        "nothing in it": lambda path: torch.save({}, path),
        "a number": lambda path: torch.save(3, path),
        "counts of text": state(lambda s: s["counts"].update(epoch="one")),
        "negative counts": state(lambda s: s["counts"].update(epoch=-1)),
        "the best is a list": state(lambda s: s["counts"].update(best=[])),
        "the best of text": state(lambda s: s["counts"]["best"].update(figure="a")),
        "no optimiser": state(lambda s: s.pop("optimiser")),
        "another optimiser": state(optimiser_of_another_size),
        "a rate of text": state(lambda s: s["optimiser"]["param_groups"][0].update(lr="a")),
        "a chance of another size": state(lambda s: s.update(random=torch.zeros(3).byte())),
        "a stretched tensor": state(lambda s: s["model"].update(
            {first_of(s["model"]): torch.zeros(1).expand(10**12)})),
        "cut": lambda path: path.write_bytes(path.read_bytes()[:-2000]),
    },
    "published.json": EVERYWHERE | {
        "an input is a text": text('{"image": "a"}'),
        "names are numbers": text('{"image": {"model": 1, "revision": 2, "digest": 3}}'),
    },
    "rows.bin": EVERYWHERE,
}  # fmt: skip
CASES = [(name, what) for name, damages in OF_FILE.items() for what in damages]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
@pytest.mark.parametrize(("name", "what"), CASES)
def test_a_damaged_run_ends_no_command_with_a_traceback(
    run: Run, project: Path, name: str, what: str
) -> None:
    damaged = project / "runs" / "first"
    OF_FILE[name][what](damaged / name)
    found = {
        "resume": run("train", project / "experiment.toml", "--run", "first", "--resume",
                      "--set", "training.epochs=2"),
        "predict": run("predict", damaged, "--input", "words=two roads"),
    }
    for command, result in found.items():
        assert result.code in (0, 1), (command, result)
        assert "Traceback" not in result.err
        if result.code == 1:
            assert "first" in result.err or name in result.err, (command, result.err)
    # weights are written anew by the resume, and its state is not looked at by the others
    needed = {"state.pt": ["resume"], "best.safetensors": [],
              "rows.bin": []}.get(name, list(found))  # that one only tells what has changed
    if what not in ("a text of a megabyte", "one class more"):
        for command in needed:
            assert found[command].code == 1, (command, found[command])
    assert "good" in [r.name for r in list_runs(project) if r.status == "completed"]
    assert not Path(os.environ["MMSTUDIO_TEST_EXECUTED"]).exists()


@pytest.mark.parametrize("what", OF_FILE["best.safetensors"])
def test_damaged_weights_are_named(project: Path, what: str) -> None:
    from mmstudio.inference.predictor import Predictor

    damaged = project / "runs" / "first"
    OF_FILE["best.safetensors"][what](damaged / "best.safetensors")
    with pytest.raises(UserError, match=r"first"):
        Predictor(damaged).predict({"words": "two roads"})


LINES: dict[str, bytes] = {
    "no json": b"{", "a number": b"3", "nested": b"[" * DEEP, "no utf-8": b"\xff\xfe",
    "a long line": b'"' + b"a" * (5 << 20) + b'"', "no event": b'{"a": 1}',
    "an event of a number": b'{"event": 4}', "no fields": b'{"event": "epoch_done"}',
    "lists for figures": b'{"event": "epoch_done", "epoch": 1, "train": [], "validation": [], '
                         b'"seconds": 1, "samples_per_s": 1, "remaining_s": 1, "memory_bytes": 1}',
    "text for a loss": b'{"event": "step_done", "epoch": 1, "step": 1, "loss": "a", '
                       b'"learning_rate": 1, "samples_per_s": 1}',
    "a loss beyond all": b'{"event": "step_done", "epoch": 1, "step": 1, "loss": 1e999, '
                         b'"learning_rate": 1, "samples_per_s": 1}',
    "a step beyond all": b'{"event": "step_done", "epoch": 1, "step": ' + b"9" * 400 + b', '
                         b'"loss": 1, "learning_rate": 1, "samples_per_s": 1}',
    "no steps": b'{"event": "started", "run": "a", "device": "a", "precision": "a", '
                b'"parameters": 1, "epochs": 0, "steps_per_epoch": 0, "first_epoch": 1, '
                b'"samples": {"train": 1}, "inputs": [], "tasks": {}}',
    "subsets of numbers": b'{"event": "inputs_scored", "split": "test", "samples": 1, "subsets": '
                          b'[1], "contributions": {}, "interactions": {}}',
}  # fmt: skip


@pytest.mark.parametrize("what", LINES)
def test_a_bad_line_hides_neither_its_run_nor_another(project: Path, what: str) -> None:
    files = RunFolder(project / "runs" / "first")
    before = files.history()
    lines = files.log.read_bytes().splitlines()
    lines[1:1] = [LINES[what]]
    files.log.write_bytes(b"\n".join([*lines, LINES[what], b""]))
    history = files.history()
    assert (history.epochs, history.step_loss) == (before.epochs, before.step_loss)
    assert history.at_best() == before.at_best()
    assert {r.name: r.status for r in list_runs(project)} == {
        "first": "completed", "good": "completed"}


def test_figures_that_an_epoch_lacks_leave_the_others_in_line(project: Path) -> None:
    files = RunFolder(project / "runs" / "first")
    lines = [json.loads(line) for line in files.log.read_text().splitlines()]
    at = next(i for i, line in enumerate(lines) if line["event"] == "epoch_done")
    more = json.loads(json.dumps(lines[at]))
    more["epoch"] = 2
    del more["validation"]["size"]
    more["validation"]["shape"]["odd"] = 0.5
    more["validation"]["shape"]["text"] = "none of ours"
    best = {"event": "checkpoint_saved", "epoch": 2, "best": True}
    files.log.write_text("\n".join(map(json.dumps, [*lines[: at + 1], more, best])) + "\n")
    history = files.history()
    lengths = {len(one) for figures in history.metrics.values() for series in figures.values()
               for one in series.values()}
    assert lengths == {2}
    assert history.at_best()["shape"]["odd"] == 0.5
    assert "text" not in history.metrics["shape"]


@pytest.mark.parametrize("what", ["a pipe", "a link to a device", "no utf-8", "nested lists"])
def test_a_run_that_cannot_be_read_is_listed_as_such(project: Path, what: str) -> None:
    OF_FILE["experiment.toml"][what](project / "runs/first/experiment.toml")
    by_name = {r.name: r for r in list_runs(project)}
    assert by_name["good"].status == "completed" and by_name["good"].problem == ""
    assert by_name["first"].status == "unreadable"
    assert "first" in by_name["first"].problem
    assert (by_name["first"].data, by_name["first"].inputs) == ("", ())


PLANS = {
    "nested": "a = " + "[" * DEEP, "empty": "", "no utf-8": None,
    "many seeds": "seeds = 100000000000\ntarget = 'shape'\nfigure = {name = 'accuracy'}\n"
                  "contestants = [{kind = 'fusion', name = 'sum', title = 'Sum'}]",
    "contestants of numbers": "seeds = 1\ntarget = 'shape'\nfigure = {name = 'accuracy'}\n"
                              "contestants = [1]",
    "another kind": "seeds = 1\ntarget = 'shape'\nfigure = {name = 'accuracy'}\n"
                    "contestants = [{kind = 'odd', name = 'sum', title = 'Sum'}]",
    "no such target": "seeds = 1\ntarget = 'none'\nfigure = {name = 'accuracy'}\n"
                      "contestants = [{kind = 'fusion', name = 'sum', title = 'Sum'}]",
}  # fmt: skip


@pytest.mark.parametrize("what", PLANS)
def test_a_damaged_comparison_is_named_and_hides_nothing(project: Path, what: str) -> None:
    files = ComparisonFolder.of(project, "odd")
    files.path.mkdir(parents=True)
    shutil.copy(project / "experiment.toml", files.path / "experiment.toml")
    plan = PLANS[what]
    (files.path / "plan.toml").write_bytes(b"\xff\xfe" if plan is None else plan.encode())
    with pytest.raises(UserError, match=r"plan\.toml"):
        files.plan()
    assert list_comparisons(project) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * DEEP, b'{"contestant": 3}', b"\xff"])
def test_damaged_scores_count_as_not_there(project: Path, content: bytes) -> None:
    files = ComparisonFolder.of(project, "odd")
    (files.path / "scores").mkdir(parents=True)
    (files.path / "scores" / "a.json").write_bytes(content)
    (files.path / "scores" / "a.npz").write_bytes(content)
    assert files.scores("a") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_pipes_and_devices_are_no_tables_and_no_media(tmp_path: Path, run: Run) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for place, kind in ((tmp_path / "pipe.csv", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(UserError, match=f"is {kind}, not a table"):
            read_table(place)
        assert run("new", tmp_path / "made", "--data", place).code == 1
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    with pytest.raises(UserError, match="circle"):
        read_table(tmp_path / "circle.csv")
    (tmp_path / "media" / "cat").mkdir(parents=True)
    os.mkfifo(tmp_path / "media" / "cat" / "a.png")
    os.mkfifo(tmp_path / "media" / "metadata.csv")
    for name in ("cat", "dog"):
        (tmp_path / "media" / name).mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "media" / name / "b.png")
    found = read_table(tmp_path / "media")
    assert any("metadata.csv is passed over" in n and "is a pipe" in n for n in found.notes)
    assert found.column("file_name").to_list() == ["cat/b.png", "dog/b.png"]
    with pytest.raises(UserError, match="is a pipe, not a file"):
        open_image(tmp_path / "media" / "cat" / "a.png")


def test_a_table_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    sparse(1 << 40)(tmp_path / "huge.csv")
    with pytest.raises(UserError, match="a table may have 4"):
        read_table(tmp_path / "huge.csv")
    many = pl.LazyFrame({"a": [0]}).select(pl.repeat(0, MOST_ROWS + 1, dtype=pl.Int8).alias("a"))
    many.sink_parquet(tmp_path / "many.parquet", compression="zstd")
    assert (tmp_path / "many.parquet").stat().st_size < 1_000_000
    with pytest.raises(UserError, match="20,000,001 rows of 1 columns, 20,000,001 values"):
        read_table(tmp_path / "many.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "many.parquet").read_bytes()[:-40])
    with pytest.raises(UserError, match=r"cut\.parquet can't be read as a table"):
        read_table(tmp_path / "cut.parquet")
    pl.DataFrame({"a": ["x"]}).write_parquet(tmp_path / "good.parquet")
    check_parquet(tmp_path / "good.parquet")


def pictures(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"a": [b"\x89PNG\r\n\x1a\n" + bytes(10**7) + str(i).encode() for i in range(count)]})


SMALL_AND_LARGE: dict[str, Callable[[], pl.DataFrame]] = {
    "long texts": lambda: pl.DataFrame({"a": ["x" * 10**6 + str(i) for i in range(600)]}),
    "one text often": lambda: pl.DataFrame({"a": ["x" * 10**6 + str(i % 2) for i in range(600)]}),
    "one text often in lists": lambda: pl.DataFrame(
        {"a": [["x" * 10**6 + str(i % 2)] for i in range(600)]}),
    "one text often in records": lambda: pl.DataFrame(
        {"a": [{"b": "x" * 10**6 + str(i % 2)} for i in range(600)]}),
    "one number often": lambda: pl.select(
        pl.repeat(i, 6_000_000, dtype=pl.Int64).alias(str(i)) for i in range(20)),
    "a long list": lambda: pl.DataFrame({"a": [[0] * 30_000_000]}),
    "just below": lambda: pl.DataFrame({"a": ["x" * 10**6 + str(i) for i in range(390)]}),
    "numbers just below": lambda: pl.select(
        pl.repeat(i, 6_000_000, dtype=pl.Int64).alias(str(i)) for i in range(4)),
    "pictures in one group": lambda: pictures(90),
    "pictures just below": lambda: pictures(55),
}  # fmt: skip
READ_TABLE = """
import pathlib, sys
from mmstudio.data.parquet_sizes import column_sizes
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
try:
    print(len(read_table(pathlib.Path(sys.argv[1]))))
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("what", SMALL_AND_LARGE)
def test_parquet_is_bounded_by_what_it_becomes(what: str, tmp_path: Path) -> None:
    SMALL_AND_LARGE[what]().write_parquet(tmp_path / "small.parquet")
    assert (tmp_path / "small.parquet").stat().st_size < 1_000_000
    ended = run_python(READ_TABLE, tmp_path / "small.parquet",
                       env={"MMSTUDIO_CACHE": str(tmp_path / "cache")})
    assert ended.code == 0, ended.err
    if "just below" in what:
        assert int(ended.out) in (390, 6_000_000, 55)
    else:
        assert "small.parquet would become" in ended.out
    assert ended.peak_mb < MOST_MEMORY_MB
    assert ended.seconds < LONGEST_S


def test_a_page_counts_as_what_it_says_of_itself(tmp_path: Path) -> None:
    """The reader makes room for that, whatever the footer says."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": ["x" * 300_000 + str(i) for i in range(4)]}).write_parquet(path)
    assert 1_200_000 < column_sizes(path)["a"].unpacked_bytes < 1_300_000
    content = bytearray(path.read_bytes())
    # behind "PAR1" a page's header: its kind, then what it becomes, a number of four bytes
    assert (content[4], content[6]) == (0x15, 0x15) and content[7:11][3] < 128 <= content[7:11][2]
    content[7:11] = b"\xfe\xff\xff\x7f"
    path.write_bytes(content)
    assert column_sizes(path)["a"].unpacked_bytes >= 2**27 - 1


@pytest.mark.parametrize("at", [-9, -20, -60, -120])
def test_a_damaged_description_is_told(at: int, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": ["x", "y"], "b": [1, 2]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    for value in (0, 0x0F, 0x7F, 0x9C, 0xFF):
        content[at] = value
        path.write_bytes(content)
        try:
            read_table(path)
        except UserError as error:
            assert "a.parquet" in error.message


def test_the_sizes_of_columns_are_those_of_their_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": [f"{i:05d}" for i in range(1000)], "b": [[1, 2], [3]] * 500}).write_parquet(
        path, row_group_size=250)
    sizes = column_sizes(path)
    assert sizes["a"].unpacked_bytes >= 1000 * (5 + 4)
    assert sizes["a"].group_bytes * 4 == sizes["a"].unpacked_bytes
    assert (sizes["a"].values, sizes["b"].values) == (1000, 1500)


def test_a_cell_is_as_long_as_a_file_may_be(tmp_path: Path) -> None:
    from mmstudio.modalities.text import LARGEST_FILE_BYTES, read_text

    with pytest.raises(UserError, match="A text has 1,000,001 characters"):
        read_text("a" * (LARGEST_FILE_BYTES + 1))


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names are Unicode")
def test_a_name_that_is_no_unicode_is_told(tmp_path: Path, run: Run) -> None:
    for label in (b"cat", b"d\xffg"):
        place = os.fsencode(tmp_path / "media") + b"/" + label
        os.makedirs(place)
        for i in range(3):
            shutil.copy(Path(__file__).with_suffix(".py"), os.fsdecode(place) + f"/{i}.txt")
    found = run("new", tmp_path / "project", "--data", tmp_path / "media")
    assert found.code == 1 and "media" in found.err

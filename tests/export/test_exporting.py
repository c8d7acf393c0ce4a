"""From a trained run to a folder that answers without the app, and back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.export import exporting
from mmstudio.export.exporting import Exported, export
from mmstudio.export.opened import ExportedPredictor, ServedRun, is_exported
from mmstudio.export.shipped import predict
from mmstudio.inference.predictor import Predictor
from tests.small_project import train_small, write_small_project

# half a minute each on a quiet core: the exporter is slow Python, a busy machine makes it slower
pytestmark = pytest.mark.timeout(900)
FILES = {"model.onnx", "schema.json", "tokenizer.json", "predict.py", "serve.py", "page.html",
         "selftest", "README.md", "requirements.txt", "Dockerfile"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that answers with all that one click gives: fusion, heads and quick models."""
    project = write_small_project(tmp_path_factory.mktemp("run") / "project")
    train_small(project, {"training.combine": True, "training.epochs": 2})
    return project / "runs" / "first"


@pytest.fixture(scope="module")
def traced_once() -> Iterator[None]:
    """The run's model is traced for ONNX, and that serves for torch too."""
    programs: list[Any] = []
    trace = exporting.traced

    def traced(*given: Any) -> Any:
        if not programs:
            programs.append(trace(*given))
        return programs[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "traced", traced)
        yield


@pytest.fixture(scope="module")
def exported(run: Path, traced_once: None, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The run, exported with samples of the data."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    *progress, found = export(run, folder, zipped=True, include_samples=True)
    assert progress
    assert isinstance(found, Exported)
    return found


@pytest.fixture
def quickly(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the model that was written already, in place of writing it once more."""
    def write_model(predictor: Any, description: Any, path: Path, temperatures: Any) -> None:
        shutil.copyfile(exported.folder / "model.onnx", path)

    monkeypatch.setattr(exporting, "write_model", write_model)


def test_all_that_it_needs_is_there_and_agrees(run: Path, exported: Exported) -> None:
    assert Predictor(run).model.combination is not None
    assert {p.name for p in exported.folder.iterdir()} == FILES
    assert exported.largest <= 1e-4
    assert exported.answers > 60
    assert exported.archive is not None
    with zipfile.ZipFile(exported.archive) as archive:
        assert "model/model.onnx" in archive.namelist()
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert "largest difference of a score" in card
    assert "`shape_scores` float32 (B, 3): the probability of bar, cross, dot" in card
    assert not list(exported.folder.parent.glob(".*"))


def test_it_answers_as_the_app_does_row_by_row(run: Path, exported: Exported) -> None:
    own, other = Predictor(run), ExportedPredictor(exported.folder)
    assert is_exported(exported.folder) and not is_exported(run)
    table = read_table(run.parent.parent / "metadata.csv")
    pairs = list(zip(own.predict_table(table), other.predict_table(table), strict=True))
    assert len(pairs) == 60
    for first, second in pairs:
        assert not isinstance(first, UserError) and not isinstance(second, UserError)
        assert first.present == second.present
        for name, answer in first.tasks.items():
            for label, score in answer.scores.items():
                assert second.tasks[name].scores[label] == pytest.approx(score, abs=1e-4)


def test_commands_take_an_exported_folder(exported: Exported, run: Path, tmp_path: Path) -> None:
    from mmstudio.cli import app

    runner = CliRunner()
    told = runner.invoke(app, ["predict", str(exported.folder), "--input", "words=long line",
                               "--json"])
    assert json.loads(told.stdout)["present"] == ["words"]
    files, output = tmp_path / "files", tmp_path / "answers.csv"
    shutil.copytree(run.parent.parent / "images", files)
    told = runner.invoke(app, ["predict", str(exported.folder), "--folder", str(files),
                               "--output", str(output)])
    assert "60 of 60 samples answered" in told.stdout
    lines = output.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("sample,file_name,")
    assert len(lines) == 61
    assert not output.with_name("answers.csv.part").exists()


def test_its_own_program_needs_neither_the_app_nor_torch(
    exported: Exported, tmp_path: Path
) -> None:
    program = ("import sys, runpy\nfor name in ('torch', 'mmstudio', 'transformers'):\n"
               "    sys.modules[name] = None\nsys.argv = ['predict.py', *sys.argv[2:]]\n"
               f"runpy.run_path({str(exported.folder / 'predict.py')!r}, run_name='__main__')")

    def asked(*words: str) -> str:
        done = subprocess.run([sys.executable, "-I", "-c", program, "-", *words], text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    picture = next((exported.folder / "selftest").glob("*.png"))
    answer = json.loads(asked("--input", f"image={picture}", "--input", "words=x", "--json"))
    assert answer["present"] == ["image", "words"]
    (tmp_path / "rows.csv").write_text("text,shape\n=cmd,x\ntwo roads meet,y\n", encoding="utf-8")
    told = asked("--table", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out.csv"))
    assert told.startswith("2 of 2 rows answered")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1].startswith("'=cmd,x")


def test_other_answers_than_the_apps_are_refused(
    run: Path, quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exporting.write_answers

    def changed(predictor: Any, samples: Any, folder: Path) -> Any:
        yield from real(predictor, samples, folder)
        told = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
        told["samples"][3]["answers"][-1]["outputs"]["shape"][0] += 0.0002
        (folder / "answers.json").write_text(json.dumps(told), encoding="utf-8")

    monkeypatch.setattr(exporting, "write_answers", changed)
    with pytest.raises(UserError, match=r"answers differently from the app: .* [12]\.\de-04"):
        list(export(run, tmp_path / "model"))
    assert list(tmp_path.iterdir()) == []


def test_who_stops_it_leaves_nothing_behind(run: Path, quickly: None, tmp_path: Path) -> None:
    steps = export(run, tmp_path / "model")
    for step in steps:
        if getattr(step, "message", "") == exporting.STEPS[3]:
            break
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_made_up_samples_hold_nothing_of_the_data(
    run: Path, quickly: None, tmp_path: Path
) -> None:
    *_, found = export(run, tmp_path / "model")
    assert isinstance(found, Exported)
    told = (found.folder / "selftest" / "answers.json").read_text(encoding="utf-8")
    assert "roads" not in told
    assert "A red kite" in told


def test_nothing_is_written_over(run: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="already exists"):
        list(export(run, tmp_path / "full"))


def test_without_the_extra_the_command_is_told(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError) as told:
        list(export(run, tmp_path / "model"))
    assert 'pip install ".[export]"' in told.value.hint


def test_a_run_is_served_without_an_export(run: Path) -> None:
    served = ServedRun(run, "cpu")
    picture = (run.parent.parent / "images" / "000.png").read_bytes()
    sound = (run.parent.parent / "sounds" / "000.wav").read_bytes()
    good, bad = served.answer_each([
        {"image": picture, "sound": sound, "words": "long straight line"}, {"image": b"nothing"}])
    own = Predictor(run, "cpu").predict({
        "image": run.parent.parent / "images" / "000.png",
        "sound": run.parent.parent / "sounds" / "000.wav", "words": "long straight line"})
    assert good == own.to_json()
    assert isinstance(bad, ValueError)


def test_a_served_run_opens_no_path_and_answers_each(run: Path) -> None:
    served = ServedRun(run, "cpu")
    path = str(run.parent.parent / "images" / "000.png")
    opened, odd, good = served.answer_each([
        {"image": path}, {"words": "a\ud800"}, {"words": "long line"}])
    assert "no path is opened" in str(opened)
    assert "not valid Unicode" in str(odd)
    assert good["present"] == ["words"]


def test_a_place_that_cannot_be_written_is_told(
    run: Path, quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_papers", full)
    with pytest.raises(UserError, match=r"model can't be written: .*No space left") as told:
        list(export(run, tmp_path / "model"))
    assert "choose another folder" in told.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_while_packing_leaves_the_folder_whole(
    run: Path, quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(zipfile.ZipFile):
        def write(self, *given: Any, **more: Any) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile, "ZipFile", Full)
    with pytest.raises(UserError, match=r"model\.zip can't be written: .*is whole") as told:
        list(export(run, tmp_path / "model", zipped=True))
    assert "as it is" in told.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "model.onnx").is_file()


def test_the_folder_that_one_stands_in_is_a_folder(
    run: Path, quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    *_, found = export(run, Path())
    assert isinstance(found, Exported)
    assert found.folder == tmp_path / "here"
    assert (tmp_path / "here" / "model.onnx").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_the_file_tells_nothing_of_this_machine(exported: Exported) -> None:
    held = (exported.folder / "model.onnx").read_bytes()
    assert str(Path(exporting.__file__).parents[2]).encode() not in held
    assert b"graph.py" not in held


def test_the_card_tells_intervals_and_subsets(exported: Exported) -> None:
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert "Of 9 validation rows, by which the best weights were chosen" in card
    assert "| target | figure | value | 95 % interval |" in card
    (accuracy,) = [line for line in card.splitlines() if line.startswith("| `shape` | accuracy |")]
    value, ends = (cell.strip() for cell in accuracy.split("|")[3:5])
    low, high = map(float, ends.split(" to "))
    assert low <= float(value) <= high
    assert "| image + words + sound |" in card and "| words |" in card


def test_weights_of_8_bits_are_measured_and_told(
    run: Path, quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmstudio.export import quantized

    monkeypatch.setattr(quantized, "MOST_LOST", 1.0)  # nine test rows: one alone is more than 5 %
    *_, done = export(run, tmp_path / "model", quantized=True)
    assert isinstance(done, Exported)
    told = done.quantized
    assert told is not None
    assert (told.split, told.rows) == ("test", 9)
    figures = figures_in_the_app(run)
    # those of 32 bits are the app's own
    assert told.before["shape"] == pytest.approx(figures["shape"], abs=1e-3)
    assert told.after["shape"].keys() == told.before["shape"].keys()
    assert 0 < done.largest <= told.agree <= 1.0
    schema = json.loads((done.folder / "schema.json").read_text(encoding="utf-8"))
    model = predict.Model(done.folder)
    assert model.schema == schema
    assert schema["agree"] == told.agree and schema["quantized"]["rows"] == 9
    assert "MatMulInteger" in operators(done.folder / "model.onnx")
    assert exporting.foreign_operators(done.folder / "model.onnx") == []
    card = (done.folder / "README.md").read_text(encoding="utf-8")
    assert "| target | figure | 32 bits | 8 bits |" in card
    assert not (done.folder / "model.int8.onnx").exists()


def figures_in_the_app(run: Path) -> Any:
    from mmstudio.inference.evaluate import evaluate as evaluated

    *_, found = evaluated(run, "test", None, "cpu")
    return found.tasks  # type: ignore[union-attr]


def operators(file: Path) -> set[str]:
    import onnx

    return {node.op_type for node in onnx.load(str(file)).graph.node}


def test_what_8_bits_cost_too_much_is_refused(
    run: Path, quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmstudio.export import quantized

    monkeypatch.setattr(quantized, "MOST_LOST", -1.0)
    with pytest.raises(UserError, match=r"cost too much: accuracy of 'shape' goes from") as told:
        list(export(run, tmp_path / "model", quantized=True))
    assert "without --quantize" in told.value.hint
    assert list(tmp_path.iterdir()) == []


def test_it_leaves_as_code_for_torch(
    run: Path, exported: Exported, tmp_path: Path
) -> None:
    *_, done = export(run, tmp_path / "model", kind="torch", include_samples=True)
    assert isinstance(done, Exported)
    assert done.largest <= 1e-4 and done.answers > 60
    assert {p.name for p in done.folder.iterdir()} == {
        "model.safetensors", "network.py", "model.py", "predict.py", "schema.json",
        "tokenizer.json", "selftest", "README.md", "requirements.txt"}
    card = (done.folder / "README.md").read_text(encoding="utf-8")
    assert "python model.py --selftest" in card and "onnx" not in card.lower()
    needs = (done.folder / "requirements.txt").read_text(encoding="utf-8")
    assert "torch" in needs and "onnxruntime" not in needs


def test_formats_that_are_not_there_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="The format 'tf' is not known"):
        list(export(run, tmp_path / "model", kind="tf"))
    with pytest.raises(UserError, match="for ONNX alone"):
        list(export(run, tmp_path / "model", kind="torch", quantized=True))

"""The experiment file: what is read, refused, written, kept."""

from __future__ import annotations

import dataclasses
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mmstudio.errors import UserError
from mmstudio.experiment import (
    Component,
    Experiment,
    SplitShares,
    TrainingSettings,
    training_options,
    value_of_text,
)

SMALLEST = """
[data]
table = "metadata.csv"
[inputs.image]
column = "file_name"
modality = "image"
[targets.digit]
"""

RICH = """\
# what this is about
[data]
table = "metadata.csv"   # beside this file
split = { train = 0.7, validation = 0.2, test = 0.1, group = "speaker" }

[inputs."my picture.v1"]  # a name with a dot and a blank
column = "file_name"
modality = "image"
size = 32
encoder = { name = "cnn", width = 64 }  # narrow

[inputs.words]
column = "text"
modality = "text"
use = false
encoder = { name = "rnn" }

[fusion]
# tried sum, was worse
name = "gated"
hidden = 64

[targets.digit]
task = "classification"
weight = 2.0

[training]
epochs = 3  # quick
"""


def test_little_is_required() -> None:
    experiment = Experiment.parse(SMALLEST)
    assert experiment.data.split == SplitShares(0.8, 0.1, 0.1, None)
    image = experiment.inputs["image"]
    assert (image.encoder, image.use, image.options) == (Component("auto"), True, {"size": 0})
    digit = experiment.targets["digit"]
    assert (digit.task, digit.column, digit.weight, digit.use) == (
        "classification", "digit", 1.0, True)
    assert experiment.fusion == Component("concat")
    assert experiment.training == TrainingSettings()


def test_the_contracts_example_is_read() -> None:
    experiment = Experiment.parse("""
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column   = "file_name"
modality = "image"
encoder  = { name = "cnn" }
[inputs.words]
column   = "text"
modality = "text"
encoder  = { name = "rnn", cell = "lstm" }
[inputs.sound]
column   = "audio"
modality = "audio"
encoder  = { name = "crnn" }
[fusion]
name = "concat"
[targets.digit]
task   = "classification"
[training]
epochs = 20
batch_size = 64
learning_rate = 1e-3
seed = 0
device = "auto"
precision = "auto"
""")
    assert list(experiment.inputs) == ["image", "words", "sound"]
    assert experiment.inputs["words"].encoder == Component("rnn", {"cell": "lstm"})
    assert experiment.data.split == "split"
    assert experiment.training.learning_rate == 1e-3


def test_all_that_is_set_is_read() -> None:
    experiment = Experiment.parse(RICH)
    assert experiment.data.split == SplitShares(0.7, 0.2, 0.1, "speaker")
    assert list(experiment.active_inputs) == ["my picture.v1"]
    assert experiment.inputs["my picture.v1"].options == {"size": 32}
    assert experiment.targets["digit"].weight == 2.0
    assert experiment.fusion == Component("gated", {"hidden": 64})
    assert experiment.training.epochs == 3


@pytest.mark.parametrize("text", [SMALLEST, RICH])
@pytest.mark.parametrize("full", [True, False])
def test_a_round_trip_changes_nothing(text: str, full: bool) -> None:
    experiment = Experiment.parse(text)
    assert Experiment.parse(experiment.to_toml(full=full)) == experiment


def test_the_full_text_holds_every_default() -> None:
    data = tomllib.loads(Experiment.parse(SMALLEST).to_toml())
    assert set(data["training"]) == set(training_options())
    assert data["data"]["split"] == {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert data["inputs"]["image"] == {
        "column": "file_name", "modality": "image", "use": True, "size": 0,
        "encoder": {"name": "auto"}}
    assert data["targets"]["digit"] == {
        "task": "classification", "column": "digit", "weight": 1.0, "use": True}
    assert data["fusion"] == {"name": "concat"}


def test_completing_writes_every_option_of_every_component() -> None:
    from mmstudio.encoders import ENCODERS
    from mmstudio.fusion import FUSIONS
    from mmstudio.registry import options_of
    from mmstudio.tasks import TASKS
    from mmstudio.training.model import completed

    experiment = completed(Experiment.parse(SMALLEST).replaced("inputs.image.encoder.name", "cnn"))
    assert set(experiment.inputs["image"].encoder.options) == set(options_of(ENCODERS.get("cnn")))
    assert set(experiment.fusion.options) == set(options_of(FUSIONS.get("concat")))
    assert set(experiment.targets["digit"].options) == set(
        options_of(TASKS.get("classification")))
    assert completed(experiment) == experiment
    assert Experiment.parse(experiment.to_toml()) == experiment


def test_training_options_are_the_settings_and_their_defaults() -> None:
    options = training_options()
    assert {n: o.default for n, o in options.items()} == dataclasses.asdict(TrainingSettings())
    assert options["precision"].choices == ("auto", "float32", "bfloat16", "float16")
    for name, option in options.items():
        assert option.help
        assert option.checked(option.default, name) == option.default


HEAD = '[data]\ntable = "t.csv"\n'
INPUT = '[inputs.image]\ncolumn = "f"\nmodality = "image"\n'
TARGET = "[targets.digit]\n"

BAD = {
    "not toml": ("[data\n", "TOML", ""),
    "unknown table": (SMALLEST + "[trainin]\n", "trainin ", "'training'"),
    "unknown key of data": ('[data]\ntabel = "t"\n' + INPUT + TARGET, "data.tabel", "'table'"),
    "no table": ("[data]\n" + INPUT + TARGET, "data.table", "table ="),
    "empty table": ('[data]\ntable = ""\n' + INPUT + TARGET, "data.table", ""),
    "table of a wrong type": ("[data]\ntable = 3\n" + INPUT + TARGET, "data.table = 3", ""),
    "data is not a table": ("data = 3\n" + INPUT + TARGET, "data = 3", "[data]"),
    "split of a wrong type": (HEAD + "split = 3\n" + INPUT + TARGET, "data.split = 3", ""),
    "unknown share": (HEAD + "split = { trian = 1.0 }\n" + INPUT + TARGET,
                      "data.split.trian", "'train'"),
    "shares above one": (HEAD + "split = { train = 0.8, validation = 0.3, test = 0.1 }\n"
                         + INPUT + TARGET, "data.split", "add up to 1"),
    "a share out of range": (HEAD + "split = { train = 1.5 }\n" + INPUT + TARGET,
                             "data.split.train", "0 to 1"),
    "a share that is not a number": (HEAD + "split = { train = nan }\n" + INPUT + TARGET,
                                  "data.split.train", ""),
    "nothing to train on": (HEAD + "split = { train = 0.0, validation = 0.5, test = 0.5 }\n"
                            + INPUT + TARGET, "data.split", "above 0"),
    "group of a wrong type": (HEAD + "split = { group = 3 }\n" + INPUT + TARGET,
                              "data.split.group", ""),
    "no input": (HEAD + TARGET, "no input", "[inputs.NAME]"),
    "no target": (HEAD + INPUT, "no target", "[targets.NAME]"),
    "all inputs off": (HEAD + INPUT + "use = false\n" + TARGET, "Every input", "use = true"),
    "all targets off": (HEAD + INPUT + TARGET + "use = false\n", "Every target", "use = true"),
    "inputs is not a table": (HEAD.replace("[data]", "inputs = 3\n[data]") + TARGET,
                           "inputs = 3", ""),
    "an input is not a table": (HEAD + "[inputs]\nimage = 3\n" + TARGET, "inputs.image = 3", ""),
    "a target is not a table": (HEAD + INPUT + "[targets]\ndigit = 3\n", "targets.digit = 3", ""),
    "no column": (HEAD + '[inputs.image]\nmodality = "image"\n' + TARGET,
                  "inputs.image.column", "column ="),
    "no modality": (HEAD + '[inputs.image]\ncolumn = "f"\n' + TARGET,
                    "inputs.image.modality", ""),
    "unknown modality": (HEAD + '[inputs.image]\ncolumn = "f"\nmodality = "imag"\n' + TARGET,
                         "inputs.image.modality", "'image'"),
    "unknown option of an input": (HEAD + INPUT + "sise = 3\n" + TARGET,
                                   "inputs.image.sise", "'size'"),
    "option of another modality": (HEAD + INPUT + "sample_rate_hz = 8000\n" + TARGET,
                                   "inputs.image.sample_rate_hz", "size"),
    "modality option out of range": (HEAD + INPUT + "size = 5000\n" + TARGET,
                                     "inputs.image.size = 5000", "1024"),
    "use of a wrong type": (HEAD + INPUT + 'use = "no"\n' + TARGET,
                            "inputs.image.use", "true or false"),
    "encoder of a wrong type": (HEAD + INPUT + "encoder = 3\n" + TARGET,
                                "inputs.image.encoder = 3", "name ="),
    "encoder's name of a wrong type": (HEAD + INPUT + "encoder = { name = 3 }\n" + TARGET,
                                       "inputs.image.encoder.name", ""),
    "fusion of a wrong type": ("fusion = [1]\n" + HEAD + INPUT + TARGET, "fusion = [1]", ""),
    "weight out of range": (HEAD + INPUT + TARGET + "weight = -1.0\n",
                            "targets.digit.weight", "0 to"),
    "task of a wrong type": (HEAD + INPUT + TARGET + "task = 3\n", "targets.digit.task", ""),
    "a target named loss": (HEAD + INPUT + '[targets.loss]\n', "targets.loss", "column"),
    "unknown training key": (SMALLEST + "[training]\nepoch = 3\n", "training.epoch", "'epochs'"),
    "epochs out of range": (SMALLEST + "[training]\nepochs = -1\n", "training.epochs = -1", "0 to"),
    "epochs of a wrong type": (SMALLEST + '[training]\nepochs = "3"\n', "training.epochs", ""),
    "epochs no whole number": (SMALLEST + "[training]\nepochs = 2.5\n", "training.epochs", ""),
    "epochs without end": (SMALLEST + "[training]\nepochs = inf\n", "training.epochs", ""),
    "epochs that are not number": (SMALLEST + "[training]\nepochs = nan\n", "training.epochs", ""),
    "rate out of range": (SMALLEST + "[training]\nlearning_rate = 2.0\n",
                          "training.learning_rate = 2.0", "1e-06 to 1"),
    "rate that is a truth value": (SMALLEST + "[training]\nlearning_rate = true\n",
                                   "training.learning_rate", ""),
    "unknown precision": (SMALLEST + '[training]\nprecision = "float61"\n',
                          "training.precision", "'float16'"),
    "training is not a table": ("training = 3\n" + SMALLEST, "training = 3", "[training]"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_with_its_key_and_remedy(case: str) -> None:
    text, message, hint = BAD[case]
    with pytest.raises(UserError) as caught:
        Experiment.parse(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


COMPONENT_BAD = {
    "inputs.image.encoder.name": ("cn", "'cnn'"),
    "inputs.image.encoder.widht": (3, "'width'"),
    "inputs.image.encoder.width": (1, "8 to 512"),
    "fusion.name": ("gatd", "'gated'"),
    "fusion.hiden": (3, "'hidden'"),
    "fusion.hidden": ("big", "8 to 2048"),
    "targets.digit.task": ("clasification", "'classification'"),
    "targets.digit.label_smoothing": (0.9, "0 to 0.5"),
    "targets.digit.labelsmoothing": (0.1, "'label_smoothing'"),
}


@pytest.mark.parametrize("key", COMPONENT_BAD)
def test_components_and_their_options_are_checked_before_training(key: str) -> None:
    from mmstudio.training.model import completed

    value, hint = COMPONENT_BAD[key]
    with pytest.raises(UserError) as caught:
        completed(Experiment.parse(SMALLEST).replaced(key, value))
    assert key in caught.value.message
    assert hint in caught.value.hint


def test_an_encoder_of_another_modality_is_refused() -> None:
    from mmstudio.training.model import completed

    with pytest.raises(UserError, match=r"inputs\.image\.encoder\.name = 'rnn' reads text"):
        completed(Experiment.parse(SMALLEST).replaced("inputs.image.encoder.name", "rnn"))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no experiment file"):
        Experiment.load(tmp_path / "none.toml")
    with pytest.raises(UserError, match="is a folder") as caught:
        Experiment.load(tmp_path)
    assert "experiment.toml" in caught.value.hint
    (tmp_path / "latin.toml").write_bytes('# caf\xe9'.encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        Experiment.load(tmp_path / "latin.toml")
    (tmp_path / "bad.toml").write_text(SMALLEST + "[trainin]\n")
    with pytest.raises(UserError, match=r"bad\.toml: trainin"):
        Experiment.load(tmp_path / "bad.toml")


@pytest.mark.parametrize(("key", "value", "found"), [
    ("training.epochs", 7, lambda e: e.training.epochs),
    ("training.device", "cpu", lambda e: e.training.device),
    ("fusion.hidden", 32, lambda e: e.fusion.options["hidden"]),
    ("data.table", "other.csv", lambda e: e.data.table),
    ("data.split", "split", lambda e: e.data.split),
    ("data.split.group", "family", lambda e: e.data.split.group),
    ("inputs.words.use", True, lambda e: e.inputs["words"].use),
    ("inputs.words.encoder.cell", "gru", lambda e: e.inputs["words"].encoder.options["cell"]),
    ('inputs."my picture.v1".size', 48, lambda e: e.inputs["my picture.v1"].options["size"]),
    (("inputs", "my picture.v1", "encoder", "width"), 16,
     lambda e: e.inputs["my picture.v1"].encoder.options["width"]),
    ("targets.digit.weight", 0.5, lambda e: e.targets["digit"].weight),
])
def test_one_key_is_replaced(key: Any, value: Any, found: Any) -> None:
    before = Experiment.parse(RICH)
    after = before.replaced(key, value)
    assert found(after) == value
    assert before == Experiment.parse(RICH)
    undone = after.to_dict()
    for part, was in before.to_dict().items():
        if part != (key[0] if isinstance(key, tuple) else key.split(".")[0]):
            assert undone[part] == was


def test_shares_are_replaced_together() -> None:
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    experiment = Experiment.parse(RICH).replaced("data.split", shares)
    assert experiment.data.split == SplitShares(0.5, 0.25, 0.25)


def test_another_component_drops_the_options_of_the_old_one() -> None:
    experiment = Experiment.parse(RICH)
    assert experiment.replaced("fusion.name", "sum").fusion == Component("sum")
    assert experiment.replaced("fusion.name", "gated").fusion == Component(
        "gated", {"hidden": 64})
    key = ("inputs", "my picture.v1", "encoder", "name")
    after = experiment.replaced(key, "vgg").inputs["my picture.v1"]
    assert after.encoder == Component("vgg")
    assert after.options == {"size": 32}


def test_another_modality_drops_the_options_and_the_encoder_of_the_old_one() -> None:
    settings = {"column": "t", "modality": "text", "vocabulary": 99, "modality_dropout": 0.5,
                "encoder": {"name": "rnn", "cell": "gru"}}
    before = Experiment.parse(SMALLEST).replaced(("inputs", "words"), settings)
    after = before.replaced("inputs.words.modality", "image").inputs["words"]
    assert (after.modality, after.encoder, after.options) == (
        "image", Component("auto"), {"size": 0})
    assert (after.column, after.use, after.modality_dropout) == ("t", True, 0.5)
    assert before.replaced("inputs.words.modality", "text") == before


def test_an_input_or_target_called_name_is_an_input_or_target() -> None:
    experiment = Experiment.parse(SMALLEST)
    more = experiment.replaced(("inputs", "name"), {"column": "n", "modality": "text"})
    assert list(more.inputs) == ["image", "name"]
    more = more.replaced(("targets", "name"), {"task": "classification"})
    assert list(more.targets) == ["digit", "name"]


@pytest.mark.parametrize(("key", "value", "message"), [
    ("training.epoch", 3, "training.epoch"),
    ("trainin.epochs", 3, "trainin"),
    ("inputs.picture.use", False, "inputs.picture"),
    ("targets.digits.weight", 1.0, "targets.digits"),
    ("fusion.name.x", 1, "fusion.name"),
    ("training.epochs", -1, "training.epochs = -1"),
    ("inputs.image.use", False, "Every input"),
    ("", 3, "''"),
    ("training epochs", 3, "training epochs"),
    ("data.split.train", 0.5, "data.split"),
])
def test_a_wrong_replacement_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Experiment.parse(SMALLEST).replaced(key, value)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("text", "value"), [
    ("3", 3), ("1e-3", 0.001), ("true", True), ("false", False), ('"3"', "3"), ("cpu", "cpu"),
    ("cuda:1", "cuda:1"), ("", ""), ("gated", "gated"), ("a b", "a b"), ("True", "True"),
    ("[1, 2]", [1, 2]), ("{ train = 0.5, test = 0.5 }", {"train": 0.5, "test": 0.5}),
    ("1\nother = 2", "1\nother = 2"), ("C:\\data\\t.csv", "C:\\data\\t.csv"),
])
def test_the_value_that_a_text_means(text: str, value: Any) -> None:
    found = value_of_text(text)
    assert found == value
    assert type(found) is type(value)


def test_saving_keeps_comments_and_order(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(RICH, encoding="utf-8")
    experiment = Experiment.load(path).replaced("training.epochs", 9)
    experiment.save(path)
    assert path.read_text(encoding="utf-8") == RICH.replace("epochs = 3", "epochs = 9")
    assert [p.name for p in tmp_path.iterdir()] == ["experiment.toml"]


def test_saving_a_component_removes_the_old_ones_options(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(RICH, encoding="utf-8")
    experiment = Experiment.load(path).replaced("fusion.name", "sum")
    experiment.save(path)
    text = path.read_text(encoding="utf-8")
    assert "hidden" not in text
    assert "# tried sum, was worse" in text
    assert Experiment.load(path) == experiment


def test_saving_a_new_file_writes_what_differs_from_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    Experiment.parse(SMALLEST).replaced("training.seed", 4).save(path)
    assert tomllib.loads(path.read_text()) == {
        "data": {"table": "metadata.csv"},
        "inputs": {"image": {"column": "file_name", "modality": "image",
                             "encoder": {"name": "auto"}}},
        "fusion": {"name": "concat"},
        "targets": {"digit": {"task": "classification"}},
        "training": {"seed": 4},
    }


def test_a_file_that_is_no_toml_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text("[data\n")
    Experiment.parse(SMALLEST).save(path)
    assert Experiment.load(path) == Experiment.parse(SMALLEST)
    assert (tmp_path / "experiment.toml.broken").read_text() == "[data\n"


STYLES = {
    "tables": RICH,
    "out of order": """
[inputs.a]
column = "a"
modality = "image"
[targets.t]
[data]
table = "t.csv"
[inputs.b]
column = "b"
modality = "text"
[fusion]
name = "sum"
[targets.u]
""",
    "inline": """
data = { table = "t.csv" }
fusion = { name = "sum", hidden = 16 }
inputs = { a = { column = "a", modality = "image" }, b = { column = "b", modality = "text" } }
targets = { t = {}, u = { weight = 2 } }
training = { epochs = 3 }
""",
    "dotted": """
data.table = "t.csv"
inputs.a.column = "a"
inputs.a.modality = "image"
inputs.b.column = "b"
inputs.b.modality = "text"
inputs.b.encoder = "rnn"
targets.t.weight = 0.5
targets.u.weight = 2
fusion = "gated"
""",
    "sub-tables": """
[data]
table = "t.csv"
[data.split]
train = 0.6
validation = 0.2
test = 0.2
[inputs.a]
column = "a"
modality = "image"
[inputs.a.encoder]
name = "cnn"
width = 32
[inputs.b]
column = "b"
modality = "text"
[targets.t]
[targets.u]
""",
}


@pytest.mark.parametrize("style", STYLES)
def test_saving_over_a_file_of_any_style_loses_nothing(style: str, tmp_path: Path) -> None:
    chance = random.Random(0)
    for round_ in range(10):
        path = tmp_path / f"{round_}.toml"
        path.write_text(STYLES[style], encoding="utf-8")
        experiment = Experiment.load(path)
        for _ in range(chance.randint(1, 5)):
            experiment = _changed_at_random(experiment, chance)
            experiment.save(path)
            assert Experiment.load(path) == experiment
            assert Experiment.parse(experiment.to_toml()) == experiment


def _changed_at_random(experiment: Experiment, chance: random.Random) -> Experiment:
    name = chance.choice(list(experiment.inputs))
    changes: list[tuple[Any, Any]] = [
        ("training.epochs", chance.choice([1, 40])),
        ("training.learning_rate", 10 ** chance.uniform(-6, 0)),
        ("training.augment", chance.random() < 0.5),
        ("fusion.name", chance.choice(["sum", "concat", "gated"])),
        ("fusion.hidden", chance.randint(8, 64)),
        (("inputs", name, "encoder", "width"), chance.randint(8, 64)),
        (("inputs", name, "encoder", "name"), chance.choice(["cnn", "rnn", "other"])),
        (("inputs", name, "column"), chance.choice(["x", 'a "b" \\ c', "naïve ünï"])),
        (("inputs", f"new {chance.randint(0, 9)}.x"), {"column": "c", "modality": "audio"}),
        (("targets", f"t{chance.randint(0, 9)}"), {"column": "c"}),
        ("data.split", chance.choice(["split", {}, {"train": 0.9, "test": 0.0},
                                      {"group": "g"}])),
        ("data.table", chance.choice(["a.csv", "C:\\b\\c.csv"])),
    ]
    return experiment.replaced(*chance.choice(changes))


def test_removing_an_input_removes_it_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(RICH, encoding="utf-8")
    experiment = Experiment.load(path)
    kept = {n: i for n, i in experiment.inputs.items() if n != "words"}
    experiment = dataclasses.replace(experiment, inputs=kept)
    experiment.save(path)
    assert Experiment.load(path) == experiment


def test_rubbish_is_refused_and_never_crashes() -> None:
    chance = random.Random(1)
    values = ["3", "-1", "inf", "true", '""', '"x"', "[]", "[1]", "{}", '{ name = "x" }',
              "1979-05-27", "{ a = { b = 1 } }"]
    lines = [line for line in RICH.splitlines() if line and not line.startswith("#")]
    refused = 0
    for _ in range(400):
        mangled = list(lines)
        at = chance.randrange(len(mangled))
        key, equals, _ = mangled[at].partition(" = ")
        mangled[at] = f"{key} = {chance.choice(values)}" if equals else chance.choice(
            ["", "[inputs]", "[inputs.x]", "[targets.y]", "[[data]]", "[fusion]"])
        try:
            experiment = Experiment.parse("\n".join(mangled))
        except UserError as error:
            refused += 1
            assert error.message
        else:
            assert Experiment.parse(experiment.to_toml()) == experiment
    assert refused > 200


def test_an_input_may_have_a_dropout_of_its_own(tmp_path: Path) -> None:
    experiment = Experiment.parse(RICH.replace("size = 32", "size = 32\nmodality_dropout = 0.5"))
    assert experiment.inputs["my picture.v1"].modality_dropout == 0.5
    assert experiment.inputs["words"].modality_dropout is None
    assert experiment.input_dropout == [0.5]  # words are not used
    both = experiment.replaced(("inputs", "words", "use"), True)
    assert both.input_dropout == [0.5, TrainingSettings().modality_dropout]
    assert Experiment.parse(both.to_toml()) == both
    back = both.replaced(("inputs", "my picture.v1", "modality_dropout"), None)
    assert back.inputs["my picture.v1"].modality_dropout is None
    path = tmp_path / "experiment.toml"
    both.save(path)
    back.save(path)
    assert "modality_dropout" not in path.read_text() and Experiment.load(path) == back


@pytest.mark.parametrize("value", [-0.1, 0.95, "often", True])
def test_a_dropout_that_cannot_be_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"inputs\.image\.modality_dropout"):
        Experiment.parse(SMALLEST).replaced("inputs.image.modality_dropout", value)


def test_a_model_beside_the_experiment_is_found_from_wherever_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "models" / "small").mkdir(parents=True)
    (tmp_path / "models" / "small" / "config.json").write_text("{}")
    path = tmp_path / "experiment.toml"
    path.write_text("""
[data]
table = "rows.csv"
[inputs.words]
column = "text"
modality = "text"
encoder = { name = "pretrained_text", model = "models/small", tokens = 8 }
[inputs.note]
column = "note"
modality = "text"
encoder = { name = "pretrained_text", model = "someone/small" }
[targets.label]
""")
    inputs = Experiment.load(path).inputs
    assert inputs["words"].encoder.options == {
        "model": str((tmp_path / "models" / "small").resolve()), "tokens": 8}
    assert inputs["note"].encoder.options == {"model": "someone/small"}

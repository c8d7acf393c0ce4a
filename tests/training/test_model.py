"""The whole model: what stands where an input is absent can't change the answer, by any fusion."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import pytest
import torch

from mmstudio.data.batches import InputBatch
from mmstudio.data.schema import Schema
from mmstudio.encoders import ENCODERS
from mmstudio.experiment import Experiment
from mmstudio.fusion import FUSIONS
from mmstudio.modalities import MODALITIES
from mmstudio.training.model import MultimodalModel, build_model, completed
from tests.components import content_of, spec_of, without_gradient

FUSION_NAMES = FUSIONS.names()
INPUTS = {"photo": "image", "my words": "text", "sound.left": "audio", "other photo": "image"}


def experiment_of(fusion: str, inputs: list[str]) -> Experiment:
    data = {
        "data": {"table": "t.csv"},
        "inputs": {n: {"column": n, "modality": INPUTS[n],
                       "encoder": {"name": MODALITIES.get(INPUTS[n]).default_encoder,
                                   "width": 8}} for n in inputs},
        "fusion": {"name": fusion, "hidden": 8},
        "targets": {"kind": {}, "a.b c": {}},
    }
    return completed(Experiment.from_dict(data))


def model_of(fusion: str, inputs: list[str]) -> MultimodalModel:
    torch.manual_seed(0)
    schema = Schema({n: spec_of(INPUTS[n]) for n in inputs},
                    {"kind": {"classes": ["a", "b", "c"]}, "a.b c": {"classes": ["x", "y"]}})
    return build_model(experiment_of(fusion, inputs), schema)


def contents(inputs: list[str], present: torch.Tensor, seed: int = 0) -> dict[str, InputBatch]:
    """Content everywhere, also where ``present`` is False."""
    batch = {}
    for i, name in enumerate(inputs):
        lengths = [12 - r % 7 for r in range(len(present))]
        values, mask = content_of(INPUTS[name], len(present), 10 * seed + i, lengths)
        batch[name] = InputBatch(values, mask, present[:, i])
    return batch


def swapped(plain: Mapping[str, InputBatch], seed: int) -> dict[str, InputBatch]:
    """Other content where the input is absent: noise, or nan where the type has it."""
    names = list(plain)
    present = torch.stack([plain[n].present for n in names], dim=1)
    other = contents(names, present, seed)
    result = {}
    for name, item in plain.items():
        values = other[name].values
        if values.is_floating_point() and seed % 2:
            values = torch.full_like(values, float("nan"))
        there = item.present.view(-1, *[1] * (values.ndim - 1))
        mask = item.mask
        if mask is not None:
            mask = torch.where(item.present.unsqueeze(1), mask, ~mask)
        result[name] = InputBatch(torch.where(there, item.values, values), mask, item.present)
    return result


def every_pattern(count: int) -> torch.Tensor:
    """Each combination of present and absent, none and all too."""
    return torch.tensor(list(product([True, False], repeat=count)))


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[n], other[n]) for n in one)


CASES = [list(INPUTS)[:1], list(INPUTS)[:2], list(INPUTS)[:3], list(INPUTS),
         ["photo", "other photo"]]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("inputs", CASES, ids=len)
@pytest.mark.parametrize("fusion", FUSION_NAMES)
def test_what_stands_where_an_input_is_absent_changes_nothing(
    fusion: str, inputs: list[str], training: bool
) -> None:
    model = model_of(fusion, inputs).train(training)
    plain = contents(inputs, every_pattern(len(inputs)))
    answers = []
    for batch in (plain, swapped(plain, 1), swapped(plain, 2)):
        torch.manual_seed(5)
        answers.append(model(batch))
        model.load_state_dict(model_of(fusion, inputs).state_dict())  # undo moved statistics
    assert same(answers[0], answers[1])
    assert same(answers[0], answers[2])
    assert all(a.isfinite().all() for a in answers[0].values())


@pytest.mark.parametrize("fusion", FUSION_NAMES)
def test_what_a_muted_input_holds_changes_nothing(fusion: str) -> None:
    inputs = list(INPUTS)
    model = model_of(fusion, inputs).eval()
    keep = every_pattern(4)
    everything = torch.ones_like(keep)
    one = model(contents(inputs, everything), keep=keep)
    mixed = {n: InputBatch(torch.where(keep[:, i].view(-1, *[1] * (a.values.ndim - 1)),
                                       a.values, b.values), a.mask, a.present)
             for i, (n, a, b) in enumerate(
                 (n, a, contents(inputs, everything, seed=1)[n])
                 for n, a in contents(inputs, everything).items())}
    assert same(one, model(mixed, keep=keep))


@pytest.mark.parametrize("fusion", FUSION_NAMES)
def test_muted_absent_and_left_out_are_one_and_the_same(fusion: str) -> None:
    inputs = list(INPUTS)
    model = model_of(fusion, inputs).eval()
    keep = torch.tensor([[True, False, True, False]]).expand(5, 4)
    all_there = contents(inputs, torch.ones(5, 4, dtype=torch.bool))
    muted = model(all_there, keep=keep)
    absent = model({n: InputBatch(b.values, b.mask, keep[:, i])
                    for i, (n, b) in enumerate(all_there.items())})
    left_out = model({n: all_there[n] for i, n in enumerate(inputs) if keep[0, i]})
    assert same(muted, absent)
    assert same(muted, left_out)


@pytest.mark.parametrize("fusion", FUSION_NAMES)
def test_nothing_at_all_gives_an_answer(fusion: str) -> None:
    model = model_of(fusion, list(INPUTS)).eval()
    answers = model({}, rows=3)
    assert {n: a.shape for n, a in answers.items()} == {"kind": (3, 3), "a.b c": (3, 2)}
    assert all(a.isfinite().all() and torch.equal(a[0], a[2]) for a in answers.values())


@pytest.mark.parametrize("fusion", FUSION_NAMES)
def test_every_present_input_counts(fusion: str) -> None:
    inputs = list(INPUTS)
    model = model_of(fusion, inputs).eval()
    there = torch.ones(4, 4, dtype=torch.bool)
    plain = model(contents(inputs, there))["kind"]
    for name in inputs:
        other = contents(inputs, there) | {name: contents(inputs, there, seed=1)[name]}
        assert ((model(other)["kind"] - plain).abs().amax(dim=1) > 1e-6).all(), name


def test_hidden_inputs_teach_the_absent_tokens() -> None:
    """Concatenation reads the absent token, so it must be trained wherever an input is hidden."""
    inputs = list(INPUTS)
    model = model_of("concat", inputs).train()
    keep = every_pattern(4)
    sum(a.square().sum() for a in model(
        contents(inputs, torch.ones_like(keep)), keep=keep).values()).backward()
    assert [n for n in without_gradient(model) if n.startswith("absent")] == []


def test_two_inputs_of_one_modality_have_weights_of_their_own() -> None:
    model = model_of("concat", ["photo", "other photo"])
    one, other = model.encoders
    assert type(one) is type(other) is ENCODERS.get("cnn")
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_the_same_seed_builds_the_same_model() -> None:
    one, other = (model_of("gated", list(INPUTS)).state_dict() for _ in range(2))
    assert same(one, other)


def test_augmenting_happens_only_where_asked() -> None:
    from mmstudio.data.batches import Batch

    model = model_of("concat", ["photo"])
    raw = torch.randint(0, 255, (4, 3, 16, 16), dtype=torch.uint8)
    batch = Batch({"photo": InputBatch(raw, None, torch.ones(4, dtype=torch.bool))}, {}, {})
    plain = [model.prepared(batch)["photo"].values for _ in range(2)]
    varied = model.prepared(batch, torch.Generator().manual_seed(0))["photo"].values
    assert torch.equal(plain[0], plain[1])
    assert not torch.equal(plain[0], varied)


@pytest.mark.parametrize("fusion", FUSION_NAMES)
def test_every_subset_is_answered_from_one_encoding(fusion: str) -> None:
    """All subsets of encoded features give what hiding the inputs before encoding gives."""
    inputs = list(INPUTS)
    model = model_of(fusion, inputs).eval()
    batch = contents(inputs, every_pattern(4))
    features, present = model.encoded(batch)
    assert torch.equal(present, every_pattern(4))
    assert same(model.answered(features, present), model(batch))
    for subset in every_pattern(4):
        keep = subset.expand(16, 4)
        seen = present & keep
        assert same(model.answered(model.reduced(features, seen), seen), model(batch, keep=keep))

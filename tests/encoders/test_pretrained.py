"""What encoders on published models promise: what is trained, what is kept, what is refused."""

from __future__ import annotations

import json
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmstudio.encoders import ENCODERS
from mmstudio.encoders.pretrained import PretrainedEncoder
from mmstudio.encoders.tuning import blocks_of, depths_of
from mmstudio.errors import UserError
from mmstudio.experiment import TrainingSettings
from mmstudio.training.optimise import make_optimiser
from tests.components import stir, without_gradient
from tests.tiny_models import IMAGE, TEXT, save_tiny, tiny

MODES = ["frozen", "last", "full", "lora"]
IMAGE_SPEC = {"size": [32, 32], "channels": 3}
TEXT_SPEC = {"pad": 0, "max_tokens": 16}


def image(model: str | Path = "", **options: Any) -> PretrainedEncoder:
    encoder = ENCODERS.get("pretrained_image")(
        IMAGE_SPEC, model=str(model or tiny("vit")), **options)
    assert isinstance(encoder, PretrainedEncoder)
    return encoder


def text(model: str | Path = "", **options: Any) -> PretrainedEncoder:
    encoder = ENCODERS.get("pretrained_text")(
        TEXT_SPEC, model=str(model or tiny("bert")), **options)
    assert isinstance(encoder, PretrainedEncoder)
    return encoder


def content(encoder: PretrainedEncoder) -> tuple[torch.Tensor, torch.Tensor | None]:
    chance = torch.Generator().manual_seed(0)
    if encoder.modality == "image":
        return torch.randn(3, 3, 32, 32, generator=chance), None
    return (torch.randint(5, 20, (3, 9), generator=chance),
            torch.arange(9) < torch.tensor([9, 4, 6]).unsqueeze(1))


def moved(encoder: PretrainedEncoder, learning_rate: float = 1e-2) -> set[str]:
    """The names of what one training step changes, buffers included."""
    encoder.train()
    stir(encoder.linear)
    before = {n: t.clone() for n, t in encoder.state_dict().items()}
    optimiser = make_optimiser(encoder, TrainingSettings(learning_rate=learning_rate), 10)
    # twice: where LoRA's second half is zero, no gradient reaches its first
    for _ in range(2):
        optimiser.zero_grad()
        pooled = encoder(*content(encoder)).pooled()
        (pooled * torch.randn(pooled.shape)).sum().backward()
        optimiser.step()
    return {n for n, t in encoder.state_dict().items() if not torch.equal(t, before[n])}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", [image, text])
def test_a_step_moves_what_is_trained_and_nothing_else(make: Any, mode: str) -> None:
    torch.manual_seed(0)
    encoder = make(tuning=mode, blocks=1, rank=2)
    changed = moved(encoder)
    assert without_gradient(encoder) == []
    assert not changed & encoder.fixed
    assert changed == set(encoder.state_dict()) - encoder.fixed
    published = {n for n in changed if n.startswith("published.")}
    if mode == "frozen":
        assert not published
    if mode == "last":
        assert published and all(".2." in n or "norm" in n for n in published)
    if mode == "full":
        assert len(published) == len(list(encoder.published.named_parameters()))
    if mode == "lora":
        assert published and all("lora_" in n for n in published)
        sizes = {n: t.numel() for n, t in encoder.state_dict().items()}
        added = sum(sizes[n] for n in published)
        assert added < 0.1 * sum(s for n, s in sizes.items() if n.startswith("published."))


@pytest.mark.parametrize("family", [f for f in IMAGE if f not in ("resnet",)])
@pytest.mark.parametrize("mode", ["last", "full", "lora"])
def test_every_trained_parameter_of_a_picture_model_gets_a_gradient(
    family: str, mode: str
) -> None:
    torch.manual_seed(0)
    encoder = image(tiny(family), tuning=mode).train()
    stir(encoder)
    pooled = encoder(*content(encoder)).pooled()
    (pooled * torch.randn(pooled.shape)).sum().backward()
    assert without_gradient(encoder) == []


@pytest.mark.parametrize("family", TEXT)
@pytest.mark.parametrize("mode", ["last", "full", "lora"])
def test_every_trained_parameter_of_a_text_model_gets_a_gradient(family: str, mode: str) -> None:
    torch.manual_seed(0)
    encoder = text(tiny(family), tuning=mode).train()
    stir(encoder)
    pooled = encoder(*content(encoder)).pooled()
    (pooled * torch.randn(pooled.shape)).sum().backward()
    missing = without_gradient(encoder)
    # a bias of the keys adds the same to all of a query's scores: its gradient is nought
    assert [n for n in missing if "key.bias" not in n and "k_proj.bias" not in n] == []


def test_lower_blocks_learn_more_slowly_and_embeddings_slowest() -> None:
    rates = text(tuning="full", rate=0.1, layer_decay=0.5).rates()
    assert rates["published.encoder.layer.2.output.dense.weight"] == pytest.approx(0.1)
    assert rates["published.encoder.layer.0.output.dense.weight"] == pytest.approx(0.025)
    assert rates["published.embeddings.word_embeddings.weight"] == pytest.approx(0.0125)
    assert min(rates.values()) == rates["published.embeddings.word_embeddings.weight"]
    last = image(tuning="last", blocks=1, rate=0.1).rates()
    assert set(last.values()) == {0.1}
    assert image().rates() == {}
    assert set(image(tuning="lora").rates().values()) == {0.25}


@pytest.mark.parametrize(("family", "count"), [
    ("resnet", 6), ("convnext", 5), ("swin", 3), ("vit", 3), ("dinov2", 3), ("siglip", 3),
    ("bert", 3), ("distilbert", 3), ("t5", 3), ("bart", 2), ("gpt2", 3)])
def test_the_blocks_of_a_model_are_found(family: str, count: int) -> None:
    model = (image if family in IMAGE else text)(tiny(family)).published
    blocks = blocks_of(model)
    assert len(blocks) == count
    depths = depths_of(model, blocks)
    assert set(depths.values()) == set(range(count + 1))
    first = next(iter(depths))  # embeddings, or the first convolution
    assert depths[first] == count


def test_relative_positions_are_read_by_all_blocks_and_lie_below_them() -> None:
    model = text(tiny("mpnet")).published
    depths = depths_of(model, blocks_of(model))
    assert depths["encoder.relative_attention_bias.weight"] == 3


def test_published_embeddings_do_not_fade_and_layers_have_their_own_rates() -> None:
    encoder = text(tuning="full", rate=0.1, layer_decay=0.5)
    settings = TrainingSettings(learning_rate=1e-3, weight_decay=0.1)
    groups = make_optimiser(encoder, settings, 10).param_groups
    of = {id(p): group for group in groups for p in group["params"]}
    embeddings: Any = encoder.published.get_submodule("embeddings.word_embeddings")
    dense: Any = encoder.published.get_submodule("encoder.layer.1.output.dense")
    assert of[id(embeddings.weight)]["weight_decay"] == 0
    assert of[id(embeddings.weight)]["lr"] == pytest.approx(1e-3 * 0.1 * 0.5**3)
    assert of[id(dense.weight)]["weight_decay"] == 0.1
    assert of[id(dense.weight)]["lr"] == pytest.approx(1e-3 * 0.1 * 0.5)
    assert of[id(dense.bias)]["weight_decay"] == 0
    assert of[id(encoder.linear.weight)]["lr"] == pytest.approx(1e-3)
    frozen = text()
    known = {id(p) for g in make_optimiser(frozen, settings, 10).param_groups for p in g["params"]}
    assert not known & {id(p) for p in frozen.published.parameters()}


def test_batch_norms_and_frozen_parts_stay_as_they_are_used() -> None:
    full = image(tiny("resnet"), tuning="full").train()
    norms = [m for m in full.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms)
    assert full.published.training and full.dropout.training
    assert not image().train().published.training
    last = text(tuning="last", blocks=1).train()
    modes = [layer.training for layer in last.published.get_submodule("encoder.layer").children()]
    assert modes == [False, False, True]
    assert not any(m.training for m in last.eval().modules())


def test_a_frozen_encoder_gives_the_same_in_training_without_history() -> None:
    encoder = text(dropout=0.0)
    values, mask = content(encoder)
    trained, used = encoder.train().encode(values, mask), encoder.eval().encode(values, mask)
    assert torch.equal(trained.tokens, used.tokens)
    assert not trained.tokens.requires_grad
    assert encoder.project(trained).tokens.requires_grad
    assert torch.equal(encoder(values, mask).tokens, encoder.project(used).tokens)


def test_only_frozen_features_may_be_kept_and_their_key_names_what_changes_them() -> None:
    assert all(image(tuning=mode).stored_key is None for mode in MODES if mode != "frozen")
    keys = [image().stored_key, image(tokens=9).stored_key, image(tiny("deit")).stored_key,
            text().stored_key]
    assert None not in keys and len(set(keys)) == 4
    assert image(width=32, dropout=0.5).stored_key == keys[0]
    other = ENCODERS.get("pretrained_image")(
        IMAGE_SPEC | {"mean": [0.1] * 3, "std": [0.2] * 3}, model=str(tiny("vit")))
    assert other.stored_key != keys[0]


@pytest.mark.parametrize("mode", MODES)
def test_torchs_chance_is_left_alone(mode: str) -> None:
    torch.manual_seed(5)
    image(tuning=mode)
    apart = torch.rand(3)
    torch.manual_seed(5)
    encoder = image()
    # what it draws is what its own layers need
    fresh = [nn.LayerNorm(32), nn.Linear(32, 256), nn.Linear(32, 256, bias=False)]
    torch.manual_seed(5)
    again = [nn.LayerNorm(32), nn.Linear(32, 256), nn.Linear(32, 256, bias=False)]
    assert torch.equal(torch.rand(3), apart)
    assert torch.equal(encoder.linear.weight, again[1].weight) and fresh  # type: ignore[arg-type]


def test_a_run_that_trains_meanwhile_draws_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, kind = tiny("bert"), ENCODERS.get("pretrained_text")
    begin: Any = kind.begin  # type: ignore[attr-defined]
    torch.manual_seed(5)
    expected = [torch.rand(3), torch.rand(3)]
    torch.manual_seed(5)
    drawn = []

    def drawing(encoder: Any, spec: Any) -> None:
        thread = threading.Thread(target=lambda: drawn.append(torch.rand(3)))
        thread.start()
        thread.join()
        begin(encoder, spec)

    monkeypatch.setattr(kind, "begin", drawing)
    with torch.device("meta"):
        text(folder)
    drawn.append(torch.rand(3))
    assert torch.equal(torch.stack(drawn), torch.stack(expected))


def test_loras_beginning_follows_the_seed() -> None:
    def first() -> torch.Tensor:
        torch.manual_seed(3)
        state = image(tuning="lora").state_dict()
        return next(t for n, t in state.items() if "lora_A" in n)

    assert torch.equal(first(), first())


@pytest.mark.parametrize("mode", MODES)
def test_a_model_built_without_weights_has_the_published_ones(mode: str) -> None:
    trained = text(tuning=mode)
    stir(trained.linear)
    kept = {n: t for n, t in trained.state_dict().items() if n not in trained.fixed}
    with torch.device("meta"):
        fresh = text(tuning=mode)
    assert fresh.linear.weight.is_meta
    missing = fresh.load_state_dict(kept, strict=False, assign=True)
    assert set(missing.missing_keys) == fresh.fixed and not missing.unexpected_keys
    assert torch.equal(fresh.eval()(*content(fresh)).tokens,
                       trained.eval()(*content(trained)).tokens)


@pytest.mark.parametrize("make", [image, text])
def test_layers_may_work_in_bfloat16(make: Any) -> None:
    encoder = make().eval()
    values, mask = content(encoder)
    with torch.no_grad():
        exact = encoder(values, mask)
        with torch.autocast("cpu", torch.bfloat16):
            rough = encoder(values, mask)
    torch.testing.assert_close(rough.pooled().float(), exact.pooled(), rtol=0.1, atol=0.05)


# What is refused ------------------------------------------------------------------------------


def changed(family: str, to: Path, **config: Any) -> Path:
    """A copy of a family's model with another configuration; None takes a key out."""
    shutil.copytree(tiny(family), to)
    found = json.loads((to / "config.json").read_text()) | config
    (to / "config.json").write_text(
        json.dumps({k: v for k, v in found.items() if v is not None}))
    return to


class Evil:
    """A pickle of this would make a file as it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_that_would_run_a_program_is_refused(tmp_path: Path) -> None:
    folder = changed("bert", tmp_path / "evil")
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "it ran"
    torch.save({"weight": Evil(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"could run a program\. It was not read.*safetensors"):
        text(folder)
    (folder / "pytorch_model.bin").write_bytes(
        pickle.dumps({"weight": Evil(mark)}, protocol=2))
    with pytest.raises(UserError, match="was not read"):
        text(folder)
    assert not mark.exists()


def test_a_plain_pickle_of_tensors_is_read_and_safetensors_come_first(tmp_path: Path) -> None:
    folder = changed("bert", tmp_path / "old")
    state = dict(text().published.state_dict())
    torch.save(Evil(tmp_path / "it ran"), folder / "pytorch_model.bin")
    text(folder)  # the safetensors beside it are read
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    encoder, known = text(folder), text()
    torch.testing.assert_close(encoder.eval().encode(*content(encoder)).tokens,
                               known.eval().encode(*content(known)).tokens)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(("make", "family", "message"), [
    (image, "bert", "reads texts, not pictures"), (text, "vit", "reads pictures, not texts"),
    (text, "siglip", "reads pictures, not texts")])
def test_a_model_of_another_kind_is_refused(make: Any, family: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(tiny(family))


def test_a_model_that_reads_something_else_than_its_configuration_says_is_refused(
    tmp_path: Path
) -> None:
    # a kind that is guessed from the configuration of a family that is not in the table
    folder = changed("vit", tmp_path / "odd", model_type="time_series_transformer",
                     vocab_size=10, image_size=None, num_channels=None)
    with pytest.raises(UserError, match=r"odd"):
        text(folder)


@pytest.mark.parametrize(("change", "message"), [
    ({"model_type": "of_tomorrow"}, "family 'of_tomorrow'.*does not know.*pip install -U"),
    ({"model_type": "of_tomorrow", "auto_map": {"AutoModel": "m.M"}}, "program code.*never run"),
    ({"quantization_config": {"bits": 4}}, "quantised"),
    ({"transformers_weights": "../other/model.safetensors"}, "outside of its folder"),
    ({"hidden_size": 48}, "are not those of its config.*is 100 × 32, not 100 × 48|is 32, not 48"),
    ({"num_attention_heads": 5}, "can't be read"),
])
def test_what_can_not_be_used_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = changed("bert", tmp_path / "changed", **change)
    with pytest.raises(UserError, match=message):
        text(folder)


def test_code_of_a_model_is_never_run(tmp_path: Path) -> None:
    folder = changed("bert", tmp_path / "code", auto_map={"AutoModel": "own.Own"})
    mark = tmp_path / "it ran"
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    text(folder)  # the library has a class of its own for the family
    assert not mark.exists()


def test_an_adapter_and_a_torn_file_are_refused(tmp_path: Path) -> None:
    folder = changed("bert", tmp_path / "torn")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"torn can't be read.*Download it again"):
        text(folder)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="is an adapter"):
        text(folder)


def test_a_file_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = changed("bert", tmp_path / "lacks")
    state = load_file(folder / "model.safetensors")
    del state["encoder.layer.1.output.dense.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 parts.*encoder\.layer\.1\.output\.dense\.weight"):
        text(folder)


def test_lora_needs_linear_layers() -> None:
    with pytest.raises(UserError, match="has no linear layers"):
        image(tiny("resnet"), tuning="lora")


def test_a_pooling_layer_that_was_not_published_is_not_missed(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    from tests.tiny_models import BERT

    folder = save_tiny("bert", tmp_path / "masked")
    BertForMaskedLM(BertConfig(**BERT)).save_pretrained(folder)
    assert text(folder).encode(*content(text(folder))).tokens.isfinite().all()


def test_nothing_is_said_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    for mode in MODES:
        text(tuning=mode)
    said = capfd.readouterr()
    assert said.err == "" and said.out == ""

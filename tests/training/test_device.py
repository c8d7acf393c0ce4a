"""Which device, which number format."""

from __future__ import annotations

import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.training.device import (
    choose_device,
    choose_precision,
    cpu_formats,
    memory_bytes,
    prepare_process,
    release_memory,
)

CPU = torch.device("cpu")


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:x", "CPU", "", "cuda:-1"])
def test_an_unknown_device_is_refused(wanted: str) -> None:
    with pytest.raises(UserError, match=r"training\.device") as caught:
        choose_device(wanted)
    assert "auto" in caught.value.hint


def test_a_device_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for wanted in ("cuda", "cuda:0", "cuda:7", "mps"):
        with pytest.raises(UserError, match=wanted):
            choose_device(wanted)


@pytest.mark.parametrize("there", [True, False])
def test_the_cpu_tries_bfloat16_only_where_it_has_instructions_for_it(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: there)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert cpu_formats() == (["float32", "bfloat16"] if there else ["float32"])
    assert choose_precision("auto", CPU) is torch.float32  # until it is measured
    assert choose_precision("float32", CPU) is torch.float32
    assert choose_precision("bfloat16", CPU) is torch.bfloat16
    with pytest.raises(UserError, match="float16"):
        choose_precision("float16", CPU)


def test_memory_is_counted_and_released_without_trouble() -> None:
    prepare_process()
    release_memory(CPU)
    assert memory_bytes(CPU) > 10**7

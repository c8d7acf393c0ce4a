"""What several commands are given: a device, and inputs as ``NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Mapping

from mmstudio.errors import UserError, nearest


def check_device(device: str) -> None:
    """Refuse a ``--device`` that is not here; the message names the option, not a file's key.

    Raises:
        UserError: No such device.
    """
    from mmstudio.training.device import choose_device

    try:
        choose_device(device)
    except UserError as error:
        hint = error.hint if error.hint.startswith("Known") else "Give --device auto."
        raise UserError(error.message.replace("training.device =", "--device"), hint) from None


def input_pair(pair: str, inputs: Mapping[str, str]) -> tuple[str, str]:
    """The name and the value that ``--input NAME=VALUE`` gives.

    Args:
        pair: What was given.
        inputs: Per input of the run its modality.

    Raises:
        UserError: No ``=``, or no such input.
    """
    name, equals, value = pair.partition("=")
    if name not in inputs:
        raise UserError(f"--input {pair} names no input of this run.", nearest(name, inputs))
    if not equals:
        what = f"{name}=TEXT or {name}=FILE" if inputs[name] == "text" else f"{name}=FILE"
        raise UserError(f"--input {pair} gives nothing.", f"Write it as {what}.")
    return name, value

"""Sounds, in every format that libsndfile reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mmstudio.errors import UserError
from mmstudio.modalities.base import MODALITIES, Modality, Value, spread
from mmstudio.modalities.preview import Preview
from mmstudio.modalities.sound_arrays import held_sound
from mmstudio.modalities.sound_files import NEED_A_PROGRAM, opened_sound, read_sound
from mmstudio.registry import Range

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mmstudio.modalities.content_limit import ContentLimit
    from mmstudio.modalities.corruption import Corruption
    from mmstudio.modalities.pieces import Pieces

SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd",
    ".caf", ".w64", ".rf64", ".voc", ".mp2",
)
LARGEST_AUTO_RATE_HZ = 16_000
LARGEST_AUTO_SECONDS = 10.0
LONG_S = 3.0
"""A sound from here on is a long sequence to a fusion."""
LONG_SAMPLES = 32_000
"""Batches that are longer are varied in another way, which takes half the time."""
PREVIEW, PREVIEW_SECONDS = 144, 30.0
"""Of a preview: its columns, and how much is shown."""
LENGTH_STEP_S = 0.1
"""Batches are as long as their longest sound, in these steps: few shapes, fast kernels."""


@MODALITIES.register("audio", title="Sound", summary="Speech, music, noises.")
class AudioModality(Modality):
    """Sounds as mono 16-bit samples ``(L,)`` at one rate, as long as they are.

    Args:
        sample_rate_hz: Rate that all sounds are brought to; 0 takes the data's own, at most 16000.
        max_seconds: What is longer is cut; 0 takes the data's own length, at most 10.
    """

    plural = "sounds"
    needs = ("sample_rate_hz", "max_seconds")
    alike = 0.9
    first_bytes = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b".snd")
    contained: ClassVar = {b"RIFF": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
    own_suffix = ".wav"
    empty = ("silent", "is silent, or the same level throughout")
    suffixes = (*SUFFIXES, *NEED_A_PROGRAM)
    default_encoder = "crnn"
    dtype = "int16"
    looks_at = 400

    def __init__(
        self,
        *,
        sample_rate_hz: Annotated[
            int, Range(0, 192_000, "samples per second; 0 takes the data's own, at most 16000")
        ] = 0,
        max_seconds: Annotated[
            float, Range(0.0, 600.0, "what is longer is cut; 0 takes the data's own, at most 10")
        ] = 0.0,
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.max_seconds = max_seconds

    def fit(self, values: Sequence[Value], wanted: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Usual rate and length, from file headers: ``{sample_rate_hz, max_seconds}``.

        A published model's encoder wants its own rate, and tells in ``most_seconds`` how long a
        sound it takes.
        """
        import numpy as np

        rates: Counter[int] = Counter()
        lengths = []
        for value in spread(values, self.looks_at):
            try:
                with opened_sound(value) as sound:
                    rates[sound.samplerate] += 1
                    lengths.append(sound.frames / sound.samplerate)
            except UserError:
                continue
        if not lengths:
            raise UserError("Not one sound of the training rows can be read.",
                            "Check the column and the folder that its paths start from.")
        rate = self.sample_rate_hz or min(LARGEST_AUTO_RATE_HZ, rates.most_common(1)[0][0])
        usual = float(np.quantile(lengths, 0.99)) if len(lengths) > 20 else max(lengths)
        rate = wanted.get("sample_rate_hz", rate)
        seconds = self.max_seconds or min(wanted.get("most_seconds", LARGEST_AUTO_SECONDS), usual)
        seconds = min(seconds, wanted.get("most_seconds", seconds))
        return {"sample_rate_hz": int(rate), "max_seconds": round(max(seconds, 0.05), 3)}

    def decode(self, value: Value, spec: Mapping[str, Any]) -> np.ndarray:
        """Mono samples at the common rate, cut at the greatest length."""
        return self._fitted(*read_sound(value, max_seconds=spec["max_seconds"]), spec, value)

    def decode_held(self, content: Any, spec: Mapping[str, Any]) -> np.ndarray:
        """``(samples, rate_hz)``: samples ``(L,)`` or ``(L, channels)``.

        Floats from -1 to 1, or whole numbers of their type's range; those of 64 bits are taken
        as 16-bit samples.
        """
        samples, rate_hz = held_sound(content)
        most = int(spec["max_seconds"] * rate_hz) + 2
        return self._fitted(samples[:most], rate_hz, spec, "The array")

    def _fitted(
        self, sound: np.ndarray, own_rate_hz: int, spec: Mapping[str, Any], name: Value
    ) -> np.ndarray:
        import numpy as np

        rate_hz = spec["sample_rate_hz"]
        if own_rate_hz != rate_hz:
            import soxr

            sound = soxr.resample(sound, own_rate_hz, rate_hz)
        sound = sound[: round(spec["max_seconds"] * rate_hz)]
        if len(sound) == 0:
            raise UserError(f"{name} holds no sound.", "Replace it, or leave the cell empty.")
        samples: np.ndarray = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
        return samples

    def try_read(self, value: Value) -> None:
        """Read the first second."""
        read_sound(value, max_seconds=1.0)

    def collate(
        self, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """``(B, L)`` 16-bit samples and the mask ``(B, L)``."""
        import numpy as np
        import torch

        lengths = np.array([0 if a is None else len(a) for a in arrays])
        length = batch_length(int(lengths.max(initial=0)), spec["sample_rate_hz"])
        batch = np.zeros((len(arrays), length), dtype=np.int16)
        for row, array in enumerate(arrays):
            if array is not None:
                batch[row, : len(array)] = array
        mask = np.arange(length) < lengths[:, None]
        return torch.from_numpy(batch), torch.from_numpy(mask)

    def prepare(self, values: torch.Tensor) -> torch.Tensor:
        """16-bit samples to floats from -1 to 1."""
        return values.float().mul_(1 / 32768)

    def content_limit(self) -> ContentLimit:
        """See ``Modality.content_limit``."""
        from mmstudio.modalities.glance.sounds import SoundLimit

        return SoundLimit()

    def pieces(self, content: Any, array: np.ndarray, spec: Mapping[str, Any]) -> Pieces:
        """Moments and ranges of pitch."""
        from mmstudio.modalities.pointing.sounds import SoundPieces

        return SoundPieces(array, int(spec["sample_rate_hz"]))

    def fingerprints(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Levels of bands over time; silence holds nothing."""
        from mmstudio.modalities.glance import sounds

        return sounds.fingerprints(arrays, spec)

    def same(self, one: np.ndarray, other: np.ndarray, spec: Mapping[str, Any]) -> bool:
        """Whether their samples agree at some shift."""
        from mmstudio.modalities.glance import sounds

        return sounds.same(one, other)

    def traits(
        self, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """The length, and the mean power below that of a full square wave."""
        import numpy as np

        power = np.array([np.square(a, dtype=np.float32).mean() for a in arrays]) / 32767**2
        return {"length (s)": np.array([len(a) for a in arrays]) / spec["sample_rate_hz"],
                "loudness (dB)": 10 * np.log10(power + 1e-10)}

    def preview(self, value: Value) -> Preview:
        """Its outline, as far as training may hear it at most."""
        import numpy as np

        samples, _ = read_sound(value, max_seconds=PREVIEW_SECONDS)
        parts = np.array_split(samples, min(PREVIEW, max(1, len(samples))))
        return Preview(outline=tuple(
            (float(part.min(initial=0)), float(part.max(initial=0))) for part in parts))

    def corruptions(self) -> Sequence[Corruption]:
        """See ``Modality.corruptions``."""
        from mmstudio.modalities.corrupting.sounds import CORRUPTIONS

        return CORRUPTIONS

    def long_from(self, spec: Mapping[str, Any]) -> float:
        """Some seconds, in samples."""
        return LONG_S * float(spec.get("sample_rate_hz", 0))

    def augment(
        self, values: torch.Tensor, mask: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Vary speed (pitch moves along) and onset, and add silence around and noise over all.

        Up to 15 % faster or slower; silence of up to 0.4 of the sound's length before and after,
        as far as the batch is long; noise 10 to 50 dB below the sound. A batch of long sounds
        becomes longer by an eighth: its rows are of like length, and would leave no room.
        """
        import torch

        if mask is None:
            return values, mask
        if values.shape[1] > LONG_SAMPLES:
            return _long_varied(values, mask, generator)
        rows, length = values.shape
        device = values.device

        def draw(low: float, high: float) -> torch.Tensor:
            u = torch.rand(rows, 1, generator=generator, device=device)
            return low + (high - low) * u

        speed = draw(0.85, 1.15)
        lengths = mask.sum(dim=1, keepdim=True)
        heard = lengths / speed
        room = (length - heard).clamp(min=0)
        before = torch.minimum(draw(0, 0.4) * heard, room * draw(0, 1))
        after = draw(0, 0.4) * heard
        steps = torch.arange(length, device=device)
        at = (steps - before) * speed  # (B, L) position in the old sound
        left = at.floor()
        part = at - left
        left = left.long()
        within = (left >= 0) & (left < lengths - 1)
        now = values.gather(1, left.clamp(0, length - 1))
        then = values.gather(1, (left + 1).clamp(0, length - 1))
        moved = (now + part * (then - now)) * within
        power = (values * mask).square().sum(dim=1, keepdim=True) / lengths.clamp(min=1)
        noise = torch.randn(rows, length, generator=generator, device=device)
        noisy = moved + noise * (power * 10 ** (-draw(10, 50) / 10)).sqrt()
        kept = (steps < before + heard + after) & (lengths > 0)
        return noisy * kept, kept


def batch_length(longest: int, sample_rate_hz: int) -> int:
    """How many samples a batch holds of each sound, whose longest has so many."""
    step = max(1, round(LENGTH_STEP_S * sample_rate_hz))
    return step * max(1, -(-longest // step))


def _long_varied(
    values: torch.Tensor, mask: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``augment`` does, with half as many passes over the samples.

    The noise of all rows is cut from one piece, each row's from another place.
    """
    import torch

    rows, length = values.shape
    device, room = values.device, length // 8

    def draw(low: float, high: float) -> torch.Tensor:
        u = torch.rand(rows, 1, generator=generator, device=device)
        return low + (high - low) * u

    speed = draw(0.85, 1.15)
    lengths = mask.sum(dim=1, keepdim=True)
    heard = lengths / speed
    before = torch.minimum(
        draw(0, 0.4) * heard, (length + room - heard).clamp(min=0) * draw(0, 1))
    after = draw(0, 0.4) * heard
    steps = torch.arange(length + room, device=device, dtype=torch.float32)
    at = (steps - before).mul_(speed).clamp_(0, length - 2)  # (B, L) position in the old sound
    left = at.long()
    at -= left
    values = values.masked_fill(~mask, 0)
    moved = values.gather(1, left).lerp_(values.gather(1, left.add_(1)), at)
    moved *= (steps >= before) & (steps < before + (lengths - 1) / speed)
    power = values.square().sum(dim=1, keepdim=True) / lengths.clamp(min=1)
    noise = torch.randn(2 * (length + room), generator=generator, device=device)
    starts = torch.randint(0, length + room, (rows,), generator=generator, device=device)
    noises = noise.unfold(0, length + room, 1).index_select(0, starts)
    moved.addcmul_(noises, (power * 10 ** (-draw(10, 50) / 10)).sqrt())
    kept = (steps < before + heard + after) & (lengths > 0)
    return moved.mul_(kept), kept

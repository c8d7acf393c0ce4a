"""Sounds made of sines and noise: instruments that play a note, and drums that keep a beat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from first_click_sets.case import Rows

RATE_HZ = 16_000
TONES, RHYTHMS = 600, 600
TONE_S, RHYTHM_S = 3.0, 4.0

PITCHES = {"C": 0, "D": 2, "E": 4, "G": 7, "A": 9}  # semitones above C
OCTAVES = (2, 3, 4, 5)
C0_HZ = 16.3516

HARMONICS = np.arange(1, 13)
TIMBRES = {  # partials (multiples of the pitch), their amplitudes, attack and decay in seconds
    "flute": (HARMONICS, 1.0 / HARMONICS ** 2.2, 0.15, 30.0),
    "organ": (HARMONICS, 1.0 / HARMONICS ** 0.6, 0.04, 30.0),
    "reed": (HARMONICS, (HARMONICS % 2) / HARMONICS ** 0.8 + 0.01, 0.06, 30.0),
    "brass": (HARMONICS, 1.0 / HARMONICS ** 0.9, 0.12, 8.0),
    "plucked": (HARMONICS, 1.0 / HARMONICS, 0.003, 0.6),
    "bell": (np.array([1, 2.76, 5.4, 8.93]), np.array([1, 0.7, 0.5, 0.3]), 0.003, 1.2),
}
PATTERNS = {  # beats in a bar, and when in it a low drum and a high one sound
    "march": (4, (0, 2), (1, 3)),
    "waltz": (3, (0,), (1, 2)),
    "swing": (4, (0, 2), (1, 1.67, 3, 3.67)),
    "offbeat": (4, (0, 1, 2, 3), (0.5, 1.5, 2.5, 3.5)),
    "gallop": (4, (0, 2), (0.5, 0.75, 1, 1.5, 1.75, 2.5, 2.75, 3, 3.5, 3.75)),
    "clave": (4, (0, 0.75, 1.5), (2.5, 3)),
}


def tones(folder: Path, chance: np.random.Generator) -> Rows:
    """One note each; timbre, octave and pitch are asked for. Level, noise and tuning differ.

    A flute, at least 4 dB below, plays the same note in another octave.
    """
    rows = []
    for i in range(TONES):
        timbre = list(TIMBRES)[i % len(TIMBRES)]
        octave, pitch = int(chance.choice(OCTAVES)), str(chance.choice(list(PITCHES)))
        octaves = PITCHES[pitch] / 12 + chance.normal(0, 15) / 1200
        other = int(chance.choice([o for o in OCTAVES if o != octave]))
        sound = (_note(timbre, C0_HZ * 2 ** (octave + octaves), chance)
                 + _note("flute", C0_HZ * 2 ** (other + octaves), chance)
                 * 10 ** (-chance.uniform(4, 15) / 20))
        name = _save(folder, i, sound, chance, quietest_db=0.0)
        rows.append({"file_name": name, "timbre": timbre, "octave": str(octave), "pitch": pitch})
    return rows


def _note(timbre: str, frequency_hz: float, chance: np.random.Generator) -> np.ndarray:
    partials, amplitudes, attack_s, decay_s = TIMBRES[timbre]
    amplitudes = amplitudes * 10 ** (chance.normal(0, 3, len(partials)) / 20)
    attack_s, decay_s = (s * 2 ** chance.normal(0, 0.4) for s in (attack_s, decay_s))
    time_s = np.arange(int(TONE_S * RATE_HZ)) / RATE_HZ - chance.uniform(0.1, 1.0)
    ends_s = chance.uniform(1.0, 1.8)
    envelope = (1 - np.exp(-time_s.clip(0) / attack_s)) * np.exp(-time_s.clip(0) / decay_s)
    envelope *= np.exp(-(time_s - ends_s).clip(0) / 0.08) * (time_s > 0)
    vibrato = chance.uniform(0, 0.004) * np.sin(2 * np.pi * chance.uniform(4, 7) * time_s)
    phase = 2 * np.pi * frequency_hz * np.cumsum(1 + vibrato) / RATE_HZ
    sound = np.zeros_like(time_s)
    for partial, amplitude in zip(partials, amplitudes, strict=True):
        if partial * frequency_hz < 0.45 * RATE_HZ:
            # higher partials die away sooner, as in things that are struck
            faster = np.exp(-time_s.clip(0) * (partial - 1) * 0.3 / decay_s)
            sound += amplitude * faster * np.sin(partial * phase + chance.uniform(0, 2 * np.pi))
    sound *= envelope
    return sound / np.abs(sound).max()


def rhythms(folder: Path, chance: np.random.Generator) -> Rows:
    """A pattern of two drums at a tempo; both are asked for. Drums and noise differ."""
    rows = []
    for i in range(RHYTHMS):
        pattern = list(PATTERNS)[i % len(PATTERNS)]
        bpm = chance.uniform(60, 180)
        sound = _beat(pattern, 60 / bpm, chance)
        name = _save(folder, i, sound, chance, quietest_db=8.0)
        rows.append({"file_name": name, "pattern": pattern, "bpm": f"{bpm:.1f}"})
    return rows


def _beat(pattern: str, beat_s: float, chance: np.random.Generator) -> np.ndarray:
    beats, low, high = PATTERNS[pattern]
    drums = {False: _drum(chance.uniform(60, 150), 0.2, chance),
             True: _drum(chance.uniform(250, 900), 0.8, chance)}
    sound = np.zeros(int((RHYTHM_S + 1) * RATE_HZ))
    first = -chance.uniform(0, beats)  # the recording begins anywhere in the bar
    for bar in np.arange(first, RHYTHM_S / beat_s, beats):
        for is_high, times in ((False, low), (True, high)):
            for beat in times:
                at = int(((bar + beat) * beat_s + chance.normal(0, 0.008)) * RATE_HZ)
                if 0 <= at < int(RHYTHM_S * RATE_HZ):
                    hit = drums[is_high] * 10 ** (chance.normal(0, 2) / 20)
                    sound[at:at + len(hit)] += hit
    return sound[:int(RHYTHM_S * RATE_HZ)]


def _drum(frequency_hz: float, noisy: float, chance: np.random.Generator) -> np.ndarray:
    time_s = np.arange(int(0.25 * RATE_HZ)) / RATE_HZ
    falling = 2 * np.pi * frequency_hz * (time_s + 0.02 * (1 - np.exp(-time_s / 0.02)))
    noise = chance.normal(0, 0.5, len(time_s)) * np.exp(-time_s / 0.02)
    body = np.sin(falling) * np.exp(-time_s / chance.uniform(0.03, 0.08))
    return (1 - noisy) * body + noisy * noise


def _save(
    folder: Path, i: int, sound: np.ndarray, chance: np.random.Generator, quietest_db: float
) -> str:
    """At some level, with noise of some colour: 20 dB below the sound at best."""
    spectrum = np.fft.rfft(chance.normal(size=len(sound)))
    colour = np.arange(1, len(spectrum) + 1) ** -chance.uniform(0, 0.6)
    noise = np.fft.irfft(spectrum * colour, len(sound))
    ratio_db = chance.uniform(quietest_db, 20)
    noise *= sound.std() / noise.std() * 10 ** (-ratio_db / 20)
    mixed = sound + noise
    mixed *= 0.9 / np.abs(mixed).max() * 10 ** (-chance.uniform(0, 25) / 20)
    name = f"audio/{i:04d}.wav"
    (folder / "audio").mkdir(exist_ok=True)
    soundfile.write(folder / name, mixed, RATE_HZ, subtype="PCM_16")
    return name

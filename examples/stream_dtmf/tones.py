"""Tones of a telephone's keys (DTMF, ITU-T Q.23), found in audio and made."""

import math
from array import array
from collections.abc import Iterator, Sequence

ROWS = (697, 770, 852, 941)
COLUMNS = (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")

#: Seconds that are looked at at once: long enough to tell the tones apart, and shorter than the shortest key press.
BLOCK = 0.0256

#: Least share of the sound that the two tones of a key make up, and how much louder one may be than the other.
SHARE, TWIST = 0.7, 6.0

#: Least loudness: mean square of the samples.
LEAST = 100.0**2


class KeyDetector:
    """Finds key presses in the audio of one call."""

    def __init__(self, sample_rate: int) -> None:
        self._block = round(BLOCK * sample_rate)
        self._factors = {tone: 2 * math.cos(2 * math.pi * tone / sample_rate) for tone in ROWS + COLUMNS}
        self._samples = array("h")
        self._last: str | None = None
        self._pressed: str | None = None

    def feed(self, pcm: bytes) -> Iterator[str]:
        """The keys that were pressed in this piece of audio, each once, however long it was held."""
        self._samples.frombytes(pcm)
        while len(self._samples) >= self._block:
            block, self._samples = self._samples[: self._block], self._samples[self._block :]
            key = self._key_in(block)
            # Twice the same: one block alone may be a sound in a word.
            if key is not None and key == self._last and key != self._pressed:
                self._pressed = key
                yield key
            elif key is None and self._last is None:
                self._pressed = None
            self._last = key

    def _key_in(self, block: Sequence[int]) -> str | None:
        energy = float(sum(sample * sample for sample in block))
        if energy < LEAST * len(block):
            return None
        rows = [self._power(block, tone) for tone in ROWS]
        columns = [self._power(block, tone) for tone in COLUMNS]
        row, column = max(rows), max(columns)
        is_pure = 2 * (row + column) / (len(block) * energy) >= SHARE
        if not is_pure or not 1 / TWIST <= row / column <= TWIST:
            return None
        return KEYS[rows.index(row)][columns.index(column)]

    def _power(self, block: Sequence[int], tone: int) -> float:
        """How much of a tone there is (Goertzel's algorithm)."""
        factor, before, last = self._factors[tone], 0.0, 0.0
        for sample in block:
            before, last = last, sample + factor * last - before
        return before * before + last * last - factor * before * last


def beep(sample_rate: int, tone: int = 1000, seconds: float = 0.1) -> bytes:
    """A short tone."""
    count = round(seconds * sample_rate)
    return array("h", (round(8000 * math.sin(2 * math.pi * tone * n / sample_rate)) for n in range(count))).tobytes()

"""Notes in what Basic Pitch answers, and how many of them two models have in common.

A note begins at a peak of the onset output of at least 0.5, lasts while the note output is at least 0.3 (gaps of 11
frames are bridged) and is at least 11 frames long: what Basic Pitch's decoder does first, with its default thresholds.
Two notes are the same with equal pitch and onsets within 50 ms.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfpare.ir.types import Array

FRAME_S = 256 / 22_050  # Basic Pitch gives an answer each 256 samples
ONSET, NOTE, FRAMES, NEAR_S = 0.5, 0.3, 11, 0.05

Note = tuple[int, int]
"""Pitch and first frame."""

_expected: list[list[Note]] = []


def f1(before: Mapping[str, Array], after: Mapping[str, Array]) -> float:
    """2·matched / (found by one + found by the other), over all windows; NaN where there is no note at all.

    Args:
        before: `onset` and `note`, both [windows, frames, pitches], as shares.
        after: of the other model.
    """
    pairs = [_matched(a, b) for a, b in zip(found(before), found(after), strict=True)]
    total = sum(p[1] for p in pairs)
    return 2 * sum(p[0] for p in pairs) / total if total else float("nan")


def expect(answers: Mapping[str, Array]) -> None:
    """Makes a model's notes those that `same_notes` looks for."""
    _expected[:] = found(answers)


def same_notes(outputs: Mapping[str, Array], labels: Array) -> Array:
    """F1 of each window against the expected notes of the windows that the labels number, [n]; 1 for silence in both.

    For `tfpare evaluate --metric note_events:same_notes`.
    """
    pairs = [_matched(_expected[int(n)], notes) for n, notes in zip(labels, found(outputs), strict=True)]
    return np.array([2 * matched / total if total else 1.0 for matched, total in pairs])


def found(answers: Mapping[str, Array]) -> list[list[Note]]:
    """The notes of each window."""
    return [_notes(onset, note) for onset, note in zip(answers["onset"], answers["note"], strict=True)]


def _matched(first: list[Note], second: list[Note]) -> tuple[int, int]:
    """How many notes are in both, and how many there are in the one and the other together."""
    left, matched = list(second), 0
    for pitch, onset in first:
        near = [n for n in left if n[0] == pitch and abs(n[1] - onset) * FRAME_S <= NEAR_S]
        if near:
            left.remove(min(near, key=lambda n: abs(n[1] - onset)))
            matched += 1
    return matched, len(first) + len(second)


def _notes(onset: Array, note: Array) -> list[Note]:
    inner = onset[1:-1]
    peaks = np.argwhere((inner >= ONSET) & (inner > onset[:-2]) & (inner > onset[2:]))
    return [(int(p), int(t) + 1) for t, p in peaks if _length(note[t + 1 :, p] >= NOTE) >= FRAMES]


def _length(sounds: Array) -> int:
    """Frames until it is silent for longer than a gap."""
    heard = np.append(np.flatnonzero(sounds), len(sounds) + 2 * FRAMES)
    gaps = np.flatnonzero(np.diff(heard, prepend=-1) > FRAMES)
    return 0 if gaps[0] == 0 else int(heard[gaps[0] - 1]) + 1

"""Noticing that a data set is one picture over and over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from tfpare.ir.types import Array


class Fingerprints:
    """Counts samples, and how many of them are different."""

    def __init__(self) -> None:
        self.samples = 0
        self._seen: set[bytes] = set()

    def add(self, feeds: Mapping[str, Array], constants: Mapping[str, Array], size: int) -> None:
        """Adds the samples of a batch; `constants` are the same for all of them."""
        for k in range(size):
            digest = hashlib.blake2b(digest_size=12)
            for key, array in feeds.items():
                if key not in constants:
                    one = array[k]
                    digest.update(repr(one.tolist()).encode() if one.dtype.kind == "O" else _bytes(one))
            self._seen.add(digest.digest())
            self.samples += 1

    def warning(self) -> str:
        """What is suspicious, or nothing."""
        different = len(self._seen)
        if self.samples > 1 and different == 1:
            return (
                f"All {self.samples} calibration samples are the same: the ranges are those of one sample. Give "
                "samples as different as the model will meet."
            )
        if different < self.samples:
            return f"{self.samples - different} of {self.samples} calibration samples occur more than once."
        return ""


def _bytes(array: Array) -> bytes:
    return np.ascontiguousarray(array).tobytes()

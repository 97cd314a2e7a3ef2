"""How far two models' answers to the same samples are apart, without labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfpare.errors import TfpareError
from tfpare.evaluation.moments import Moments
from tfpare.evaluation.statistics import wilson
from tfpare.evaluation.types import AgreementReport
from tfpare.ir.types import Array

_SUM_OF_SHARES = 1e-3  # class shares that were rounded to bfloat16 or float16 still add up to 1 within this


@dataclass(slots=True)
class Agreement:
    """One output over samples.

    Attributes:
        same: samples with equal values, or with the largest entry at the same place; rows: samples for which that means
            something.
        distances: |a − b| of all finite entries.
        largest, magnitude: of the distances, and of the entries themselves.
        cosines: by sample; lowest: the smallest.
        kl_shares, kl_softmax: divergences of the entries as they are, and of their softmax; most_shares, most_softmax:
            the largest.
        are_shares: so far all rows of both models were distributions.
        special: entries that are NaN or infinite in one answer and not the same in the other.
    """

    samples: int = 0
    same: int = 0
    rows: int = 0
    distances: Moments = field(default_factory=Moments)
    largest: float = 0.0
    magnitude: float = 0.0
    cosines: Moments = field(default_factory=Moments)
    lowest: float = 1.0
    kl_shares: Moments = field(default_factory=Moments)
    kl_softmax: Moments = field(default_factory=Moments)
    most_shares: float = 0.0
    most_softmax: float = 0.0
    are_shares: bool = True
    special: int = 0

    @classmethod
    def of(cls, a: Array, b: Array, output: str) -> Agreement:
        """Of one batch.

        Args:
            a: the first model's answers, first dimension the samples.
            b: the second model's.
            output: its key, for messages.

        Raises:
            TfpareError: they have different shapes or kinds.
        """
        if a.shape != b.shape or (a.dtype.kind == "O") != (b.dtype.kind == "O"):
            one, two = (f"{x.dtype} {list(x.shape)}" for x in (a, b))
            raise TfpareError(f"The output {output!r} is {one} in the first model, {two} in the second one.")
        made = cls(samples=len(a))
        is_number = a.dtype.kind not in "OSUbiu" and b.dtype.kind not in "OSUbiu"
        if not is_number:
            equal = np.reshape(np.equal(a, b), (len(a), -1)).all(axis=1)
            made.rows, made.same = len(a), int(equal.sum())
        if a.dtype.kind not in "OSUb":
            made._measure(_wide(a), _wide(b), is_number and sum(d != 1 for d in a.shape[1:]) == 1)
        return made

    def _measure(self, a: Array, b: Array, are_scores: bool) -> None:
        finite: Array = np.isfinite(a) & np.isfinite(b)
        samples = len(a)
        self.special = int((~finite & ~((a == b) | (np.isnan(a) & np.isnan(b)))).sum())
        apart = np.abs(a[finite] - b[finite])
        self.distances, self.largest = Moments.of(apart), float(apart.max(initial=0.0))
        self.magnitude = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
        rows: Array = np.all(finite, axis=1)
        a, b = a[rows], b[rows]
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        directed = lengths > 0
        cosine = np.clip((a * b).sum(axis=1)[directed] / lengths[directed], -1.0, 1.0)
        self.cosines, self.lowest = Moments.of(cosine), float(cosine.min(initial=1.0))
        if are_scores and samples:
            self._classes(a, b, samples)

    def _classes(self, a: Array, b: Array, samples: int) -> None:
        """Where entries are scores of classes; a row with NaN or infinities agrees with nothing."""
        self.rows, self.same = samples, int((np.argmax(a, axis=1) == np.argmax(b, axis=1)).sum())
        self.are_shares = _are_shares(a) and _are_shares(b)
        if self.are_shares:
            divergence = _kl(_log(a), _log(b))
            self.kl_shares, self.most_shares = Moments.of(divergence), float(divergence.max(initial=0.0))
        divergence = _kl(_log_softmax(a), _log_softmax(b))
        self.kl_softmax, self.most_softmax = Moments.of(divergence), float(divergence.max(initial=0.0))

    def add(self, other: Agreement) -> None:
        """Joins the batch that follows."""
        self.samples += other.samples
        self.same, self.rows = self.same + other.same, self.rows + other.rows
        for mine, theirs in (
            (self.distances, other.distances),
            (self.cosines, other.cosines),
            (self.kl_shares, other.kl_shares),
            (self.kl_softmax, other.kl_softmax),
        ):
            mine.add(theirs)
        self.largest, self.magnitude = max(self.largest, other.largest), max(self.magnitude, other.magnitude)
        self.lowest = min(self.lowest, other.lowest)
        self.most_shares = max(self.most_shares, other.most_shares)
        self.most_softmax = max(self.most_softmax, other.most_softmax)
        self.are_shares = self.are_shares and other.are_shares
        self.special += other.special

    def report(self, output: str) -> AgreementReport:
        """What came out."""
        has_numbers, has_cosines = self.distances.samples > 0, self.cosines.samples > 0
        kl, most = (self.kl_shares, self.most_shares) if self.are_shares else (self.kl_softmax, self.most_softmax)
        has_kl = kl.samples > 0
        return AgreementReport(
            output=output,
            samples=self.samples,
            top1=self.same / self.rows if self.rows else None,
            interval=wilson(self.same, self.rows) if self.rows else None,
            max_abs=self.largest if has_numbers else None,
            mean_abs=self.distances.mean if has_numbers else None,
            max_relative=self.largest / self.magnitude if has_numbers and self.magnitude > 0 else None,
            mean_cosine=self.cosines.mean if has_cosines else None,
            min_cosine=self.lowest if has_cosines else None,
            mean_kl=kl.mean if has_kl else None,
            max_kl=most if has_kl else None,
            kl_of="" if not has_kl else "the outputs" if self.are_shares else "their softmax",
            special_differences=self.special,
        )


def _wide(array: Array) -> Array:
    """[n, entries] float64; complex entries as two."""
    if array.dtype.kind == "c":
        array = np.stack([np.real(array), np.imag(array)], axis=-1)
    return np.reshape(array.astype(np.float64), (len(array), -1))


def _are_shares(rows: Array) -> bool:
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < _SUM_OF_SHARES).all())


def _log(shares: Array) -> Array:
    """Logarithms of distributions; a share of 0 counts as the smallest normal float32, else it would be infinite."""
    tiny = float(np.finfo(np.float32).tiny)
    return np.log(np.maximum(shares, tiny))


def _log_softmax(scores: Array) -> Array:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _kl(log_p: Array, log_q: Array) -> Array:
    """Σ p·(log p − log q) by row; rounding may take it below 0."""
    return np.maximum(0.0, (np.exp(log_p) * (log_p - log_q)).sum(axis=1))

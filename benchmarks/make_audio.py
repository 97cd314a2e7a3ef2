"""Writes two seconds' windows of recordings, to evaluate and compare models that listen (Basic Pitch).

    pip install soundfile
    python benchmarks/make_audio.py OUT_DIR [--windows 40]

The recordings are the music of a game (Debian's `pushover-data`, `apt-get download`) and the two singers that the
source package of Basic Pitch is tested with (`pip download`). OUT_DIR/calibration.npz and OUT_DIR/evaluation.npz hold
`audio`, [windows, 43844, 1] float32 at 22,050 Hz, mono. No recording is in both; of each, up to `--windows` windows are
taken at even distances.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from tfpare.ir.types import Array

DEBIAN, MUSIC = "pushover-data", "usr/share/pushover/themes"
PACKAGE, SINGERS = "basic-pitch", ("vocadito_10.wav", "vocadito_14.wav")
RATE, LENGTH = 22_050, 43_844
TAPS = 63  # of the filter before every second sample is dropped: −60 dB from 12.5 kHz on


def main() -> None:
    """Fetches, cuts and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--windows", type=int, default=40, help="of each recording")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        recordings = [*_music(Path(scratch)), *_singers(Path(scratch))]
        cut = [_windows(_read(path), given.windows) for path in recordings]
    given.out.mkdir(parents=True, exist_ok=True)
    for name, parts in (("evaluation", cut[0::2]), ("calibration", cut[1::2])):
        windows = np.concatenate(parts)
        np.savez_compressed(given.out / f"{name}.npz", audio=windows)
        print(f"{name}: {len(windows)} windows of {len(parts)} recordings")


def _music(into: Path) -> list[Path]:
    subprocess.run(["apt-get", "download", "--quiet=2", DEBIAN], cwd=into, check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["dpkg-deb", "--extract", str(next(into.glob("*.deb"))), str(into)], check=True)
    return sorted((into / MUSIC).glob("*.ogg"))


def _singers(into: Path) -> list[Path]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(into), PACKAGE], check=True)
    with tarfile.open(next(into.glob("basic*.tar.gz"))) as archive:
        for member in archive.getmembers():
            if Path(member.name).name in SINGERS:
                (into / Path(member.name).name).write_bytes(archive.extractfile(member).read())
    return [into / name for name in SINGERS]


def _read(path: Path) -> Array:
    """Mono at 22,050 Hz."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != 2 * RATE:
        raise SystemExit(f"{path.name} has {rate} samples a second; {2 * RATE} are expected.")
    k = np.arange(TAPS) - TAPS // 2
    low_pass = np.sinc(k / 2) / 2 * np.hamming(TAPS)
    return np.convolve(samples.mean(axis=1), low_pass, mode="same")[::2].astype(np.float32)


def _windows(samples: Array, count: int) -> Array:
    whole = samples[: len(samples) // LENGTH * LENGTH].reshape(-1, LENGTH, 1)
    return whole[np.unique(np.linspace(0, len(whole) - 1, count).astype(int))]


if __name__ == "__main__":
    main()

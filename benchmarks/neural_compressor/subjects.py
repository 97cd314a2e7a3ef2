"""The models that are compared: where each comes from, and the samples that it is calibrated and judged with.

A network of `make_keras_models.py` has random values; a file of a trained one is what `--model` names. Samples are
smooth random images or crops of photographs (`make_photos.py`), of the model's size and in its range of values.
"""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
PROGRAMS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROGRAMS))

import make_keras_models  # noqa: E402
import numpy as np  # noqa: E402

SEED = 8  # none of the seeds of the models, so that no image is one that their batch norms have seen


@dataclass(frozen=True)
class Subject:
    """One model.

    Attributes:
        name: for the table.
        saved_model: the original, which answers and is timed.
        keras_file: the same as a Keras file, where there is one.
        keras_name: the key of `make_keras_models.NETWORKS`, empty for a model that was given.
    """

    name: str
    saved_model: Path
    keras_file: Path | None
    keras_name: str = ""


def network(name: str, work: Path, own: Path) -> Subject:
    """A network with random values: the SavedModel of the other benchmarks, and the Keras file from the same seed."""
    folder = work / "keras"
    make = [sys.executable, str(PROGRAMS / "make_keras_models.py"), str(folder), name]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    file = own / f"{name}.keras"
    if not file.is_file():
        make_keras_models.build(make_keras_models.NETWORKS[name])[0].save(file)
    return Subject(name, folder / name, file, name)


def given_model(path: Path, work: Path) -> Subject:
    """A trained model in any form that tfpare reads, as a SavedModel without any rewrite."""
    from tfpare.io import keras_files, start, write
    from tfpare.io.read import read, sniff

    path = path.expanduser().resolve()
    name = f"{path.parent.name}_{path.stem}"
    form, target = sniff(path), work / f"{name}_original"
    if form == "saved_model":
        return Subject(name, path, None)
    if form == "keras":
        if not target.is_dir():
            keras_files.export(path, target)
        return Subject(name, target, path)
    if not target.is_dir():
        start.start_tensorflow()
        with write.staging(target) as place:
            write.publish(write.write_staged(read(path), place, target), target)
    return Subject(name, target, None)


def samples(subject: Subject, size: tuple[int, int], count: int, photos: str | None) -> Any:
    """Images as the model takes them: [count, height, width, 3] float32."""
    rng = np.random.default_rng(SEED)
    images = photographs(photos, size, count) if photos else make_keras_models.smooth_images(rng, count, *size)
    if subject.keras_name:
        return np.asarray(make_keras_models.NETWORKS[subject.keras_name].preprocess(images), np.float32)
    return (images / 127.5 - 1).astype(np.float32)


def photographs(pattern: str, size: tuple[int, int], count: int) -> Any:
    """The first photographs of TFRecords, file by file, in 0..255."""
    from tfpare.io import examples, images, records

    found = (record for path in sorted(glob.glob(pattern)) for record in records.read(Path(path)))
    pictures = (images.decode(examples.parse(r)["image/encoded"][0], 3) for r in islice(found, count))
    resized = [images.resize(picture, size, "bilinear") for picture in pictures]
    if len(resized) < count:
        raise SystemExit(f"{pattern} holds {len(resized)} photographs, not {count}: give --samples and --held-out")
    return np.stack(resized)

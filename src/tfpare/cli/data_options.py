"""Options that say what a data set is and how samples are preprocessed: every command that reads data has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfpare.errors import UsageError

if TYPE_CHECKING:
    from tfpare.data.types import DataOptions
    from tfpare.ir.types import Array

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Samples: .npz; a directory of pictures (class folders); TFRecords (a file, a directory or a pattern); "
        ".csv or .tsv; module:function.",
    ),
]
Resize = Annotated[str | None, typer.Option("--resize", metavar="HxW", help="Size of pictures.")]
ResizeMethod = Annotated[
    str,
    typer.Option(
        "--resize-method", metavar="NAME", help="As in tf.image.resize; bilinear-v1 is TensorFlow 1's (TF-slim)."
    ),
]
CentralCrop = Annotated[
    float | None, typer.Option("--central-crop", metavar="PART", help="Middle part of each side that is kept.")
]
Scale = Annotated[str, typer.Option("--scale", metavar="X", help="Factor of pixels and numbers, such as 1/255.")]
Mean = Annotated[str | None, typer.Option("--mean", metavar="R,G,B", help="Subtracted after --scale; also one number.")]
Std = Annotated[str | None, typer.Option("--std", metavar="R,G,B", help="Divisor after --mean; also one number.")]
ChannelOrder = Annotated[str, typer.Option("--channel-order", metavar="RGB|BGR", help="Order of a picture's channels.")]
Layout = Annotated[
    str | None, typer.Option("--layout", metavar="NHWC|NCHW", help="Of pictures (what the input's shape says).")
]
LabelKey = Annotated[
    str | None, typer.Option("--label-key", metavar="NAME", help="Array, feature, column or item with the label.")
]
LabelOffset = Annotated[
    int, typer.Option("--label-offset", metavar="N", help="Added to labels: 1 where the model has a background class.")
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="FILE|A,B,…",
        help="Class names in the model's order; a file has one a line.",
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--rename", metavar="INPUT=NAME", help="Name in the data of an input. Repeatable."),
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="A,B,…", help="Columns of a text file that has no header.")
]
Records = Annotated[
    str,
    typer.Option(
        "--records", metavar="auto|serialized|parsed", help="TFRecords: fed as they are, or features by input key."
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Use only so many samples.")]
SkipBad = Annotated[
    int, typer.Option("--skip-bad", metavar="N", min=0, help="Leave out up to N samples that cannot be used.")
]
Constants = Annotated[
    str | None,
    typer.Option(
        "--input_exprs",
        metavar="'KEY=[[1.0]];…'",
        help="Inputs as literals; beside --data those that are the same for every batch.",
    ),
]


def data_options(
    resize: Resize = None,
    resize_method: ResizeMethod = "bilinear",
    central_crop: CentralCrop = None,
    scale: Scale = "1",
    mean: Mean = None,
    std: Std = None,
    channel_order: ChannelOrder = "RGB",
    layout: Layout = None,
    label_key: LabelKey = None,
    label_offset: LabelOffset = 0,
    classes: Classes = None,
    rename: Rename = None,
    columns: Columns = None,
    records: Records = "auto",
    limit: Limit = None,
    skip_bad: SkipBad = 0,
    input_exprs: Constants = None,
) -> DataOptions:
    """The options of this page as what `tfpare.data` takes.

    Raises:
        UsageError: one is not of the form that its help says.
    """
    from tfpare.data.types import DataOptions

    return DataOptions(
        resize=_size(resize) if resize else None,
        resize_method=resize_method,
        central_crop=central_crop,
        scale=_number("--scale", scale),
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        channel_order=channel_order.upper(),
        layout=(layout or "").upper(),
        label_key=label_key or "",
        label_offset=label_offset,
        classes=_classes(classes) if classes else (),
        rename=_pairs(rename or []),
        columns=tuple(columns.split(",")) if columns else (),
        records=records,
        limit=limit,
        skip_bad=skip_bad,
        constants=_constants(input_exprs) if input_exprs else {},
    )


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:[x,](\d+))?", text.strip().lower())
    if match is None or not int(match[1]) or not int(match[2] or 1):
        raise UsageError(f"--resize is HEIGHTxWIDTH, such as 224x224, not {text!r}.")
    return int(match[1]), int(match[2] or match[1])


def _number(option: str, text: str) -> float:
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below) if below else float(above)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{option} is a number or a fraction such as 1/255, not {text!r}.") from error


def _numbers(option: str, text: str | None) -> tuple[float, ...]:
    return tuple(_number(option, part) for part in text.split(",")) if text else ()


def _classes(text: str) -> tuple[str, ...]:
    path = Path(text).expanduser()
    if not path.is_file():
        names = [part.strip() for part in text.split(",")]
        if len(names) < 2:
            raise UsageError(f"--classes: there is no file {text}, and it is no list of names.")
    else:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(set(names)) < len(names):
        raise UsageError(f"--classes: a name appears twice in {text}.")
    return tuple(names)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for (key, equals, name), text in zip(pairs, texts, strict=True):
        if not (key and equals and name):
            raise UsageError(f"--rename is INPUT=NAME, not {text!r}.")
    return {key: name for key, _, name in pairs}


def _constants(text: str) -> dict[str, Array]:
    from tfpare.feeds import given

    return given.load(None, "", text, 0)

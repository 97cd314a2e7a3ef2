"""The terminal report of `tfpare demo`."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from tfpare.demo import DATA, DemoReport
from tfpare.report import verdict
from tfpare.tables import facts, in_bytes, in_ms, in_seconds, number, share, spaced, table


def render(report: DemoReport, kept: bool) -> Group:
    """Original and optimized side by side, then how to do the same with another model."""
    done, before, after = report.optimized, report.before, report.after
    sizes = (done.before, done.after)
    rows = [
        ["nodes", number(sizes[0].nodes), number(sizes[1].nodes), share(sizes[0].nodes, sizes[1].nodes)],
        ["files", *(in_bytes(s.file_bytes) for s in sizes), share(sizes[0].file_bytes, sizes[1].file_bytes)],
        [f"accuracy, {number(report.images)} images", f"{before.accuracy:.1%}", f"{after.accuracy:.1%}", ""],
        _time("load", before.load_s, after.load_s),
    ]
    for a, b in zip(before.calls, after.calls, strict=True):
        images = "1 image" if a.batch == 1 else f"{a.batch} images"
        rows.append(_time(f"call, {images}: smallest", a.min_s, b.min_s))
        rows.append(_time(f"call, {images}: median", a.median_s, b.median_s))
    note = f"{report.same_class} images get the same class; {report.calls} calls of each, taking turns"
    outcome = [("model", "TF 1 SavedModel, a ConvNet with batch norm trained on handwritten digits")]
    if done.verification is not None:
        outcome.append(("answers", verdict(done.verification)))
    outcome.append(("time", in_seconds(done.seconds.get("total", 0.0)) + " for tfpare optimize"))
    if kept:
        outcome.append(("written", str(done.output)))
    return Group(
        table("tfpare demo", ["", ">original", ">optimized", ">change"], rows, note),
        spaced(facts(outcome)),
        Text(f"\nThe same step by step:  tfpare optimize {DATA / 'saved_model'} -o OUT", style="dim"),
    )


def _time(what: str, before: float, after: float) -> list[str]:
    return [what, in_ms(before), in_ms(after), f"{before / after:.2f} × as fast"]

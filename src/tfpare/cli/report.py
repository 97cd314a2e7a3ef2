"""`tfpare report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tfpare.cli.common import DebugFlag, JsonFlag, show, working


def report(
    reports: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.json…",
            help="What `optimize`, `compare`, `evaluate` or `benchmark` printed with --json; at most one file of each.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="R.html", help="The page.")],
    benchmark: Annotated[
        Path | None, typer.Option(metavar="B.json", help="What `tfpare benchmark BEFORE AFTER --json` printed.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the page if it exists.")] = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> None:
    """Makes a page of stored reports on two models (evaluate: also on one): one HTML file that opens offline."""
    from rich.text import Text

    with working(debug, start=False) as progress:
        progress("reading")
        from tfpare.html.files import check_page, write_page
        from tfpare.html.page import render_page
        from tfpare.html.run_file import read_benchmark, read_report

        check_page(output, overwrite)
        found = [read_report(file) for file in reports]
        if benchmark is not None:
            found.append(read_benchmark(benchmark))
        progress("writing")
        write_page(render_page(*found), output)
    show({"page": str(output), "bytes": output.stat().st_size}, as_json, Text(f"written {output}"))

"""The `tfpare` command: its sub-commands, and what every one of them does with errors and interrupts."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tfpare import __version__
from tfpare.cli import (
    benchmark,
    compare,
    demo,
    diff,
    evaluate,
    explain,
    inspect,
    new_rewrite,
    optimize,
    passes,
    report,
    transform,
    verify,
    view,
)
from tfpare.errors import TfpareError

_INTERRUPTED = 130
_TERMINATED = 143
_BUG = 3


class Commands(TyperGroup):
    """Turns exceptions into one message on stderr (with --json also an object on stdout) and the right exit code."""

    arguments: Sequence[str] = ()

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Remembers the arguments: an error has to know --debug and --json before they are parsed."""
        self.arguments = list(sys.argv[1:] if args is None else args)
        return super().main(args, *rest, **options)

    def invoke(self, ctx: Any) -> Any:
        """Runs the sub-command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            self._fail("Interrupted. Nothing was written.", _INTERRUPTED)
        except TfpareError as error:
            if "--debug" in self.arguments:
                raise
            self._fail(str(error), error.exit_code, getattr(error, "report", None))
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except Exception as error:
            if "--debug" in self.arguments or hasattr(error, "format_message"):
                raise
            what = f"{type(error).__name__}: {error}".strip()
            self._fail(
                f"{what}\nThis is a bug in tfpare. Run again with --debug for the traceback and report it.", _BUG
            )

    def _fail(self, message: str, code: int, report: object = None) -> None:
        print(f"tfpare: {message}", file=sys.stderr)
        if "--json" in self.arguments:
            from tfpare.cli.common import show

            details = {} if report is None else {"report": report}
            show({"error": message, "exit_code": code, **details}, True)
        raise typer.Exit(code)


def _kebab(name: str) -> str:
    """`--tag_set` and `--tag-set` are one option."""
    return name.replace("_", "-")


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": _kebab,
        "max_content_width": 100,
    },
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tfpare {__version__}")
        raise typer.Exit


@app.callback()
def tfpare(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's log.")] = False,
) -> None:
    """Makes trained TensorFlow models small and fast, and proves that they still answer the same."""
    del version, debug
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in models may hold anything, terminals may not


def _terminate(number: int, frame: FrameType | None) -> None:
    """Unwinds, so that what was half done is cleaned up."""
    del number, frame
    sys.exit(_TERMINATED)


app.command("inspect")(inspect.inspect)
app.command("optimize")(optimize.optimize)
app.command("report")(report.report)
app.command("view")(view.view)
app.command("verify")(verify.verify)
app.command("diff")(diff.diff)
app.command("benchmark")(benchmark.benchmark)
app.command("compare")(compare.compare)
app.command("evaluate")(evaluate.evaluate)
app.command("transform")(transform.transform)
app.command("passes")(passes.passes)
app.command("explain")(explain.explain)
app.command("demo")(demo.demo)
app.command("new-rewrite")(new_rewrite.new_rewrite)

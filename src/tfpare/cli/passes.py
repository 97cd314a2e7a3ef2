"""`tfpare passes`."""

from __future__ import annotations

from tfpare.cli.common import DebugFlag, JsonFlag, show


def passes(as_json: JsonFlag = False, debug: DebugFlag = False) -> None:
    """Lists every pass and rule: what it does, and whether answers stay equal bit for bit."""
    del debug
    from tfpare.catalogue import entries
    from tfpare.report_catalogue import render_list

    known = entries()
    show(known, as_json, render_list(known))

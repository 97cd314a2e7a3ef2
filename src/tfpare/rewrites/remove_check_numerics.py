"""Checks for NaN and infinity → gone."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Value, any_, op, rewrite


@rewrite(op("CheckNumerics | CheckNumericsV2", any_("x")), effect=Effect.EXACT)
def remove_check_numerics(new: Builder, x: Value) -> Value:
    """CheckNumerics(x) = x, without the error.

    Every answer stays bit for bit the same. Where the check would have stopped the call with InvalidArgument, the call
    now answers with the NaN or infinity; `--disable remove_check_numerics` keeps the checks.

    Before:
        x = input(float32[?,4])
        c = CheckNumerics(x, message="NaN in x")
        y = Relu(c)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: never by itself.
    Source: the Graph Transform Tool's remove_nodes(op=CheckNumerics), optimize_for_inference.
    """
    return x

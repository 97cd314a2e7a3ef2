"""Nodes that pass their input on → gone."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, any_, op, require, rewrite


@rewrite(
    op("Identity | StopGradient | PreventGradient | Snapshot", any_("x"), bind="identity"),
    effect=Effect.EXACT,
)
def remove_identity(new: Builder, identity: Node, x: Value) -> Value:
    """Identity(x) = x, likewise StopGradient, PreventGradient and Snapshot.

    Before:
        x = input(float32[?,4])
        i = Identity(x)
        y = Relu(i)
        return y

    After:
        x = input(float32[?,4])
        y = Relu(x)
        return y

    Declines when: it copies a variable that may still change; it marks the branch of a Switch for control edges; its
    control inputs would move to a Merge.
    Source: Grappler's dependency optimizer (Identity bypass), the Graph Transform Tool's remove_nodes.
    """
    require(not x.dtype.is_ref and x.node.op != "ReadVariableOp", "it copies a variable", at=identity)
    waited_for = any(identity in r.controls for r in identity.readers)
    require(not (waited_for and x.node.op in ("Switch", "RefSwitch")), "it marks a branch of a Switch", at=identity)
    to_merge = any(r.op in ("Merge", "NextIteration") for r in identity.readers)
    require(not (identity.controls and to_merge), "its control inputs would move to a Merge", at=identity)
    return x

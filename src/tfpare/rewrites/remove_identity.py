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

    Declines when: it copies a variable that may still change. (The engine declines where it marks the branch of a
    Switch for control edges, or where its own control inputs have no place to go.)
    Source: Grappler's dependency optimizer (Identity bypass), the Graph Transform Tool's remove_nodes.
    """
    require(not x.dtype.is_ref and x.node.op != "ReadVariableOp", "it copies a variable", at=identity)
    return x


@rewrite(op("IdentityN", bind="identity"), effect=Effect.EXACT)
def remove_identity_n(new: Builder, identity: Node) -> Value:
    """IdentityN(x, …):0 = x, where nobody reads the other outputs (what a custom gradient leaves in an export).

    Before:
        x = input(float32[?,4])
        s = Sigmoid(x)
        p = Mul(x, s)
        i = IdentityN(p, x)
        y = Relu(i)
        return y

    After:
        x = input(float32[?,4])
        s = Sigmoid(x)
        p = Mul(x, s)
        y = Relu(p)
        return y

    Declines when: another output is read; it waits for a control input and feeds a Merge.
    Source: Grappler's model pruner (IdentityN split).
    """
    to_merge = any(r.op in ("Merge", "NextIteration") for r in identity.readers)
    require(not (identity.controls and to_merge), "its control inputs would move to a Merge", at=identity)
    return identity.inputs[0]

"""The call paths of a loaded model, in the child: from arrays to arrays, or with the feeding left out."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import functools
from typing import Any, Protocol

from tfpare._worker import FunctionModel, SessionModel
from tfpare.ir.types import Array
from tfpare.measure.load import Call

Feeds = dict[str, Array]


class CallPath(Protocol):
    """A loaded model with one signature chosen."""

    def with_feeding(self, feeds: Feeds) -> Call:
        """A call from NumPy arrays to NumPy arrays, as a caller sees it."""
        ...

    def without_feeding(self, feeds: Feeds) -> Call:
        """A call whose inputs are TensorFlow's already, and whose outputs stay there."""
        ...


class SignatureCalls:
    """`tf.saved_model.load(path).signatures[name](**inputs)`."""

    def __init__(self, spec: dict[str, Any], signature: str) -> None:
        self._model = FunctionModel(spec)  # kept: a signature does not keep its variables alive
        self._function = self._model.loaded.signatures[signature]
        self._dtypes = {k: s.dtype for k, s in self._function.structured_input_signature[1].items()}

    def _tensors(self, feeds: Feeds) -> dict[str, Any]:
        import tensorflow as tf

        return {k: tf.constant(a, dtype=self._dtypes.get(k)) for k, a in feeds.items()}

    def with_feeding(self, feeds: Feeds) -> Call:
        """See `CallPath`."""
        return lambda: _to_arrays(self._function(**self._tensors(feeds)))

    def without_feeding(self, feeds: Feeds) -> Call:
        """See `CallPath`."""
        tensors = self._tensors(feeds)
        return lambda: self._function(**tensors)


class SessionCalls:
    """`session.run(outputs, {input: array})`."""

    def __init__(self, spec: dict[str, Any], signature: str) -> None:
        form = spec["form"]
        self.model = SessionModel({**spec, "form": "saved_model_v1"} if form == "saved_model_v2" else spec)
        self._signature = signature
        self.fetches = self.model.tensors(signature, "outputs")

    @property
    def graph(self) -> Any:
        """The graph as loaded."""
        return self.model.session.graph

    def feed_dict(self, feeds: Feeds) -> dict[str, Any]:
        """By tensor name."""
        return self.model.feed_dict(self._signature, feeds)

    def with_feeding(self, feeds: Feeds) -> Call:
        """See `CallPath`."""
        feed_dict, run = self.feed_dict(feeds), self.model.session.run
        return lambda: run(self.fetches, feed_dict)

    def without_feeding(self, feeds: Feeds) -> Call:
        """Inputs are kept in the session, and what computes the outputs is run, not fetched."""
        handles = {k: self._handle(k, a) for k, a in self.feed_dict(feeds).items()}
        ops = list({self.graph.get_tensor_by_name(t).op for t in self.fetches.values()})
        run = self.model.session.run
        return lambda: run(ops, handles)

    def _handle(self, tensor: str, array: Array) -> Any:
        import tensorflow as tf

        with self.graph.as_default():
            kept = tf.constant(array, self.graph.get_tensor_by_name(tensor).dtype.base_dtype)
            return self.model.session.run(tf.compat.v1.get_session_handle(kept))


class LayerCalls:
    """`keras.layers.TFSMLayer(path, call_endpoint=name)(inputs)`."""

    def __init__(self, spec: dict[str, Any], signature: str) -> None:
        import keras

        self._layer = keras.layers.TFSMLayer(spec["path"], call_endpoint=signature)

    def _tensors(self, feeds: Feeds) -> Any:
        import tensorflow as tf

        tensors = {k: tf.constant(a) for k, a in feeds.items()}
        return next(iter(tensors.values())) if len(tensors) == 1 else tensors

    def with_feeding(self, feeds: Feeds) -> Call:
        """See `CallPath`."""
        return lambda: _to_arrays(self._layer(self._tensors(feeds)))

    def without_feeding(self, feeds: Feeds) -> Call:
        """See `CallPath`."""
        tensors = self._tensors(feeds)
        layer: Call = self._layer
        return functools.partial(layer, tensors)


def _to_arrays(outputs: Any) -> list[Array]:
    import tensorflow as tf

    return [part.numpy() for part in tf.nest.flatten(outputs, expand_composites=True)]


PATHS: dict[str, type[SignatureCalls] | type[SessionCalls] | type[LayerCalls]] = {
    "signature": SignatureCalls,
    "session": SessionCalls,
    "tfsm": LayerCalls,
}

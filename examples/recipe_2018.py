"""The recipe of 2018 for serving a model: freeze, eight transforms, a SavedModel again. One import line is new.

    python examples/recipe_2018.py SAVED_MODEL OUT [--signature serving_default] [--shape 1,299,299,3]

It runs on TensorFlow 1.15 with the old import, and on today's TensorFlow with the new one.
"""

import argparse
import os

import tensorflow.compat.v1 as tf

# was: from tensorflow.tools.graph_transforms import TransformGraph
from tfpare.compat import TransformGraph


def transforms_of(shape):
    """The list of transforms; a shape says how large the images are."""
    strip = f'strip_unused_nodes(type=float, shape="{shape}")' if shape else "strip_unused_nodes"
    return [
        strip,
        "remove_nodes(op=Identity, op=CheckNumerics)",
        "fold_constants(ignore_errors=true)",
        "fold_batch_norms",
        "fold_old_batch_norms",
        "quantize_weights",
        "quantize_nodes",
        "strip_unused_nodes",
    ]


def freeze(export_dir, signature_name):
    """The graph with constants for variables, the signature, the op that fills tables, and its asset files."""
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        meta_graph = tf.saved_model.loader.load(session, ["serve"], export_dir)
        signature = meta_graph.signature_def[signature_name]
        outputs = [info.name.split(":")[0] for info in signature.outputs.values()]
        collections = meta_graph.collection_def
        init = [name for key in ("saved_model_main_op", "legacy_init_op") for name in collections[key].node_list.value]
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), outputs + init)
        assets = {}
        for tensor in tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS):
            name = os.path.basename(tf.get_static_value(tensor).item().decode())
            assets[tensor.op.name] = os.path.join(export_dir, "assets", name)
    return frozen, signature, init, assets


def save(graph_def, signature, init, assets, out_dir):
    """Writes the graph as a SavedModel with the old signature."""
    for node in graph_def.node:
        if node.name in assets:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(assets[node.name]))
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        for name in assets:
            tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, graph.get_tensor_by_name(name + ":0"))
        builder = tf.saved_model.builder.SavedModelBuilder(out_dir)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature},
            assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
            main_op=graph.get_operation_by_name(init[0]) if init else None,
        )
        builder.save()


def main():
    """Freezes, transforms, saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("saved_model")
    parser.add_argument("out")
    parser.add_argument("--signature", default="serving_default")
    parser.add_argument("--shape", default="")
    given = parser.parse_args()
    frozen, signature, init, assets = freeze(given.saved_model, given.signature)
    inputs = [info.name.split(":")[0] for info in signature.inputs.values()]
    outputs = [info.name.split(":")[0] for info in signature.outputs.values()]
    transformed = TransformGraph(frozen, inputs, outputs + init + sorted(assets), transforms_of(given.shape))
    save(transformed, signature, init, assets, given.out)
    print(f"{len(frozen.node)} nodes became {len(transformed.node)}: {given.out}")


if __name__ == "__main__":
    main()

"""Rules of `optimize` that several transforms run."""

from __future__ import annotations

AFFINE = (
    "fold_mul_into_linear",
    "fold_div_into_linear",
    "fold_mul_into_biased_linear",
    "replace_add_by_bias_add",
    "merge_bias_adds",
    "merge_affine_chain",
    "merge_constant_muls",
    "merge_constant_adds",
    "move_affine_before_batch_to_space",
    "move_affine_before_squeeze",
    "move_affine_before_reshape",
    "move_mul_before_pad",
    "fold_mul_into_next_linear",
    "fold_add_into_next_linear",
)
"""Scales and shifts by constants → the kernel and the bias of a linear op."""

FUSED_BATCH_NORM = (
    "fold_batch_norm_into_linear",
    "fold_batch_norm_into_biased_linear",
    "fold_global_batch_norm_into_linear",
    "fold_batch_norm_into_concatenated_linear",
    "fold_batch_norm_into_next_linear",
    "move_batch_norm_before_batch_to_space",
    "replace_add_by_bias_add",
    "merge_bias_adds",
)
"""Batch norm with stored statistics, as one op → the kernel and the bias of a linear op."""

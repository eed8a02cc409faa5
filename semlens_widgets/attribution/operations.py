"""One table of operations: what each does to channels, and its rule in CRP and in AttnLRP.

A function is looked up by its name in torch, the same for ``x.add(y)``, ``x + y``, ``x += y`` and
``torch.add(x, y)``. What is in no row is followed by its plain gradient, and the method of a
heatmap names it. To support a model family, add a row.

Channels (`semlens_widgets.inputs.channels`): on axis ``"second"`` or ``"last"`` of the output;
``"moved"`` with the axes, ``"regrouped"`` by a new shape, ``"joined"``, ``"cut"``, ``"unknown"``
behind it; else ``"kept"``, if the shapes allow it.

CRP (`semlens_widgets.attribution.rules`), where gradients are replaced by relevance:

- ``"linear"``: flat at the first layer, z⁺ at convolutions, ε at dense layers;
- ``"matrix"``: ε, and in even parts to several factors that depend on the image;
- ``"addition"``, ``"sum"``: in proportion to the summands; constants take nothing from
  ``"addition"``;
- ``"pass"``: handed on unchanged; ``"curve"``: the same, and named, because no paper has a rule;
- ``"degree one"``: in proportion, as Euler's theorem has it for such functions, and named;
- ``"product"``, ``"quotient"``: see `semlens_widgets.attribution.rules.FunctionRules`;
- ``"norm"``, ``"batch norm"``: merged where that is possible, else handed on unchanged;
- ``"gradient"``: positions move, or the largest is chosen, which the gradient does by itself;
- ``"attention"``: these rules do not hold behind it;
- ``"rewritten"``: as the simpler functions that it is made of.

AttnLRP (`semlens_widgets.attribution.attnlrp`), where relevance is gradient times input, so that
sums, averages and constant factors are right by their gradient: ``"gamma"``, ``"identity"`` for
activations, ``"curve"``, ``"norm"``, ``"batch norm"``, ``"matrix"``, ``"product"``, ``"quotient"``,
``"shared"`` and ``"values"`` for attention, ``"rewritten"``.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Operation(NamedTuple):
    """One row of the table."""

    channels: str
    crp: str
    attnlrp: str


def _rows(names: str, channels: str, crp: str, attnlrp: str) -> dict[str, Operation]:
    return dict.fromkeys(names.split(), Operation(channels, crp, attnlrp))


OPERATIONS: dict[str, Operation] = {
    # layers
    **_rows("conv2d", "second", "linear", "gamma"),
    **_rows("conv1d conv3d", "second", "linear", "gradient"),
    **_rows("conv_transpose1d conv_transpose2d conv_transpose3d", "second", "linear", "gradient"),
    **_rows("linear", "last", "linear", "gamma"),
    **_rows("matmul bmm mm mv einsum tensordot inner bilinear", "unknown", "matrix", "matrix"),
    **_rows("addmm baddbmm", "unknown", "rewritten", "rewritten"),
    # norms
    **_rows("batch_norm", "second", "batch norm", "batch norm"),
    **_rows("group_norm instance_norm", "second", "norm", "norm"),
    **_rows("layer_norm rms_norm", "last", "norm", "norm"),
    **_rows("normalize", "kept", "norm", "norm"),
    # sums
    **_rows("add sub subtract rsub", "kept", "addition", "gradient"),
    **_rows("sum mean nansum nanmean cumsum", "kept", "sum", "gradient"),
    **_rows("avg_pool1d avg_pool2d avg_pool3d", "second", "sum", "gradient"),
    **_rows(
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d", "second", "sum", "gradient"
    ),
    **_rows("fold scatter_add index_add", "kept", "sum", "gradient"),
    **_rows("addcmul addcdiv lerp", "kept", "rewritten", "rewritten"),
    # products
    **_rows("mul multiply", "kept", "product", "product"),
    **_rows("div divide true_divide", "kept", "quotient", "quotient"),
    **_rows("neg negative", "kept", "pass", "gradient"),
    **_rows("glu", "kept", "rewritten", "rewritten"),
    # activations
    **_rows("relu", "kept", "gradient", "identity"),
    **_rows(
        "celu clamp clamp_max clamp_min clip elu gelu hardsigmoid hardswish hardtanh leaky_relu "
        "logsigmoid log_sigmoid mish prelu relu6 rrelu selu sigmoid silu softplus softsign tanh",
        "kept",
        "pass",
        "identity",
    ),
    **_rows(
        "abs absolute acos asin asinh atan atanh ceil cos cosh erf erfc exp exp2 expm1 float_power "
        "floor frac hardshrink log log10 log1p log2 logit pow rdiv reciprocal round rpow rsqrt "
        "sgn sign sin sinc sinh softshrink sqrt square tan tanhshrink threshold trunc",
        "kept",
        "curve",
        "curve",
    ),
    **_rows("lp_pool1d lp_pool2d lp_pool3d", "second", "degree one", "gradient"),
    **_rows("norm linalg_norm linalg_vector_norm", "kept", "degree one", "gradient"),
    # attention
    **_rows("softmax", "kept", "attention", "gradient"),
    **_rows("scaled_dot_product_attention", "unknown", "attention", "shared"),
    **_rows("multi_head_attention_forward", "last", "attention", "values"),
    **_rows(
        "_native_multi_head_attention _transformer_encoder_layer_fwd",
        "last",
        "attention",
        "by gradient",
    ),
    # the largest or one of many
    **_rows("max_pool1d max_pool2d max_pool3d boolean_dispatch", "second", "gradient", "gradient"),
    **_rows("max_pool1d_with_indices max_pool2d_with_indices", "second", "gradient", "gradient"),
    **_rows(
        "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d "
        "max_unpool2d",
        "second",
        "gradient",
        "gradient",
    ),
    **_rows(
        "amax amin aminmax fmax fmin kthvalue max maximum median min minimum mode msort sort topk "
        "where",
        "kept",
        "gradient",
        "gradient",
    ),
    # the same values elsewhere
    **_rows("reshape view view_as reshape_as unflatten flatten", "regrouped", *["gradient"] * 2),
    **_rows("permute transpose swapaxes swapdims movedim moveaxis mT", "moved", *["gradient"] * 2),
    **_rows("cat concat concatenate", "joined", *["gradient"] * 2),
    **_rows("getitem chunk split narrow tensor_split", "cut", *["gradient"] * 2),
    **_rows("interpolate upsample pixel_shuffle channel_shuffle", "second", *["gradient"] * 2),
    **_rows(
        "H T adjoint alias alpha_dropout block_diag bfloat16 broadcast_tensors broadcast_to clone "
        "column_stack constant_pad_nd contiguous copy cpu cuda diagonal double dropout dropout1d "
        "dropout2d dropout3d dsplit dstack expand expand_as feature_alpha_dropout fill flip fliplr "
        "flipud float gather half hsplit hstack index index_copy index_fill index_put index_select "
        "mH masked_fill masked_scatter masked_select nan_to_num native_dropout pad pixel_unshuffle "
        "positive ravel repeat repeat_interleave requires_grad roll rot90 scatter select setitem "
        "slice_scatter squeeze stack t take take_along_dim tile to tril triu type type_as unbind "
        "unfold unsafe_chunk unsafe_split unsqueeze vsplit vstack zero",
        "kept",
        "gradient",
        "gradient",
    ),
    # known to the channels only
    **_rows("lstm gru rnn_tanh rnn_relu", "last", "by gradient", "by gradient"),
}

_REVERSED = {"rsub", "rdiv", "rpow"}
_OPERATORS = {"truediv": "div", "rtruediv": "rdiv"}


def called(function: Any) -> tuple[str, bool]:
    """Return the name of a function in the table, and whether it works in place."""
    name: str = getattr(function, "__name__", "")
    if name == "__get__":  # attributes such as ``x.mT``
        return getattr(getattr(function, "__self__", None), "__name__", ""), False
    special = re.fullmatch(r"__(\w+)__", name)
    if special is None:
        in_place = name.endswith("_") and not name.endswith("__")
        return name.removesuffix("_") if in_place else name, in_place
    name = _OPERATORS.get(special[1], special[1])
    if name in OPERATIONS or name in _REVERSED:
        return name, name == "setitem"
    for mark in "ir":  # __iadd__, __radd__
        plain = _OPERATORS.get(name[1:], name[1:])
        if name.startswith(mark) and plain in OPERATIONS:
            return plain, mark == "i"
    return name, False

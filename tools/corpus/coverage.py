"""Which operators and attributes the corpus must use: read from onnx's own schemas, exceptions named here."""

import onnx

# Every operator that the engine promises (its documentation's list).
PROMISED = """
Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization
Relu Clip LeakyRelu PRelu Sigmoid HardSigmoid HardSwish Gelu Erf Tanh Elu Selu Softplus Mish Softmax LogSoftmax
Add Sub Mul Div Pow Sqrt Exp Log Abs Neg Min Max Sum Mean
Concat Split Slice Pad Resize Upsample Flatten Reshape Transpose Squeeze Unsqueeze Gather Expand Where
Shape ConstantOfShape Range Constant Cast Identity Dropout MatMul Gemm
ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL2
LayerNormalization InstanceNormalization GroupNormalization LRN DepthToSpace SpaceToDepth
""".split()

# Attributes that no classifier's file uses, with the reason.
EXEMPT = {
    ("BatchNormalization", "spatial"): "removed in opset 9",
    ("BatchNormalization", "is_test"): "removed in opset 7",
    ("Cast", "saturate"): "float8 only",
    ("Cast", "round_mode"): "float8 only",
    ("Constant", "sparse_value"): "sparse weights are refused by ONNX Runtime's own tools as well",
    ("Constant", "value_string"): "text",
    ("Constant", "value_strings"): "text",
    ("Dropout", "is_test"): "removed in opset 7",
    ("Resize", "extrapolation_value"): "only with tf_crop_and_resize",
    ("Reshape", "shape"): "removed in opset 5",
    ("Upsample", "scales"): "removed in opset 9",
    ("Upsample", "width_scale"): "removed in opset 7",
    ("Upsample", "height_scale"): "removed in opset 7",
    ("Pad", "paddings"): "removed in opset 2",
}
NEWEST_OPSET = 22

# Cases that onnx's checker refuses though ONNX Runtime and exporters accept them.
CHECKER_REFUSES = {"groupnorm_op_opset18"}


def attributes_of(operator):
    """All attributes that any version of the operator up to NEWEST_OPSET has."""
    found = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name == operator and schema.since_version <= NEWEST_OPSET:
            found.update(schema.attributes)
    if operator in ("Add", "Sub", "Mul", "Div", "Pow"):
        found -= {"axis", "broadcast"}  # removed in opset 7
    if operator == "Gemm":
        found -= {"broadcast"}  # removed in opset 7
    return found - {"consumed_inputs"}  # removed in opset 6


def missing(models):
    """Lines that name each promised operator or attribute which no case uses."""
    used = {}
    for model in models:
        for node in model.graph.node:
            used.setdefault(node.op_type, set()).update(attribute.name for attribute in node.attribute)
    lines = []
    for operator in PROMISED:
        if operator not in used:
            lines.append(f"no case uses {operator}")
            continue
        for attribute in sorted(attributes_of(operator) - used[operator]):
            if (operator, attribute) not in EXEMPT:
                lines.append(f"no case uses {operator}.{attribute}")
    return lines

"""Builder for small ONNX graphs, and the registry of cases.

A case is a function that gets a `Graph`, adds nodes to it and returns the name (or names) of its outputs:

    @case(x=(1, 5, 9, 7), opset=13)
    def softmax_channels(g):
        return g.op("Softmax", g.x, axis=1)

Arrays given as inputs become initializers, None an absent optional input. Weights come from a generator
seeded with the case's name. Not here: running the graphs (run.py) and the cases themselves.
"""

import zlib
from dataclasses import dataclass, field
from typing import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REGISTRY = []


@dataclass
class Case:
    """How one case is built, and what its input looks like."""

    name: str
    build: Callable
    x: tuple
    opset: int = 17
    batch: object = None  # 1, "N", or None: either, by name, so that both kinds occur all over the corpus
    nhwc: bool = False
    declared: tuple = None  # the declared shape, where it is not x's with the batch axis replaced
    dtype: str = "float32"
    ir_version: int = None
    # Changes the finished ModelProto in place, for what helper functions can't say (functions, names, ...).
    finish: Callable = None
    # Writes weights beside the model: the side file's path relative to the corpus folder.
    side_file: str = None
    spread: float = 1.0  # standard deviation of x
    fill: float = 0.5  # what the window is filled with in the second run
    corner: int = None  # the window's start on every hidden axis, where a quarter of the axis would not do
    notes: str = ""

    @property
    def dynamic_batch(self):
        batch = self.batch
        if batch is None:
            batch = "N" if zlib.crc32(self.name.encode()) % 3 else 1
        return batch != 1


def case(x, **options):
    """Decorator: registers the function under its own name."""

    def register(function):
        add(function.__name__, function, x, **options)
        return function

    return register


def add(name, function, x, **options):
    """Registers a case under a given name (for families made in a loop)."""
    if any(known.name == name for known in REGISTRY):
        raise ValueError(f"two cases are called {name}")
    REGISTRY.append(Case(name, function, tuple(x), **options))


@dataclass
class Graph:
    """Collects nodes and initializers; every method returns the names of what it made."""

    case: Case
    nodes: list = field(default_factory=list)
    initializers: list = field(default_factory=list)
    value_infos: list = field(default_factory=list)
    x: str = "x"

    def __post_init__(self):
        self.rng = np.random.default_rng(zlib.crc32(self.case.name.encode()))
        self.count = 0

    def fresh(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def init(self, array, name=None):
        """An initializer. Python floats become f32, ints and lists of ints int64."""
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = name or self.fresh("c")
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def constant(self, array=None, **attributes):
        """The same as a Constant node (`value=` a tensor, or value_float, value_ints, ...)."""
        if array is not None:
            array = np.asarray(array)
            array = array.astype(np.float32) if array.dtype == np.float64 else array
            attributes = {"value": numpy_helper.from_array(array)}
        return self.op("Constant", **attributes)

    def op(self, op_type, *inputs, outputs=1, domain="", name=None, **attributes):
        """One node; returns its output's name, or a list of names for several outputs."""
        names = ["" if i is None else i if isinstance(i, str) else self.init(i) for i in inputs]
        made = [self.fresh(op_type.lower()) for _ in range(outputs)]
        label = self.fresh("node_" + op_type) if name is None else name
        self.nodes.append(helper.make_node(op_type, names, made, name=label, domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def normal(self, *shape, scale=1.0, mean=0.0):
        return (self.rng.standard_normal(shape) * scale + mean).astype(np.float32)

    def weights(self, *shape):
        """Normal, scaled by the fan-in, so that values stay near 1 through many layers."""
        return self.normal(*shape, scale=1.0 / np.sqrt(max(1, np.prod(shape[1:]))))

    def conv(self, x, channels_in, channels_out, kernel, bias=True, group=1, **attributes):
        """Conv with random weights; `kernel` is a tuple, one size per spatial axis."""
        w = self.init(self.weights(channels_out, channels_in // group, *kernel))
        b = [self.init(self.normal(channels_out, scale=0.3))] if bias else []
        if group != 1:
            attributes["group"] = group
        return self.op("Conv", x, w, *b, **attributes)

    def batchnorm(self, x, channels, **attributes):
        return self.op(
            "BatchNormalization", x,
            self.normal(channels, scale=0.2, mean=1), self.normal(channels, scale=0.3),
            self.normal(channels, scale=0.3), self.rng.uniform(0.5, 2, channels).astype(np.float32), **attributes)

    def gemm(self, x, features_in, features_out):
        return self.op("Gemm", x, self.weights(features_out, features_in), self.normal(features_out, scale=0.3), transB=1)

    def head(self, x, channels, classes=7):
        """GlobalAveragePool, Flatten, Gemm: a classifier's end."""
        return self.gemm(self.op("Flatten", self.op("GlobalAveragePool", x)), channels, classes)


def model_of(case):
    """Builds the case's ModelProto, its outputs' shapes inferred by onnx where it can."""
    graph = Graph(case)
    made = case.build(graph)
    made = [made] if isinstance(made, str) else list(made)
    for index, name in enumerate(made):
        for node in graph.nodes:
            for field_ in (node.input, node.output):
                for place, value in enumerate(field_):
                    if value == name:
                        field_[place] = f"y{index}"
    names = [f"y{index}" for index in range(len(made))]
    elem = TensorProto.FLOAT16 if case.dtype == "float16" else TensorProto.FLOAT
    declared = case.declared or (("N" if case.dynamic_batch else 1), *case.x[1:])
    proto = helper.make_graph(
        graph.nodes, case.name,
        [helper.make_tensor_value_info("x", elem, declared)],
        [helper.make_tensor_value_info(name, output_type(graph, name, elem), None) for name in names],
        graph.initializers, value_info=graph.value_infos)
    opsets = [helper.make_opsetid("", case.opset)]
    model = helper.make_model(proto, opset_imports=opsets, producer_name="occlude corpus")
    # The IR version that exporters of that time wrote: old opsets come in old files.
    model.ir_version = case.ir_version or {9: 4, 10: 5, 11: 6, 12: 7, 13: 7}.get(case.opset, 8 if case.opset < 19 else 10)
    if case.finish:
        case.finish(model)
    inferred = onnx.shape_inference.infer_shapes(model)
    for ours, theirs in zip(model.graph.output, inferred.graph.output):
        ours.CopyFrom(theirs)
        if not ours.type.tensor_type.HasField("shape"):
            # An operator whose shape onnx can't infer. Here they all keep x's.
            ours.type.tensor_type.shape.CopyFrom(model.graph.input[0].type.tensor_type.shape)
    return model


def output_type(graph, name, elem):
    """Outputs are of the input's type, except behind a Cast."""
    for node in graph.nodes:
        if name in node.output and node.op_type == "Cast":
            return next(a.i for a in node.attribute if a.name == "to")
    return elem

"""Occlusion sensitivity: hide a part of the input, ask the model again, see how the answer changes.

>>> import occlude
>>> model = occlude.Model("examples/efficientnet-lite0")
>>> map = model.occlusion("examples/images/coffee.jpg", window=64, stride=32)
>>> map.values.shape, map.unit
((6, 6), 'probability')

`Model` opens an ONNX file and computes again only what a window can reach; `occlusion` takes any function from a batch to outputs;
`compare` tells how alike two maps are, `Model.evaluate` whether the model follows a map;
`from_torch`, `from_keras` and `from_mindspore` export a model and check the export against it. `occlude.mindspore`,
`occlude.captum` and `occlude.monai` are those libraries' interfaces, `occlude.ray` maps over a data set on many machines.
"""

from occlude._audit import Audit, summarize_audit
from occlude._compare import Comparison, Correlation, Overlap, Side, Similarity, compare
from occlude._core import __version__
from occlude._evaluation import AtSize, Chance, Curve, EvaluatedMap, Evaluation, Measure
from occlude._export import Exported
from occlude._frameworks import from_keras, from_mindspore, from_torch
from occlude._function import Function, occlusion
from occlude._judgement import Finding, Judgement, Shares
from occlude._map import Geometry, Map, SignShares, Stability, Target, Window
from occlude._model import Model
from occlude._settings import OcclusionSettings
from occlude.exceptions import (
    ArgumentError,
    ExportWarning,
    FileError,
    FileMissingError,
    LimitError,
    ModelError,
    NumberError,
    OccludeError,
    UnsupportedError,
)

__all__ = [
    "ArgumentError",
    "AtSize",
    "Audit",
    "Chance",
    "Comparison",
    "Correlation",
    "Curve",
    "EvaluatedMap",
    "Evaluation",
    "ExportWarning",
    "Exported",
    "FileError",
    "FileMissingError",
    "Finding",
    "Function",
    "Geometry",
    "Judgement",
    "LimitError",
    "Map",
    "Measure",
    "Model",
    "ModelError",
    "NumberError",
    "OccludeError",
    "OcclusionSettings",
    "Overlap",
    "Shares",
    "Side",
    "SignShares",
    "Similarity",
    "Stability",
    "Target",
    "UnsupportedError",
    "Window",
    "__version__",
    "compare",
    "from_keras",
    "from_mindspore",
    "from_torch",
    "occlusion",
    "summarize_audit",
]

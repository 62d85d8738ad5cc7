"""Make tests/corpus/ops/ and tests/corpus/bad/: small ONNX graphs and what ONNX Runtime answers.

Fixed seeds: the same versions write the same bytes. See tests/corpus/README.md for the files.

    python tools/make_corpus.py             # everything (a minute)
    python tools/make_corpus.py conv resize # only the cases whose name starts so; the index is merged
"""

import importlib
import json
import platform
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from corpus import build, coverage, run
from corpus.bad import write_bad

ROOT = Path(__file__).resolve().parent.parent / "tests" / "corpus"
FAMILIES = ("convolution", "pooling", "activations", "normalisation", "shapes", "resize", "arithmetic", "blocks", "files", "rare", "layouts")


def main():
    for family in FAMILIES:
        importlib.import_module("corpus." + family)
    prefixes = tuple(sys.argv[1:])
    folder = ROOT / "ops"
    folder.mkdir(parents=True, exist_ok=True)
    index_path = folder / "index.json"
    index, failures, models = {}, [], {}
    if prefixes and index_path.exists():
        index = {facts["name"]: facts for facts in json.loads(index_path.read_text())["cases"]}
    if not prefixes:
        for old in folder.rglob("*"):
            if old.is_file():
                old.unlink()
    for case in build.REGISTRY:
        try:
            model = models[case.name] = build.model_of(case)
            if prefixes and not case.name.startswith(prefixes):
                continue
            if case.name not in coverage.CHECKER_REFUSES:
                onnx.checker.check_model(model)
            path = folder / f"{case.name}.onnx"
            run.write_model(path, model, case.side_file)
            arrays, facts = run.evaluate(case, model, path)
        except Exception as error:  # every failing case is named, then the script fails
            failures.append(f"{case.name}: {type(error).__name__}: {str(error)[:400]}")
            (folder / f"{case.name}.onnx").unlink(missing_ok=True)
            continue
        run.write_npz(folder / f"{case.name}.npz", arrays)
        index[case.name] = facts
    lines = ",\n".join("  " + json.dumps(index[name]) for name in sorted(index))
    versions = {"onnx": onnx.__version__, "onnxruntime": ort.__version__, "numpy": np.__version__, "python": platform.python_version()}
    index_path.write_text(f'{{\n "made_with": {json.dumps(versions)},\n "cases": [\n{lines}\n ]\n}}\n')
    write_bad(ROOT / "bad")

    size = sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file())
    print(f"{len(index)} cases, {len(failures)} failed, {size / 1e6:.2f} MB")
    for facts in sorted(index.values(), key=lambda facts: -facts["optimisation_difference"])[:5]:
        print(f"  optimisations change {facts['name']} by {facts['optimisation_difference']}")
    for facts in index.values():
        if max(facts["largest_change"]) == 0:
            failures.append(f"{facts['name']}: the window changes nothing")
    missing = coverage.missing(models.values())
    for line in failures + missing:
        print("  !", line)
    sys.exit(1 if failures or missing else 0)


if __name__ == "__main__":
    main()

"""The operator corpus: one module per family of operators, each a list of small ONNX graphs.

`build` has the graph builder and the registry, the other modules register cases in it when imported.
`tools/make_corpus.py` runs them all through ONNX Runtime and writes tests/corpus/.
"""

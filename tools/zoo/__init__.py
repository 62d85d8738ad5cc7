"""The model zoo: real architectures with random but calibrated weights, exported to ONNX.

`architectures` builds them, `inputs` the pictures, volumes and signals, `calibrate` makes their statistics and
heads honest, `reference` runs ONNX Runtime for outputs and occlusion maps. Keras models: `keras_models`, in an
environment of their own. The command is tools/make_models.py.
"""

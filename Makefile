# make demo     the main job on the shipped models, on a picture and on a volume
# make test     every test: Rust, ONNX Runtime, Python, browser
# make wheel    the Python package, into target/wheels
# make peers    the Python package against torch, Captum, MONAI, MindSpore, TensorFlow, jax (gigabytes of packages)
# make docs     the reference of the Python package, from its docstrings, into target/docs-python
# make bench    kernels against the machine's peak; dense runs against ONNX Runtime (needs `make models` for the large ones)
# make bench-audit    images a second of an audit as the data set grows
# make bench-python   what a callable pays for being called
# make bench-dropins  the drop-ins' time beside that of the libraries they replace (half an hour)
# make models   exports the model zoo with random weights (torch, timm, MONAI, Keras: gigabytes, minutes)
# make zoo      the zoo's maps against ONNX Runtime's
# make lint     format, clippy, docs (the command line has help texts instead)

CARGO ?= cargo
PYTHON ?= python3
OCCLUDE = $(or $(CARGO_TARGET_DIR),target)/release/occlude
VENV_TEST = .venv-test
VENV_ZOO = .venv-zoo
VENV_PYTHON = .venv-python
VENV_PEERS = .venv-peers
PDOC = $(VENV_PYTHON)/bin/pdoc --docformat numpy --output-directory $(TARGET)/docs-python \
	occlude occlude.exceptions occlude.captum occlude.mindspore occlude.monai occlude.ray
TARGET = $(or $(CARGO_TARGET_DIR),target)

.PHONY: all build demo test test-rust test-ort test-python test-browser wheel peers docs bench bench-audit bench-python bench-dropins models zoo lint corpus

all: build

build:
	$(CARGO) build --release --workspace

demo: build
	mkdir -p out
	$(OCCLUDE) map examples/efficientnet-lite0 examples/images/coffee.jpg --window 32 --stride 8 -o out/coffee.html -o out/coffee.png
	@echo
	$(OCCLUDE) map examples/lesions examples/lesions/volumes/left.nii.gz --window 8 --stride 4 -o out/lesion.html -o out/lesion.nii.gz
	@echo
	$(OCCLUDE) judge examples/lesions examples/lesions/volumes/left.nii.gz --object 9:20,21:33,13:22 --window 8 --stride 4 -q
	@echo
	@echo "look at out/coffee.png, or open out/coffee.html and out/lesion.html in a browser"

test: lint test-rust test-ort test-python test-browser

test-rust:
	$(CARGO) test --release --workspace --no-fail-fast

# ONNX Runtime comes from its Python package; the crate loads the library at run time.
$(VENV_TEST)/bin/python: tools/requirements-test.txt
	$(PYTHON) -m venv $(VENV_TEST)
	$(VENV_TEST)/bin/pip install --quiet -r tools/requirements-test.txt
	touch $@

test-ort: build $(VENV_TEST)/bin/python
	VIRTUAL_ENV=$(abspath $(VENV_TEST)) $(CARGO) test --release --workspace --test onnxruntime --test same_map -- --ignored --nocapture onnxruntime

# A fresh environment each time: what is tested is the wheel, as a stranger installs it.
wheel: build
	$(PYTHON) -m venv --clear $(VENV_PYTHON)
	$(VENV_PYTHON)/bin/pip install --quiet -r tools/requirements-python.txt
	$(VENV_PYTHON)/bin/maturin build --release --quiet --manifest-path python/Cargo.toml --out $(TARGET)/wheels

test-python: wheel
	$(VENV_PYTHON)/bin/pip install --quiet --force-reinstall --no-deps $(TARGET)/wheels/occlude-*.whl
	cd python && ../$(VENV_PYTHON)/bin/ruff format --check . && ../$(VENV_PYTHON)/bin/ruff check .
	cd python && ../$(VENV_PYTHON)/bin/mypy
	$(VENV_PYTHON)/bin/python -m mypy.stubtest occlude._core
	$(VENV_PYTHON)/bin/python -m pytest -q -c python/pyproject.toml --rootdir . --doctest-modules --pyargs occlude
	OCCLUDE=$(abspath $(OCCLUDE)) $(VENV_PYTHON)/bin/python -m pytest -q -c python/pyproject.toml --rootdir . --ignore python/tests/peers python/tests
	$(PDOC)

# One environment for each group of libraries that can live together; the file's name says which one a test is for.
.venv-%/ready: tools/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet -r $<
	touch $@

peers: wheel $(VENV_PEERS)/ready $(VENV_PEERS)-mindspore/ready $(VENV_PEERS)-tf/ready
	set -e; for venv in $(VENV_PEERS) $(VENV_PEERS)-mindspore $(VENV_PEERS)-tf; do \
		$$venv/bin/pip install --quiet --force-reinstall --no-deps $(TARGET)/wheels/occlude-*.whl; done
	$(VENV_PEERS)/bin/python -m pytest -q -c python/pyproject.toml --rootdir . python/tests/peers \
		--ignore-glob '*mindspore*' --ignore-glob '*tensorflow*'
	$(VENV_PEERS)-mindspore/bin/python -m pytest -q -c python/pyproject.toml --rootdir . python/tests/peers/test_mindspore*.py
	$(VENV_PEERS)-tf/bin/python -m pytest -q -c python/pyproject.toml --rootdir . python/tests/peers/test_tensorflow*.py

docs: wheel
	$(VENV_PYTHON)/bin/pip install --quiet --force-reinstall --no-deps $(TARGET)/wheels/occlude-*.whl
	$(PDOC)

test-browser: build
	tests/browser/run.sh

bench: build $(VENV_TEST)/bin/python
	VIRTUAL_ENV=$(abspath $(VENV_TEST)) benches/run.sh

bench-audit: build $(VENV_TEST)/bin/python
	$(VENV_TEST)/bin/python benches/audit.py $(OCCLUDE)

bench-python: wheel
	$(VENV_PYTHON)/bin/pip install --quiet --force-reinstall --no-deps $(TARGET)/wheels/occlude-*.whl
	OPENBLAS_NUM_THREADS=1 $(VENV_PYTHON)/bin/python benches/python/overhead.py

bench-dropins: peers
	$(VENV_PEERS)/bin/python benches/python/dropins.py captum monai-2d monai-3d
	$(VENV_PEERS)-mindspore/bin/python benches/python/dropins.py mindspore

$(VENV_ZOO)/ready: tools/requirements-zoo.txt
	$(PYTHON) -m venv $(VENV_ZOO)
	$(VENV_ZOO)/bin/pip install --quiet -r tools/requirements-zoo.txt
	touch $@

models: $(VENV_ZOO)/ready
	$(VENV_ZOO)/bin/python tools/make_models.py
	$(VENV_ZOO)/bin/python tools/resize_model.py monai_resnet18_3d 64 128

zoo: build
	$(CARGO) test --release -p occlude-engine --test zoo -- --ignored --nocapture

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --exclude occlude-cli --no-deps --quiet

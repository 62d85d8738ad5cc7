#!/usr/bin/env bash
# The bench: the micro-kernel against the machine's measured FMA peak, then dense runs and maps against ONNX Runtime, interleaved.
# Timings on shared machines are noisy: read the ratios. `make models` first for the large models; what is missing is said.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release -q -p occlude-kernels --example gemm_peak
cargo run --release -q -p occlude --example bench -- dense "$@"
cargo run --release -q -p occlude --example bench -- map "$@"

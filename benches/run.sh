#!/usr/bin/env bash
# The bench: the micro-kernel against the machine's measured FMA peak, then full runs and maps against ONNX Runtime, interleaved, and how time grows.
# Timings on shared machines are noisy: read the ratios. `make models` first for the large models; what is missing is said.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release -q -p occlude-kernels --example gemm_peak
for kind in dense map approximate; do
    cargo run --release -q -p occlude --example bench -- "$kind" "$@"
done
cargo run --release -q -p occlude --example bench -- growth

"""How many images a second an audit does, as the data set grows: `make bench-audit`.

Grey scenes of 64 x 64 pixels with an object and a mark, through the small classifier of `tests/audit` (windows of 8, stride 4), and, at the end,
a few through the demo model. Each line is one run of the command line: images, seconds, images a second and core, peak memory. Read down a column:
rate and memory must not change with the number of images, beside names and keys.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def scenes(folder: Path, count: int) -> Path:
    """Tensors of scenes of which no two are alike, with their table."""
    folder.mkdir()
    rng = np.random.default_rng(count)
    lines = ["path,class,x0,y0,x1,y1"]
    for number in range(count):
        image = np.repeat(rng.uniform(0.1, 0.4, (1, 32, 32)), 3, axis=0).astype(np.float32)
        x, y = rng.integers(0, 20, 2)
        image[:, y : y + 8, x : x + 8] = np.array([0, 1, 0]).reshape(3, 1, 1)
        image[:, 28:, 28:] = np.array([1, 0, 0]).reshape(3, 1, 1)
        np.save(folder / f"{number:06}.npy", image)
        lines.append(f"{number:06}.npy,1,{x},{y},{x + 8},{y + 8}")
    table = folder / "table.csv"
    table.write_text("\n".join(lines))
    return table


def run(binary: Path, model: str, table: Path, out: Path, flags: list[str]) -> tuple[float, float]:
    """Seconds and MiB of an audit."""
    begun = time.monotonic()
    line = [str(binary), "audit", str(ROOT / model), str(table), "-o", str(out), "-q", "--pages", "0", *flags]
    # The peak of children is that of the largest until now: smaller data sets come first.
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 3000, 10000])
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print("| images | threads | s | images/s/core | peak MiB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for count in given.images:
            table = scenes(folder / "scenes", count)
            for threads in sorted({1, cores}):
                flags = ["--fill", "0", "--window", "8", "--stride", "4", "--threads", str(threads)]
                secs, peak = run(given.binary, "tests/audit/both.onnx", table, folder / "out", flags)
                print(f"| {count} | {threads} | {secs:.1f} | {count / secs / threads:.0f} | {peak:.0f} |")
                sys.stdout.flush()
                shutil.rmtree(folder / "out")
            shutil.rmtree(folder / "scenes")


main()

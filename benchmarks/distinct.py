"""How well affected users are counted: our Theta sketch beside Apache DataSketches (`pip install datasketches` to see it), error, memory and time.

`python benchmarks/distinct.py`
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec

from truegreen.collector.evidence import SLICES, Distinct

SIZES = (100, 10_000, 1_000_000)
RUNS = 5
IMPORT = """
import time
def rss(): return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmRSS")) / 1024
before, began = rss(), time.perf_counter()
import datasketches
print(f"import: {(time.perf_counter() - began) * 1000:.0f} ms, {rss() - before:.0f} MB resident")
"""


def ours(ids: Iterable[str], slices: int, size: int) -> float:
    """Distinct ids spread over slices of an hour, as the collector counts them."""
    made = Distinct()
    for at, one in enumerate(ids):
        made.add(one.encode(), at * slices // size)
    return made.count(slices - 1)


def library(log2: int) -> Callable[[Iterable[str], int, int], float]:
    """The same by one HyperLogLog sketch for each slice, merged."""
    import datasketches

    def counted(ids: Iterable[str], slices: int, size: int) -> float:
        parts = [datasketches.hll_sketch(log2, datasketches.tgt_hll_type.HLL_8) for _ in range(slices)]
        for at, one in enumerate(ids):
            parts[at * slices // size].update(one)
        merged = datasketches.hll_union(log2)
        for part in parts:
            merged.update(part)
        return float(merged.get_estimate())

    return counted


def main() -> None:
    """Print a row for each sketch, number of slices and number of ids."""
    kinds: dict[str, Callable[[Iterable[str], int, int], float]] = {"ours": ours}
    if find_spec("datasketches"):
        print(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout, end="")
        kinds |= {f"HLL lg_k {log2}": library(log2) for log2 in (12, 14, 17)}
    print(f"{'sketch':12} {'slices':>6} {'ids':>9}  largest error of {RUNS}  us/id")
    for name, counted in kinds.items():
        for slices in (1, SLICES):
            for size in SIZES:
                began = time.perf_counter()
                errors = [counted((f"{run}-{at}" for at in range(size)), slices, size) / size - 1 for run in range(RUNS)]
                taken = (time.perf_counter() - began) / size / RUNS * 1e6
                print(f"{name:12} {slices:6} {size:9,}  {max(map(abs, errors)):17.3%}  {taken:5.2f}")


if __name__ == "__main__":
    main()

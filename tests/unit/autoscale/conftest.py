"""The simulation lies among the benchmarks, which are no package of the project."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

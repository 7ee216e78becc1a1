"""The simulation lies among the benchmarks, which are no package of the project."""

import sys
from pathlib import Path

# At the end: nothing that lies there may hide a package.
sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

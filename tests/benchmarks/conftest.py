"""The benchmarks aren't in the wheel: they are imported from the tree, behind whatever is installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

"""The tools are in the repository, not in the wheel that the tests may run against."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("tools") is None:
    sys.path.append(str(Path(__file__).parents[2]))

"""The sample distribution's tests run where it is installed: `test_distributions.py` does that."""

from __future__ import annotations

collect_ignore = ["vall-e-soft-cap"]

"""ONNX Runtime, told to keep to itself: builds of it have a telemetry that notes each user and sends what it counts."""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read while it is loaded

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

__all__ = ["onnxruntime", "state"]

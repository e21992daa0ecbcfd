"""Reading model files: containers, configuration, checks, adapters."""

from .container import Container, TensorInfo
from .load import Loaded, inspect_model, load_model, task_rows
from .save import save_model

__all__ = ["Container", "Loaded", "TensorInfo", "inspect_model", "load_model", "save_model", "task_rows"]

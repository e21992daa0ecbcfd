"""The peer on a CPU: llama.cpp on a Llama of the same shape, with random weights, through the wheel `xllamacpp`.

Its file is written here by llama.cpp's own package `gguf`. Timings are the server's own: what Python adds around a
call isn't counted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .contenders import Timing
from .settings import Shape

KINDS = {"llama-f32": ("F32", "vall-e"), "llama-q8_0": ("Q8_0", "int8"), "llama-q4_0": ("Q4_0", "int4")}
"""Of each contender: its weights, and who of ours has weights of as many bits."""
SPECIAL = ("<unk>", "<s>", "</s>")
UNKNOWN, CONTROL, NORMAL = 2, 3, 1
"""Token types of the format."""
CONTEXT = 1024
"""Room of each row."""


class LlamaCpp:
    """One model behind llama.cpp's server, which runs in this process."""

    def __init__(self, key: str, shape: Shape, folder: Path, rows: int, threads: int | None) -> None:
        """
        Args:
            key: one of `KINDS`.
            shape: of the model.
            folder: where its file is written.
            rows: how many rows are decoded together, at most.
            threads: of the CPU; torch's own number if None.

        Raises:
            ImportError: where a package isn't installed.
        """
        from xllamacpp import CommonParams, Server

        kind, _ = KINDS[key]
        self.key, self.name, self._shape = key, f"llama.cpp {kind.lower()}", shape
        path = folder / f"{key}.gguf"
        write_model(path, shape, kind)
        count = threads or torch.get_num_threads()
        how: Any = CommonParams()
        how.model.path = str(path)
        how.n_parallel, how.n_ctx, how.n_gpu_layers = rows, rows * CONTEXT, 0
        how.cpuparams.n_threads = how.cpuparams_batch.n_threads = count
        how.warmup = how.cache_prompt = how.fit_params = False
        how.verbosity = -1
        self._server = Server(how)

    def decode(self, rows: int, tokens: int) -> Timing:
        """As many requests at once as rows.

        Rows that begin first wait while the prompts of others are read, so the row that took the least time after its
        own prompt counts.
        """
        stream = np.random.default_rng(1)
        prompts = stream.integers(len(SPECIAL), self._shape.vocabulary, (rows, self._shape.context)).tolist()

        def complete(prompt: list[int]) -> dict[str, float]:
            asked = {
                "prompt": prompt, "n_predict": tokens, "ignore_eos": True, "temperature": 0.95,
                "samplers": ["temperature"], "cache_prompt": False, "seed": 1,
            }  # fmt: skip
            found: dict[str, float] = self._server.handle_completions(asked)["timings"]
            return found

        with ThreadPoolExecutor(rows) as pool:
            timings = list(pool.map(complete, prompts))
        if any(each["predicted_n"] != tokens for each in timings):
            raise RuntimeError("llama.cpp stopped by itself")
        first = max(each["prompt_ms"] for each in timings)
        rest = min(each["predicted_ms"] for each in timings)
        return Timing(first / 1000, rest / 1000, tokens - 1, rows)


def write_model(path: Path, shape: Shape, kind: str) -> None:
    """A file of llama.cpp's format with random weights of a kind of `gguf.GGMLQuantizationType`.

    Raises ImportError where `gguf` isn't installed.
    """
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    made, weights = np.random.default_rng(0), GGMLQuantizationType[kind]
    writer = GGUFWriter(path, "llama")
    width, hidden, size = shape.width, 4 * shape.width, shape.vocabulary
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // shape.heads)
    writer.add_vocab_size(size)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*SPECIAL, *(f"t{number}" for number in range(size - len(SPECIAL)))])
    writer.add_token_scores([-float(number) for number in range(size)])
    writer.add_token_types([UNKNOWN, CONTROL, CONTROL] + [NORMAL] * (size - len(SPECIAL)))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)

    def product(name: str, outputs: int, inputs: int) -> None:
        values = (made.standard_normal((outputs, inputs)) * inputs**-0.5).astype(np.float32)
        if kind == "F32":
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, quantize(values, weights), raw_dtype=weights)

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    product("token_embd.weight", size, width)
    product("output.weight", size, width)
    norm("output_norm.weight")
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        norm(f"{block}.attn_norm.weight")
        norm(f"{block}.ffn_norm.weight")
        for which in ("q", "k", "v", "output"):
            product(f"{block}.attn_{which}.weight", width, width)
        product(f"{block}.ffn_gate.weight", hidden, width)
        product(f"{block}.ffn_up.weight", hidden, width)
        product(f"{block}.ffn_down.weight", width, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

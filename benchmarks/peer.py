"""The peer: transformers' `generate()` on a Llama of the same shape, with random weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from vall_e_tensors import without_torchaudio

from .contenders import Stopwatch, Timing
from .settings import Shape


class Llama:
    """`LlamaForCausalLM.generate`: its own cache, sampling at our temperature without further filters, no end token."""

    key, name = "transformers", "transformers generate()"

    def __init__(
        self, shape: Shape, *, device: str = "cpu", dtype: torch.dtype = torch.float32,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        """Raises ImportError where transformers isn't installed."""
        with without_torchaudio():
            from transformers import LlamaConfig, LlamaForCausalLM
        config = LlamaConfig(
            vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=4 * shape.width,
            num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.heads,
            max_position_embeddings=4096, bos_token_id=None, eos_token_id=None, pad_token_id=None,
            tie_word_embeddings=False,
        )  # fmt: skip
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(config)
        self._model = model.eval().to(device, dtype)
        self._shape, self._device, self._clock = shape, device, clock

    def decode(self, rows: int, tokens: int) -> Timing:
        """One call of `generate()`."""
        stream = torch.Generator().manual_seed(1)
        ids = torch.randint(0, self._shape.vocabulary, (rows, self._shape.context), generator=stream).to(self._device)
        streamer = _Streamer(self._device, self._clock)
        with torch.inference_mode():
            made = self._model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=0.95, top_k=0, top_p=1.0,
                min_new_tokens=tokens, max_new_tokens=tokens, streamer=streamer,
            )  # fmt: skip
        timing = streamer.watch.stop(rows, tokens)
        if made.shape[1] != self._shape.context + tokens:
            raise RuntimeError("transformers stopped by itself")
        return timing


class _Streamer:
    """What `generate()` tells of each token: first the context, then token after token."""

    def __init__(self, device: str, clock: Callable[[], float]) -> None:
        self.watch = Stopwatch(device, clock)
        self._begun = False

    def put(self, tokens: torch.Tensor) -> None:
        """The context or a token."""
        if self._begun:
            self.watch.tick()
        self._begun = True

    def end(self) -> None:
        """Nothing more comes."""

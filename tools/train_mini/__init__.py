"""The recipe of the embedded voice: corpus, codec, vocoder, model, export, report."""

"""Speed and memory, as ratios within one run: `python -m benchmarks`; README.md says what each row means."""

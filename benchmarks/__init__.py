"""Benchmarks: each module compares ours with a named baseline, both measured in one run."""

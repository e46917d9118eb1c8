"""Benchmarks: each prints what was measured beside the bar that it must reach."""

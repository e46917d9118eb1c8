"""An embedded cluster for examples, tests and benchmarks."""

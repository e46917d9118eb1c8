module ullage.dev/benchmarks/go_extender

go 1.21

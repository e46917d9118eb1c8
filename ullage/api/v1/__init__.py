"""gRPC API, version 1: code that `make proto` writes from ``proto/``."""

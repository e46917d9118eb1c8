"""gRPC APIs."""

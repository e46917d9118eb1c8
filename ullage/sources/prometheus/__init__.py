"""Readings from Prometheus, or from any server that speaks its HTTP API."""

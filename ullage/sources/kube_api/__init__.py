"""The Kubernetes API: credentials, requests, lists and watches as raw JSON."""

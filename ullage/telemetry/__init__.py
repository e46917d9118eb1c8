"""What is measured: the catalogue of metrics, staleness and plausibility."""

"""What a plan does to a cluster, one file per effect."""

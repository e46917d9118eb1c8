"""Where states come from: dumps, snapshots, later watch caches and Prometheus."""

"""Leader election on a Lease, and the permit that every write needs."""

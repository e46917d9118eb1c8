"""Filters and scores over all nodes at once."""

"""Immutable columns of a cluster, and what a move makes of them."""

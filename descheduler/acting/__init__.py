"""Carrying plans out: what may begin when, what became of it, and when to stop."""

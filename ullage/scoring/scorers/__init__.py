"""Scorers: one file each, registered in `ullage.scoring.registry`."""

"""Constraints and costs of a search: one file each. Each writes lanes, fees or rules into the draft of the columns."""

"""The versioned configuration: one schema, defaults with unit and reason."""

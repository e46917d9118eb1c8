"""What the extender and the descheduler share: the model, its sources and the scoring core."""

__version__ = "0.1.0"

"""Modeltrail: a stream-processing audit service for machine-learning systems."""

__all__ = ["__version__"]

__version__ = "0.1.0"

"""Construct weak-to-strong training data; LLaMA-Factory trains on it unchanged."""

__version__ = "0.3.0"

"""The command line: each command is one short function that calls one library function."""

from w2s_data.cli import check, lists, look, make, share
from w2s_data.cli.options import main

__all__ = ["check", "lists", "look", "main", "make", "share"]

"""The command line: each command is one short function that calls one library function."""

from w2s_data.cli import check, lists, make, share
from w2s_data.cli.options import main

__all__ = ["check", "lists", "main", "make", "share"]

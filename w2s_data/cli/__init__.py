"""The command line: each command is one short function that calls one library function."""

from w2s_data.cli import lists, make
from w2s_data.cli.options import main

__all__ = ["lists", "main", "make"]

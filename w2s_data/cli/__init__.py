"""The command line: each command is one short function that calls one library function."""

from w2s_data.cli import check, lists, look, make, pairs, share, soft
from w2s_data.cli.options import main

__all__ = ["check", "lists", "look", "main", "make", "pairs", "share", "soft"]

"""The command line: ``sinchfn dev``, ``routes``, ``config`` and ``sign``."""

from .commands import main as main

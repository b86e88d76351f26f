"""``python -m sinchfn``."""

from .cli.commands import main

main(prog_name="python -m sinchfn")

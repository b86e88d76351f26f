"""``python -m sinchfn``."""

from .cli import main

main(prog_name="python -m sinchfn")

"""A loaded function: from ``function.py`` to its exports and routes, and what a handler is given."""

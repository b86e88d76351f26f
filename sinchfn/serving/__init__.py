"""One HTTP call, from the platform hooks to the answer."""

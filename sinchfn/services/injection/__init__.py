"""Services by type: registered once, made on first use, passed to constructors by their annotations."""

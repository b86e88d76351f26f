"""The Flask side: the app factory, the extension and the catch-all view."""

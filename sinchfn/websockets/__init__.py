"""WebSockets over the connections of a WSGI server: from the handshake to the usage record."""

"""What callers hear."""

WELCOME = "Welcome. We connect you now."
CLOSED = "We are closed. Please call again from Monday to Friday, nine to five. Goodbye."

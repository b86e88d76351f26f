"""What callers of the shop hear."""

GREETING = "This is the shop. Please visit our website."

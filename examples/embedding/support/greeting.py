"""What callers of the support line hear."""

GREETING = "This is the support line. Please call again tomorrow."

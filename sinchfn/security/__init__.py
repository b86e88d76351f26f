"""Signature schemes: a class per scheme, and the table of the exports that each one guards."""

"""The platform's wire formats: JSON, timestamps, tolerant reading and strict checking of objects."""

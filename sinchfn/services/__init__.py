"""What a function is served with: logs, the usage ledger, static files."""

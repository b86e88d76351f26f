"""What functions are offered (cache, storage, clients ...), and what their calls leave behind (logs, usage)."""

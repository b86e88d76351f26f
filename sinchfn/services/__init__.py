"""Services for functions (cache, storage, database, clients ...), and the usage records of their calls."""

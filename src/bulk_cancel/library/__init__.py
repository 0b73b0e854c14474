"""The commands for Python programs: synchronous and asynchronous, with frozen results."""

"""The commands for Python programs: frozen results, threads, awaited forms."""

"""A staged run carried out in this process and ended: its files, its summary, its notifications."""

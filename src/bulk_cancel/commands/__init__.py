"""The commands, without the terminal."""

"""The command line: parse, call, render. One small module per command; heavy imports happen inside the commands."""

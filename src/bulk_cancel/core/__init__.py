"""Pure decisions: what a cancel means, what an answer proves, when to send. No I/O, no clock, no randomness."""

"""A local stand-in for the meetergo API on 127.0.0.1, with faults on request and a count of what really happened.

It shares no code with the rest of the project: a stand-in must not be wrong in the same way as what it tests.
`server` runs it (`running` for tests, `serve` for the command line), `options` describes it, `faults` holds the
fault grammar, `demo_data` the world of the demo.
"""

"""The one import of the HTTP library: everything else takes it from here.

`httpx2` is the maintained continuation with the same names; the suite runs with either (`make test-httpx2`).
"""

import httpx

__all__ = ["httpx"]

"""The command line as a user has it, over a sandbox."""

from __future__ import annotations

from support.shell import sandbox as sandbox
from support.shell import server as server
from support.shell import shell as shell
from support.shell import write as write

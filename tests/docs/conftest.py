"""What pages and program are compared with: the command line over a sandbox, and a plan file."""

from __future__ import annotations

from support.plans import path as path
from support.plans import plan as plan
from support.plans import small as small
from support.shell import sandbox as sandbox
from support.shell import server as server
from support.shell import shell as shell
from support.shell import write as write

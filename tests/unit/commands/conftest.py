"""`find` in this process, over a sandbox."""

from __future__ import annotations

from support.find import command as command
from support.find import environ as environ
from support.find import find as find
from support.find import sandbox as sandbox
from support.find import server as server
from support.patience import impatient as impatient

"""How an account speaks to the API: its address, its credential, its acting user."""

from __future__ import annotations

from collections.abc import Mapping

from bulk_cancel.api.client import ApiSettings
from bulk_cancel.settings.accounts import Account
from bulk_cancel.settings.credentials import find_credential
from bulk_cancel.settings.environment import api_url, timeout_of
from bulk_cancel.settings.job import Job
from bulk_cancel.version import version


def settings_of(job: Job, environ: Mapping[str, str], account: Account | None = None) -> ApiSettings:
    """Return where the API is and who asks: the account, or the environment's credential.

    Raises ConfigError when the environment does not say it rightly.
    """
    url, agent = api_url(environ), f"bulk-cancel/{version()}"
    credential = account.credential if account else find_credential(environ)
    user_id = account.user_id if account else job.user_id
    return ApiSettings(url, credential, user_id, timeout_of(job, environ), agent, job.rebooking_list)

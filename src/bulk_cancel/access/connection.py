"""How an account speaks to the API: its address, its credential, its acting user."""

from __future__ import annotations

from bulk_cancel.access.setup import Setup
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.settings.accounts import Account
from bulk_cancel.settings.environment import timeout_of
from bulk_cancel.version import version


def settings_of(setup: Setup, account: Account) -> ApiSettings:
    """Return where the API is and who asks. Raises ConfigError for a time limit, proxy or certificates of no use."""
    credential = account.credential  # before HTTP is loaded: a plan without one is made offline
    from bulk_cancel.api.transports import refuse_unfit_way

    refuse_unfit_way(setup.api_url)
    timeout_s = timeout_of(setup.job, setup.machine.environ)
    return ApiSettings(
        setup.api_url,
        credential,
        account.user_id,
        timeout_s,
        f"bulk-cancel/{version()}",
        setup.job.rebooking_list,
        now=setup.machine.clock.now,
    )

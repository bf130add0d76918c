"""The store: the only place that touches a Redis key.

`Store` is what the receiver and the workers do (accept, claim, settle …), `Control` what admins do (replay, discard,
pause, resume), `Ledger` what people ask (counts, lists, one delivery's story), `Search` finds conversations,
`statistics` counts over time, `Jobs` does things in bulk, `VisitorRecords` and `AdminNotes` read all that is kept of a
visitor, `Eraser` takes things out, `Access` is the dashboard's password and sessions, `RateLimit` bounds guesses,
`server` says what the server must be like. The writing is Lua, one script for each atomic step.
"""

from core.store.admin_access import Access
from core.store.backfill import Aim, Backfill
from core.store.claims import Accepted, Claim, Received
from core.store.connection.client import Client, connect, connected
from core.store.connection.server import ServerCheck, check_server
from core.store.control import Control
from core.store.erase import Eraser
from core.store.jobs import Jobs
from core.store.lanes import Store
from core.store.ledger import Ledger
from core.store.protocol.constants import INBOX
from core.store.renames import Renames
from core.store.search.conversations import Search
from core.store.search.filter import Filter
from core.store.search.kept import VisitorRecords
from core.store.search.notes import AdminNotes
from core.store.shared.connector_state import StoredState
from core.store.shared.rate_limit import RateLimit
from core.store.statistics import statistics

__all__ = [
    "INBOX",
    "Accepted",
    "Access",
    "AdminNotes",
    "Aim",
    "Backfill",
    "Claim",
    "Client",
    "Control",
    "Eraser",
    "Filter",
    "Jobs",
    "Ledger",
    "RateLimit",
    "Received",
    "Renames",
    "Search",
    "ServerCheck",
    "Store",
    "StoredState",
    "VisitorRecords",
    "check_server",
    "connect",
    "connected",
    "statistics",
]

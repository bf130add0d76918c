"""What the processes of `relay up` are told: that it found the configuration right before it started them."""

from __future__ import annotations

#: The supervisor's process id, in the environment of its children.
SUPERVISED = "RELAY_SUPERVISOR"

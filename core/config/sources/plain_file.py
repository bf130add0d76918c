"""Reading relay.yaml, `.env` and files of secrets.

They are read whole, and again and again, so whatever a path leads to must end soon: a link to a device, or a file of
gigabytes, would take all memory, and a pipe would be waited for.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: Bytes. A relay.yaml with a thousand routes has a tenth of it.
LARGEST_FILE = 1024 * 1024


def contents(file: Path) -> bytes:
    """What is in a file, or comes out of a pipe. Raises OSError, and ValueError for a name with a NUL."""
    with file.open("rb", buffering=0) as stream:
        parts, left = [], LARGEST_FILE + 1
        while left and (part := stream.read(left)):
            parts.append(part)
            left -= len(part)
    if not left:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return b"".join(parts)


def contents_again(file: Path) -> bytes:
    """The same while the relay runs: what can be read only once, or has to be waited for, is not even opened."""
    mode = os.stat(file).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE), str(file))
    return contents(file)

"""Files that cannot be read or written."""

from __future__ import annotations

import errno

_FILES = {
    errno.ENOENT: "it does not exist",
    errno.EACCES: "permission denied for the relay's user",
    errno.EPERM: "permission denied for the relay's user",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "part of its path is not a folder",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "it is a link that leads to itself",
    errno.EIO: "the disk reports an error",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EEXIST: "it exists already",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.EFBIG: "it is larger than 1 MiB, so it is not what it should be; restore it",
    errno.ESPIPE: "it is a pipe or a device, not a file; make it a file, or restart the relay, which reads it once",
    errno.ESTALE: "the network share has lost it; mount it again",
}


def file_mistake(error: OSError | ValueError) -> str:
    """Why a file cannot be read."""
    if isinstance(error, OSError):
        return _FILES.get(error.errno or 0, "the system reports an error")
    if isinstance(error, UnicodeDecodeError):  # its own words have the text in them
        return "it is not text in UTF-8; save it as UTF-8"
    return "there is a NUL in its name"

"""A transcript in as few texts as will do, where the destination bounds how long each may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from connectors.kit.transcript import packed

#: How long a text is, as a vendor counts.
Size = Callable[[str], int]


class Packing:
    """Texts of at most `longest` in `size`. Of several each has the `sign` of its number and their total in front.
    `first` puts around the transcript of the first what else stands there."""

    def __init__(
        self, longest: int, size: Size, sign: Callable[[int, int], Markup], first: Callable[[Markup], Markup]
    ) -> None:
        self._size, self._sign, self._first = size, sign, first
        #: How long the first is without a transcript.
        self.frame = size(first(Markup()))
        self._longest = longest - size(sign(999, 999))
        # A character may take up to four bytes where the vendor counts bytes.
        weight = 1 if size is len else 4
        #: Characters that a block of the transcript may have.
        self.room = (self._longest - self.frame) // weight

    def texts(self, blocks: Sequence[Markup]) -> list[str]:
        parts = packed(blocks, lambda number: self._longest - (0 if number else self.frame), self._size)
        parts[0] = self._first(parts[0])
        total = len(parts)
        if total == 1:
            return [str(parts[0])]
        return [str(self._sign(number, total) + part) for number, part in enumerate(parts, 1)]

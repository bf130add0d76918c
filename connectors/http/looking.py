"""A request that looks for something, made ready."""

from __future__ import annotations

import jmespath

from connectors.http.declared import Find, Pages
from connectors.http.requests.compiler import Compiler
from connectors.http.requests.ready import Ready
from connectors.kit.wire.pager import Pager, by_address, by_cursor, by_link, by_offset, by_page
from connectors.kit.wire.verdicts import When
from core.config.mistakes.model import KeyPath
from core.templates.scope import Scope


class Looking(Ready):
    """A request that looks for something."""

    def __init__(
        self, find: Find, scope: Scope, place: KeyPath, compiler: Compiler, identities: tuple[str, ...]
    ) -> None:
        super().__init__(find, scope, place, compiler, identities)
        self.entries = None if find.entries is None else "" if find.entries == "@" else find.entries
        self.none, self.lags = find.none, find.lags
        self.pager = pager_of(find.pages, self.entries or "") if find.pages else None
        self.where = [
            (jmespath.compile(path), compiler.text(scope, text, (*place, "where", path)))
            for path, text in find.where.items()
        ]
        self.marked = jmespath.compile(find.marked) if find.marked else None
        self.text_at = jmespath.compile(find.text_at) if find.text_at else self.marked
        self.empty = jmespath.compile(find.empty) if find.empty else None
        self.answers = [When(find.none, then=None)] if find.none else []


def pager_of(pages: Pages, items: str) -> Pager:
    parameter, size, per_page = pages.parameter, pages.size, pages.per_page
    if pages.by == "page":
        made = by_page(items, page=parameter or "page", size=size or "per_page", per_page=per_page)
    elif pages.by == "offset":
        made = by_offset(items, offset=parameter or "offset", size=size or "limit", per_page=per_page)
    elif pages.by == "cursor":
        made = by_cursor(pages.at, items=items, cursor=parameter or "cursor", size=size or "limit", per_page=per_page)
    elif pages.by == "link":
        made = by_link(items, size=size or "per_page", per_page=per_page)
    else:
        made = by_address(pages.at, items=items, size=size, per_page=per_page if size else 0)
    return made.few(per_page, pages.most)

"""The HTML of a body as what other vendors take: plain text, Markdown, BBCode, Jira's wiki markup, Slack's, or a card.

A body is always made as HTML, by the admin's template and our transcript, and turned into the vendor's format at the
end. So what a visitor wrote is escaped for that format, whole, and for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

Escape = Callable[[str], str]
#: Makes a link of a text, which is escaped, and an address.
Link = Callable[[str, str], str]


@dataclass(frozen=True)
class Form:
    """One format: what stands around a part of a text, and how a text is escaped. None: the HTML itself."""

    name: str
    bold: str = ""
    italic: str = ""
    link: Link | None = None
    item: str = "- "
    escape: Escape = str
    #: BBCode: marks come in pairs that differ.
    ends: Callable[[str], str] = str

    def of(self, html: str) -> str:
        """The body in this format, without blank lines around it."""
        return html if self is HTML else _Converted(self, html).text

    def inline(self, html: str) -> str:
        """A piece of a body, with the paragraph break at its end, to be measured or joined."""
        return html if self is HTML else _Converted(self, html).whole


def _no_templates(text: str) -> str:
    """Vendors have templates of their own (`{{ticket.id}}`), which work in what they are sent."""
    return text.replace("{{", "{ {").replace("{%", "{ %")


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&])")
#: What begins a list or a heading at the beginning of a line.
_MARKDOWN_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))", re.MULTILINE)
_WIKI = re.compile(r"([\\{}\[\]*_^~+|!?-])")
#: The words with which Redmine links what it has: `user:ann`, `document#5`, `commit:c6f4d0fd`.
_LINKING = r"(?:attachment|commit|document|export|forum|message|news|project|source|user|version)"
#: Where programs that show Markdown or Textile mention people (@ann) and link records (#7, user:ann, r12): behind the
#: sign, or between the word and what it needs to be one. An address of mail is none, and a web address has none.
_MENTION = re.compile(
    rf"@(?=\w)(?!(?<=[\w.+-]@)[\w-]+(?:\.[\w-]+)+)|#(?=\d)|(?<![\w/.&=?%-]){_LINKING}(?=:\S)|(?<![\w/.&=?%:-])r(?=\d)"
)
#: Textile's signs count after a space, a bracket or nothing; brackets, braces, tags and links where two stand together.
_TEXTILE = re.compile(
    r"(?<![\w/.&=?%:-])(?=[*_+^~@!\"#|%?=\\-]|(?:h[1-6]|bq|bc|p|fn\d+|notextile|pre)[.(<>=\[{]|r\d"
    rf"|{_LINKING}[:#]\S)|(?<=\w:)(?={_LINKING}[:#]\S)"
    r"|(?<=\[)(?=\[)|(?<=\{)(?=\{)|(?<=<)(?=[/!a-zA-Z])|(?<=\")(?=:)|(?<===)(?==)"
)
_JOINER = "\u2060"


def _textile(text: str) -> str:
    # Textile has no way to escape that works everywhere, either.
    return _no_templates(_TEXTILE.sub(_JOINER, text))


def _markdown(text: str) -> str:
    text = _MARKDOWN.sub(r"\\\1", _MENTION.sub(rf"\g<0>{_JOINER}", text))
    return _MARKDOWN_START.sub(lambda found: f"{found[1]}\\{found[2]}" if not found[2][0].isdigit() else found[0], text)


def _bbcode(text: str) -> str:
    # BBCode has no way to escape; a tag that has something invisible in it is none.
    return _no_templates(text.replace("[", "[\u2060"))


def _slack(text: str) -> str:
    # https://docs.slack.dev/messaging/formatting-message-text/#escaping
    return _no_templates(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


HTML = Form("HTML")
PLAIN = Form(
    "plain text", escape=_no_templates, link=lambda text, url: text if url in text else f"{text} ({_no_templates(url)})"
)
MARKDOWN = Form(
    "Markdown", bold="**", italic="*", escape=_markdown, link=lambda text, url: f"[{text}](<{_address(url)}>)"
)
BBCODE = Form(
    "BBCode",
    bold="[B]",
    italic="[I]",
    escape=_bbcode,
    link=lambda text, url: f"[URL={_address(url)}]{text}[/URL]",
    ends=lambda mark: mark.replace("[", "[/"),
)
WIKI = Form(
    "wiki",
    bold="*",
    italic="_",
    item="* ",
    escape=lambda text: _WIKI.sub(r"\\\1", text),
    link=lambda text, url: f"[{text}|{_address(url)}]",
)
SLACK = Form(
    "mrkdwn", bold="*", italic="_", item="• ", escape=_slack, link=lambda text, url: f"<{_address(url)}|{text}>"
)
TEXTILE = Form(
    "Textile",
    bold="*",
    italic="_",
    item="* ",
    escape=_textile,
    link=lambda text, url: f"{text} {_address(url)}",
)
#: By the names that a configuration gives them.
FORMS = {
    "html": HTML,
    "text": PLAIN,
    "markdown": MARKDOWN,
    "textile": TEXTILE,
    "bbcode": BBCODE,
    "wiki": WIKI,
    "slack": SLACK,
}


def _address(url: str) -> str:
    """An address that ends no link: what could is written as URLs write it."""
    return re.sub(r"[\s<>|\[\]\\{}]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)


def card(html: str) -> dict[str, Any]:
    """An Adaptive Card with a text for each paragraph. https://adaptivecards.io/explorer/TextBlock.html"""
    blocks = [one for one in MARKDOWN.of(html).split("\n\n") if one.strip()]
    return {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": text, "wrap": True} for text in blocks],
    }


_BREAKS = frozenset({"p", "div", "section", "table", "ul", "ol", "blockquote", "pre", *(f"h{n}" for n in range(1, 7))})
_BOLD, _ITALIC = frozenset({"b", "strong", *(f"h{n}" for n in range(1, 7))}), frozenset({"i", "em"})
_SILENT = frozenset({"script", "style", "head", "title"})


class _Converted(HTMLParser):
    """Reads what our transcript and an admin's template may have; whatever else there is becomes its text."""

    def __init__(self, form: Form, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self._form = form
        self._out: list[str] = []
        self._links: list[tuple[int, str]] = []
        self._silent = 0
        self.feed(html)
        self.close()

    @property
    def whole(self) -> str:
        return re.sub(r"\n{3,}", "\n\n", "".join(self._out)).lstrip("\n")

    @property
    def text(self) -> str:
        return self.whole.strip("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag == "br":
            self._out.append("\n")
        elif tag == "li":
            self._out.append(f"\n{self._form.item}")
        elif tag == "a":
            self._links.append((len(self._out), dict(attrs).get("href") or ""))
        self._mark(tag, self._form.bold, self._form.italic)

    def handle_endtag(self, tag: str) -> None:
        form = self._form
        self._mark(tag, form.ends(form.bold), form.ends(form.italic))
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BREAKS:
            self._out.append("\n\n")
        elif tag in ("td", "th"):
            self._out.append(" ")
        elif tag == "tr":
            self._out.append("\n")
        elif tag == "a" and self._links:
            start, url = self._links.pop()
            text = "".join(self._out[start:])
            # Only what leads to the web is made a link.
            wanted = form.link is not None and re.match(r"https?://", url, re.IGNORECASE)
            self._out[start:] = [form.link(text, url) if form.link and wanted else text]

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._out.append(self._form.escape(data))

    def _mark(self, tag: str, bold: str, italic: str) -> None:
        self._out.append(bold if tag in _BOLD else italic if tag in _ITALIC else "")

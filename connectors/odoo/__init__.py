"""Odoo: a contact, and a lead or a help desk ticket with the chat as an internal note.

https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from connectors.kit.checks.items import run_checks
from connectors.kit.connector import Change, Finding, Receipt, Step
from connectors.kit.files.carrying import ChatFiles
from connectors.kit.offered import ChoiceList
from connectors.kit.people.whose import People
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, Part, append, marked
from connectors.kit.text.revisions import tell, told
from connectors.kit.work.chat import Chat, open_first
from connectors.kit.work.choices import chosen
from connectors.kit.work.one_record import Before
from connectors.kit.work.task import Task
from connectors.odoo.checks import odoo_checks
from connectors.odoo.choosing import odoo_choices
from connectors.odoo.erasing import OdooErasing
from connectors.odoo.files import add_files, file_marks
from connectors.odoo.partners import Partners
from connectors.odoo.rpc import QUIET, Rpc, first_id, identity, known_fields, truth
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import Gone, RecordRefused

SUBJECT = 255  # characters of a record's name
#: How many records of a person are looked at, those that changed last.
_MOST = 50
#: A to-do of the assignee, who is not mailed: https://github.com/odoo/odoo/blob/18.0/addons/mail/models/mail_activity.py
_TO_DO, _UNMAILED = "mail.mail_activity_data_todo", {**QUIET, "mail_activity_quick_update": True}


class Odoo(OdooErasing):
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        chat = Chat.of(self.settings, conversation, receipt, step)
        words = chat.words
        _ = words.person  # raises Skipped before anything is asked
        odoo, files = self.odoo(), ChatFiles(self, conversation, step)
        tags = step("tags", partial(self.tags_of, odoo, words.tags())) if words.tags() else []

        def record_of(partner: int | None) -> Any:
            return chat.recorded(
                "record",
                partner,
                newest=partial(self._newest, odoo, partner),
                add=partial(_added, chat.number),
                create=partial(self._create, odoo, chat, partner, tags),
                find=partial(self._find, odoo, chat),
            )

        made = People(self, Partners(self, odoo)).whose(step, words, record_of)
        made = made if isinstance(made, dict) else {"id": made}  # one that follows nothing
        record = made["id"]
        # Only the last of quick revisions is delivered, so the first that arrives here need not be number 1.
        revised = step.knows("first") and step("first", lambda: chat.number) < chat.number
        prefix, judge = _prefix(words.key), self.judge_record

        def bring(there: int) -> None:
            self._tell(odoo, chat, made, there, revised)
            place = (self.kind.model, there, prefix)
            texts = partial(file_marks, odoo, *place, words.key)
            files.add(words, NOTES, write=partial(add_files, odoo, files, *place, judge), texts=texts)

        try:
            record = step("moved", lambda: record) if step.knows("moved") else record
            bring(record)
        except Gone as gone:
            step.forget("moved")
            survivor = self._survivor(odoo, words)
            if survivor is None:
                raise RecordRefused(str(gone), status=gone.status) from gone
            record = step("moved", lambda: survivor)
            bring(record)
        step("first", lambda: chat.number)
        tell(step, receipt, made["id"])
        return Reference(str(record), odoo.page(self.kind.model, record))

    def check(self) -> Iterator[Finding]:
        return run_checks(odoo_checks(self, self.odoo(), self.name))

    def choices(self) -> Iterator[ChoiceList]:
        return odoo_choices(self.odoo(), self.settings)

    def setup(self) -> Iterator[Change]:
        name = self.key_field
        if name.startswith("x_") and name not in known_fields(self.odoo(), self.kind.model, name):
            yield Change(f"create the field '{name}' of {self.kind.model}, for the chat's key", self._make_key_field)

    # --- a new record ------------------------------------------------------------

    def _create(
        self, odoo: Rpc, chat: Chat, partner: int | None, tags: list[int], before: Before | None
    ) -> int | dict[str, Any]:
        words, own, lead = chat.words, self.settings, self.settings.record == "lead"
        looks = {"team_id": partial(self.is_there, odoo, self.kind.team)}
        looks["stage_id"] = partial(self.is_there, odoo, self.kind.stage)
        choices = chosen(chat.step, words, own, "team_id", "stage_id", "priority", exists=looks)
        values: dict[str, Any] = {"name": words.subject(SUBJECT), self.key_field: words.key, **choices}
        if "priority" in values:
            values["priority"] = str(values["priority"])  # a selection
        if partner:
            values["partner_id"] = partner
        elif lead:
            values["contact_name"] = words.name
        if tags:
            values["tag_ids"] = [[6, 0, tags]]

        def make(owner: int | None) -> int:
            team = self.first_team(odoo) if lead and not owner and "team_id" not in values else None
            # Without this a lead is assigned to the user of the API key, and a team's rules leave it there.
            whose = {"user_id": owner or False} if owner or lead else {}
            sent = {**values, **({"team_id": team} if team else {}), **whose, **self.record_fields(odoo, words)}
            return identity(odoo.call(self.kind.model, "create", vals_list=[sent], context=QUIET, judge=self.judge_new))

        number = self.owners(odoo).give(chat.step, words, own, make, first=chat.task_owner)
        return {"id": number, "follows": before.url} if before else number

    def _make_key_field(self) -> None:
        odoo = self.odoo()
        model = first_id(odoo, "ir.model", [["model", "=", self.kind.model]])
        field = {"name": self.key_field, "model_id": model, "field_description": "Smartsupp chat", "ttype": "char"}
        # A copy of a ticket is no second ticket of the chat.
        odoo.call("ir.model.fields", "create", vals_list=[field | {"copied": False, "index": True}])

    # --- a record from before ------------------------------------------------------

    def _newest(self, odoo: Rpc, partner: int | None, since: datetime) -> Before | None:
        """An open record of the contact's, or the one that changed last; a note is a change, too."""
        if not partner:
            return None
        time = _in_utc(since)
        touched = ["|", ["write_date", ">=", time], ["message_ids.date", ">=", time]]
        found = odoo.call(
            self.kind.model,
            "search_read",
            domain=["&", ["partner_id", "=", partner], *touched],
            fields=["active", "user_id", self.kind.ended],
            order="write_date desc, id desc",
            limit=_MOST,
            context={"active_test": False},  # a lost lead is archived
        )

        def before(one: Reply, is_open: bool) -> Before:
            number = one["id"].number
            return Before(number, is_open, odoo.page(self.kind.model, number), one.object)

        return open_first(found, lambda one: self.kind.is_open(one.object), before)

    def _find(self, odoo: Rpc, chat: Chat) -> Any:
        found = first_id(odoo, self.kind.model, [[self.key_field, "=", chat.words.key]])
        if found is not None or not chat.shares:
            return found
        added = self._survivor(odoo, chat.words)
        return {"id": added, "added": 0} if added is not None else None

    def _survivor(self, odoo: Rpc, words: Mapping) -> int | None:
        """The record with our notes: one that people merged ours into, as Odoo moves notes with their Message-Id; or
        one that a chat was added to."""
        # https://github.com/odoo/odoo/blob/18.0/addons/crm/models/crm_lead.py: _merge_dependences_history
        start = _prefix(words.key)
        domain = [["model", "=", self.kind.model], ["message_id", "=like", f"{start}%"]]
        found = odoo.call(
            "mail.message", "search_read", domain=domain, fields=["res_id", "message_id"], limit=100, order="id"
        )
        # `_` is any character there.
        return next((one["res_id"].number for one in found if one["message_id"].text.startswith(start)), None)

    # --- what is told to it ----------------------------------------------------------

    def _tell(self, odoo: Rpc, chat: Chat, made: dict[str, Any], record: int, revised: bool) -> None:
        """Bring the record up to date: its fields, the notes of this revision, and what is to be done."""
        step, words, number = chat.step, chat.words, chat.number
        # A record of another chat, or that others were merged into, is theirs.
        if revised and self.settings.fields and "added" not in made and not step.knows("moved"):
            step(f"fields {number}", partial(self._update, odoo, record, words))
        known = told(step, chat.receipt, made["id"]) if revised else None
        above = words.follows(made["follows"]) if "follows" in made else ""
        above = words.heading(SUBJECT) if "added" in made else above
        append(
            step,
            "note",
            NOTES.parts(words, number, revised=revised, heading="" if revised else above, after=known),
            write=partial(self._note, odoo, record, chat.conversation),
            look=partial(self._find_note, odoo, record),
            newest_first=True,
        )
        if chat.task:
            write = partial(self._schedule, odoo, chat, chat.task, made, record)
            step.once("activity", write, find=partial(self._find_activity, odoo, words, record))

    def _find_note(self, odoo: Rpc, record: int, part: Part) -> int | None:
        written = [["model", "=", self.kind.model], ["res_id", "=", record], ["message_id", "=", part.mark]]
        return first_id(odoo, "mail.message", written)

    def _update(self, odoo: Rpc, record: int, words: Mapping) -> bool:
        values = self.record_fields(odoo, words)
        return not values or truth(
            odoo.call(self.kind.model, "write", ids=[record], vals=values, context=QUIET, judge=self.judge_record)
        )

    def _note(self, odoo: Rpc, record: int, conversation: Conversation, part: Part) -> int:
        # https://www.odoo.com/documentation/18.0/developer/reference/backend/mixins.html: from 17 on a plain text is
        # escaped unless body_is_html says that it is HTML; 14 to 16 take all bodies for HTML and ignore the word.
        moment = conversation.end_at or conversation.begin_at
        when: dict[str, Any] = {"date": f"{moment:%Y-%m-%d %H:%M:%S}"} if moment else {}
        return identity(
            odoo.call(
                self.kind.model,
                "message_post",
                ids=[record],
                body=part.body,
                body_is_html=True,
                message_type="comment",
                subtype_xmlid="mail.mt_note",
                message_id=part.mark,
                context=QUIET,
                judge=self.judge_record,
                **when,
            )
        )

    def _schedule(self, odoo: Rpc, chat: Chat, task: Task, made: dict[str, Any], record: int) -> int:
        """An activity, which has a day and no time: that stands in its note."""
        words, own = chat.words, self.settings
        owner = self.owners(odoo).first(words, own, first=chat.task_owner) or made.get("owner")
        chat.step.note(
            "activity", "" if owner else "task: nobody is named, so the activity is that of the API key's user."
        )
        zone = ZoneInfo(own.time_zone)
        when = {"date_deadline": f"{task.due.astimezone(zone):%Y-%m-%d}"} if task.due else {}
        said = (words.voice.moment(task.due), _activity_mark(words.key))
        # https://github.com/odoo/odoo/blob/18.0/addons/mail/models/mail_activity_mixin.py: activity_schedule
        return identity(
            odoo.call(
                self.kind.model,
                "activity_schedule",
                ids=[record],
                act_type_xmlid=_TO_DO,
                summary=words.subject(SUBJECT),
                note=str(Markup().join(Markup("<p>{}</p>").format(one) for one in said if one)),
                context=_UNMAILED,
                judge=self.judge_record,
                **when,
                **({"user_id": owner} if owner else {}),
            )
        )

    def _find_activity(self, odoo: Rpc, words: Mapping, record: int) -> int | None:
        mark = _activity_mark(words.key)
        domain = [["res_model", "=", self.kind.model], ["res_id", "=", record], ["note", "like", mark]]
        found = odoo.call(
            "mail.activity", "search_read", domain=domain, fields=["note"], context={"active_test": False}
        )
        one = marked(found, lambda activity: activity["note"].text, mark)
        return one["id"].number if one is not None else None


def _added(number: int, before: Before) -> dict[str, Any]:
    """Added to a record of another chat; its salesperson, in the form of the id and the name."""
    user = before.known.get("user_id")
    return {"id": before.id, "added": number, "owner": user[0] if isinstance(user, list) and user else None}


def _in_utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _activity_mark(key: str) -> str:
    return f"[{key}]"


def _prefix(key: str) -> str:
    """How the Message-Id of each of our notes begins."""
    return f"<{key.replace(':', '.')}."


def _message_id(key: str, revision: int, part: int) -> str:
    return f"{_prefix(key)}{revision}.{part}@smartsupp.invalid>"


#: Odoo sets no limit to a note, but cleans the HTML of each while we wait. It shows the newest on top.
NOTES = Layout(200_000, mark=_message_id, shown=False, linked=True)

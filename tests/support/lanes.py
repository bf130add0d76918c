"""Which tests start processes beside the store's server, and in which order all of them run.

The quick ones are a lane of their own (`make test-fast`). No list says which start processes: whoever starts one
without the mark `processes` fails, and whoever asks for a fixture that starts some has it. What computes for long is in
THOROUGH.
"""

from __future__ import annotations

import multiprocessing.process
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Fixtures that start processes.
FIXTURES = {"authority", "browser", "collector", "mailbox", "receiver", "relay", "rigs", "site", "three", "up"}
#: Folders whose tests all do, those that take longest first: what begins last is what the others wait for.
FOLDERS = ("browser", "faults", "e2e", "deploy")
#: Tests that go through cases by the hundred. Of all tests without processes these few take two fifths of the time:
#: `make test` has them, `make test-fast` has not.
THOROUGH = {
    "test_a_body_of_many_objects_costs_neither_worker_nor_receiver_much_memory",
    "test_a_death_before_or_after_any_request_leaves_one_person_and_one_record",
    "test_a_death_while_a_revision_is_delivered_leaves_one_of_it",
    "test_a_description_of_short_lines_fits_although_redmine_lengthens_them",
    "test_a_hostile_chat_arrives_whole_and_harmless",
    "test_a_lost_reply_to_any_request_leaves_one_person_and_one_record",
    "test_a_mistake_in_the_store_is_found",
    "test_a_success_of_an_unexpected_shape_is_tried_again",
    "test_generated_people_are_each_one_person_and_keep_what_they_have",
    "test_no_part_is_longer_than_it_may_be_and_each_ends_with_its_mark",
    "test_no_state_between_two_good_files_costs_a_post",
    "test_of_a_million_pairs_of_different_chats_none_is_taken_for_one",
    "test_what_stands_in_the_file_comes_back_untouched_whatever_it_is",
    "test_whatever_is_typed_is_text_and_breaks_nothing",
}
#: What any test may start: the store's own server, and git, which lists files in a moment.
ANYBODYS = {"valkey-server", "git"}


def mark(items: list[pytest.Item]) -> None:
    """Mark what starts processes, keep together what shares them, and put that first."""
    for item in items:
        folder = _folder(item)
        if folder in FOLDERS or FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("processes")
        if getattr(item, "originalname", "") in THOROUGH:
            item.add_marker("thorough")
        if shared := _shared(item):
            item.add_marker(pytest.mark.xdist_group(shared))
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, int]:
    folder = _folder(item)
    among = FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)
    return (0 if item.get_closest_marker("processes") else 1, among)


def _folder(item: pytest.Item) -> str:
    parts = item.path.parts
    return parts[parts.index("tests") + 1] if "tests" in parts else ""


def _shared(item: pytest.Item) -> str:
    """Whoever shares what a module or a folder starts runs in one process, or each would start it once more."""
    found = ""
    for fixtures in item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ():
        for one in fixtures:
            if one.scope == "package":
                return _folder(item)
            if one.scope == "module":
                found = item.path.stem
    return found


@contextmanager
def alone(item: pytest.Item) -> Iterator[None]:
    """While a test runs that has no mark, nothing but ANYBODYS may be started."""
    if item.get_closest_marker("processes"):
        yield
        return
    patch = pytest.MonkeyPatch()
    popen: Callable[..., None] = subprocess.Popen.__init__

    def checked(self: Any, args: Any, *more: Any, **options: Any) -> None:
        program = args if isinstance(args, str) else str(args[0])
        if Path(program).name not in ANYBODYS:
            raise AssertionError(f"{program} is started by a test that is not marked with pytest.mark.processes")
        popen(self, args, *more, **options)

    def refused(self: Any) -> None:
        raise AssertionError("a process is started by a test that is not marked with pytest.mark.processes")

    patch.setattr(subprocess.Popen, "__init__", checked)
    patch.setattr(multiprocessing.process.BaseProcess, "start", refused)
    try:
        yield
    finally:
        patch.undo()

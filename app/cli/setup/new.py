"""`relay connectors new`."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.options import as_json, fail
from app.cli.output.records import print_json
from connectors import registry
from connectors.testing.starter import Way, default_label, starter
from core.config.mistakes.files import file_mistake


@click.command("new")
@click.argument("name")
@click.option("--python", "way", flag_value="python", help="A connector in Python: for a vendor with logic of its own.")
@click.option(
    "--recipe",
    "way",
    flag_value="recipe",
    default="recipe",
    show_default="unless --python",
    help="A connector in YAML.",
)
@click.option("--label", help="The destination's name, as it spells it itself; the default is made of NAME.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where; the default is relay-NAME, here.")
@as_json
def new(name: str, way: Way, label: str | None, folder: Path | None, as_json: bool) -> None:
    """Write a connector of your own to start from.

    It is `type: NAME`, with its page, a fake of the destination, and tests that pass. It goes into a new folder, and
    nothing else changes. docs/writing-a-recipe.md and docs/writing-a-connector.md say what comes next.
    """
    try:
        files = starter(name, label or default_label(name), way)
    except ValueError as error:
        fail(str(error))
    if name in registry.known_types():
        fail(f"There is a connector type '{name}' already. Choose another name.")
    place = folder or Path(f"relay-{name}")
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            fail(f"{place} is there already. Choose another --folder, or remove it.")
        for path, text in files.items():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"Cannot write to {place}: {file_mistake(error)}")
    if as_json:
        print_json({"type": name, "folder": str(place), "files": sorted(files)})
        return
    click.echo(f"Wrote {place}:")
    for path in sorted(files):
        click.echo(f"  {path}")
    click.echo(
        f"\nIts tests pass as it stands: cd {place} && python -m pytest\n"
        "Next: put the destination's own requests in the place of these. README.md there is its page."
    )

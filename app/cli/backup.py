"""`relay backup` and `relay restore`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from app.admin.transfer import backup as backups
from app.cli.options import as_json, fail, needs, settings_anyway
from app.cli.output.records import print_json
from connectors.archive import ArchiveSettings
from core.config.environment import Environment


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--without-store", is_flag=True, help="Leave out the store; back up a server of your own by itself.")
@as_json
@needs(lambda env: env)
def backup(env: Environment, file: Path, without_store: bool, as_json: bool) -> None:
    """Write a backup of everything into one file.

    Everything is store, archive, relay.yaml, its secrets and the hook's token; the relay may run meanwhile. For the
    embedded server of relay up. The file holds personal data. Encryption keys, the .env beside relay.yaml and
    files that relay.yaml names are not in it.
    """
    if not env.embedded and not without_store:
        fail(
            "The store is on a server of your own: back up its append-only file there (docs/upgrading.md). "
            "relay backup --without-store backs up the archive and relay.yaml.",
            2,
        )
    inside, outside = _archives(env)
    found = backups.write_backup(env, file, inside, with_store=not without_store)
    if as_json:
        print_json(
            {
                "file": str(file),
                **asdict(found),
                "bytes": file.stat().st_size,
                "left_out": [str(one) for one in outside],
            }
        )
        return
    click.echo(f"{file}: {file.stat().st_size:,} bytes. Contents: {_told(found)}.")
    for one in outside:
        click.echo(f"Not included: the archive in {one}, outside the data folder. Back it up separately.")
    click.echo(
        "Keep RELAY_ENCRYPTION_KEYS, .env and the files that relay.yaml names with ${file:…} elsewhere;"
        " the backup does not include them."
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
@needs(lambda env: env)
def restore(env: Environment, file: Path, as_json: bool) -> None:
    """Restore a backup into an empty data folder (RELAY_DATA_DIR).

    Nothing is overwritten. Afterwards Relay looks for each record at its destination before it creates one.
    """
    found, left = backups.read_backup(env, file)
    if as_json:
        print_json({"data_dir": str(env.data_dir), **asdict(found), "left": list(left)})
        return
    click.echo(f"{env.data_dir} has the state of {found.taken}: {_told(found)}.")
    for line in left:
        click.echo(line)
    click.echo(
        "Next: relay up, then relay doctor. Relay looks for each record at its destination before it creates one."
    )


def _archives(env: Environment) -> tuple[list[Path], list[Path]]:
    """The folders of archives inside the data folder, and those outside. The usual one counts even when relay.yaml
    cannot be read or has no archive any more."""
    settings = settings_anyway(env)
    named = [one.folder for one in settings.connectors.values() if isinstance(one, ArchiveSettings)] if settings else []
    folders = {(env.data_dir / one).resolve() for one in (ArchiveSettings.model_fields["folder"].default, *named)}
    inside = {one for one in folders if one.is_relative_to(env.data_dir.resolve())}
    return sorted(inside), sorted(folders - inside)


def _told(found: backups.Contents) -> str:
    parts = [
        f"a store of {found.store:,} bytes" if found.store else "no store",
        f"{found.archive:,} files of the archive",
        *(["relay.yaml"] if found.config else []),
        *(["the hook's token"] if found.token else []),
        *(["the secrets"] if found.secrets else []),
    ]
    return ", ".join(parts)


COMMANDS: Sequence[click.Command] = (backup, restore)

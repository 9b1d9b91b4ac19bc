"""A study in one file: images, truth, key, and everything in its database, also while it runs."""

import lzma
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from dermsynth.data.writing import require_empty
from dermsynth.errors import UserError
from dermsynth.io import replace_file, replace_folder
from dermsynth.study.create import DESCRIPTION, ITEMS, PROTOCOL, SECRET, Study, open_study
from dermsynth.study.serve import DATABASE_VARIABLE
from dermsynth.study.service import LiveStudy
from dermsynth.study.store import DATABASE, Base, Invitation, Rater, empty_journal, open_store

FILES = (DESCRIPTION, PROTOCOL, ITEMS, SECRET)
PRIVATE = (ITEMS, SECRET, DATABASE)
DAMAGES = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a damaged, encrypted or foreign zip file ends in."""
IMAGE = re.compile(r"images/[0-9a-f]{16}\.png")


def back_up(live: LiveStudy, path: Path) -> int:
    """Write a study to a zip file that only its owner reads, and say how many raters it has.

    All tables are of one moment, whoever answers meanwhile. The organiser's token is not in it: a restored study makes a new one.

    Raises UserError for a file that exists already.
    """
    if path.exists():
        raise UserError(f"{path}: exists already; name another file")
    folder = live.study.folder
    with tempfile.TemporaryDirectory() as work, replace_file(path) as temporary:
        store = Path(work) / DATABASE
        raters = _copy_rows(live.engine, open_store(store.parent))
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name in FILES:
                archive.write(folder / name, name)
            for item in live.study.items["item"]:
                archive.write(live.study.image(str(item)), f"images/{item}.png")
            archive.write(store, DATABASE)
    path.chmod(0o600)
    return raters


def restore(path: Path, out: Path, database: str = "") -> Study:
    """Unpack a backup into a new folder; with a URL its answers go into that database, which must hold no rater yet.

    Raises UserError for a file that is no backup, is incomplete, damaged, or holds something else, for a folder that is not
    empty, for a database that is in use, and where the environment names another one; nothing is left behind then.
    """
    require_empty(out)
    if os.environ.get(DATABASE_VARIABLE) and not database:
        raise UserError(
            f"{DATABASE_VARIABLE} is set, so that commands on {out} would use that database and not the restored one; unset "
            "it, or say with `database` where the answers shall be"
        )
    with _opened(path) as archive, replace_folder(out) as work:
        for name in _names(archive, path):
            archive.extract(name, work)
        for name in PRIVATE:
            (work / name).chmod(0o600)
        _require_whole(work, path)
        if database:
            _move_to(work, database)
    out.chmod(0o700)
    return open_study(out)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DAMAGES as error:
        raise UserError(f"{path}: no readable backup of a study ({error})") from error


def _names(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """The files of a backup. Raises UserError where one is missing or foreign."""
    names = archive.namelist()
    missing = [name for name in (*FILES, DATABASE) if name not in names]
    foreign = [name for name in names if name not in (*FILES, DATABASE) and not IMAGE.fullmatch(name)]
    if missing or foreign:
        what = f"lacks {missing[0]}" if missing else f"holds {foreign[0]!r}, which no study has"
        raise UserError(f"{path}: no backup of a study: {what}")
    return names


def _require_whole(folder: Path, path: Path) -> None:
    """Raise UserError where an image, the key, or a readable database is missing."""
    study = open_study(folder)
    lacking = [item for item in study.items["item"] if not study.image(str(item)).exists()]
    if lacking or study.items.empty or not study.secret:
        what = f"image {lacking[0]}" if lacking else "the table of images" if study.items.empty else "the key"
        raise UserError(f"{path}: incomplete, lacks {what}; take another backup")
    open_store(folder).dispose()


def require_answers(folder: Path, database: str = "") -> None:
    """Raise UserError where a study has no database in its folder, and none is named: an empty one would be backed up."""
    if not database and not os.environ.get(DATABASE_VARIABLE) and not (folder / DATABASE).exists():
        raise UserError(
            f"{folder}: holds no answers; name their database with `database` or {DATABASE_VARIABLE}, or serve the study first"
        )


def _move_to(folder: Path, database: str) -> None:
    """Copy the rows of the folder's own database into another one, and remove the former."""
    engine = open_store(folder, database)
    with engine.connect() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) or 0 for table in (Rater, Invitation)]
    if any(counts):
        raise UserError(
            f"`database`: {counts[0]} raters and {counts[1]} invitations are in it already; name an empty one"
        )
    own = open_store(folder)
    _copy_rows(own, engine)
    own.dispose()
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (folder / name).unlink(missing_ok=True)


def _copy_rows(source: Engine, target: Engine) -> int:
    """All rows of all tables, read in one transaction; the target ends in one file. The number of raters."""
    with _moment(source) as rows, target.begin() as into:
        for table in Base.metadata.sorted_tables:
            found = [dict(row) for row in rows.execute(select(table)).mappings()]
            into.execute(table.delete())
            if found:
                into.execute(insert(table), found)
        raters = rows.scalar(select(func.count()).select_from(Rater)) or 0
        _continue_numbers(into)
    empty_journal(target)
    target.dispose()
    return raters


@contextmanager
def _moment(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it is now, whatever is written meanwhile."""
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
    except SQLAlchemyError as error:
        raise UserError(f"the database cannot be read ({type(error).__name__})") from error


def _continue_numbers(connection: Connection) -> None:
    """PostgreSQL counts its keys apart from the rows: go on after the last."""
    if connection.dialect.name != "postgresql":
        return
    for table in Base.metadata.sorted_tables:
        if "id" in table.c:
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), COALESCE((SELECT MAX(id) FROM {table.name}), "
                "0) + 1, false)"
            )

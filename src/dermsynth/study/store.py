"""The database of a study: invitations, raters, their trials, and every answer ever given."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    Engine,
    ForeignKey,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from dermsynth.errors import UserError

DATABASE = "study.sqlite"
BUSY_MS = 20_000
THREADS = 40
"""Most threads of the server, each of which may need a connection."""


class Base(DeclarativeBase):
    """All tables."""


class Setting(Base):
    """A fact about the whole study: whether it is open, paused or closed, and when it was."""

    __tablename__ = "setting"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Invitation(Base):
    """A link for one person (cap 1) or for several; only the hash of its token is kept."""

    __tablename__ = "invitation"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    cap: Mapped[int]
    used: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[str] = mapped_column(String(32))


class Rater(Base):
    """A person who agreed to take part; nothing here names them."""

    __tablename__ = "rater"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    invitation_id: Mapped[int] = mapped_column(ForeignKey("invitation.id"))
    name: Mapped[str] = mapped_column(String(16), unique=True)
    language: Mapped[str] = mapped_column(String(8))
    consented: Mapped[str] = mapped_column(String(32))
    group: Mapped[str] = mapped_column(String(40), default="")
    years: Mapped[str] = mapped_column(String(8), default="")
    instructed: Mapped[str] = mapped_column(String(32), default="")
    finished: Mapped[str] = mapped_column(String(32), default="")
    comments: Mapped[str] = mapped_column(Text, default="")
    excluded: Mapped[str] = mapped_column(Text, default="")
    trials: Mapped[list["Trial"]] = relationship(
        back_populates="rater", cascade="all, delete-orphan", order_by="Trial.position"
    )


class Trial(Base):
    """One image at one place of a rater's sequence; `asked` is the answer that an attention check asks for.

    `views` counts how often its page was opened where images are shown for a limited time: to reload is to see it again.
    """

    __tablename__ = "trial"
    __table_args__ = (UniqueConstraint("rater_id", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    item: Mapped[str] = mapped_column(String(16))
    repeat: Mapped[bool] = mapped_column(default=False)
    asked: Mapped[str] = mapped_column(String(16), default="")
    views: Mapped[int] = mapped_column(default=0)
    rater: Mapped[Rater] = relationship(back_populates="trials")
    answers: Mapped[list["Answer"]] = relationship(
        back_populates="trial", cascade="all, delete-orphan", order_by="Answer.id"
    )


class Answer(Base):
    """An answer; the last one of a trial counts. A repeated submission has the same `nonce` and is stored once."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("trial_id", "nonce"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id", ondelete="CASCADE"), index=True)
    nonce: Mapped[str] = mapped_column(String(32))
    given: Mapped[str] = mapped_column(Text)
    measured: Mapped[str] = mapped_column(Text)
    received: Mapped[str] = mapped_column(String(32))
    trial: Mapped[Trial] = relationship(back_populates="answers")

    @property
    def values(self) -> dict[str, str]:
        """Question -> what was answered."""
        answers: dict[str, str] = json.loads(self.given)
        return answers

    @property
    def times(self) -> dict[str, float]:
        """What the browser measured: milliseconds from showing to hiding and answering, window, zoom, pixel ratio."""
        times: dict[str, float] = json.loads(self.measured)
        return times


def now() -> str:
    """The time, to be stored."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def open_store(folder: Path, url: str = "") -> Engine:
    """The study's database, brought to the newest layout: SQLite in its folder, or any other by URL.

    Raises UserError when it cannot be opened.
    """
    place = url or f"sqlite:///{_private(folder / DATABASE).resolve()}"
    try:
        engine = create_engine(place, pool_size=THREADS)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _configure)
        _migrate(engine)
    except ArgumentError as error:
        raise UserError(f"`database`: not a URL of a database ({type(error).__name__})") from error
    except (SQLAlchemyError, ImportError) as error:
        raise UserError(f"{_without_password(place)}: cannot be opened ({type(error).__name__})") from error
    return engine


def _private(path: Path) -> Path:
    """A file that only its owner reads; SQLite's journal takes over its mode."""
    with suppress(OSError):  # what is wrong is said when it is opened
        path.touch(mode=0o600)
    return path


def _without_password(place: str) -> str:
    """A URL without its password."""
    return make_url(place).render_as_string(hide_password=True)


def _configure(connection: Any, _: object) -> None:
    """Acknowledged answers are on the disk; readers never wait for the writer."""
    connection.isolation_level = None
    for setting in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}", "secure_delete=ON",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {setting}")


def empty_journal(engine: Engine) -> None:
    """What was deleted is not left in SQLite's journal either, unless somebody is reading just now."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _migrate(engine: Engine) -> None:
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(files("dermsynth.study") / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def reading(engine: Engine) -> Session:
    """A session that only reads: every query by itself, without the two more that begin and end a transaction."""
    return Session(engine.execution_options(isolation_level="AUTOCOMMIT"))


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session whose transaction takes the right to write at its start, so that it cannot fail for it later.

    SQLite lets one write at a time and others sleep a while: the threads of this process wait in line instead.
    """
    alone = engine.dialect.name == "sqlite"
    with _LINE if alone else nullcontext(), Session(engine, expire_on_commit=False) as session:
        if alone:
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
        yield session


_LINE = threading.Lock()


def setting(session: Session, name: str, otherwise: str) -> str:
    """A fact about the study."""
    row = session.get(Setting, name)
    return row.value if row is not None else otherwise


def change_setting(session: Session, name: str, value: str) -> None:
    """Set a fact about the study."""
    session.merge(Setting(name=name, value=value))

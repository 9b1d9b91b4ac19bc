"""A study's server: its database, the organiser's token, and the application."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermsynth.errors import UserError
from dermsynth.study.create import Study, open_study
from dermsynth.study.links import Links, organiser_hash
from dermsynth.study.service import LiveStudy
from dermsynth.study.store import open_store

if TYPE_CHECKING:
    from fastapi import FastAPI

TOKEN_FILE, TOKEN_VARIABLE, DATABASE_VARIABLE = "organiser.token", "DERMSYNTH_STUDY_TOKEN", "DERMSYNTH_STUDY_DATABASE"
LOCAL = ("127.0.0.1", "localhost", "::1")
SHORTEST = 16
SWITCH = 0.0005
"""Seconds after which a thread that stores an answer gets its turn while pages are made."""
NO_TELEMETRY = {"FASTAPI_OTEL_AUTO_CONFIGURE": "false", "OTEL_SDK_DISABLED": "true"}


@dataclass(frozen=True)
class Server:
    """A study's application, where it will listen, and where the organiser finds page and token."""

    application: "FastAPI"
    host: str
    port: int
    proxy: str
    organiser_url: str
    token_source: str

    def run(self) -> None:
        """Serve until the process is stopped."""
        import uvicorn

        sys.setswitchinterval(SWITCH)
        uvicorn.run(
            self.application, host=self.host, port=self.port, log_level="warning", access_log=False, server_header=False,
            date_header=False, limit_concurrency=1000, timeout_keep_alive=30, forwarded_allow_ips=self.proxy,
        )  # fmt: skip


def open_live_study(folder: Path, database: str = "", days: int = 90) -> LiveStudy:
    """A study with its database open and its links ready; the database's URL may come from the environment.

    Raises UserError when the folder is no study or the database cannot be opened.
    """
    study = open_study(folder)
    return LiveStudy(
        study, open_store(folder, database or os.environ.get(DATABASE_VARIABLE, "")), Links(study.secret, days)
    )


def organiser_token(study: Study, host: str) -> str:
    """The organiser's token: from the environment, or from a private file of the study that is written the first time.

    Raises UserError when the server can be reached from outside and no token was chosen.
    """
    chosen = os.environ.get(TOKEN_VARIABLE, "")
    if chosen and len(chosen) < SHORTEST:
        raise UserError(f"{TOKEN_VARIABLE}: {len(chosen)} characters; at least {SHORTEST} are needed")
    if not chosen and host not in LOCAL:
        raise UserError(
            f"`host` {host}: others can reach this server; choose the organiser's token first, in the environment: "
            f"{TOKEN_VARIABLE}=... (at least {SHORTEST} characters)"
        )
    if chosen:
        return chosen
    path = study.folder / TOKEN_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


def prepare_server(folder: Path, *, host: str, port: int, prefix: str, proxy: str, database: str, days: int) -> Server:
    """Open a study and build its application; `proxy` is the address that is trusted on a client's address and scheme.

    Raises UserError for a prefix that is no path, and as `open_live_study` and `organiser_token` do.
    """
    os.environ |= NO_TELEMETRY  # before FastAPI is imported
    from dermsynth.study.web.app import application
    from dermsynth.study.web.site import Site

    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise UserError(f"`prefix` {prefix!r}: write it as /study")
    opened = open_live_study(folder, database, days)
    token = organiser_token(opened.study, host)
    site = Site(opened, organiser_hash(opened.study.secret, token))
    source = TOKEN_VARIABLE if os.environ.get(TOKEN_VARIABLE) else str(opened.study.folder / TOKEN_FILE)
    url = f"http://{host}:{port}{prefix}/organise"
    return Server(application(site, prefix), host, port, proxy, url, source)

"""Start a study's server."""

import os
import secrets
import sys
from pathlib import Path

from dermsynth.errors import UserError
from dermsynth.study.create import Study, open_study
from dermsynth.study.links import Links, organiser_hash
from dermsynth.study.service import Running
from dermsynth.study.store import open_store

TOKEN_FILE, TOKEN_VARIABLE, DATABASE_VARIABLE = "organiser.token", "DERMSYNTH_STUDY_TOKEN", "DERMSYNTH_STUDY_DATABASE"
LOCAL = ("127.0.0.1", "localhost", "::1")
SHORTEST = 16
SWITCH = 0.0005
"""Seconds after which a thread that stores an answer gets its turn while pages are made."""


def running(folder: Path, database: str = "", days: int = 90) -> Running:
    """A study with its database open and its links ready; the database's URL may come from the environment.

    Raises UserError when the folder is no study or the database cannot be opened.
    """
    study = open_study(folder)
    return Running(
        study, open_store(folder, database or os.environ.get(DATABASE_VARIABLE, "")), Links(study.secret, days)
    )


def organiser_token(study: Study, host: str) -> str:
    """The organiser's token: from the environment, or from a file of the study made the first time, which only its owner reads.

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


def serve(folder: Path, *, host: str, port: int, prefix: str, proxy: str, database: str, days: int) -> None:
    """Serve a study until it is stopped; `proxy` is the address whose word on a client's address and scheme is taken.

    Raises UserError for a prefix that is no path, and as `running` and `organiser_token` do.
    """
    os.environ |= {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
        "OTEL_SDK_DISABLED": "true",
    }  # no telemetry, whatever is set up
    sys.setswitchinterval(SWITCH)
    import uvicorn

    from dermsynth.study.web.app import application
    from dermsynth.study.web.site import Site

    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise UserError(f"`prefix` {prefix!r}: write it as /study")
    found = running(folder, database, days)
    token = organiser_token(found.study, host)
    site = Site(found, organiser_hash(found.study.secret, token))
    where = f"http://{host}:{port}{prefix}"
    chosen = TOKEN_VARIABLE if os.environ.get(TOKEN_VARIABLE) else str(found.study.folder / TOKEN_FILE)
    print(f"organiser: {where}/organise (token: {chosen})", flush=True)
    uvicorn.run(
        application(site, prefix), host=host, port=port, log_level="warning", access_log=False, server_header=False,
        date_header=False, limit_concurrency=1000, timeout_keep_alive=30, forwarded_allow_ips=proxy,
    )  # fmt: skip

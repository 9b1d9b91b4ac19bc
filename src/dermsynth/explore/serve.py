"""The page of a run on this machine, ready to be served."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermsynth.errors import UserError
from dermsynth.explore.explorer import Explorer, Move, gate_of
from dermsynth.latents.attributes import scorer
from dermsynth.latents.directions import collect_directions
from dermsynth.latents.space import space_of
from dermsynth.sampling.generator import load_generator

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
NO_TELEMETRY = {"FASTAPI_OTEL_AUTO_CONFIGURE": "false", "OTEL_SDK_DISABLED": "true"}


@dataclass(frozen=True)
class Page:
    """The page's application and port, and what its copy gate rests on, or why there is none."""

    application: "FastAPI"
    port: int
    gate: str

    @property
    def url(self) -> str:
        """Where the page is shown."""
        return f"http://{HOST}:{self.port}"

    def run(self) -> None:
        """Serve until the process is stopped."""
        import uvicorn

        uvicorn.run(
            self.application, host=HOST, port=self.port, log_level="warning", access_log=False, server_header=False
        )


def prepare_page(
    run: Path, directions: Sequence[Path], scores: Sequence[str], model: str, *, which: str, device: str, port: int,
    data: Path | None = None,
) -> Page:  # fmt: skip
    """Load a run, its directions, scorers and copy gate, and build the page; the run stays as it is.

    Raises UserError for a run without latents, directions of another generator, scorers that are not there, a port in use.
    """
    os.environ |= NO_TELEMETRY  # before FastAPI is imported
    from dermsynth.explore.site import application

    _require_free(port)
    space = space_of(load_generator(run, which=which, device=device))
    by_name, scorers = collect_directions(directions, space), [scorer(place, model) for place in scores]
    gate, note = gate_of(space.generator, data)
    explorer = Explorer(space, by_name, scorers, gate)
    explorer.pair(Move(0, (explorer.classes or ("",))[0], None, ()))  # loads everything that the first answer needs
    basis = note if gate is None else f"{gate.gate.held_out} held-out images set its threshold"
    return Page(application(explorer, note), port, basis)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port just left is free
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UserError(f"`port` {port}: cannot be used ({error}); choose another") from error

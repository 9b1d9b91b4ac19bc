"""Start the page."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from dermsynth.errors import UserError
from dermsynth.explore.explorer import Explorer, Move, gate_of
from dermsynth.latents.attributes import scorer
from dermsynth.latents.directions import gathered
from dermsynth.latents.space import space_of
from dermsynth.sampling.generate import load_generator


def serve(
    run: Path, directions: Sequence[Path], scores: Sequence[str], model: str, *, which: str, device: str, port: int,
    data: Path | None = None,
) -> None:  # fmt: skip
    """Show the page of a run on this machine until it is stopped.

    Raises UserError for a run without latents, directions of another generator, scorers that are not there, a port in use.
    """
    os.environ |= {"FASTAPI_OTEL_AUTO_CONFIGURE": "false", "OTEL_SDK_DISABLED": "true"}  # no telemetry
    import uvicorn

    from dermsynth.explore.site import application

    _require_free(port)
    space = space_of(load_generator(run, which=which, device=device))
    found, seen = gathered(directions, space), [scorer(place, model) for place in scores]
    gate, note = gate_of(space.generator, data)
    print(
        f"copy gate: {note if gate is None else f'{gate.gate.held_out} held-out images set its threshold'}", flush=True
    )
    explorer = Explorer(space, found, seen, gate)
    explorer.shown(Move(0, (explorer.classes or ("",))[0], None, ()))  # the first time everything is loaded
    app = application(explorer, note)
    print(f"http://127.0.0.1:{port}  (this machine only; Ctrl-C ends it)", flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, server_header=False)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise UserError(f"`port` {port}: cannot be listened on ({error}); choose another") from error

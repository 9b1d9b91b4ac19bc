"""The icon that both web applications show."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse


def add_icon(app: FastAPI) -> None:
    """Serve `/icon.svg`."""

    @app.get("/icon.svg")
    def icon() -> FileResponse:
        return FileResponse(Path(str(files("dermsynth.web") / "static" / "icon.svg")))

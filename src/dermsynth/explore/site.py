"""The page with sliders, two images and scores, and its answers to one move at a time."""

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from dermsynth.errors import UserError
from dermsynth.explore.explorer import FARTHEST, Explorer, Move
from dermsynth.images import encode_png
from dermsynth.latents.edits import MOST
from dermsynth.web.guard import POLICY, Guard
from dermsynth.web.icon import add_icon

HOSTS = ("127.0.0.1", "localhost")
"""Names under which the page answers: another site cannot point its own name here and read along."""


class MoveQuery(BaseModel):
    """A move as the page's script sends it: `step` is NAME:NUMBER, once a direction."""

    seed: int
    label: str = ""
    truncation: float | None = None
    step: list[str] = Field(default_factory=list, max_length=100)
    which: Literal["before", "after"] = "after"
    download: bool = False

    @property
    def move(self) -> Move:
        """The move without steps of 0, in the order of names."""
        parts = [text.rpartition(":") for text in self.step]
        try:
            steps = sorted((name, float(number)) for name, _, number in parts)
        except ValueError as error:
            raise UserError(f"step {self.step}: write NAME:NUMBER") from error
        return Move(self.seed, self.label, self.truncation, tuple(step for step in steps if step[1] != 0))


Asked = Annotated[MoveQuery, Query()]


def application(explorer: Explorer, note: str = "") -> FastAPI:
    """The site of an explorer; `note` says why there is no copy gate, if there is none."""
    app = FastAPI(title="dermsynth explore", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    app.mount("/static", StaticFiles(directory=Path(str(files("dermsynth.explore") / "static"))), name="static")
    add_icon(app)
    page = _page(explorer, note)

    @app.get("/")
    def show() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": f"{POLICY}; connect-src 'self'"})

    @app.get("/scores")
    def scores(query: Asked) -> JSONResponse:
        pair = explorer.pair(query.move)
        nearness = None if pair.nearness is None else asdict(pair.nearness)
        return JSONResponse({"scores": [asdict(score) for score in pair.scores], "nearness": nearness})

    @app.get("/image.png")
    def image(query: Asked) -> Response:
        move = query.move if query.which == "after" else Move(query.seed, query.label, query.truncation, ())
        pixels = getattr(explorer.pair(query.move), query.which)
        text = {"Software": "dermsynth", "recipe": json.dumps(explorer.recipe(move).model_dump())}
        return Response(
            encode_png(pixels, text=text, synthetic=True),
            media_type="image/png",
            headers=_attachment(query, f"{explorer.space.generator.run.name}_seed{query.seed}.png"),
        )

    @app.get("/recipe.json")
    def recipe(query: Asked) -> JSONResponse:
        explorer.pair(query.move)
        return JSONResponse(explorer.recipe(query.move).model_dump(), headers=_attachment(query, "recipe.json"))

    @app.exception_handler(UserError)
    def refused(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "seed must be a whole number, truncation and steps must be numbers"}, 400)

    return app


def _attachment(query: MoveQuery, name: str) -> dict[str, str]:
    safe = name.encode("ascii", "replace").decode().replace('"', "").replace("?", "_")
    return {"Content-Disposition": f'attachment; filename="{safe}"'} if query.download else {}


def _page(explorer: Explorer, note: str) -> str:
    generator = explorer.space.generator
    shape, model = generator.model.shape, generator.model
    templates = Environment(
        loader=PackageLoader("dermsynth.explore"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("explore.html").render(
        run=generator.run.name, recipe=generator.config.family, images=generator.checkpoint.images, width=shape.width,
        height=shape.height, classes=explorer.classes, directions=list(explorer.directions.values()), most=MOST,
        scorers=explorer.scorers, space=explorer.space.name, truncation=model.truncation, gate=explorer.gate, note=note,
        farthest=FARTHEST,
    )  # fmt: skip

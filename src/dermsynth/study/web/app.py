"""The application: everything a study's server is made of, put together."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from dermsynth.study.web import organiser, pages
from dermsynth.study.web.site import Site
from dermsynth.web.guard import HEADERS, Guard, Prefix
from dermsynth.web.icon import add_icon


def application(site: Site, prefix: str = "") -> FastAPI:
    """The whole site; `prefix` is the path under which a proxy shows it, which the proxy may pass on or cut off."""
    app = FastAPI(title="dermsynth reader study", root_path=prefix, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Prefix, prefix=prefix)
    app.add_middleware(Guard)
    app.mount("/static", StaticFiles(directory=Path(str(files("dermsynth.study.web") / "static"))), name="static")
    add_icon(app)
    app.state.site = site
    app.include_router(pages.router)
    app.include_router(organiser.router)

    @app.exception_handler(SQLAlchemyError)
    def storage(request: Request, error: Exception) -> Response:
        """The page of a database that cannot store: no answer is acknowledged, and the page says so."""
        return site.message(request, "full", 503)

    @app.exception_handler(HTTPException)
    @app.exception_handler(RequestValidationError)
    def unknown(request: Request, error: Exception) -> Response:
        """One answer for everything that is not there, malformed, or not yours."""
        status = error.status_code if isinstance(error, HTTPException) and error.status_code in (405, 429) else 404
        return site.message(request, "busy" if status == 429 else "unknown", status)

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> Response:
        """A mistake of ours, which the log tells; the page comes from outside the guard, so its headers are put here."""
        page = site.message(request, "full", 500)
        page.headers.update({**HEADERS, "Cache-Control": "no-store"})
        return page

    return app

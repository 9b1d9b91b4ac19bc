"""A live study with its templates, and what every page reads from a request."""

from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from dermsynth.study.protocol import Question
from dermsynth.study.service import LiveStudy
from dermsynth.study.texts import words, words_or
from dermsynth.web.guard import Limits, same_site


@dataclass(frozen=True)
class Site:
    """A live study, its templates and limits, and the hash of the organiser's token."""

    live: LiveStudy
    organiser: str
    limits: Limits = field(default_factory=Limits)
    templates: Environment = field(
        default_factory=lambda: Environment(
            loader=PackageLoader("dermsynth.study.web"),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )
    )

    def page(self, request: Request, template: str, language: str, status: int = 200, **values: object) -> HTMLResponse:
        """A page in a language."""
        protocol = self.live.study.protocol
        text = self.templates.get_template(template).render(
            base=request.scope.get("root_path", ""),
            request_base=str(request.base_url).rstrip("/"),
            language=language,
            title=protocol.title.get(language, next(iter(protocol.title.values()))),
            t=lambda key, **put: words(key, language, **put),
            question_text=lambda question: question_text(question, language),
            option_text=lambda question, option: option_text(question, option, language),
            **values,
        )
        return HTMLResponse(text, status)

    def message(self, request: Request, key: str, status: int) -> HTMLResponse:
        """A page that only says something: `unknown`, `closed`, `full`, `busy`."""
        language = preferred_language(request, self.live.study.protocol.languages)
        return self.page(request, "message.html", language, status, heading=f"{key}_heading", text=f"{key}_text")


def address(request: Request) -> str:
    """Address of the client, also through a trusted proxy."""
    return request.client.host if request.client else ""


async def form_of(request: Request, token: str) -> FormData:
    """The form, if it came from a page of this site under the same link or session."""
    data = await request.form(max_fields=40, max_files=0)
    ours = same_site(request.headers.get("sec-fetch-site"))
    if not ours or not site_of(request).live.links.check_form(token, str(data.get("form", ""))):
        raise HTTPException(404)
    return data


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site: Site = request.app.state.site
    return site


def question_text(question: Question, language: str) -> str:
    """What a question asks."""
    return question.text.get(language) or words(question.name, language, high=question.high)


def option_text(question: Question, option: str, language: str) -> str:
    """What an option says."""
    if question.type == "position":
        return words("which_option", language, number=option)
    own = question.option_texts.get(option, {}).get(language)
    return own or words_or(f"{question.name}_{option}", language, option.replace("_", " "))


def preferred_language(request: Request, languages: tuple[str, ...]) -> str:
    """The language asked for by the page, or by the browser, or the first."""
    asked = [request.query_params.get("language", "")]
    asked += [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return next((language for language in asked if language in languages), languages[0])

"""The words of the pages, from one catalogue in all languages."""

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "de")


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Key -> language -> words."""
    return tomllib.loads((files("dermsynth.study") / "texts.toml").read_text(encoding="utf-8"))


def words(key: str, language: str, **values: object) -> str:
    """The words of a key in a language, with values put in."""
    return catalogue()[key][language].format(**values)


def words_or(key: str, language: str, otherwise: str) -> str:
    """The same, or `otherwise` for a key that is not in the catalogue."""
    return catalogue().get(key, {}).get(language, otherwise)

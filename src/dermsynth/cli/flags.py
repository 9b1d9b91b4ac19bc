"""Fields of the library spelled as flags of the verb that runs, and the former names of flags."""

import re
import sys
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Union, get_args, get_origin

from cyclopts import App, ArgumentCollection, CycloptsError

from dermsynth.errors import UserError

FIELD = re.compile(r"`([a-z][a-z_]*)`")
FORMER: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("import",): {"--split": "--shares", "--images": "--image-folder"},
    ("audit",): {"--out": "--page"},
    ("report",): {"--out": "--page"},
    ("train",): {"--balance": "--imbalance"},
    ("experiment",): {"--generated": "--count"},
    ("data", "fetch"): {"--limit": "--count"},
    ("artefacts", "detect"): {"--masks": "--store-masks", "--no-masks": "--no-store-masks"},
    ("latents", "project"): {"--steps": "--iterations"},
    ("study", "plan"): {"--images": "--items"},
    ("study", "report"): {"--without": "--exclude"},
}
"""By the first words of a command: flags by their names in earlier versions."""


ALIASES: Mapping[str, str] = {"options": "set", "variants": "variant", "generators": "generator"}
"""Fields of the library whose flag has another name."""


def with_present_names(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Command-line words with every flag by its present name, and a sentence for each that had its former one."""
    former = {
        old: new for verb, names in FORMER.items() if tuple(words[: len(verb)]) == verb for old, new in names.items()
    }
    renamed, notes = list[str](), list[str]()
    for word in words:
        flag, equals, value = word.partition("=")
        renamed.append(f"{former.get(flag, flag)}{equals}{value}")
        if flag in former:
            notes.append(f"{flag} is called {former[flag]} now")
    return renamed, notes


def require_whole_numbers(_app: App, _verb: Sequence[str], arguments: ArgumentCollection) -> None:
    """Raise UserError for a fraction where a whole number is wanted, which cyclopts would round."""
    for argument in arguments:
        for token in argument.tokens if _is_whole(argument.hint) else ():
            try:
                fraction = float(token.value) % 1 != 0
            except ValueError:  # refused by cyclopts
                continue
            if fraction:
                raise UserError(f"`{argument.field_info.name}` {token.value}: must be a whole number")


def _is_whole(hint: object) -> bool:
    """Whether a parameter holds whole numbers: int, int or None, or a tuple of int."""
    parts = get_args(hint) if get_origin(hint) in (tuple, list, Union, UnionType) else (hint,)
    return {*parts} - {type(None), Ellipsis} == {int}


def flags_of(app: App, words: Sequence[str]) -> dict[str, str]:
    """Flags of the verb that command-line words call, by the names of the fields that they set."""
    try:
        _, apps, _ = app.parse_commands(words)
        arguments = apps[-1].assemble_argument_collection()
    except (CycloptsError, ValueError):
        return {}
    flags = dict[str, str]()
    for argument in arguments:
        names = [name for name in argument.names if name.startswith("--")]
        flags |= {name.removeprefix("--").replace("-", "_"): name for name in names}
        if names:
            flags[argument.field_info.name] = names[0]
    return flags | {field: flags[name] for field, name in ALIASES.items() if name in flags and field not in flags}


def with_flags(text: str, flags: Mapping[str, str]) -> str:
    """A message in which each `field` in backticks is the flag that sets it, or a plain word where no flag does."""
    return FIELD.sub(lambda field: flags.get(field[1], field[1].replace("_", " ")), text)


def in_flags(text: str, *, next_verb: str = "") -> str:
    """A message of the library with the flags of the verb that runs, or else of the one that comes next."""
    from dermsynth.cli.app import app

    if "`" not in text:
        return text
    later = flags_of(app, [next_verb]) if next_verb else {}
    return with_flags(text, {**later, **flags_of(app, sys.argv[1:])})


def say(*lines: object, next_verb: str = "") -> None:
    """Print lines of the library, with the flags of the verb that runs, or else of the one that comes next."""
    for line in lines:
        print(in_flags(str(line), next_verb=next_verb))


def say_photographs(page_shows_them: bool) -> None:
    """Warn that a page must not be passed on, where it shows photographs."""
    from dermsynth.report.page import PHOTOGRAPHS

    if page_shows_them:
        print(f"  {PHOTOGRAPHS.removesuffix('It can be written without them.')}--no-photographs leaves them out.")

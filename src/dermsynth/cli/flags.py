"""A field's name in a message of the library, spelled as the flag of the verb that was called."""

import re
from collections.abc import Mapping, Sequence

from cyclopts import App, CycloptsError

FIELD = re.compile(r"`([a-z][a-z_]*)`")


def flags_of(app: App, words: Sequence[str]) -> dict[str, str]:
    """Flags of the verb that command-line words call, by the names of the fields that they set."""
    try:
        _, apps, _ = app.parse_commands(words)
        arguments = apps[-1].assemble_argument_collection()
    except (CycloptsError, ValueError):
        return {}
    found = {}
    for argument in arguments:
        flag = next((name for name in argument.names if name.startswith("--")), "")
        if flag:
            found[flag.removeprefix("--").replace("-", "_")] = found[argument.field_info.name] = flag
    return found


def with_flags(text: str, flags: Mapping[str, str]) -> str:
    """A message in which each `field` in backticks is the flag that sets it, or a plain word where no flag does."""
    return FIELD.sub(lambda field: flags.get(field[1], field[1].replace("_", " ")), text)

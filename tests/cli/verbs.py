"""Every verb of the command line with its flags, as the program itself knows them."""

from collections.abc import Iterator

from cyclopts import App

from dermsynth.cli.app import app

Verb = tuple[str, ...]
BUILT_IN = {"--help", "-h", "--version"}


def verbs() -> dict[Verb, dict[str, str]]:
    """Words of a verb -> its flags, each with its help text."""
    return {words: _flags(verb) for words, verb in _leaves(app, ())}


def _leaves(parent: App, words: Verb) -> Iterator[tuple[Verb, App]]:
    for name in parent:
        if name in BUILT_IN:
            continue
        child = parent[name]
        if any(word not in BUILT_IN for word in child):
            yield from _leaves(child, (*words, name))
        else:
            yield (*words, name), child


def _flags(verb: App) -> dict[str, str]:
    found = {}
    for argument in verb.assemble_argument_collection(parse_docstring=True):
        if not argument.show or argument.field_info.is_positional:  # named by its place
            continue
        for name in argument.names:
            if name.startswith("--"):
                found[name] = str(argument.parameter.help or "")
    return found

"""The reference of the Python API, written from `dermsynth.__all__`: a new public name appears by itself."""

import inspect
import typing
from types import ModuleType

import dermsynth

TITLE = "# Python\n\n`import dermsynth as ds` gives these names; each is loaded when it is first used.\n\n"
ERRORS, RETURNS = "errors", "returns"


def api_pages() -> dict[str, str]:
    """Pages by file name: one for each public function, class and module, one for all exceptions, `index.md` lists them.

    Returns
    -------
    dict[str, str]
        File name in the folder of the reference -> Markdown.
    """
    names = [name for name in getattr(dermsynth, "__all__", ()) if not name.startswith("_")]
    values = {name: getattr(dermsynth, name) for name in sorted(names, key=lambda name: (not name.islower(), name))}
    errors = {name: value for name, value in values.items() if inspect.isclass(value) and issubclass(value, Exception)}
    pages = {f"{name}.md": _page(name, value) for name, value in values.items() if name not in errors}
    if returned := sorted({found for value in values.values() for found in _returned(value)}, key=_place):
        entries = [_entry(found.__name__, found) for found in returned if found not in values.values()]
        pages[f"{RETURNS}.md"] = "\n".join(["# Returned types\n", "What the functions return.\n", *entries])
    if errors:
        entries = [_entry(f"dermsynth.{name}", value) for name, value in errors.items()]
        pages[f"{ERRORS}.md"] = "\n".join(["# Exceptions\n", *entries])
    rows = [
        f"| [{name}]({ERRORS if name in errors else name}.md) | {_summary(value)} |" for name, value in values.items()
    ]
    table = "\n".join(["| name | what it is |", "|--|--|", *rows, ""])
    return {"index.md": TITLE + table, **pages}


def _page(name: str, value: object) -> str:
    """The page of one public name."""
    heading = f"dermsynth.{name}"
    if isinstance(value, ModuleType):
        return _module_page(heading, value)
    return f"# {name}\n\n{_entry(heading, value)}"


def _returned(value: object) -> list[type]:
    """The classes of this package that a function returns, alone or in a list."""
    if not inspect.isfunction(value):
        return []
    try:
        annotation = typing.get_type_hints(value).get("return")
    except NameError:  # a name that is imported for type checkers alone
        return []
    found = [annotation, *typing.get_args(annotation)]
    return [part for part in found if inspect.isclass(part) and part.__module__.startswith("dermsynth.")]


def _place(value: typing.Any) -> str:
    """Where a function or class is defined."""
    return f"{value.__module__}.{value.__qualname__}"


def _module_page(heading: str, module: ModuleType) -> str:
    """All public functions and classes of one module."""
    public = getattr(module, "__all__", None) or [key for key in vars(module) if _belongs(module, key)]
    ordered = sorted(public, key=lambda name: (not name.islower(), name))
    entries = [_entry(f"{heading}.{key}", getattr(module, key)) for key in ordered]
    return "\n".join([f"# {heading}\n", f"{_summary(module)}\n", *entries])


def _belongs(module: ModuleType, name: str) -> bool:
    """Whether a name is a public function or class of this package."""
    value = getattr(module, name)
    callable_object = inspect.isfunction(value) or inspect.isclass(value)
    return callable_object and not name.startswith("_") and value.__module__.startswith("dermsynth.")


def _entry(heading: str, value: object) -> str:
    """The block that mkdocstrings fills, for the place where a public name is defined."""
    if isinstance(value, ModuleType) or not hasattr(value, "__qualname__"):
        return f"- `{heading}`\n"
    return (
        f"::: {_place(value)}\n    options:\n      heading: {heading}\n      toc_label: {heading.rpartition('.')[2]}\n"
    )


def _summary(value: object) -> str:
    """First line of a docstring."""
    return (inspect.getdoc(value) or "").strip().partition("\n")[0]

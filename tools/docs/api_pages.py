"""The reference of the Python API, written from `dermsynth.__all__`: a new public name appears by itself."""

import inspect
from types import ModuleType

import dermsynth

TITLE = "# Python\n\n`import dermsynth as ds` gives these names; each is loaded when it is first used.\n"


def api_pages() -> dict[str, str]:
    """Pages by file name: `index.md` with functions and classes, and one page for each public module.

    Returns
    -------
    dict[str, str]
        File name in the folder of the reference -> Markdown.
    """
    names = [name for name in getattr(dermsynth, "__all__", ()) if not name.startswith("_")]
    values = {name: getattr(dermsynth, name) for name in names}
    modules = {name: value for name, value in values.items() if isinstance(value, ModuleType)}
    pages = {f"{name}.md": _module_page(name, module) for name, module in modules.items()}
    entries = [_entry(f"dermsynth.{name}", value) for name, value in values.items() if name not in modules]
    links = [f"- [`dermsynth.{name}`]({name}.md): {_summary(module)}" for name, module in modules.items()]
    return {"index.md": "\n".join([TITLE, *links, "", *entries]), **pages}


def _module_page(name: str, module: ModuleType) -> str:
    """All public functions and classes of one module."""
    public = getattr(module, "__all__", None) or [key for key in vars(module) if _belongs(module, key)]
    entries = [_entry(f"dermsynth.{name}.{key}", getattr(module, key)) for key in public]
    return "\n".join([f"# dermsynth.{name}\n", f"{_summary(module)}\n", *entries])


def _belongs(module: ModuleType, name: str) -> bool:
    """Whether a name is a public function or class of this package."""
    value = getattr(module, name)
    callable_object = inspect.isfunction(value) or inspect.isclass(value)
    return callable_object and not name.startswith("_") and value.__module__.startswith("dermsynth.")


def _entry(heading: str, value: object) -> str:
    """The block that mkdocstrings fills, for the place where a public name is defined."""
    if isinstance(value, ModuleType) or not hasattr(value, "__qualname__"):
        return f"- `{heading}`"
    place = f"{value.__module__}.{value.__qualname__}"
    return f"::: {place}\n    options:\n      heading: {heading}\n      toc_label: {heading.rpartition('.')[2]}\n"


def _summary(module: ModuleType) -> str:
    """First line of a module's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]

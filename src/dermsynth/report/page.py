"""The parts of every page: embedded pictures, drawn curves, one template."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from dermsynth import __version__
from dermsynth.images import Pixels, encode_jpeg, encode_png, fit, read_image
from dermsynth.io import write_text

COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#4a5568", "#00808a", "#97730a", "#a61b1b", "#7f9c3b")
THUMBNAIL = 128
PHOTOGRAPHS = (
    "This page contains photographs from the data set; do not share it unless you have the right to. "
    "It can be written without them."
)
"""Notice on every page that contains real images, and in the terminal when one is written."""


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> None:
    """Fill a template and write one HTML file; the keyboard reaches its tables, which scroll sideways in narrow windows."""
    environment = Environment(
        loader=PackageLoader("dermsynth.report"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template(template).render(version=__version__, **values)
    write_text(path, page.replace("<table", '<table tabindex="0"'))


def picture(pixels: Pixels, description: str, *, lossless: bool = False, scale: int = 1) -> Markup:
    """An `img` element that holds its own data."""
    data, kind = (encode_png(pixels), "png") if lossless else (encode_jpeg(pixels), "jpeg")
    encoded = base64.b64encode(data).decode()
    height, width = (side * scale for side in pixels.shape[:2])
    return Markup('<img src="data:image/{};base64,{}" width="{}" height="{}" alt="{}">').format(
        kind, encoded, width, height, description
    )


def thumbnails(paths: Sequence[Path], side: int = THUMBNAIL) -> Pixels:
    """Files as images of one size uint8 [n, side, side, 3]."""
    return np.stack([fit(read_image(path), side, side, "centre", "area") for path in paths])


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """A matplotlib figure and its axes in the pages' style; closed afterwards."""
    mpl.use("Agg")
    from matplotlib import pyplot

    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "dermsynth", "font.family": "sans-serif", "font.size": 9}
    ):
        figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
        yield figure, axes
        pyplot.close(figure)


def as_svg(figure: Any) -> Markup:
    """A figure as SVG for a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])


def bars(
    names: Sequence[str], values: Sequence[float], low: Sequence[float], high: Sequence[float], *, title: str
) -> Markup:
    """Horizontal bars with intervals, as SVG, first name on top."""
    with drawing(6.4, 0.28 * len(names) + 0.8) as (figure, axes):
        reach = np.abs(np.stack([np.asarray(values) - low, np.asarray(high) - values]))
        axes.barh(np.arange(len(names)), values, xerr=reach, color=COLOURS[0], height=0.6, ecolor="#1a202c")
        axes.set(title=title, yticks=np.arange(len(names)), yticklabels=names)
        axes.invert_yaxis()
        axes.axvline(0, color="#1a202c", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def dots(
    names: Sequence[str],
    shares: Sequence[tuple[float, float, float]],
    *,
    title: str,
    line: float,
    highlighted: int | None = None,
) -> Markup:
    """Shares with the ends of their intervals as dots, as SVG, first name on top; a dashed `line` to compare them with.

    From the row `highlighted` on in another colour.
    """
    places, first = range(len(names)), len(names) if highlighted is None else highlighted
    colours = [COLOURS[int(place >= first)] for place in places]
    with drawing(5.2, 0.3 * len(names) + 1) as (figure, axes):
        axes.hlines(places, [low for _, low, _ in shares], [high for _, _, high in shares], color=colours)
        axes.scatter([value for value, _, _ in shares], places, color=colours, zorder=3)
        axes.axvline(line, color="#718096", linewidth=0.8, linestyle="--")
        axes.set(title=title, xlim=(0, 1), yticks=places, ylim=(len(names) - 0.5, -0.5))
        axes.set_yticklabels(names)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def paths(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    diagonal: bool = True,
) -> Markup:
    """Lines within the unit square, as SVG: ROC and reliability curves with the diagonal, precision and recall without."""
    with drawing(4.2, 4.0) as (figure, axes):
        if diagonal:
            axes.plot([0, 1], [0, 1], color="#a0aec0", linewidth=0.8)
        for colour, (name, (x, y)) in zip(cycle(COLOURS), series.items(), strict=False):
            axes.plot(x, y, color=colour, label=name, linewidth=1.2)
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.legend(frameon=False, fontsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        return as_svg(figure)


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str,
    logarithmic: bool = False,
    xlabel: str = "thousand images shown",
) -> Markup:
    """Lines over thousands of x, as SVG: name -> (x, y); a logarithmic scale turns linear near zero where values reach it."""
    with drawing(5.2, 2.6) as (figure, axes):
        for colour, (name, (x, y)) in zip(cycle(COLOURS), series.items(), strict=False):
            axes.plot(np.asarray(x) / 1000, y, color=colour, label=name, linewidth=1.2)
        axes.set(title=title, xlabel=xlabel)
        if logarithmic and min(min(y) for _, y in series.values()) > 0:
            axes.set_yscale("log")
        elif logarithmic:
            axes.set_yscale("symlog", linthresh=max(max(map(abs, y)) for _, y in series.values()) / 1000 or 1.0)
        if len(series) > 1:
            axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        return as_svg(figure)

"""The entry point: verbs, and what a user sees when something is wrong."""

import logging
import sys
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from dermsynth import __version__
from dermsynth.cli.flags import in_flags, require_whole_numbers, with_present_names
from dermsynth.cli.importing import import_by_file
from dermsynth.cli.places import look
from dermsynth.data.importers.layouts import OWN, layout_files, summary
from dermsynth.errors import DiskError, Stopped, UserError
from dermsynth.io import set_command, user_cache
from dermsynth.signals import handle_signals, interrupt


def default_text(value: object) -> str | None:
    """A default as help shows it: nothing where there is none."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or None
    return None if value in ("", None) or value is False else str(value)


app = App(
    name="dermsynth",
    version=__version__,
    help="From a folder of skin images to a synthetic data set that can be trusted.",
    default_parameter=Parameter(show_default=default_text),
    config=require_whole_numbers,
    suppress_keyboard_interrupt=False,  # what is to be done is said in `main`
)
importing = App(name="import", help="Bring images into a data set on disk, from any of the published layouts.")
artefacts = App(name="artefacts", help="Frames, hair, rulers, ink, stickers: detect, remove, insert.")
latents = App(name="latents", help="Change generated images along directions of the latent space.")
study = App(name="study", help="Let doctors tell real from generated images: design, run, analyse.")
data = App(name="data", help="Obtain and prepare images.")

VERBS = {
    "audit": ("datasets", "What a data set holds, and what is wrong with it."),
    "phantom": ("datasets", "Draw dermoscopy by a program, with exact masks."),
    "models": ("models", "The families of generators: paper, input, what each is good for."),
    "advise": ("training", "Which generator for these images, at which size, for how long: the command to run."),
    "train": ("training", "Train a generator, or continue where it stopped."),
    "generate": ("synthetic", "Generate a labelled synthetic data set."),
    "translate": ("synthetic", "Change photographs: add a finding, remove it, or make another class of them."),
    "evaluate": ("synthetic", "Is a synthetic set faithful, diverse, and not copied? Figures, verdict, page."),
    "gate": ("gate", "Copies of training images among any images? Flags, nearest pairs, exit status 3."),
    "utility": ("utility", "Do the synthetic images help a classifier? Arms, repeats, tests, verdict."),
    "explore": ("latents", "A local page with sliders: seed, class, truncation, directions."),
    "export": ("synthetic", "A synthetic set to hand on: without copies, with a data card, signed if wanted."),
    "verify": ("synthetic", "Are these images ones that were handed on, also after JPEG and resizing?"),
    "report": ("synthetic", "Write an HTML report of a run, or its methods for a paper."),
    "gallery": ("synthetic", "Contact sheets of several runs on one page."),
    "experiment": ("experiment", "Repeat a document's comparison: train, measure, draw its figures."),
    "demo": ("demo", "The whole chain on the phantom, in minutes."),
    "doctor": ("doctor", "Is this installation able to work?"),
}
STUDY = {
    "plan": "How many raters and images are needed for a precision.",
    "create": "Choose images by a protocol for a new study.",
    "invite": "Make invitation links.",
    "serve": "Show the study to raters.",
    "state": "Open, pause or close the study, or make it a pilot.",
    "ethics": "A page for an ethics board.",
    "backup": "The whole study in one file, also while it runs.",
    "restore": "A study again from its backup.",
    "export": "All answers so far as CSV.",
    "report": "Analyse answers: figures, page.",
    "forget": "Delete one rater's data.",
}
ARTEFACTS = {
    "detect": "Look for artefacts in every image of a data set.",
    "confirm": "Check a sample of the detections by eye.",
    "train": "Train a classifier of artefacts on labelled images.",
    "remove": "Write a copy of a data set without artefacts.",
    "insert": "Write a copy of a data set with artefacts drawn in.",
    "judge": "Does a classifier decide otherwise when an artefact is added or removed?",
    "compare": "Compare all ways of removing artefacts where the truth is known.",
}
STUDY_PACKAGES = (
    "alembic",
    "fastapi",
    "itsdangerous",
    "limits",
    "multipart",
    "pyarrow",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)
DIRECTIONS = {
    "svm": "By a score: from images that do not show something to those that do.",
    "pca": "The directions of most variance (GANSpace).",
    "sefa": "Eigenvectors of the style weights (SeFa).",
}
for name, text in OWN.items():
    importing.command(f"dermsynth.cli.importing:import_{name}", name=name, help=text)
for name in layout_files():
    importing.command(f"dermsynth.cli.importing:import_{name}", name=name, help=summary(name))
importing.command("dermsynth.cli.importing:list_layouts", name="list", help="The published layouts, as a table.")
importing.default(import_by_file)
data.command("dermsynth.cli.datasets:maps", name="maps", help="New semantic maps from those of a data set.")
data.command("dermsynth.cli.datasets:patches", name="patches", help="Cut photographs with masks into patches.")
data.command(
    "dermsynth.cli.datasets:verify_files", name="verify", help="Check that the files of a data set were not changed."
)
data.command("dermsynth.cli.importing:fetch", name="fetch", help="Download from the ISIC Archive.")
for name, text in ARTEFACTS.items():
    artefacts.command(f"dermsynth.cli.artefacts:{name}", name=name, help=text)
for name, text in STUDY.items():
    study.command(f"dermsynth.cli.study:{name}", name=name, help=text)
app.command(importing)
app.command(study)
app.command(artefacts)
directions = App(name="directions", help="Find directions: by a score, by variance, or in the weights.")
for name, text in DIRECTIONS.items():
    directions.command(f"dermsynth.cli.directions:{name}", name=name, help=text)
latents.command(directions)
latents.command("dermsynth.cli.directions:rename", name="rename", help="Give a direction a name.")
latents.command("dermsynth.cli.latents:edit", name="edit", help="Edit a synthetic set along a direction.")
latents.command(
    "dermsynth.cli.latents:compare", name="compare", help="Compare what directions change beside their target."
)
latents.command(
    "dermsynth.cli.latents:project", name="project", help="Find the latent point of a photograph, and edit it."
)
app.command(latents)
app.command(data)
for name, (module, text) in VERBS.items():
    app.command(f"dermsynth.cli.{module}:{name}", name=name, help=text)
app.command("dermsynth.cli.models:models", name="recipes", show=False)  # the former name of `models`


def main() -> None:
    """Run a verb; a problem becomes one line on standard error and a non-zero exit status."""
    show_log()
    sys.argv[1:], notes = with_present_names(sys.argv[1:])
    set_command(sys.argv[1:])
    for note in notes:
        print(f"  {note}", file=sys.stderr)
    show_whole_help(sys.argv[1:])
    look()
    try:
        with handle_signals(interrupt):
            app(exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(" ".join(str(error).split()), 2)
    except DiskError as error:
        _fail(f"{error}{_way_out(error.path, sys.argv[1:])}", 1)
    except UserError as error:
        _fail(str(error), 1)
    except Stopped as stop:
        _fail(str(stop), 130)
    except KeyboardInterrupt:
        _fail("stopped; repeat the command to go on", 130)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in STUDY_PACKAGES:
            raise
        _fail(f"{package} is not installed; this verb needs the extra: pip install 'dermsynth[study]'", 1)
    except MemoryError:
        _fail("not enough memory; use a smaller --batch, --accumulate 2 or a smaller --resolution", 1)


def show_whole_help(words: list[str]) -> None:
    """Let the help of a verb be its whole description; lists of verbs are plain lines."""
    flags = {"--help", "-h"}
    if flags.isdisjoint(words):
        return
    try:
        _, apps, _ = app.parse_commands([word for word in words if word not in flags])
    except CycloptsError:
        return
    if apps[-1].default_command is not None:
        apps[-1].help = None
    else:
        apps[-1].help_format = "plaintext"  # a line a verb: the reader of Markdown would take a third of the time


def _way_out(path: Path | None, words: list[str]) -> str:
    """What helps where a file cannot be written: the option that leads there, or another place for the folder."""
    if path is None:
        return ""
    path = path.absolute()
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        value = value if equals else "".join(words[number + 1 : number + 2])
        if name in ("--out", "--page", "--cache") and value:
            place = Path(value).absolute()
            if path.is_relative_to(place) or place.is_relative_to(path):
                return f"; choose another {name}"
    if path.is_relative_to(user_cache().absolute()) or user_cache().absolute().is_relative_to(path):
        return "; set XDG_CACHE_HOME to a folder that can be written"
    return "; this command writes into that folder: copy it to a place that can be written"


def show_log() -> None:
    """What the library logs goes to standard error, a line each."""
    handler = LineHandler()
    handler.setFormatter(FlagFormatter("  %(message)s"))
    log = logging.getLogger("dermsynth")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)


class LineHandler(logging.Handler):
    """Writes lines to standard error, above a progress bar where one is open."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        line = self.format(record)
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)


class FlagFormatter(logging.Formatter):
    """Log lines in which fields are named as flags."""

    def format(self, record: logging.LogRecord) -> str:
        """The line that is written."""
        return in_flags(super().format(record))


def _fail(line: str, status: int) -> None:
    print(f"dermsynth: {in_flags(line)}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()

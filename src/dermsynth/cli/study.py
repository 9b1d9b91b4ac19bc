"""The verbs of the reader study."""

import itertools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermsynth.cli.flags import say, say_photographs
from dermsynth.cli.options import Photographs, Seed, Switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dermsynth.study.results import ChoiceResult, GroupResult, StudyResult

StudyFolder = Annotated[Path, Parameter(help="Folder of the study.")]
Database = Annotated[str, Parameter(help="URL of the database, if it is not in the study's folder.")]
Numbers = Annotated[tuple[int, ...], Parameter(negative="")]


def create(
    *,
    real: Path,
    synthetic: Annotated[tuple[Path, ...], Parameter(negative="")],
    protocol: str,
    out: Path,
    seed: Seed = 0,
    unmatched: Switch = False,
) -> None:
    """Choose real and generated images by a protocol and put them into a new study.

    Both kinds get the same shares of the same classes. What else differs between them (artefacts and other columns, sizes,
    formats, patients shown twice) is printed, and shown in the study's report.

    Parameters
    ----------
    real
        A real data set.
    synthetic
        A set made by dermsynth generate, or by another tool and imported with --synthetic. Repeated for a protocol that shows
        pictures together: the generators compete.
    protocol
        baur, furger, rosen, quartet, pairs, generators, or a TOML file.
    out
        New folder for the study.
    unmatched
        Draw from all classes, though classes of one kind only tell real from generated.
    """
    from dermsynth.study.create import create_study

    study = create_study(protocol, real, [*synthetic], out, seed=seed, matched=not unmatched)
    say(*(f"note: {note}" for note in study.notes))
    kinds = ["role", "truth", "label"] if study.protocol.sets is None else ["role", "pictures", "label"]
    items = study.items.assign(pictures=f"{study.protocol.pictures} together")
    for row in items.groupby(kinds).size().reset_index().itertuples(index=False):
        print(f"{row[0]:<10}{row[1]:<12}{row[3]:<5}{row[2]}")
    next_command = shlex.join(["dermsynth", "study", "serve", str(out)])
    size = f"{study.size[0]} x {study.size[1]} (crop {study.description.crop})"
    shown = "images" if study.protocol.sets is None else "sets of images"
    print(f"{out}: {len(study.items)} {shown}, each {size}; next: {next_command}")


def plan(
    *,
    raters: Numbers = (3, 5, 8, 12, 20, 40),
    items: Numbers = (50, 80, 100, 200, 400),
    raters_deviation: float | None = None,
    items_deviation: float | None = None,
    pilot: Path | None = None,
    difference: float | None = None,
) -> None:
    """How precise the panel's accuracy becomes with so many raters and images, and whether it can show equivalence.

    With --pilot, instead: how likely a study finds a difference between the areas under the ROC curves of two conditions.

    More raters or images never make it worse. With few raters more images soon help little, because the differences between
    raters stay; and three raters say little about how large these differences are.

    Parameters
    ----------
    raters
        Numbers of raters; may be repeated.
    items
        Numbers of images in the study, of all conditions together; may be repeated.
    raters_deviation
        Standard deviation between raters, on the logit scale; 0.3 by default.
    items_deviation
        Standard deviation between images, on the logit scale; 0.7 by default.
    pilot
        A report.json of a study with certainties in two conditions or more, from which the deviations come.
    difference
        Of the areas under the ROC curves of two conditions that is to be found, with --pilot; 0.05 by default.
    """
    from dermsynth.errors import UserError
    from dermsynth.study.planning import IMAGES_DEVIATION, RATERS_DEVIATION

    deviations = (raters_deviation, items_deviation)
    if min(raters) < 2 or min(items) < 2 or min(value or 0 for value in deviations) < 0:
        raise UserError("--raters and --items must be at least 2, deviations at least 0")
    if pilot is None and difference is not None:
        raise UserError(
            "--difference: of areas under ROC curves, whose deviations --pilot says; add it, or leave this out"
        )
    if pilot is not None and deviations != (None, None):
        raise UserError(
            "--pilot: its deviations are those of that study; leave --raters-deviation and --items-deviation out"
        )
    pairs = [*itertools.product(raters, items)]
    if pilot is not None:
        _say_powers(pairs, pilot, 0.05 if difference is None else difference)
    else:
        own = [
            usual if value is None else value
            for value, usual in zip(deviations, (RATERS_DEVIATION, IMAGES_DEVIATION), strict=True)
        ]
        _say_precisions(pairs, *own)


def _say_powers(pairs: "Sequence[tuple[int, int]]", pilot: Path, difference: float) -> None:
    """How likely studies of so many raters and images find a difference of areas."""
    from dermsynth.study.planning import area_power

    powers = [area_power(pilot, difference, *pair) for pair in pairs]
    print(f"{'raters':>7}{'images of all conditions':>26}{f'power to find {difference:g}':>25}")
    for (raters, images), found in zip(pairs, powers, strict=True):
        print(f"{raters:>7}{images:>26}{_power(found):>25}")


def _say_precisions(pairs: "Sequence[tuple[int, int]]", raters_deviation: float, items_deviation: float) -> None:
    """How precise panels of so many raters and images are."""
    from dermsynth.study.planning import panel_precision

    print(f"{'raters':>7}{'images':>8}{'half the 95 % interval':>25}{'power to show 50 +- 5 %':>26}")
    for raters, images in pairs:
        panel = panel_precision(raters, images, raters_deviation, items_deviation)
        print(f"{raters:>7}{images:>8}{panel.half_width:>25.1%}{_power(panel.equivalence_power):>26}")


def _power(share: float) -> str:
    """A power in per cent; neither none nor certain unless it is."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if share > 0.99 else f"{share:.0%}"


def invite(
    study: StudyFolder, *, count: int = 1, cap: int = 1, note: str = "", base_url: str = "http://127.0.0.1:8000",
    database: Database = "",
) -> None:  # fmt: skip
    """Make invitation links; they are printed once and not stored.

    Parameters
    ----------
    count
        How many links.
    cap
        Persons a link is for.
    note
        A remark stored with the links.
    base_url
        Where the study is served.
    """
    from dermsynth.errors import UserError
    from dermsynth.study import service
    from dermsynth.study.serve import open_live_study

    if not 1 <= count <= 10_000 or not 1 <= cap <= 100_000:
        raise UserError(f"--count {count} --cap {cap}: must be 1 to 10000 and 1 to 100000")
    for token in service.invite(open_live_study(study, database), count, cap, note):
        print(f"{base_url.rstrip('/')}/i/{token}")


def serve(
    study: StudyFolder, *, host: str = "127.0.0.1", port: int = 8000, prefix: str = "", proxy: str = "127.0.0.1",
    database: str = "", days: int = 90,
) -> None:  # fmt: skip
    """Show the study to raters, until Ctrl-C.

    Parameters
    ----------
    host
        Address to listen on; others than this machine's need an organiser's token in the environment.
    port
        Port to listen on.
    prefix
        Path under which a reverse proxy shows the study; the proxy may pass it on or cut it off.
    proxy
        Address of the reverse proxy, whose word on a rater's address and on HTTPS is taken.
    database
        URL of a database (PostgreSQL), if it is not to be in the study's folder; also DERMSYNTH_STUDY_DATABASE.
    days
        After how many days links expire.
    """
    from dermsynth.study.serve import prepare_server

    server = prepare_server(study, host=host, port=port, prefix=prefix, proxy=proxy, database=database, days=days)
    print(f"organiser: {server.organiser_url} (token: {server.token_source})", flush=True)
    server.run()


def forget(study: StudyFolder, rater: str, *, database: Database = "") -> None:
    """Delete everything that is stored of one rater.

    Parameters
    ----------
    rater
        Name as in the organiser's page and the export.
    """
    from dermsynth.errors import UserError
    from dermsynth.study import service
    from dermsynth.study.serve import open_live_study

    if not service.forget(open_live_study(study, database), rater):
        raise UserError(f"{rater}: no such rater in {study}")
    print(f"{rater}: deleted")


def state(
    study: StudyFolder, state: Literal["open", "pilot", "paused", "closed", ""] = "", *, database: Database = ""
) -> None:
    """Say whether the study is open, or change it; raters who join in a pilot are left out of the analysis.

    Parameters
    ----------
    state
        The new state.
    """
    from dermsynth.study import service
    from dermsynth.study.serve import open_live_study

    live = open_live_study(study, database)
    if state:
        service.set_state(live, state)
    print(f"{study}: {service.state(live)}")


def backup(study: StudyFolder, file: Path, *, database: Database = "") -> None:
    """Write images, truth, key and all answers of a study into one zip file, also while it is served.

    The file holds the truth and the key that signs links; only its owner can read it.

    Parameters
    ----------
    file
        A zip file that does not exist yet.
    """
    from dermsynth.study.backup import back_up, require_answers
    from dermsynth.study.serve import open_live_study

    require_answers(study, database)
    raters = back_up(open_live_study(study, database), file)
    print(f"{file}: {raters} raters; links stay valid in a study that is restored from it")


def restore(file: Path, *, out: Path, database: Database = "") -> None:
    """Make a study again from the file that backup wrote.

    Parameters
    ----------
    file
        The zip file.
    out
        New folder for the study.
    database
        URL of an empty database for the answers, if they are not to be in the folder.
    """
    from dermsynth.study.backup import restore as restored

    study = restored(file, out, database)
    shown = "sets of images" if study.protocol.sets else "images"
    print(f"{out}: {len(study.items)} {shown}; next: {shlex.join(['dermsynth', 'study', 'serve', str(out)])}")


def ethics(
    study: StudyFolder,
    *,
    out: Path | None = None,
    institution: str = "",
    responsible: str = "",
    contact: str = "",
    keep_until: str = "",
    photographs: str = "",
    database: Database = "",
) -> None:
    """Write a page for an ethics board: what raters see, what is stored where and how long, and how it is deleted.

    Parameters
    ----------
    out
        The page; ethics.html in the study's folder by default.
    institution
        Who runs the study.
    responsible
        The person who answers for it.
    contact
        How raters reach that person.
    keep_until
        The last day on which answers are kept, for example 2030-12-31.
    photographs
        By which right the photographs are shown: patients' consent, a licence, an approval and its number.
    """
    from dermsynth.report.ethics_report import Responsible, write_ethics_report
    from dermsynth.study.create import open_study

    who = Responsible(institution, responsible, contact, keep_until, photographs)
    opened = open_study(study)
    print(write_ethics_report(opened, out or study / "ethics.html", who, database))
    if missing := who.missing(opened.protocol):
        say(f"still to be said: {', '.join('--' + name for name in missing)}")


def export(study: StudyFolder, table: Path, *, database: Database = "") -> None:
    """Write all answers so far as a CSV, with the truth beside them.

    Parameters
    ----------
    table
        A CSV file that does not exist yet.
    """
    from dermsynth.errors import UserError
    from dermsynth.io import write_text
    from dermsynth.study.export import answers_csv
    from dermsynth.study.serve import open_live_study

    if table.exists():
        raise UserError(f"{table}: exists already; name another file")
    write_text(table, answers_csv(open_live_study(study, database)))
    print(table)


def report(
    study: Path,
    *,
    positive: Literal["real", "synthetic", ""] = "",
    exclude: Annotated[tuple[Literal["unfinished", "reopened", "diagnosis"], ...], Parameter(negative="")] = (),
    out: Path | None = None,
    database: Database = "",
    photographs: Photographs = True,
    seed: Seed = 0,
) -> None:
    """Analyse a study, or any CSV of answers: report.json and study.html.

    Of pictures shown together: who found the photograph, and how the generators rank.

    Parameters
    ----------
    study
        The study's folder, or a CSV with the columns rater, item, truth, answer, and what else there is of group, condition,
        label, diagnosis, certainty, seconds, repeat. Of pictures shown together: rater, item, shown (sources of the pictures,
        with semicolons; real is a photograph), answer (which of them, from 1).
    positive
        The kind that counts as positive; by default the protocol's, or what an exported CSV says, or real.
    exclude
        Leave out answers of raters who did not finish, or to images shown for a limited time that were opened again; or all
        diagnoses.
    out
        Folder for both files; by default the study's, or the CSV's.
    photographs
        Whether the page shows the images that fooled all or no rater.
    """
    from dermsynth.errors import UserError
    from dermsynth.io import command_line
    from dermsynth.report.choices_report import write_choices_report
    from dermsynth.report.study_report import write_study_report
    from dermsynth.study.analysis import analyse_study
    from dermsynth.study.choices import analyse_choices, shows_together
    from dermsynth.study.create import open_study

    folder = out or (study if study.is_dir() else study.parent)
    if shows_together(study):
        if positive or "diagnosis" in exclude:
            raise UserError(
                "pictures were shown together: `positive` and `exclude` diagnosis say nothing of them; leave them out"
            )
        choices = analyse_choices(study, without=exclude, database=database)
        _say_choices(
            choices, write_choices_report(folder, choices, command_line({database: "URL"} if database else {}))
        )
        return
    result = analyse_study(study, positive=positive, without=exclude, database=database, seed=seed)
    images = open_study(study) if photographs and study.is_dir() else None
    page = write_study_report(folder, result, command_line({database: "URL"} if database else {}), images)
    say(*answers_text(result), *(f"note: {note}" for note in result.notes))
    for group in result.groups:
        print(f"{group.group}: {group.raters} raters, {_panel_text(group)}")
    print(page)
    say_photographs(images is not None)


def _say_choices(result: "ChoiceResult", page: Path) -> None:
    """The shares of right choices, and the ranking."""
    say(*answers_text(result), *(f"note: {note}" for note in result.notes))
    for group in result.groups:
        share, d = group.share, group.sensitivity
        found = "1 rater finds" if group.raters == 1 else f"{group.raters} raters find"
        print(
            f"{group.group}: {found} the photograph in {share.value:.1%} of {group.sets} sets (95 % {share.low:.1%} to "
            f"{share.high:.1%}; guessing {share.chance:.0%}, p {share.p:.3g}), d' {d[0]:.2f} ({d[1]:.2f} to {d[2]:.2f})"
        )
    reference = next(one.source for one in result.ranking if one.strength == 0)
    for one in result.ranking:
        interval = f"{one.preferred_low:.0%} to {one.preferred_high:.0%}"
        beside = f"beside {reference} it would be chosen in {one.preferred:.0%} ({interval})"
        print(
            f"{one.source}: chosen {one.chosen} of {one.shown} times{'' if one.source == reference else f'; {beside}'}"
        )
    print(page)


def answers_text(result: "StudyResult | ChoiceResult") -> list[str]:
    """Which answers were left out, and which doubtful ones were counted."""
    kinds = (("left out", result.left_out), ("included", result.noticed))
    return [
        f"{name}: {count} answers {reason}" for name, reasons in kinds for reason, count in reasons.items() if count
    ]


def _panel_text(group: "GroupResult") -> str:
    """The panel's accuracy in a sentence."""
    panel = group.panel
    if panel is None:
        return f"no panel result: {group.panel_refused}"
    interval = f"95 % {panel.low:.1%} to {panel.high:.1%}, p against chance {panel.p:.3g}"
    equivalent = "equivalent" if panel.equivalent else "not shown to be equivalent"
    return f"balanced accuracy {panel.balanced_accuracy:.1%} ({interval}); {equivalent} to guessing (50 +- 5 %)"

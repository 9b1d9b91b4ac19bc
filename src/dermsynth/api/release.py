"""Handing on: export of a synthetic set, whether an image is one that was handed on, and the methods for a paper."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.api.places import open_named, optional_path
from dermsynth.data.dataset import Data, DataSet
from dermsynth.errors import UserError, require_path
from dermsynth.export.fingerprints import read_registry
from dermsynth.export.huggingface import export as write_release
from dermsynth.export.lookup import Lookup, look_up, registry_paths
from dermsynth.export.signing import read_signing_key
from dermsynth.report.methods import Methods, methods_of
from dermsynth.training.pretrained import require_log
from dermsynth.values import as_tuple


def export(
    synthetic: Data,
    *,
    out: Path | str,
    with_flagged: bool = False,
    evaluation: Path | str | None = None,
    licence: str | Sequence[str] = (),
    data: Path | str | None = None,
    sign: tuple[Path | str, Path | str] | None = None,
    timestamp: str = "",
) -> DataSet:
    """Copy a synthetic set without the images flagged as copies, and describe it for people and for programs.

    Beside the images lie the data card ``README.md``, ``croissant.json``, and ``fingerprints.jsonl``, by which `verify` knows
    the images again.

    Parameters
    ----------
    synthetic : DataSet, Path or str
        A synthetic set that the copy gate has seen (by `generate` or `evaluate`).
    out : Path or str
        New folder, as Hugging Face reads it: ``metadata.csv``, images, and the card.
    with_flagged : bool
        Whether images that were flagged as copies, or never checked, are copied too.
    evaluation : Path, str or None
        Folder of the set's evaluation; by default ``assessment`` in the set.
    licence : str or sequence of str
        Licences of the release, such as ``"CC-BY-4.0"``; by default those of the set, or of the real images behind it.
    data : Path, str or None
        The data set that the generator was trained on, if it was moved: its licence and attribution go along.
    sign : tuple of two Path or str, or None
        Files of a certificate chain (the signer's first) and of its private key, both PEM: every image gets a signed C2PA
        manifest that says that a trained algorithm made it. Needs the extra ``sign``.
    timestamp : str
        Address of a time-stamp authority that is asked once an image; by default the network is not touched.

    Returns
    -------
    DataSet
        The exported set.

    Raises
    ------
    UserError
        A set of real images, one that was changed since, was never checked for copies, or has nothing but copies; no licence
        is known; the certificate does not fit the key.

    Examples
    --------
    >>> import dermsynth as ds
    >>> released = ds.export("synthetic", out="released")
    >>> (released.folder / "README.md").exists(), released.provenance.licence
    (True, ('CC0-1.0',))
    """
    key = None
    if timestamp and sign is None:
        raise UserError(
            "`timestamp`: goes with `sign`, the certificate and key that images are signed with; or leave it out"
        )
    if sign is not None:
        chain, private = (require_path(place, "sign") for place in sign)
        key = read_signing_key(chain, private, timestamp)
    return write_release(
        open_named(synthetic, "synthetic"), require_path(out, "out"), with_flagged=with_flagged,
        evaluation=optional_path(evaluation, "evaluation"), licence=as_tuple(licence),
        data=optional_path(data, "data"), key=key,
    )  # fmt: skip


def verify(folder: Path | str, *, registry: Path | str | Sequence[Path | str]) -> Lookup:
    """Say of each image whether it is one that was handed on, also after JPEG compression or resizing.

    Signatures in the files are checked too. Whether the files of a data set are those that it was written with is another
    question, which `dermsynth data verify` answers.

    Parameters
    ----------
    folder : Path or str
        An image, or a folder of images (of a data set those of its table, not the masks).
    registry : Path, str, or sequence of them
        The ``fingerprints.jsonl`` of one or several exports, or their folders.

    Returns
    -------
    Lookup
        ``matches`` (one an image: ``state`` exact, altered or unknown, ``of`` which image of ours, ``signature``), ``counts``,
        ``ours``, ``text()``, ``to_frame()`` and ``save("table.csv")``.

    Raises
    ------
    UserError
        There are no images, or a registry is none.

    Examples
    --------
    >>> import dermsynth as ds
    >>> released = ds.export("synthetic", out="handed_on")
    >>> ds.verify("handed_on", registry="handed_on/fingerprints.jsonl").counts["exact"] == len(released)
    True
    >>> ds.verify("photographs", registry="handed_on").counts["unknown"]
    40
    """
    several: tuple[Path | str, ...] = as_tuple(registry)
    places = [require_path(path, "registry") for path in several]
    return look_up(require_path(folder, "folder"), read_registry(registry_paths(places)))


def methods(
    run: Path | str,
    *,
    data: Path | str | None = None,
    evaluations: Path | str | Sequence[Path | str] = (),
    utility: Path | str | None = None,
) -> Methods:
    """Write up a run for a paper from its files alone; what no file says is "not known".

    Parameters
    ----------
    run : Path or str
        Folder of the run.
    data : Path, str or None
        The data set that the run was trained on, if it was moved.
    evaluations : Path, str, or sequence of them
        Synthetic sets of the run that were evaluated, or folders that `evaluate` wrote to.
    utility : Path, str or None
        Folder of a utility experiment with such a set.

    Returns
    -------
    Methods
        ``text()`` in Markdown: data, licences, splits, generator, length, seed, figures with intervals, versions; ``items``:
        what CLEAR Derm and STARD-AI ask for (topic, answer, file); ``save("methods.md")`` writes both, the items as CSV.

    Raises
    ------
    UserError
        The folder is no run, `data` is another set, or a folder holds no result.

    References
    ----------
    Daneshjou et al. (2022), Checklist for Evaluation of Image-Based Artificial Intelligence Reports in Dermatology (CLEAR
    Derm); Sounderajah et al. (2025), The STARD-AI reporting guideline.

    Examples
    --------
    >>> import dermsynth as ds
    >>> written = ds.methods("run")
    >>> "seed 0" in written.text(), {item.topic: item.text for item in written.items}["external test set"]
    (True, 'not known')
    """
    several: tuple[Path | str, ...] = as_tuple(evaluations)
    return methods_of(
        require_log(require_path(run, "run")),
        data=optional_path(data, "data"),
        evaluations=[require_path(place, "evaluations") for place in several],
        utility=optional_path(utility, "utility"),
    )

"""The trained detector of artefacts: honest folds, a file without pickle, what it says to wrong input."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dermsynth.artefacts.classifier import Pooled, load_detector, pooled_rows, train_detector
from dermsynth.data.dataset import DataSet
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.writing import add_columns
from dermsynth.errors import UserError
from dermsynth.latents.attributes import scorer

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return write_phantom(tmp_path_factory.mktemp("detector") / "set", 96, PhantomSettings(48, 64), seed=0, jobs=1)


def test_frames_are_learned_and_the_file_gives_the_same(backbone: str, drawn: DataSet, tmp_path: Path) -> None:
    pooled = Pooled(backbone)
    found = train_detector(drawn, ["frame", "hair"], pooled, tmp_path / "detector", 0)
    frame = found[0]
    assert frame.auc > 0.9
    assert frame.low <= frame.auc <= frame.high
    assert frame.images_with + frame.images_without == 96
    detector = load_detector(tmp_path / "detector")
    assert detector.labels == ("frame", "hair")
    seen = detector.probabilities(pooled_rows(drawn, pooled))
    truth = (drawn.table["frame"] == "1").to_numpy()
    assert seen[truth, 0].mean() > seen[~truth, 0].mean() + 0.2
    assert (seen >= 0).all()
    assert (seen <= 1).all()


def test_what_is_not_there_is_not_learned(backbone: str, drawn: DataSet, tmp_path: Path) -> None:
    """A column by lot: held-out folds must not find it, however many features there are."""
    lots = np.random.default_rng(0).integers(0, 2, len(drawn.table)).astype(str)
    marked = add_columns(drawn, {"lot": lots}, {})
    (row,) = train_detector(marked, ["lot"], Pooled(backbone), tmp_path / "detector", 0)
    assert row.low < 0.5 < row.high


def test_through_the_shell(backbone: str, drawn: DataSet, tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "detector"
    said = shell("artefacts", "train", drawn.folder, "--column", "frame", "--model", backbone, "--out", out).stdout
    assert "frame" in said
    with pytest.raises(UserError, match="no such label; there are: frame"):
        scorer(f"detector={out}:tattoo", backbone)
    with pytest.raises(UserError, match="`model` 'small': write mobilenet=FILE"):
        scorer(f"detector={out}:frame", "small")
    shell("artefacts", "detect", drawn.folder, "--no-masks", "--detector", out, "--model", backbone)
    table = (drawn.folder / "metadata.csv").read_text().splitlines()[0].split(",")
    assert {"probability_frame", "found_frame", "skin_tone"} <= set(table)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "SET", "--column", "tattoo", "--model", "MODEL", "--out", "OUT"), "no such column in"),
        (("train", "SET", "--column", "label", "--model", "MODEL", "--out", "OUT"), "it must be 0, 1 or blank"),
        (
            ("train", "SET", "--column", "rare", "--model", "MODEL", "--out", "OUT"),
            "2 images with and 94 without; at least 10",
        ),
        (
            ("train", "SET", "--column", "frame", "--model", "small", "--out", "OUT"),
            "write mobilenet=FILE or timm:NAME=FILE",
        ),
        (("detect", "SET", "--detector", "OUT", "--model", "MODEL"), "make it with: dermsynth artefacts train"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], said: str, backbone: str, drawn: DataSet, tmp_path: Path, shell: Shell
) -> None:
    rare = np.array(["1", "1"] + ["0"] * 94)
    add_columns(drawn, {"rare": rare}, {})
    words = {"SET": str(drawn.folder), "MODEL": backbone, "OUT": str(tmp_path / "out")}
    done = shell("artefacts", *(words.get(word, word) for word in arguments), status=None)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr

"""Is an image one of ours: exact, altered by JPEG or resizing, or unknown; and is a signed file as it was?"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dermsynth as ds
from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.export.fingerprints import read_registry, write_registry
from dermsynth.images import encode_png
from dermsynth.io import write_bytes

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def release(phantom: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawn lesions, handed on as if a generator had made them."""
    folder = tmp_path_factory.mktemp("verify")
    images = phantom.images((64, 64))[:12]
    names = [f"images/{number:02d}.png" for number in range(12)]
    for name, image in zip(names, images, strict=True):
        write_bytes(folder / "set" / name, encode_png(image, text={"seed": "1"}, synthetic=True))
    table = phantom.table.head(12)[["label"]].assign(file_name=names, copy_flag="false")
    facts = Provenance(synthetic=True, licence=("CC0-1.0",))
    ds.export(write_data_set(folder / "set", table, facts, Step(command="drawn")), out=folder / "out")
    return folder / "out"


def saved(path: Path, source: Path, size: tuple[int, int] | None = None, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        (image if size is None else image.resize(size, Image.Resampling.LANCZOS)).save(path, **options)


def test_the_exported_files_are_exact(release: Path) -> None:
    result = ds.verify(release, registry=release / "fingerprints.jsonl")
    assert result.counts == {"exact": 12, "altered": 0, "unknown": 0}
    assert result.ours
    assert [match.of for match in result.matches] == [match.file_name for match in result.matches]


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (None, {"format": "JPEG", "quality": 75}), (None, {"format": "JPEG", "quality": 40}),
        (None, {"format": "WEBP", "quality": 50}), ((32, 32), {"format": "PNG"}), ((150, 150), {"format": "PNG"}),
        ((40, 40), {"format": "JPEG", "quality": 80}),
    ],
)  # fmt: skip
def test_compressed_and_resized_images_are_known_again(
    release: Path, tmp_path: Path, size: tuple[int, int] | None, options: dict[str, object]
) -> None:
    ending = str(options["format"]).lower()
    for path in (release / "images").iterdir():
        saved(tmp_path / "web" / f"renamed_{path.stem}.{ending}", path, size, **options)
    result = ds.verify(tmp_path / "web", registry=release)
    assert result.counts == {"exact": 0, "altered": 12, "unknown": 0}
    assert all(match.of == f"images/{Path(match.file_name).stem[-2:]}.png" for match in result.matches)
    assert all(match.levels <= 5 for match in result.matches)


def test_a_file_without_its_marks_has_the_same_pixels(release: Path, tmp_path: Path) -> None:
    saved(tmp_path / "plain.png", release / "images" / "03.png")
    (match,) = ds.verify(tmp_path / "plain.png", registry=release).matches
    assert (match.state, match.of, match.levels) == ("altered", "images/03.png", 0.0)
    assert "same pixels" in match.note


def test_other_images_are_unknown_and_damaged_ones_say_so(release: Path, phantom: DataSet, tmp_path: Path) -> None:
    for number, image in enumerate(phantom.images((64, 64))[100:140]):
        write_bytes(tmp_path / f"{number}.png", encode_png(image))
    (tmp_path / "cut.png").write_bytes((release / "images" / "00.png").read_bytes()[:200])
    (tmp_path / ".hidden.png").write_bytes(b"")
    result = ds.verify(tmp_path, registry=[release])
    assert result.counts == {"exact": 0, "altered": 0, "unknown": 41}
    notes = {match.file_name: match.note for match in result.matches if match.note}
    assert set(notes) == {"cut.png"}
    assert "damaged" in notes["cut.png"]


def test_registries_may_be_joined(release: Path, tmp_path: Path) -> None:
    text = (release / "fingerprints.jsonl").read_text()
    other = text.replace('"set": "out"', '"set": "other"')
    (tmp_path / "both.jsonl").write_text(text + other)
    registry = read_registry([tmp_path / "both.jsonl"])
    assert (len(registry), set(registry.sets)) == (24, {"out", "other"})


BAD = ["", "not JSON", "[1, 2]", '{"file_name": "a.png"}', "\x80"]


@pytest.mark.parametrize("text", BAD)
def test_a_registry_that_is_none_is_one_line(text: str, tmp_path: Path, release: Path) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"`registry`.*(no registry of fingerprints|no fingerprints)") as error:
        ds.verify(release, registry=path)
    assert "\n" not in str(error.value)


def test_a_damaged_line_of_a_registry_is_named(tmp_path: Path, release: Path) -> None:
    lines = (release / "fingerprints.jsonl").read_text().splitlines()
    broken = {**json.loads(lines[3]), "features": "AAAA"}
    (tmp_path / "cut.jsonl").write_text("\n".join([*lines[:3], json.dumps(broken)]))
    with pytest.raises(UserError, match="line 4 is no fingerprint"):
        ds.verify(release, registry=tmp_path / "cut.jsonl")
    (tmp_path / "newer.jsonl").write_text(lines[0].replace('"version": 1', '"version": 9'))
    with pytest.raises(UserError, match="version 9; update dermsynth"):
        ds.verify(release, registry=tmp_path / "newer.jsonl")
    with pytest.raises(UserError, match=r"`registry` .*nowhere: no such file"):
        ds.verify(release, registry=tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"`folder` .*: no image files"):
        ds.verify(tmp_path, registry=release)


def test_the_shell_says_it_by_its_exit_status(release: Path, tmp_path: Path, shell: Shell) -> None:
    result = shell("verify", release, "--registry", release)
    assert "12 exact, 0 altered, 0 unknown" in result.stdout
    write_bytes(tmp_path / "new" / "1.png", encode_png(np.zeros((64, 64, 3), np.uint8)))
    saved(tmp_path / "new" / "2.jpg", release / "images" / "02.png", quality=80)
    result = shell("verify", tmp_path / "new", "--registry", release / "fingerprints.jsonl", status=3)
    assert "unknown  1.png" in result.stdout
    assert "altered  2.jpg of images/02.png in out" in result.stdout
    shell("verify", tmp_path / "new", "--registry", release, "--table", tmp_path / "t.csv", status=3)
    assert (tmp_path / "t.csv").read_text().startswith("file_name,state,of,set,levels,signature,signer,note\n")
    result = shell("verify", release, "--registry", release / "metadata.csv", status=1)
    assert "no registry of fingerprints" in result.stderr
    assert "--registry" in result.stderr


def test_the_bytes_of_a_registry_are_the_same_each_time(release: Path, tmp_path: Path) -> None:
    again = ds.export(ds.open_dataset(release), out=tmp_path / "out").folder / "fingerprints.jsonl"
    assert again.read_bytes() == (release / "fingerprints.jsonl").read_bytes()


def test_another_lesion_on_the_same_skin_is_not_ours(tmp_path: Path) -> None:
    from tests.export.drawn import skin

    images = [skin(lesion=(20, 20)), skin(lesion=(24, 38))]
    first = np.abs(images[0].astype(float) - images[1]).mean()
    assert first < 5
    for number, image in enumerate(images):
        write_bytes(tmp_path / "images" / f"{number}.png", encode_png(image))
    write_registry(tmp_path, ["images/0.png"], "hash", "skin")
    states = [match.state for match in ds.verify(tmp_path / "images", registry=tmp_path).matches]
    assert states == ["exact", "unknown"]

"""Translations and images of maps, from tiny runs of every family that makes images from images."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.images import encode_png, read_image
from dermsynth.report.gallery import PHOTOGRAPHS, write_gallery
from dermsynth.report.run_report import write_run_report
from dermsynth.sampling.contact_sheets import contact_sheets, run_images
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import Generator, load_generator
from dermsynth.sampling.translate import change_outside, from_maps, translate
from dermsynth.training.loop import train
from tests.conftest import tiny_config

Make = Callable[[str], Generator]


@pytest.fixture(scope="session")
def made(phantom: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Make:
    runs: dict[str, Path] = {}

    def load(name: str) -> Generator:
        if name not in runs:
            runs[name] = tmp_path_factory.mktemp("translators") / name
            config, chosen = tiny_config(phantom, recipe=name, images=48)
            train(runs[name], config, chosen, device="cpu")
        return load_generator(runs[name], device="cpu")

    return load


def test_translations_say_where_they_come_from_and_what_changed_outside(
    made: Make, phantom: DataSet, tmp_path: Path
) -> None:
    generator = made("residual-translation")
    result = translate(generator, phantom, tmp_path / "out", split="test")
    sources = phantom.select(((phantom.table["split"] == "test") & (phantom.table["label"] == "nevus")).to_numpy())
    assert sorted(result.table["source_image"]) == sorted(sources.table["file_name"])
    assert set(result.labels) == {"melanoma"}
    assert result.synthetic
    first = result.table.iloc[0]
    index = list(sources.table["file_name"]).index(first["source_image"])
    before = decode_images(sources, Decoding(32, 32))[index].astype(int)
    after = read_image(result.folder / first["file_name"]).transpose(2, 0, 1).astype(int)
    mask = read_image(Path(first["source_mask"])).max(axis=2) > 127
    mask = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)  # the phantom has 16 pixels, the run 32
    literal = np.abs(before - after)[:, ~mask].mean()
    assert float(first["change_outside_mask"]) == pytest.approx(literal, abs=0.001)
    summary = result.description["change_outside_mask"]
    assert summary["n"] == len(result.table)
    assert summary["mean"] == pytest.approx(result.table["change_outside_mask"].astype(float).mean(), abs=0.001)
    again = translate(generator, phantom, tmp_path / "again", split="test")
    assert again.content_hash == result.content_hash


def test_a_moved_set_goes_on(made: Make, phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(phantom.folder, tmp_path / "moved")
    translate(made("residual-translation"), phantom, tmp_path / "out", split="test")
    monkeypatch.chdir(tmp_path)
    again = translate(made("residual-translation"), open_data_set("moved"), tmp_path / "out", split="test")
    assert again.provenance.generator.document["source"] == "moved"
    with pytest.raises(UserError, match="begun with source_split 'test', now 'all'"):
        translate(made("residual-translation"), phantom, tmp_path / "out")


def test_change_outside_against_a_loop() -> None:
    random = np.random.default_rng(0)
    images, changed = (random.integers(0, 256, (3, 3, 8, 8), np.uint8) for _ in range(2))
    masks = random.integers(0, 2, (3, 1, 8, 8), np.uint8)
    for n, value in enumerate(change_outside(images, changed, masks)):
        total = [
            abs(int(images[n, c, y, x]) - int(changed[n, c, y, x]))
            for c in range(3)
            for y in range(8)
            for x in range(8)
            if not masks[n, 0, y, x]
        ]
        assert value == pytest.approx(sum(total) / len(total))
    assert (change_outside(images, images, masks) == 0).all()
    inside = np.where(masks > 0, changed, images)
    assert (change_outside(images, inside, masks) == 0).all()


def test_masks_of_another_set_are_used_in_turn(made: Make, phantom: DataSet, tmp_path: Path) -> None:
    bare = phantom.table.drop(columns=["mask_file_name"])
    for name in bare["file_name"]:
        target = tmp_path / "bare" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((phantom.folder / name).read_bytes())
    photographs = write_data_set(tmp_path / "bare", bare, Provenance(synthetic=False), Step(command="test"))
    generator = made("residual-translation")
    with pytest.raises(UserError, match=r"images have no mask that says where; give `masks` DIR"):
        translate(generator, photographs, tmp_path / "no")
    few = phantom.select(np.arange(len(phantom.table)) < 3)
    result = translate(generator, photographs, tmp_path / "yes", masks=few)
    assert result.table["source_mask"].nunique() == 3


def test_a_cycle_goes_both_ways(made: Make, phantom: DataSet, tmp_path: Path) -> None:
    generator = made("cyclegan")
    there = translate(generator, phantom, tmp_path / "there", to="melanoma", split="test")
    back = translate(generator, phantom, tmp_path / "back", to="nevus", split="test")
    assert set(there.labels) == {"melanoma"}
    assert set(back.labels) == {"nevus"}
    assert "source_mask" not in there.table
    with pytest.raises(UserError, match=r"`target` '': this run makes nevus and melanoma; name one"):
        translate(generator, phantom, tmp_path / "x")
    with pytest.raises(UserError, match=r"`target` 'wart'"):
        translate(generator, phantom, tmp_path / "x", to="wart")


def test_every_map_becomes_an_image_with_its_mask(made: Make, phantom: DataSet, tmp_path: Path) -> None:
    generator = made("pix2pixhd")
    result = from_maps(generator, phantom, tmp_path / "out", split="test")
    sources = phantom.select((phantom.table["split"] == "test").to_numpy())
    assert list(result.table["source_map"]) == list(sources.table["file_name"])
    assert list(result.labels) == list(sources.labels)
    for name, mask in zip(sources.table["mask_file_name"], result.table["mask_file_name"], strict=True):
        small = read_image(phantom.folder / name).max(axis=2) > 127
        large = read_image(result.folder / mask).max(axis=2) > 127
        assert (np.repeat(np.repeat(small, 2, axis=0), 2, axis=1) == large).all()


def test_a_map_with_noise_gives_other_images_for_other_seeds_and_keeps_its_class(
    made: Make, phantom: DataSet, tmp_path: Path
) -> None:
    generator = made("map-diffusion")
    assert generator.config.data.classes == ("melanoma", "nevus", "seborrheic_keratosis")
    table = phantom.table[phantom.table["split"] == "test"].reset_index(drop=True)
    table.loc[0, "label"] = ""
    table = table.drop(columns=["structures"])
    few = write_copy(phantom, table.iloc[:4], tmp_path / "few")
    first, again, other = (from_maps(generator, few, tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 9)))  # fmt: skip
    assert list(first.labels) == list(few.labels)
    assert list(first.table["seed"]) == ["0", "1", "2", "3"]
    assert list(other.table["seed"]) == ["9", "10", "11", "12"]
    pixels = [[read_image(made_set.folder / name) for name in made_set.table["file_name"]] for made_set in (first, again, other)]  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(pixels[0], pixels[1], strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(pixels[0], pixels[2], strict=True))
    with pytest.raises(UserError, match="begun with seed 0, now 1; choose another"):
        from_maps(generator, few, tmp_path / "a", seed=1)
    with pytest.raises(UserError, match="`truncation` 2: map-diffusion takes a number above 0 up to 1"):
        from_maps(generator, few, tmp_path / "d", truncation=2)
    table.loc[1, "label"] = "wart"
    with pytest.raises(UserError, match="label 'wart'; the generator knows: melanoma, nevus, seborrheic_keratosis"):
        from_maps(generator, write_copy(phantom, table.iloc[:4], tmp_path / "warts"), tmp_path / "e")


def write_copy(source: DataSet, table: pd.DataFrame, folder: Path) -> DataSet:
    """A data set of its own with these rows of another one."""
    for name in [*table["file_name"], *table["mask_file_name"]]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.folder / name, folder / name)
    return write_data_set(folder, table.reset_index(drop=True), source.provenance, Step(command="test"))


def test_every_kind_of_run_has_its_own_command(made: Make, phantom: DataSet, run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cyclegan makes images from images, not from seeds; use dermsynth translate"):
        generate(made("cyclegan"), {"melanoma": 3}, tmp_path / "a")
    with pytest.raises(UserError, match="pix2pixhd makes images from images, not from seeds; use `maps` DIR"):
        generate(made("pix2pixhd"), {"": 3}, tmp_path / "b")
    with pytest.raises(UserError, match="stylegan2-ada does not translate; use dermsynth generate"):
        translate(load_generator(run, device="cpu"), phantom, tmp_path / "c")
    with pytest.raises(UserError, match="stylegan2-ada takes no maps; leave `maps` out"):
        from_maps(load_generator(run, device="cpu"), phantom, tmp_path / "d")
    assert not list(tmp_path.iterdir())


def test_a_mask_that_covers_everything_is_refused(made: Make, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("images/a.png", "masks/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode_png(np.full((32, 32, 3), 255, np.uint8)))
    table = pd.DataFrame([{"file_name": "images/a.png", "mask_file_name": "masks/a.png"}])
    data = write_data_set(folder, table, Provenance(synthetic=False), Step(command="test"))
    with pytest.raises(UserError, match="all lesion; nothing is left that must not change"):
        translate(made("residual-translation"), data, tmp_path / "out")


def test_labels_that_the_run_does_not_know_are_refused(made: Make, phantom: DataSet, tmp_path: Path) -> None:
    others = phantom.select(phantom.labels == "seborrheic_keratosis")
    with pytest.raises(UserError, match="no images labelled 'nevus'; it has: seborrheic_keratosis"):
        translate(made("residual-translation"), others, tmp_path / "out")


@pytest.mark.parametrize("model", ["pix2pixhd", "map-diffusion", "residual-translation", "cyclegan"])
def test_their_reports_show_inputs(made: Make, model: str, tmp_path: Path) -> None:
    generator = made(model)
    write_run_report(generator, run_images(generator), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img") >= 3
    assert model in page


def test_a_gallery_shows_every_run_with_what_it_was_made_from(made: Make, run: Path, tmp_path: Path) -> None:
    runs = [run, made("cyclegan").run, made("pix2pixhd").run]
    size, photographs = write_gallery(contact_sheets(runs), tmp_path / "gallery")
    text = (tmp_path / "gallery" / "README.md").read_text()
    pictures = {path.name: read_image(path) for path in (tmp_path / "gallery").glob("*.jpg")}
    assert set(pictures) == {"run.jpg", "cyclegan.jpg", "pix2pixhd.jpg"}
    assert size == sum(path.stat().st_size for path in (tmp_path / "gallery").glob("*.jpg"))
    for name in pictures:
        assert f"({name})" in text
    assert text.count("Rows in pairs") == 2
    assert photographs
    assert PHOTOGRAPHS in text
    assert "Not photographs" not in text
    assert pictures["cyclegan.jpg"].shape[0] == 4 * 34 - 2, "two directions, each below its input"
    other = write_phantom(tmp_path / "other", 60, PhantomSettings(32, 32), seed=5, jobs=1)
    assert not write_gallery(contact_sheets(runs, [other]), tmp_path / "others", foreign=True)[1]
    drawn = (read_image(tmp_path / "others" / "cyclegan.jpg")[:32, :32], pictures["cyclegan.jpg"][:32, :32])
    first = decode_images(other.select(other.labels == "melanoma"), Decoding(32, 32)).transpose(0, 2, 3, 1).astype(int)
    errors = [np.abs(first - one.astype(int)).mean(axis=(1, 2, 3)).min() for one in drawn]
    assert errors[0] < 0.6 * errors[1], f"the other set's image, but for compression; not those trained on: {errors}"
    assert "from another set than the training images" in (tmp_path / "others" / "README.md").read_text()
    bare = DataSet(other.folder, other.table.drop(columns="mask_file_name"), other.description)
    with pytest.raises(UserError, match=r"no `inputs` suit it: .*none of its images has a mask"):
        write_gallery(contact_sheets(runs[2:], [bare]), tmp_path / "bare", foreign=True)
    with pytest.raises(UserError, match="two runs of this name"):
        write_gallery(contact_sheets([run, run]), tmp_path / "twice")


def test_maps_come_from_what_was_trained_on_and_rows_keep_split_and_group(
    made: Make, phantom: DataSet, tmp_path: Path
) -> None:
    """Outlines of test lesions must not reach a training set by way of their maps."""
    grouped = DataSet(phantom.folder, phantom.table.assign(group=phantom.table["file_name"]), phantom.description)
    result = from_maps(made("pix2pixhd"), grouped, tmp_path / "maps")
    assert set(result.table["split"]) == {"train"}
    assert list(result.table["group"]) == list(result.table["source_map"])
    everything = translate(made("residual-translation"), grouped, tmp_path / "all")
    assert set(everything.table["split"]) == set(phantom.table["split"])


def test_another_split_or_other_masks_need_another_folder(made: Make, phantom: DataSet, tmp_path: Path) -> None:
    from_maps(made("pix2pixhd"), phantom, tmp_path / "a", split="test")
    with pytest.raises(UserError, match="begun with maps_split 'test', now 'validation'"):
        from_maps(made("pix2pixhd"), phantom, tmp_path / "a", split="validation")


def test_images_of_one_name_in_two_folders_do_not_overwrite_each_other(made: Make, tmp_path: Path) -> None:
    rows = []
    for folder in ("a", "b"):
        path = tmp_path / "set" / folder / "1.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_png(np.full((32, 32, 3), 90 + 40 * len(rows), np.uint8)))
        rows.append({"file_name": f"{folder}/1.png", "label": "nevus"})
    data = write_data_set(tmp_path / "set", pd.DataFrame(rows), Provenance(synthetic=False), Step(command="test"))
    result = translate(made("cyclegan"), data, tmp_path / "out", to="melanoma")
    assert result.table["file_name"].nunique() == len(list((tmp_path / "out" / "images").iterdir())) == 2

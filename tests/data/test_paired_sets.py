"""Maps, superpixels, patches and domains."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.maps import (
    LAYERS,
    MapSettings,
    boundaries,
    colour_map,
    decode_maps,
    label_map,
    layer_names,
    read_mask,
    superpixel_boundaries,
)
from dermsynth.data.paired_sets import domain_set, map_set
from dermsynth.data.patches import PatchSettings, patch_label, write_patches
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.training_set import Selection
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.images import encode_png, read_image


def write(folder: Path, rows: list[dict[str, str]], files: dict[str, np.ndarray], **facts: object) -> DataSet:
    for name, pixels in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(pixels))
    return write_data_set(
        folder,
        pd.DataFrame(rows).fillna(""),
        Provenance.model_validate({"synthetic": False, **facts}),
        Step(command="test"),
    )


def disc(side: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.where(x**2 + y**2 <= radius**2, 255, 0).astype(np.uint8)


@pytest.fixture(scope="session")
def structured(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    settings = PhantomSettings(64, 64)
    return write_phantom(tmp_path_factory.mktemp("structured") / "set", 40, settings, jobs=1, structures=True)


def test_masks_are_laid_on_each_other_in_order(tmp_path: Path) -> None:
    lesion, network, streaks = disc(32, 12), disc(32, 6), disc(32, 3)
    network[:, :16] = 0
    row = {
        "file_name": "images/a.png", "mask_file_name": "masks/a.png", "pigment_network_mask": "masks/n.png",
        "streaks_mask": "masks/s.png",
    }  # fmt: skip
    image = np.full((32, 32, 3), 200, np.uint8)
    data = write(
        tmp_path, [row], {"images/a.png": image, "masks/a.png": lesion, "masks/n.png": network, "masks/s.png": streaks}
    )
    layers = layer_names(data)
    assert layers == ("skin", "lesion", "pigment_network", "streaks")
    values = label_map(data, row, layers)
    assert values[0, 0] == 0
    assert values[16, 6] == 1
    assert values[16, 20] == 2
    assert values[16, 16] == 3
    assert set(np.unique(values)) == {0, 1, 2, 3}


def test_markers_of_the_phantom_lie_in_its_lesion(structured: DataSet) -> None:
    layers = layer_names(structured)
    assert layers == LAYERS
    found = set()
    for row in structured.table.to_dict("records"):
        values = label_map(structured, row, layers)  # type: ignore[arg-type]
        lesion = read_image(structured.folder / row["mask_file_name"]).max(axis=2) > 127
        assert ((values > 0) == lesion).all()
        found |= set(np.unique(values).tolist())
    assert found == set(range(7))


def test_boundaries_are_where_neighbours_differ() -> None:
    segments = np.array([[0, 0, 1], [0, 0, 1], [2, 2, 1]])
    literal = np.zeros((3, 3), np.uint8)
    for y in range(3):
        for x in range(3):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                inside = 0 <= y + dy < 3 and 0 <= x + dx < 3
                literal[y, x] |= inside and segments[y, x] != segments[y + dy, x + dx]
    assert (boundaries(segments) == literal).all()
    assert not boundaries(np.ones((4, 4), np.int64)).any()


def test_superpixels_follow_edges() -> None:
    pixels = np.full((64, 64, 3), 220, np.uint8)
    pixels[20:44, 20:44] = (90, 40, 30)
    edges = superpixel_boundaries(pixels)
    assert 0.05 < edges.mean() < 0.6
    square = np.zeros((64, 64), np.int64)
    square[20:44, 20:44] = 1
    assert edges[boundaries(square) > 0].mean() > 0.9


def test_maps_are_cropped_like_the_images_and_keep_their_values(structured: DataSet) -> None:
    settings = MapSettings(layer_names(structured), superpixels=True)
    maps = decode_maps(structured, Decoding(24, 32), settings)
    assert maps.shape == (40, 2, 24, 32)
    assert set(np.unique(maps[:, 0])) <= set(range(7))
    assert set(np.unique(maps[:, 1])) == {0, 1}
    again = decode_maps(structured, Decoding(24, 32), settings)
    assert (again == maps).all()
    plain = decode_maps(structured, Decoding(24, 32), MapSettings(settings.layers, superpixels=False))
    assert not plain[:, 1].any()
    assert (plain[:, 0] == maps[:, 0]).all()
    assert colour_map(maps).shape == (40, 3, 24, 32)


def test_maps_of_ones_own_with_unknown_values_are_refused(tmp_path: Path) -> None:
    image, values = np.full((16, 16, 3), 200, np.uint8), np.zeros((16, 16), np.uint8)
    values[4, 4] = 5
    row = {"file_name": "images/a.png", "map_file_name": "maps/a.png"}
    data = write(tmp_path / "a", [row], {"images/a.png": image, "maps/a.png": values}, map_classes=["skin", "lesion"])
    with pytest.raises(UserError, match=r"maps/a.png: value 5; known are 0 to 1 \(skin, lesion\)"):
        decode_maps(data, Decoding(16, 16), MapSettings(layer_names(data), superpixels=False), jobs=1)
    nameless = write(tmp_path / "b", [row], {"images/a.png": image, "maps/a.png": values})
    with pytest.raises(UserError, match="does not name the maps' values"):
        layer_names(nameless)
    coloured_map = write(tmp_path / "c", [row], {"images/a.png": image, "maps/a.png": image}, map_classes=["skin"])
    with pytest.raises(UserError, match="a map must be a grey image of 8 bits"):
        label_map(coloured_map, row, ("skin",))


def test_a_marker_of_another_size_is_refused(tmp_path: Path) -> None:
    row = {"file_name": "images/a.png", "mask_file_name": "masks/a.png", "streaks_mask": "masks/s.png"}
    image = np.full((32, 32, 3), 200, np.uint8)
    data = write(tmp_path, [row], {"images/a.png": image, "masks/a.png": disc(32, 9), "masks/s.png": disc(16, 3)})
    with pytest.raises(UserError, match="mask of streaks has another size"):
        label_map(data, row, layer_names(data))


def test_families_with_maps_need_masks(tmp_path: Path, structured: DataSet) -> None:
    unconditional = Selection("all", conditional=False)
    chosen = map_set(structured, Decoding(32, 32), unconditional, superpixels=False)
    assert chosen.maps is not None
    assert chosen.maps.shape[0] == len(chosen.images) == 40
    assert chosen.classes == ()
    rare = next(label for label in structured.classes if structured.count(label) < 10)
    with pytest.raises(UserError, match=f"label '{rare}' has . images .* leave it out with `exclude` '{rare}'"):
        map_set(structured, Decoding(32, 32), Selection("all"), superpixels=False)
    others = map_set(structured, Decoding(32, 32), Selection("all", exclude=(rare,)), superpixels=False)
    assert rare not in others.classes
    assert sorted(set(others.labels.tolist())) == list(range(len(others.classes)))
    image = np.full((16, 16, 3), 200, np.uint8)
    bare = write(tmp_path, [{"file_name": "images/a.png"}], {"images/a.png": image})
    with pytest.raises(UserError, match="none of its images has a mask"):
        map_set(bare, Decoding(16, 16), unconditional, superpixels=False)


def test_patches_against_a_literal_count(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    mask = np.zeros((96, 128), np.uint8)
    mask[10:40, 10:50] = 255
    row = {"file_name": "images/a.png", "label": "nevus", "mask_file_name": "masks/a.png", "split": "test"}
    data = write(tmp_path / "photos", [row], {"images/a.png": image, "masks/a.png": mask})
    settings = PatchSettings(side=32, stride=16)
    made = write_patches(data, tmp_path / "patches", settings, jobs=1)
    expected = {"clean": 0, "lesion": 0}
    for top in range(0, 65, 16):
        for left in range(0, 97, 16):
            share = (mask[top : top + 32, left : left + 32] > 0).sum() / 1024
            expected["clean"] += share == 0
            expected["lesion"] += 0.1 <= share <= 0.8
    assert {label: made.count(label) for label in made.classes} == expected
    for record in made.table.to_dict("records"):
        top, left = int(record["top"]), int(record["left"])
        assert (read_image(made.folder / record["file_name"]) == image[top : top + 32, left : left + 32]).all()
        assert record["group"] == "a"
        assert record["split"] == "test"
        assert bool(record["mask_file_name"]) == (record["label"] == "lesion")


def test_photographs_of_one_name_in_two_folders_are_both_cut(tmp_path: Path) -> None:
    image, mask = np.full((32, 32, 3), 200, np.uint8), np.zeros((32, 32), np.uint8)
    mask[:8, :16] = 255
    rows = [{"file_name": f"images/{f}/a.png", "mask_file_name": f"masks/{f}.png"} for f in "xy"]
    files = {str(row["file_name"]): image for row in rows} | {str(row["mask_file_name"]): mask for row in rows}
    made = write_patches(write(tmp_path / "photos", rows, files), tmp_path / "out", PatchSettings(16, 16), jobs=1)
    assert len(made.table) == len({*made.table["file_name"]}) == 2 * 4
    assert {*made.table["source"]} == {"images/x/a.png", "images/y/a.png"}
    assert all(path.exists() for path in made.paths)


def test_skin_masks_leave_out_what_is_neither() -> None:
    lesion, skin = np.zeros((10, 10), bool), np.ones((10, 10), bool)
    skin[:3] = False
    assert patch_label(lesion, skin, PatchSettings()) == ""
    assert patch_label(lesion, skin, PatchSettings(smallest_skin=0.7)) == "clean"
    lesion[:2, :5] = True
    assert patch_label(lesion, skin | lesion, PatchSettings(smallest_skin=0.7)) == "lesion"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (PatchSettings(side=4), "`side` 4"),
        (PatchSettings(stride=0), "`stride` 0"),
        (PatchSettings(smallest_lesion=0.9, largest_lesion=0.2), "must rise"),
        (PatchSettings(smallest_skin=2), "`skin` 2"),
        (PatchSettings(side=512), "no clean patches of 512 pixels"),
        (PatchSettings(skin_column="hand"), "no column 'hand'"),
    ],
)
def test_patches_that_cannot_be_cut_are_refused(
    structured: DataSet, tmp_path: Path, settings: PatchSettings, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        write_patches(structured, tmp_path / "out", settings, jobs=1)
    assert not (tmp_path / "out").exists()


def test_generators_see_equally_many_and_discriminators_all(structured: DataSet, tmp_path: Path) -> None:
    decoding = Decoding(16, 16)
    few, many = (structured.count(label) for label in ("melanoma", "nevus"))
    few, many = min(few, many), max(few, many)
    chosen = domain_set(structured, decoding, "nevus", "melanoma", masks=True, split="all")
    assert chosen.domains is not None
    assert chosen.classes == ("nevus", "melanoma")
    shown, real = set(), set()
    for start in range(0, 400, 8):
        domains = chosen.take(start, 8).domains
        assert domains is not None
        shown |= {
            image.tobytes() for image in (domains.source if structured.count("nevus") == many else domains.target)
        }
        real |= {
            image.tobytes()
            for image in (domains.real_source if structured.count("nevus") == many else domains.real_target)
        }
        assert domains.mask.shape == (8, 1, 16, 16)
        assert set(np.unique(domains.mask)) <= {0, 1}
    assert len(shown) == few
    assert len(real) == many


def test_masks_come_from_the_side_that_has_them(tmp_path: Path) -> None:
    rows, files = [], {}
    for i in range(24):
        label = "clean" if i % 2 else "lesion"
        files[f"images/{i}.png"] = np.full((16, 16, 3), 10 * i, np.uint8)
        row = {"file_name": f"images/{i}.png", "label": label}
        if label == "lesion":
            files[f"masks/{i}.png"] = disc(16, 2 + i / 8)
            row["mask_file_name"] = f"masks/{i}.png"
        rows.append(row)
    data = write(tmp_path / "a", rows, files)
    adding = domain_set(data, Decoding(16, 16), "clean", "lesion", masks=True).take(0, 12).domains
    removing = domain_set(data, Decoding(16, 16), "lesion", "clean", masks=True).take(0, 12).domains
    assert adding is not None
    assert removing is not None
    for image, mask in zip(removing.source, removing.mask, strict=True):
        own = disc(16, 2 + round(image.max() / 10) / 8) > 0
        assert (mask[0] == own).all()
    assert adding.mask.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        ("wart", "nevus", "domain 'wart': no such label; there are: melanoma, nevus, seborrheic_keratosis"),
        ("nevus", "nevus", "source and target are the same"),
    ],
)
def test_domains_that_are_none_are_refused(structured: DataSet, source: str, target: str, text: str) -> None:
    with pytest.raises(UserError, match=text):
        domain_set(structured, Decoding(16, 16), source, target, masks=False, split="all")


def test_an_empty_domain_and_a_mask_that_is_all_lesion(tmp_path: Path) -> None:
    rows, files = [], {}
    for i in range(24):
        label = "clean" if i % 2 else "lesion"
        files[f"images/{i}.png"], files[f"masks/{i}.png"] = (
            np.zeros((16, 16, 3), np.uint8),
            np.full((16, 16), 255, np.uint8),
        )
        rows.append(
            {"file_name": f"images/{i}.png", "label": label, "mask_file_name": f"masks/{i}.png", "split": "train"}
        )
    data = write(tmp_path / "a", rows, files)
    with pytest.raises(UserError, match=r"masks/1.png: all lesion; nothing is left that must not change"):
        domain_set(data, Decoding(16, 16), "clean", "lesion", masks=True)
    with pytest.raises(UserError, match="domain 'clean': 0 images in the split 'test', at least 10"):
        domain_set(data, Decoding(16, 16), "clean", "lesion", masks=False, split="test")
    bare = write(tmp_path / "b", [{k: v for k, v in row.items() if k != "mask_file_name"} for row in rows], files)
    with pytest.raises(UserError, match="neither all images of 'clean' nor all of 'lesion' have masks"):
        domain_set(bare, Decoding(16, 16), "clean", "lesion", masks=True)
    assert open_data_set(tmp_path / "b").count("clean") == 12


def test_map_values_mean_what_their_own_set_says(tmp_path: Path) -> None:
    """The same number may have another name in another set; a name that the run does not know is refused."""
    image, values = np.full((16, 16, 3), 200, np.uint8), np.zeros((16, 16), np.uint8)
    values[4:8], values[8:12] = 1, 2
    row = {"file_name": "images/a.png", "map_file_name": "maps/a.png"}
    files = {"images/a.png": image, "maps/a.png": values}
    data = write(tmp_path, [row], files, map_classes=["skin", "lesion", "globules"])
    found = label_map(data, row, LAYERS)
    assert (found[8:12] == LAYERS.index("globules")).all()
    assert (found[4:8] == 1).all()
    with pytest.raises(UserError, match="shows 'globules'; known are skin, lesion"):
        label_map(data, row, ("skin", "lesion"))
    with pytest.raises(UserError, match="maps without superpixels"):
        decode_maps(data, Decoding(16, 16), MapSettings(LAYERS, superpixels=True), jobs=1)


def test_masks_of_zeros_and_ones_are_masks(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(encode_png(disc(16, 5) // 255))
    assert (read_mask(tmp_path / "m.png") == (disc(16, 5) > 0)).all()
    (tmp_path / "e.png").write_bytes(encode_png(np.zeros((16, 16), np.uint8)))
    assert not read_mask(tmp_path / "e.png").any()


def test_foreign_columns_that_end_in_mask_are_none_of_ours(tmp_path: Path) -> None:
    row = {"file_name": "images/a.png", "mask_file_name": "masks/a.png", "has_mask": "1"}
    image = np.full((32, 32, 3), 200, np.uint8)
    data = write(tmp_path, [row], {"images/a.png": image, "masks/a.png": disc(32, 9)})
    assert decode_maps(data, Decoding(32, 32), MapSettings(("skin", "lesion"), superpixels=False), jobs=1)[:, 0].any()
    (tmp_path / "masks" / "a.png").unlink()
    with pytest.raises(UserError, match=r"masks/a.png: no such file, but the table names it"):
        decode_maps(data, Decoding(32, 32), MapSettings(("skin", "lesion"), superpixels=False), jobs=1)


def test_the_larger_domain_is_cut_at_random_and_empty_masks_are_none(tmp_path: Path) -> None:
    rows, files = [], {}
    for i in range(60):
        label = "clean" if i < 45 else "lesion"
        files[f"images/{i}.png"] = np.full((16, 16, 3), 4 * i, np.uint8)
        files[f"masks/{i}.png"] = disc(16, 4) if label == "lesion" else np.zeros((16, 16), np.uint8)
        rows.append({"file_name": f"images/{i}.png", "label": label, "mask_file_name": f"masks/{i}.png"})
    data = write(tmp_path, rows, files)
    chosen = domain_set(data, Decoding(16, 16), "clean", "lesion", masks=True, split="all")
    assert chosen.domains is not None
    assert len(chosen.domains.source_kept) == len(chosen.domains.target_kept) == 15
    assert chosen.domains.source_kept.max() > 25, "not the first fifteen"
    shown = chosen.take(0, 15).domains
    assert shown is not None
    assert shown.mask.any(axis=(1, 2, 3)).all(), "the target's masks, because the source's are empty"

"""What programs read of a release: front matter, features and Croissant, as their own libraries read them."""

import json
from pathlib import Path

import numpy as np
import pytest

from dermsynth.data.dataset import DataSet
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.writing import write_data_set
from dermsynth.export.card import CARD
from dermsynth.export.croissant import RAI, VERSION
from dermsynth.export.huggingface import export
from dermsynth.images import encode_png
from dermsynth.io import write_bytes
from tests.export.drawn import drawn

SEVEN = ["Congruence", "Coverage", "Constraint", "Completeness", "Compliance", "Comprehension", "Consistency"]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported set with columns of every type, one of them blank, and a mask for each image."""
    folder = tmp_path_factory.mktemp("release")
    made = drawn(folder / "set", ["true"] + ["false"] * 11, ["nevus", "melanoma"] * 6)
    numbers = list(map(str, range(12)))
    masks = [f"masks/{number:02d}.png" for number in range(12)]
    for mask in masks:
        write_bytes(made.folder / mask, encode_png(np.zeros((8, 8), np.uint8)))
    table = made.table.assign(
        seed=numbers, share=[f"0.{n}" for n in numbers], blank="", truncation="none", mask_file_name=masks
    )
    provenance = Provenance.model_validate({"synthetic": True, "licence": ["CC-BY-4.0", "own"]})
    written = write_data_set(made.folder, table, provenance, Step(command="drawn"))
    export(written, folder / "out")
    return folder / "out"


def test_the_headings_are_the_seven_cs(release: Path) -> None:
    lines = (release / CARD).read_text().splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")][1:] == SEVEN
    assert "Not measured." in lines


def test_the_front_matter_is_what_the_hub_wants(release: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    data = hub.DatasetCard.load(release / CARD).data.to_dict()
    assert data["license"] == ["cc-by-4.0", "other"]
    assert data["license_name"] == "CC-BY-4.0, own"
    assert data["size_categories"] == ["n<1K"]
    assert data["task_categories"] == ["image-classification"]
    assert [feature["name"] for feature in data["dataset_info"]["features"]][:2] == ["image", "label"]


def test_features_are_those_that_datasets_finds(release: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    named = hub.DatasetCard.load(release / CARD).data.to_dict()["dataset_info"]["features"]
    found = datasets.load_dataset("imagefolder", data_dir=str(release), cache_dir=str(tmp_path))["train"]
    types = {name: getattr(feature, "dtype", "image") for name, feature in found.features.items()}
    types = {name: "image" if kind.startswith("PIL") else kind.removeprefix("large_") for name, kind in types.items()}
    assert {feature["name"]: feature["dtype"] for feature in named} == types
    by_name = datasets.load_dataset(str(release), cache_dir=str(tmp_path))["train"]
    assert (len(by_name), by_name[0]["image"].size, by_name[0]["label"]) == (11, (8, 8), "melanoma")
    assert by_name[0]["mask"].size == (8, 8)


def test_a_set_of_one_image_is_opened_by_its_name(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    made = drawn(tmp_path / "set", ["false"] * 12)
    one = DataSet(made.folder, made.table.head(1), {**made.description, "content_hash": "mine"})
    (made.folder / "files.csv").unlink()
    export(one, tmp_path / "out")
    assert len(datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]) == 1


def test_croissant_says_what_is_known(release: Path) -> None:
    document = json.loads((release / "croissant.json").read_text())
    assert document["conformsTo"] == [VERSION, RAI]
    assert document["license"] == ["https://creativecommons.org/licenses/by/4.0/", "own"]
    assert document["rai:dataCollection"].startswith("Made by a generator that is not known")
    assert {field["name"] for field in document["recordSet"][0]["field"]} >= {"file_name", "label", "seed", "image"}


def test_croissant_is_valid_and_gives_every_image(release: Path) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="needs mlcroissant")
    found = croissant.Dataset(jsonld=release / "croissant.json")
    assert found.metadata.ctx.issues.errors == set()
    missing = {line.partition('"')[2].partition('"')[0] for line in found.metadata.ctx.issues.warnings}
    assert missing == {"http://mlcommons.org/croissant/citeAs", "https://schema.org/datePublished"}  # for the publisher
    records = list(found.records(record_set="images"))
    assert len(records) == 11
    assert {record["images/label"] for record in records} == {b"nevus", b"melanoma"}
    assert all(record["images/image"].size == (8, 8) for record in records)

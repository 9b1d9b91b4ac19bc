"""A generator that comes with the package: found by its name, started from, and asked what it has seen."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tools.pretrained import ship

import dermsynth as ds
from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.provenance import GeneratorProvenance
from dermsynth.errors import UserError
from dermsynth.evaluation.memorisation import check_copies
from dermsynth.images import read_image
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from dermsynth.training import pretrained
from dermsynth.training.checkpoints import find
from dermsynth.training.config import earlier_data
from dermsynth.training.data import Plan, chosen_preset
from dermsynth.training.loop import train
from dermsynth.utility.leakage import check_history, check_origin
from tests.conftest import tiny_config


@pytest.fixture
def shipped(run: Path, phantom: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny run as a generator of the package."""
    monkeypatch.setattr(pretrained, "HOME", tmp_path / "home")
    monkeypatch.setattr("tools.pretrained.HOME", tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    return ship(run, "base", phantom.folder)


def test_the_name_stands_for_the_run_and_makes_nearly_the_same_images(shipped: Path, run: Path) -> None:
    """Weights are rounded to bfloat16: 8 bits of the mantissa, so images differ by a few grey levels."""
    ours, theirs = (load_generator(place, device="cpu").sample(4, label="nevus") for place in ("base", run))
    assert np.abs(ours.astype(int) - theirs).mean() < 4
    assert (find(Path("base")).path / "optimiser.safetensors").exists() is False


def test_the_discriminator_of_the_image_may_come_from_another_run(
    run: Path, phantom: DataSet, shipped: Path, tmp_path: Path
) -> None:
    config, chosen = tiny_config(phantom, images=8, seed=5)
    train(tmp_path / "other", config, chosen, device="cpu")
    mixed = ship(run, "mixed", phantom.folder, after="8 images of another run", discriminator=tmp_path / "other")
    ours, theirs, both = (find(place).network() for place in (shipped, tmp_path / "other", mixed))
    for key, value in both.items():
        source = theirs if key.startswith("discriminator.") else ours
        torch.testing.assert_close(value.float(), source[key].float(), rtol=0.01, atol=0.01)
    assert any(
        not torch.equal(both[key].float(), ours[key].float()) for key in both if key.startswith("discriminator.")
    )
    assert "images shown, after 8 images of another run;" in (mixed / pretrained.CARD).read_text()


def test_nothing_of_the_machine_is_in_it(shipped: Path, phantom: DataSet) -> None:
    texts = [path.read_text() for path in shipped.rglob("*") if path.suffix in (".json", ".md", ".csv")]
    assert not any(str(phantom.folder.parent) in text for text in texts)
    assert "images shown" in pretrained.require_pretrained("base").card.read_text()


def test_a_run_of_the_same_name_is_taken_before_it_and_said(shipped: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert pretrained.locate(Path("base")) == shipped
    Path("base").mkdir()
    assert pretrained.locate(Path("base")) == shipped, "a folder that holds no run is none"
    Path("base/config.json").write_text("{}")
    assert pretrained.locate(Path("base")) == Path("base")
    assert "the run here is used" in caplog.text


def test_photographs_it_was_trained_on_are_known_again_also_enlarged_and_recompressed(
    shipped: Path, phantom: DataSet, tmp_path: Path
) -> None:
    seen = phantom.part(phantom.in_split("train")).paths[:3]
    unseen = phantom.part(~phantom.in_split("train")).paths[:3]
    larger = tmp_path / "larger.jpg"
    image = cv2.resize(read_image(seen[0]), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(larger), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    known = pretrained.require_pretrained("base").has_seen([*seen, *unseen, larger])
    assert known.tolist() == [True] * 3 + [False] * 3 + [True]


def test_its_sets_say_where_they_come_from_and_why_copies_were_not_looked_for(shipped: Path, tmp_path: Path) -> None:
    synthetic = generate(load_generator("base", device="cpu"), {"nevus": 2, "melanoma": 1}, tmp_path / "synthetic")
    assert synthetic.provenance.generator.run == "base"
    assert synthetic.provenance.real_images.licence == ("CC-0",)
    assert "ISIC Archive" in synthetic.provenance.real_images.source
    line = str(check_copies(synthetic))
    assert "comes with dermsynth" in line
    assert "MODEL_CARD.md" in line


def test_a_training_that_starts_from_it_has_its_preset_and_names_it(shipped: Path, run: Path) -> None:
    assert chosen_preset(Plan("stylegan2-ada", training={"initial": "base"})) == "fine-tune"
    assert chosen_preset(Plan("stylegan2-ada", "laptop", training={"initial": "base"})) == "laptop"
    assert chosen_preset(Plan("dcgan", training={"initial": "base"})) == "laptop"
    config = load_generator(run, device="cpu").config
    started = config.model_copy(update={"training": config.training.model_copy(update={"initial": "base"})})
    entry = earlier_data(started)[0]
    assert (entry["run"], entry["data_hash"]) == ("base", config.data.content_hash)


def _started_from_base(synthetic: DataSet, data_hash: str, real: DataSet) -> DataSet:
    facts = GeneratorProvenance().with_facts(
        recipe="stylegan2-ada", data_hash=real.whole_hash, split="train",
        earlier=[{"run": "base", "data_hash": data_hash, "split": "train"}],
    )  # fmt: skip
    return DataSet(synthetic.folder, synthetic.table, {**synthetic.description, "generator": facts.document})


def test_utility_refuses_a_set_whose_base_has_seen_held_out_photographs(
    shipped: Path, run: Path, phantom: DataSet, tmp_path: Path
) -> None:
    """The same photographs under another division: what the base learnt from is held out now."""
    generator = load_generator("base", device="cpu")
    synthetic = generate(generator, {"nevus": 1}, tmp_path / "synthetic")
    turned = {"train": "test", "test": "train", "validation": "train"}
    table = phantom.table.assign(split=[turned[str(split)] for split in phantom.table["split"]])
    other = DataSet(phantom.folder, table, {**phantom.description, "content_hash": "another"})
    with pytest.raises(UserError, match=r"'base', which was trained on \d+ of the \d+ held-out images"):
        check_history(_started_from_base(synthetic, generator.config.data.content_hash, other), other)
    check_origin(_started_from_base(synthetic, generator.config.data.content_hash, phantom), phantom)


@pytest.mark.parametrize("write", [ds.report, ds.methods])
def test_it_has_no_log_to_report_of(shipped: Path, write: Callable[[str], object]) -> None:
    """Nothing is written into the package."""
    before = sorted(shipped.rglob("*"))
    with pytest.raises(UserError, match=r"comes with dermsynth without its log; what it is stands in .*MODEL_CARD\.md"):
        write("base")
    assert sorted(shipped.rglob("*")) == before


@pytest.mark.parametrize(
    ("side", "name"), [(32, "base"), (64, "base"), (90, "base"), (91, "base128"), (128, "base128"), (256, "base128")]
)
def test_the_base_of_the_nearest_size_is_started_from(side: int, name: str) -> None:
    assert pretrained.base_for(side) == name


def test_generators_of_the_same_photographs_share_their_fingerprints(
    shipped: Path, run: Path, phantom: DataSet
) -> None:
    other = ship(run, "base16", phantom.folder)
    assert not (other / pretrained.PHOTOGRAPHS).exists()
    seen = phantom.part(phantom.in_split("train"))
    assert pretrained.require_pretrained("base16").has_seen(seen.paths[:5]).all()
    assert (other / "photographs.csv").exists()


def test_there_may_be_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "HOME", tmp_path)
    assert pretrained.base_for(64) == ""


def test_an_unknown_name_lists_those_there_are(shipped: Path) -> None:
    with pytest.raises(UserError, match="there are: base"):
        pretrained.require_pretrained("best")


def test_the_weights_are_bfloat16(shipped: Path) -> None:
    network = find(shipped).network()
    assert {value.dtype for value in network.values() if value.ndim} == {torch.bfloat16}
    assert open_data_set  # the set itself is not shipped
    assert not list(shipped.rglob("*.png"))

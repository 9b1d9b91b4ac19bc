"""Licence and attribution of the real images go where the synthetic ones go."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.provenance import Provenance, real_images_behind
from dermsynth.errors import UserError
from dermsynth.export.huggingface import export
from dermsynth.export.licences import hub_licence, licence_address
from dermsynth.io import read_json, write_json
from tests.export.drawn import drawn


def real_set(folder: Path, phantom: DataSet, **facts: object) -> Path:
    """A copy of a phantom that says other things of itself."""
    shutil.copytree(phantom.folder, folder, ignore=shutil.ignore_patterns(".cache"))
    write_json(folder / "dataset.json", {**read_json(folder / "dataset.json"), **facts})
    return folder


def without_licence(folder: Path, phantom: DataSet) -> DataSet:
    """A synthetic set that says nothing of its licence, and that the phantom was trained on."""
    return drawn(folder, ["false"] * 12, licence=[], generator={"data_hash": phantom.whole_hash, "recipe": "dcgan"})


def test_an_export_without_any_licence_is_refused_in_one_line(tmp_path: Path, phantom: DataSet) -> None:
    data_set = without_licence(tmp_path / "set", phantom)
    with pytest.raises(
        UserError, match=r"set: no licence is known \(.*not found\); name it with `licence`.*`data`"
    ) as error:
        export(data_set, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="`licence` is blank"):
        export(data_set, tmp_path / "out", licence=[" "])
    assert export(data_set, tmp_path / "out", licence=["CC-BY-4.0"]).provenance.licence == ("CC-BY-4.0",)


def test_licence_and_attribution_of_the_real_images_are_carried_along(tmp_path: Path, phantom: DataSet) -> None:
    asked = {"source": "ISIC <Archive>", "licence": ["CC-BY-NC-4.0"], "attribution": ["Hospital A", "Dr | B"]}
    data = real_set(tmp_path / "data", phantom, **asked)
    released = export(without_licence(tmp_path / "set", phantom), tmp_path / "out", data=data)
    assert released.provenance.licence == ("CC-BY-NC-4.0",)
    assert released.provenance.real_images.attribution == ("Hospital A", "Dr | B")
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\npretty_name: ")
    assert "license:\n- cc-by-nc-4.0\n" in card
    assert "by-nc/4.0/>)**, that of the real images behind them." in card
    assert "The real images: ISIC &lt;Archive&gt;." in card
    assert "- Hospital A\n- Dr \\| B\n" in card
    assert json.loads((tmp_path / "out" / "croissant.json").read_text())["creditText"] == "Hospital A; Dr | B"
    again = export(open_data_set(tmp_path / "out"), tmp_path / "again")
    assert again.provenance.real_images == released.provenance.real_images


def test_another_set_is_not_taken_for_the_one_trained_on(tmp_path: Path, phantom: DataSet) -> None:
    data = real_set(tmp_path / "data", phantom)
    table = (data / "metadata.csv").read_text().splitlines()
    (data / "metadata.csv").write_text("\n".join(table[:-1]) + "\n")
    with pytest.raises(UserError, match=r"`data` .*another set than the one that the generator was trained on"):
        export(without_licence(tmp_path / "set", phantom), tmp_path / "out", data=data)


def test_a_wider_licence_than_that_of_the_real_images_is_warned_of(
    tmp_path: Path, phantom: DataSet, caplog: pytest.LogCaptureFixture
) -> None:
    data = real_set(tmp_path / "data", phantom, licence=["CC-BY-NC-4.0"])
    with caplog.at_level(logging.WARNING, "dermsynth"):
        export(without_licence(tmp_path / "set", phantom), tmp_path / "out", licence=["CC0-1.0"], data=data)
    assert "which allows less" in caplog.text
    assert "The real images (" in (tmp_path / "out" / "README.md").read_text()


def test_what_a_set_says_of_its_licence_is_compared_with_that_of_the_real_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    behind = {"licence": ["CC-BY-NC-SA-4.0"]}
    made = drawn(tmp_path / "set", ["false"] * 12, licence=["CC-BY-NC-4.0"], real_images=behind)
    with caplog.at_level(logging.WARNING, "dermsynth"):
        export(made, tmp_path / "out")
    assert "which allows less (under the same licence)" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "dermsynth"):
        export(made, tmp_path / "other", licence=["CC BY-NC-SA 4.0"])
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("licence", "hub", "address"),
    [
        ("CC0-1.0", "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("CC-0", "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("CC-BY-NC-4.0", "cc-by-nc-4.0", "https://creativecommons.org/licenses/by-nc/4.0/"),
        ("CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/"),
        ("CC-BY", "cc", "CC-BY"),
        ("MIT", "mit", "MIT"),
        ("research and education only", "other", "research and education only"),
    ],
)  # fmt: skip
def test_licences_have_the_names_of_the_hub(licence: str, hub: str, address: str) -> None:
    assert hub_licence(licence) == hub
    assert licence_address(licence) == address


def test_a_generated_set_knows_the_licence_without_its_run(run: Path, phantom: DataSet, tmp_path: Path) -> None:
    from dermsynth.sampling.generate import generate
    from dermsynth.sampling.generator import load_generator

    made = generate(load_generator(run, device="cpu"), {"nevus": 2}, tmp_path / "made")
    assert made.provenance.real_images.licence == ("CC0-1.0",)
    document = read_json(made.folder / "dataset.json")
    gone = {**document, "generator": {**document["generator"], "run": "elsewhere"}}
    write_json(made.folder / "dataset.json", gone)
    released = export(open_data_set(made.folder), tmp_path / "out", with_flagged=True)
    assert released.provenance.licence == ("CC0-1.0",)
    assert released.provenance.real_images.source == phantom.provenance.source


def test_what_several_sets_ask_for_is_joined() -> None:
    one = Provenance.model_validate({"source": "A", "licence": "CC-BY-4.0", "attribution": ["Dr A"]})
    behind = {"source": "B", "licence": ["CC0-1.0", "CC-BY-4.0"]}
    two = Provenance.model_validate({"source": "generated", "synthetic": True, "real_images": behind})
    paper = {"citation": "Tschandl P, et al. HAM10000", "doi": "10.1038/sdata.2018.161", "attribution": ["ViDIR"]}
    assert real_images_behind([Provenance.model_validate(paper)]).attribution == (
        "ViDIR", "Tschandl P, et al. HAM10000, https://doi.org/10.1038/sdata.2018.161",
    )  # fmt: skip
    both = real_images_behind([one, two])
    assert (both.source, both.licence, both.attribution) == ("A; B", ("CC-BY-4.0", "CC0-1.0"), ("Dr A",))

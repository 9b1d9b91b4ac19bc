"""Pairs of near-duplicates in a set and with another one, the most similar first, and which image of each is left out."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from dermsynth.api.audit import audit
from dermsynth.cli.datasets import NearDuplicates
from dermsynth.cli.datasets import audit as verb
from dermsynth.cli.options import Workers
from dermsynth.data.dataset import DataSet
from dermsynth.data.importers.leave_out import read_exclusion_list
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.twin_pairs import exclusions
from dermsynth.data.writing import write_data_set
from dermsynth.errors import UserError
from dermsynth.images import Pixels, encode_jpeg, encode_png
from dermsynth.io import write_bytes


def photograph(seed: int) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC)


def make(folder: Path, seeds: list[int], *, recompressed: tuple[int, ...] = (), **columns: list[str]) -> DataSet:
    names = []
    for k, seed in enumerate(seeds):
        again = k in recompressed
        names.append(f"images/{k}.{'jpg' if again else 'png'}")
        write_bytes(folder / names[-1], encode_jpeg(photograph(seed), 90) if again else encode_png(photograph(seed)))
    table = pd.DataFrame({"file_name": names, **columns})
    return write_data_set(folder, table, Provenance(), Step(command="test"))


def pair(first: str, second: str, **facts: object) -> dict[str, object]:
    return {"first": first, "second": second, "kind": "near", "labels": "nevus", "set": "", "by": "hash", "splits": "train",
            "one_group": False, **facts}  # fmt: skip


def left_out(*pairs: dict[str, object]) -> dict[str, str]:
    rows = exclusions(pd.DataFrame(list(pairs)))
    return dict(zip(rows["file_name"], rows["twin"], strict=True))


def test_the_image_of_the_test_split_stays() -> None:
    assert left_out(pair("a", "b", splits="test / train")) == {"b": "a"}
    assert left_out(pair("a", "b", splits="train / test")) == {"a": "b"}
    assert left_out(pair("a", "b", splits="train / validation")) == {"a": "b"}
    assert left_out(pair("a", "b", splits="test / validation")) == {"b": "a"}
    assert left_out(pair("a", "b")) == {"b": "a"}


def test_one_of_three_stays_and_groups_are_left_alone() -> None:
    assert left_out(pair("a", "b"), pair("a", "c"), pair("b", "c")) == {"b": "a", "c": "a"}
    assert left_out(pair("a", "b", one_group=True)) == {}
    assert left_out(pair("a", "b", one_group=True, kind="same")) == {"b": "a"}
    assert left_out(pair("a", "x", set="other"), pair("a", "b")) == {"a": "x"}
    reason = exclusions(pd.DataFrame([pair("a", "b", labels="nevus / melanoma")]))["reason"][0]
    assert reason == "near-duplicate, by hash; labels differ: nevus / melanoma"
    assert exclusions(pd.DataFrame()).empty


def test_pairs_across_sets_are_found_shown_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path / "one", [1, 2, 3, 2], recompressed=(3,), split=["train", "train", "test", "test"])
    make(tmp_path / "two", [9, 3, 1], recompressed=(2,))
    page, table = tmp_path / "page.html", tmp_path / "out.csv"
    choices = NearDuplicates(also=(tmp_path / "two",), exclude_out=table)
    verb(tmp_path / "one", page=page, near_duplicates=choices, workers=Workers(1))
    text = capsys.readouterr().out
    pairs = pd.read_csv(tmp_path / "page_pairs.csv", keep_default_na=False)
    found = {(row.first, row.second, row.set != "") for row in pairs.itertuples()}
    assert found == {("images/1.png", "images/3.jpg", False), ("images/2.png", "images/1.png", True),
                     ("images/0.png", "images/2.jpg", True)}  # fmt: skip
    assert pairs["difference"].is_monotonic_increasing
    assert (pairs["kind"][0], pairs["difference"][0]) == ("same", 0)
    assert (
        f"The same photograph twice: 2 pairs with {tmp_path / 'two'} (2 images of this set), 1 of them identical."
        in text
    )
    assert "The same photograph twice: 1 pair, 0 of them identical." in text
    assert f"{table}: 3 images to leave out" in text
    assert set(read_exclusion_list(table).images) == {"images/0.png", "images/1.png", "images/2.png"}
    assert f"in {tmp_path / 'two'}" in page.read_text()
    assert len(json.loads(page.with_suffix(".json").read_text())["duplicates"]) == 3


def test_features_find_what_hashes_do_not(tmp_path: Path) -> None:
    data = make(tmp_path / "set", [*range(60), 7])
    turned = photograph(7)[::-1].copy()
    write_bytes(data.folder / "images/60.png", encode_png(turned))
    assert audit(data, jobs=1).content.duplicates.empty
    result = audit(data, extractor="embedded", jobs=1)
    found = result.content.duplicates
    assert found[["first", "second", "by"]].to_numpy().tolist() == [["images/7.png", "images/60.png", "features"]]
    assert "near-duplicates by features of embedded: threshold" in result.text()


def test_the_set_itself_is_no_other_set(tmp_path: Path) -> None:
    data = make(tmp_path / "one", [1, 2])
    with pytest.raises(UserError, match=r"`also` .*: the audited set itself"):
        audit(data, also=tmp_path / "one", jobs=1)


def test_what_cannot_be_read_in_a_further_set_is_named_and_passed_over(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one", [*range(60)]), make(tmp_path / "two", [99, 98, 7])
    write_bytes(two.folder / "images/0.png", b"no image")
    found = audit(one, also=two, extractor="embedded", jobs=1)
    pairs = found.content.duplicates[["first", "second", "by"]].to_numpy().tolist()
    assert pairs == [["images/7.png", "images/2.png", "hash, features"]]
    assert any(
        text.startswith("Not compared, for they cannot be read: 1 of 3 images of") and "images/0.png" in text
        for text in found.findings
    )

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.errors import UserError
from dermsynth.images import AI_SOURCE, read_image
from dermsynth.io import read_json, write_json
from dermsynth.locks import folder_lock
from dermsynth.sampling.generate import generate, image_name
from dermsynth.sampling.generator import load_generator
from dermsynth.training import checkpoints
from tests.warm import SOURCES, start_group


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def test_quotas_seeds_and_provenance(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run, device="cpu")
    made = generate(generator, {"melanoma": 20, "nevus": 5}, tmp_path / "s", truncation=0.7, first_seed=3)
    assert (made.count("melanoma"), made.count("nevus")) == (20, 5)
    assert made.synthetic
    assert set(made.table["synthetic"]) == {"true"}
    assert made.table["seed"].astype(int).min() == 3
    facts = made.description["generator"]
    assert facts["checkpoint"] == checkpoints.find(run).hash
    assert facts["truncation"] == 0.7
    with Image.open(made.paths[0]) as image:
        assert image.info["checkpoint"] == facts["checkpoint"]
        assert image.getxmp()["xmpmeta"]["RDF"]["Description"]["DigitalSourceType"] == AI_SOURCE


def test_an_interrupted_set_is_completed_and_equals_an_undisturbed_one(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run, device="cpu")
    whole = generate(generator, {"melanoma": 24, "nevus": 7}, tmp_path / "whole")
    generate(generator, {"melanoma": 5}, tmp_path / "parts")
    generate(generator, {"nevus": 7}, tmp_path / "parts")
    (tmp_path / "parts" / image_name(generator.config.data.classes, "melanoma", 2)).unlink()
    parts = generate(generator, {"melanoma": 24}, tmp_path / "parts")
    assert _bytes(whole.folder) == _bytes(parts.folder)
    assert whole.table.equals(parts.table)


def _generate(run: Path, out: Path) -> None:
    generate(load_generator(run, device="cpu"), {"melanoma": 40}, out)


@pytest.mark.parametrize("launcher", ["processes", pytest.param("torchrun", marks=pytest.mark.slow)])
def test_several_processes_write_the_same_set(launcher: str, run: Path, tmp_path: Path) -> None:
    _generate(run, tmp_path / "one")
    if launcher == "torchrun":
        code = "import sys; from pathlib import Path; from tests.sampling.test_generate import _generate; _generate(*map(Path, sys.argv[1:]))"
        call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": SOURCES}
        words = [*call, sys.executable, "-c", code, str(run), str(tmp_path / "two")]
        subprocess.run(words, check=True, timeout=400, capture_output=True, env=environment)
    else:
        for process in start_group(_generate, run, tmp_path / "two"):
            assert process.wait(timeout=400) == 0, process.output()
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    assert (tmp_path / "one" / "metadata.csv").read_text() == (tmp_path / "two" / "metadata.csv").read_text()


def test_real_images_are_never_mixed_with_generated_ones(run: Path, phantom: DataSet) -> None:
    before = sorted(os.listdir(phantom.folder))
    with pytest.raises(UserError, match="holds real images"):
        generate(load_generator(run, device="cpu"), {"melanoma": 1}, phantom.folder)
    assert sorted(os.listdir(phantom.folder)) == before


def test_another_truncation_or_seed_needs_another_folder(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run, device="cpu")
    generate(generator, {"melanoma": 2}, tmp_path / "s")
    for changes in ({"truncation": 0.5}, {"first_seed": 9}):
        with pytest.raises(UserError, match="choose another `out`"):
            generate(generator, {"melanoma": 2}, tmp_path / "s", **changes)  # type: ignore[arg-type]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").touch()
    with pytest.raises(UserError, match="not empty"):
        generate(generator, {"melanoma": 2}, tmp_path / "other")


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ({"wart": 3}, {}, r"`count` wart: no such class; there are: melanoma, nevus, seborrheic_keratosis"),
        ({"nevus": 0}, {}, r"`count` nevus=0"),
        ({"nevus": 1}, {"truncation": 3.0}, r"`truncation` 3.0"),
        ({"nevus": 1}, {"first_seed": -1}, r"`seed` -1"),
    ],
)
def test_bad_requests_are_one_line(
    run: Path, tmp_path: Path, counts: dict[str, int], options: dict[str, float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        generate(load_generator(run, device="cpu"), counts, tmp_path / "s", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "s").exists()


def test_a_checkpoint_of_another_family_or_class_set_is_refused(run: Path, tmp_path: Path) -> None:
    import shutil

    for change, message in (
        ({"recipe": "dcgan"}, "a checkpoint of 'dcgan'"),
        ({"classes": ["a", "b"]}, r"classes \['a', 'b'\]"),
    ):
        copy = tmp_path / message[:5].strip()
        shutil.copytree(run, copy)
        state = checkpoints.find(copy).path / "state.json"
        write_json(state, {**read_json(state), **change})
        with pytest.raises(UserError, match=message):
            load_generator(copy)


def test_labels_that_are_no_file_names_neither_collide_nor_climb() -> None:
    classes = ["..", "a/b", "a_b", "Æ ß"]
    names = [image_name(classes, label, 7) for label in classes]
    assert len({name.split("/")[1] for name in names}) == 4
    assert all(".." not in name and name.count("/") == 2 for name in names)


def test_truncation_to_nothing_gives_the_mean_image_of_the_class(run: Path, tmp_path: Path) -> None:
    """At psi 0 images of a class differ by noise alone; at 1 they differ more."""
    from dermsynth.models.sampler import sample_images

    model = load_generator(run, device="cpu").model
    spread = [sample_images(model, range(16), [0] * 16, psi).astype(float).std(axis=0).mean() for psi in (0.0, 1.0)]
    assert spread[0] < spread[1]


def test_the_set_opens_like_any_other(run: Path, tmp_path: Path) -> None:
    made = generate(load_generator(run, device="cpu"), {"nevus": 2}, tmp_path / "s")
    assert open_data_set(made.folder).content_hash == made.content_hash
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(made.folder), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert len(loaded) == 2
    assert loaded[0]["image"].size == (16, 16)


def test_the_same_seed_is_the_same_image_in_python_and_on_disk(run: Path, tmp_path: Path) -> None:
    generator = load_generator(str(run), device="cpu")
    made = generate(generator, {"melanoma": 2, "nevus": 18}, tmp_path / "s", truncation=0.8, first_seed=4)
    for label in ("melanoma", "nevus"):
        images = generator.sample(made.count(label), label=label, seed=4, truncation=0.8)
        for path, image in zip(made.select(made.labels == label).paths, images, strict=True):
            assert (read_image(path) == image).all()
    with pytest.raises(UserError, match="wart: no such class"):
        generator.sample(2, label="wart")


def test_a_label_agrees_in_table_folder_and_file(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run, device="cpu")
    made = generate(generator, dict.fromkeys(generator.config.data.classes, 2), tmp_path / "s")
    for name, label, seed in zip(made.table["file_name"], made.labels, made.table["seed"], strict=True):
        number = generator.config.data.classes.index(str(label))
        assert name == f"images/{number:02d}_{label}/seed{int(seed):09d}.png"
        with Image.open(made.folder / name) as image:
            assert (image.info["label"], image.info["seed"]) == (label, seed)


def test_a_folder_with_other_images_is_refused_before_any_is_made(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run, device="cpu")
    made = generate(generator, {"nevus": 2}, tmp_path / "s")
    stray = made.folder / "images" / "0_nevus" / "seed000000007.png"
    stray.parent.mkdir()
    stray.write_bytes(made.paths[0].read_bytes())
    with pytest.raises(UserError, match=r"images/0_nevus/seed000000007\.png is not named"):
        generate(generator, {"nevus": 9}, made.folder)
    assert len(list(made.folder.rglob("*.png"))) == 3


def test_a_second_process_in_the_same_folder_stops(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run, device="cpu")
    with folder_lock(tmp_path / "set"), pytest.raises(UserError, match="writes into it since"):
        generate(generator, {"nevus": 2}, tmp_path / "set")
    assert len(generate(generator, {"nevus": 2}, tmp_path / "set").table) == 2

"""What a user sees: the command line through a real process."""

import functools
import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermsynth.data.dataset import DataSet
from dermsynth.models.registry import FAMILIES
from dermsynth.training import checkpoints
from tests.cli.conftest import refused

Shell = Callable[..., "subprocess.CompletedProcess[str]"]
VERBS = [
    "import csv",
    "import folder",
    "import isic",
    "audit",
    "data fetch",
    "phantom",
    "train",
    "generate",
    "evaluate",
    "report",
    "demo",
    "doctor",
]
HEAVY = ("torch", "cv2", "pandas", "scipy", "matplotlib", "sklearn", "numpy")


def _line(result: "subprocess.CompletedProcess[str]", *parts: str) -> None:
    """Exactly one line on standard error that begins with the program's name and holds every part."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("dermsynth: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in lines[0], lines[0]


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_light(verb: str, shell: Shell) -> None:
    assert "Usage: dermsynth" in shell(*verb.split(), "--help").stdout


def test_help_imports_nothing_heavy() -> None:
    """The reason why help answers in well under half a second."""
    for verb in ("train", "evaluate", "import csv"):
        code = (
            "import sys\nfrom dermsynth.cli.app import app\n"
            f"try: app({[*verb.split(), '--help']!r})\nexcept SystemExit: pass\n"
            f"print('loaded', [m for m in {HEAVY!r} if m in sys.modules])"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "loaded []" in result.stdout


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        ("trian", ["trian", "Did you mean"]),
        ("train stylegan2-ada --out x --images 1k --resoluton 64", ["--resoluton", "--resolution"]),
        ("train stylegan2-ada --out x --images 1k --resolution 100", ["resolution 100", "nearest: 88, 96, 104"]),
        ("train stylegan3 --out x --images 1k", ["family 'stylegan3'", "stylegan2-ada"]),
        ("train stylegan2-ada --out x --images lots", ["'lots'", "12k"]),
        ("train stylegan2-ada --out x --images 1k --preset huge", ["--preset 'huge'", "auto, laptop"]),
        ("train stylegan2-ada --out x --images 1k --set gamma=1", ["unknown option 'gamma'", "r1_gamma"]),
        ("train stylegan2-ada --out x --images 1k --set r1_gamma=-1", ["r1_gamma = -1", "greater than or equal to 0"]),
        ("train stylegan2-ada --out x --images 1k --set augmentation=blue", ["augmentation", "blue", "skin"]),
        ("train stylegan2-ada --out x --images 1k --imbalance 3", ["--imbalance 3"]),
        ("train stylegan2-ada --out x --images 1k --data nowhere", ["nowhere: no such folder"]),
        ("train stylegan2-ada --out x --images 1k --precision half", ["half", "bfloat16"]),
        ("audit nowhere", ["nowhere: no such folder"]),
        ("import csv nowhere.csv --image a --out x", ["nowhere.csv: no such file"]),
        ("import folder nowhere --out x", ["nowhere: no such folder"]),
        ("import ph2 . --out x", ["PH2"]),
        ("data fetch flickr --limit 3 --out x", ["'flickr'", "isic"]),
        ("generate nowhere --out x --count 5", ["nowhere: not a run folder"]),
        ("evaluate nowhere", ["nowhere: no such folder"]),
        ("report nowhere", ["nowhere: not a run folder"]),
        ("export nowhere --out x", ["nowhere: no such folder"]),
        ("utility nowhere --real nowhere --out x --positive a --negative b", ["nowhere: no such folder"]),
        ("utility s --real r --out x --positive a --negative b --model big", ["--model 'big'", "mobilenet=FILE"]),
        ("utility s --real r --out x --positive a --negative b --arms none", ["--arms 'none'", "mixed=RATIO"]),
        ("utility s --real r --out x --positive a --negative b --repeats 0", ["--repeats 0", "1 to 1000"]),
        ("utility s --real r --out x --positive a", ["--negative"]),
        ("phantom --out x --resolution 5x5", ["--resolution 5x5"]),
        ("phantom --out x --count 5 --seed -1", ["--seed -1"]),
        ("train stylegan2-ada --out x --images 1k --batch 0", ["--batch 0"]),
        ("train dcgan --out x --images 1k --accumulate 2 --resolution 16", ["accumulate 2", "dcgan"]),
        ("train dcgan --out x --images 1k --precision float16 --resolution 16", ["float16", "float32 or bfloat16"]),
        ("train dcgan --out x --images 1k --from nevus --to melanoma", ["--from, --to", "does not translate"]),
        ("train dcgan --out x --images 1k --superpixels", ["--superpixels", "takes no maps"]),
        ("train multiscale --out x --images 1k --resolution 101", ["resolution 101", "multiples of"]),
        ("train pix2pixhd --out x --images 1k --resolution 24", ["resolution 24", "at least 32"]),
        ("train cyclegan --out x --images 1k", ["between two labels", "--from LABEL --to LABEL"]),
        ("train cyclegan --out x --images 1k --from nevus --to nevus", ["'nevus'", "are the same"]),
        ("train cyclegan --out x --images 1k --from nevus --to wart", ["'wart'", "melanoma, nevus"]),
        (
            "train residual-translation --out x --images 1k --resolution 30 --from nevus --to melanoma",
            ["multiples of 4"],
        ),
        ("train cyclegan --out x --images 1k --from nevus --to melanoma --exclude wart", ["--exclude", "leave it out"]),
        ("train pix2pixhd --out x --images 1k --resolution 32 --imbalance 0.5", ["--imbalance", "leave it out"]),
        ("translate nowhere --input nowhere --out x", ["nowhere: not a run folder"]),
        ("experiment bauer --out x", ["'bauer'", "lunagariya-curves"]),
        ("experiment baur --out x --families cyclegan", ["cyclegan", "does not compare"]),
        ("models --resolution big", ["'big'"]),
        ("data patches nowhere --out x", ["nowhere: no such folder"]),
        ("data maps nowhere --count 3 --out x", ["nowhere: no such folder"]),
        ("phantom --out /dev/null/x --count 2 --resolution 16", ["/dev/null/x: file exists"]),
    ],
)
def test_bad_calls_are_one_line(
    call: str, parts: list[str], shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phantom: DataSet
) -> None:
    monkeypatch.chdir(tmp_path)
    words = call.split()
    if words[0] == "train" and "--data" not in words:
        words += ["--data", str(phantom.folder)]
    if words[0] == "utility":  # the folders are there: something else is wrong
        words = [str(phantom.folder) if word in ("s", "r") else word for word in words]
    result = shell(*words, status=None)
    assert result.returncode not in (0, None)
    _line(result, *parts)
    assert not (tmp_path / "x").exists()


def test_a_small_class_is_named_with_the_way_out(shell: Shell, tmp_path: Path) -> None:
    for label, count in (("nevus", 24), ("rare", 1)):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / label / f"{label}{number}.png")
    shell("import", "folder", tmp_path / "in", "--out", tmp_path / "set")
    train = [
        "train",
        "stylegan2-ada",
        "--data",
        tmp_path / "set",
        "--out",
        tmp_path / "run",
        "--images",
        "1k",
        "--resolution",
        "16",
    ]
    _line(shell(*train, "--split", "all", status=1), "label 'rare' has 1 images", "--exclude 'rare'", "--unconditional")
    _line(shell(*train, "--exclude", "wart", status=1), "--exclude 'wart': no such label; there are: nevus, rare")
    assert not (tmp_path / "run").exists()


def test_a_pickle_and_a_cut_checkpoint_are_refused(shell: Shell, run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    for checkpoint in checkpoints.checkpoints(copy):
        (checkpoint.path / checkpoints.NETWORK).write_bytes(pickle.dumps({"weights": 1}))
    _line(
        shell("generate", copy, "--out", tmp_path / "s", "--count", "3", status=1),
        "no whole checkpoint",
        "damaged or cut short",
    )
    assert not (tmp_path / "s").exists()


def test_the_whole_chain_on_a_phantom(shell: Shell, tmp_path: Path, offline: dict[str, str]) -> None:
    """Without a network, as everything that was not asked to use one."""
    offline = {"DERMSYNTH_TEST_NETWORK_LOG": offline["DERMSYNTH_TEST_NETWORK_LOG"]}  # a warm process watches by itself
    shell = functools.partial(shell, **offline)
    data, folder, made = tmp_path / "data", tmp_path / "run", tmp_path / "made"
    assert "150 images" in shell("phantom", "--out", data, "--count", "150", "--resolution", "16").stdout
    assert "classes" in shell("audit", data).stdout
    assert json.loads((data / "audit.json").read_text())["classes"]
    train = ["train", "stylegan2-ada", "--data", data, "--resolution", "16", "--out", folder, "--snapshot", "32",
             "--set", "channel_base=64", "--set", "channel_max=8", "--set", "latent=8", "--log", "16"]  # fmt: skip
    first = shell(*train, "--images", "64")
    assert "images a second" in first.stderr or "img" in first.stderr
    assert "stylegan2-ada (laptop), 16 x 16 pixels, conditional on" in first.stderr
    again = shell(*train, "--images", "80")
    assert "resuming at 64 images" in again.stderr
    _line(shell(*train, "--images", "80", "--seed", "5", status=1), "training.seed was 0, now 5", "--out")
    shell("generate", folder, "--out", made, "--count", "melanoma=50", "--count", "nevus=50", "--truncation", "0.8")
    text = shell("evaluate", made, "--against", data).stdout
    assert "FID-embedded" in text
    assert "SWD mean" in text
    assert "fidelity" in text
    assert re.search(r"copying +not measured +\d+ held-out images, at least 100", text)
    assert "<svg" in (made / "assessment" / "assessment.html").read_text()
    shell("report", folder, "--evaluation", made)
    page = (folder / "report.html").read_text()
    assert "FID-embedded" in page
    _line(shell("generate", folder, "--out", data, "--count", "5", status=1), "holds real images")
    assert not refused(offline)


def test_doctor_finds_this_installation_healthy(shell: Shell) -> None:
    assert "opencv-contrib-python-headless" in shell("doctor").stdout


def test_a_missing_extra_is_one_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['fastapi'] = sys.modules['uvicorn'] = None\n")
    result = shell("explore", tmp_path, status=1, PYTHONPATH=str(tmp_path))
    _line(result, "is not installed; this verb needs the extra", "pip install 'dermsynth[study]'")


def test_every_family_is_listed_with_what_it_takes(shell: Shell) -> None:
    text = shell("models").stdout
    assert shell("recipes").stdout == text, "the former name"
    for name in FAMILIES:
        assert f"{name} " in text
    assert text.count("parameters") == len(FAMILIES)


@pytest.mark.slow
def test_from_photographs_to_patches_to_translations(shell: Shell, phantom: DataSet, tmp_path: Path) -> None:
    """Cut, train both ways of a translation, translate, look at the report; and images of new maps: by the shell alone."""
    photos, patches = tmp_path / "photos", tmp_path / "patches"
    shell("phantom", "--out", photos, "--count", 40, "--resolution", "64")
    said = shell("data", "patches", photos, "--out", patches, "--side", 16, "--stride", 8).stdout
    assert "clean" in said
    loop = ["--images", 32, "--resolution", 32, "--batch", 4]
    small = ["--set", "features=8", "--set", "blocks=1", "--set", "discriminator_features=4"]
    shell(
        "train",
        "residual-translation",
        "--data",
        patches,
        "--from",
        "clean",
        "--to",
        "lesion",
        "--out",
        tmp_path / "add",
        *loop,
        *small,
    )
    said = shell(
        "translate",
        tmp_path / "add",
        "--input",
        patches,
        "--masks",
        patches,
        "--split",
        "test",
        "--out",
        tmp_path / "added",
    ).stdout
    assert "change outside the masks:" in said
    _line(
        shell("generate", tmp_path / "add", "--count", 5, "--out", tmp_path / "no", status=1), "use dermsynth translate"
    )
    shell(
        "train",
        "pix2pixhd",
        "--data",
        photos,
        "--superpixels",
        "--out",
        tmp_path / "maps",
        *loop,
        *small,
        "--set",
        "downs=2",
    )
    shell("data", "maps", photos, "--count", 6, "--superpixels", "--out", tmp_path / "new")
    said = shell("generate", tmp_path / "maps", "--maps", tmp_path / "new", "--out", tmp_path / "made").stdout
    assert "6 images" in said
    alone = ["generate", tmp_path / "maps", "--out", tmp_path / "no"]
    _line(shell(*alone, "--split", "test", status=1), "--split test: goes with --maps")
    _line(shell(*alone, "--maps", tmp_path / "new", "--count", 5, status=1), "--count: of no use with --maps")
    for useless in (["--seed", 1], ["--truncation", 0.5]):
        said = shell(*alone, "--maps", tmp_path / "new", *useless, status=1)
        _line(said, f"{useless[0]}: pix2pixhd makes one image of every map, without noise")
    page = tmp_path / "maps" / "report.html"
    shell("report", tmp_path / "maps")
    assert "Training images are not shown" not in page.read_text()
    photos.rename(tmp_path / "elsewhere")
    shell("report", tmp_path / "maps")
    assert f"Training images are not shown: {photos}: no such folder" in page.read_text()

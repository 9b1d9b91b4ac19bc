"""The page as a real process in a real browser: sliders move the image, downloads say what they are."""

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from dermsynth.latents.directions import pca_directions, write_directions
from dermsynth.latents.space import space_of
from dermsynth.models.sampler import sample_images
from dermsynth.sampling.generator import class_seed, load_generator
from tests.browser import checked, page_of, wait_until
from tests.warm import WAIT, free_port, start_verb, wait_for_server

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def directions(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    space = space_of(load_generator(run, device="cpu"))
    path = tmp_path_factory.mktemp("directions") / "directions.safetensors"
    write_directions(path, space, pca_directions(space.points(range(64), [0] * 64, None), 2))
    return path


@pytest.fixture(scope="module")
def url(run: Path, directions: Path) -> Iterator[str]:
    port = free_port()
    options = ["--directions", directions, "--score", "frame@0.2", "--port", port, "--device", "cpu"]
    process = start_verb("explore", run, *options)
    wait_for_server(f"http://127.0.0.1:{port}/", process)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(WAIT)


def settled(page: Any, asked: str) -> None:
    wait_until(page, "asked => document.querySelector('.images').dataset.move === asked", asked)


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_sliders_move_the_image(url: str, run: Path, browser: Any, size: str) -> None:
    page = page_of(browser, size)
    others: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(url) else others.append(request.url))
    page.goto(url)
    classes = load_generator(run, device="cpu").config.data.classes
    settled(page, f"seed=0&label={classes[0].replace(' ', '+')}")
    checked(page)
    first = page.locator("#after").get_attribute("src")
    page.select_option("#label", classes[1])
    page.fill("#seed", "12")
    page.focus("[data-direction=pca0]")
    for _ in range(15):
        page.keyboard.press("ArrowRight")  # 0.1 each
    label = classes[1].replace(" ", "+")
    settled(page, f"seed=12&label={label}&step=pca0%3A1.5")
    assert page.locator("#after").get_attribute("src") != first
    assert page.locator("#scores tr td").first.inner_text()
    assert "computed in" in page.locator("#time").inner_text()
    assert "Copy check not available" in page.locator("#badge").inner_text()
    checked(page)
    address = page.url
    page.click("#back")
    settled(page, f"seed=12&label={label}")
    page.goto("about:blank")
    page.goto(address)
    settled(page, f"seed=12&label={label}&step=pca0%3A1.5")  # an address keeps the move
    assert others == [], "nothing is fetched from elsewhere"
    page.context.close()


def test_nonsense_is_said_on_the_page_and_then_forgotten(url: str, browser: Any) -> None:
    page = page_of(browser)
    page.goto(url)
    page.fill("#seed", "-4")
    page.wait_for_selector("#problem:not([hidden])")
    assert "seed -4: must be 0 to 999999999" in page.locator("#problem").inner_text()
    page.fill("#seed", "4")
    page.wait_for_selector("#problem", state="hidden")
    page.context.close()


def test_the_download_is_the_image_with_its_recipe(url: str, run: Path) -> None:
    generator = load_generator(run, device="cpu")
    label = generator.config.data.classes[1]
    asked: dict[str, Any] = {"seed": 9, "label": label, "download": True}
    answer = httpx.get(f"{url}/image.png", params=asked)
    assert "attachment" in answer.headers["content-disposition"]
    image = Image.open(io.BytesIO(answer.content))
    made = sample_images(generator.model, [class_seed(1, 9)], [1], None)[0].transpose(1, 2, 0)
    assert image.tobytes() == made.tobytes()
    assert "trainedAlgorithmicMedia" in str(image.info)
    moved = httpx.get(f"{url}/image.png", params={**asked, "step": ["pca1:-2", "pca0:0"]}).content
    recipe = json.loads(Image.open(io.BytesIO(moved)).info["recipe"])  # type: ignore[arg-type]
    assert (recipe["seed"], recipe["label"], recipe["checkpoint"]) == (9, label, generator.checkpoint.hash)
    assert [(one["direction"], one["step"]) for one in recipe["moves"]] == [("pca1", -2)]
    assert httpx.get(f"{url}/recipe.json", params={**asked, "step": ["pca1:-2"]}).json() == recipe


@pytest.mark.parametrize(
    "query", ["", "seed=x", "seed=1&step=pca0", "seed=1&step=pca0:x", "seed=1&truncation=y", "seed=1&label=wart"]
)
def test_bad_requests_get_one_line(url: str, query: str) -> None:
    answer = httpx.get(f"{url}/scores?{query}")
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


def test_foreign_names_are_not_answered(url: str) -> None:
    """A foreign page whose name was pointed at this machine reads nothing."""
    assert httpx.get(f"{url}/scores?seed=1", headers={"Host": "evil.example"}).status_code == 400
    headers = httpx.get(url).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_what_cannot_be_explored_is_one_line(
    shell: Shell, run: Path, directions: Path, url: str, tmp_path: Path
) -> None:
    port = url.rsplit(":", 1)[1]
    for arguments, line in (
        ((tmp_path,), "dermsynth train"),
        ((run, "--directions", tmp_path / "none"), "find some with: dermsynth latents directions"),
        ((run, "--score", "wart"), "--score 'wart': write frame"),
        ((run, "--port", port), f"--port {port}: cannot be used"),
    ):
        said = shell("explore", *arguments, status=1)
        assert line in said.stderr
        assert len(said.stderr.strip().splitlines()) == 1

"""Which image a name means: of lists, of columns, of absolute paths, and of images that were called alike."""

import pandas as pd
import pytest

from dermsynth.data.image_names import ImageNames, name_column, sharing_most_folders

PATHS = (
    "0.png",
    "a/0.png",
    "a/1.jpg",
    "b/1.jpg",
    "b/2.JPG",
    "c/test_1.png",
    "c/IMG.0007",
    "d/u\u0308.png",
    "c/test 1.tif",
)
KNOWN = ImageNames([(path, path) for path in PATHS])


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("a/0.png", ["a/0.png"]),
        (".\\A\\0.PNG", ["a/0.png"]),
        ("/data/photographs/a/0.png", ["a/0.png"]),
        ("/data/photographs/0.png", ["0.png"]),  # the whole path of an image at the top
        ("images/2.png", ["b/2.JPG"]),
        ("2", ["b/2.JPG"]),
        ("x/b/1", ["b/1.jpg"]),
        ("1.jpg", ["a/1.jpg", "b/1.jpg"]),
        ("images/testset_1.png", ["c/test_1.png"]),  # as the image is called in a data set
        ("IMG.0007", ["c/IMG.0007"]),
        ("\u00fc.jpg", ["d/u\u0308.png"]),
        ("3.png", []),
        ("", []),
    ],
)
def test_what_a_name_means(name: str, images: list[str]) -> None:
    assert KNOWN.find(name) == images


def test_an_image_of_several_paths_is_found_once_and_a_path_of_several_images_finds_all() -> None:
    names = ImageNames([("images/0.png", 1), ("train/nevus/0.png", 1), ("scan.dcm", 2), ("scan.dcm", 3)])
    assert names.find("0") == [1]
    assert names.find("scan") == [2, 3]


def test_folders_decide_from_the_last_one_up() -> None:
    assert sharing_most_folders(["x/b/0", "a/b/0", "a/c/0"], "q/a/b/0") == ["a/b/0"]
    assert sharing_most_folders(["x/b/0", "a/b/0"], "0") == ["x/b/0", "a/b/0"]


def test_the_column_of_a_list_that_names_images() -> None:
    assert name_column(pd.DataFrame(columns=["reason", "ISIC_ID", "Image"]).columns) == "Image"
    assert not name_column(["patient", "r0.png"])

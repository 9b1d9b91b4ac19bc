"""What the folders that images lie in mean: a class, a split, or nothing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dermsynth.errors import UserError

SPLIT_NAMES = {
    "train": "train", "training": "train", "trainset": "train", "train_set": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "validate": "validation", "dev": "validation",
    "test": "test", "testing": "test", "testset": "test", "test_set": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
CONTAINERS = {
    "images", "image", "imgs", "img", "data", "dataset", "photos", "pictures", "jpg", "jpeg", "jpegs", "png", "input", "inputs",
}  # fmt: skip


_SPLIT_FOLDER = re.compile(
    r"(.*[_\- ])?(?P<name>train|training|val|valid|validation|test|testing)[_\- ]?(set|data|images?|imgs?|inputs?|folder)?"
)
"""`train_images`, `ISIC2018_Task3_Training_Input`: a split with something around."""


@dataclass(frozen=True)
class Place:
    """Class and split of an image by its folders; empty where they say nothing."""

    label: str = ""
    split: str = ""


def split_name(text: str) -> str:
    """`train`, `validation` or `test` for any common name of one, else the empty string."""
    plain = text.strip().casefold()
    around = _SPLIT_FOLDER.fullmatch(plain)
    return SPLIT_NAMES.get(around["name"] if around else plain, "")


def places(names: Sequence[str], folder: str) -> tuple[list[Place], list[str]]:
    """Class and split of every image, and what was understood in words.

    Folders that are all named like splits are splits, folders that only hold others (`images`) are passed over, the
    first that remains is the class.

    Raises UserError where some folders of one level are named like splits and others are not.
    """
    parts = [_folders_of(name) for name in names]
    splits: list[str] = [""] * len(parts)
    notes: list[str] = []
    for _ in range(4):
        parts = _without_containers(parts, notes)
        level = _split_level(parts, folder)
        if level is None:
            break
        folders = [part[level] for part in parts]
        notes.append(f"folders {', '.join(sorted(set(folders)))} taken as the split, not as classes")
        splits = [split_name(name) for name in folders]
        parts = [part[:level] + part[level + 1 :] for part in parts]
    deeper = sum(len(part) > 1 for part in parts)
    if deeper:
        notes.append(f"{deeper} images lie in sub-folders of their class; the names of these are not used")
    return [Place(part[0] if part else "", split) for part, split in zip(parts, splits, strict=True)], notes


def _folders_of(name: str) -> list[str]:
    return [unicodedata.normalize("NFC", part) for part in PurePosixPath(name).parts[:-1]]


def _without_containers(parts: list[list[str]], notes: list[str]) -> list[list[str]]:
    """The folders below those that only hold others: named so, or one in which everything lies, in folders of its own."""
    while parts and all(part and part[0].casefold() in CONTAINERS for part in parts):
        parts = [part[1:] for part in parts]
    first = _shared_folder(parts)
    if not first or split_name(first):
        return parts
    notes.append(f"folder {first!r} holds all others and is no class; the folders in it are")
    return _without_containers([part[1:] for part in parts], notes)


def _shared_folder(parts: list[list[str]]) -> str:
    """The folder in which everything lies, in folders of its own; the empty string where there is none."""
    folders = {part[0] if len(part) > 1 else "" for part in parts}
    return folders.pop() if len(folders) == 1 else ""


def _split_level(parts: list[list[str]], folder: str) -> int | None:
    """The level, 0 or 1, on which all folders are named like splits."""
    for level in (0, 1):
        names = {part[level] if len(part) > level else "" for part in parts}
        like = {name for name in names if split_name(name)}
        if like and like == names:
            return level
        if level == 0 and like and names - {""}:
            raise UserError(_mixed_text(folder, like, names - like))
    return None


def _mixed_text(folder: str, splits: set[str], classes: set[str]) -> str:
    labels = sorted(name or "(the folder itself)" for name in classes)
    return (
        f"{folder}: {', '.join(sorted(splits))} are named like splits, {', '.join(labels[:4])} like classes; "
        "move them apart, or name classes and splits in a CSV: dermsynth import csv"
    )

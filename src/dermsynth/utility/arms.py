"""What a classifier is shown: real images, synthetic ones, both, and the controls that tell more images from better ones."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from dermsynth.errors import UserError


@dataclass(frozen=True)
class Arm:
    """One way to train.

    `real` is the share of the real training images, `synthetic` how many synthetic images there are for each real one of the
    whole training set (all there are: None), `length` how many images are shown, in the experiment's own number. `variant` names
    another synthetic set than the experiment's, edited or without artefacts; or, without synthetic images, edited copies of the
    real training images.
    """

    name: str
    real: float = 1.0
    synthetic: float | None = 0.0
    length: float = 1.0
    classical: bool = False
    variant: str = ""


def mixed(ratio: float) -> Arm:
    """Real and synthetic images, with as many more shown that every real one is seen as often as without."""
    return Arm(f"mixed 1:{ratio:g}", synthetic=ratio, length=1 + ratio)


REAL = Arm("real")
OVERSAMPLED = Arm("real, shown twice as long", length=2.0)
CLASSICAL = Arm("real, classical augmentation", length=2.0, classical=True)
SYNTHETIC = Arm("synthetic", real=0.0, synthetic=None)
ARMS = (REAL, OVERSAMPLED, CLASSICAL, SYNTHETIC, mixed(0.5), mixed(1))
"""The usual arms. Mixed arms are judged against both real ones: what is won by showing images longer is no merit of theirs."""


def fewer(share: float) -> Arm:
    """Real images alone, fewer of them: the scale on which a synthetic set's worth is read."""
    return Arm(f"real, {100 * share:g}% of the images", real=share)


NAMED = {"real": REAL, "oversampled": OVERSAMPLED, "classical": CLASSICAL, "synthetic": SYNTHETIC}


def arms_of(names: tuple[str, ...], variants: Collection[str] = (), copies: Collection[str] = ()) -> tuple[Arm, ...]:
    """Arms by name: `real`, `oversampled`, `classical`, `synthetic`, `mixed=RATIO`, `real=SHARE`; without names the usual ones.

    `synthetic@NAME` and `mixed=RATIO@NAME` are of a synthetic variant, `real@NAME` and `real=SHARE@NAME` of edited copies;
    without names every synthetic variant has the first two (the latter at 1), all copies the third.

    Raises UserError for a name, number or variant that means nothing.
    """
    if not names:
        usual = [_of_variant(arm, name) for name in variants for arm in (SYNTHETIC, mixed(1))]
        return (*ARMS, *usual, *(_of_variant(REAL, name) for name in copies))
    return tuple(dict.fromkeys([REAL, *(_arm(name, variants, copies) for name in names)]))


def _arm(whole: str, variants: Collection[str], copies: Collection[str]) -> Arm:
    name, at, variant = whole.partition("@")
    synthetic, real = name.startswith(("synthetic", "mixed")), name.startswith("real")
    if at and not (synthetic and variant in variants) and not (real and variant in copies):
        raise UserError(
            f"`arms` {whole!r}: after @ comes a name given with `variant`: of a synthetic set after synthetic or mixed=RATIO, "
            "of copies of the real set after real"
        )
    return _of_variant(_plain(name), variant) if variant else _plain(name)


def _plain(name: str) -> Arm:
    kind, equals, text = name.partition("=")
    number = _number(text) if equals else None
    if not equals and kind in NAMED:
        return NAMED[kind]
    if kind == "mixed" and number is not None and 0 < number <= 100:
        return mixed(number)
    if kind == "real" and number is not None and 0 < number < 1:
        return fewer(number)
    raise UserError(f"`arms` {name!r}: write {', '.join(NAMED)}, mixed=RATIO or real=SHARE (below 1)")


def _of_variant(arm: Arm, variant: str) -> Arm:
    return replace(arm, name=f"{arm.name}, {variant}", variant=variant)


def named(text: str) -> tuple[str, str]:
    """Name and folder of a variant.

    Raises UserError where either is missing.
    """
    name, _, place = text.partition("=")
    if not name or not place:
        raise UserError(f"`variant` {text!r}: write NAME=DIR")
    return name, place


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

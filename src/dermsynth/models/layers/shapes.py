"""Which image sizes a doubling generator can make, and how wide its layers are. Imports no torch."""

from dataclasses import dataclass

from dermsynth.errors import UserError

SMALLEST_CONSTANT, USUAL_CONSTANT, LARGEST_CONSTANT = 3, 7, 15
FEWEST_DOUBLINGS = 3
"""Of a constant whose shorter side is longer than usual, so that places far apart still meet."""


@dataclass(frozen=True)
class Shape:
    """Height and width of an image; both are `constant` times 2 to the power of `doublings`."""

    height: int
    width: int

    @property
    def doublings(self) -> int:
        """How often the constant is doubled: as often as both sides stay whole and at least 3."""
        doublings = 0
        while self._divides(2 ** (doublings + 1)):
            doublings += 1
        return doublings

    @property
    def constant(self) -> tuple[int, int]:
        """Height and width of the learned constant at the start of the generator."""
        return self.height >> self.doublings, self.width >> self.doublings

    @property
    def levels(self) -> tuple[int, ...]:
        """Nominal resolutions 4, 8, 16, ... of the blocks, as the papers name them; from 8 where the constant is that large."""
        first = 4 if min(self.constant) <= USUAL_CONSTANT else 8
        return tuple(first * 2**i for i in range(self.doublings + 1))

    def _divides(self, factor: int) -> bool:
        sides = (self.height, self.width)
        return all(side % factor == 0 and side // factor >= SMALLEST_CONSTANT for side in sides)

    def __str__(self) -> str:
        return str(self.width) if self.width == self.height else f"{self.width}x{self.height}"


def parse_shape(text: str | int | tuple[int, int], *, smallest: int = 8, largest: int = 2048) -> Shape:
    """Read `64`, `WIDTHxHEIGHT` or (height, width).

    Raises UserError when it is neither, or a side is outside of the limits in pixels.
    """
    if isinstance(text, tuple | list) and len(text) == 2:
        text = f"{text[1]}x{text[0]}"
    parts = str(text).lower().replace("×", "x").split("x")
    if not all(part.isdigit() for part in parts) or len(parts) > 2:
        raise UserError(f"`resolution` {text!r}: write one number (64) or WIDTHxHEIGHT (128x96)")
    width, height = int(parts[0]), int(parts[-1])
    if min(width, height) < smallest or max(width, height) > largest:
        raise UserError(f"`resolution` {text}: a side must have {smallest} to {largest} pixels")
    return Shape(height, width)


def require_doublings(shape: Shape) -> None:
    """Raise UserError when the size is not a constant of 3 to 15 pixels a side, doubled.

    Where both sides of the constant have more than 7 pixels, it must be doubled at least three times.
    """
    if not _reachable(shape):
        raise UserError(
            f"`resolution` {shape}: both sides must be 3 to 15 pixels doubled equally often; nearest: {_nearest(shape)}"
        )


def require_levels(name: str, count: int, shape: Shape) -> None:
    """Raise UserError when the field `name` asks for more levels than the size has doublings."""
    if count > shape.doublings:
        raise UserError(f"{name} {count}: at {shape} pixels there can be at most {shape.doublings}")


def _reachable(shape: Shape) -> bool:
    low, high = sorted(shape.constant)
    fewest = 1 if low <= USUAL_CONSTANT else FEWEST_DOUBLINGS
    return high <= LARGEST_CONSTANT and shape.doublings >= fewest


def _nearest(shape: Shape) -> str:
    """The three reachable sizes whose sides differ least, squares for squares."""
    heights, widths = (range(max(side // 4 * 4 - 64, 8), side + 68, 4) for side in (shape.height, shape.width))
    square = shape.height == shape.width
    others = [Shape(height, width) for height in heights for width in widths if (height == width) == square]
    reachable = [other for other in others if _reachable(other)]
    closest = sorted(reachable, key=lambda o: abs(o.height - shape.height) + abs(o.width - shape.width))[:3]
    return ", ".join(map(str, sorted(closest, key=lambda o: (o.width, o.height))))


def channels_at(level: int, base: int, maximum: int) -> int:
    """Feature maps of the block of nominal resolution `level`: min(base / level, maximum) (Karras et al. 2020b)."""
    return max(min(base // level, maximum), 1)

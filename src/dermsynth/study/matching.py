"""The same share of every class on both sides of a study, so that knowing the classes does not tell real from synthetic."""

from collections.abc import Mapping, Sequence

Counts = Mapping[str, int]


def target_shares(goal: Counts, available: Sequence[tuple[Counts, int]]) -> dict[str, float]:
    """Shares of the labels as near to those of `goal` as every side can follow.

    `available` holds, for every side, how many images of each label it has and how many are drawn from it. What a label
    lacks goes to the others in proportion to their shares. The sum is less than 1 where the sides have too few images.
    """
    limits = {
        label: min((counts.get(label, 0) / drawn for counts, drawn in available), default=1.0)
        for label in goal
        if goal[label] > 0
    }
    shares, open_labels, rest = dict.fromkeys(limits, 0.0), set(limits), 1.0
    while open_labels and rest > 1e-12:
        total = sum(goal[label] for label in open_labels)
        offered = {label: rest * goal[label] / total for label in open_labels}
        full = {label for label in open_labels if shares[label] + offered[label] >= limits[label] - 1e-12}
        if not full:
            return {label: shares[label] + offered.get(label, 0.0) for label in shares}
        for label in full:
            rest -= limits[label] - shares[label]
            shares[label] = limits[label]
        open_labels -= full
    return shares


def quotas(shares: Mapping[str, float], count: int, available: Counts) -> dict[str, int]:
    """`count` images by shares, whole numbers by largest remainder, none above what is available (Hamilton's method)."""
    result = {label: min(int(share * count + 1e-9), available.get(label, 0)) for label, share in shares.items()}
    order = sorted(shares, key=lambda label: (-(shares[label] * count - result[label]), label))
    while sum(result.values()) < count:
        free = [label for label in order if result[label] < available.get(label, 0)]
        if not free:
            break
        for label in free[: count - sum(result.values())]:
            result[label] += 1
    return {label: number for label, number in result.items() if number}

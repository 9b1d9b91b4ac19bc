"""An evaluation as a person reads it in the terminal."""

from dermsynth.evaluation.reading import next_step, sentence
from dermsynth.evaluation.results import Evaluation


def evaluation_table(result: Evaluation, group: str = "") -> str:
    """What was compared, and a line an estimate: of every group, or of one."""
    header = f"{'group':<22}{'metric':<34}{'value':>9}  {'95 % interval':<19}{'n':>11}"
    header += f"   {'real-real':>9} {'synth-real':>10} {'n':>6}"
    lines = [*_facts(result), header, "-" * len(header)]
    for e in result.estimates:
        if group in ("", e.group):
            interval = f"{e.low:.2f} ... {e.high:.2f}"
            lines.append(
                f"{e.group:<22}{e.name:<34}{e.value:>9.2f}  {interval:<19}"
                f"{e.n_synthetic:>5}/{e.n_real:<5}   {e.floor:>9.2f} {e.matched:>10.2f} {e.n_floor:>6}"
            )
    return "\n".join([*lines, *(f"refused: {line}" for line in result.refused)])


def _facts(result: Evaluation) -> list[str]:
    extractor, real = result.extractor, result.real
    lines = [f"features: {extractor.name}, resized {extractor.resizer}"]
    if result.sizes is not None:
        lines.append(f"  size: {result.sizes}")
    if not extractor.comparable_with_published_fid:
        lines.append("  not comparable with published FID or KID; compare only figures made with the same extractor")
    if 0 < real.groups < real.images:
        lines.append(
            f"  the {real.images} real images are of {real.groups} patients or lesions, which intervals and halves draw whole"
        )
    if real.trained_on:
        claimed = " (claimed)" if result.synthetic.generator.claimed else ""
        lines.append(f"  the generator was trained on {real.trained_on} of the {real.images} real images{claimed}")
    elif not real.training_set_known:
        lines.append("  unknown whether the generator was trained on these real images")
    lines += [f"  {remark.level}: {remark.says}" for remark in result.sides]
    if real.left_out:
        classes = ", ".join(f"{label} {count}" for label, count in real.left_out.items())
        lines.append(f"  real images of classes that the set does not have are not compared: {classes}")
    return lines


def verdict_table(result: Evaluation) -> str:
    """All lights in one sentence, a line for each question, of classes too, and what to do about those that are not green."""
    lines = [("", line) for line in result.verdict]
    lines += [(f"{label}: ", line) for label, verdict in result.class_verdicts.items() for line in verdict]
    width = max(len(prefix + line.question) for prefix, line in lines) + 2
    whole = sentence(result)
    steps = {line.question: next_step(result, line) for line in result.verdict}
    return "\n".join(
        [
            *([whole, ""] if whole else []),
            *(f"{prefix + line.question:<{width}}{line.light:<14}{line.says}" for prefix, line in lines),
            *(f"what to do, {question}: {step}" for question, step in steps.items() if step),
        ]
    )

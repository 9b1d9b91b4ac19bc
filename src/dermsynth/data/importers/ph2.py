"""PH2, whose list of diagnoses is a text drawn as a table."""

from pathlib import Path

from dermsynth.data.importers.sources import Source, SourceRow, command_of
from dermsynth.errors import UserError


def from_ph2(folder: Path) -> Source:
    """PH2 (Mendonca et al. 2013): `IMD*/IMD*_Dermoscopic_Image/*.bmp`, `*_lesion/*.bmp`, and PH2_dataset.txt."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the unpacked PH2 folder")
    diagnoses = _ph2_diagnoses(folder / "PH2_dataset.txt")
    rows = []
    for path in sorted(folder.rglob("*_Dermoscopic_Image/*.bmp")):
        name = path.stem
        mask = path.parent.parent / f"{name}_lesion" / f"{name}_lesion.bmp"
        mask_name = str(mask.relative_to(folder)) if mask.exists() else ""
        rows.append(SourceRow(str(path.relative_to(folder)), diagnoses.get(name, ""), mask_name))
    without = [row.image for row in rows if not row.label]
    if rows and len(without) == len(rows):
        raise UserError(
            f"{folder}: no PH2_dataset.txt with the diagnoses of its images; without it they have no labels"
        )
    notes = [f"PH2_dataset.txt has no diagnosis of {len(without)} images (first: {without[0]})"] if without else []
    if not rows:
        raise UserError(f"{folder}: no IMD*/IMD*_Dermoscopic_Image/*.bmp below it; name the unpacked PH2 folder")
    facts = {"source": "PH2", "licence": ["research and education only"]}
    return Source(folder, rows, facts, command_of("ph2", folder), notes=notes)


def _ph2_diagnoses(path: Path) -> dict[str, str]:
    """Rows `|| IMD003 || ... || 0 || ...`: the clinical diagnosis 0 common nevus, 1 atypical nevus, 2 melanoma."""
    if not path.exists():
        return {}
    names = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}
    found = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        cells = [cell.strip() for cell in line.split("||")]
        if len(cells) > 3 and cells[1].startswith("IMD"):
            found[cells[1]] = next((names[c] for c in cells[2:5] if c in names), "")
    return found

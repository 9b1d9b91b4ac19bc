"""The notebook of the documentation runs from its first cell to its last, as Jupyter runs it."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
LARGEST = 400_000
SHORTER = {
    'LENGTH = "4k"': "LENGTH = 32",
    "count=600": "count=520",
    "images=2000": "images=64",
    "count=1000": "count=50",
}


def test_the_notebook_is_small_and_was_run() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, 4).cells if cell.cell_type == "code"]
    assert NOTEBOOK.stat().st_size < LARGEST
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) >= 3


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    source = "\n".join(cell.source for cell in notebook.cells)
    assert all(source.count(long) == 1 for long in SHORTER)
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short)
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "release" / "README.md").exists()
    assert (tmp_path / "assessment.html").exists()

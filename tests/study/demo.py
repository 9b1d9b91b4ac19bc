"""A whole study in under two minutes: images, server, three simulated raters in a real browser, report."""

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from dermsynth.cli.study import report
from dermsynth.data.dataset import open_data_set
from dermsynth.io import read_json
from dermsynth.study import service
from dermsynth.study.create import create_study, open_study
from tests.browser import send
from tests.study.conftest import Server, drawn_sides, started

ABILITIES = {"dermatologist": 0.75, "deep_learning_expert": 0.6, "other": 0.5}
"""Who takes part, and how often they are right."""


def takes_part(page: Page, server: Server, group: str, ability: float, random: np.random.Generator) -> tuple[int, int]:
    """One rater from invitation to thanks: how many images, and of how many the truth was known."""
    page.goto(server.links()[0])
    page.check("input[name=agree]")
    send(page, "button[type=submit]")
    groups = server.running.study.protocol.groups
    page.check(f"input[name=group][value={group if group in groups else groups[0]}]")
    send(page, "button[type=submit]")
    token = page.url.split("/r/")[1].split("/")[0]
    send(page, "button[type=submit]")
    seat = service.seat_of(server.running, token)
    assert seat is not None
    trials, known = service.all_trials(server.running, seat), 0
    for trial in trials:
        page.wait_for_url(f"**/trial/{trial.position}")
        if page.locator("#reveal").count():
            page.click("#reveal")
        row = server.running.study.by_item[trial.item]
        knows = random.random() < ability
        known += knows
        other = {"real": "synthetic", "synthetic": "real"}[row["truth"]]
        wanted = {
            "kind": row["truth"] if knows else other,
            "certainty": str(random.integers(3, 6) if knows else random.integers(1, 5)),
        }
        for name in page.locator("fieldset input").evaluate_all("all => [...new Set(all.map(i => i.name))]"):
            options = page.locator(f"input[name={name}]").evaluate_all("all => all.map(i => i.value)")
            answer = wanted.get(name) or (
                row["label"] if row["label"] in options and knows else str(random.choice(options))
            )
            page.check(f'input[name={name}][value="{answer}"]')
        send(page, "#answers button[type=submit]")
    page.wait_for_url("**/comments")
    send(page, "button[type=submit]")
    page.wait_for_url("**/thanks")
    return len(trials), known


def main() -> None:
    """Run the demonstration into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("study-demo"))
    parser.add_argument("--real", type=Path)
    parser.add_argument("--synthetic", type=Path)
    parser.add_argument("--protocol", default="baur")
    wanted = parser.parse_args()
    clock = time.perf_counter()
    drawn = wanted.real is None or wanted.synthetic is None
    sides = drawn_sides(wanted.out) if drawn else (open_data_set(wanted.real), open_data_set(wanted.synthetic))
    study = wanted.out / "study"
    if not study.exists():
        create_study(wanted.protocol, *sides, study, 0)
    server = started(open_study(study).folder)
    random, right = np.random.default_rng(0), list[int]()
    try:
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
            )
            for group, ability in ABILITIES.items():
                page = browser.new_page()
                count, known = takes_part(page, server, group, ability, random)
                right.append(known)
                print(f"{group}: {count} images, {known} right ({time.perf_counter() - clock:.0f} s)", flush=True)
                page.close()
            browser.close()
    finally:
        server.stop()
    report(study)
    told = [r["counts"]["tp"] + r["counts"]["tn"] for r in read_json(study / "report.json")["raters"]][-len(right) :]
    assert told == right, f"the report counts {told} right answers, the raters gave {right}"
    print(f"{time.perf_counter() - clock:.0f} s")


if __name__ == "__main__":
    main()

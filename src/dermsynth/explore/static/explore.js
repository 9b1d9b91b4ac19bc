"use strict";
const form = document.getElementById("controls");
const sliders = [...document.querySelectorAll("[data-direction]")];
const truncation = document.getElementById("truncation");
const seed = document.getElementById("seed");
const label = document.getElementById("label");
const stage = document.querySelector(".images");
const pictures = ["before", "after"].map((which) => document.getElementById(which));
const problem = document.getElementById("problem");

/* The largest whole multiple at which both images stand beside each other, at least once. */
function zoom() {
  const width = Number(stage.dataset.width), height = Number(stage.dataset.height);
  const beside = (stage.clientWidth - 16) / 2, tall = window.innerHeight * 0.6;
  const times = Math.max(1, Math.floor(Math.min(beside / width, tall / height)));
  for (const picture of pictures) {
    picture.style.width = `${width * times}px`;
    picture.style.height = `${height * times}px`;
  }
}

/* The move as a query, as the server reads it. */
function query() {
  const asked = new URLSearchParams({ seed: seed.value });
  if (label) asked.set("label", label.value);
  const none = truncation.type === "range" && truncation.value === truncation.max;
  if (truncation.value !== "" && !none) asked.set("truncation", truncation.value);
  for (const slider of sliders) {
    if (Number(slider.value)) asked.append("step", `${slider.dataset.direction}:${slider.value}`);
  }
  return asked;
}

function showValues() {
  for (const slider of sliders) slider.nextElementSibling.value = Number(slider.value).toFixed(1);
  if (truncation.type === "range") {
    truncation.nextElementSibling.value = truncation.value === truncation.max ? "none" : Number(truncation.value).toFixed(2);
  }
}

function showScores(answer) {
  const rows = [...document.querySelectorAll("#scores tr")];
  answer.scores.forEach((score, i) => {
    const cells = rows[i].querySelectorAll("td");
    [score.before, score.after].forEach((value, k) => {
      cells[k].textContent = value.toFixed(3) + (value >= score.threshold ? " ✓" : "");
      cells[k].classList.toggle("shown", value >= score.threshold);
    });
  });
  const near = answer.nearness, badge = document.getElementById("badge");
  if (!near) return;
  badge.className = `badge ${near.flagged ? "flagged" : "passed"}`;
  const verdict = near.flagged ? "Too close to a training image" : "No copy of a training image";
  badge.textContent = `${verdict} (score ${near.score.toFixed(2)}, copies score below ${near.threshold.toFixed(2)}; nearest: ${near.nearest})`;
}

/* One move at a time; of the requests that arrive meanwhile only the last is answered. */
let busy = false, waiting = false;
async function show() {
  showValues();
  if (busy) { waiting = true; return; }
  busy = true;
  const start = performance.now(), asked = query();
  try {
    const response = await fetch(`/scores?${asked}`);
    const answer = await response.json();
    problem.hidden = response.ok;
    if (response.ok) {
      pictures.forEach((picture) => { picture.src = `/image.png?${asked}&which=${picture.id}`; });
      await Promise.all(pictures.map((picture) => picture.decode()));
      showScores(answer);
      document.getElementById("download").href = `/image.png?${asked}&download=true`;
      document.getElementById("recipe").href = `/recipe.json?${asked}&download=true`;
      history.replaceState(null, "", `#${asked}`);
      const time = Math.round(performance.now() - start);
      document.getElementById("time").textContent = `computed in ${time} ms`;
      stage.dataset.move = asked;
    } else {
      problem.textContent = answer.error;
    }
  } catch (error) {
    problem.hidden = false;
    problem.textContent = "The program does not answer; start dermsynth explore again.";
  }
  busy = false;
  if (waiting) { waiting = false; show(); }
}

/* A page opened with a move behind # shows that move. */
function restore() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("seed")) seed.value = asked.get("seed");
  if (label && asked.has("label")) label.value = asked.get("label");
  if (asked.has("truncation")) truncation.value = asked.get("truncation");
  for (const step of asked.getAll("step")) {
    const at = step.lastIndexOf(":"), name = step.slice(0, at);
    const slider = sliders.find((one) => one.dataset.direction === name);
    if (slider) slider.value = step.slice(at + 1);
  }
}

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("another").addEventListener("click", () => {
  seed.value = Math.floor(Math.random() * 1e6);
  show();
});
const back = document.getElementById("back");
if (back) {
  back.addEventListener("click", () => {
    for (const slider of sliders) slider.value = 0;
    show();
  });
}
window.addEventListener("resize", zoom);
restore();
zoom();
show();

"use strict";
const stage = document.querySelector(".stage");
const picture = document.getElementById("picture");
const form = document.getElementById("answers");
const reveal = document.getElementById("reveal");
const note = document.getElementById("hidden-note");
const questions = document.getElementById("questions");
const exposure = Number(stage.dataset.exposure);
const report = (name, value) => { form.elements[name].value = value; };

/* Native pixels, or the largest whole multiple that fits beside or above the questions. */
function zoom() {
  const width = Number(stage.dataset.width), height = Number(stage.dataset.height);
  const room = stage.parentElement.clientWidth;
  const beside = room > 700 ? room * 0.6 : room;
  const fits = Math.floor(Math.min(beside / width, (window.innerHeight * 0.65) / height));
  const times = Math.max(fits, 1);
  picture.style.width = `${width * times}px`;
  stage.style.minHeight = `${Math.min(height * times, window.innerHeight * 0.65)}px`;
  stage.style.minWidth = `${Math.min(width * times, room)}px`;
}

/* From now on there is something to answer. */
function shown() {
  questions.disabled = false;
  report("shown_ms", performance.now().toFixed(1));
}

/* The picture is there for `exposure` milliseconds from the frame in which it appears. */
function expose() {
  reveal.hidden = true;
  picture.hidden = false;
  requestAnimationFrame((start) => {
    shown();
    const check = (time) => {
      if (time - start < exposure - 8) return void requestAnimationFrame(check);
      picture.hidden = true;
      note.hidden = false;
      report("hidden_ms", performance.now().toFixed(1));
      form.querySelector("input[type=radio]").focus();
    };
    requestAnimationFrame(check);
  });
}

async function begin() {
  zoom();
  window.addEventListener("resize", zoom);
  try {
    await picture.decode();
  } catch {
    questions.disabled = true;
    picture.hidden = true;
    document.getElementById("failed").hidden = false;
    return;
  }
  if (exposure) {
    reveal.addEventListener("click", expose, { once: true });
    reveal.disabled = false;
    reveal.focus();
  } else {
    requestAnimationFrame(shown);
  }
}

form.addEventListener("submit", () => {
  report("answered_ms", performance.now().toFixed(1));
  report("window_width", window.innerWidth);
  report("window_height", window.innerHeight);
  report("zoom", (picture.getBoundingClientRect().width / Number(stage.dataset.width) || Number.parseFloat(picture.style.width) / Number(stage.dataset.width)).toFixed(3));
  report("pixel_ratio", window.devicePixelRatio);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || questions.disabled || event.target.matches("textarea, input:not([type=radio])")) return;
  const option = form.querySelector(`input[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (option) {
    option.checked = true;
    option.focus();
  } else if (event.key === "Enter" && event.target !== reveal && !event.target.matches("a, button")) {
    event.preventDefault();
    form.requestSubmit();
  }
});
begin();

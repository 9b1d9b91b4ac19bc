"use strict";
for (const box of document.querySelectorAll(".embedding")) {
  const { points, labels, colours, side, columns } = JSON.parse(box.dataset.view);
  const [plane, detail] = box.querySelectorAll("canvas");
  const sprite = box.querySelector("img");
  const caption = box.querySelector("figcaption");
  const margin = 14;
  const hidden = new Set();
  const place = (p) => [margin + p[0] * (plane.width - 2 * margin), margin + (1 - p[1]) * (plane.height - 2 * margin)];
  const seen = (p) => !hidden.has(p[2] ? "real" : "synthetic") && !hidden.has(labels[p[3]]);

  function draw(marked) {
    const ink = plane.getContext("2d");
    ink.clearRect(0, 0, plane.width, plane.height);
    for (const p of points.filter(seen)) {
      const [x, y] = place(p);
      ink.strokeStyle = ink.fillStyle = colours[p[3] % colours.length];
      ink.globalAlpha = 0.7;
      ink.beginPath();
      if (p[2]) {
        ink.moveTo(x - 3, y - 3); ink.lineTo(x + 3, y + 3);
        ink.moveTo(x - 3, y + 3); ink.lineTo(x + 3, y - 3);
        ink.stroke();
      } else {
        ink.arc(x, y, 3, 0, 7);
        ink.fill();
      }
      ink.globalAlpha = 1;
      if (p === marked) {
        ink.strokeStyle = "#1a202c";
        ink.strokeRect(x - 6, y - 6, 12, 12);
      }
    }
  }

  plane.addEventListener("pointermove", (event) => {
    const scale = plane.width / plane.getBoundingClientRect().width;
    const distance = (p) => Math.hypot(place(p)[0] - event.offsetX * scale, place(p)[1] - event.offsetY * scale);
    const near = points.filter(seen).reduce((best, p) => (!best || distance(p) < distance(best) ? p : best), null);
    if (!near || distance(near) > 12) return;
    const index = points.indexOf(near);
    const source = [(index % columns) * side, Math.floor(index / columns) * side, side, side];
    detail.getContext("2d").drawImage(sprite, ...source, 0, 0, detail.width, detail.height);
    caption.textContent = `${near[2] ? "real" : "synthetic"} ${labels[near[3]]}: ${near[4]}`;
    draw(near);
  });

  for (const name of ["synthetic", "real", ...labels.filter(Boolean)]) {
    const label = document.createElement("label");
    const check = document.createElement("input");
    check.type = "checkbox";
    check.checked = true;
    check.addEventListener("change", () => { hidden[check.checked ? "delete" : "add"](name); draw(); });
    label.append(check, ` ${name} `);
    if (labels.includes(name)) label.style.color = colours[labels.indexOf(name) % colours.length];
    box.querySelector(".switches").append(label);
  }
  draw();
}

// A zone drawn on the picture: corners [x, y] in fractions of it, dragged, tapped, or moved with the arrow keys.

import {$, element, percent} from "/page.js";

const START = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.9], [0.2, 0.9]];
const STEPS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const bounded = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;

export class Zone {
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    this.corners = [];
    this.editable = false;
    stage.addEventListener("click", (event) => this.#tap(event));
  }

  set(corners, editable) {
    this.corners = corners.map((corner) => [...corner]);
    this.editable = editable;
    this.stage.classList.toggle("editable", editable);
    this.#draw();
  }

  clear() {
    this.corners = [];
    this.#tell();
  }

  // In the middle of the longest edge; the first four at once.
  addBetween() {
    if (this.corners.length < 3) this.corners = START.map((corner) => [...corner]);
    else {
      const lengths = this.corners.map((corner, k) => this.#distance(corner, this.#next(k)));
      const k = lengths.indexOf(Math.max(...lengths));
      const [[x1, y1], [x2, y2]] = [this.corners[k], this.#next(k)];
      this.corners.splice(k + 1, 0, [bounded((x1 + x2) / 2), bounded((y1 + y2) / 2)]);
    }
    this.#tell();
    $("corners").lastElementChild?.focus();
  }

  #next(k) {
    return this.corners[(k + 1) % this.corners.length];
  }

  #distance([x1, y1], [x2, y2]) {
    const {width, height} = this.stage.getBoundingClientRect();
    return Math.hypot((x1 - x2) * width, (y1 - y2) * height);
  }

  // Where a new corner makes the way around the zone least longer.
  #tap(event) {
    if (!this.editable || event.target.closest("button")) return;
    const corner = this.#point(event);
    const detours = this.corners.map((each, k) =>
      this.#distance(each, corner) + this.#distance(corner, this.#next(k)) - this.#distance(each, this.#next(k)));
    const k = this.corners.length < 3 ? this.corners.length - 1 : detours.indexOf(Math.min(...detours));
    this.corners.splice(k + 1, 0, corner);
    this.#tell();
  }

  #point({clientX, clientY}) {
    const {left, top, width, height} = this.stage.getBoundingClientRect();
    return [bounded((clientX - left) / width), bounded((clientY - top) / height)];
  }

  #tell() {
    this.#draw();
    this.changed(this.corners);
  }

  #draw() {
    const points = this.corners.map(([x, y]) => `${x * 100},${y * 100}`);
    $("outline").setAttribute("points", points.join(" "));
    $("outside").setAttribute("d", points.length > 2 ? `M0,0H100V100H0Z M${points.join(" L")}Z` : "");
    const handles = $("corners");
    while (handles.children.length > (this.editable ? this.corners.length : 0)) handles.lastElementChild.remove();
    while (this.editable && handles.children.length < this.corners.length) handles.append(this.#handle(handles.children.length));
    [...handles.children].forEach((handle, k) => this.#place(handle, k));
  }

  #place(handle, k) {
    const [x, y] = this.corners[k];
    handle.style.left = `${x * 100}%`;
    handle.style.top = `${y * 100}%`;
    handle.ariaLabel = `Corner ${k + 1} of ${this.corners.length}, ${percent(x)} from the left, ${percent(y)} from the top`;
  }

  #handle(k) {
    const handle = element("button", {type: "button", className: "corner"});
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) this.#move(k, this.#point(event));
    });
    handle.addEventListener("keydown", (event) => this.#key(event, k));
    return handle;
  }

  #key(event, k) {
    const step = STEPS[event.key];
    if (step) {
      const size = event.shiftKey ? 0.05 : 0.01;
      const [x, y] = this.corners[k];
      this.#move(k, [bounded(x + step[0] * size), bounded(y + step[1] * size)]);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.corners.splice(k, 1);
      this.#tell();
      ($("corners").children[Math.max(0, k - 1)] ?? $("corner-add")).focus();
    } else return;
    event.preventDefault();
  }

  #move(k, corner) {
    this.corners[k] = corner;
    this.#tell();
  }
}

// Try a picture: it goes to the device, and the boxes that come back are drawn on the copy that is here.

import {call} from "/net.js";
import {$, capital, element, percent, show, worded, write} from "/page.js";

const MOST_BYTES = 8e6;
const TYPES = ["image/jpeg", "image/png", "image/webp"];

async function attempt(file) {
  write("try-fault", "");
  show("result", false);
  try {
    if (!TYPES.includes(file.type)) throw new Error("this is not a JPEG, PNG or WebP picture");
    if (file.size > MOST_BYTES) throw new Error(`this picture has ${(file.size / 1e6).toFixed(1)} MB; 8 MB at most`);
    write("try-busy", "The device looks at it…");
    const answer = await call("/try", {method: "POST", headers: {"Content-Type": file.type}, body: file});
    await present(file, await answer.json());
  } catch (error) {
    write("try-fault", `${capital(error.message)}.`);
  }
  write("try-busy", "");
}

async function present(file, found) {
  URL.revokeObjectURL($("tried").src);
  $("tried").src = URL.createObjectURL(file);
  await $("tried").decode();
  $("boxes").replaceChildren(...found.faces.map((face, k) => box(face, k, found)));
  $("found").replaceChildren(...found.faces.map(row));
  write("found-title", {0: "No face found", 1: "1 face"}[found.faces.length] ?? `${found.faces.length} faces`);
  show("result", true);
  $("drop").classList.add("again");
  $("found-title").focus();
}

function box({box: [left, top, right, bottom], label}, k, {width, height}) {
  const made = element("div", {className: "box"}, element("span", {}, String(k + 1)));
  made.dataset.label = label;
  if (top < 0.1 * height) made.classList.add("high");
  const place = {left: left / width, top: top / height, width: (right - left) / width, height: (bottom - top) / height};
  for (const [side, fraction] of Object.entries(place)) made.style[side] = `${fraction * 100}%`;
  return made;
}

function row({label, score}) {
  const made = element("li", {}, element("strong", {}, capital(worded(label))), element("span", {}, `${percent(score)} sure`));
  made.dataset.label = label;
  return made;
}

$("file").addEventListener("change", () => {
  if ($("file").files.length) attempt($("file").files[0]);
  $("file").value = "";
});

$("drop").addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
$("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  if (event.dataTransfer.files.length) attempt(event.dataTransfer.files[0]);
});

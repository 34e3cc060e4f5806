// The camera's view, for whoever aims it: pictures while it is on, light, the zone and the smallest face.

import {ask, call} from "/net.js";
import {$, capital, percent, show, toast, worded, write} from "/page.js";
import {Zone} from "/zone.js";

const EVERY = 200;
const zone = new Zone($("stage"), changed);
let about;
let editing = false;
let polling = false;

export function showCamera(status) {
  about = status.connected ? status.about : null;
  const on = Boolean(about?.view_left);
  show("viewing", on);
  for (const id of ["view-stop", "view-on"]) show(id, on);
  show("view-off", !on);
  write("view-clock", clock(about?.view_left ?? 0));
  write("view-why", why());
  show("view-start", Boolean(about?.view));
  if (!on) edit(false);
  else if (!editing) showZone();
  showLight(about?.brightness ?? 0);
  write("counting", counting(status.now?.faces ?? []));
  poll();
}

function why() {
  if (!about) return "The door's program does not answer; there is nothing to see.";
  if (!about.view) return "The view of this door is switched off for good, by share.view in its settings.";
  return "The view is off. Switch it on to aim the camera and to draw the zone; it goes off by itself.";
}

// The words to the boxes in the picture.
function counting(faces) {
  if (!faces.length) return "Nobody just now.";
  return faces.map((face) => `${capital(worded(face.label))}, ${percent(face.score)} sure, face ${percent(face.height)} of the picture's height.`).join(" ");
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

const wanted = () => Boolean(about?.view_left) && !$("camera").hidden && !document.hidden;

async function poll() {
  if (polling) return;
  polling = true;
  while (wanted()) {
    const begun = performance.now();
    try {
      await present(await (await call("/view.jpg")).blob());
    } catch {
      // none yet; the status tells whether any will come
    }
    await new Promise((done) => setTimeout(done, Math.max(50, EVERY - (performance.now() - begun))));
  }
  polling = false;
}

async function present(blob) {
  const address = URL.createObjectURL(blob);
  const old = $("view").src;
  $("view").src = address;
  await $("view").decode().catch(() => {});
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
}

function showZone() {
  zone.set(about.zone, false);
  showLeast(about.min_face_height);
  show("zone-edit", about.zone_can_change);
  const where = about.zone.length ? `Faces inside the zone of ${about.zone.length} corners` : "Faces anywhere in the picture";
  const how = about.zone_can_change ? "" : " Its file is not set (share.zone_file), so it cannot be changed here.";
  write("zone-hint", `${where}, from ${percent(about.min_face_height)} of the picture's height on.${how}`);
}

function showLeast(fraction) {
  const {naturalWidth: width, naturalHeight: height} = $("view");
  $("guide").style.height = `${fraction * 100}%`;
  $("guide").style.width = width ? `${fraction * 75 * height / width}%` : "0";
  write("least-told", percent(fraction));
}

function showLight(brightness) {
  const words = [[0.15, "Too dark to judge faces. Switch on a lamp."], [0.28, "Rather dark. More light on the faces helps."],
    [0.72, "Good."], [0.85, "Rather bright. Avoid a window behind the people."], [2, "Too bright. Turn the camera away from the light."]];
  write("light", brightness ? words.find(([most]) => brightness < most)[1] : "Not measured yet.");
  $("light-mark").style.left = `${brightness * 100}%`;
}

function edit(on) {
  editing = on;
  show("zone-tools", on);
  if (on) show("zone-edit", false);
  zone.set(on || about ? about?.zone ?? [] : [], on);
  write("zone-fault", "");
}

function changed(corners) {
  const few = corners.length > 0 && corners.length < 3;
  $("zone-save").disabled = few;
  write("zone-hint", few ? "A zone needs three corners at least." : corners.length
    ? "Drag the corners, or move them with the arrow keys; Delete removes one. Tap the picture for another."
    : "The whole picture counts. Tap the picture, or add corners, to draw a zone.");
}

async function tell(request, done) {
  try {
    await request;
    toast(done);
    return true;
  } catch (error) {
    toast(capital(error.message));
    return false;
  }
}

$("view-start").addEventListener("click", () => tell(ask("view", {on: true}), "The view is on for 10 minutes."));
$("view-stop").addEventListener("click", () => tell(ask("view", {on: false}), "The view is off."));
$("view").addEventListener("load", () => showLeast(editing ? $("least").value / 100 : about?.min_face_height ?? 0));

$("zone-edit").addEventListener("click", () => {
  $("least").value = Math.round(about.min_face_height * 100);
  edit(true);
  changed(about.zone);
  $("corner-add").focus();
});

$("zone-cancel").addEventListener("click", () => {
  edit(false);
  showZone();
  $("zone-edit").focus();
});

$("zone-save").addEventListener("click", async () => {
  const drawn = {polygon: zone.corners, min_face_height: $("least").value / 100};
  try {
    await ask("zone", drawn);
  } catch (error) {
    write("zone-fault", `${capital(error.message)}.`);
    return;
  }
  about = {...about, zone: drawn.polygon, min_face_height: drawn.min_face_height};
  edit(false);
  showZone();
  $("zone-edit").focus();
  toast("Saved. It is in use now.");
});

$("least").addEventListener("input", () => showLeast($("least").value / 100));
$("corner-add").addEventListener("click", () => zone.addBetween());
$("zone-all").addEventListener("click", () => zone.clear());

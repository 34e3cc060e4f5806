// The door now: state, today's counts, last faults, the device; and what its owner can tell it.

import {ask} from "/net.js";
import {$, capital, element, replace, show, toast, worded, write} from "/page.js";

const STALE_SECONDS = 5;
const WORDS = {
  IDLE: "Nobody here", CHECKING: "Looking", ALLOW: "Mask on", DENY: "No proper mask", UNKNOWN: "Cannot tell",
  FAULT: "Out of order", AWAY: "No answer",
};
const SIGNALS = {
  RELEASE: "Door released", REMINDER: "Reminder", HELD_OPEN: "Door held open", FORCED_OPEN: "Door forced open",
  TAMPER: "Case open", CONTESTED: "Verdict contested",
};
const MODES = {
  must_wear: "Opens for proper masks alone", remind: "Opens for everybody, reminds", indicate: "Lamps only",
};
const TILES = {ALLOW: "mask on", DENY: "no proper mask", UNKNOWN: "could not tell", FAULT: "faults"};

export function showNow(status) {
  const {state, reason} = present(status);
  $("hero").dataset.state = state;
  $("hero-icon").setAttribute("href", `#i-${state}`);
  write("word", WORDS[state] ?? state);
  write("reason", capital(worded(reason)));
  write("since", status.since ? `since ${moment(status.since)}` : "");
  const signals = state === "AWAY" ? [] : status.now.signals;
  replace("signals", signals.filter((each) => SIGNALS[each]).map((each) => element("li", {}, SIGNALS[each])));
  show("override", Boolean(status.about?.override));
  const kept = status.about?.review ? ", and keeps the faces for review" : "";
  write("contest-hint", `Notes in the door's log that its last verdict was wrong${kept}.`);
  announce(state, reason);
  showToday(status.today);
  showFaults(status.faults);
  showDevice(status);
}

function present({connected, now}) {
  if (!connected) return {state: "AWAY", reason: "The door's program does not answer. It is started anew by itself."};
  if (!now || now.age > STALE_SECONDS) return {state: "AWAY", reason: "The door has decided nothing for a while."};
  return now;
}

// A state that passes within a moment is not read out.
let spoken = "";
let waiting;

function announce(state, reason) {
  const told = state === "FAULT" ? `${WORDS.FAULT}: ${reason}` : WORDS[state] ?? state;
  if (told === spoken) return;
  spoken = told;
  clearTimeout(waiting);
  waiting = setTimeout(() => write("spoken", $("now").hidden ? "" : told), 1000);
}

function showToday(counts) {
  const tiles = Object.entries(TILES).flatMap(([state, words]) => {
    const tile = element("div", {className: "tile"}, element("dt", {}, words), element("dd", {}, String(counts[state] ?? 0)));
    tile.dataset.state = state;
    return [tile];
  });
  replace("today", tiles);
  const shares = Object.keys(TILES).filter((state) => counts[state]).map((state) => {
    const share = element("span");
    share.dataset.state = state;
    share.style.flexGrow = counts[state];
    return share;
  });
  replace("shares", shares);
}

function showFaults(faults) {
  show("no-faults", !faults.length);
  const shown = faults.slice(0, 8).map(({at, reason}) => {
    const time = element("time", {dateTime: at}, moment(at));
    return element("li", {}, time, element("span", {}, capital(reason)));
  });
  replace("faults", shown);
}

function showDevice({temperature, about}) {
  const rows = [];
  const add = (name, value, extra = "") => rows.push(
    element("div", {}, element("dt", {}, name), element("dd", {}, value, ...(extra ? [element("small", {}, extra)] : []))));
  if (temperature !== null) add("Temperature", `${Math.round(temperature)} °C`, temperature >= 80 ? "too hot, it slows down" : "");
  if (about) {
    add("Mode", MODES[about.mode] ?? about.mode);
    add("Model", about.bundle, about.made ? age(about.made) : "");
    add("Runs on", about.runs_on);
    add("People", about.drift.alarm ? "unlike the model's tests" : drift(about.drift));
    if (about.review) add("Kept for review", `${about.kept} faces`);
    add("Running for", duration(about.up));
    add("Version", about.version);
  }
  replace("device", rows);
  show("drift", Boolean(about?.drift.alarm));
  write("drift", about?.drift.alarm ? `The people at the door look unlike those the model was tested on: ${about.drift.alarm}` : "");
}

const drift = ({people}) => (people ? "like the model's tests" : "too few seen to compare");

function moment(iso) {
  const then = new Date(iso);
  const time = then.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  const sameDay = then.toDateString() === new Date().toDateString();
  return sameDay ? time : `${then.toLocaleDateString([], {day: "numeric", month: "short"})}, ${time}`;
}

function age(iso) {
  const days = Math.floor((Date.now() - new Date(iso)) / 86400e3);
  if (days < 1) return "made today";
  return days === 1 ? "made yesterday" : `made ${days} days ago`;
}

function duration(seconds) {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [name, length] = units.find(([, least]) => seconds >= least) ?? units[2];
  const count = Math.floor(seconds / length);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

$("contest").addEventListener("click", async () => {
  $("contest").disabled = true;
  try {
    await ask("contest", {by: ""});
    toast("Noted. Thank you.");
  } catch (error) {
    toast(capital(error.message));
  }
  setTimeout(() => { $("contest").disabled = false; }, 2000);
});

$("override").addEventListener("click", () => $("sure").showModal());

$("sure").addEventListener("close", async () => {
  if ($("sure").returnValue !== "yes") return;
  $("sure").returnValue = "";
  try {
    await ask("override", {by: ""});
    toast("The door is released.");
  } catch (error) {
    toast(capital(error.message));
  }
});

"use strict";

const token = location.hash.slice(1);
const at = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("button")];
let name = null;
const main = document.querySelector("main");

async function ask(path, given) {
  const method = given === undefined ? "GET" : "POST";
  const body = given === undefined ? undefined : JSON.stringify(given);
  const answer = await fetch(path, { method, body, headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function show(state) {
  name = state.name;
  for (const [place, count] of Object.entries(state.counts)) if (at(place)) at(place).textContent = count;
  const waiting = state.counts.new;
  at("left").textContent = waiting ? `${waiting} left` : "No face waits. Now: make retrain";
  URL.revokeObjectURL(at("face").src);
  at("face").hidden = !name;
  if (name) {
    at("face").src = URL.createObjectURL(await (await ask(`crop/${name}`)).blob());
    at("face").alt = `face ${name.slice(0, 6)}, to be labelled`;
  }
  for (const button of buttons) button.disabled = button.dataset.place !== undefined && !name;
}

// one thing at a time, so that a key held down does not label a face that nobody has seen
async function act(path, given) {
  if (main.ariaBusy === "true") return;
  main.ariaBusy = "true";
  try {
    await show(await (await ask(path, given)).json());
    at("fault").hidden = true;
  } catch (error) {
    at("fault").textContent = error instanceof TypeError ? "The program in the terminal has ended." : error.message;
    at("fault").hidden = false;
  }
  main.ariaBusy = "false";
}

function press(button) {
  if (button.disabled) return;
  if (button.id === "undo") act("undo", {});
  else act("put", { name, place: button.dataset.place });
}

for (const button of buttons) button.addEventListener("click", () => press(button));
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const button = buttons.find((each) => each.dataset.key === event.key.toLowerCase());
  if (button) press(button);
});
act("now");

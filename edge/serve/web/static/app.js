// The frame of the page: signing in and out, which part is shown, and the status once a second.

import {showCamera} from "/camera.js";
import {call, post} from "/net.js";
import {showNow} from "/now.js";
import {$, capital, show, write} from "/page.js";
import "/try.js";

const PAGES = ["now", "camera", "try"];
const EVERY = 1000;
let signedIn = false;
let timer;

async function update() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const status = await (await call("/status")).json();
    if (!signedIn) enter();
    write("name", status.name);
    showNow(status);
    showCamera(status);
  } catch (error) {
    if (error.status === 401) return;
    if (error.status === undefined) throw error;
    showNow({connected: false, now: null, since: null, today: {}, faults: [], temperature: null, about: null});
    if (!signedIn) enter();
  }
  timer = setTimeout(update, EVERY);
}

function enter() {
  signedIn = true;
  show("login", false);
  show("top", true);
  turn();
}

function leave() {
  signedIn = false;
  clearTimeout(timer);
  for (const id of [...PAGES, "top"]) show(id, false);
  show("login", true);
  document.title = "maskgate: sign in";
  $("token").focus();
}

function turn() {
  if (!signedIn) return;
  const page = PAGES.find((each) => `#${each}` === location.hash) ?? "now";
  for (const each of PAGES) show(each, each === page);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${page}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `maskgate: ${$(`${page}-title`).textContent}`;
}

function focusTitle() {
  document.querySelector(".page:not([hidden]) h1")?.focus({preventScroll: true});
}

window.addEventListener("hashchange", () => {
  turn();
  scrollTo(0, 0);
  focusTitle();
});

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  write("login-fault", "");
  try {
    await post("/login", {token: $("token").value});
    $("login-form").reset();
    await update();
    focusTitle();
  } catch (error) {
    write("login-fault", `${capital(error.message)}.`);
    $("token").select();
  }
});

$("logout").addEventListener("click", async () => {
  await post("/logout").catch(() => {});
  leave();
});

document.addEventListener("signed-out", leave);
document.addEventListener("visibilitychange", update);
update();

// Small helpers that every part of the page uses.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Only what differs is written, so that nothing flickers and a screen reader is not disturbed.
export function write(id, text) {
  const place = $(id);
  if (place.textContent !== text) place.textContent = text;
}

export function show(id, shown) {
  $(id).hidden = !shown;
}

export function replace(id, children) {
  const made = element("div", {}, ...children);
  if (made.innerHTML !== $(id).innerHTML) $(id).replaceChildren(...made.childNodes);
}

let hiding;

export function toast(text) {
  write("toast", text);
  $("toast").classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    $("toast").classList.remove("shown");
    write("toast", "");
  }, 5000);
}

export const percent = (fraction) => `${Math.round(fraction * 100)}\u00a0%`;

const LABELS = {
  with_mask: "with a mask", without_mask: "without a mask", incorrect: "with nose or chin bare", unknown: "not clear",
};

export const worded = (text) => text.replace(/with_mask|without_mask|incorrect|unknown/g, (label) => LABELS[label]);

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

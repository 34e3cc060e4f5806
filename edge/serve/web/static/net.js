// Talks to the device. Whatever goes wrong is an Error whose message is for people.

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, {cache: "no-store", ...options});
  } catch {
    throw new Refused("the device cannot be reached", 0);
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && path !== "/login") document.dispatchEvent(new Event("signed-out"));
  const told = await answer.json().catch(() => ({}));
  throw new Refused(told.fault || `the device answers ${answer.status}`, answer.status);
}

export function post(path, value = {}) {
  return call(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(value)});
}

export const ask = (type, rest = {}) => post("/ask", {type, ...rest});

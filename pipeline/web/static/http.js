// Requests to the server: its response, or an error that says whether it responded.

export class Refusal extends Error {
  constructor(status, body) {
    super(body.error || `the server responded with status ${status}`);
    this.status = status;
    this.body = body;
  }
}

export class Unreachable extends Error {
  constructor() {
    super("The server does not respond.");
  }
}

const TIMEOUT = 20_000; // ms; a slower server counts as unreachable

/** The JSON at `address`; `values` become its query, without those that are empty. */
export function getJson(address, values = {}, timeout = TIMEOUT) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return ask(query ? `${address}?${query}` : address, {}, timeout);
}

/** Send `body` as JSON, and return the JSON that the server responds. */
export function sendJson(address, body, { method = "POST", timeout = TIMEOUT, headers = {} } = {}) {
  const sent = { "content-type": "application/json", ...headers };
  return ask(address, { method, headers: sent, body: JSON.stringify(body) }, timeout);
}

/** Fetch `address`, and return its JSON; `Refusal` for an error status, `Unreachable` without a response. */
export async function ask(address, options = {}, timeout = TIMEOUT) {
  let answer;
  let body;
  try {
    answer = await fetch(address, { ...options, signal: AbortSignal.timeout(timeout) });
    body = await answer.text();
  } catch {
    throw new Unreachable();
  }
  const found = parsed(body);
  if (!answer.ok) throw new Refusal(answer.status, found);
  return found;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

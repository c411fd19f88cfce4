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

export class Server {
  constructor(dataset) {
    this.root = `/d/${encodeURIComponent(dataset)}/`;
  }

  square(picture) {
    return `${this.root}square/${picture.id}?v=${picture.version}`;
  }

  original(picture) {
    return `${this.root}original/${picture.id}`;
  }

  get(path, values = {}) {
    const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
    return ask(`${this.root}${path}?${query}`, {});
  }

  post(path, body, timeout = TIMEOUT) {
    const headers = { "content-type": "application/json" };
    return ask(this.root + path, { method: "POST", headers, body: JSON.stringify(body) }, timeout);
  }
}

async function ask(address, options, timeout = TIMEOUT) {
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

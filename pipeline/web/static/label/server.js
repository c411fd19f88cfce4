// The requests of the label page.

import { getJson, sendJson } from "../http.js";

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

  thumbnail(picture) {
    return `${this.root}thumbnail/${picture.id}`;
  }

  get(path, values = {}) {
    return getJson(this.root + path, values);
  }

  post(path, body, timeout) {
    return sendJson(this.root + path, body, { timeout });
  }
}

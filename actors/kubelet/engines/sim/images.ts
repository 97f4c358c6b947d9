/** The images of a simulated engine: names alone, there once they were pulled. */

import { EngineError, type ImageState } from "../../engine.ts";

const namePattern =
  /^[a-z0-9]+([._/-][a-z0-9]+|__[a-z0-9]+)*(:[0-9]+\/[a-z0-9._/-]+)?(:[\w][\w.-]*)?(@sha256:[0-9a-f]{64})?$/;

export function assertImageName(image: string): void {
  if (!namePattern.test(image)) {
    throw new EngineError("invalid-image", "invalid reference format");
  }
}

export class SimImages {
  readonly #byName = new Map<string, ImageState>();

  get(image: string): ImageState | undefined {
    return this.#byName.get(image);
  }

  list(): ImageState[] {
    return [...this.#byName.values()];
  }

  add(image: string): ImageState {
    const state = { id: `sim:${image}`, tags: [image], digests: [], sizeBytes: 1, user: "" };
    this.#byName.set(image, state);
    return state;
  }

  remove(id: string): void {
    for (const [name, image] of this.#byName) if (image.id === id) this.#byName.delete(name);
  }
}

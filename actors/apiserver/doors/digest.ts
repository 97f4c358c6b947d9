/** SHA-256, by which clients tell documents apart. A driver: the machine's library computes it. */

import { createHash } from "node:crypto";

export function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** As HTTP quotes a document's version: equal for equal documents, whoever serves them. */
export function entityTag(text: string): string {
  return `"${Buffer.from(sha256(text)).toString("hex").toUpperCase()}"`;
}

import type { Key } from "../kit/object.ts";

/** The proxy's mailbox. */
export type ProxyMessage =
  /** A Service or one of its slices changed. */
  | { type: "changed"; service: Key }
  /** Carry what changed to the kernel. */
  | { type: "sync" }
  /** See that our table and routes are still there. */
  | { type: "verify" };

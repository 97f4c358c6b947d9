/** What shards, API actors and the ledger say to each other (`wherry.ledger.<principal>.bind`). */

/** Request to the ledger: put this pod on this node. */
export interface BindPod {
  namespace: string;
  name: string;
  uid: string;
  node: string;
}

/**
 * Its answer. `refused`: the pod no longer fits there, with the reasons as the scheduler words
 * them; the shard tries again. `gone`: the pod was deleted or is bound already (`node` says where).
 */
export type PodBound =
  | { type: "bound" }
  | { type: "refused"; reasons: string[] }
  | { type: "gone"; node?: string };

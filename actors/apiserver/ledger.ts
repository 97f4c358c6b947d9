/** A binding that did not come from the ledger: asked of it, and its answer as the API words it. */

import { apiError, conflict } from "../../manifests/api-error.ts";
import type { Pod } from "../../manifests/index.ts";
import { type Bus, BusError } from "../../runtime/bus.ts";
import type { BindPod, PodBound } from "../scheduler/messages.ts";
import { ledgerBindSubject } from "../subjects.ts";

const of = { group: "", resource: "pods/binding" };

export async function bindAtLedger(
  bus: Bus,
  principal: string,
  pod: Pod,
  node: string,
): Promise<void> {
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  const ask: BindPod = { namespace, name, uid, node };
  const answer = await request(bus, ledgerBindSubject(principal), ask);
  switch (answer.type) {
    case "bound":
      return;
    case "gone":
      throw conflict(
        of,
        name,
        answer.node
          ? `pod ${name} is already assigned to node "${answer.node}"`
          : `pod ${name} is gone`,
      );
    case "refused":
      throw conflict(of, name, `node "${node}" does not fit: ${answer.reasons.join(", ")}`);
  }
}

async function request(bus: Bus, subject: string, ask: BindPod): Promise<PodBound> {
  try {
    const reply = await bus.request(subject, JSON.stringify(ask));
    return JSON.parse(new TextDecoder().decode(reply.data)) as PodBound;
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    const reason = error.code === "timeout" ? "Timeout" : "ServiceUnavailable";
    throw apiError(reason, `the ledger did not answer: ${error.message}`, undefined, {
      cause: error,
    });
  }
}

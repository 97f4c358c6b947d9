/**
 * MutatingAdmissionWebhook: one after the other, by the names of their configurations, each seeing
 * what those before it did. k8s: apiserver/pkg/admission/plugin/webhook/mutating.
 */

import equal from "fast-deep-equal";
import {
  applyJsonPatch,
  decode,
  type KubeObject,
  type MutatingWebhook,
  MutatingWebhookConfiguration,
  setDefaults,
} from "../../../../manifests/index.ts";
import type { AdmissionContext, Attributes, Plugin } from "../chain.ts";
import { mayBeRuled, shownAs } from "../matching.ts";
import { type Asked, ask, badPatch } from "./call.ts";
import type { WebhookDialer } from "./dialer.ts";

/** What is known of one request between the two rounds of the chain. */
interface Rounds {
  /** Called already, and willing to be called again. */
  readonly called: Set<MutatingWebhook>;
  /** Of those, the ones after which somebody changed the object. */
  readonly overtaken: Set<MutatingWebhook>;
  /** As the last of the first round left it. */
  left: KubeObject | undefined;
}

export function mutatingWebhooks(dialer: WebhookDialer | undefined): Plugin {
  const rounds = new WeakMap<AdmissionContext, Rounds>();

  async function callAll(
    webhooks: readonly MutatingWebhook[],
    attributes: Attributes,
    context: AdmissionContext,
  ): Promise<KubeObject | undefined> {
    const before = rounds.get(context);
    const known: Rounds = before ?? { called: new Set(), overtaken: new Set(), left: undefined };
    rounds.set(context, known);
    const moved = before && !equal(before.left, attributes.object);
    if (moved) for (const one of known.called) known.overtaken.add(one);
    const due = before ? webhooks.filter((one) => known.overtaken.has(one)) : webhooks;
    let { object } = attributes;
    for (const webhook of due) {
      const asked = await ask(webhook, { ...attributes, object }, context, dialer);
      if (!asked) continue;
      const patched = patchedBy(webhook, asked, attributes, object);
      if (!equal(patched, object)) {
        for (const one of known.called) known.overtaken.add(one);
        object = patched;
      }
      known.overtaken.delete(webhook);
      if (webhook.reinvocationPolicy === "IfNeeded") known.called.add(webhook);
    }
    known.left = object;
    return object;
  }

  return {
    name: "MutatingAdmissionWebhook",
    reinvokes: true,
    handles: mayBeRuled,
    mutate(attributes, context) {
      const configurations = context.reader.list(MutatingWebhookConfiguration);
      if (configurations.length === 0) return undefined;
      const webhooks = configurations.flatMap(({ webhooks: some = [] }) => some);
      return callAll(webhooks, attributes, context);
    },
  };
}

function patchedBy(
  { name }: MutatingWebhook,
  { request, response, as }: Asked,
  { resource, operation }: Attributes,
  object: KubeObject | undefined,
): KubeObject | undefined {
  const { patch, patchType } = response;
  if (!patch || !object) return object;
  if (patchType !== "JSONPatch") {
    throw badPatch(
      name,
      'received invalid webhook response: webhook returned response.patchType "" ',
    );
  }
  if (operation === "DELETE" || !request.object) return object;
  let patched: KubeObject;
  try {
    const operations: unknown = JSON.parse(Buffer.from(patch, "base64").toString());
    patched = applyJsonPatch(request.object, operations) as KubeObject;
  } catch (error) {
    throw badPatch(name, error instanceof Error ? error.message : String(error));
  }
  // The bodies of acts are nobody's stored objects: what a webhook makes of them has no effect.
  if (operation === "CONNECT" || patched.kind !== as.kind.kind) return object;
  const decoded = decode(as.kind, patched).object;
  const stored = as.kind.conversion?.toStored(decoded) ?? decoded;
  const same = equal(shownAs(as, stored), shownAs(as, object));
  return same ? object : setDefaults(resource.stored, stored);
}

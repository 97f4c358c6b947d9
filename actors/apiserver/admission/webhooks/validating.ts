/**
 * ValidatingAdmissionWebhook: all at once; the first refusal, in the order of their configurations,
 * is the answer. k8s: apiserver/pkg/admission/plugin/webhook/validating.
 */

import { ValidatingWebhookConfiguration } from "../../../../manifests/index.ts";
import type { Plugin } from "../chain.ts";
import { mayBeRuled } from "../matching.ts";
import { ask } from "./call.ts";
import type { WebhookDialer } from "./dialer.ts";

export function validatingWebhooks(dialer: WebhookDialer | undefined): Plugin {
  return {
    name: "ValidatingAdmissionWebhook",
    handles: mayBeRuled,
    validate(attributes, context) {
      const configurations = context.reader.list(ValidatingWebhookConfiguration);
      const webhooks = configurations.flatMap(({ webhooks: some = [] }) => some);
      if (webhooks.length === 0) return undefined;
      const asked = webhooks.map((webhook) => ask(webhook, attributes, context, dialer));
      return Promise.allSettled(asked).then((answers) => {
        for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
      });
    },
  };
}

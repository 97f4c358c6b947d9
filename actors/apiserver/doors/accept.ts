/** Content negotiation: what the Accept header asks for, in the order it prefers. */

import { apiError } from "../../../manifests/api-error.ts";
import type { AnswerForm } from "../request.ts";

export interface Accepted {
  readonly type: "json" | "yaml";
  readonly form: AnswerForm;
  /** What `as`, `v` and `g` said, such as `APIGroupDiscoveryList.v2.apidiscovery.k8s.io`. */
  readonly as: string;
}

const plain: Accepted = { type: "json", form: "object", as: "" };

const mediaTypes: Readonly<Record<string, Accepted["type"]>> = {
  "application/json": "json",
  "application/*": "json",
  "*/*": "json",
  "application/yaml": "yaml",
};

const forms: Readonly<Record<string, AnswerForm>> = {
  "Table.v1.meta.k8s.io": "table",
  "Table.v1beta1.meta.k8s.io": "table",
  "PartialObjectMetadata.v1.meta.k8s.io": "partial",
  "PartialObjectMetadataList.v1.meta.k8s.io": "partial",
};

/** The first that `serves` accepts. Throws NotAcceptable when there is none. */
export function negotiate(
  header: string | undefined,
  serves: (as: string) => boolean = (as) => as === "" || forms[as] !== undefined,
): Accepted {
  if (!header) return plain;
  for (const choice of header.split(",")) {
    const [media = "", ...parameters] = choice.split(";").map((part) => part.trim());
    const type = mediaTypes[media.toLowerCase()];
    if (!type) continue;
    const given = new URLSearchParams(parameters.join("&"));
    const as = given.has("as") ? `${given.get("as")}.${given.get("v")}.${given.get("g")}` : "";
    if (serves(as)) return { type, form: forms[as] ?? "object", as };
  }
  throw apiError(
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/yaml",
  );
}

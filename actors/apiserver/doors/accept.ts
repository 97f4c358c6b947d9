/**
 * Content negotiation: what the Accept header asks for, in the order it prefers.
 * After k8s: apiserver/pkg/endpoints/handlers/negotiation.
 */

import { apiError } from "../../../manifests/api-error.ts";
import { jsonType, mediaTypes, protobufType, yamlType } from "../decode.ts";
import type { AnswerForm } from "../request.ts";

export interface Accepted {
  readonly type: "json" | "yaml" | "protobuf";
  readonly form: AnswerForm;
  /** What `as`, `v` and `g` said, such as `APIGroupDiscoveryList.v2.apidiscovery.k8s.io`. */
  readonly as: string;
}

/** What can be had at a place. */
export interface Offer {
  /** The first is for who does not care. */
  readonly types: readonly Accepted["type"][];
  /** Whether there is such a form, empty for the object as it is, in the type. */
  serves(as: string, type: Accepted["type"]): boolean;
  /** Named when nothing suits. */
  readonly named: readonly string[];
}

const media: Readonly<Record<Accepted["type"], string>> = {
  json: jsonType,
  yaml: yamlType,
  protobuf: protobufType,
};

const forms: Readonly<Record<string, AnswerForm>> = {
  "Table.v1.meta.k8s.io": "table",
  "Table.v1beta1.meta.k8s.io": "table",
  "PartialObjectMetadata.v1.meta.k8s.io": "partial",
  "PartialObjectMetadata.v1beta1.meta.k8s.io": "partial",
  "PartialObjectMetadataList.v1.meta.k8s.io": "partial",
  "PartialObjectMetadataList.v1beta1.meta.k8s.io": "partial",
};

/** Of objects. A Table has no protobuf form anywhere, and a custom resource itself has none. */
export function objectOffer({ protobuf }: { readonly protobuf: boolean }): Offer {
  return {
    types: ["json", "yaml", "protobuf"],
    serves(as, type) {
      if (as === "") return protobuf || type !== "protobuf";
      return forms[as] !== undefined && (forms[as] !== "table" || type !== "protobuf");
    },
    named: mediaTypes,
  };
}

/** YAML has no frames. */
export function watchOffer(kind: { readonly protobuf: boolean }): Offer {
  const { serves } = objectOffer(kind);
  const named = [jsonType, protobufType].map((type) => `${type};stream=watch`);
  return { types: ["json", "protobuf"], serves, named };
}

export const plain: Accepted = { type: "json", form: "object", as: "" };

/** The first that is offered. Throws NotAcceptable when there is none. */
export function negotiate(header: string | undefined, { types, serves, named }: Offer): Accepted {
  if (!header) return plain;
  for (const { range, as } of clausesOf(header)) {
    for (const type of types) {
      if (!matches(range, media[type]) || !serves(as, type)) continue;
      return { type, form: forms[as] ?? "object", as };
    }
  }
  const why = `only the following media types are accepted: ${named.join(", ")}`;
  throw apiError("NotAcceptable", why);
}

interface Clause {
  /** Such as `application/json` or `*`+`/*`. */
  readonly range: string;
  readonly as: string;
  readonly quality: number;
}

/** By quality, the less vague first, else as they were written. */
function clausesOf(header: string): Clause[] {
  return header
    .split(",")
    .map(clauseOf)
    .sort((a, b) => b.quality - a.quality || vagueness(a.range) - vagueness(b.range));
}

function clauseOf(text: string): Clause {
  const [range = "", ...parameters] = text.split(";").map((part) => part.trim());
  const given = new Map(
    parameters.map((parameter) => {
      const at = parameter.indexOf("=");
      return [parameter.slice(0, at), unquoted(parameter.slice(at + 1))];
    }),
  );
  const as = given.get("as");
  const quality = Number.parseFloat(given.get("q") ?? "1");
  return {
    range: range.toLowerCase(),
    as: as ? `${as}.${given.get("v") ?? ""}.${given.get("g") ?? ""}` : "",
    quality: Number.isNaN(quality) ? 1 : quality,
  };
}

function unquoted(text: string): string {
  return /^".*"$/.test(text) ? text.slice(1, -1) : text;
}

function vagueness(range: string): number {
  if (range.startsWith("*")) return 2;
  return range.endsWith("/*") ? 1 : 0;
}

function matches(range: string, type: string): boolean {
  if (range === "*/*" || range === "*") return true;
  return range === type || (range.endsWith("/*") && type.startsWith(range.slice(0, -1)));
}

/**
 * The OpenAPI v2 document, for clients that ask for nothing newer. kubectl still does, in
 * protobuf, about a kind that version 3 does not know, and takes its absence for a broken server
 * rather than for an unknown kind.
 *
 * Differs from Kubernetes: it says which server answers, and holds no definitions; those are in
 * version 3 (k8s: every kubectl since 1.27 reads them there).
 */

/** As it is asked for, with a letter that no media type may have, and as it is answered. */
export const openapiV2Asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
export const openapiV2Given = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

const title = "Kubernetes";
const encoder = new TextEncoder();

export function openapiV2(version: string): object {
  return { swagger: "2.0", info: { title, version }, paths: {}, definitions: {} };
}

/** The same as a message `openapi.v2.Document` (gnostic:openapiv2/OpenAPIv2.proto). */
export function openapiV2Bytes(version: string): Uint8Array {
  const info = [...field(1, encoder.encode(title)), ...field(2, encoder.encode(version))];
  return Uint8Array.from([
    ...field(1, encoder.encode("2.0")),
    ...field(2, info),
    ...field(8, []),
    ...field(9, []),
  ]);
}

/** A length-delimited field; all of ours are shorter than the 128 bytes that need a second byte. */
function field(number: number, value: Iterable<number>): number[] {
  const bytes = [...value];
  return [(number << 3) | 2, bytes.length, ...bytes];
}

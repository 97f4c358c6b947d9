import { expect, test } from "vitest";
import { goneAt } from "../../../../actors/controllers/csr-cleaner.ts";
import type { CertificateSigningRequest } from "../../../../manifests/index.ts";

const made = "2026-01-01T00:00:00Z";
const later = "2026-01-01T10:00:00Z";
const hourMs = 3_600_000;

function request(types: string[], certificate?: string): CertificateSigningRequest {
  const conditions = types.map((type) => ({ type, status: "True", lastUpdateTime: later }));
  return {
    metadata: { name: "r", creationTimestamp: made },
    spec: { request: "", signerName: "" },
    status: { conditions, certificate },
  };
}

test.each([
  ["nobody answered", request([]), Date.parse(made) + 24 * hourMs],
  ["approved, never signed", request(["Approved"]), Date.parse(later) + 24 * hourMs],
  ["approved and signed", request(["Approved"], "c"), Date.parse(later) + hourMs],
  ["denied", request(["Denied"]), Date.parse(later) + hourMs],
  ["failed", request(["Approved", "Failed"]), Date.parse(later) + hourMs],
])("csr-cleaner: when a request goes that is %s", (_, asked, at) => {
  expect(goneAt(asked)).toBe(at);
});

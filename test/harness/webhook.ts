/** A webhook on loopback: a real HTTPS server with a certificate of an authority of its own. */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority, issueServerCertificate } from "../../runtime/pki.ts";
import { realClock } from "../../runtime/real.ts";

export interface Review {
  uid: string;
  operation: string;
  name: string;
  namespace?: string;
  dryRun?: boolean;
  object: { metadata: { labels?: Record<string, string>; name?: string } } | null;
  oldObject: object | null;
  userInfo: { username: string; groups: string[] };
  resource: object;
  requestResource: object;
  kind: object;
}

/** The response without its uid; undefined: no answer at all. */
export type Answer = (review: Review) => object | undefined | Promise<object | undefined>;

export interface TestWebhook {
  readonly url: string;
  readonly port: number;
  /** Base64 of PEM, as `caBundle` has it. */
  readonly caBundle: string;
  /** By path. */
  readonly answers: Map<string, Answer>;
  /** What was asked, by path. */
  readonly asked: { path: string; review: Review }[];
  close(): Promise<void>;
}

export async function startWebhook(hosts: readonly string[] = ["127.0.0.1"]): Promise<TestWebhook> {
  const named = { clock: realClock, days: 1, commonName: "webhook" };
  const authority = await createAuthority({ ...named, commonName: "authority of webhooks" });
  const issued = await issueServerCertificate(authority, { ...named, hosts });
  const answers = new Map<string, Answer>();
  const asked: TestWebhook["asked"] = [];
  const server = createServer(
    { key: issued.key, cert: issued.certificate },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", async () => {
        const { pathname: path } = new URL(request.url ?? "", "https://x");
        const { request: review } = JSON.parse(Buffer.concat(chunks).toString());
        asked.push({ path, review });
        const answer = await answers.get(path)?.(review);
        if (!answer) return;
        const body = {
          apiVersion: "admission.k8s.io/v1",
          kind: "AdmissionReview",
          response: { uid: review.uid, ...answer },
        };
        response.setHeader("content-type", "application/json").end(JSON.stringify(body));
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    caBundle: Buffer.from(authority.certificate).toString("base64"),
    answers,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function jsonPatch(operations: readonly object[]): object {
  const patch = Buffer.from(JSON.stringify(operations)).toString("base64");
  return { allowed: true, patchType: "JSONPatch", patch };
}

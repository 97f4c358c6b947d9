/** A conversion webhook on loopback, over HTTPS with an authority of its own. */

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { KubeObject } from "../../manifests/index.ts";
import { createAuthority, issueServerCertificate } from "../../runtime/pki.ts";
import { realClock } from "../../runtime/real.ts";

export interface TestConverter {
  readonly url: string;
  /** Base64 of PEM, as `caBundle` has it. */
  readonly caBundle: string;
  /** How many objects each question was about. */
  readonly asked: number[];
  /** Undefined: it does not answer but fails. */
  convert: ((object: KubeObject, apiVersion: string) => KubeObject) | undefined;
  close(): Promise<void>;
}

export async function startConverter(convert: TestConverter["convert"]): Promise<TestConverter> {
  const named = { clock: realClock, days: 1, commonName: "converter" };
  const authority = await createAuthority({ ...named, commonName: "authority of converters" });
  const issued = await issueServerCertificate(authority, { ...named, hosts: ["127.0.0.1"] });
  const options = { key: issued.key, cert: issued.certificate };
  const server = createServer(options, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { apiVersion, request: review } = JSON.parse(Buffer.concat(chunks).toString());
      const { uid, desiredAPIVersion, objects } = review;
      converter.asked.push(objects.length);
      const change = converter.convert;
      const outcome = change
        ? {
            result: { status: "Success" },
            convertedObjects: objects.map((object: KubeObject) =>
              change(object, desiredAPIVersion),
            ),
          }
        : { result: { status: "Failure", message: "out of order" } };
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({ kind: "ConversionReview", apiVersion, response: { uid, ...outcome } }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const converter: TestConverter = {
    url: `https://127.0.0.1:${port}/convert`,
    caBundle: Buffer.from(authority.certificate).toString("base64"),
    asked: [],
    convert,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return converter;
}

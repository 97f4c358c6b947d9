/** Plain HTTPS requests to a test's API actor, with answers as bytes. */

import { request as httpsRequest } from "node:https";
import { admin, type TestHttpsApi, type TestUser } from "./https.ts";

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  user?: TestUser;
}

export interface Answer {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  /** Undefined when it is none. */
  json: ReturnType<typeof JSON.parse>;
}

export type Asker = (path: string, options?: Ask) => Promise<Answer>;

export function asker(env: TestHttpsApi): Asker {
  return async (path, { method = "GET", headers, body, user = admin } = {}) => {
    const credentials = await env.credentials(user);
    const place = { host: "127.0.0.1", port: env.port, path, method, ca: env.ca };
    return await new Promise<Answer>((resolve, reject) => {
      // Of itself Node says no length for the body of a DELETE.
      const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
      const options = {
        ...place,
        ...credentials,
        headers: { ...length, ...headers },
        agent: false,
      };
      const request = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode: code = 0, headers } = response;
          const all = Buffer.concat(chunks);
          resolve({ code, headers, body: all, json: parsed(all) });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

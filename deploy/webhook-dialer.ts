/** Reaches webhooks over HTTPS from this machine. */
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type {
  WebhookAnswer,
  WebhookDialer,
  WebhookTarget,
} from "../actors/apiserver/admission/webhooks/dialer.ts";

/** As upstream reads of a webhook's answer at most. */
const mostBytes = 3 * 1024 * 1024;

export function createWebhookDialer(): WebhookDialer {
  return { post };
}

function post(
  { url, address, ca }: WebhookTarget,
  body: Uint8Array,
  timeoutMs: number,
): Promise<WebhookAnswer> {
  const { hostname, host, port, pathname, search, protocol } = new URL(url);
  if (protocol !== "https:") return Promise.reject(new Error(`${url} is not an https URL`));
  const name = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new Error(`Post "${url}": ${error.message}`));
    const request = httpsRequest(
      {
        host: address?.host ?? name,
        port: address?.port ?? (port || 443),
        // The certificate is for the name in the URL, wherever that is.
        ...(isIP(name) ? {} : { servername: name }),
        path: pathname + search,
        method: "POST",
        headers: { host, "content-type": "application/json", "content-length": body.length },
        signal: AbortSignal.timeout(timeoutMs),
        ...(ca ? { ca } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > mostBytes) response.destroy(new Error("the answer is too long"));
        });
        response.on("end", () => {
          resolve({ code: response.statusCode ?? 0, body: Buffer.concat(chunks) });
        });
        response.on("error", fail);
      },
    );
    request.on("error", (error) => {
      const late = error.name === "AbortError" || error.name === "TimeoutError";
      fail(late ? new Error("context deadline exceeded") : error);
    });
    request.end(body);
  });
}

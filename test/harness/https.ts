/** The HTTPS door of a test's own API actor, with a CA, and kubeconfigs for stock kubectl. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { httpsEdge } from "../../actors/apiserver/doors/edge.ts";
import type { HttpsConfig } from "../../actors/apiserver/doors/https.ts";
import { ensureTools } from "../../deploy/setup/index.ts";
import {
  type CertificateAndKey,
  createAuthority,
  issueClientCertificate,
  issueServerCertificate,
} from "../../runtime/pki.ts";
import { realClock } from "../../runtime/real.ts";
import { startApi, type TestApi, type TestApiConfig } from "./api.ts";

export interface TestUser {
  readonly user: string;
  readonly groups: string[];
}

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Undefined unless the text is one object. */
  readonly json: ReturnType<typeof JSON.parse>;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** `nobody`: without a certificate. Default: `admin`. */
  readonly user?: TestUser | "nobody";
  readonly credentials?: { key: string; cert: string };
}

export interface TestHttpsApi extends TestApi {
  /** Of the API actor that was started last. */
  readonly port: number;
  /** One request over a connection of its own; resolves when its answer has ended. */
  ask(path: string, options?: Ask): Promise<Answer>;
  readonly ca: string;
  readonly authority: CertificateAndKey;
  /** Key and certificate of a user, as PEM. */
  credentials(user: TestUser): Promise<{ key: string; cert: string }>;
  /** Of `admin`; other users by `kubeconfigOf`. */
  readonly kubeconfig: string;
  kubeconfigOf(user: TestUser): Promise<string>;
  /** Asks with a bearer token, or with whatever headers; answers with the JSON that came back. */
  call(
    path: string,
    headers?: Record<string, string>,
    body?: object,
    identity?: { key: string; cert: string },
  ): Promise<Called>;
  /** Runs stock kubectl; rejects when it fails, unless `fails` is expected. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string>;
}

export interface Called {
  readonly code: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API says, for expectations.
  readonly body: any;
}

export interface KubectlOptions {
  input?: string;
  kubeconfig?: string;
  env?: NodeJS.ProcessEnv;
  /** Resolve with what it printed to stderr instead, and reject when it succeeds. */
  fails?: boolean;
}

const validity = { clock: realClock, days: 1 };
export const admin: TestUser = { user: "wherry-admin", groups: ["system:masters"] };

export async function startHttpsApi(
  config: TestApiConfig = {},
  door: Pick<HttpsConfig, "stallMs" | "patience"> = {},
): Promise<TestHttpsApi> {
  const dir = await mkdtemp(join(tmpdir(), "wherry-api-"));
  const authority = await createAuthority({ commonName: "test", ...validity });
  const server = await issueServerCertificate(authority, {
    commonName: "kubernetes",
    hosts: ["127.0.0.1", "localhost"],
    ...validity,
  });
  let port = 0;
  const edge = httpsEdge({
    hosts: ["127.0.0.1"],
    https: {
      port: 0,
      key: server.key,
      cert: server.certificate,
      ca: authority.certificate,
      ...door,
    },
    advertise: "127.0.0.1",
    gitVersion: "v1.32.3+wherry0.1.0",
    onListening: (chosen) => {
      port = chosen;
    },
  });
  const api = await startApi({ ...config, edge });

  async function credentials(user: TestUser): Promise<{ key: string; cert: string }> {
    const { key, certificate } = await issueClientCertificate(authority, { ...user, ...validity });
    return { key, cert: certificate };
  }

  async function ask(path: string, options: Ask = {}): Promise<Answer> {
    const { method = "GET", headers, body, user = admin } = options;
    const own = user === "nobody" ? {} : await credentials(user);
    const place = { host: "127.0.0.1", port, path, method, ca: authority.certificate };
    const identity = options.credentials ?? own;
    return await new Promise((resolve, reject) => {
      const request = httpsRequest({ ...place, ...identity, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => {
          const isOne = text.startsWith("{") && !text.trimEnd().includes("\n");
          const json = isOne ? JSON.parse(text) : undefined;
          resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  async function kubeconfigOf(user: TestUser): Promise<string> {
    const { key, cert } = await credentials(user);
    const path = join(dir, `kubeconfig-${user.user}`);
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "test",
          cluster: {
            server: `https://127.0.0.1:${port}`,
            "certificate-authority-data": base64(authority.certificate),
          },
        },
      ],
      users: [
        {
          name: "test",
          user: { "client-certificate-data": base64(cert), "client-key-data": base64(key) },
        },
      ],
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
      "current-context": "test",
    };
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  const kubeconfig = await kubeconfigOf(admin);
  const tools = await ensureTools({ needs: ["kubectl"], install: true, log: () => {} });
  return {
    ...api,
    get port() {
      return port;
    },
    ask,
    ca: authority.certificate,
    authority,
    credentials,
    kubeconfig,
    kubeconfigOf,
    call: (path, headers = {}, body, identity) =>
      call({ port, ca: authority.certificate, path, headers, body, identity }),
    kubectl: (args, options = {}) =>
      run(
        tools.kubectl,

        ["--kubeconfig", options.kubeconfig ?? kubeconfig, `--cache-dir=${dir}`, ...args],
        options,
      ),
    async dispose() {
      await api.dispose();
      await rm(dir, { recursive: true });
    },
  };
}

function run(kubectl: string, args: readonly string[], options: KubectlOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      kubectl,
      args,
      { timeout: 60_000, env: { ...process.env, ...options.env } },
      (error, stdout, stderr) => {
        if (options.fails === true) {
          if (error) resolve(stderr);
          else reject(new Error(`kubectl ${args.join(" ")} did not fail: ${stdout}`));
        } else if (error)
          reject(new Error(`kubectl ${args.join(" ")}: ${stderr}`, { cause: error }));
        else resolve(stdout + stderr);
      },
    );
    child.stdin?.end(options.input ?? "");
  });
}

function call(asked: {
  port: number;
  ca: string;
  path: string;
  headers: Record<string, string>;
  body: object | undefined;
  identity: { key: string; cert: string } | undefined;
}): Promise<Called> {
  const { body, identity, ...rest } = asked;
  const method = body ? "POST" : "GET";
  const type = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const headers = { ...type, ...asked.headers };
    const options = { ...rest, ...identity, host: "127.0.0.1", method, headers, agent: false };
    const sent = httpsRequest(options, (response) => {
      text(response).then((answer) => {
        const { statusCode: code = 0 } = response;
        resolve({ code, body: answer.startsWith("{") ? JSON.parse(answer) : answer });
      }, reject);
    });
    sent.on("error", reject);
    sent.end(body ? JSON.stringify(body) : undefined);
  });
}

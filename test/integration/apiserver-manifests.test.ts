/** Manifests by message, on a real nats-server: apply, submit with results, and events of every change. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { adminPrincipal } from "../../actors/apiserver/authn/user.ts";
import {
  type ManifestsApplied,
  revisionHeader,
  statusHeader,
} from "../../actors/apiserver/messages.ts";
import type { Api } from "../../actors/kit/client.ts";
import { manifestsResultSubject, manifestsSubject } from "../../actors/subjects.ts";
import { ConfigMap, Deployment, Epoch, Secret } from "../../manifests/index.ts";
import type { BusMessage } from "../../runtime/bus.ts";
import type { NatsBus } from "../../runtime/nats-bus.ts";
import { startHttpsApi, type TestHttpsApi } from "../harness/https.ts";
import { readJson } from "../harness/messages.ts";
import { waitFor } from "../harness/wait.ts";

let env: TestHttpsApi;
let api: Api;
let bus: NatsBus;

beforeAll(async () => {
  env = await startHttpsApi({ manifestEvents: true });
  api = await env.client();
  bus = await env.connect(adminPrincipal);
  await waitFor("an owner of the events", () =>
    api.get(Epoch, "manifest-events").then(Boolean, () => false),
  );
});

afterAll(async () => {
  await env.dispose();
});

async function apply(text: string): Promise<{ code: number; body: ManifestsApplied }> {
  const answer = await bus.request(manifestsSubject("apply", adminPrincipal), text);
  return { code: Number(answer.headers[statusHeader]), body: readJson(answer) };
}

const web = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "nginx:1.22"}]}
`;

test("manifests: apply creates, changes, and says when there is nothing to do", async () => {
  const both = `${web(1)}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: "1"}\n`;
  const first = await apply(both);
  expect(first.code).toBe(200);
  expect(first.body.results).toMatchObject([
    { kind: "Deployment", namespace: "default", name: "web", change: "created" },
    { kind: "ConfigMap", namespace: "default", name: "settings", change: "created" },
  ]);
  expect((await apply(both)).body.results.map(({ change }) => change)).toEqual([
    "unchanged",
    "unchanged",
  ]);

  // What others have set and the manifest never spoke of stays.
  await api.patch(Deployment, "default/web", { spec: { paused: true } }, { type: "merge" });
  expect((await apply(web(3))).body.results).toMatchObject([{ change: "configured" }]);
  const changed = await api.get(Deployment, "default/web");
  expect(changed.spec).toMatchObject({ replicas: 3, paused: true });
});

test("manifests: apply says what is wrong with each document and applies the others", async () => {
  const { code, body } = await apply(
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\nfoo: bar\n---\n" +
      "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n---\n" +
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n",
  );
  expect(code).toBe(400);
  expect(body.results.map(({ change }) => change)).toEqual(["failed", "failed", "created"]);
  expect(body.results[0]?.error?.message).toContain('strict decoding error: unknown field "foo"');
  expect(body.results[1]?.error?.message).toBe('no matches for kind "Nonsense" in version "v1"');
});

test("manifests: a text that is no YAML is refused with its line", async () => {
  const answer = await bus.request(manifestsSubject("apply", adminPrincipal), "a: [1,\nb: {");
  expect(answer.headers[statusHeader]).toBe("400");
  expect(readJson(answer)).toMatchObject({ kind: "Status", reason: "BadRequest" });
});

test("manifests: a submission is kept, applied, and its result published", async () => {
  const results: BusMessage[] = [];
  bus.subscribe(manifestsResultSubject(adminPrincipal, "job-1"), (message) =>
    results.push(message),
  );
  await bus.flush();
  const kept = await bus.request(
    manifestsSubject("submit", adminPrincipal),
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: submitted}\n",
    { headers: { "Nats-Msg-Id": "job-1" } },
  );
  expect(readJson(kept)).toMatchObject({ stream: "wherry-submits" });
  const result = await waitFor("the result", () => results[0]);
  expect(readJson(result).results).toMatchObject([{ name: "submitted", change: "created" }]);
  await expect(api.get(ConfigMap, "default/submitted")).resolves.toBeDefined();
});

test("manifests: every committed change comes out, in order, and no Secret's data", async () => {
  const events: BusMessage[] = [];
  bus.subscribe("wherry.manifests.events.>", (message) => events.push(message));
  await bus.flush();
  const made = await api.create(Secret, {
    metadata: { namespace: "default", name: "hidden" },
    stringData: { password: "swordfish" },
  });
  await api.delete(Secret, "default/hidden");
  await api.create(ConfigMap, {
    metadata: { namespace: "default", name: "open" },
    data: { shown: "yes" },
  });
  await waitFor("the last event", () =>
    events.some(
      ({ subject }) =>
        subject === "wherry.manifests.events.full.added.core.configmaps.default.open",
    ),
  );
  const secrets = events.filter(({ subject }) => subject.includes(".secrets."));
  expect(secrets.map(({ subject }) => subject)).toEqual([
    "wherry.manifests.events.added.core.secrets.default.hidden",
    "wherry.manifests.events.deleted.core.secrets.default.hidden",
  ]);
  expect(secrets[0]?.headers[revisionHeader]).toBe(made.metadata.resourceVersion);
  for (const event of events) {
    expect(new TextDecoder().decode(event.data)).not.toContain(btoa("swordfish"));
  }
  const full = events.find(({ subject }) => subject.includes(".full.added.core.configmaps."));
  expect(full && readJson(full)).toMatchObject({ kind: "ConfigMap", data: { shown: "yes" } });
});

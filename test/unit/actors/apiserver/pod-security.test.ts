/** The Pod Security Standards by a namespace's labels: what is refused, and what is only told. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Deployment, Namespace, Pod } from "../../../../manifests/index.ts";
import { startPipeline, type TestPipeline } from "../../../harness/pipeline.ts";

let api: TestPipeline;

beforeEach(async () => {
  api = await startPipeline();
});

afterEach(async () => {
  await api.close();
});

const container = { name: "main", image: "nginx:1.22" };

function pod(spec: object = {}, metadata: object = {}) {
  return { metadata: { name: "web", ...metadata }, spec: { containers: [container], ...spec } };
}

/** Without the words that name the pod. */
async function refused(kind: typeof Pod, object: object): Promise<string | undefined> {
  const { message, code } = await api.refusal(api.create(kind, object));
  expect(code).toBe(403);
  return message?.replace(/^\S+ "[^"]*" is forbidden: /, "");
}

describe("pod-security", () => {
  const prefix = "pod-security.kubernetes.io/";

  async function namespace(name: string, labels: Record<string, string>): Promise<void> {
    const prefixed = Object.fromEntries(
      Object.entries(labels).map(([key, value]) => [prefix + key, value]),
    );
    await api.create(Namespace, { metadata: { name, labels: prefixed } });
  }

  test("pod-security: refuses what the enforced level forbids, in upstream's words", async () => {
    await namespace("strict", { enforce: "restricted" });
    expect(await refused(Pod, pod({}, { namespace: "strict" }))).toBe(
      'violates PodSecurity "restricted:latest": ' +
        'allowPrivilegeEscalation != false (container "main" must set ' +
        "securityContext.allowPrivilegeEscalation=false), " +
        'unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to ' +
        '"RuntimeDefault" or "Localhost")',
    );
    const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
    const good = pod(
      {
        containers: [{ ...container, securityContext }],
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      },
      { namespace: "strict" },
    );
    expect((await api.create(Pod, good)).warnings).toEqual([]);
  });

  const caps = { capabilities: { add: ["NET_ADMIN"] } };
  test.each([
    [{ hostNetwork: true, hostPID: true }, "host namespaces (hostNetwork=true, hostPID=true)"],
    [
      { containers: [{ ...container, securityContext: { privileged: true } }] },
      'privileged (container "main" must not set securityContext.privileged=true)',
    ],
    [
      { containers: [{ ...container, securityContext: caps }] },
      'non-default capabilities (container "main" must not include "NET_ADMIN" in ' +
        "securityContext.capabilities.add)",
    ],
    [{ volumes: [{ name: "root", hostPath: { path: "/" } }] }, 'hostPath volumes (volume "root")'],
    [
      { containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 80 }] }] },
      'hostPort (container "main" uses hostPort 80)',
    ],
    [
      { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
      "forbidden sysctl (kernel.msgmax)",
    ],
    [
      { securityContext: { seccompProfile: { type: "Unconfined" } } },
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
  ])("pod-security: baseline forbids %j", async (spec, why) => {
    await namespace("team", { enforce: "baseline", "enforce-version": "v1.30" });
    expect(await refused(Pod, pod(spec, { namespace: "team" }))).toBe(
      `violates PodSecurity "baseline:v1.30": ${why}`,
    );
  });

  test("pod-security: what makes pods is warned about and made", async () => {
    await namespace("team", { enforce: "baseline", warn: "baseline" });
    const labels = { app: "web" };
    const template = { ...pod({ hostNetwork: true }), metadata: { labels } };
    const { warnings } = await api.create(Deployment, {
      metadata: { name: "web", namespace: "team" },
      spec: { selector: { matchLabels: labels }, template },
    });
    expect(warnings).toEqual([
      'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
    ]);
  });

  test("pod-security: a stricter level says which pods it would not let in again", async () => {
    await api.create(Pod, pod({ hostNetwork: true }));
    const { object } = await api.ask("get", Namespace, { metadata: { name: "default" } });
    const labels = { ...object.metadata.labels, [`${prefix}enforce`]: "baseline" };
    const { warnings } = await api.update(Namespace, {
      ...object,
      metadata: { ...object.metadata, labels },
    });
    expect(warnings).toEqual([
      'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
      "web: host namespaces",
    ]);
  });

  test("pod-security: a level that there is none of is refused", async () => {
    const labels = { [`${prefix}enforce`]: "strict" };
    const status = await api.refusal(api.create(Namespace, { metadata: { name: "odd", labels } }));
    expect(status).toMatchObject({
      code: 422,
      details: { causes: [{ field: `metadata.labels[${prefix}enforce]` }] },
    });
  });

  test("pod-security: who is exempt is let in", async () => {
    await api.close();
    api = await startPipeline({ podSecurity: { namespaces: ["default"] } });
    await namespace("team", { enforce: "restricted" });
    const { object } = await api.ask("get", Namespace, { metadata: { name: "default" } });
    const labels = { ...object.metadata.labels, [`${prefix}enforce`]: "restricted" };
    await api.update(Namespace, { ...object, metadata: { ...object.metadata, labels } });
    await api.create(Pod, pod({ hostNetwork: true }));
    await refused(Pod, pod({}, { namespace: "team" }));
  });
});

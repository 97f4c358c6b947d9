import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { userOfPrincipal } from "../../../../../actors/apiserver/authn/user.ts";
import type { Access, Fields } from "../../../../../actors/apiserver/authz/access.ts";
import {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  VolumeAttachment,
} from "../../../../../manifests/index.ts";
import { type PolicyScene, startPolicy } from "../../../../harness/policy.ts";

const container = { name: "main", image: "x" };
const own: Pod = {
  metadata: { namespace: "d", name: "mine" },
  spec: {
    nodeName: "n1",
    serviceAccountName: "robot",
    imagePullSecrets: [{ name: "pull" }],
    containers: [
      {
        ...container,
        env: [
          { name: "A", valueFrom: { secretKeyRef: { name: "env-key", key: "k" } } },
          { name: "B", valueFrom: { configMapKeyRef: { name: "map-key", key: "k" } } },
        ],
        envFrom: [{ secretRef: { name: "env-all" } }, { configMapRef: { name: "map-all" } }],
      },
    ],
    initContainers: [{ ...container, name: "init", envFrom: [{ secretRef: { name: "init" } }] }],
    volumes: [
      { name: "a", secret: { secretName: "volume" } },
      { name: "b", configMap: { name: "map-volume" } },
      { name: "c", projected: { sources: [{ secret: { name: "projected" } }] } },
      { name: "d", persistentVolumeClaim: { claimName: "claim" } },
    ],
    resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }],
  },
};

let scene: PolicyScene;

beforeAll(async () => {
  scene = await startPolicy();
  await scene.put(Pod, own);
  await scene.put(Pod, {
    // A label of this name must not make it the node's.
    metadata: { namespace: "d", name: "theirs", labels: { nodeName: "n1" } },
    spec: {
      nodeName: "n2",
      containers: [{ ...container, envFrom: [{ secretRef: { name: "theirs" } }] }],
    },
  });
  await scene.put(Pod, {
    metadata: { namespace: "d", name: "nobodys" },
    spec: { containers: [{ ...container, envFrom: [{ secretRef: { name: "nobodys" } }] }] },
  });
  const mirror = "kubernetes.io/config.mirror";
  await scene.put(Pod, {
    metadata: { namespace: "d", name: "mirror", annotations: { [mirror]: "x" } },
    spec: {
      nodeName: "n1",
      containers: [{ ...container, envFrom: [{ secretRef: { name: "mirrored" } }] }],
    },
  });
  await scene.put(PersistentVolumeClaim, {
    metadata: { namespace: "d", name: "claim" },
    spec: { volumeName: "disk" },
  });
  await scene.put(PersistentVolume, {
    metadata: { name: "disk" },
    spec: {
      claimRef: { namespace: "d", name: "claim" },
      csi: {
        driver: "x",
        volumeHandle: "x",
        nodeStageSecretRef: { namespace: "storage", name: "stage" },
      },
    },
  });
  await scene.put(PersistentVolume, {
    metadata: { name: "other" },
    spec: { claimRef: { namespace: "d", name: "other" } },
  });
  for (const [name, nodeName] of [
    ["a1", "n1"],
    ["a2", "n2"],
  ] as const) {
    await scene.put(VolumeAttachment, {
      metadata: { name },
      spec: { attacher: "x", nodeName, source: { persistentVolumeName: "disk" } },
    });
  }
});

afterAll(() => scene.dispose());

/** `get secrets/env-key`, `create serviceaccounts/robot/token`: group, namespace and all else by default. */
function asked(text: string): Access {
  const [verb = "", what = "", selector] = text.split(" ");
  const [place = "", name = "", subresource = ""] = what.split("/");
  const [resource = "", group = ""] = place.split(":");
  const cluster = ["nodes", "persistentvolumes", "volumeattachments", "csinodes"].includes(
    resource,
  );
  const fields: Fields | undefined = selector
    ? new Map([selector.split("=") as [string, string]])
    : undefined;
  const namespace =
    resource === "leases" ? "kube-node-lease" : name === "stage" ? "storage" : cluster ? "" : "d";
  const user = userOfPrincipal("system:node:n1");
  return { user, verb, group, resource, subresource, namespace, name, fields };
}

const cases: [string, boolean][] = [
  ...["env-key", "env-all", "init", "volume", "projected", "pull", "stage"].map(
    (name): [string, boolean] => [`get secrets/${name}`, true],
  ),
  ["watch secrets/volume", true],
  ["list secrets/volume", true],
  ["list secrets", false],
  ["get secrets/theirs", false],
  ["get secrets/nobodys", false],
  ["get secrets/mirrored", false],
  ["update secrets/volume", false],
  ["get configmaps/map-key", true],
  ["get configmaps/map-all", true],
  ["get configmaps/map-volume", true],
  ["get configmaps/volume", false],
  ["get persistentvolumeclaims/claim", true],
  ["list persistentvolumeclaims", false],
  ["patch persistentvolumeclaims/claim/status", true],
  ["patch persistentvolumeclaims/other/status", false],
  ["get persistentvolumes/disk", true],
  ["get persistentvolumes/other", false],
  ["get volumeattachments:storage.k8s.io/a1", true],
  ["get volumeattachments:storage.k8s.io/a2", false],
  ["get resourceclaims:resource.k8s.io/gpu", true],
  ["get resourceclaims:resource.k8s.io/other", false],
  ["create serviceaccounts/robot/token", true],
  ["create serviceaccounts/default/token", false],
  ["get serviceaccounts/robot", false],
  ["list pods", false],
  ["list pods spec.nodeName=n1", true],
  ["watch pods spec.nodeName=n2", false],
  ["get pods/mine", true],
  ["get pods/theirs", false],
  ["delete pods/mine", true],
  ["delete pods/theirs", false],
  ["delete pods/absent", false],
  ["create pods", false],
  ["patch pods/mine/status", true],
  ["patch pods/theirs/status", false],
  ["create pods/mine/eviction", true],
  ["create pods/theirs/eviction", false],
  ["get nodes/n1", true],
  ["get nodes/n2", false],
  ["list nodes", false],
  ["create nodes", true],
  ["patch nodes/n1/status", true],
  ["patch nodes/n2/status", false],
  ["delete nodes/n1", false],
  ["update leases:coordination.k8s.io/n1", true],
  ["update leases:coordination.k8s.io/n2", false],
  ["watch leases:coordination.k8s.io/n1", false],
  ["get csinodes:storage.k8s.io/n1", true],
  ["get csinodes:storage.k8s.io/n2", false],
  ["list resourceslices:resource.k8s.io nodeName=n1", true],
  ["list resourceslices:resource.k8s.io", false],
  ["list services", true],
  ["create events", true],
  ["list events", false],
  ["get deployments:apps/web", false],
];

describe("node authorizer", () => {
  test.each(cases)("node authorizer: %s is %s", async (text, allowed) => {
    const { authorizer } = scene;
    expect((await scene.settle(authorizer.judge(asked(text)))).allowed).toBe(allowed);
  });

  test("node authorizer: says why", async () => {
    const why = async (text: string) =>
      (await scene.settle(scene.authorizer.judge(asked(text)))).reason;
    expect(await why("get secrets/theirs")).toBe(
      "no relationship found between node 'n1' and this object",
    );
    expect(await why("list secrets")).toBe("No Object name found");
    expect(await why("list nodes")).toBe(
      "node 'n1' cannot read all nodes, only its own Node object",
    );
    expect(await why("list pods")).toBe(
      "can only list/watch pods with spec.nodeName field selector",
    );
  });

  test("node authorizer: a node is one by its group, not by its name", async () => {
    const user = { name: "system:node:n1", groups: ["system:authenticated"] };
    const secret = { ...asked("get secrets/volume"), user };
    expect((await scene.settle(scene.authorizer.judge(secret))).allowed).toBe(false);
  });

  test("node authorizer: what a pod referred to is lost with the pod", async () => {
    const late: Pod = {
      metadata: { namespace: "d", name: "late" },
      spec: { containers: [{ ...container, envFrom: [{ secretRef: { name: "late" } }] }] },
    };
    const may = async () =>
      (await scene.settle(scene.authorizer.judge(asked("get secrets/late")))).allowed;
    await scene.put(Pod, late);
    expect(await may()).toBe(false);
    await scene.put(Pod, { ...late, spec: { ...late.spec, nodeName: "n1" } });
    expect(await may()).toBe(true);
    await scene.remove(Pod, "d", "late");
    expect(await may()).toBe(false);
  });
});

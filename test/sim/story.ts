/**
 * The three-pod story, as a user lives it: each step asks for something, and holds what must be
 * true at every moment until the cluster has got there.
 */

import type { Api } from "../../actors/kit/client.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../manifests/api-error.ts";
import {
  Deployment,
  EndpointSlice,
  Node,
  Pod,
  ReplicaSet,
  Service,
} from "../../manifests/index.ts";
import { InvariantError, type Truth } from "./truth.ts";

export interface Step {
  name: string;
  /** May be repeated when an answer was lost: must not mind that it was done already. */
  act(api: Api): Promise<void>;
  /** Reached. */
  until(truth: Truth): boolean;
  /** Throws an InvariantError. */
  always?(truth: Truth): void;
}

const namespace = "default";
const key = `${namespace}/nginx`;
const labels = { app: "nginx" };
/** Of three replicas with the default strategy: 25 % may be missing, rounded down to none. */
const fewestReady = 3;

export const story: readonly Step[] = [
  {
    name: "create Deployment and Service",
    async act(api) {
      await api.create(Service, service()).catch(ignoreExisting);
      await api.create(Deployment, deployment()).catch(ignoreExisting);
    },
    until: (truth) => readyPods(truth).length === 3 && readyEndpoints(truth) === 3,
  },
  {
    name: "delete a pod",
    async act(api) {
      const { items } = await api.list(Pod, { namespace, labelSelector: "app=nginx" });
      const [victim] = items;
      const { name, uid } = victim?.metadata ?? {};
      if (items.length === 3 && items.every(({ metadata }) => !metadata.deletionTimestamp))
        await api.delete(Pod, `${namespace}/${name}`, { uid }).catch(ignoreMissing);
    },
    until: (truth) => pods(truth).length === 3 && settled(truth, 3),
  },
  {
    name: "scale to five",
    act: (api) => change(api, { spec: { replicas: 5 } }),
    until: (truth) => settled(truth, 5),
  },
  {
    name: "scale back to three",
    act: (api) => change(api, { spec: { replicas: 3 } }),
    until: (truth) => settled(truth, 3),
  },
  {
    name: "roll out a new image",
    act: (api) => change(api, { spec: { template: templateWith("nginx:1.23") } }),
    until: (truth) => settled(truth, 3) && images(truth).every((image) => image === "nginx:1.23"),
    always: enoughReady,
  },
  {
    name: "undo the rollout",
    // As `kubectl rollout undo` does: the template of the old ReplicaSet, put back.
    act: (api) => change(api, { spec: { template: templateWith("nginx:1.22") } }),
    until: (truth) =>
      settled(truth, 3) &&
      images(truth).every((image) => image === "nginx:1.22") &&
      truth.list(ReplicaSet).length === 2,
    always: enoughReady,
  },
  {
    name: "delete everything",
    async act(api) {
      const propagationPolicy = "Background";
      await api.delete(Deployment, key, { propagationPolicy }).catch(ignoreMissing);
      await api.delete(Service, key, { propagationPolicy }).catch(ignoreMissing);
    },
    until: (truth) =>
      [Deployment, ReplicaSet, Pod, Service, EndpointSlice].every(
        (kind) => truth.list(kind).filter(isOurs).length === 0,
      ),
  },
];

async function change(api: Api, patch: object): Promise<void> {
  await api.patch(Deployment, key, patch, { type: "strategic" });
}

function templateWith(image: string) {
  return { spec: { containers: [{ name: "nginx", image }] } };
}

function deployment(): Deployment {
  return {
    metadata: { namespace, name: "nginx", labels },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: "nginx",
              image: "nginx:1.22",
              ports: [{ containerPort: 80 }],
              resources: { requests: { cpu: "100m", memory: "64Mi" } },
            },
          ],
        },
      },
    },
  };
}

function service(): Service {
  return {
    metadata: { namespace, name: "nginx", labels },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 80 }] },
  };
}

export function pods(truth: Truth): Pod[] {
  return truth.list<Pod>(Pod).filter(isOurs);
}

function readyPods(truth: Truth): Pod[] {
  return pods(truth).filter(
    ({ metadata, status }) =>
      !metadata.deletionTimestamp &&
      status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
  );
}

/** Exactly so many pods, all of them ready, in the Service, and reported by the Deployment. */
function settled(truth: Truth, replicas: number): boolean {
  const [nginx] = truth.list<Deployment>(Deployment).filter(isOurs);
  return (
    pods(truth).length === replicas &&
    readyPods(truth).length === replicas &&
    readyEndpoints(truth) === replicas &&
    nginx?.status?.updatedReplicas === replicas &&
    nginx.status.availableReplicas === replicas &&
    nginx.status.observedGeneration === nginx.metadata.generation
  );
}

function images(truth: Truth): (string | undefined)[] {
  return pods(truth).map(({ spec }) => spec.containers[0]?.image);
}

function readyEndpoints(truth: Truth): number {
  const slices = truth
    .list<EndpointSlice>(EndpointSlice)
    .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "nginx");
  const ready = slices.flatMap(({ endpoints }) =>
    (endpoints ?? []).filter(({ conditions }) => conditions?.ready),
  );
  return new Set(ready.flatMap(({ addresses }) => addresses)).size;
}

/** Worlds in which a node was silent for its whole grace, so that its pods were given up. */
const nodesWereLost = new WeakSet<Truth>();
/** Nodes that were silent at some time during a rollout: pods may be marked after they are back. */
const wereSilent = new WeakMap<Truth, Set<string | undefined>>();

/** Whether the invariant of the rollouts was not held against this world. */
export function isExcused(truth: Truth): boolean {
  return nodesWereLost.has(truth);
}

/** What the rollout itself answers for: pods lost with their node are nobody's choice. */
function enoughReady(truth: Truth): void {
  if (nodesWereLost.has(truth)) return;
  const silent = new Set([...(wereSilent.get(truth) ?? []), ...silentNodes(truth)]);
  wereSilent.set(truth, silent);
  const isLost = (pod: Pod) => silent.has(pod.spec.nodeName) && markedByNodeLifecycle(pod);
  if (pods(truth).some(isLost)) {
    nodesWereLost.add(truth);
    return;
  }
  const ready = readyPods(truth).length;
  if (ready < fewestReady)
    throw new InvariantError(
      `${ready} pods are ready during a rollout that allows ${fewestReady}: ${describePods(truth)}`,
    );
}

/** Only silence makes it Unknown: a kubelet that has something to say says True or False. */
function silentNodes(truth: Truth): Set<string | undefined> {
  const isSilent = ({ status }: Node) =>
    status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "Unknown");
  return new Set(
    truth
      .list<Node>(Node)
      .filter(isSilent)
      .map(({ metadata }) => metadata.name),
  );
}

/** It gives no reason, as upstream; a kubelet that finds a pod not ready always does. */
function markedByNodeLifecycle({ status }: Pod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "False" && !ready.reason;
}

function describePods(truth: Truth): string {
  return pods(truth)
    .map(({ metadata, spec, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      const { name, deletionTimestamp: leaving } = metadata;
      return `${name} ${spec.nodeName} ready=${ready?.status} ${ready?.reason ?? ""} ${leaving ? "leaving" : ""}`;
    })
    .join("; ");
}

function isOurs({ metadata }: { metadata: { namespace?: string; name?: string } }): boolean {
  return metadata.namespace === namespace && (metadata.name ?? "").startsWith("nginx");
}

function ignoreExisting(error: unknown): void {
  if (!isAlreadyExists(error)) throw error;
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}

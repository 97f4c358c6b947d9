/**
 * Deployment controller: moves a Deployment's Pods from old templates to the newest, step by step.
 *
 * Mailbox  reconcile(key)                  one key at a time, repeats of a key coalesce
 * Watches  apps/deployments, apps/replicasets (their owner), core/pods (a Recreate waits for their end)
 * Owns     nothing that is not in the store: a step is computed from what exists
 * Writes   apps/replicasets create+update+patch+delete; apps/deployments patch; apps/deployments/status update
 * Fails    conflict or api away: repeated, 5 ms .. 16 min. Crash: restart and resync, no state lost.
 * Scales   one owner (Lease `deployment`). A deposed one's writes are refused by its epoch.
 *
 * Longer than other controllers, because all steps of one pass share what was written before them.
 * One pass makes at most one kind of step (make the new ReplicaSet, scale up, scale down, forget
 * old revisions) and then writes the status; the change of a ReplicaSet brings the next pass.
 */

import { ApiError, isAlreadyExists, isNotFound } from "../../manifests/api-error.ts";
import {
  Deployment,
  type DeploymentStatus,
  type LabelSelector,
  Pod,
  ReplicaSet,
} from "../../manifests/index.ts";
import { errorMessage } from "../../runtime/errors.ts";
import { byOwner } from "../kit/cache.ts";
import {
  defineController,
  type Listers,
  type Outcome,
  type ReconcileContext,
  requeueAfter,
  toOwner,
  watch,
} from "../kit/controller.ts";
import { type Key, keyIn, keyOf } from "../kit/object.ts";
import { create, del, patch, status, update } from "../kit/writes.ts";
import {
  computeRollingUpdate,
  computeScaleToZero,
  computeScaling,
  isRecreate,
  maxSurge,
  newestReplicas,
  replicasOf,
  type Scale,
  sum,
} from "./deployment-replicas.ts";
import {
  computeAnnotations,
  computeExpired,
  desiredAnnotation,
  hashLabel,
  maxAnnotation,
  nextRevision,
  revisionAnnotation,
  sameTemplate,
  splitGenerations,
  templateHash,
} from "./deployment-revision.ts";
import {
  computeCounts,
  computeRolloutStatus,
  conditionOf,
  deadlineInMs,
  hasProgressDeadline,
  isComplete,
  type Progress,
  pauseProgress,
  withCondition,
} from "./deployment-status.ts";
import { claim, controllerOf, controllerReference } from "./ownership.ts";
import { isFinished } from "./pods.ts";
import { isNamespaceTerminating, sameStatus } from "./status.ts";

export const deployment = defineController({
  name: "deployment",
  watches: [
    watch(Deployment),
    watch(ReplicaSet, { keysOf: deploymentsOf }),
    watch(Pod, { keysOf: waitingDeployments, matters: finishes }),
  ],
  writes: [
    create(ReplicaSet),
    update(ReplicaSet),
    patch(ReplicaSet),
    del(ReplicaSet),
    patch(Deployment),
    status(Deployment),
  ],
  options: { workers: 5 },
  async reconcile(key, ctx) {
    const object = ctx.lister(Deployment).get(key);
    if (!object) return;
    const pass = new Pass(object, ctx);
    if (isEmptySelector(object.spec.selector)) return await pass.refuse();
    return await pass.run();
  },
});

function deploymentsOf(set: ReplicaSet, { lister }: Listers): Key[] {
  if (controllerOf(set)) return toOwner(Deployment)(set);
  // An orphan may be adopted by whoever selects it; each of them looks for itself.
  return lister(Deployment)
    .inNamespace(set.metadata.namespace ?? "")
    .map(keyOf);
}

/** Only a Recreate waits for pods; everybody else hears of them through the ReplicaSet's status. */
function waitingDeployments(pod: Pod, { lister }: Listers): Key[] {
  const [setKey] = toOwner(ReplicaSet)(pod);
  const set = setKey === undefined ? undefined : lister(ReplicaSet).get(setKey);
  const keys = set ? toOwner(Deployment)(set) : [];
  return keys.filter((key) => {
    const owner = lister(Deployment).get(key);
    return owner && isRecreate(owner);
  });
}

function finishes(before: Pod, after: Pod): boolean {
  return isFinished(after.status?.phase) && !isFinished(before.status?.phase);
}

function isEmptySelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}

/** One pass over one Deployment. `#status` collects what is written at its end. */
class Pass {
  readonly #ctx: ReconcileContext;
  #object: Deployment;
  #status: DeploymentStatus;

  constructor(object: Deployment, ctx: ReconcileContext) {
    this.#ctx = ctx;
    this.#object = object;
    this.#status = object.status ?? {};
  }

  /** The object with the status as collected so far. */
  get #current(): Deployment {
    return { ...this.#object, status: this.#status };
  }

  async run(): Promise<Outcome> {
    const { api, lister, clock } = this.#ctx;
    const { namespace = "" } = this.#object.metadata;
    const candidates = lister(ReplicaSet).inNamespace(namespace);
    const { selector } = this.#object.spec;
    const owner = { ownerKind: Deployment, owner: this.#object, selector };
    const sets = await claim(api, { ...owner, kind: ReplicaSet, candidates });
    if (this.#object.metadata.deletionTimestamp) return await this.#count(sets);

    const pause = pauseProgress(this.#object);
    if (pause) this.#progress(pause);
    if (this.#object.spec.paused || this.#isScaled(sets)) return await this.#scale(sets);
    const rolled = isRecreate(this.#object)
      ? await this.#recreate(sets)
      : await this.#rollingUpdate(sets);
    await this.#write(computeRolloutStatus(this.#current, rolled.newest, rolled.all, clock.now()));
    const waitMs = deadlineInMs(this.#object, this.#status, clock.now());
    return waitMs === undefined ? undefined : requeueAfter(waitMs);
  }

  /** A selector that selects every pod of the namespace is somebody's mistake. */
  async refuse(): Promise<void> {
    const message = "This deployment is selecting all pods. A non-empty selector is required.";
    this.#ctx.events.warning(Deployment, this.#object, "SelectingAll", message);
    await this.#write({ ...this.#status, observedGeneration: this.#object.metadata.generation });
  }

  async #count(sets: readonly ReplicaSet[]): Promise<void> {
    const { newest } = splitGenerations(this.#object, sets);
    await this.#write(computeCounts(this.#current, newest, sets, this.#ctx.clock.now()));
  }

  /** spec.replicas was changed since the ReplicaSets were last scaled. */
  #isScaled(sets: readonly ReplicaSet[]): boolean {
    return sets.some(({ metadata, spec }) => {
      const desired = metadata.annotations?.[desiredAnnotation];
      if (!spec.replicas || desired === undefined) return false;
      return Number(desired) !== replicasOf(this.#object);
    });
  }

  async #scale(sets: readonly ReplicaSet[]): Promise<void> {
    const { newest: found, old } = splitGenerations(this.#object, sets);
    const newest = found && (await this.#adoptNewest(found, old));
    await this.#apply(computeScaling(this.#object, newest, old));
    if (this.#object.spec.paused) await this.#forget(old);
    const all = newest ? [newest, ...old] : old;
    await this.#write(computeCounts(this.#current, newest, all, this.#ctx.clock.now()));
  }

  async #rollingUpdate(sets: readonly ReplicaSet[]): Promise<Rolled> {
    const { newest: found, old } = splitGenerations(this.#object, sets);
    const newest = await this.#ensureNewest(found, old);
    if (!newest) return { newest, all: old };
    const scales = computeRollingUpdate(this.#object, newest, old);
    const scaled = await this.#apply(scales);
    if (scales.length === 0 && isComplete(this.#object, this.#status)) await this.#forget(old);
    return withScaled(newest, old, scaled);
  }

  async #recreate(sets: readonly ReplicaSet[]): Promise<Rolled> {
    const { newest: found, old } = splitGenerations(this.#object, sets);
    const known = found && (await this.#adoptNewest(found, old));
    const drained = computeScaleToZero(old);
    if (drained.length > 0) {
      const scaled = await this.#apply(drained);
      return known ? withScaled(known, old, scaled) : { newest: undefined, all: old };
    }
    if (this.#hasRunningPods(old)) {
      return { newest: known, all: known ? [known, ...old] : old };
    }
    const newest = known ?? (await this.#createNewest(old));
    if (!newest) return { newest, all: old };
    const scaled = await this.#apply([{ set: newest, replicas: replicasOf(this.#object) }]);
    if (isComplete(this.#object, this.#status)) await this.#forget(old);
    return withScaled(newest, old, scaled);
  }

  #hasRunningPods(old: readonly ReplicaSet[]): boolean {
    const pods = old.flatMap(({ metadata }) =>
      this.#ctx.lister(Pod).by(byOwner, metadata.uid ?? ""),
    );
    return pods.some(({ status: podStatus }) => !isFinished(podStatus?.phase));
  }

  #ensureNewest(
    found: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet | undefined> {
    return found ? this.#adoptNewest(found, old) : this.#createNewest(old);
  }

  /** An old ReplicaSet with this template (a rollback) becomes the newest by its revision. */
  async #adoptNewest(set: ReplicaSet, old: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const before = set.metadata.annotations ?? {};
    const annotations = computeAnnotations(this.#object, before, nextRevision(old));
    const { minReadySeconds = 0 } = this.#object.spec;
    let newest = set;
    if ((set.spec.minReadySeconds ?? 0) !== minReadySeconds || !sameStatus(before, annotations)) {
      newest = await this.#ctx.api.update(ReplicaSet, {
        ...set,
        metadata: { ...set.metadata, annotations },
        spec: { ...set.spec, minReadySeconds },
      });
    }
    await this.#annotateRevision(annotations[revisionAnnotation]);
    if (!conditionOf(this.#status, "Progressing")) {
      const message = `Found new replica set "${set.metadata.name}"`;
      this.#progress({ status: "True", reason: "FoundNewReplicaSet", message });
    }
    return newest;
  }

  async #createNewest(old: readonly ReplicaSet[]): Promise<ReplicaSet | undefined> {
    const { api, events } = this.#ctx;
    const wanted = this.#computeNewest(old);
    const { name } = wanted.metadata;
    let made: ReplicaSet;
    try {
      made = await api.create(ReplicaSet, wanted);
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      const known = isAlreadyExists(error) ? await this.#existing(wanted) : undefined;
      if (!known) throw await this.#failCreation(name, error);
      made = known;
    }
    const replicas = wanted.spec.replicas ?? 0;
    if (replicas > 0) {
      const message = `Scaled up replica set ${name} from 0 to ${replicas}`;
      events.normal(Deployment, this.#object, "ScalingReplicaSet", message);
    }
    await this.#annotateRevision(made.metadata.annotations?.[revisionAnnotation]);
    const message = `Created new replica set "${name}"`;
    this.#progress({ status: "True", reason: "NewReplicaSetCreated", message });
    return made;
  }

  #computeNewest(old: readonly ReplicaSet[]): ReplicaSet {
    const { metadata, spec } = this.#object;
    const hash = templateHash(spec.template, this.#status.collisionCount ?? 0);
    const labels = { ...spec.template.metadata?.labels, [hashLabel]: hash };
    const { selector } = spec;
    const replicas = newestReplicas(this.#object, 0, sum(old, replicasOf));
    const annotations = computeAnnotations(this.#object, {}, nextRevision(old));
    return {
      metadata: {
        name: `${metadata.name}-${hash}`,
        namespace: metadata.namespace,
        labels,
        annotations: { ...annotations, ...this.#scaleAnnotations() },
        ownerReferences: [controllerReference(Deployment, this.#object)],
      },
      spec: {
        replicas,
        minReadySeconds: spec.minReadySeconds,
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
  }

  /** Ours, made by a pass whose answer was lost; or a stranger whose name has the same hash. */
  async #existing(wanted: ReplicaSet): Promise<ReplicaSet | undefined> {
    const { namespace, name } = wanted.metadata;
    const existing = await this.#ctx.api.get(ReplicaSet, keyIn(namespace, name));
    const ours = controllerOf(existing)?.uid === this.#object.metadata.uid;
    if (ours && sameTemplate(existing.spec.template, this.#object.spec.template)) return existing;
    const collisionCount = (this.#status.collisionCount ?? 0) + 1;
    await this.#write({ ...this.#status, collisionCount });
    return undefined;
  }

  async #failCreation(name: string, error: unknown): Promise<unknown> {
    if (!(error instanceof ApiError) || isAlreadyExists(error)) return error;
    const message = `Failed to create new replica set "${name}": ${errorMessage(error)}`;
    this.#progress({ status: "False", reason: "ReplicaSetCreateError", message });
    await this.#write(this.#status);
    this.#ctx.events.warning(Deployment, this.#object, "ReplicaSetCreateError", message);
    return error;
  }

  async #apply(scales: readonly Scale[]): Promise<Map<ReplicaSet, ReplicaSet>> {
    const scaled = new Map<ReplicaSet, ReplicaSet>();
    for (const { set, replicas } of scales) {
      scaled.set(set, await this.#scaleOne(set, replicas));
    }
    return scaled;
  }

  async #scaleOne(set: ReplicaSet, replicas: number): Promise<ReplicaSet> {
    const before = replicasOf(set);
    const annotations = { ...set.metadata.annotations, ...this.#scaleAnnotations() };
    const marked = sameStatus(set.metadata.annotations ?? {}, annotations);
    if (before === replicas && marked) return set;
    const metadata = { ...set.metadata, annotations };
    const scaled = await this.#ctx.api.update(ReplicaSet, {
      ...set,
      metadata,
      spec: { ...set.spec, replicas },
    });
    if (before !== replicas) {
      const direction = replicas > before ? "up" : "down";
      const { name } = set.metadata;
      const message = `Scaled ${direction} replica set ${name} from ${before} to ${replicas}`;
      this.#ctx.events.normal(Deployment, this.#object, "ScalingReplicaSet", message);
    }
    return scaled;
  }

  #scaleAnnotations(): Record<string, string> {
    const wanted = replicasOf(this.#object);
    return {
      [desiredAnnotation]: String(wanted),
      [maxAnnotation]: String(wanted + maxSurge(this.#object)),
    };
  }

  async #forget(old: readonly ReplicaSet[]): Promise<void> {
    for (const set of computeExpired(this.#object, old)) {
      const { uid } = set.metadata;
      await this.#ctx.api.delete(ReplicaSet, keyOf(set), { uid }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }

  /**
   * Differs from Kubernetes: the annotation is a patch of its own; there it rides on the status
   * update, which ours keeps out of the metadata.
   */
  async #annotateRevision(revision: string | undefined): Promise<void> {
    const { metadata } = this.#object;
    if (!revision || metadata.annotations?.[revisionAnnotation] === revision) return;
    const change = { metadata: { annotations: { [revisionAnnotation]: revision } } };
    this.#object = await this.#ctx.api.patch(Deployment, keyOf(this.#object), change, {
      type: "merge",
    });
  }

  #progress(progress: Progress): void {
    if (!hasProgressDeadline(this.#object)) return;
    const now = this.#ctx.clock.now();
    const conditions = this.#status.conditions ?? [];
    this.#status = {
      ...this.#status,
      conditions: withCondition(conditions, "Progressing", progress, now),
    };
  }

  async #write(after: DeploymentStatus): Promise<void> {
    this.#status = after;
    if (sameStatus(this.#object.status ?? {}, after)) return;
    this.#object = await this.#ctx.api.updateStatus(Deployment, this.#current);
  }
}

interface Rolled {
  newest: ReplicaSet | undefined;
  all: ReplicaSet[];
}

function withScaled(
  newest: ReplicaSet,
  old: readonly ReplicaSet[],
  scaled: ReadonlyMap<ReplicaSet, ReplicaSet>,
): Rolled {
  const now = (set: ReplicaSet) => scaled.get(set) ?? set;
  return { newest: now(newest), all: [newest, ...old].map(now) };
}

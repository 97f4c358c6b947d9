/** The hooks of every kind that has any. A kind that is not here is stored as it is validated. */

import type { Kind, KubeObject } from "../../../manifests/index.ts";
import * as kinds from "../../../manifests/index.ts";
import type { Authorizer } from "../authz/authorizer.ts";
import type { Grantor } from "../authz/defaults.ts";
import { certificateRequests } from "./certificate-requests.ts";
import { definitions } from "./definitions.ts";
import { grantorHooks, grantors } from "./grantors.ts";
import type { Hooks } from "./hooks.ts";
import { jobs } from "./jobs.ts";
import { namespaces } from "./namespaces.ts";
import { nodes } from "./nodes.ts";
import { pods } from "./pods.ts";
import { type ServiceNetwork, serviceHooks } from "./services.ts";
import { persistentVolumeClaims, persistentVolumes, serviceAccounts } from "./volumes.ts";

const plain: Hooks = {};
const generation: Hooks = { generation: true };

/** Those whose strategy upstream keeps a generation; pods and services have none in v1.32. */
const generationKinds: readonly Kind[] = [
  kinds.CronJob,
  kinds.DaemonSet,
  kinds.EndpointSlice,
  kinds.FlowSchema,
  kinds.Ingress,
  kinds.IngressClass,
  kinds.MutatingWebhookConfiguration,
  kinds.NetworkPolicy,
  kinds.PodDisruptionBudget,
  kinds.PodTemplate,
  kinds.PriorityClass,
  kinds.PriorityLevelConfiguration,
  kinds.ReplicaSet,
  kinds.ReplicationController,
  kinds.StatefulSet,
  kinds.ValidatingAdmissionPolicy,
  kinds.ValidatingAdmissionPolicyBinding,
  kinds.ValidatingWebhookConfiguration,
];

export interface HooksContext extends ServiceNetwork {
  readonly authorizer: Authorizer;
}

export function createHooks({ authorizer, ...network }: HooksContext): (kind: Kind) => Hooks {
  const table = new Map<Kind, Hooks>(generationKinds.map((kind) => [kind, generation]));
  function add<T extends KubeObject>(kind: Kind<T>, hooks: Hooks<T>): void {
    table.set(kind, hooks as Hooks);
  }
  add(kinds.CustomResourceDefinition, definitions);
  add(kinds.Job, jobs);
  add(kinds.Namespace, namespaces);
  add(kinds.Node, nodes);
  add(kinds.Pod, pods);
  add(kinds.Service, serviceHooks(network));
  for (const kind of grantors) add<Grantor>(kind, grantorHooks(authorizer, kind));
  add(kinds.PersistentVolume, persistentVolumes);
  add(kinds.PersistentVolumeClaim, persistentVolumeClaims);
  add(kinds.ServiceAccount, serviceAccounts);
  add(kinds.Deployment, { generation: "annotations" });
  add(kinds.CertificateSigningRequest, certificateRequests);
  return (kind) => table.get(kind) ?? plain;
}

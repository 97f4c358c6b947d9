/** Jobs: their pods are told apart by the job's uid (k8s: registry/batch/job/strategy.go). */

import type { Job } from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

export const jobs: Hooks<Job> = {
  generation: true,

  prepareCreate(job) {
    if (job.spec.manualSelector) return job;
    const { uid = "", name = "" } = job.metadata;
    const { template } = job.spec;
    const labels = {
      ...template.metadata?.labels,
      "batch.kubernetes.io/controller-uid": uid,
      "batch.kubernetes.io/job-name": name,
      "controller-uid": uid,
      "job-name": name,
    };
    const selector = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
    const metadata = { ...template.metadata, labels } as typeof template.metadata;
    return { ...job, spec: { ...job.spec, selector, template: { ...template, metadata } } };
  },
};

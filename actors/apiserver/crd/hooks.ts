/** What is special to custom kinds, all of them alike (k8s: apiextensions-apiserver/pkg/registry/customresource). */

import { apiError } from "../../../manifests/api-error.ts";
import type { Hooks } from "../registry/hooks.ts";

const plain: Hooks = { generation: true };

/** Nothing new may come while the definition takes its objects with it. */
const terminating: Hooks = {
  ...plain,
  prepareCreate() {
    const why = "create not allowed while custom resource definition is terminating";
    throw apiError("MethodNotAllowed", why, {});
  },
};

export function customHooks(isTerminating: boolean): Hooks {
  return isTerminating ? terminating : plain;
}

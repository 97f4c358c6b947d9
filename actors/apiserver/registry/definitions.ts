/** CustomResourceDefinitions: which versions objects may be stored in, and how a definition goes. */

import {
  type CustomResourceDefinition,
  definitionFinalizer,
  storageVersion,
} from "../../../manifests/index.ts";
import type { Hooks } from "./hooks.ts";

export const definitions: Hooks<CustomResourceDefinition> = {
  generation: true,
  finalizer: definitionFinalizer,
  prepareCreate: (definition) => withStorage(definition),
  prepareUpdate: (definition, _old, { subresource }) =>
    subresource === "" ? withStorage(definition) : definition,
};

/** A version stays in the list until somebody has rewritten what was stored in it. */
function withStorage(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { status } = definition;
  const stored = status?.storedVersions ?? [];
  const name = storageVersion(definition)?.name;
  if (name === undefined || stored.includes(name)) return definition;
  const acceptedNames = status?.acceptedNames ?? { plural: "", kind: "" };
  return {
    ...definition,
    status: { ...status, acceptedNames, storedVersions: [...stored, name] },
  };
}

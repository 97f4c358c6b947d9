/** CustomResourceDefinition (k8s: apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go). */
import equal from "fast-deep-equal";
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
} from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { dns1035Label, dnsSubdomain } from "../validation/formats.ts";
import {
  IMMUTABLE,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";
import { hasCondition } from "./custom-kind.ts";
import { compileJsonPath, JsonPathError, simplePath } from "./json-path.ts";
import type { Schema } from "./schema.ts";
import { leafType, validateStructural } from "./structural.ts";

const APPROVED = "api-approved.kubernetes.io";
const SEE = "see https://github.com/kubernetes/enhancements/pull/1111";
const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = "byte,date,date-time,double,float,int32,int64,password".split(",");
const REVIEW_VERSIONS = ["v1", "v1beta1"];
const MOST_SELECTABLE = 8;
const LONGEST_WARNING = 256;

export const definitionValidators: ValidatorTable = {
  "apiextensions.v1.CustomResourceDefinition": validateDefinition,
};

export const definitionUpdateValidators: UpdateValidatorTable = {
  "apiextensions.v1.CustomResourceDefinition": validateDefinitionUpdate,
};

function validateDefinition(errors: FieldErrors, definition: CustomResourceDefinition): void {
  const { metadata, spec, status } = definition;
  const { group, names, versions, scope } = spec;
  if (metadata.name !== `${names.plural}.${group}`) {
    errors.invalid("metadata.name", metadata.name, 'must be spec.names.plural+"."+spec.group');
  }
  if (!group) errors.required("spec.group");
  else if (dnsSubdomain(group).length > 0) {
    errors.invalidEach("spec.group", group, dnsSubdomain(group));
  } else if (!group.includes(".")) {
    errors.invalid("spec.group", group, "should be a domain with at least one dot");
  }
  if (isProtected(group)) validateApproval(errors, metadata.annotations?.[APPROVED]);
  const scopes = ["Cluster", "Namespaced"];
  if (!scope) errors.required("spec.scope");
  else if (!scopes.includes(scope)) errors.notSupported("spec.scope", scope, scopes);
  if (spec.preserveUnknownFields) {
    const why =
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
    errors.invalid("spec.preserveUnknownFields", true, why);
  }
  validateNames(errors, names, "spec.names");
  validateVersions(errors, spec);
  validateConversion(errors, spec.conversion);
  (status?.storedVersions ?? []).forEach((name, at) => {
    if (versions.some((version) => version.name === name)) return;
    errors.invalid(`status.storedVersions[${at}]`, name, "must appear in spec.versions");
  });
}

function validateDefinitionUpdate(
  errors: FieldErrors,
  { spec }: CustomResourceDefinition,
  old: CustomResourceDefinition,
): void {
  const keep = (field: string, now: unknown, before: unknown) => {
    if (now !== before) errors.invalid(field, now, IMMUTABLE);
  };
  keep("spec.group", spec.group, old.spec.group);
  keep("spec.names.plural", spec.names.plural, old.spec.names.plural);
  if (!hasCondition(old.status, "Established")) return;
  keep("spec.scope", spec.scope, old.spec.scope);
  keep("spec.names.kind", spec.names.kind, old.spec.names.kind);
}

/** Groups that are the community's to give away. */
function isProtected(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group);
}

function validateApproval(errors: FieldErrors, approval: string | undefined): void {
  const field = `metadata.annotations[${APPROVED}]`;
  const rule = `protected groups must have approval annotation "${APPROVED}"`;
  if (!approval) errors.required(field, `${rule}, ${SEE}`);
  else if (!approval.startsWith("unapproved") && !URL.canParse(approval)) {
    const how = 'with either a URL or a reason starting with "unapproved"';
    errors.invalid(field, approval, `${rule} ${how}, ${SEE}`);
  }
}

function validateNames(
  errors: FieldErrors,
  names: CustomResourceDefinitionNames,
  path: string,
): void {
  const label = (field: string, value: string | undefined) => {
    if (!value) errors.required(`${path}.${field}`);
    else errors.invalidEach(`${path}.${field}`, value, dns1035Label(value));
  };
  const camelCase = (field: string, value: string | undefined) => {
    if (!value) errors.required(`${path}.${field}`);
    const faults = value ? dns1035Label(value.toLowerCase()) : [];
    const rule = "may have mixed case, but should otherwise match: ";
    if (faults.length > 0) errors.invalid(`${path}.${field}`, value, rule + faults.join(","));
  };
  label("plural", names.plural);
  if (names.singular) label("singular", names.singular);
  camelCase("kind", names.kind);
  camelCase("listKind", names.listKind);
  for (const [list, values] of [
    ["shortNames", names.shortNames],
    ["categories", names.categories],
  ] as const) {
    (values ?? []).forEach((value, at) => {
      errors.invalidEach(`${path}.${list}[${at}]`, value, dns1035Label(value));
    });
  }
  if (names.kind && names.kind === names.listKind) {
    errors.invalid(`${path}.listKind`, names.listKind, "kind and listKind may not be the same");
  }
}

function validateVersions(errors: FieldErrors, { versions }: CustomResourceDefinitionSpec): void {
  const names = versions.map(({ name }) => name);
  if (new Set(names).size !== names.length) {
    errors.invalid("spec.versions", names, "must contain unique version names");
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    const why = "must have exactly one version marked as storage version";
    errors.invalid("spec.versions", names, why);
  }
  versions.forEach((version, at) => {
    const path = `spec.versions[${at}]`;
    errors.invalidEach(`${path}.name`, version.name, dns1035Label(version.name));
    if (!version.schema?.openAPIV3Schema) {
      errors.required(`${path}.schema.openAPIV3Schema`, "schemas are required");
    }
    validateDeprecation(errors, version, path);
    validateSelectable(errors, version, path);
  });
  // As upstream, what all versions have alike is told of once, where it used to stand.
  hoisted(versions, "schema", "spec.validation", ({ openAPIV3Schema }, path) => {
    if (openAPIV3Schema) validateStructural(errors, openAPIV3Schema, `${path}.openAPIV3Schema`);
  });
  hoisted(versions, "subresources", "spec.subresources", (subresources, path) => {
    validateSubresources(errors, subresources, path);
  });
  hoisted(versions, "additionalPrinterColumns", "spec.additionalPrinterColumns", (list, path) => {
    list.forEach((column, at) => {
      validateColumn(errors, column, `${path}[${at}]`);
    });
  });
}

function hoisted<F extends "schema" | "subresources" | "additionalPrinterColumns">(
  versions: readonly CustomResourceDefinitionVersion[],
  field: F,
  top: string,
  validate: (value: NonNullable<CustomResourceDefinitionVersion[F]>, path: string) => void,
): void {
  const [first] = versions;
  const alike = versions.every((version) => equal(version[field], first?.[field]));
  for (const [at, version] of versions.entries()) {
    const value = version[field];
    if (value) validate(value, alike ? top : `spec.versions[${at}].${field}`);
    if (alike) return;
  }
}

function validateDeprecation(
  errors: FieldErrors,
  { deprecated, deprecationWarning }: CustomResourceDefinitionVersion,
  path: string,
): void {
  if (deprecationWarning === undefined) return;
  const field = `${path}.deprecationWarning`;
  if (!deprecated) {
    errors.invalid(field, deprecationWarning, "can only be set for deprecated versions");
  }
  if (deprecationWarning === "") {
    errors.invalid(field, "", "must not be an empty string");
  } else if (deprecationWarning.length > LONGEST_WARNING) {
    errors.tooLong(field, LONGEST_WARNING);
  }
}

function validateSelectable(
  errors: FieldErrors,
  { selectableFields = [], schema }: CustomResourceDefinitionVersion,
  path: string,
): void {
  const field = `${path}.selectableFields`;
  if (selectableFields.length > MOST_SELECTABLE) {
    const detail = `must have at most ${MOST_SELECTABLE} items`;
    errors.add("FieldValueTooMany", field, selectableFields.length, detail);
  }
  const seen = new Set<string>();
  selectableFields.forEach(({ jsonPath }, at) => {
    const where = `${field}[${at}].jsonPath`;
    const names = simplePath(jsonPath);
    if (!jsonPath) errors.required(where);
    else if (!names)
      errors.invalid(where, jsonPath, "is an invalid path: must be a simple json path");
    else if (names[0] === "metadata") {
      errors.invalid(where, jsonPath, "must not point to fields in metadata");
    } else validateSelectableType(errors, schema?.openAPIV3Schema ?? {}, jsonPath, names, where);
    if (seen.has(jsonPath)) errors.duplicate(where, jsonPath);
    seen.add(jsonPath);
  });
}

function validateSelectableType(
  errors: FieldErrors,
  schema: Schema,
  jsonPath: string,
  names: readonly string[],
  where: string,
): void {
  const type = leafType(schema, names);
  if (type === undefined) {
    errors.invalid(where, jsonPath, "is an invalid path: does not refer to a valid field");
  } else if (!["boolean", "integer", "string"].includes(type)) {
    const why = `must point to a field of type string, boolean or integer`;
    errors.invalid(where, jsonPath, why);
  }
}

function validateSubresources(
  errors: FieldErrors,
  { scale }: CustomResourceSubresources,
  path: string,
): void {
  if (!scale) return;
  const check = (field: string, value: string | undefined, roots: readonly string[]) => {
    if (value === undefined) return;
    const where = `${path}.scale.${field}`;
    const names = simplePath(value);
    if (value === "") errors.required(where);
    else if (!names || !roots.includes(names[0] ?? "") || names.length < 2) {
      const under = roots.map((root) => `.${root}`).join(" or ");
      errors.invalid(
        where,
        value,
        `should be a json path under ${roots.length > 1 ? "either " : ""}${under}`,
      );
    }
  };
  check("specReplicasPath", scale.specReplicasPath, ["spec"]);
  check("statusReplicasPath", scale.statusReplicasPath, ["status"]);
  check("labelSelectorPath", scale.labelSelectorPath, ["spec", "status"]);
}

function validateColumn(
  errors: FieldErrors,
  { name, type, format, jsonPath }: CustomResourceColumnDefinition,
  path: string,
): void {
  if (!name) errors.required(`${path}.name`);
  const types = `must be one of ${COLUMN_TYPES.join(",")}`;
  if (!type) errors.required(`${path}.type`, types);
  else if (!COLUMN_TYPES.includes(type)) errors.invalid(`${path}.type`, type, types);
  if (format && !COLUMN_FORMATS.includes(format)) {
    errors.invalid(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`);
  }
  if (!jsonPath) {
    errors.required(`${path}.jsonPath`);
    return;
  }
  try {
    compileJsonPath(jsonPath);
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    errors.invalid(`${path}.jsonPath`, jsonPath, `is an invalid JSON path: ${error.message}`);
  }
}

function validateConversion(
  errors: FieldErrors,
  conversion: CustomResourceDefinitionSpec["conversion"],
): void {
  if (!conversion) return;
  const { strategy, webhook } = conversion;
  const strategies = ["None", "Webhook"];
  if (!strategies.includes(strategy)) {
    errors.notSupported("spec.conversion.strategy", strategy, strategies);
  }
  if (strategy !== "Webhook") {
    const why = "should not be set when strategy is not set to Webhook";
    if (webhook) errors.forbidden("spec.conversion.webhook", why);
    return;
  }
  const { clientConfig, conversionReviewVersions: versions = [] } = webhook ?? {};
  const config = "spec.conversion.webhookClientConfig";
  if (!clientConfig) errors.required(config, "required when strategy is set to Webhook");
  else if ((clientConfig.url === undefined) === (clientConfig.service === undefined)) {
    errors.required(config, "exactly one of url or service is required");
  } else if (clientConfig.url !== undefined && !clientConfig.url.startsWith("https://")) {
    const why = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
    errors.invalid(`${config}.url`, clientConfig.url, why);
  }
  const field = "spec.conversion.conversionReviewVersions";
  if (versions.length === 0) errors.required(field);
  else if (!versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    errors.invalid(field, versions, `must include at least one of ${REVIEW_VERSIONS.join(", ")}`);
  }
}

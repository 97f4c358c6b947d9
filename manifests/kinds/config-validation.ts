/** ConfigMap and Secret (k8s:pkg/apis/core/validation/validation.go). */
import type { ConfigMap, Secret } from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { configKey } from "../validation/formats.ts";
import { utf8Length } from "../validation/metadata.ts";
import {
  IMMUTABLE,
  sameValue,
  type UpdateValidatorTable,
  type ValidatorTable,
} from "../validation/validator.ts";

/** 1 MiB of data, as upstream; what the store takes is more. */
const MOST_BYTES = 1024 * 1024;

export const configValidators: ValidatorTable = {
  "core.v1.ConfigMap": validateConfigMap,
  "core.v1.Secret": validateSecret,
};

export const configUpdateValidators: UpdateValidatorTable = {
  "core.v1.ConfigMap": (errors, config: ConfigMap, old: ConfigMap) => {
    keepImmutable(errors, config, old, ["data", "binaryData"]);
  },
  "core.v1.Secret": (errors, secret: Secret, old: Secret) => {
    if (secret.type !== old.type) errors.invalid("type", secret.type, IMMUTABLE);
    keepImmutable(errors, secret, old, ["data"]);
  },
};

function validateConfigMap(errors: FieldErrors, config: ConfigMap): void {
  let size = 0;
  for (const [key, value] of Object.entries(config.data ?? {})) {
    errors.invalidEach(`data[${key}]`, key, configKey(key));
    if (config.binaryData && Object.hasOwn(config.binaryData, key)) {
      errors.invalid(`data[${key}]`, key, "duplicate of key present in binaryData");
    }
    size += utf8Length(value);
  }
  for (const [key, value] of Object.entries(config.binaryData ?? {})) {
    errors.invalidEach(`binaryData[${key}]`, key, configKey(key));
    size += base64Length(value);
  }
  if (size > MOST_BYTES) errors.tooLong("", MOST_BYTES);
}

function base64Length(text: string): number {
  return Math.floor((text.replace(/=+$/, "").length * 3) / 4);
}

const REDACTED = "<secret contents redacted>";

/** What a Secret of a type must hold: any one of the keys of each group. */
const REQUIRED_KEYS: Record<string, string[][]> = {
  "kubernetes.io/dockercfg": [[".dockercfg"]],
  "kubernetes.io/dockerconfigjson": [[".dockerconfigjson"]],
  "kubernetes.io/basic-auth": [["username", "password"]],
  "kubernetes.io/ssh-auth": [["ssh-privatekey"]],
  "kubernetes.io/tls": [["tls.crt"], ["tls.key"]],
};

function validateSecret(errors: FieldErrors, secret: Secret): void {
  let size = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    errors.invalidEach(`data[${key}]`, key, configKey(key));
    size += base64Length(value);
  }
  if (size > MOST_BYTES) errors.tooLong("data", MOST_BYTES);
  for (const group of REQUIRED_KEYS[secret.type ?? ""] ?? []) {
    if (group.some((key) => secret.data?.[key] !== undefined)) continue;
    for (const key of group) errors.required(`data[${key}]`);
  }
  validateJson(errors, secret);
  const account = "kubernetes.io/service-account.name";
  const isToken = secret.type === "kubernetes.io/service-account-token";
  if (isToken && !secret.metadata.annotations?.[account]) {
    errors.required(`metadata.annotations[${account}]`);
  }
}

/** The key of each type whose text a client will parse. */
const JSON_KEYS: Record<string, string> = {
  "kubernetes.io/dockercfg": ".dockercfg",
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
};

function validateJson(errors: FieldErrors, { type, data }: Secret): void {
  const key = JSON_KEYS[type ?? ""];
  const text = key && data?.[key];
  if (text === undefined || text === "") {
    if (text === "") errors.invalid(`data[${key}]`, REDACTED, "unexpected end of JSON input");
    return;
  }
  try {
    JSON.parse(Buffer.from(text, "base64").toString());
  } catch {
    // Differs from Kubernetes: it says which character is wrong; our parser's words would hold the secret.
    errors.invalid(`data[${key}]`, REDACTED, "must be JSON");
  }
}

function keepImmutable<T extends ConfigMap | Secret>(
  errors: FieldErrors,
  object: T,
  old: T,
  fields: (keyof T & string)[],
): void {
  if (!old.immutable) return;
  const detail = "field is immutable when `immutable` is set";
  if (!object.immutable) errors.forbidden("immutable", detail);
  for (const field of fields) {
    if (!sameValue(object[field], old[field])) errors.forbidden(field, detail);
  }
}

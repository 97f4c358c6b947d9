/**
 * x-kubernetes-validations: rules in CEL over an object and, for transition rules, what it was before (k8s:
 * apiextensions-apiserver/pkg/apiserver/schema/cel). Compiled once for each schema.
 */
import { Optional } from "@marcbachmann/cel-js";
import equal from "fast-deep-equal";
import { CelError, type CelProgram, compileCel } from "../cel/cel.ts";
import type { ValidationRule } from "../schema/types.generated.ts";
import type { FieldErrors } from "../validation/field-error.ts";
import { celName, celValue } from "./cel-values.ts";
import {
  additionalOf,
  type Fields,
  isFields,
  isListMap,
  itemsOf,
  joined,
  propertyOf,
  type Schema,
} from "./schema.ts";
import { oldElement, oldField } from "./validate-value.ts";

/** Evaluations for one object: a rule over a long list is run for each of its elements. */
const MOST_EVALUATIONS = 200_000;
const BUDGET =
  "validation failed due to running out of cost budget, no further validation rules will be run";
const LONGEST_MESSAGE = 5 * 1024;

export const RULE_REASONS = [
  "FieldValueInvalid",
  "FieldValueForbidden",
  "FieldValueRequired",
  "FieldValueDuplicate",
];

export type RuleChecker = (errors: FieldErrors, object: unknown, old: unknown) => void;

/** Undefined when there are no rules anywhere. Rules that do not compile are none: the definition was refused. */
export function compileRules(schema: Schema): RuleChecker | undefined {
  const node = compileNode(schema);
  if (!node) return undefined;
  return (errors, object, old) => {
    const pass: Pass = { errors, left: MOST_EVALUATIONS };
    const before = old === undefined ? undefined : celValue(schema, old, true);
    const self: Place = { value: object, cel: celValue(schema, object, true), path: "" };
    visit(node, pass, { ...self, old, oldCel: before });
  };
}

interface Pass {
  readonly errors: FieldErrors;
  left: number;
}

/** A value as JSON and as rules see it, with what stood in its place before. */
interface Place {
  readonly value: unknown;
  readonly cel: unknown;
  readonly old?: unknown;
  readonly oldCel?: unknown;
  readonly path: string;
}

interface Node {
  readonly schema: Schema;
  readonly rules: readonly Rule[];
  readonly properties: ReadonlyMap<string, Node>;
  readonly additional: Node | undefined;
  readonly items: Node | undefined;
}

function compileNode(schema: Schema | undefined): Node | undefined {
  if (!schema) return undefined;
  const rules = (schema["x-kubernetes-validations"] ?? []).flatMap(tryRule);
  const properties = new Map<string, Node>();
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const node = compileNode(property);
    if (node) properties.set(name, node);
  }
  const additional = compileNode(additionalOf(schema));
  const items = compileNode(itemsOf(schema));
  if (rules.length + properties.size === 0 && !additional && !items) return undefined;
  return { schema, rules, properties, additional, items };
}

interface Rule extends ValidationRule {
  readonly program: CelProgram;
  readonly worded: CelProgram | undefined;
  readonly isTransition: boolean;
}

function tryRule(rule: ValidationRule): Rule[] {
  try {
    return [compileRule(rule)];
  } catch (error) {
    if (error instanceof CelError) return [];
    throw error;
  }
}

function compileRule(rule: ValidationRule): Rule {
  const before = rule.optionalOldSelf ? "oldSelf: optional<dyn>" : "oldSelf";
  const variables = ["self", before];
  return {
    ...rule,
    program: compileCel(rule.rule, variables),
    worded: rule.messageExpression ? compileCel(rule.messageExpression, variables) : undefined,
    isTransition: speaksOfOld(rule.rule),
  };
}

/** Also in a string it would have to be called so. */
function speaksOfOld(expression: string): boolean {
  return /\boldSelf\b/.test(expression.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""'));
}

/** What an update leaves as it was is not judged again. */
function visit(node: Node, pass: Pass, place: Place): void {
  const { value, cel, old, oldCel, path } = place;
  if (pass.left <= 0 || value === null || value === undefined) return;
  if (old !== undefined && equal(value, old)) return;
  for (const rule of node.rules) judge(rule, node.schema, pass, place);
  if (Array.isArray(value)) {
    if (!node.items) return;
    for (const [at, item] of value.entries()) {
      const before = oldElement(node.schema, item, old);
      const index = before === undefined ? -1 : (old as unknown[]).indexOf(before);
      visit(node.items, pass, {
        value: item,
        cel: (cel as unknown[])[at],
        old: before,
        oldCel: index < 0 ? undefined : (oldCel as unknown[])[index],
        path: `${path}[${at}]`,
      });
    }
  } else if (isFields(value)) visitFields(node, pass, place, value);
}

function visitFields(node: Node, pass: Pass, place: Place, value: Fields): void {
  for (const [key, item] of Object.entries(value)) {
    const isNamed = propertyOf(node.schema, key) !== undefined;
    const inner = isNamed ? node.properties.get(key) : node.additional;
    if (!inner) continue;
    const name = isNamed ? celName(key) : key;
    visit(inner, pass, {
      value: item,
      cel: (place.cel as Map<string, unknown>).get(name),
      old: oldField(place.old, key),
      oldCel: place.oldCel instanceof Map ? place.oldCel.get(name) : undefined,
      path: isNamed ? joined(place.path, key) : `${place.path}[${key}]`,
    });
  }
}

function judge(rule: Rule, schema: Schema, pass: Pass, place: Place): void {
  const { errors } = pass;
  const isNew = place.old === undefined;
  if (rule.isTransition && isNew && !rule.optionalOldSelf) return;
  if (pass.left-- <= 0) return;
  const type = schema.type ?? "";
  const bindings = bindingsOf(rule, place);
  try {
    if (rule.program.evaluate(bindings) === true) return;
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const isSpent = error.message.includes("cost limit exceeded");
    if (isSpent) pass.left = 0;
    const why = isSpent ? BUDGET : `${error.message} evaluating rule: ${summaryOf(rule)}`;
    errors.invalid(place.path, type, why);
    return;
  }
  const message = wordsOf(rule, bindings);
  tell(errors, rule, joinedPath(place.path, rule.fieldPath), type, message);
}

function bindingsOf({ optionalOldSelf }: Rule, { cel, old, oldCel }: Place) {
  const self = cel;
  if (optionalOldSelf) {
    return { self, oldSelf: old === undefined ? Optional.none() : Optional.of(oldCel) };
  }
  return old === undefined ? { self } : { self, oldSelf: oldCel };
}

function summaryOf({ message, rule }: Rule): string {
  return message || rule.replace(/\s+/g, " ").trim();
}

function wordsOf(rule: Rule, bindings: Record<string, unknown>): string {
  const fallback = rule.message || `failed rule: ${rule.rule.replace(/\s+/g, " ").trim()}`;
  try {
    const words = rule.worded?.evaluate(bindings);
    if (typeof words !== "string" || words.trim() === "" || words.includes("\n")) return fallback;
    return words.length > LONGEST_MESSAGE ? fallback : words.trim();
  } catch (error) {
    if (error instanceof CelError) return fallback;
    throw error;
  }
}

function tell(
  errors: FieldErrors,
  { reason }: Rule,
  path: string,
  type: string,
  message: string,
): void {
  switch (reason) {
    case "FieldValueForbidden":
      errors.forbidden(path, message);
      break;
    case "FieldValueRequired":
      errors.required(path, message);
      break;
    case "FieldValueDuplicate":
      errors.duplicate(path, type);
      break;
    default:
      errors.invalid(path, type, message);
  }
}

/** `.spec.hosts` or `['a.b']` behind the place that the rule stands at. */
function joinedPath(path: string, fieldPath: string | undefined): string {
  if (!fieldPath) return path;
  const spelled = fieldPath.replace(/\['([^']*)'\]/g, "[$1]");
  return path === "" ? spelled.replace(/^\./, "") : path + spelled;
}

/** What is wrong with the rules of a schema's own place; `uncorrelatable`: it stands in what has no past. */
export function validateRules(
  errors: FieldErrors,
  schema: Schema,
  path: string,
  uncorrelatable: string | undefined,
): void {
  (schema["x-kubernetes-validations"] ?? []).forEach((rule, at) => {
    const where = `${path}.x-kubernetes-validations[${at}]`;
    if (!rule.rule.trim()) {
      errors.required(`${where}.rule`, "rule is not specified");
      return;
    }
    validateWords(errors, rule, where);
    const isTransition = speaksOfOld(rule.rule);
    if (isTransition && uncorrelatable !== undefined) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
      errors.invalid(`${where}.rule`, rule.rule, why);
    }
    if (!isTransition && rule.optionalOldSelf) {
      const why = "may not be set if oldSelf is not used in rule";
      errors.invalid(`${where}.optionalOldSelf`, true, why);
    }
    try {
      compileRule(rule);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      errors.invalid(`${where}.rule`, rule.rule, `compilation failed: ERROR: ${error.message}`);
    }
  });
}

function validateWords(errors: FieldErrors, rule: ValidationRule, where: string): void {
  const { message, fieldPath, reason } = rule;
  if (message !== undefined && message !== "" && message.trim() === "") {
    errors.invalid(`${where}.message`, message, "message must be non-empty if specified");
  } else if (message?.trim().includes("\n")) {
    errors.invalid(`${where}.message`, message, "message must not contain line breaks");
  } else if (!message && !rule.messageExpression && rule.rule.trim().includes("\n")) {
    const why = "message must be specified if rule contains line breaks";
    errors.required(`${where}.message`, why);
  }
  if (reason && !RULE_REASONS.includes(reason)) {
    errors.notSupported(`${where}.reason`, reason, RULE_REASONS);
  }
  if (fieldPath && !/^(?:\.[^.[\]\s]+|\['[^']+'\])+$/.test(fieldPath)) {
    errors.invalid(`${where}.fieldPath`, fieldPath, "fieldPath must be a valid path");
  }
}

/** Where elements have no past: in lists of any type but `map`. */
export function uncorrelatableBelow(
  schema: Schema,
  path: string,
  outer: string | undefined,
): string | undefined {
  return outer ?? (schema.type === "array" && !isListMap(schema) ? path : undefined);
}

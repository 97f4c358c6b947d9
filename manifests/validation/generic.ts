/**
 * The walk over a value of any type: that what OpenAPI requires is there, that enumerated values are among theirs,
 * and what the rules of each type met on the way say. Never for status, which only our own actors write.
 *
 * Compiled once per type, as decoding and defaulting are: every write pays for it.
 */
import { isScalar, SCHEMA, typeSchema } from "../schema/schema.ts";
import type { FieldSchema } from "../schema/table.ts";
import type { FieldErrors } from "./field-error.ts";
import type { RuleTable, TypeRules } from "./rules.ts";
import type { Validator, ValidatorTable } from "./validator.ts";

type Fields = Record<string, unknown>;
type Step = (errors: FieldErrors, value: Fields, prefix: string) => void;
type Check = (errors: FieldErrors, item: unknown, at: string) => void;
export type Walk = (errors: FieldErrors, typeName: string, value: object, path: string) => void;

/** Required by OpenAPI, but empty is a value like any other. */
const MAY_BE_EMPTY = new Set(["HTTPHeader.value", "KeyToPath.path"]);
const SKIPPED = new Set(["metadata", "status"]);
const NO_RULES: TypeRules = {};

/** A type in `validators` is left to its validator; one in `rules` is walked, and asked more. */
export function createWalk(validators: ValidatorTable, rules: RuleTable): Walk {
  const compiled = new Map<string, Validator<Fields>>();

  /** Types may hold themselves, so compiling waits for the first value. */
  function checkerOf(typeName: string): Validator<Fields> {
    const special = validators[typeName] as Validator<Fields> | undefined;
    const known = special ?? compiled.get(typeName);
    if (known) return known;
    let steps: Step[] | undefined;
    const checker: Validator<Fields> = (errors, value, path) => {
      steps ??= stepsOf(typeName);
      const prefix = path === "" ? "" : `${path}.`;
      for (const step of steps) step(errors, value, prefix);
      const whole = rules[typeName]?.whole as Validator<Fields> | undefined;
      whole?.(errors, value, path);
    };
    compiled.set(typeName, checker);
    return checker;
  }

  function stepsOf(typeName: string): Step[] {
    const owner = typeName.slice(typeName.lastIndexOf(".") + 1);
    const { object, fields } = typeSchema(typeName);
    return Object.entries(fields).flatMap(([name, field]) => {
      if (object && SKIPPED.has(name)) return [];
      return stepOf(name, field, owner, rules[typeName] ?? NO_RULES) ?? [];
    });
  }

  function stepOf(
    name: string,
    field: FieldSchema,
    owner: string,
    { fields, required, mayBeEmpty, unlisted }: TypeRules,
  ): Step | undefined {
    const rule = fields?.[name] as Check | undefined;
    const inner = unlisted?.includes(name) ? undefined : innerCheck(field);
    const detail = required?.[name];
    const isFree = MAY_BE_EMPTY.has(`${owner}.${name}`) || mayBeEmpty?.includes(name);
    const isMissing = detail !== undefined ? isEmpty : isFree ? undefined : absence(field);
    if (!rule && !inner && !isMissing) return undefined;
    return (errors, value, prefix) => {
      const item = value[name];
      if (isMissing?.(item)) errors.required(prefix + name, detail ?? "");
      else if (item !== undefined) {
        rule?.(errors, item, prefix + name);
        inner?.(errors, item, prefix + name);
      }
    };
  }

  function innerCheck(field: FieldSchema): Check | undefined {
    const check = elementCheck(field);
    if (!check || field.of === "listMap") return undefined;
    if (!field.of) return check;
    // Lists and maps alike: an index or a key in brackets.
    return (errors, items, at) => {
      for (const [key, item] of Object.entries(items as Fields))
        check(errors, item, `${at}[${key}]`);
    };
  }

  function elementCheck(field: FieldSchema): Check | undefined {
    if (field.enum) {
      const supported = SCHEMA.enums[field.enum] ?? [];
      return (errors, item, at) => {
        if (item && !supported.includes(item as string)) errors.notSupported(at, item, supported);
      };
    }
    if (isScalar(field.type)) return undefined;
    const checker = checkerOf(field.type);
    return (errors, item, at) => checker(errors, item as Fields, at);
  }

  return (errors, typeName, value, path) => checkerOf(typeName)(errors, value as Fields, path);
}

function absence(field: FieldSchema): ((item: unknown) => boolean) | undefined {
  if (!field.required || field.of) return undefined;
  if (field.pointer) return (item) => item === undefined;
  return field.type === "string" ? (item) => !item : undefined;
}

function isEmpty(item: unknown): boolean {
  if (typeof item !== "object" || item === null) return !item;
  return Object.keys(item).length === 0;
}

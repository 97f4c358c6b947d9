/**
 * CEL, as admission and validation rules write it: compiled once, run against JSON.
 * https://kubernetes.io/docs/reference/using-api/cel/
 *
 * Differs from Kubernetes: `object` and the like are dynamic, so that a wrong field is an error when
 * it is met and not when the rule is written; and what a rule costs is bounded before it runs, by
 * the nesting of its comprehensions and the size of what they may walk, not counted while it runs.
 */

import { type ASTNode, Environment, type ParseResult } from "@marcbachmann/cel-js";
import { addLibrary, linearMatch } from "./library.ts";
import { widthOf } from "./values.ts";

/** Steps that one expression may take; about a second. */
const mostSteps = 20_000_000;
const comprehensions = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** The rule is wrong, or came to no result. The message is one line. */
export class CelError extends Error {
  override readonly name = "CelError";
}

export interface CelProgram {
  /** The fields of `variables` that it names. */
  readonly references: ReadonlySet<string>;
  /**
   * Throws CelError. The values are of `toCel`, or types of the library; `beside` are those that a
   * lazy binding would give. A Promise where the expression asks an authorizer.
   */
  evaluate(bindings: Readonly<Record<string, unknown>>, beside?: readonly unknown[]): unknown;
}

const options = {
  unlistedVariablesAreDyn: false,
  enableOptionalTypes: true,
  homogeneousAggregateLiterals: false,
  limits: { maxDepth: 100, maxAstNodes: 10_000 },
};
const environments = new Map<string, Environment>();

function environmentOf(variables: readonly string[]): Environment {
  const id = variables.join();
  let environment = environments.get(id);
  if (!environment) {
    environment = addLibrary(new Environment(options));
    for (const variable of variables) {
      const [name = "", type = "dyn"] = variable.split(": ");
      environment.registerVariable(name, type);
    }
    environments.set(id, environment);
  }
  return environment;
}

/**
 * Variables are dynamic unless they say otherwise, as `old: optional<dyn>` does. Throws CelError when
 * the expression does not parse, or its types cannot fit.
 */
export function compileCel(expression: string, variables: readonly string[]): CelProgram {
  const program = attempt(() => environmentOf(variables).parse(expression));
  const shape: Shape = { nodes: [], growth: 1, walksText: false, references: new Set() };
  measure(program.ast, 0, shape);
  assertChecked(program);
  return {
    references: shape.references,
    evaluate(bindings, beside = []) {
      assertAffordable(shape, [...Object.values(bindings), ...beside], expression.length);
      return attempt(() => program(bindings));
    },
  };
}

function assertAffordable(shape: Shape, values: readonly unknown[], least: number): void {
  if (shape.nodes.length < 2) return;
  const widths = values.map((value) => widthOf(value, shape.walksText));
  const width = Math.max(least, ...widths) * shape.growth;
  const steps = shape.nodes.reduce((sum, nodes, depth) => sum + nodes * width ** depth, 0);
  if (steps <= mostSteps) return;
  throw new CelError("operation cancelled: actual cost limit exceeded");
}

function assertChecked(program: ParseResult): void {
  const { valid, error } = program.check();
  if (!valid) throw new CelError(summaryOf(error));
}

function attempt<T>(act: () => T): T {
  try {
    const result = act();
    return result instanceof Promise ? (result.catch(fail) as T) : result;
  } catch (error) {
    return fail(error);
  }
}

function fail(error: unknown): never {
  throw new CelError(summaryOf(error), { cause: error });
}

function summaryOf(error: unknown): string {
  const summary = (error as { summary?: string } | undefined)?.summary;
  const text = summary ?? (error instanceof Error ? error.message : String(error));
  return text.split("\n")[0]?.replace(/^No such key/, "no such key") ?? "";
}

interface Shape {
  /** By how many comprehensions they stand in. */
  readonly nodes: number[];
  readonly references: Set<string>;
  /** By how much what is walked may outgrow what was given. */
  growth: number;
  /** Lists may be made of texts. */
  walksText: boolean;
}

/** Also has every `matches` run in linear time: the engine's own would backtrack. */
function measure(node: ASTNode, depth: number, shape: Shape): void {
  shape.nodes[depth] = (shape.nodes[depth] ?? 0) + 1;
  let inner = depth;
  if (node.op === "+") shape.growth++;
  if (node.op === "." && node.args[0].op === "id" && node.args[0].args === "variables") {
    shape.references.add(node.args[1]);
  }
  if (node.op === "call" || node.op === "rcall") {
    const parts = node.args as unknown[];
    const name = String(parts[0]);
    if (name === "matches") parts[0] = linearMatch;
    if (name === "bind") shape.growth *= 2;
    if (name === "split" || name === "findAll") shape.walksText = true;
    if (comprehensions.has(name)) inner++;
  }
  for (const child of childrenOf(node.args)) measure(child, inner, shape);
}

function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf);
  return typeof args === "object" && args !== null && "op" in args ? [args as ASTNode] : [];
}

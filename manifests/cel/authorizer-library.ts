/** `authorizer`: may whoever asks also do this? k8s: apiserver/pkg/cel/library/authz.go. */

import type { Environment } from "@marcbachmann/cel-js";

export interface AuthorizerQuestion {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

type Ask = (question: AuthorizerQuestion, verb: string) => Promise<boolean>;

const nothing = { group: "", resource: "", subresource: "", namespace: "", name: "" };

export class CelAuthorizer {
  readonly ask: Ask;
  readonly requestResource: ResourceCheck;
  constructor(ask: Ask, request: AuthorizerQuestion) {
    this.ask = ask;
    this.requestResource = new ResourceCheck(ask, request);
  }
}

class GroupCheck {
  readonly ask: Ask;
  readonly group: string;
  constructor(ask: Ask, group: string) {
    this.ask = ask;
    this.group = group;
  }
}

class ResourceCheck {
  readonly ask: Ask;
  readonly question: AuthorizerQuestion;
  constructor(ask: Ask, question: AuthorizerQuestion) {
    this.ask = ask;
    this.question = question;
  }
}

class Decision {
  readonly allowed: boolean;
  constructor(allowed: boolean) {
    this.allowed = allowed;
  }
}

const prefix = "kubernetes.authorization";

export function addAuthorizer(environment: Environment): void {
  environment
    .registerType(`${prefix}.Decision`, Decision)
    .registerType(`${prefix}.ResourceCheck`, ResourceCheck)
    .registerType(`${prefix}.GroupCheck`, GroupCheck)
    .registerType(`${prefix}.Authorizer`, CelAuthorizer)
    .registerFunction(
      `${prefix}.Authorizer.group(string): ${prefix}.GroupCheck`,
      ({ ask }: CelAuthorizer, group: string) => new GroupCheck(ask, group),
    )
    .registerFunction(
      `${prefix}.GroupCheck.resource(string): ${prefix}.ResourceCheck`,
      ({ ask, group }: GroupCheck, resource: string) =>
        new ResourceCheck(ask, { ...nothing, group, resource }),
    )
    .registerFunction(
      `${prefix}.ResourceCheck.check(string): ${prefix}.Decision`,
      async ({ ask, question }: ResourceCheck, verb: string) =>
        new Decision(await ask(question, verb)),
    )
    .registerFunction(`${prefix}.Decision.allowed(): bool`, ({ allowed }: Decision) => allowed)
    .registerFunction(`${prefix}.Decision.errored(): bool`, () => false)
    .registerFunction(`${prefix}.Decision.reason(): string`, () => "");
  for (const part of ["subresource", "namespace", "name"] as const) {
    environment.registerFunction(
      `${prefix}.ResourceCheck.${part}(string): ${prefix}.ResourceCheck`,
      ({ ask, question }: ResourceCheck, value: string) =>
        new ResourceCheck(ask, { ...question, [part]: value }),
    );
  }
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import yargs from "yargs";
import { addSecurityOptions, readSecurityOptions } from "../../../deploy/security-options.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wherry-options-"));
  const policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n";
  await writeFile(join(folder, "policy.yaml"), policy);
  await writeFile(join(folder, "bad.yaml"), policy.replace("Metadata", "Everything"));
  await writeFile(join(folder, "ca.crt"), "the authority");
});
afterAll(() => rm(folder, { recursive: true }));

async function read(...args: string[]) {
  const placed = args.map((arg) => arg.replace("FOLDER", folder));
  return await readSecurityOptions(await addSecurityOptions(yargs(placed)).parse());
}

const oidc = ["--oidc-issuer-url", "https://id.example", "--oidc-client-id", "wherry"];

describe("security options", () => {
  test("options: without any, strangers are anonymous and nothing is recorded", async () => {
    expect(await read()).toEqual({ anonymousAuth: true, oidc: undefined, audit: undefined });
    expect((await read("--no-anonymous-auth")).anonymousAuth).toBe(false);
    expect((await read("--anonymous-auth=false")).anonymousAuth).toBe(false);
  });

  test("options: an OpenID issuer, with kube-apiserver's defaults and all that can be said", async () => {
    expect((await read(...oidc)).oidc).toEqual({
      issuerUrl: "https://id.example",
      clientId: "wherry",
      usernameClaim: "sub",
      usernamePrefix: "",
      groupsClaim: "",
      groupsPrefix: "",
      requiredClaims: {},
      ca: undefined,
    });
    const more = ["--oidc-ca-file", "FOLDER/ca.crt", "--oidc-required-claim", "a=b=c"];
    expect((await read(...oidc, ...more)).oidc).toMatchObject({
      ca: "the authority",
      requiredClaims: { a: "b=c" },
    });
  });

  test("options: an audit policy, for how long and how much", async () => {
    const more = ["--audit-policy", "FOLDER/policy.yaml", "--audit-max-age", "2"];
    expect((await read(...more)).audit).toEqual({
      policy: {
        rules: [{ level: "Metadata" }],
        omitStages: undefined,
        omitManagedFields: undefined,
      },
      maxAgeMs: 2 * 24 * 3_600_000,
      maxBytes: 100 * 1024 * 1024,
    });
  });

  test.each([
    [["--oidc-client-id", "x"], "must be given together"],
    [["--oidc-issuer-url", "http://id", "--oidc-client-id", "x"], "begins with https://"],
    [[...oidc, "--oidc-required-claim", "x"], "must be claim=value"],
    [[...oidc, "--oidc-ca-file", "FOLDER/none"], "cannot be read"],
    [["--audit-policy", "FOLDER/none"], "cannot be read"],
    [["--audit-policy", "FOLDER/bad.yaml"], "rules[0].level must be one of"],
    [["--audit-policy", "FOLDER/policy.yaml", "--audit-max-size", "0"], "is no size"],
  ])("options: %j is refused", async (args, why) => {
    await expect(read(...args)).rejects.toThrow(why);
  });
});

import { describe, expect, test } from "vitest";
import { type OidcOptions, userOfClaims } from "../../../../../actors/apiserver/authn/oidc.ts";

const options: OidcOptions = {
  issuerUrl: "https://id.example",
  clientId: "wherry",
  usernameClaim: "sub",
  usernamePrefix: "",
  groupsClaim: "groups",
  groupsPrefix: "id:",
  requiredClaims: {},
};
const user = (claims: object, more: Partial<OidcOptions> = {}) =>
  userOfClaims({ sub: "jane", ...claims }, { ...options, ...more });

describe("oidc", () => {
  test.each<[string, Partial<OidcOptions>, string]>([
    ["by default the issuer's URL", {}, "https://id.example#jane"],
    ["one that was chosen", { usernamePrefix: "id:" }, "id:jane"],
    ["none when told so", { usernamePrefix: "-" }, "jane"],
    ["none for an address", { usernameClaim: "email" }, "jane@example.com"],
  ])("oidc: before the user comes %s", (_, more, name) => {
    expect(user({ email: "jane@example.com" }, more).name).toBe(name);
  });

  test.each([
    [{ groups: ["a", "b"] }, ["id:a", "id:b"]],
    [{ groups: "a" }, ["id:a"]],
    [{}, []],
  ])("oidc: groups of %j", (claims, groups) => {
    expect(user(claims).groups).toEqual(groups);
  });

  test.each<[object, Partial<OidcOptions>, string]>([
    [{}, { usernameClaim: "email" }, 'parse username claims "email": claim not present'],
    [
      { email: "a@b", email_verified: false },
      { usernameClaim: "email" },
      "oidc: email not verified",
    ],
    [{ hd: "x" }, { requiredClaims: { hd: "y" } }, 'required claim hd is not "y"'],
    [{ groups: [1] }, {}, 'parse groups claim "groups"'],
  ])("oidc: %j is refused", (claims, more, why) => {
    expect(() => user(claims, more)).toThrow(why);
  });
});

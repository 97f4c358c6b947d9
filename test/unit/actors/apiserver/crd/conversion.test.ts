import { describe, expect, test } from "vitest";
import { converterOf } from "../../../../../actors/apiserver/crd/conversion.ts";
import { ApiError } from "../../../../../manifests/api-error.ts";
import type { CustomResourceDefinition, KubeObject } from "../../../../../manifests/index.ts";

const definition = {
  metadata: { name: "shirts.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "shirts", kind: "Shirt" },
    versions: [],
    conversion: {
      strategy: "Webhook",
      webhook: { clientConfig: { url: "https://x" }, conversionReviewVersions: ["v2", "v1"] },
    },
  },
} as CustomResourceDefinition;

type Review = { apiVersion: string; request: { uid: string; objects: KubeObject[] } };
type Response = (review: Review) => unknown;

const shirt = (apiVersion: string, name: string): KubeObject => ({
  apiVersion: `example.com/${apiVersion}`,
  kind: "Shirt",
  metadata: { name, uid: `of ${name}`, generation: 3, labels: { a: "1" } },
});

function converter(response: Response, code = 200) {
  const asked: Review[] = [];
  const convert = converterOf(definition, {
    uuid: () => "the-question",
    async ask(_config, body) {
      const review = JSON.parse(new TextDecoder().decode(body)) as Review;
      asked.push(review);
      const answer = { kind: "ConversionReview", response: response(review) };
      return { code, body: new TextEncoder().encode(JSON.stringify(answer)) };
    },
  });
  if (!convert) throw new Error("it converts nothing");
  return { convert, asked };
}

const success = ({ request }: Review, change = (object: KubeObject): unknown => object) => ({
  uid: request.uid,
  result: { status: "Success" },
  convertedObjects: request.objects.map((object) =>
    change({ ...object, apiVersion: "example.com/v2" }),
  ),
});

async function refusalOf(response: Response, code?: number): Promise<string> {
  const { convert } = converter(response, code);
  const error = await convert([shirt("v1", "a")], "example.com/v2").catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ApiError);
  expect((error as ApiError).code).toBe(500);
  return (error as ApiError).message;
}

test("conversion: asks once, for what is not in the version yet, and keeps the order", async () => {
  const { convert, asked } = converter((review) => success(review));
  const objects = [shirt("v1", "a"), shirt("v2", "b"), shirt("v1", "c")];
  const converted = await convert(objects, "example.com/v2");
  expect(converted.map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c"]);
  expect(converted.every(({ apiVersion }) => apiVersion === "example.com/v2")).toBe(true);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    apiVersion: "apiextensions.k8s.io/v1",
    request: { uid: "the-question", desiredAPIVersion: "example.com/v2" },
  });
  expect(asked[0]?.request.objects.map(({ metadata }) => metadata.name)).toEqual(["a", "c"]);
  await convert([shirt("v2", "b")], "example.com/v2");
  expect(asked).toHaveLength(1);
});

test("conversion: of the metadata a webhook changes labels and annotations alone", async () => {
  const { convert } = converter((review) =>
    success(review, (object) => ({
      ...object,
      metadata: { ...object.metadata, generation: 9, finalizers: ["x"], labels: { b: "2" } },
    })),
  );
  const [converted] = await convert([shirt("v1", "a")], "example.com/v2");
  expect(converted?.metadata).toEqual({
    name: "a",
    uid: "of a",
    generation: 3,
    labels: { b: "2" },
  });
});

test("conversion: without a webhook there is none", () => {
  const plain = { ...definition, spec: { ...definition.spec, conversion: { strategy: "None" } } };
  const context = { uuid: () => "", ask: () => Promise.reject(new Error("nobody asks")) };
  expect(converterOf(plain, context)).toBeUndefined();
});

describe("conversion refuses", () => {
  const cases: [string, Response, string][] = [
    [
      "an answer to another question",
      () => ({ uid: "other" }),
      'expected response.uid="the-question", got "other"',
    ],
    [
      "a failure, with its words",
      ({ request }) => ({ uid: request.uid, result: { status: "Failure", message: "no v2 yet" } }),
      "no v2 yet",
    ],
    [
      "fewer objects than it asked for",
      (review) => ({ ...success(review), convertedObjects: [] }),
      "returned 0 objects, expected 1",
    ],
    [
      "another version",
      (review) => success(review, (object) => ({ ...object, apiVersion: "example.com/v3" })),
      "index 0: invalid groupVersion (received example.com/v3, expected example.com/v2)",
    ],
    [
      "another kind",
      (review) => success(review, (object) => ({ ...object, kind: "Hat" })),
      "index 0: invalid kind (received Hat, expected Shirt)",
    ],
    [
      "another object",
      (review) =>
        success(review, (object) => ({ ...object, metadata: { ...object.metadata, uid: "mine" } })),
      "index 0: must have the same uid: of a != mine",
    ],
    ["no object", (review) => success(review, () => null), "index 0: missing metadata"],
  ];
  test.each(cases)("conversion: %s", async (_what, response, words) => {
    const message = await refusalOf(response);
    expect(message).toContain("conversion webhook for example.com/v1, Kind=Shirt failed: ");
    expect(message).toContain(words);
  });

  test("conversion: an error of the server's", async () => {
    expect(await refusalOf((review) => success(review), 503)).toContain("answered with status 503");
  });
});

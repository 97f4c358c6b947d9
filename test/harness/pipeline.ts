/** The API's pipeline on simulated stores, asked directly, as whoever: what admission is tested with. */

import { createAdmission } from "../../actors/apiserver/admission/chain.ts";
import { type AdmissionSettings, plugins } from "../../actors/apiserver/admission/index.ts";
import { createReader } from "../../actors/apiserver/admission/reader.ts";
import { createAuthenticator } from "../../actors/apiserver/authn/authenticator.ts";
import { adminPrincipal, userOfPrincipal } from "../../actors/apiserver/authn/user.ts";
import { createAuthorizer } from "../../actors/apiserver/authz/authorizer.ts";
import { Pages } from "../../actors/apiserver/continue.ts";
import { createCatalog } from "../../actors/apiserver/crd/catalog.ts";
import { askByDialer } from "../../actors/apiserver/crd/conversion.ts";
import { FieldIndexes } from "../../actors/apiserver/field-index.ts";
import { requestFor } from "../../actors/apiserver/local.ts";
import { Objects } from "../../actors/apiserver/objects.ts";
import { createPipeline } from "../../actors/apiserver/pipeline.ts";
import { parseCidr } from "../../actors/apiserver/registry/cidr.ts";
import { createHooks } from "../../actors/apiserver/registry/kinds.ts";
import { createRegistry } from "../../actors/apiserver/registry/registry.ts";
import { type ApiRequest, replyBytes } from "../../actors/apiserver/request.ts";
import { ApiError, type ApiStatus } from "../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../manifests/index.ts";
import { Namespace } from "../../manifests/index.ts";
import { createSimStream } from "../../runtime/sim/journal.ts";
import { createWorld } from "../../runtime/sim/world.ts";
import { openStores } from "../../runtime/store/open.ts";

export interface Answer<T> {
  readonly object: T;
  readonly warnings: readonly string[];
}

export interface TestPipeline {
  ask<T extends KubeObject>(
    verb: ApiRequest["verb"],
    kind: Kind<T>,
    object: KubeObject,
    more?: Partial<ApiRequest> & { as?: string },
  ): Promise<Answer<T>>;
  create<T extends KubeObject>(kind: Kind<T>, object: object, as?: string): Promise<Answer<T>>;
  update<T extends KubeObject>(kind: Kind<T>, object: object, as?: string): Promise<Answer<T>>;
  /** The message with which it is refused. */
  refusal(work: Promise<unknown>): Promise<ApiStatus>;
  close(): Promise<void>;
}

/** May everything but what a master may: no verb that is not the API's own. */
const grantAll = ["create", "update", "patch", "delete", "get", "list"] as const;
/** May make ConfigMaps, and change the approval of certificates. */
const grantMaker = [{ verb: "create", group: "", resource: "configmaps" }] as const;

export async function startPipeline(settings: AdmissionSettings = {}): Promise<TestPipeline> {
  const world = createWorld({ seed: 1 });
  const { clock, random, log } = world;
  const journal = () => createSimStream({ clock, random }).connect();
  const journals = { objects: journal(), events: journal(), leases: journal() };
  const stores = openStores(journals, world);

  async function settle<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const noted = work.finally(() => {
      done = true;
    });
    noted.catch(() => {});
    if (!(await world.run({ until: () => done, maxVirtualMs: 120_000 }))) {
      throw new Error("it took more than two minutes");
    }
    return await noted;
  }

  await world.run({ until: () => stores.ready, maxVirtualMs: 60_000 });
  const serviceCidr = parseCidr("10.96.0.0/16");
  const nodePorts = { first: 30_000, last: 32_767 };
  const all = grantAll.map((verb) => ({ verb, group: "*", resource: "*" }));
  const grants = new Map([
    ["system:wherry:any", all],
    ["system:wherry:maker", [...grantMaker]],
  ]);
  const authorizer = createAuthorizer(grants, stores.objects);
  const objects = new Objects(clock);
  const ask = askByDialer(settings?.dialer, () => reader);
  const registry = createRegistry(
    stores,
    createHooks({ serviceCidr, nodePorts, authorizer }),
    createCatalog({ stores, conversion: { ask, uuid: () => random.uuid() } }),
  );
  const reader = createReader(registry, objects);
  const turn = () => clock.sleep(0);
  const pipeline = createPipeline({
    registry,
    objects,
    admission: createAdmission(plugins(settings)),
    reader,
    indexes: new FieldIndexes({ objects, turn }),
    authorizer,
    authenticator: createAuthenticator({ audiences: [], tokens: [], anonymousAuth: true }),
    tokens: undefined,
    pages: new Pages(clock, random),
    clock,
    random,
    log,
    turn,
    bindAtLedger: () => Promise.reject(new Error("there is no ledger")),
  });

  const test: TestPipeline = {
    async ask(verb, kind, object, { as = adminPrincipal, ...more } = {}) {
      const { namespace = "", name = "" } = object.metadata;
      const reply = await settle(
        pipeline.handle({
          ...requestFor(kind, userOfPrincipal(as)),
          verb,
          namespace: kind.namespaced ? namespace || "default" : "",
          name: verb === "create" && !more.subresource ? "" : name,
          body: new TextEncoder().encode(verb === "get" ? "" : JSON.stringify(object)),
          ...more,
        }),
      );
      // Rules hold from the moment that this API actor's cache knows of them.
      await settle(stores.objects.consistent());
      const answer = JSON.parse(new TextDecoder().decode(replyBytes(reply)));
      return { object: answer, warnings: reply.warnings };
    },
    create: (kind, object, as) =>
      test.ask("create", kind, { metadata: {}, ...object } as KubeObject, { as }),
    update: (kind, object, as) => test.ask("update", kind, object as KubeObject, { as }),
    async refusal(work) {
      try {
        await work;
      } catch (error) {
        if (error instanceof ApiError) return error.status;
        throw error;
      }
      throw new Error("it was not refused");
    },
    close: () => settle(stores.close()),
  };
  for (const name of ["default", "kube-system"])
    await test.create(Namespace, { metadata: { name } });
  return test;
}

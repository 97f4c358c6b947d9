/**
 * API actor: the one room that writes. Both doors, one pipeline, in front of the store.
 *
 * Mailbox  tick                                renews presence, makes what every cluster has
 * Watches  nothing: it reads the store's own view, and everybody else watches through it
 * Owns     watch sessions, pinned pages of lists, parsed objects; all of it may be lost at any time
 * Writes   every kind, for those who may; its own Lease, default/kubernetes and its endpoints, the first namespaces, the default roles
 * Fails    store away: 503 and 504 until it is back. Crash: sessions end, watchers resume at another replica
 * Scales   any number of replicas behind a NATS queue group; nothing is decided by one of them alone
 */

import type { ActorDefinition, Behavior, Context } from "../../runtime/actor.ts";
import { errorMessage } from "../../runtime/errors.ts";
import type { Stores } from "../../runtime/store/open.ts";
import { createApi } from "../kit/client.ts";
import { createInformers, type Informers } from "../kit/informer.ts";
import { owned } from "../kit/owned.ts";
import { createAdmission } from "./admission/chain.ts";
import { type AdmissionSettings, plugins } from "./admission/index.ts";
import { createReader } from "./admission/reader.ts";
import { type Auditor, createAuditor } from "./audit/auditor.ts";
import type { AuditPolicy } from "./audit/policy.ts";
import { type AuditStreamOptions, openAuditStream } from "./audit/stream.ts";
import { type Authenticator, createAuthenticator } from "./authn/authenticator.ts";
import { bootstrapTokens } from "./authn/bootstrap-token.ts";
import { type FetchKeys, type OidcOptions, oidcTokens } from "./authn/oidc.ts";
import { type AccountTokens, serviceAccountTokens } from "./authn/service-account.ts";
import type { Grants } from "./authz/actors.ts";
import { createAuthorizer } from "./authz/authorizer.ts";
import { ensureDefaultPolicy } from "./authz/reconcile.ts";
import { ensureEssentials } from "./bootstrap.ts";
import { type CompactionArgs, compaction } from "./compaction.ts";
import { Pages } from "./continue.ts";
import { createCatalog } from "./crd/catalog.ts";
import { askByDialer } from "./crd/conversion.ts";
import { openManifestsDoor } from "./doors/manifests.ts";
import { openNatsDoor } from "./doors/nats.ts";
import { createSessions } from "./doors/watch-sessions.ts";
import { FieldIndexes } from "./field-index.ts";
import { bindAtLedger } from "./ledger.ts";
import { createLocalApi } from "./local.ts";
import type { LookupContext } from "./lookup.ts";
import { manifestEvents } from "./manifest-events.ts";
import { Objects } from "./objects.ts";
import { createPipeline, type Pipeline, type PipelineContext } from "./pipeline.ts";
import { type Address, Presence, renewMs } from "./presence.ts";
import { parseCidr } from "./registry/cidr.ts";
import { createHooks } from "./registry/kinds.ts";
import { createRegistry } from "./registry/registry.ts";

export interface ApiServerConfig {
  /** One token; unique among the API actors that live, and new for each start of a process. */
  readonly replica: string;
  readonly principal: string;
  readonly stores: Stores;
  readonly grants: Grants;
  readonly serviceCidr: string;
  readonly nodePorts?: { readonly first: number; readonly last: number };
  readonly dnsAddress?: string;
  readonly admission?: AdmissionSettings;
  /** Issues the tokens of ServiceAccounts; without it pods get none, and need no account. */
  readonly tokens?: AccountTokens;
  /** Whether one may ask without credentials; default: yes. */
  readonly anonymousAuth?: boolean;
  /** An OpenID Connect issuer whose tokens are believed. */
  readonly oidc?: { readonly options: OidcOptions; readonly fetchKeys: FetchKeys };
  /** Records requests as the policy wants; without it none, at no cost. */
  readonly audit?: AuditStreamOptions & { readonly policy: AuditPolicy };
  /** The HTTPS door and whatever else needs the world outside; see `doors/edge.ts`. */
  readonly edge?: Edge;
  /** Takes part in telling of every change; `principal` must be granted `ownerWrites`. */
  readonly manifestEvents?: boolean;
  /** Takes part in compacting these streams; wants the same grant. */
  readonly compaction?: CompactionArgs;
}

/** What stands at the edge of an API actor in a real process and is absent in a simulation. */
export interface Edge {
  open(context: Context<ApiServerMessage>, inside: Inside): Promise<OpenEdge>;
}

export interface Inside {
  readonly pipeline: Pipeline;
  readonly context: PipelineContext;
  readonly replica: string;
  /** What the API actor has done since it began, for those who ask whether it is ready. */
  readonly started: { policy: boolean };
  readonly auditor: Auditor | undefined;
}

export interface OpenEdge {
  /** Where pods reach this API actor, when they can. */
  readonly httpsPort: number;
  /** Whose client certificates are believed. */
  readonly clientCa: string;
  readonly address?: Address;
  close(): Promise<void>;
}

export type ApiServerMessage = { type: "tick" };

const defaultNodePorts = { first: 30_000, last: 32_767 };
const retryMs = 500;

export const apiserver: ActorDefinition<ApiServerMessage, ApiServerConfig> = {
  name: "apiserver",
  async start(ctx, config) {
    const inside = createInside(ctx, config);
    const edge = await config.edge?.open(ctx, inside);
    if (edge) ctx.onEnd(() => edge.close());
    const { pipeline } = inside;
    const sessions = createSessions(ctx, pipeline, config.replica);
    const doors = [
      openNatsDoor(ctx, inside, sessions),
      openManifestsDoor(ctx.bus, pipeline, ctx.log),
    ];
    ctx.onEnd(() => {
      for (const door of doors) door.unsubscribe();
      sessions.close();
      inside.context.pages.close();
    });
    spawnOwned(ctx, config, inside);
    return new ApiServer(ctx, config, inside, edge);
  },
};

class ApiServer implements Behavior<ApiServerMessage> {
  readonly #ctx: Context<ApiServerMessage>;
  readonly #ensure: () => Promise<void>;
  readonly #ensurePolicy: () => Promise<void>;
  readonly #presence: Presence;

  constructor(
    ctx: Context<ApiServerMessage>,
    config: ApiServerConfig,
    { pipeline, started }: Inside,
    edge: OpenEdge | undefined,
  ) {
    this.#ctx = ctx;
    const api = createLocalApi(pipeline, config.principal);
    const { dnsAddress } = config;
    const serviceCidr = parseCidr(config.serviceCidr);
    const { httpsPort, clientCa } = edge ?? {};
    const essentials = { serviceCidr, dnsAddress, httpsPort, clientCa };
    this.#ensure = () => ensureEssentials(api, essentials);
    this.#ensurePolicy = async () => {
      if (started.policy) return;
      await ensureDefaultPolicy(api);
      started.policy = true;
    };
    this.#presence = new Presence(api, ctx.clock, config.replica, edge?.address);
    ctx.self.tell({ type: "tick" });
  }

  async receive(message: ApiServerMessage): Promise<void> {
    let nextMs = renewMs;
    try {
      await this.#ensure();
      await this.#presence.tick();
      await this.#ensurePolicy();
    } catch (error) {
      nextMs = retryMs;
      this.#ctx.log.debug("Could not make or renew what every cluster has", {
        error: errorMessage(error),
      });
    }
    this.#ctx.after(nextMs, message);
  }

  async stop(): Promise<void> {
    // Without NATS a write waits for its return; the lease runs out by itself.
    if (!this.#ctx.bus.connected) return;
    try {
      await this.#presence.leave();
    } catch (error) {
      // The store may be gone first; the lease then runs out by itself.
      this.#ctx.log.debug("Could not leave", { error: errorMessage(error) });
    }
  }
}

/**
 * What one API actor does for all of them. Each owns its place like any other actor: by a Lease and
 * an Epoch, over the NATS door.
 */
function spawnOwned(
  ctx: Context<ApiServerMessage>,
  config: ApiServerConfig,
  { context: { registry, objects } }: Inside,
): void {
  const { principal, replica: identity, stores } = config;
  if (!config.manifestEvents && !config.compaction) return;
  const candidate = { identity, principal, informers: openInformers(ctx, principal) };
  if (config.manifestEvents) {
    ctx.spawn(
      owned(manifestEvents),
      {
        ...candidate,
        name: "manifest-events",
        args: (ownership) => ({ stores, registry, objects, ownership }),
      },
      { name: "manifest-events" },
    );
  }
  if (config.compaction) {
    const args = config.compaction;
    const name = "compaction";
    ctx.spawn(owned(compaction), { ...candidate, name, args: () => args }, { name });
  }
}

function openInformers(ctx: Context<ApiServerMessage>, principal: string): Informers {
  const { bus, clock, log } = ctx;
  const api = createApi(bus, clock, { principal, writes: [] });
  const informers = createInformers(api, { clock, log });
  ctx.onEnd(() => informers.close());
  return informers;
}

function createInside(ctx: Context<ApiServerMessage>, config: ApiServerConfig): Inside {
  const { stores, grants, replica, principal } = config;
  const { clock, random, log } = ctx;
  const nodePorts = config.nodePorts ?? defaultNodePorts;
  const serviceCidr = parseCidr(config.serviceCidr);
  const { tokens } = config;
  const authorizer = createAuthorizer(grants, stores.objects);
  const registry = createRegistry(
    stores,
    createHooks({ serviceCidr, nodePorts, authorizer }),
    createCatalog({
      stores,
      conversion: {
        ask: askByDialer(config.admission?.dialer, () => reader),
        uuid: () => random.uuid(),
      },
    }),
  );
  const objects = new Objects(clock);
  const authenticator = openAuthenticator(config, { registry, objects, clock });
  const reader = createReader(registry, objects);
  const turn = () => clock.sleep(0);
  const context: PipelineContext = {
    registry,
    objects,
    admission: createAdmission(
      plugins({ ...config.admission, accounts: tokens && { clock, random } }),
    ),
    reader,
    indexes: new FieldIndexes({ objects, turn }),
    authorizer,
    authenticator,
    tokens,
    pages: new Pages(clock, random),
    clock,
    random,
    log,
    turn,
    bindAtLedger: (pod, node) => bindAtLedger(ctx.bus, principal, pod, node),
  };
  const pipeline = createPipeline(context);
  const auditor = openAuditor(ctx, config);
  return { pipeline, context, replica, auditor, started: { policy: false } };
}

function openAuditor(
  ctx: Context<ApiServerMessage>,
  { audit }: ApiServerConfig,
): Auditor | undefined {
  if (!audit) return undefined;
  const stream = openAuditStream(ctx, audit);
  ctx.onEnd(() => stream.close());
  const { clock, random } = ctx;
  return createAuditor({
    policy: audit.policy,
    clock,
    random,
    emit: (event) => stream.emit(event),
  });
}

/** The order is upstream's: the first that knows a token wins. */
function openAuthenticator(
  { tokens, oidc, anonymousAuth = true }: ApiServerConfig,
  context: LookupContext & Pick<Context<never>, "clock">,
): Authenticator {
  return createAuthenticator({
    audiences: tokens ? [tokens.issuer] : [],
    tokens: [
      ...(tokens ? [serviceAccountTokens(tokens, context)] : []),
      bootstrapTokens(context),
      ...(oidc ? [oidcTokens(oidc.options, oidc.fetchKeys, context.clock)] : []),
    ],
    anonymousAuth,
  });
}

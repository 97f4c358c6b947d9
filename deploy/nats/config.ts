/** The configuration file of nats-server. Pure: the same options make the same text. */
import { type Permissions, permissionsOf, principalOf, type Role } from "./roles.ts";

export interface NatsUser {
  readonly role: Role;
  /** Public half of the user's nkey; the server never learns the other. */
  readonly publicKey: string;
}

export interface NatsConfigOptions {
  readonly serverName: string;
  readonly host: string;
  readonly port: number;
  readonly storeDir: string;
  readonly users: readonly NatsUser[];
  /** Administration of the server itself; sees no messages. */
  readonly systemPublicKey: string;
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
}

export const maxPayloadBytes = 8 * 1024 * 1024;

type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };

export function renderNatsConfig(options: NatsConfigOptions): string {
  return [
    `# Written by Wherry at each start; changes made here are lost.`,
    ...render({
      server_name: options.serverName,
      listen: `${options.host}:${options.port}`,
      max_payload: maxPayloadBytes,
      ping_interval: "20s",
      // A process with a thousand hollow nodes has to sign for all of them when it comes back to a
      // server that was away, and the last has its turn long after the default of two seconds.
      authorization: { timeout: 60 },
      ...(options.tls
        ? {
            tls: {
              cert_file: options.tls.certFile,
              key_file: options.tls.keyFile,
              ca_file: options.tls.caFile,
            },
          }
        : {}),
      jetstream: {
        store_dir: options.storeDir,
        // An acknowledged write is on the disk: the store's promise stands on this line.
        sync_interval: "always",
      },
      accounts: {
        WHERRY: {
          jetstream: "enabled",
          users: options.users.map((user) => ({
            nkey: user.publicKey,
            permissions: permissionBlock(permissionsOf(user.role)),
          })),
        },
        SYSTEM: { users: [{ nkey: options.systemPublicKey }] },
      },
      system_account: "SYSTEM",
    }),
    "",
  ].join("\n");
}

/** For people who read the file: which key is whose. */
export function describeUsers(users: readonly NatsUser[]): string {
  return users.map((user) => `# ${user.publicKey} ${principalOf(user.role)}\n`).join("");
}

function permissionBlock(permissions: Permissions): Value {
  return {
    publish: { allow: permissions.publish },
    subscribe: { allow: permissions.subscribe },
    // Half a minute covers the slowest answer; NATS forgets the permission afterwards.
    ...(permissions.responses ? { allow_responses: { max: 1, expires: "30s" } } : {}),
  };
}

function render(block: { readonly [key: string]: Value }, indent = ""): string[] {
  return Object.entries(block).flatMap(([key, value]) => {
    const [first = "", ...rest] = renderValue(value, indent);
    return [`${indent}${key}: ${first}`, ...rest];
  });
}

/** The first line goes behind the key, the others below it. */
function renderValue(value: Value, indent: string): string[] {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = (value as readonly Value[]).flatMap((item) => {
      const [first = "", ...rest] = renderValue(item, deeper);
      return [`${deeper}${first}`, ...rest];
    });
    return ["[", ...items, `${indent}]`];
  }
  if (typeof value === "object") {
    return ["{", ...render(value as { readonly [key: string]: Value }, deeper), `${indent}}`];
  }
  return [JSON.stringify(value)];
}

/** What every role of a process is started with. */
import type { AdmissionSettings } from "../actors/apiserver/admission/index.ts";
import type { Log } from "../runtime/log.ts";
import type { System } from "../runtime/supervisor.ts";
import type { Certificates } from "./certificates.ts";
import type { Cidr } from "./cidr.ts";
import type { ClusterIdentity } from "./identity.ts";
import type { NodePlace } from "./places.ts";
import type { SecurityOptions } from "./security-options.ts";
import type { Connections } from "./world.ts";

export interface Site {
  readonly identity: ClusterIdentity;
  readonly dataDir: string;
  readonly listen: string;
  readonly httpsPort: number;
  readonly podCidr: Cidr;
  readonly serviceCidr: Cidr;
  readonly clusterDomain: string;
  readonly security: SecurityOptions;
  readonly admission?: AdmissionSettings;
  /** All nodes of this data folder. */
  readonly places: readonly NodePlace[];
  /** Pods reach this machine by the gateway of its first node; undefined with hollow nodes. */
  readonly podSide: string | undefined;
  readonly certificates: Certificates;
  readonly connections: Connections;
  readonly system: System;
  readonly log: Log;
}

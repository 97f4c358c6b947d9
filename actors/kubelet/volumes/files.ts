/**
 * The port to the node's disk: the folder of each pod, its volumes and the files that the kubelet
 * gives containers. `disk.ts` is the real one, `memory.ts` the one of hollow nodes.
 */

export interface PodFiles {
  /** Makes a volume, or brings it up to date; resolves with its path on the machine. */
  ensureVolume(uid: string, name: string, content: VolumeContent): Promise<string>;
  /** Makes a folder inside a volume, for a subPath that is not there yet. */
  ensureSubPath(uid: string, volumePath: string, subPath: string): Promise<void>;
  /** Writes a file of the kubelet's own, keeping its identity if it exists; gives its path. */
  writeFile(uid: string, name: string, text: string, mode?: number): Promise<string>;
  /** The end of such a file, at most `bytes`; empty when there is none. */
  readTail(uid: string, name: string, bytes: number): Promise<string>;
  /** Removes all of the pod. */
  removePod(uid: string): Promise<void>;
  /** Uids of the pods that have a folder. */
  listPods(): Promise<string[]>;
}

export type VolumeContent =
  | { type: "empty"; medium: "" | "Memory"; sizeBytes?: number }
  /** The API's words for what must be there, or may be made: Directory, FileOrCreate, … */
  | { type: "host-path"; path: string; check: string }
  | { type: "files"; files: VolumeFile[] };

export interface VolumeFile {
  /** Relative; may hold slashes. */
  path: string;
  data: Uint8Array;
  mode: number;
}

/** The volume cannot be made as asked: a FailedMount event with this message, then another try. */
export class VolumeError extends Error {
  override name = "VolumeError";
}

/** The disk of a hollow node: remembers what was made, and touches nothing. */

import type { PodFiles, VolumeContent } from "./files.ts";

export class MemoryFiles implements PodFiles {
  readonly #pods = new Map<string, Map<string, string | VolumeContent>>();

  async ensureVolume(uid: string, name: string, content: VolumeContent): Promise<string> {
    if (content.type === "host-path") return content.path;
    this.#pod(uid).set(`volumes/${name}`, content);
    return `/hollow/${uid}/volumes/${name}`;
  }

  async ensureSubPath(): Promise<void> {}

  async writeFile(uid: string, name: string, text: string): Promise<string> {
    this.#pod(uid).set(name, text);
    return `/hollow/${uid}/${name}`;
  }

  async readTail(uid: string, name: string, bytes: number): Promise<string> {
    const file = this.#pods.get(uid)?.get(name);
    return typeof file === "string" ? file.slice(-bytes) : "";
  }

  async removePod(uid: string): Promise<void> {
    this.#pods.delete(uid);
  }

  async listPods(): Promise<string[]> {
    return [...this.#pods.keys()];
  }

  /** What a volume was last given, for tests. */
  volume(uid: string, name: string): VolumeContent | undefined {
    const content = this.#pods.get(uid)?.get(`volumes/${name}`);
    return typeof content === "object" ? content : undefined;
  }

  #pod(uid: string): Map<string, string | VolumeContent> {
    const known = this.#pods.get(uid);
    if (known) return known;
    const pod = new Map<string, string | VolumeContent>();
    this.#pods.set(uid, pod);
    return pod;
  }
}

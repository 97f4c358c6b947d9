/** The port to what a node is made of; `hollowMachine` is the machine of hollow nodes. */

export interface MachineInfo {
  cpus: number;
  memoryBytes: number;
  ephemeralStorageBytes: number;
  hostname: string;
  machineID: string;
  bootID: string;
  kernelVersion: string;
  osImage: string;
  /** As Go names it: `amd64`. */
  architecture: string;
}

export function hollowMachine(name: string): MachineInfo {
  return {
    cpus: 32,
    memoryBytes: 256 * 2 ** 30,
    ephemeralStorageBytes: 2 ** 40,
    hostname: name,
    machineID: name,
    bootID: name,
    kernelVersion: "hollow",
    osImage: "hollow",
    architecture: "amd64",
  };
}

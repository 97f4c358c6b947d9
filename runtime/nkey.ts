/**
 * NATS keys by Node's own Ed25519. The client's, in JavaScript, takes several milliseconds for a
 * signature: a process that connects a thousand nodes felt it. Layout: NATS ADR-14.
 */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import type { Authenticator } from "nats";

export interface Nkey {
  /** `U…` for a user. */
  readonly publicKey: string;
  sign(data: Uint8Array): Uint8Array;
}

/** What stands before the 32 bytes of an Ed25519 secret in PKCS #8. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

/** Throws for what is no seed (`S…`). */
export function nkeyOf(seed: string): Nkey {
  // Two bytes say what it is the seed of, 32 are the secret, two the checksum.
  const bytes = decodeBase32(seed);
  const [first = 0, second = 0] = bytes;
  if (bytes.length !== 36 || crc16(bytes.subarray(0, 34)) !== bytes.readUInt16LE(34)) {
    throw new Error("not the seed of a NATS key");
  }
  const der = Buffer.concat([pkcs8Prefix, bytes.subarray(2, 34)]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const raw = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32);
  const kind = ((first & 0b111) << 5) | (second >> 3);
  const named = Buffer.concat([Buffer.of(kind), raw]);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc16(named));
  return {
    publicKey: encodeBase32(Buffer.concat([named, checksum])),
    sign: (data) => sign(null, data, privateKey),
  };
}

/** Answers the server's challenge. */
export function nkeyAuthenticator(seed: string): Authenticator {
  const { publicKey, sign } = nkeyOf(seed);
  return (nonce) => {
    const signature = nonce === undefined ? undefined : sign(Buffer.from(nonce));
    return { nkey: publicKey, sig: signature ? Buffer.from(signature).toString("base64url") : "" };
  };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function encodeBase32(bytes: Uint8Array): string {
  let [text, bits, value] = ["", 0, 0];
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text;
}

function decodeBase32(text: string): Buffer {
  const bytes: number[] = [];
  let [bits, value] = [0, 0];
  for (const letter of text) {
    value = ((value << 5) | alphabet.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

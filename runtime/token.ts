/** How any text becomes one token of a NATS subject or a store key, and stays readable. */

/** Keeps `[A-Za-z0-9_-]`; every other byte of the UTF-8 form becomes `=XX`; empty becomes `_`. */
export function encodeToken(text: string): string {
  if (text === "") return "_";
  if (/^[A-Za-z0-9_-]+$/.test(text) && text !== "_") return text;
  let token = "";
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    const kept = /[A-Za-z0-9_-]/.test(char) && text !== "_";
    token += kept ? char : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

export function decodeToken(token: string): string {
  if (token === "_") return "";
  const bytes: number[] = [];
  for (let at = 0; at < token.length; at++) {
    if (token[at] === "=") {
      bytes.push(Number.parseInt(token.slice(at + 1, at + 3), 16));
      at += 2;
    } else bytes.push(token.charCodeAt(at));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

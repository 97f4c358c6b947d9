/** Defaults by type name. Each function changes its argument, which is fresh from decoding, and nothing else. */
export type DefaultTable = Readonly<Record<string, (value: never) => void>>;

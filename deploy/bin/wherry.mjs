#!/usr/bin/env node
// The command line: `npx wherry <command>`.
import { ensureBundle } from "./prepare.mjs";

const { main } = await import(await ensureBundle());
await main(process.argv.slice(2));

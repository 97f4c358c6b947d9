// `npm start`: set-up of what is missing, then `wherry up` in the foreground.
import { ensureBundle } from "./prepare.mjs";

const { main } = await import(await ensureBundle());
await main(["up", ...process.argv.slice(2)]);

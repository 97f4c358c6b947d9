/** Bootstrap tokens: what a machine shows that asks for its first certificate. */

import { Secret } from "../../../manifests/index.ts";
import {
  bootstrapSecretName,
  bootstrapTokenNamespace,
  parseBootstrapToken,
  readBootstrapToken,
} from "../../../manifests/kinds/bootstrap-token.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { sameSecret } from "../../../runtime/token-keys.ts";
import { type LookupContext, lookup } from "../lookup.ts";
import { type TokenAuthenticator, TokenError } from "./authenticator.ts";

const group = "system:bootstrappers";

/** k8s: plugin/pkg/auth/authenticator/token/bootstrap. */
export function bootstrapTokens(
  context: LookupContext & { readonly clock: Clock },
): TokenAuthenticator {
  return async (text, audiences) => {
    const shown = parseBootstrapToken(text);
    if (!shown) return undefined;
    const place = { namespace: bootstrapTokenNamespace, name: bootstrapSecretName(shown.id) };
    const secret = await lookup(context, Secret, place);
    const known = secret && !secret.metadata.deletionTimestamp && readBootstrapToken(secret);
    if (!known || !sameSecret(known.secret, shown.secret)) return undefined;
    if (known.expires !== undefined && known.expires <= context.clock.now()) {
      throw new TokenError("bootstrap token has expired");
    }
    if (!known.authenticates) throw new TokenError("bootstrap token is not for authentication");
    const user = { name: `system:bootstrap:${known.id}`, groups: [group, ...known.groups] };
    return { user, audiences };
  };
}

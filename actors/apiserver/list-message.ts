/**
 * A list as protobuf, without having it whole. An envelope says before all else how long it is, so the
 * items are measured first and made again when they are sent; those of a list that is not too long
 * are still in the cache by then (`Objects.message`).
 */

import {
  encodeMessage,
  envelopeAround,
  fieldHead,
  type TypeMeta,
} from "../../manifests/protobuf/index.ts";

const metadataNumber = 1;
const itemsNumber = 2;
/** So that who sends the parts can let others have a turn. */
const nothing = new Uint8Array();

export function* listMessage<T>(
  { metadata, ...type }: TypeMeta & { readonly metadata: object },
  entries: readonly T[],
  item: (entry: T) => Uint8Array,
): Generator<Uint8Array> {
  let bytes = 0;
  for (const entry of entries) {
    const { length } = item(entry);
    bytes += fieldHead(itemsNumber, length).length + length;
    yield nothing;
  }
  const listMeta = encodeMessage("meta.v1.ListMeta", metadata);
  const metaHead = fieldHead(metadataNumber, listMeta.length);
  const { head, tail } = envelopeAround(type, metaHead.length + listMeta.length + bytes);
  yield Buffer.concat([head, metaHead, listMeta]);
  for (const entry of entries) {
    const message = item(entry);
    yield fieldHead(itemsNumber, message.length);
    yield message;
  }
  yield tail;
}

/** A patch that cannot be applied: the fault of who sent it. */

/** 400: it is no patch; 413: it is too much; 422: it does not fit the object. */
export type PatchErrorCode = 400 | 413 | 422;

export class PatchError extends Error {
  override name = "PatchError";
  readonly code: PatchErrorCode;

  constructor(message: string, code: PatchErrorCode = 400, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

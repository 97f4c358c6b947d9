/** A patch that cannot be applied: the fault of who sent it. */
export class PatchError extends Error {
  override name = "PatchError";
  /** 400 for a patch that is none, 422 for one that does not fit the object. */
  readonly code: 400 | 422;

  constructor(message: string, code: 400 | 422 = 400, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

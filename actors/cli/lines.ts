/** The lines of a body as they arrive; a last one without its line end counts too. */
export async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const chunk of body) {
    buffered += decoder.decode(chunk, { stream: true });
    const complete = buffered.split("\n");
    buffered = complete.pop() ?? "";
    yield* complete.filter((line) => line !== "");
  }
  if (buffered !== "") yield buffered;
}

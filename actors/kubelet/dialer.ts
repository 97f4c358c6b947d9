/** The port to the pods' network: probes and port-forward go through it. Hollow nodes have their own. */

export interface Dialer {
  /** Rejects when there is no answer in time; redirects to other hosts are not followed. */
  httpGet(request: HttpProbe, timeoutMs: number): Promise<{ status: number; body: string }>;
  connect(host: string, port: number, timeoutMs: number): Promise<Connection>;
}

export interface HttpProbe {
  scheme: "http" | "https";
  host: string;
  port: number;
  path: string;
  headers: [string, string][];
}

export interface Connection {
  /** Ends when the other side has sent all. */
  output: AsyncIterable<Uint8Array>;
  write(data: Uint8Array): Promise<void>;
  /** We have sent all. */
  end(): void;
  close(): void;
}

/** What hollow nodes dial: everything is there, answers 200 and says nothing. */
export const hollowDialer: Dialer = {
  httpGet: async () => ({ status: 200, body: "" }),
  connect: async () => ({
    output: (async function* () {})(),
    write: async () => {},
    end: () => {},
    close: () => {},
  }),
};

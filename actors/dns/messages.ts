/** The DNS actor's mailbox. */
export interface DnsMessage {
  type: "announce";
}

/** A client as CLIENT LIST, CLIENT INFO and ACL LOG show it. */
import { bytesOfWords, type Client, memoryOf, queuedRequestBytes } from "./Client.ts"

/** Whose command runs, with what words, and when: a request that runs is kept nowhere else. */
export interface Running {
  readonly client: Client
  readonly argv: ReadonlyArray<string>
  readonly now: number
}

/**
 * One line of CLIENT LIST. Answers are collected in a string that is as large as what is in it, so `rbs` is what `obl` is; `oll` counts
 * what the socket has not sent as one piece.
 */
export const describe = (client: Client, { argv, client: running, now }: Running): string => {
  const { transaction } = client
  const { input, inputFree, incomplete, unsent, unsentPeak, queued, reading } = client.buffers(client === running)
  const argumentBytes = bytesOfWords(client === running ? argv : client.argv) + incomplete
  const fields: ReadonlyArray<readonly [string, string | number]> = [
    ["id", client.id],
    ["addr", client.address],
    ["laddr", client.localAddress],
    ["fd", client.fd],
    ["name", client.name],
    ["age", Math.floor((now - client.createdAtMs) / 1000)],
    ["idle", Math.floor((now - client.lastActiveAtMs) / 1000)],
    ["flags", client.flags],
    ["db", client.db.index],
    ["sub", client.channels.size],
    ["psub", client.patterns.size],
    ["ssub", client.shardChannels.size],
    ["multi", transaction === undefined ? -1 : transaction.queue.length],
    ["qbuf", input],
    ["qbuf-free", inputFree],
    ["argv-mem", argumentBytes],
    ["multi-mem", queuedRequestBytes(client)],
    ["rbs", unsent],
    ["rbp", unsentPeak],
    ["obl", unsent],
    ["oll", queued > 0 ? 1 : 0],
    ["omem", queued],
    ["tot-mem", memoryOf(client)],
    ["events", `${reading ? "r" : ""}${queued > 0 ? "w" : ""}`],
    ["cmd", client.lastCommand],
    ["user", client.user.name],
    ["redir", client.tracking === undefined ? -1 : client.tracking.redirect],
    ["resp", client.protocol],
    ["lib-name", client.libName],
    ["lib-ver", client.libVersion],
  ]
  return fields.map(([name, value]) => `${name}=${value}`).join(" ")
}

/**
 * The fuzzer for conversations: several connections at once, with MULTI, WATCH, blocking commands, subscriptions and client-side
 * caching, to a server of ours and to redis-server. What each connection receives, and when, must be the same; so must what CLIENT LIST
 * says of them after each turn, and in the end the data and what INFO has counted.
 *
 * The idea to hold: after each request the servers are asked whether its client is blocked now; only then the next request
 * goes out. So both see the same order of requests, and nothing is a race.
 */
import * as fc from "fast-check"
import type { TestClient } from "../support/TestServer.ts"
import { formatReply } from "../support/Transcript.ts"
import { connections, request } from "./ConversationRequests.ts"

/** One request on one of the connections. */
interface Turn {
  readonly connection: number
  readonly request: ReadonlyArray<string>
}

const turn: fc.Arbitrary<Turn> = fc.record({ connection: fc.nat(connections - 1), request })

/** What must be equal in CLIENT LIST. */
const clientFields = ["flags", "db", "sub", "psub", "ssub", "multi", "cmd", "resp"]
/** What must be equal in INFO, of what does not depend on how often the fuzzer asks. */
const counted =
  /^(expired_keys|keyspace_hits|keyspace_misses|pubsub_channels|pubsub_patterns|pubsubshard_channels|tracking_total_\w+|blocked_clients|tracking_clients|total_error_replies|errorstat_\w+|db\d+|cmdstat_(?!ping|client.list|client.id|info|debug|config|hello).*):/

const text = async (reply: ReturnType<TestClient["run"]>): Promise<string> => {
  const answer = await reply
  return answer._tag === "Bulk" || answer._tag === "Verbatim" ? answer.value : formatReply(answer).join("\n")
}

interface Numbered {
  readonly client: TestClient
  readonly id: string
}

/** One server, with a connection to look at it and those that take turns. */
class Side {
  readonly #control: TestClient
  readonly #clients: ReadonlyArray<Numbered>

  private constructor(control: TestClient, clients: ReadonlyArray<Numbered>) {
    this.#control = control
    this.#clients = clients
  }

  static async open(connect: () => Promise<TestClient>): Promise<Side> {
    const control = await connect()
    const clients: Array<Numbered> = []
    for (let i = 0; i < connections; i++) {
      const client = await connect()
      clients.push({ client, id: (await text(client.run("CLIENT", "ID"))).slice(1) })
    }
    await control.run("FLUSHALL")
    await control.run("CONFIG", "SET", "notify-keyspace-events", "KEAnm")
    await control.run("CONFIG", "RESETSTAT")
    return new Side(control, clients)
  }

  async #lines(): Promise<ReadonlyArray<string>> {
    const list = (await text(this.#control.run("CLIENT", "LIST"))).split("\n")
    return this.#clients.map(({ id }) => list.find((line) => line.startsWith(`id=${id} `)) ?? "")
  }

  async isBlocked(index: number): Promise<boolean> {
    return /flags=\w*b/.test((await this.#lines())[index]!)
  }

  /** Sends a request and waits until it is answered or its client blocks; returns all that has arrived, by connection. */
  async take({ connection, request }: Turn): Promise<string> {
    const { client } = this.#clients[connection]!
    client.send(
      ...request.map((word) => (word.startsWith("$") && word !== "$" ? this.#clients[Number(word[1])]!.id : word)),
    )
    while (client.arrived().length === 0 && !(await this.isBlocked(connection)));
    return this.drain()
  }

  async drain(): Promise<string> {
    // Whoever was served meanwhile has its reply before this one comes.
    const list = await this.#lines()
    await new Promise((resolve) => setImmediate(resolve))
    const lines: Array<string> = []
    for (const [i, { client }] of this.#clients.entries()) {
      while (client.arrived().length > 0) lines.push(`${i}: ${this.#masked(formatReply(await client.receive()))}`)
    }
    for (const [i, line] of list.entries()) {
      lines.push(`${i} is ${clientFields.map((name) => new RegExp(` ${name}=\\S*`).exec(line)?.[0] ?? "").join("")}`)
    }
    return lines.join("\n")
  }

  /** HELLO says who answers. */
  #masked(lines: ReadonlyArray<string>): string {
    return lines.some((line) => line.trim() === '"server"') ? "hello" : lines.join(" ")
  }

  async end(): Promise<string> {
    await this.#control.run("CLIENT", "UNPAUSE")
    // What was held back is served before the next request.
    await new Promise((resolve) => setImmediate(resolve))
    for (const { id } of this.#clients) await this.#control.run("CLIENT", "UNBLOCK", id, "ERROR")
    const last = await this.drain()
    const info = (await text(this.#control.run("INFO", "everything"))).split("\r\n")
    const keys = await text(this.#control.run("DEBUG", "DIGEST"))
    for (const { client } of this.#clients) client.destroy()
    this.#control.destroy()
    const counts = info
      .filter((line) => counted.test(line))
      .map((line) => line.replace(/,avg_ttl=.*|usec=\d+,usec_per_call=[\d.]+,/, ""))
    return [last, keys, ...counts.sort()].join("\n")
  }
}

export interface Options {
  readonly seed: number
  readonly commands: number
  readonly ours: () => Promise<TestClient>
  readonly theirs: () => Promise<TestClient>
}

const turnsPerCase = 40

const differences = (expected: string, actual: string): string => {
  const [theirs, ours] = [expected.split("\n"), actual.split("\n")]
  return [
    ...theirs.filter((line) => !ours.includes(line)).map((line) => `- ${line}`),
    ...ours.filter((line) => !theirs.includes(line)).map((line) => `+ ${line}`),
    ...(theirs.length === ours.length ? [] : [`${theirs.length} lines and ${ours.length}`]),
  ].join("\n")
}

/** Throws with the counterexample when the servers differ. */
export const compareConversations = ({ seed, commands, ours, theirs }: Options): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 2 * turnsPerCase }), async (turns) => {
      const mine = await Side.open(ours)
      const real = await Side.open(theirs)
      const transcript: Array<string> = []
      const check = (actual: string, expected: string) => {
        if (actual === expected) return
        throw new Error(`replies differ after\n${transcript.join("\n")}\nby\n${differences(expected, actual)}`)
      }
      let failed = true
      let paused = false
      try {
        for (const one of turns) {
          // A parked connection takes no turn; the other side would say so in its next reply.
          if (await real.isBlocked(one.connection)) continue
          // CLIENT UNBLOCK of a client that a pause holds back ends redis-server 7.0.15 with a failed assertion.
          paused ||= one.request[1] === "PAUSE"
          if (paused && one.request[1] === "UNBLOCK") continue
          const [actual, expected] = [await mine.take(one), await real.take(one)]
          transcript.push(`${one.connection}> ${one.request.join(" ")}`, expected.replace(/\n?\d is .*/g, ""))
          check(actual, expected)
        }
        failed = false
      } finally {
        const [actual, expected] = [await mine.end(), await real.end()]
        if (!failed) check(actual, expected)
      }
    }),
    { seed, numRuns: Math.max(1, Math.round(commands / turnsPerCase)) },
  )

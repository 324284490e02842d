/**
 * A master under Sentinel is killed while clients write, and what replicas had acknowledged is held against what the promoted one has.
 *
 * The idea to hold: a number counts as safe when WAIT has said that both replicas have it. Sentinel may promote either of them, so
 * every such number must be there; and whoever comes back, or followed the dead master, must end up with the same data.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Reply } from "../../src/codec/Reply.ts"
import { connectTcp, freePort } from "../support/RealServer.ts"
import type { TestClient } from "../support/TestServer.ts"
import { type Child, kill, sleep, startProcess } from "./Child.ts"

export interface FailoverOptions {
  readonly rounds: number
  /** The built server. */
  readonly main: string
  readonly report: (line: string) => void
}

const limitMs = 60_000
const loadMs = 2000

/** Asks again until there is an answer. */
const until = async <A>(what: string, ask: () => Promise<A | undefined>): Promise<A> => {
  const end = performance.now() + limitMs
  for (;;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new Error(`${what}: not within ${limitMs / 1000} seconds`)
    await sleep(100)
  }
}

const withClient = async <A>(port: number, body: (client: TestClient) => Promise<A>): Promise<A> => {
  const client = await connectTcp(port)
  try {
    return await body(client)
  } finally {
    client.destroy()
  }
}

const textsOf = (reply: Reply): ReadonlyArray<string> =>
  reply._tag === "Array" ? reply.values.flatMap(textsOf) : "value" in reply ? [String(reply.value)] : []

/** Writes growing numbers until the connection breaks; gives the greatest that both replicas had. */
const write = async (port: number, key: string): Promise<number> => {
  const client = await connectTcp(port)
  let safe = 0
  for (let number = 1; ; number++) {
    client.send("SET", key, String(number))
    client.send("RPUSH", `${key}:list`, String(number))
    client.send("WAIT", "2", "1000")
    const answers = await Promise.all([client.receive(), client.receive(), client.receive()]).catch(() => undefined)
    if (answers === undefined) return safe
    const [, , acknowledged] = answers
    if (acknowledged._tag === "Int" && Number(acknowledged.value) === 2) safe = number
  }
}

const round = async (home: string, main: string): Promise<string> => {
  const [sentinelPort, ...ports] = await Promise.all(Array.from({ length: 4 }, freePort))
  const startServer = async (port: number, ...lines: ReadonlyArray<string>): Promise<Child> => {
    const dir = join(home, String(port))
    const file = join(dir, "server.conf")
    if (lines.length > 0) {
      mkdirSync(dir)
      writeFileSync(file, [`port ${port}`, `dir ${dir}`, "repl-diskless-sync-delay 0", ...lines, ""].join("\n"))
    }
    return startProcess(process.execPath, [main, file], port)
  }
  const children = new Map<number, Child>()
  const [first, ...others] = ports as [number, number, number]
  try {
    children.set(first, await startServer(first, 'save ""'))
    for (const port of others) children.set(port, await startServer(port, 'save ""', `replicaof 127.0.0.1 ${first}`))
    const file = join(home, "sentinel.conf")
    const lines = [`port ${sentinelPort}`, `sentinel monitor m 127.0.0.1 ${first} 1`]
    const patience = ["sentinel down-after-milliseconds m 1000", "sentinel failover-timeout m 10000"]
    writeFileSync(file, [...lines, ...patience, ""].join("\n"))
    children.set(sentinelPort!, await startProcess("redis-server", [file, "--sentinel"], sentinelPort!))
    const sentinel = (...words: ReadonlyArray<string>) =>
      withClient(sentinelPort!, async (client) => textsOf(await client.run("SENTINEL", ...words)))

    await until("Sentinel finds both replicas", async () => {
      const found = await sentinel("replicas", "m")
      return found.filter((word) => word === "master-link-status").length === 2 && !found.includes("err")
        ? 1
        : undefined
    })
    const writers = ["a", "b", "c", "d"].map((key) => write(first, key))
    await sleep(loadMs)
    await kill(children.get(first)!)
    const safe = await Promise.all(writers)

    const promoted = await until("Sentinel promotes a replica", async () => {
      const port = Number((await sentinel("get-master-addr-by-name", "m"))[1])
      return port === first ? undefined : port
    })
    await until("it is a master", () =>
      withClient(promoted, async (client) => (textsOf(await client.run("ROLE"))[0] === "master" ? 1 : undefined)),
    )
    for (const [i, key] of ["a", "b", "c", "d"].entries()) {
      const [number, length] = await withClient(promoted, async (client) => [
        Number(textsOf(await client.run("GET", key))[0]),
        Number(textsOf(await client.run("LLEN", `${key}:list`))[0]),
      ])
      const said = `${key}: ${safe[i]} had been acknowledged by both replicas, the promoted one has ${number} and ${length}`
      if (!(number! >= safe[i]! && (length === number || length === number! - 1))) throw new Error(said)
    }
    // The old master comes back, and is told to follow.
    children.set(first, await startServer(first))
    await withClient(promoted, (client) => client.run("SET", "after", "1"))
    const digestOf = (port: number) =>
      withClient(port, async (client) => textsOf(await client.run("EVAL", digestScript, "0"))[0])
    for (const port of ports.filter((one) => one !== promoted)) {
      await until(`the server at ${port} has the same data`, async () =>
        (await digestOf(port)) === (await digestOf(promoted)) ? 1 : undefined,
      )
    }
    return `${safe.join(", ")} acknowledged and kept`
  } catch (error) {
    const said = [...children.values()].map(({ port, output }) => `--- ${port}\n${output()}`)
    throw new Error([String(error), ...said].join("\n"))
  } finally {
    await Promise.all([...children.values()].filter((child) => child.process.exitCode === null).map(kill))
  }
}

/** All keys with their values, told apart by their sum. */
const digestScript = `
local keys = redis.call("KEYS", "*")
table.sort(keys)
local text = {}
for _, key in ipairs(keys) do
  text[#text + 1] = key
  text[#text + 1] = redis.call("DUMP", key)
end
return redis.sha1hex(table.concat(text, "\\n"))`

/** Returns how many rounds passed; the first that does not throws. */
export const runFailovers = async ({ rounds, main, report }: FailoverOptions): Promise<number> => {
  for (let number = 1; number <= rounds; number++) {
    const home = mkdtempSync(join(tmpdir(), "tiny-redis-failover-"))
    try {
      report(`failover ${number}: ${await round(home, main)}`)
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  }
  return rounds
}

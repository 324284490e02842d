/**
 * This server as a replica on a real port: of a real redis-server, from which it takes all types and a stream of everything that changes
 * data; of another one of its own kind; and in the middle of a chain, where it passes on what it is told.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it } from "vitest"
import type { Reply } from "../src/codec/Reply.ts"
import type { Values } from "../src/config/Config.ts"
import * as LiveServer from "./clients/LiveServer.ts"
import { dataset, fieldDeadlines, fill } from "./support/Dataset.ts"
import { playFamilies } from "./support/RandomLoad.ts"
import * as RealServer from "./support/RealServer.ts"
import type { TestClient } from "./support/TestServer.ts"
import * as Tls from "./support/Tls.ts"
import * as TlsServer from "./support/TlsServer.ts"

const library =
  "#!lua name=numbers\nredis.register_function('put', function(keys, argv) return redis.call('SET', keys[1], argv[1]) end)"

const textOf = (reply: Reply): string => (reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : "")
const field = async (client: TestClient, name: string) =>
  new RegExp(`^${name}:(.*?)\r?$`, "m").exec(textOf(await client.run("INFO")))?.[1]

/** Asks again until the answer is right. */
const until = async (condition: () => Promise<boolean>) => {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("it did not come to that in ten seconds")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const ends: Array<() => unknown> = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** One of ours, and a client of it. */
const start = async (options: Partial<Values> = {}) => {
  const server = await LiveServer.start({ replDisklessSyncDelay: 0, ...options })
  const client = await RealServer.connectTcp(server.port)
  const stop = async () => {
    client.destroy()
    await server.stop()
  }
  ends.push(stop)
  return { client, port: server.port, stop }
}

const startReal = async () => {
  const real = await RealServer.start(["--repl-diskless-sync-delay", "0"])
  ends.push(real.stop)
  return { client: await real.connect(), port: real.port, stop: real.stop }
}

const follow = async (replica: TestClient, port: number) => {
  await replica.run("REPLICAOF", "127.0.0.1", String(port))
  await until(async () => (await field(replica, "master_link_status")) === "up")
}

/** Ends when `replica` has come to where `master` is. */
const caughtUp = async (replica: TestClient, master: TestClient) => {
  await master.run("SET", "last", String(performance.now()))
  const offset = Number(await field(master, "master_repl_offset"))
  await until(async () => Number(await field(replica, "master_repl_offset")) >= offset)
}

const expectEqual = async (replica: TestClient, master: TestClient) => {
  await caughtUp(replica, master)
  expect(await replica.run("DEBUG", "DIGEST")).toEqual(await master.run("DEBUG", "DIGEST"))
}

/** What the dataset does not do: scripts, functions, transactions, deadlines, and data that goes as a whole. */
const changes: ReadonlyArray<ReadonlyArray<string>> = [
  ["SELECT", "5"],
  ["SET", "doomed", "1"],
  ["FLUSHDB"],
  ["SELECT", "2"],
  ["SET", "short", "1", "PX", "1"],
  ["SET", "long", "1", "EX", "1000"],
  ["MULTI"],
  ["INCR", "counter"],
  ["SADD", "drawn", "a", "b", "c", "d"],
  ["SPOP", "drawn", "2"],
  ["EXEC"],
  ["EVAL", "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', 'counter') return 1", "1", "scripted", "x"],
  ["FUNCTION", "LOAD", library],
  ["FCALL", "put", "1", "called", "y"],
  ["XADD", "stream", "*", "f", "v"],
  ["XGROUP", "CREATE", "stream", "g", "0"],
  ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">"],
  // How much of it a group has read is not told to replicas, by redis-server neither.
  ["XGROUP", "SETID", "stream", "g", "$", "ENTRIESREAD", "1"],
  ["SWAPDB", "2", "6"],
  ["SELECT", "0"],
]

describe.skipIf(!RealServer.isInstalled)("a replica of redis-server", () => {
  it("holds the same as its master, goes on after the link broke, and its log holds the same too", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tiny-redis-replica-"))
    ends.push(() => rmSync(dir, { recursive: true }))
    const { client: master, port } = await startReal()
    await fill(master, dataset)
    const { client: replica, stop } = await start({ dir, appendonly: true, appendfsync: "always" })
    await replica.run("SET", "own", "1")
    await follow(replica, port)
    await fill(master, changes)
    await expectEqual(replica, master)
    expect(JSON.stringify(await replica.run("FUNCTION", "LIST"))).toContain("numbers")

    expect(await replica.run("CLIENT", "KILL", "TYPE", "master")).toMatchObject({ value: 1 })
    await fill(master, [
      ["SELECT", "3"],
      ["SET", "while it was away", "1"],
      ["SELECT", "0"],
    ])
    await expectEqual(replica, master)
    expect(await field(master, "sync_partial_ok")).toBe("1")
    expect(await field(master, "sync_full")).toBe("1")

    await master.run("FLUSHALL")
    await fill(master, changes.slice(0, 4))
    await expectEqual(replica, master)
    const digest = await master.run("DEBUG", "DIGEST")
    await until(async () => (await field(replica, "aof_rewrite_in_progress")) === "0")
    await stop()
    const { client: again } = await start({ dir, appendonly: true })
    expect(await again.run("DEBUG", "DIGEST")).toEqual(digest)
  })

  it("holds the same after random commands of all families, and so does a redis-server that follows it", async () => {
    const { client: master, port } = await startReal()
    const { client: replica, port: replicaPort } = await start()
    const { client: last } = await startReal()
    await follow(replica, port)
    await follow(last, replicaPort)
    await playFamilies(master, 20240102)
    await expectEqual(replica, master)
    await expectEqual(last, master)
    expect(await last.run("DBSIZE")).toEqual(await master.run("DBSIZE"))
  })

  it("takes over when the master has gone, and its siblings go on with it where they were", async () => {
    const { client: master, port, stop } = await startReal()
    const { client: sibling } = await startReal()
    const { client: replica, port: replicaPort } = await start()
    await fill(master, dataset)
    await follow(replica, port)
    await follow(sibling, port)
    await caughtUp(replica, master)
    await caughtUp(sibling, master)
    await caughtUp(replica, master)
    await stop()
    await replica.run("REPLICAOF", "NO", "ONE")
    await follow(sibling, replicaPort)
    await replica.run("SET", "after", "1")
    await expectEqual(sibling, replica)
    expect(await field(replica, "sync_full")).toBe("0")
    expect(await field(replica, "sync_partial_ok")).toBe("1")
    expect(await field(sibling, "master_replid")).toBe(await field(replica, "master_replid"))
  })
})

describe("replicas of our own kind", () => {
  it("hold the same in a chain, and go on when its beginning has gone", async () => {
    const first = await start()
    await fill(first.client, [...dataset, ...fieldDeadlines])
    const second = await start({ replicaof: { host: "127.0.0.1", port: first.port } })
    await until(async () => (await field(second.client, "master_link_status")) === "up")
    const third = await start()
    // In the middle of a database: the third has to begin there.
    await first.client.run("SELECT", "7")
    await first.client.run("SET", "seven", "1")
    await caughtUp(second.client, first.client)
    await follow(third.client, second.port)
    await first.client.run("SET", "still seven", "1")
    await first.client.run("SELECT", "0")
    await fill(first.client, changes)
    await expectEqual(second.client, first.client)
    await expectEqual(third.client, first.client)
    // The digest leaves them out.
    const deadlines = ["HPEXPIRETIME", "fields:few", "FIELDS", "3", "a", "b", "c"]
    expect(await third.client.run(...deadlines)).toEqual(await first.client.run(...deadlines))
    expect(await field(third.client, "master_replid")).toBe(await field(first.client, "master_replid"))
    expect(await field(second.client, "connected_slaves")).toBe("1")

    await first.stop()
    await second.client.run("REPLICAOF", "NO", "ONE")
    await until(
      async () => (await field(third.client, "master_replid")) === (await field(second.client, "master_replid")),
    )
    await second.client.run("SET", "after", "1")
    await expectEqual(third.client, second.client)
    expect(await field(second.client, "sync_full")).toBe("1")
    expect(await field(second.client, "sync_partial_ok")).toBe("1")
  })

  it("tell their master what is on their disk", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tiny-redis-replica-"))
    ends.push(() => rmSync(dir, { recursive: true }))
    const { client: master, port } = await start()
    const { client: replica } = await start({ dir, appendonly: true, appendfsync: "always" })
    await follow(replica, port)
    await master.run("SET", "a", "1")
    expect(await master.run("WAITAOF", "0", "1", "5000")).toMatchObject({ values: [{ value: 0 }, { value: 1 }] })
    expect(await field(replica, "aof_rewrite_in_progress")).toBe("0")
  })

  it("speak TLS with those whose certificates they know, and with nobody else", async () => {
    await Effect.runPromise(
      TlsServer.servedLive(
        async ({ port, connect, log }) => {
          const master = await connect(Tls.shown("client"))
          await fill(master, dataset)
          const tls = { tlsReplication: true, replicaof: { host: "127.0.0.1", port } } as const
          const shown = { tlsClientCertFile: Tls.certificateFile("client"), tlsClientKeyFile: Tls.keyFile("client") }
          const { client: replica } = await start({ ...tls, ...shown, tlsCaCertFile: Tls.certificateFile("server") })
          await until(async () => (await field(replica, "master_link_status")) === "up")
          await expectEqual(replica, master)
          const { client: stranger } = await start({ ...tls, ...shown, tlsCaCertFile: Tls.certificateFile("stranger") })
          await until(async () => log.some((line) => line.includes("TLS handshake failed")))
          expect(await field(stranger, "master_link_status")).toBe("down")
          expect(await field(master, "connected_slaves")).toBe("1")
          master.destroy()
        },
        { tlsAuthClients: "yes", tlsCaCertFile: Tls.certificateFile("client"), replDisklessSyncDelay: 0 },
      ),
    )
  })
})

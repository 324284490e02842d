/**
 * A real redis-server as a replica of this server: it takes our snapshot and our stream, goes on after its link broke, and holds the
 * same as we do, whatever was done meanwhile.
 */
import { execFile, spawn, spawnSync } from "node:child_process"
import { readFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Reply } from "../src/codec/Reply.ts"
import * as LiveServer from "./clients/LiveServer.ts"
import { dataset, fill, largeDataset } from "./support/Dataset.ts"
import { playFamilies } from "./support/RandomLoad.ts"
import * as RealServer from "./support/RealServer.ts"
import type { TestClient } from "./support/TestServer.ts"

const library = "#!lua name=numbers\nredis.register_function('seven', function() return 7 end)"

const textOf = (reply: Reply): string => (reply._tag === "Bulk" || reply._tag === "Verbatim" ? reply.value : "")
const info = async (client: TestClient, section: string) => textOf(await client.run("INFO", section))

/** Asks again until the answer is right. */
const until = async (condition: () => Promise<boolean>) => {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("it did not come to that in ten seconds")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const isOnline = async (client: TestClient) => (await info(client, "replication")).includes("state=online")

describe.skipIf(!RealServer.isInstalled)("redis-server as a replica", () => {
  let ours: LiveServer.LiveServer
  let master: TestClient
  const ends: Array<() => unknown> = []

  beforeEach(async () => {
    ours = await LiveServer.start({ replDisklessSyncDelay: 0 })
    master = await RealServer.connectTcp(ours.port)
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    master.destroy()
    await ours.stop()
  })

  const startReplica = async () => {
    const real = await RealServer.start(["--replicaof", "127.0.0.1", String(ours.port)])
    ends.push(real.stop)
    const replica = await real.connect()
    await until(() => isOnline(master))
    return replica
  }

  /** What both hold when the replica has come to where the master is. */
  const digests = async (replica: TestClient) => {
    await master.run("SET", "last", String(performance.now()))
    expect(await master.run("WAIT", "1", "5000")).toMatchObject({ value: 1 })
    return { theirs: await replica.run("DEBUG", "DIGEST"), ours: await master.run("DEBUG", "DIGEST") }
  }
  const expectEqual = ({ theirs, ours: own }: Awaited<ReturnType<typeof digests>>) => expect(theirs).toEqual(own)

  it("takes a snapshot of all types and what changed while it was sent, and goes on after its link broke", async () => {
    await fill(master, [...dataset, ...largeDataset])
    await master.run("FUNCTION", "LOAD", library)
    let counter = 0
    let stopped = false
    const busy = RealServer.connectTcp(ours.port).then(async (client) => {
      while (!stopped) {
        counter++
        await Promise.all([
          client.run("SET", `during:${counter % 50}`, String(counter)),
          client.run("RPUSH", "list:during", "x".repeat(counter % 100)),
          client.run("INCR", "counter"),
        ])
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      client.destroy()
    })
    const replica = await startReplica()
    stopped = true
    await busy
    expectEqual(await digests(replica))
    expect(JSON.stringify(await replica.run("FUNCTION", "LIST"))).toContain("seven")

    // The replica asks for the rest.
    expect(await master.run("CLIENT", "KILL", "TYPE", "replica")).toMatchObject({ value: 1 })
    await master.run("SELECT", "3")
    await master.run("SET", "while it was away", "1")
    await until(() => isOnline(master))
    expectEqual(await digests(replica))
    const stats = await info(master, "stats")
    expect(stats).toContain("sync_full:1\r\nsync_partial_ok:1\r\nsync_partial_err:0")
  })

  it("holds the same after random commands of all families", async () => {
    const replica = await startReplica()
    await master.run("FUNCTION", "LOAD", library)
    await playFamilies(master, 20240101)
    const { theirs, ours: own } = await digests(replica)
    expect(theirs).toEqual(own)
  })

  it("hears what is published, and forgets keys when their time has come", async () => {
    const replica = await startReplica()
    await replica.run("SUBSCRIBE", "news")
    await master.run("SET", "short", "v", "PX", "20")
    await master.run("PUBLISH", "news", "hello")
    expect(await replica.receive()).toMatchObject({
      values: [{ value: "message" }, { value: "news" }, { value: "hello" }],
    })
    replica.sendRaw("*1\r\n$5\r\nRESET\r\n")
    await replica.receive()
    await until(async () => ((await master.run("DBSIZE")) as { value: number }).value === 0)
    expectEqual(await digests(replica))
    expect(await replica.run("DBSIZE")).toMatchObject({ value: 1 })
  })

  it("redis-cli --rdb gets a snapshot that redis-check-rdb finds no fault in", async () => {
    await fill(master, dataset)
    const directory = mkdtempSync(join(tmpdir(), "tiny-redis-rdb-"))
    ends.push(() => rmSync(directory, { recursive: true }))
    const file = join(directory, "dump.rdb")
    const { stderr } = await promisify(execFile)("redis-cli", ["-p", String(ours.port), "--rdb", file])
    expect(stderr).toContain("Transfer finished with success")
    expect(spawnSync("redis-check-rdb", [file]).stdout.toString()).toContain("RDB looks OK")
    expect(readFileSync(file).latin1Slice(0, 5)).toBe("REDIS")
  })

  it("redis-cli --replica shows the stream", async () => {
    const child = spawn("redis-cli", ["-p", String(ours.port), "--replica"])
    ends.push(() => child.kill("SIGKILL"))
    let output = ""
    child.stdout.on("data", (chunk) => (output += String(chunk)))
    await until(() => isOnline(master))
    await master.run("SET", "k", "v")
    await until(async () => output.includes('"SET","k","v"'))
    expect(output).toContain('"SET","k","v"')
  })
})

/**
 * Snapshots: files of redis-server are loaded, ours are loaded by redis-server, and both hold the same afterwards.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync } from "node:fs"
import { join } from "node:path"
import { dataset, fill, readAll } from "./support/Dataset.ts"
import { directory, withFiles } from "./support/files.ts"
import * as RealServer from "./support/RealServer.ts"

const fixture = join(import.meta.dirname, "fixtures", "redis-7.0.15.rdb")

/** That two servers hold the same; names what differs without printing all of it. */
const expectSame = (found: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): void => {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort())
  for (const [key, value] of wanted) {
    const other = found.get(key)!
    if (other === value) continue
    let at = 0
    while (other[at] === value[at]) at++
    const from = Math.max(0, at - 60)
    expect({ key, at, value: other.slice(from, at + 60) }).toEqual({ key, at, value: value.slice(from, at + 60) })
  }
}

const snapshots = { appendonly: false } as const

describe("snapshots", () => {
  it.scopedLive("a file of redis-server 7.0.15 holds what its commands made", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      copyFileSync(fixture, `${dir}/dump.rdb`)
      const loaded = yield* withFiles(dir, snapshots, (client) => Effect.promise(() => readAll(client)))
      const made = yield* withFiles(yield* directory, snapshots, (client) =>
        Effect.promise(async () => {
          await fill(client)
          return readAll(client)
        }),
      )
      expectSame(loaded, made)
      expect(made.size).toBeGreaterThanOrEqual(40)
    }),
  )

  it.scopedLive("what SAVE wrote is there again after a start", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      const made = yield* withFiles(dir, snapshots, (client) =>
        Effect.promise(async () => {
          await fill(client)
          expect(await client.run("SAVE")).toMatchObject({ value: "OK" })
          await client.run("SET", "after", "the snapshot")
          await client.run("DEL", "after")
          return readAll(client)
        }),
      )
      expectSame(yield* withFiles(dir, snapshots, (client) => Effect.promise(() => readAll(client))), made)
    }),
  )

  it.scopedLive("DUMP and RESTORE give back every value", () =>
    Effect.gen(function* () {
      yield* withFiles(yield* directory, snapshots, (client) =>
        Effect.promise(async () => {
          await fill(client)
          const before = await readAll(client)
          for (const name of before.keys()) {
            if (!name.startsWith("0 ")) continue
            const key = name.slice(2)
            const payload = await client.run("DUMP", key)
            if (payload._tag !== "Bulk") throw new Error("no payload")
            const deadline = await client.run("PEXPIRETIME", key)
            const ttl = deadline._tag === "Int" && deadline.value > 0 ? String(deadline.value) : "0"
            expect(await client.run("RESTORE", key, ttl, payload.value, "REPLACE", "ABSTTL")).toMatchObject({
              value: "OK",
            })
          }
          expectSame(await readAll(client), before)
        }),
      )
    }),
  )
})

describe.skipIf(!RealServer.isInstalled)("exchange with redis-server", () => {
  const withRedis = <A>(
    dir: string,
    options: ReadonlyArray<string>,
    body: (client: Awaited<ReturnType<RealServer.RealServer["connect"]>>) => Promise<A>,
  ) =>
    Effect.promise(async () => {
      const redis = await RealServer.start(["--dir", dir, ...options])
      try {
        return await body(await redis.connect())
      } finally {
        await redis.stop()
      }
    })

  it.scopedLive("redis-server loads our snapshot and has the same digest as after the same commands", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      const ours = yield* withFiles(dir, snapshots, (client) =>
        Effect.promise(async () => {
          await fill(client)
          await client.run("SAVE")
          return readAll(client)
        }),
      )
      const check = spawnSync("redis-check-rdb", [`${dir}/dump.rdb`])
      expect(check.stdout.toString()).toContain("RDB looks OK")
      const [digest, loaded] = yield* withRedis(
        dir,
        [],
        async (client) => [await client.run("DEBUG", "DIGEST"), await readAll(client)] as const,
      )
      expectSame(loaded, ours)
      const made = yield* withRedis(yield* directory, [], async (client) => {
        await fill(client)
        return client.run("DEBUG", "DIGEST")
      })
      expect(digest).toEqual(made)
    }),
  )

  it.scopedLive("redis-server starts from our append-only directory, and we from its", () =>
    Effect.gen(function* () {
      for (const preamble of [true, false]) {
        const dir = yield* directory
        const half = Math.floor(dataset.length / 2)
        const settings = { appendonly: true, appendfsync: "always", aofUseRdbPreamble: preamble } as const
        const flags = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble ? "yes" : "no"]
        const rewritten = async (client: { run: (...argv: ReadonlyArray<string>) => Promise<unknown> }) => {
          await client.run("BGREWRITEAOF")
          while (JSON.stringify(await client.run("INFO", "persistence")).includes("aof_rewrite_in_progress:1")) {
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
        }
        const ours = yield* withFiles(dir, settings, (client) =>
          Effect.promise(async () => {
            await fill(client, dataset.slice(0, half))
            await rewritten(client)
            await fill(client, dataset.slice(half))
            return readAll(client)
          }),
        )
        expect(
          spawnSync("redis-check-aof", [`${dir}/appendonlydir/appendonly.aof.manifest`]).stdout.toString(),
        ).toContain("All AOF files and manifest are valid")
        const theirs = yield* withRedis(dir, flags, async (client) => {
          const loaded = await readAll(client)
          await client.run("SET", "from", "redis-server")
          await rewritten(client)
          await client.run("SET", "and", "after")
          return [loaded, await readAll(client)] as const
        })
        expectSame(theirs[0], ours)
        expect(existsSync(`${dir}/appendonlydir`)).toBe(true)
        expectSame(yield* withFiles(dir, settings, (client) => Effect.promise(() => readAll(client))), theirs[1])
      }
    }),
  )

  it.scopedLive("payloads of DUMP go both ways, and are the same bytes where no order is free", () =>
    Effect.gen(function* () {
      const redis = yield* Effect.acquireRelease(
        Effect.promise(() => RealServer.start()),
        (server) => Effect.promise(() => server.stop()),
      )
      yield* withFiles(yield* directory, snapshots, (ours) =>
        Effect.promise(async () => {
          const theirs = await redis.connect()
          await fill(ours)
          await fill(theirs)
          const before = await readAll(ours)
          for (const name of before.keys()) {
            if (!name.startsWith("0 ")) continue
            const key = name.slice(2)
            const [mine, their] = [await ours.run("DUMP", key), await theirs.run("DUMP", key)]
            if (mine._tag !== "Bulk" || their._tag !== "Bulk") throw new Error("no payload")
            const isOrdered = !/hashtable|stream/.test(before.get(name)!.split("\n")[0]!)
            if (isOrdered) expect([key, mine.value]).toEqual([key, their.value])
            expect(await theirs.run("RESTORE", key, "0", mine.value, "REPLACE")).toMatchObject({ value: "OK" })
            expect(await ours.run("RESTORE", key, "0", their.value, "REPLACE")).toMatchObject({ value: "OK" })
          }
          expectSame(await readAll(theirs), await readAll(ours))
        }),
      )
    }),
  )
})

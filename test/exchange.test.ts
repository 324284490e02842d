/**
 * Files that go both ways between this server and the installed redis-server: every type and encoding, large collections, functions,
 * what eviction keeps, several databases, deadlines. Both hold the same afterwards, and redis-check-rdb and redis-check-aof find nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dataset, expectSame, fill, largeDataset, readAll, text } from "./support/Dataset.ts"
import { directory, withFiles } from "./support/files.ts"
import * as RealServer from "./support/RealServer.ts"
import type { TestClient } from "./support/TestServer.ts"

const everything = [...dataset, ...largeDataset]
const library = "#!lua name=numbers\nredis.register_function('seven', function() return 7 end)"

const snapshots = { appendonly: false } as const

describe.skipIf(!RealServer.isInstalled)("exchange with redis-server", () => {
  const withRedis = <A>(
    dir: string,
    options: ReadonlyArray<string>,
    body: (client: Awaited<ReturnType<RealServer.RealServer["connect"]>>) => Promise<A>,
  ) =>
    Effect.promise(async () => {
      const redis = await RealServer.start(["--dir", dir, ...options])
      try {
        const client = await redis.connect()
        while ((await client.run("PING"))._tag === "Failure") await new Promise((resolve) => setTimeout(resolve, 5))
        return await body(client)
      } finally {
        await redis.stop()
      }
    })

  for (const settings of [
    { rdbcompression: true, rdbchecksum: true },
    { rdbcompression: false, rdbchecksum: false },
  ])
    it.scopedLive(
      `redis-server loads our snapshot, has the digest of the same commands, and we load its: ${JSON.stringify(settings)}`,
      () =>
        Effect.gen(function* () {
          const dir = yield* directory
          const ours = yield* withFiles(dir, { ...snapshots, ...settings }, (client) =>
            Effect.promise(async () => {
              await fill(client, everything)
              await client.run("FUNCTION", "LOAD", library)
              await client.run("SAVE")
              return readAll(client)
            }),
          )
          const check = spawnSync("redis-check-rdb", [`${dir}/dump.rdb`])
          expect(check.stdout.toString()).toContain("RDB looks OK")
          const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value ? "yes" : "no"])
          const [digest, loaded] = yield* withRedis(dir, flags, async (client) => {
            const read = await readAll(client)
            expect(await client.run("FCALL", "seven", "0")).toMatchObject({ value: 7 })
            const found = await client.run("DEBUG", "DIGEST")
            await client.run("SAVE")
            return [found, read] as const
          })
          expectSame(loaded, ours)
          const made = yield* withRedis(yield* directory, flags, async (client) => {
            await fill(client, everything)
            return client.run("DEBUG", "DIGEST")
          })
          expect(digest).toEqual(made)
          const back = yield* withFiles(dir, { ...snapshots, ...settings }, (client) =>
            Effect.promise(async () => {
              expect(await client.run("FCALL", "seven", "0")).toMatchObject({ value: 7 })
              return readAll(client)
            }),
          )
          expectSame(back, ours)
        }),
    )

  for (const { policy, word, value } of [
    { policy: "allkeys-lru", word: "IDLETIME", value: 5000 },
    { policy: "volatile-lfu", word: "FREQ", value: 77 },
  ] as const)
    it.scopedLive(`what ${policy} keeps for a key goes both ways`, () =>
      Effect.gen(function* () {
        const dir = yield* directory
        const settings = { ...snapshots, maxmemoryPolicy: policy }
        const flags = ["--maxmemory-policy", policy]
        const keys = ["small", "large"]
        const kept = async (client: TestClient) =>
          Promise.all(keys.map(async (key) => Number(text(await client.run("OBJECT", word, key)))))
        const isKept = (found: ReadonlyArray<number>) => {
          // A counter of uses decays, and idle time grows, while the test runs.
          for (const each of found) expect(Math.abs(each - value)).toBeLessThanOrEqual(60)
        }
        yield* withFiles(dir, settings, (client) =>
          Effect.promise(async () => {
            await client.run("SET", "small", "v")
            await client.run("SADD", "large", ...Array.from({ length: 1500 }, (_, i) => `member ${i}`))
            for (const key of keys) {
              const payload = await client.run("DUMP", key)
              if (payload._tag !== "Bulk") throw new Error("no payload")
              await client.run("RESTORE", key, "0", payload.value, "REPLACE", word, String(value))
            }
            await client.run("SAVE")
          }),
        )
        isKept(
          yield* withRedis(dir, flags, async (client) => {
            const found = await kept(client)
            await client.run("SAVE")
            return found
          }),
        )
        isKept(yield* withFiles(dir, settings, (client) => Effect.promise(() => kept(client))))
      }),
    )

  it.scopedLive("redis-server starts from our append-only directory, and we from its", () =>
    Effect.gen(function* () {
      for (const preamble of [true, false]) {
        const dir = yield* directory
        const half = Math.floor(everything.length / 2)
        const settings = { appendonly: true, appendfsync: "everysec", aofUseRdbPreamble: preamble } as const
        const flags = ["--appendonly", "yes", "--aof-use-rdb-preamble", preamble ? "yes" : "no"]
        const rewritten = async (client: { run: (...argv: ReadonlyArray<string>) => Promise<unknown> }) => {
          await client.run("BGREWRITEAOF")
          while (JSON.stringify(await client.run("INFO", "persistence")).includes("aof_rewrite_in_progress:1")) {
            await new Promise((resolve) => setTimeout(resolve, 10))
          }
        }
        const ours = yield* withFiles(dir, settings, (client) =>
          Effect.promise(async () => {
            await fill(client, everything.slice(0, half))
            await rewritten(client)
            await fill(client, everything.slice(half))
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
          await fill(ours, dataset)
          await fill(theirs, dataset)
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

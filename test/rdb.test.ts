/**
 * Snapshots: what a file of redis-server holds, and what is there again after a start. What redis-server makes of our files is in
 * exchange.test.ts.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { expectSame, fieldDeadlines, fill, readAll } from "./support/Dataset.ts"
import { directory, withFiles } from "./support/files.ts"
import type { TestClient } from "./support/TestServer.ts"

const fixture = (version: string) => join(import.meta.dirname, "fixtures", `redis-${version}.rdb`)

const snapshots = { appendonly: false } as const

describe("snapshots", () => {
  it.scopedLive("a file of redis-server 7.0.15 holds what its commands made", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      copyFileSync(fixture("7.0.15"), `${dir}/dump.rdb`)
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

  it.scopedLive("a file of Redis 8.0.2 holds the same in its own encodings, and deadlines of fields", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      copyFileSync(fixture("8.0.2"), `${dir}/dump.rdb`)
      const readFields = async (client: TestClient) =>
        [
          await readAll(client),
          await client.run("HPEXPIRETIME", "fields:few", "FIELDS", "3", "a", "b", "c"),
          await client.run(
            "HPEXPIRETIME",
            "fields:many",
            "FIELDS",
            "600",
            ...Array.from({ length: 600 }, (_, n) => `f${n}`),
          ),
        ] as const
      const loaded = yield* withFiles(dir, snapshots, (client) => Effect.promise(() => readFields(client)))
      const made = yield* withFiles(yield* directory, snapshots, (client) =>
        Effect.promise(async () => {
          await fill(client)
          for (const request of fieldDeadlines) await client.run(...request)
          return readFields(client)
        }),
      )
      expectSame(loaded[0], made[0])
      expect(loaded.slice(1)).toEqual(made.slice(1))
      expect(loaded[1]).toMatchObject({ values: [{ value: 4102444800000 }, { value: -1 }, { value: 4102444800000 }] })
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

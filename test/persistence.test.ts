/** Persistence in files, with the real file system: what a server wrote is there for the next one. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync, writeFileSync, appendFileSync, existsSync } from "node:fs"
import { directory, withFiles } from "./support/files.ts"
import { run } from "./support/TestServer.ts"

const logged = { appendonly: true, appendfsync: "always" } as const

describe("append-only log", () => {
  it.scoped("brings every acknowledged write back", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "a", "1")
          yield* run(client, "SELECT", "3")
          yield* run(client, "SET", "b", "2")
          yield* run(client, "INCR", "b")
        }),
      )
      expect(readdirSync(`${dir}/appendonlydir`).sort()).toEqual([
        "appendonly.aof.1.base.rdb",
        "appendonly.aof.1.incr.aof",
        "appendonly.aof.manifest",
      ])
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "a")).toMatchObject({ value: "1" })
          yield* run(client, "SELECT", "3")
          expect(yield* run(client, "GET", "b")).toMatchObject({ value: "3" })
        }),
      )
    }),
  )
  it.scoped("cuts off a torn command and goes on", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) => run(client, "SET", "a", "1"))
      const path = `${dir}/appendonlydir/appendonly.aof.1.incr.aof`
      const whole = readFileSync(path)
      appendFileSync(path, "*3\r\n$3\r\nSET\r\n$1\r\nb")
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(readFileSync(path).equals(whole)).toBe(true)
          expect(yield* run(client, "EXISTS", "a", "b", "c")).toMatchObject({ value: 1 })
          yield* run(client, "SET", "c", "1")
        }),
      )
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "EXISTS", "a", "b", "c")).toMatchObject({ value: 2 })
        }),
      )
    }),
  )
  it.scoped("refuses to start from a damaged log and names file and offset", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) => run(client, "SET", "a", "1"))
      const path = `${dir}/appendonlydir/appendonly.aof.1.incr.aof`
      const bytes = readFileSync(path)
      bytes.write("x", 0)
      writeFileSync(path, bytes)
      const failure = yield* Effect.flip(withFiles(dir, logged, () => Effect.void))
      expect(failure).toMatchObject({ _tag: "DamagedFile", path, offset: 0 })
    }),
  )
  it.scoped("refuses a directory that another server uses", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, () =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(withFiles(dir, logged, () => Effect.void))
          expect(failure).toMatchObject({ _tag: "DirectoryInUse" })
        }),
      )
      expect(existsSync(`${dir}/tiny-redis.lock`)).toBe(false)
    }),
  )
})

/** Data read back by a server that runs, and data that is to be gone: DEBUG RELOAD and LOADAOF, and FLUSHALL, with the real file system. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Reply from "../src/codec/Reply.ts"
import { directory, until, withFiles } from "./support/files.ts"
import { run, type TestClient } from "./support/TestServer.ts"

const logged = { appendonly: true, appendfsync: "always" } as const

describe("DEBUG RELOAD and LOADAOF", () => {
  const fill = (client: TestClient) =>
    Effect.gen(function* () {
      yield* run(client, "RPUSH", "list", "a", "b")
      yield* run(client, "HSET", "hash", "f", "v")
      yield* run(client, "SET", "until", "x", "EX", "1000")
    })

  it.scoped("give back the same data, from a snapshot and from the log", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          yield* fill(client)
          const before = yield* run(client, "DEBUG", "DIGEST")
          expect(yield* run(client, "DEBUG", "RELOAD")).toEqual(Reply.ok)
          expect(yield* run(client, "DEBUG", "DIGEST")).toEqual(before)
          expect(yield* run(client, "DEBUG", "LOADAOF")).toEqual(Reply.ok)
          expect(yield* run(client, "DEBUG", "DIGEST")).toEqual(before)
          // NOSAVE brings back what the file holds, not what is in memory now.
          yield* run(client, "DEL", "list")
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toEqual(Reply.ok)
          expect(yield* run(client, "DEBUG", "DIGEST")).toEqual(before)
          expect(yield* run(client, "SET", "after", "1")).toEqual(Reply.ok)
        }),
      )
    }),
  )

  it.scoped("refuse what they do not know, and to load a log that is not kept", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, {}, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "DEBUG", "RELOAD", "FOO")).toMatchObject({
            message: "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
          })
          expect(yield* run(client, "DEBUG", "LOADAOF")).toMatchObject({ _tag: "Failure" })
        }),
      )
    }),
  )

  it.scoped("load the log of a rewrite where none is kept", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, {}, (client) =>
        Effect.gen(function* () {
          yield* fill(client)
          const before = yield* run(client, "DEBUG", "DIGEST")
          yield* run(client, "BGREWRITEAOF")
          yield* until(client, "aof_rewrite_in_progress:0")
          yield* run(client, "FLUSHALL")
          expect(yield* run(client, "DEBUG", "LOADAOF")).toEqual(Reply.ok)
          expect(yield* run(client, "DEBUG", "DIGEST")).toEqual(before)
        }),
      )
    }),
  )

  it.scoped("replace what is there, add to it, or refuse to, as the options of RELOAD say", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, {}, (client) =>
        Effect.gen(function* () {
          const library = (name: string) => `#!lua name=${name}\nredis.register_function("${name}", function() end)`
          const failed = { _tag: "Failure", message: "Error trying to load the RDB dump" }
          const libraries = Effect.map(run(client, "FUNCTION", "LIST"), (list) =>
            JSON.stringify(list)
              .match(/(?<="value":")lib\d/g)
              ?.filter((_, i) => i % 2 === 0),
          )
          const values = run(client, "MGET", "a", "b", "c")
          const have = (...texts: ReadonlyArray<string | undefined>) => Reply.array(texts.map(Reply.bulkOrNil))
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toMatchObject(failed)
          yield* run(client, "FUNCTION", "LOAD", library("lib1"))
          yield* run(client, "MSET", "a", "file", "b", "file")
          yield* run(client, "SAVE")
          yield* run(client, "FUNCTION", "LOAD", library("lib2"))
          yield* run(client, "MSET", "a", "here", "c", "here")
          yield* run(client, "EXPIRE", "a", "100")

          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")).toEqual(Reply.ok)
          expect(yield* values).toEqual(have("file", "file", "here"))
          expect(yield* run(client, "TTL", "a")).toEqual(Reply.int(-1))
          expect(yield* libraries).toEqual(["lib2", "lib1"])

          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toEqual(Reply.ok)
          expect(yield* values).toEqual(have("file", "file", undefined))
          expect(yield* libraries).toEqual(["lib1"])

          // The library is there already, then a key is.
          yield* run(client, "FLUSHALL")
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")).toMatchObject(failed)
          yield* run(client, "FUNCTION", "FLUSH")
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")).toEqual(Reply.ok)
          expect(yield* values).toEqual(have("file", "file", undefined))
          yield* run(client, "FUNCTION", "FLUSH")
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH")).toMatchObject(failed)
        }),
      )
    }),
  )
})

describe("FLUSHALL", () => {
  it.scoped("replaces the snapshot, where snapshots are written: what was flushed does not come back", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      const save = [{ seconds: 3600, changes: 1 }]
      const changes = (client: TestClient) =>
        Effect.map(
          run(client, "INFO", "persistence"),
          (reply) => /rdb_changes_since_last_save:(\d+)/.exec(JSON.stringify(reply))![1],
        )
      yield* withFiles(dir, { save }, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "v")
          yield* run(client, "SAVE")
          yield* run(client, "SET", "k", "w")
          expect(yield* run(client, "FLUSHALL")).toEqual(Reply.ok)
          expect(yield* changes(client)).toBe("0")
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toEqual(Reply.ok)
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.zero)
          // Inside of a transaction it comes a little later.
          yield* run(client, "SET", "k", "v")
          yield* run(client, "MULTI")
          yield* run(client, "FLUSHALL")
          expect(yield* run(client, "EXEC")).toEqual(Reply.array([Reply.ok]))
          expect(yield* changes(client)).toBe("2")
          yield* TestClock.adjust("3 seconds")
          yield* until(client, "rdb_changes_since_last_save:0")
        }),
      )
      // Without save points the file stays.
      yield* withFiles(dir, {}, (client) =>
        Effect.gen(function* () {
          yield* run(client, "SET", "k", "v")
          yield* run(client, "SAVE")
          yield* run(client, "FLUSHALL")
          expect(yield* run(client, "DEBUG", "RELOAD", "NOSAVE")).toEqual(Reply.ok)
          expect(yield* run(client, "DBSIZE")).toEqual(Reply.one)
        }),
      )
    }),
  )
})

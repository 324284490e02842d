/** Persistence in files, with the real file system: what a server wrote is there for the next one. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync, readFileSync, writeFileSync, appendFileSync, existsSync } from "node:fs"
import type { Values } from "../src/config/Config.ts"
import * as Files from "../src/persistence/Files.ts"
import * as Server from "../src/Server.ts"
import { connect, run, type TestClient, testSettings } from "./support/TestServer.ts"

/** Runs `body` with a server on `directory`, and stops it. */
const withFiles = <A, E>(
  directory: string,
  options: Partial<Values>,
  body: (client: TestClient) => Effect.Effect<A, E>,
) =>
  Effect.flatMap(connect, body).pipe(
    Effect.provide(
      Server.layerTest({ ...testSettings, dir: directory, ...options }, Files.layer()).pipe(
        Layer.provide(NodeFileSystem.layer),
      ),
    ),
  )

const directory = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer),
)

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

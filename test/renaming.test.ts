/** `rename-command`: beside redis-server with the same settings, each loading the log of the other; and what is refused. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect } from "vitest"
import { splitArguments } from "../src/bytes/Quoting.ts"
import { Config } from "../src/config/Config.ts"
import * as Server from "../src/Server.ts"
import { Listener } from "../src/socket/Listener.ts"
import * as RealServer from "./support/RealServer.ts"
import type { TestClient } from "./support/TestServer.ts"
import { formatReply } from "./support/Transcript.ts"

const renames: ReadonlyArray<readonly [from: string, to: string]> = [
  ["CONFIG", "CFG"],
  ["flushall", ""],
  ["get", "ObTain"],
  ["SETEX", "keep"],
  ["keep", "put"],
  ["exec", "run"],
  ["lpush", "lpush"],
]

const requests: ReadonlyArray<string> = [
  ...[
    "CONFIG GET save",
    "cfg get save",
    "Cfg",
    "cfg nope",
    "FLUSHALL",
    "GET a",
    "keep a 1 1",
    "put a 1000 1",
    "obtain a",
  ],
  ...["OBTAIN a b", "COMMAND INFO get", "COMMAND INFO obtain", "COMMAND INFO cfg|get", "COMMAND GETKEYS obtain k"],
  ...["EVAL \"return redis.call('obtain', 'a')\" 0", "EVAL \"return redis.pcall('get', 'a')\" 0"],
  ...["MULTI", "obtain a", "get a", "run", "MULTI", "put b 1000 2", "obtain b", "EXEC", "RUN", "RUN"],
  ...[
    "ACL SETUSER u on nopass ~* +obtain",
    "ACL SETUSER u on nopass ~* +get",
    "ACL LIST",
    "LPUSH l 1",
    "RPOPLPUSH l m",
  ],
]

const play = async (client: TestClient, asked = requests): Promise<ReadonlyArray<string>> => {
  const told: Array<string> = []
  for (const request of asked)
    told.push(`${request}: ${formatReply(await client.run(...splitArguments(request)!)).join(" ")}`)
  return told
}

const words = (name: string, ...rest: ReadonlyArray<string>) => ({ name, words: rest, origin: "redis.conf line 1" })

const ours = (dir: string, ...lines: ReadonlyArray<readonly [from: string, to: string]>) =>
  Server.layerFromConfig.pipe(
    Layer.provide(
      Config.layerDirectives({
        directives: [
          ...[words("port", "0"), words("save", ""), words("appendonly", "yes"), words("dir", dir)],
          ...lines.map((line) => words("rename-command", ...line)),
        ],
      }),
    ),
  )

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "tiny-redis-renaming-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

const playOurs = (dir: string, asked = requests) =>
  Effect.flatMap(Listener, ({ port }) =>
    Effect.promise(async () => play(await RealServer.connectTcp(port), asked)),
  ).pipe(Effect.provide(ours(dir, ...renames)))

describe.skipIf(!RealServer.isInstalled)("rename-command beside redis-server", () => {
  it.live("does the same, and each loads the log of the other", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const [theirDir, ourDir] = [join(root, "theirs"), join(root, "ours")]
      for (const dir of [theirDir, ourDir]) mkdirSync(dir)
      const flags = renames.flatMap(([from, to]) => ["--rename-command", from, to === "" ? '""' : to])
      const playReal = (dir: string, asked = requests) =>
        Effect.acquireUseRelease(
          Effect.promise(() => RealServer.start(["--dir", dir, "--appendonly", "yes", ...flags])),
          (server) => Effect.promise(async () => play(await server.connect(), asked)),
          (server) => Effect.promise(server.stop),
        )
      const theirs = yield* playReal(theirDir)
      expect(yield* playOurs(ourDir)).toEqual(theirs)
      const after = ["obtain a", "obtain b", "LRANGE m 0 -1"]
      const kept = yield* playReal(ourDir, after)
      expect(kept[0]).toContain("1")
      expect(yield* playOurs(theirDir, after)).toEqual(kept)
    }).pipe(Effect.scoped),
  )
})

describe("rename-command", () => {
  it.live("leaves alone what the log says by the commands' own names", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      yield* Effect.flatMap(Listener, ({ port }) =>
        Effect.promise(async () => play(await RealServer.connectTcp(port), ["SETEX a 1000 1", "SET b 2"])),
      ).pipe(Effect.provide(ours(dir)))
      expect(yield* playOurs(dir, ["obtain a", "obtain b"])).toEqual(['obtain a: "1"', 'obtain b: "2"'])
    }).pipe(Effect.scoped),
  )

  it.live("is refused where it says nothing that can be done", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const refusal = (...lines: ReadonlyArray<readonly [string, string]>) =>
        Effect.map(Effect.flip(Effect.scoped(Layer.build(ours(dir, ...lines)))), String)
      expect(yield* refusal(["nosuch", "x"])).toContain("No such command in rename-command")
      expect(yield* refusal(["get", "set"])).toContain("Target command name already exists")
      expect(yield* refusal(["set", "put"], ["get", "SET"])).toContain("Target command name already exists")
      expect(yield* refusal(["get", ""], ["get", "x"])).toContain("No such command in rename-command")
      const three = ["get", "a", "b"] as unknown as readonly [string, string]
      expect(yield* refusal(three)).toContain("rename-command takes two names")
    }).pipe(Effect.scoped),
  )
})

/**
 * Damaged files, from the file to the served data: bytes of valid snapshots and logs are flipped, cut out and repeated, and a server
 * loads what is left. It has a state that the format permits, or says which file is damaged and where; it fails in no other way, and
 * takes no more memory than some times the file. `DAMAGES=20000 SEED=1 npx vitest run test/damage.test.ts` tries more.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Files from "../src/persistence/Files.ts"
import * as Server from "../src/Server.ts"
import { fill } from "./support/Dataset.ts"
import { FailingDisk } from "./support/FailingDisk.ts"
import { random } from "./support/StoreSuite.ts"
import { connect, testSettings } from "./support/TestServer.ts"

const damages = Number(process.env["DAMAGES"] ?? 60)
const seed = Number(process.env["SEED"] ?? 1)
/** What loading a file of some 100 KiB may take beside it: the buffers that it is read through, and what they grow to. */
const extraBytesMax = 32 * 1024 * 1024
const millisecondsMax = 5000

/** Flips, cuts out or repeats some bytes. */
const damage = (bytes: Buffer, below: (bound: number) => number): Buffer => {
  let file = Buffer.from(bytes)
  for (let left = 1 + below(3); left > 0 && file.length > 0; left--) {
    const at = below(file.length)
    const length = below(4) === 0 ? below(2000) : below(12)
    const kind = below(4)
    if (kind === 0) file = Buffer.concat([file.subarray(0, at), file.subarray(at + length)])
    else if (kind === 1) file = Buffer.concat([file.subarray(0, at + length), file.subarray(at)])
    else if (kind === 2) file[at] = below(256)
    else file[at]! ^= 1 << below(8)
  }
  return file
}

interface Refused {
  readonly _tag: string
  readonly path: string
  readonly offset: number
}

/** Loads damaged forms of one file into one server, again and again; answers how many were refused. */
const tryAll = (appendonly: boolean, preamble: boolean, name: string, bytesOf: (disk: FailingDisk) => Buffer) =>
  Effect.gen(function* () {
    const disk = new FailingDisk(seed)
    const errors: Array<unknown> = []
    const collect = Logger.make(({ message }) => void errors.push(message))
    const below = random(seed)
    let refused = 0
    // Without the checksum, or nothing damaged would get further.
    const settings = {
      ...testSettings,
      dir: "/tmp",
      keyspace: "bytes",
      rdbchecksum: false,
      appendonly,
      aofUseRdbPreamble: preamble,
    } as const
    const server = Server.layerTest(settings, { persistence: Files.layer({ usedMemory: () => 0 }) })
    yield* Effect.gen(function* () {
      const client = yield* connect
      const run = (...argv: ReadonlyArray<string>) => Effect.promise(() => client.run(...argv))
      yield* Effect.promise(() => fill(client))
      const whole = bytesOf(disk)
      const path = `/tmp/${name}`
      for (let round = 0; round < damages; round++) {
        const file = damage(whole, below)
        const context = `damage ${round} of seed ${seed}, ${path}`
        disk.put(path, file)
        errors.length = 0
        const before = process.memoryUsage().arrayBuffers
        const began = performance.now()
        const reply = yield* run("DEBUG", ...(appendonly ? ["LOADAOF"] : ["RELOAD", "NOSAVE"]))
        expect(performance.now() - began, context).toBeLessThan(millisecondsMax)
        expect(process.memoryUsage().arrayBuffers - before, context).toBeLessThan(extraBytesMax)
        expect(yield* run("PING"), context).toMatchObject({ value: "PONG" })
        if (reply._tag !== "Failure") continue
        refused++
        const said = errors
          .flat()
          .find((part): part is Refused => typeof part === "object" && part !== null && "offset" in part)
        expect({ context, errors, said: said?._tag, path: said?.path }).toMatchObject({ said: "DamagedFile", path })
        expect(said!.offset, context).toBeLessThanOrEqual(file.length)
      }
    }).pipe(
      Effect.provide(server.pipe(Layer.provide(disk.layer))),
      Effect.provide(Logger.replace(Logger.defaultLogger, collect)),
    )
    return refused
  })

const fixture = readFileSync(join(import.meta.dirname, "fixtures", "redis-7.0.15.rdb"))
const log = "appendonlydir/appendonly.aof.1.incr.aof"

it.live("a damaged snapshot is loaded as something, or refused by name and offset", () =>
  Effect.gen(function* () {
    const refused = yield* tryAll(false, true, "dump.rdb", () => fixture)
    expect(refused).toBeGreaterThan(damages / 10)
    expect(refused).toBeLessThan(damages)
  }),
)

it.live("so is a damaged log", () =>
  Effect.gen(function* () {
    const refused = yield* tryAll(true, false, log, (disk) => Buffer.from(disk.contents().get(`/tmp/${log}`)!))
    expect(refused).toBeGreaterThan(damages / 10)
    expect(refused).toBeLessThan(damages)
  }),
)

/** Users that outlive the process: the ACL file, on disks of all kinds and beside redis-server, and user lines in a settings file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Reply } from "../src/codec/Reply.ts"
import { rewriteText } from "../src/config/ConfigFile.ts"
import { Config, Listener, Server } from "../src/index.ts"
import * as Disk from "../src/persistence/disk/Disk.ts"
import { FileSystem } from "../src/persistence/disk/FileSystem.ts"
import { FailingDisk, noFaults } from "./support/FailingDisk.ts"
import * as RealServer from "./support/RealServer.ts"
import { atStartTime, connect, run, type TestClient } from "./support/TestServer.ts"
import { formatReply, splitWords } from "./support/Transcript.ts"

const shown = (reply: Reply): string => formatReply(reply).join("\n")

const aclfile = "/users.acl"

const serve = <A>(disk: FailingDisk, use: (client: TestClient) => Effect.Effect<A>) =>
  Effect.flatMap(connect, use).pipe(
    Effect.provide(Server.layerTest({ aclfile }).pipe(Layer.provide(disk.layer))),
    atStartTime,
    Effect.scoped,
  )

const put = (disk: FailingDisk, text: string) =>
  Effect.flatMap(FileSystem, (fs) => Disk.make(fs).replace(aclfile, Buffer.from(text, "latin1"))).pipe(
    Effect.provide(disk.layer),
  )

describe("the ACL file", () => {
  it.effect("keeps users over a power cut once SAVE has answered", () =>
    Effect.gen(function* () {
      const disk = new FailingDisk(1)
      yield* put(disk, "")
      const before = yield* serve(disk, (client) =>
        Effect.gen(function* () {
          yield* run(client, "ACL", "SETUSER", "alice", "on", ">secret", "%R~news:*", "&x", "+@read", "(+set ~a)")
          yield* run(client, "ACL", "SETUSER", "default", "-flushall")
          expect(shown(yield* run(client, "ACL", "SAVE"))).toBe("+OK")
          const list = shown(yield* run(client, "ACL", "LIST"))
          yield* run(client, "ACL", "SETUSER", "bob")
          return list
        }),
      )
      expect(before).toContain("user alice on #")
      expect(shown(yield* serve(disk.afterPowerCut(), (client) => run(client, "ACL", "LIST")))).toBe(before)
    }),
  )

  it.effect.each(["write", "sync", "rename", "open"] as const)("stays as it was where the disk fails to %s", (fault) =>
    Effect.gen(function* () {
      const disk = new FailingDisk(1)
      yield* put(disk, "user alice on nopass ~* +@all\n")
      yield* serve(disk, (client) =>
        Effect.gen(function* () {
          yield* run(client, "ACL", "SETUSER", "bob")
          disk.faults = { ...noFaults, [fault]: 1 }
          expect(shown(yield* run(client, "ACL", "SAVE"))).toBe(
            "-ERR There was an error trying to save the ACLs. Please check the server logs for more information",
          )
          disk.faults = noFaults
          expect(shown(yield* run(client, "ACL", "LOAD"))).toBe("+OK")
          expect(shown(yield* run(client, "ACL", "USERS"))).toBe('*2\n  "alice"\n  "default"')
        }),
      )
    }),
  )

  it.effect("answers LOAD of a user who goes with it, and then ends the connection", () =>
    Effect.gen(function* () {
      const disk = new FailingDisk(1)
      yield* put(disk, "user alice on nopass ~* +@all\n")
      yield* serve(disk, (client) =>
        Effect.gen(function* () {
          yield* run(client, "AUTH", "alice", "x")
          client.sendRaw("ACL LOAD\r\nPING\r\n")
          yield* Effect.promise(() => client.closed)
          expect(client.arrived().map(shown)).toEqual(["+OK"])
        }),
      )
    }),
  )

  it.effect("ends the start when it is missing, wrong, or not the only place where users are declared", () =>
    Effect.gen(function* () {
      const refused = (disk: FailingDisk) => Effect.map(Effect.flip(serve(disk, () => Effect.void)), String)
      expect(yield* refused(new FailingDisk(1))).toContain("opening file '/users.acl': No such file or directory")
      const wrong = new FailingDisk(1)
      yield* put(wrong, "user alice on +nope\n")
      expect(yield* refused(wrong)).toContain("/users.acl:1: Error in applying operation '+nope'")
      const words = (name: string, ...rest: ReadonlyArray<string>) => ({ name, words: rest, origin: "a file" })
      const both = Server.layerFromConfig.pipe(
        Layer.provide(Config.layerDirectives({ directives: [words("aclfile", aclfile), words("user", "a", "on")] })),
      )
      expect(String(yield* Effect.flip(Effect.scoped(Layer.build(both))))).toContain("user lines in the settings file")
    }),
  )
})

/** What is done on both servers: a file is given, or a request is sent by one of the clients. */
const steps: ReadonlyArray<{ readonly file: string } | { readonly by: number; readonly request: string }> = [
  { by: 0, request: "ACL LIST" },
  { by: 1, request: "AUTH alice pw" },
  { by: 1, request: "PING" },
  { file: 'user alice on +nope +foo >x #12\nusr x\nuser\nuser alice on\nuser c foo +nope bar\n# x\nuser f "on"\n' },
  { by: 0, request: "ACL LOAD" },
  { file: "user  bob on\n" },
  { by: 0, request: "ACL LOAD" },
  { file: "user d\te on\n" },
  { by: 0, request: "ACL LOAD" },
  { by: 0, request: "ACL LIST" },
  { by: 1, request: "PING" },
  { file: "user carl on nopass +@all ~*\r\n\r\n  user alice on >pw +ping (+get ~a &c)  \n" },
  { by: 0, request: "ACL LOAD" },
  { by: 0, request: "ACL LIST" },
  { by: 0, request: "ACL WHOAMI" },
  { by: 2, request: "AUTH alice pw" },
  { by: 2, request: "GET b" },
  { by: 0, request: 'ACL SETUSER dora on >x "(+get %R~a)" &c' },
  { by: 0, request: "ACL SAVE" },
  { by: 0, request: "CONFIG GET requirepass" },
  { file: "user default on >new ~* &* +@all\n" },
  { by: 0, request: "ACL LOAD" },
  { by: 3, request: "PING" },
  { by: 3, request: "AUTH new" },
  { by: 3, request: "ACL LIST" },
]

const play = async (path: string, client: () => Promise<TestClient>): Promise<ReadonlyArray<string>> => {
  const clients = new Map<number, TestClient>()
  const told: Array<string> = []
  for (const step of steps) {
    if ("file" in step) {
      told.push(readFileSync(path, "latin1"))
      writeFileSync(path, step.file)
      continue
    }
    const speaker = clients.get(step.by) ?? (await client())
    clients.set(step.by, speaker)
    told.push(`${step.request}: ${shown(await speaker.run(...splitWords(step.request))).replaceAll(path, "FILE")}`)
  }
  // Who was somebody else than `default` has lost its connection.
  await clients.get(1)!.closed
  told.push(`still there: ${[...clients].filter(([, speaker]) => !speaker.isClosed()).map(([i]) => i)}`)
  for (const speaker of clients.values()) speaker.destroy()
  return told
}

const first = "user alice on >pw ~a* +ping (+set ~b*)\n\nuser bob off\n"

describe.skipIf(!RealServer.isInstalled)("the ACL file beside redis-server", () => {
  it.live("is read, refused and written alike", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "tiny-redis-acl-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
      )
      const [theirFile, ourFile] = ["theirs.acl", "ours.acl"].map((name) => join(directory, name)) as [string, string]
      writeFileSync(theirFile, first)
      writeFileSync(ourFile, first)
      const real = yield* Effect.acquireRelease(
        Effect.promise(() => RealServer.start(["--aclfile", theirFile])),
        (server) => Effect.promise(server.stop),
      )
      const theirs = yield* Effect.promise(() => play(theirFile, real.connect))
      const ours = yield* Effect.flatMap(Listener, ({ port }) =>
        Effect.promise(() => play(ourFile, () => RealServer.connectTcp(port))),
      ).pipe(Effect.provide(Server.layer({ port: 0, save: [], aclfile: ourFile })))
      expect(ours).toEqual(theirs)
    }).pipe(Effect.scoped),
  )
})

describe("user lines", () => {
  const words = (name: string, ...rest: ReadonlyArray<string>) => ({ name, words: rest, origin: "redis.conf line 1" })
  const started = (...directives: ReadonlyArray<ReturnType<typeof words>>) => {
    const config = Config.layerDirectives({ directives: [words("port", "0"), words("save", ""), ...directives] })
    return Effect.map(Config, (service) => service.describeUsers!()).pipe(
      Effect.provide(Server.layerFromConfig.pipe(Layer.provideMerge(config))),
      Effect.scoped,
    )
  }

  it.live("make users, and are what CONFIG REWRITE writes", () =>
    Effect.gen(function* () {
      const users = yield* started(
        words("requirepass", "old"),
        words("user", "alice", "on", "nopass", "~a*", "+get", "(+set", "~b)"),
        words("user", "default", "on", "nopass", "~*", "+@all"),
      )
      expect(users).toEqual([
        "alice on nopass ~a* resetchannels -@all +get (~b resetchannels -@all +set)",
        "default on nopass sanitize-payload ~* resetchannels +@all",
      ])
      const current = { ...(yield* Effect.provide(Config, Config.layer())).current, dir: "./" }
      const file = "user zoe on\n# mine\nUSER old off\nuser older off\nport 6379\n"
      expect(rewriteText(file, current, users)).toBe(`user ${users[0]}\n# mine\nuser ${users[1]}\nport 6379\n`)
      expect(rewriteText("port 6379\n", current, users.slice(0, 1))).toBe(
        `port 6379\n\n# Generated by CONFIG REWRITE\nuser ${users[0]}\n`,
      )
      expect(rewriteText(file, current, [])).toBe("# mine\nport 6379\n")
    }),
  )

  it.live.each([
    { given: ["alice", "+nope"], reason: "rule '+nope' for the user named 'alice': Unknown command or category name" },
    { given: ["a b", "on"], reason: "Spaces not allowed in ACL usernames" },
    { given: ["alice", "(+get"], reason: "Unmatched parenthesis" },
    { given: [], reason: "user takes a name and rules" },
  ])("end the start when they are wrong: $reason", ({ given, reason }) =>
    Effect.map(Effect.flip(started(words("user", ...given))), (error) => expect(String(error)).toContain(reason)),
  )

  it.live("end the start when two are about one user", () =>
    Effect.map(Effect.flip(started(words("user", "a", "on"), words("user", "a", "off"))), (error) =>
      expect(String(error)).toContain("Duplicate user found"),
    ),
  )
})

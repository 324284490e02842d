/** The append-only directory: its manifest, its text, and what an operator does with it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Either from "effect/Either"
import * as Logger from "effect/Logger"
import * as fc from "fast-check"
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs"
import { CommandWriter } from "../src/persistence/log/CommandWriter.ts"
import * as LogText from "../src/persistence/log/LogText.ts"
import * as Manifest from "../src/persistence/log/Manifest.ts"
import { Damaged } from "../src/persistence/rdb/Format.ts"
import { directory, withFiles } from "./support/files.ts"
import { StringBuffer } from "../src/store/StringBuffer.ts"
import { run, withServer } from "./support/TestServer.ts"

describe("a log as commands", () => {
  it.effect("has a very long string in pieces", () =>
    withServer((client) =>
      Effect.gen(function* () {
        const writer = new CommandWriter([], undefined, 4)
        writer.key(0, "short", StringBuffer.from("abcd"), undefined)
        const long = StringBuffer.from("abcdefghij")
        writer.key(0, "long", long, 4_102_444_800_000)
        long.bytes.fill("x")
        const { size } = writer
        const bytes = writer.take()
        expect([bytes.length, writer.size]).toEqual([size, 0])
        client.sendRaw(bytes.latin1Slice())
        // SELECT, SET, three pieces from the last on, PEXPIREAT.
        for (const reply of [{}, {}, { value: 10 }, { value: 10 }, { value: 10 }, { value: 1 }]) {
          expect(yield* Effect.promise(client.receive)).toMatchObject(reply)
        }
        expect(yield* run(client, "MGET", "short", "long")).toMatchObject({
          values: [{ value: "abcd" }, { value: "abcdefghij" }],
        })
      }),
    ),
  )
})

describe("manifest", () => {
  const full: Manifest.Manifest = {
    base: { name: "appendonly.aof.2.base.rdb", seq: 2 },
    incremental: [
      { name: "appendonly.aof.3.incr.aof", seq: 3 },
      { name: "appendonly.aof.4.incr.aof", seq: 4 },
    ],
    history: [{ name: "appendonly.aof.1.base.rdb", seq: 1 }],
  }
  it("reads what it prints", () => {
    expect(Manifest.parse(Manifest.print(full))).toEqual(Either.right(full))
  })
  it("quotes names as redis-server does", () => {
    const name = 'a "b" \\ c\n'
    const odd = { ...Manifest.empty, base: { name, seq: 1 } }
    expect(Manifest.print(odd)).toBe('file "a \\"b\\" \\\\ c\\n" seq 1 type b\n')
    expect(Manifest.parse(Manifest.print(odd))).toEqual(Either.right(odd))
  })
  it.each([
    ["", "no files"],
    ["file a seq 1 type b\nfile b seq 2 type b\n", "more than one base file"],
    ["file a seq 2 type i\nfile b seq 2 type i\n", "incremental files out of order"],
    ["file a/b seq 1 type b\n", "a file's name may not be empty or a path"],
    ["file a seq 0 type b\n", "a file's number is not positive"],
    ["file a seq x type b\n", "a file's number is not positive"],
    ["file a seq 1 type q\n", 'unknown file type "q"'],
    ["file a seq 1\n", "a line is `file NAME seq N type T`"],
    ['file "a seq 1 type b\n', "unbalanced quotes"],
    ["file a seq 1 type b\n\nfile b seq 1 type i\n", "blank line"],
    ["file a seq 1 type b\n\n", "blank line"],
    ["file a seq 1 type b", "last line without its end"],
    [`file a seq 1 type b k ${"v".repeat(1002)}\n`, "line too long"],
  ])("refuses %j", (text, reason) => {
    expect(Either.flip(Manifest.parse(text))).toMatchObject({ right: { reason } })
  })
  it("ignores comments", () => {
    expect(Manifest.parse("# a comment\nfile a seq 1 type b\n")).toEqual(
      Either.right({ ...Manifest.empty, base: { name: "a", seq: 1 } }),
    )
  })
})

const read = (bytes: Buffer, cuts: ReadonlyArray<number>, until = Infinity) => {
  const commands: Array<ReadonlyArray<string>> = []
  const reader = new LogText.LogReader({
    command: (argv) => void commands.push(argv),
    timestamp: (second) => second <= until,
  })
  let from = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    reader.feed(bytes.subarray(from, cut))
    from = cut
  }
  reader.feed(bytes.subarray(from))
  return { commands, reader }
}

const bytesOf = (text: string) => Buffer.from(text, "latin1")
const byteString = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 20,
})
const command = fc.array(byteString, { minLength: 1, maxLength: 4 }).filter(([name]) => !/^(multi|exec)$/i.test(name!))

describe("text of the log", () => {
  it("reads the same commands however the bytes are split", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 10 }), fc.array(fc.nat(400), { maxLength: 10 }), (argvs, cuts) => {
        const bytes = bytesOf(argvs.map(LogText.request).join(""))
        const { commands, reader } = read(
          bytes,
          cuts.map((cut) => Math.min(cut, bytes.length)),
        )
        expect(commands).toEqual(argvs)
        expect(reader.whole).toBe(true)
      }),
    )
  })
  it("finds where a log that was cut anywhere has to be cut", () => {
    const argvs = [
      ["SET", "a", "1"],
      ["SET", "b", "\r\n$3"],
      ["DEL", "a"],
    ]
    const texts = argvs.map(LogText.request)
    const bytes = bytesOf(texts.join(""))
    for (let size = 0; size <= bytes.length; size++) {
      const { commands, reader } = read(bytes.subarray(0, size), [])
      const whole = texts.filter((_, index) => texts.slice(0, index + 1).join("").length <= size)
      expect(commands).toEqual(argvs.slice(0, whole.length))
      expect(reader.offset).toBe(whole.join("").length)
    }
  })
  it("carries out a transaction as a whole, and one that is not complete not at all", () => {
    const inside = LogText.request(["MULTI"]) + LogText.request(["SET", "a", "1"]) + LogText.request(["SET", "b", "1"])
    const before = LogText.request(["SET", "x", "1"])
    const cut = read(bytesOf(before + inside), [])
    expect(cut.commands).toEqual([["SET", "x", "1"]])
    expect(cut.reader.offset).toBe(before.length)
    const whole = read(bytesOf(before + inside + LogText.request(["EXEC"])), [])
    expect(whole.commands).toHaveLength(3)
    expect(whole.reader.whole).toBe(true)
  })
  it("stops where the visitor wants", () => {
    const first = LogText.timestamp(100) + LogText.request(["SET", "a", "1"])
    const { commands, reader } = read(
      bytesOf(first + LogText.timestamp(200) + LogText.request(["SET", "a", "2"])),
      [],
      150,
    )
    expect(commands).toEqual([["SET", "a", "1"]])
    expect(reader.stopped).toBe(true)
    expect(reader.offset).toBe(first.length)
  })
  it.each([
    ["SET a 1\r\n", 0],
    ["*x\r\n", 1],
    ["*0\r\n", 0],
    ["*1\r\n:3\r\n", 4],
    ["*1\r\n$3\r\nSETxx", 11],
    ["*1\r\n$99999999999\r\n", 5],
    ["*1\r\n$3\rx", 7],
    [LogText.request(["MULTI"]) + LogText.request(["MULTI"]), 15],
  ])("names the offset of damage in %j", (text, offset) => {
    try {
      read(bytesOf(text), [])
    } catch (cause) {
      expect(cause).toBeInstanceOf(Damaged)
      expect(cause).toMatchObject({ offset })
      return
    }
    throw new Error("read without an error")
  })
})

describe("damaged text", () => {
  it("is read up to the damage, or as other commands, and never does anything else", () => {
    const argvs = Array.from({ length: 20 }, (_, index) => ["SET", `key:${index}`, "v".repeat(index)])
    const whole = bytesOf(LogText.timestamp(1) + argvs.map(LogText.request).join(""))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = Buffer.from(whole)
          for (const [at, value] of changes) bytes[at] = value
          try {
            const { reader } = read(bytes, [])
            expect(reader.offset).toBeLessThanOrEqual(bytes.length)
          } catch (cause) {
            expect(cause).toBeInstanceOf(Damaged)
            expect((cause as Damaged).offset).toBeLessThanOrEqual(bytes.length)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

const logged = { appendonly: true, appendfsync: "always" } as const

const rewritten = async (client: { run: (...argv: ReadonlyArray<string>) => Promise<unknown> }) => {
  while (JSON.stringify(await client.run("INFO", "persistence")).match(/aof_rewrite_(in_progress|scheduled):1/)) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe("append-only directory", () => {
  it.scoped("is rewritten to a base and an empty file", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, logged, (client) =>
        Effect.promise(async () => {
          for (let i = 0; i < 100; i++) await client.run("INCR", "counter")
          expect(await client.run("BGREWRITEAOF")).toMatchObject({
            value: "Background append only file rewriting started",
          })
          await rewritten(client)
          await client.run("INCR", "counter")
        }),
      )
      expect(readdirSync(`${dir}/appendonlydir`).sort()).toEqual([
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
      ])
      expect(readFileSync(`${dir}/appendonlydir/appendonly.aof.2.incr.aof`, "latin1")).toBe(
        LogText.select(0) + LogText.request(["INCR", "counter"]),
      )
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "counter")).toMatchObject({ value: "101" })
        }),
      )
    }),
  )
  it.scoped("takes over the single file of a server before Redis 7", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      writeFileSync(`${dir}/appendonly.aof`, LogText.select(0) + LogText.request(["SET", "old", "1"]))
      for (let start = 0; start < 2; start++) {
        yield* withFiles(dir, logged, (client) =>
          Effect.gen(function* () {
            expect(yield* run(client, "GET", "old")).toMatchObject({ value: "1" })
          }),
        )
      }
      expect(existsSync(`${dir}/appendonly.aof`)).toBe(false)
      // A crash between the two steps of taking over: the manifest names the file, which has not been moved yet.
      renameSync(`${dir}/appendonlydir/appendonly.aof`, `${dir}/appendonly.aof`)
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "old")).toMatchObject({ value: "1" })
        }),
      )
    }),
  )
  it.scoped("is loaded without counting its commands, and without waiting for any", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      mkdirSync(`${dir}/appendonlydir`)
      writeFileSync(`${dir}/appendonlydir/appendonly.aof.manifest`, "file a.aof seq 1 type i\n")
      const requests = [
        ["SET", "a", "1"],
        ["GETSET", "a"],
        ["BLPOP", "none", "0"],
        ["XREAD", "BLOCK", "0", "STREAMS", "s", "$"],
      ]
      writeFileSync(`${dir}/appendonlydir/a.aof`, requests.map(LogText.request).join(""))
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "INFO", "commandstats")).toMatchObject({ value: "# Commandstats\r\n" })
          expect(yield* run(client, "GET", "a")).toMatchObject({ value: "1" })
        }),
      )
    }),
  )
  it.scoped("can be switched on and off while the server runs", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      yield* withFiles(dir, { appendonly: false }, (client) =>
        Effect.promise(async () => {
          await client.run("SET", "before", "1")
          expect(await client.run("CONFIG", "SET", "appendonly", "yes")).toMatchObject({ value: "OK" })
          await rewritten(client)
          await client.run("SET", "logged", "1")
          expect(await client.run("CONFIG", "SET", "appendonly", "no")).toMatchObject({ value: "OK" })
          await client.run("SET", "after", "1")
        }),
      )
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "EXISTS", "before", "logged")).toMatchObject({ value: 2 })
          expect(yield* run(client, "EXISTS", "after")).toMatchObject({ value: 0 })
        }),
      )
    }),
  )
  it.scoped("refuses a torn end where aof-load-truncated is off", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      mkdirSync(`${dir}/appendonlydir`)
      writeFileSync(`${dir}/appendonlydir/appendonly.aof.manifest`, "file a.aof seq 1 type i\n")
      writeFileSync(`${dir}/appendonlydir/a.aof`, LogText.request(["SET", "a", "1"]) + "*2\r\n$3\r\nDEL")
      const failure = yield* Effect.flip(withFiles(dir, { ...logged, aofLoadTruncated: false }, () => Effect.void))
      expect(failure).toMatchObject({ _tag: "DamagedFile", path: `${dir}/appendonlydir/a.aof`, offset: 27 })
    }),
  )
  // redis-server 7.0.15 says CRITICAL of each, counts them, and loads the rest too.
  it.scoped("is loaded although commands fail, which is told and counted", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      mkdirSync(`${dir}/appendonlydir`)
      writeFileSync(`${dir}/appendonlydir/appendonly.aof.manifest`, "file a.aof seq 1 type i\n")
      const requests = [["SET", "a", "1"], ...Array(12).fill(["RPUSH", "a", "1"]), ["SET", "b", "2"]]
      writeFileSync(`${dir}/appendonlydir/a.aof`, requests.map(LogText.request).join(""))
      const told: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void told.push(`${logLevel.label} ${String(message)}`))
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "MGET", "a", "b")).toMatchObject({ values: [{ value: "1" }, { value: "2" }] })
          const info = yield* run(client, "INFO", "everything")
          const counted = info._tag === "Verbatim" || info._tag === "Bulk" ? info.value : ""
          expect(counted).toMatch(/^unexpected_error_replies:12\r$/m)
          expect(counted).toMatch(/^errorstat_WRONGTYPE:count=12\r$/m)
          yield* run(client, "CONFIG", "RESETSTAT")
          expect(yield* run(client, "INFO", "stats")).toMatchObject({
            value: expect.stringContaining("unexpected_error_replies:0\r\n"),
          })
        }),
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const warnings = told.filter((line) => line.startsWith("WARN"))
      const path = `${dir}/appendonlydir/a.aof`
      const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
      expect(warnings).toHaveLength(11)
      expect(warnings[0]).toBe(`WARN ${path}: at byte 27 "RPUSH" failed: ${wrongType}`)
      expect(warnings[10]).toBe(`WARN ${path}: 12 commands failed; what it makes may not be what was there`)
    }),
  )
  it.scoped("restores the state of a past second, and keeps what came after it beside", () =>
    Effect.gen(function* () {
      const dir = yield* directory
      mkdirSync(`${dir}/appendonlydir`)
      writeFileSync(`${dir}/appendonlydir/appendonly.aof.manifest`, "file appendonly.aof.1.incr.aof seq 1 type i\n")
      writeFileSync(
        `${dir}/appendonlydir/appendonly.aof.1.incr.aof`,
        [100, 200, 300]
          .map((second) => LogText.timestamp(second) + LogText.request(["SET", "at", String(second)]))
          .join(""),
      )
      yield* withFiles(dir, { ...logged, recoverTo: 250 }, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "at")).toMatchObject({ value: "200" })
        }),
      )
      expect(existsSync(`${dir}/appendonlydir/appendonly.aof.1.incr.aof`)).toBe(true)
      yield* withFiles(dir, logged, (client) =>
        Effect.gen(function* () {
          expect(yield* run(client, "GET", "at")).toMatchObject({ value: "200" })
        }),
      )
    }),
  )
  for (const aofUseRdbPreamble of [true, false]) {
    const base = aofUseRdbPreamble ? "a snapshot" : "commands"
    it.scoped(`does not restore a second that the log does not reach back to, with ${base} as its base`, () =>
      Effect.gen(function* () {
        const dir = yield* directory
        const settings = { ...logged, aofUseRdbPreamble }
        yield* TestClock.adjust("10 seconds")
        yield* withFiles(dir, { ...settings, aofTimestampEnabled: true }, (client) => run(client, "SET", "a", "1"))
        const failure = yield* Effect.flip(withFiles(dir, { ...settings, recoverTo: 5 }, () => Effect.void))
        expect(failure).toMatchObject({ _tag: "CannotRecover", reason: expect.stringMatching(/^it begins/) })
      }),
    )
  }
})

/** A settings file as it is read: its words and lines, what it includes, and what is told of one that is wrong. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import * as Sources from "../src/config/Sources.ts"
import { get, refusal, start } from "./support/Settings.ts"

const folder = mkdtempSync(join(tmpdir(), "tiny-redis-config-file-"))
afterAll(() => rmSync(folder, { recursive: true }))

const fileOf = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const refusedFile = (file: string): string => refusal(Sources.layer({ file, flags: [] }))

describe("a settings file", () => {
  it("has quoted words, comments, repeated and older settings, and includes", () => {
    const included = fileOf("included-1.conf", "timeout 9\n")
    const path = fileOf(
      "full.conf",
      `# comment\n\n  # another\nmaxmemory 10mb\nsave 900 1\nsave 300 10\n\tTimeout 5\nhash-max-ziplist-entries 77\r\n` +
        `dbfilename 'a b'\nrequirepass "\\x41\\"\\n"\nclient-output-buffer-limit normal 1kb 2kb 3\nio-threads 4\n` +
        `include ${join(folder, "included-*.conf")}\ninclude ${join(folder, "none-*.conf")}\n`,
    )
    const config = start(path)
    expect(config.current).toMatchObject({
      maxmemory: 10485760,
      save: [
        { seconds: 900, changes: 1 },
        { seconds: 300, changes: 10 },
      ],
      timeout: 9,
      hashMaxListpackEntries: 77,
      dbfilename: "a b",
      requirepass: 'A"\n',
      clientOutputBufferLimit: { normal: { hardBytes: 1024, softBytes: 2048, softSeconds: 3 } },
    })
    expect([config.file, config.warnings]).toEqual([path, ["Settings that have no effect in this server: io-threads"]])
    rmSync(included)
  })

  it('adds up save lines, and starts over after save ""', () => {
    expect(get(start(fileOf("a.conf", 'save 900 1\nsave ""\nsave 5 5\n')), "save")).toEqual({ save: "5 5" })
    expect(get(start(fileOf("b.conf", 'save 900 1 300 10\nsave ""\n')), "save")).toEqual({ save: "" })
    expect(get(start(fileOf("c.conf", 'save "900 1"\n')), "save")).toEqual({ save: "900 1" })
  })

  it.each([
    [
      "port abc",
      (path: string) => `Invalid value "abc" for port (${path} line 2): port takes an integer from 0 to 65535`,
    ],
    [
      "port 1 2",
      (path: string) => `Invalid value "1 2" for port (${path} line 2): port takes an integer from 0 to 65535`,
    ],
    [
      "maxmemory",
      (path: string) => `Invalid value "" for maxmemory (${path} line 2): maxmemory takes bytes, as 1024, 100mb or 1gb`,
    ],
    [
      "maxmemory 1mb # x",
      (path: string) =>
        `Invalid value "1mb # x" for maxmemory (${path} line 2): maxmemory takes bytes, as 1024, 100mb or 1gb`,
    ],
    [
      "cluster-enabled yes",
      (path: string) =>
        `Invalid value "yes" for cluster-enabled (${path} line 2): this server has no choice here but 'no'`,
    ],
    [
      "replicaof 10.0.0.1 port",
      (path: string) =>
        `Invalid value "10.0.0.1 port" for replicaof (${path} line 2): replicaof takes the master's host and port, or no one`,
    ],
    ["nosuch 1", (path: string) => `Unknown setting "nosuch" (${path} line 2)`],
    ['dir "x', (path: string) => `Cannot read the settings file ${path}: unbalanced quotes in line 2`],
    ["include /nonexistent.conf", () => "Cannot read the settings file /nonexistent.conf: No such file or directory"],
    [
      `include ${join(folder, "bad.conf")}`,
      (path: string) => `Cannot read the settings file ${path}: files are included too deep`,
    ],
    [
      "dir /nonexistent",
      (path: string) => `Invalid value "/nonexistent" for dir (${path} line 2): No such file or directory`,
    ],
  ])("refuses %s with one line that says where and what is allowed", (line, message) => {
    const path = fileOf("bad.conf", `# first\n${line}\n`)
    expect(refusedFile(path)).toBe(message(path))
  })

  it("cannot be read if it is missing or a directory", () => {
    expect(refusedFile("/nonexistent.conf")).toBe(
      "Cannot read the settings file /nonexistent.conf: No such file or directory",
    )
    expect(refusedFile(folder)).toContain(`Cannot read the settings file ${folder}: `)
  })
})

/**
 * Settings: how each kind is read, printed and refused (the texts are recorded from redis-server 7.0.15), how files, variables
 * and the command line become values, and that CONFIG SET changes all or nothing.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Config, type Values } from "../src/config/Config.ts"
import { rewriteText } from "../src/config/ConfigFile.ts"
import * as Markdown from "../src/config/Markdown.ts"
import { parse } from "../src/config/Directive.ts"
import { entries, find, names, type SettingName, settings } from "../src/config/Settings.ts"
import { eventLetters } from "../src/config/SettingTypes.ts"
import * as Sources from "../src/config/Sources.ts"
import { EventClass } from "../src/store/Events.ts"
import { build, flag, get, refusal, set, start } from "./support/Settings.ts"

const folder = mkdtempSync(join(tmpdir(), "tiny-redis-config-"))
afterAll(() => rmSync(folder, { recursive: true }))

const fileOf = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const refusedFile = (file: string): string => refusal(Sources.layer({ file, flags: [] }))

describe("the table of settings", () => {
  it("prints every default so that it reads back as the same value", () => {
    for (const entry of entries) {
      const { type, default: initial } = entry.setting
      if (entry.name === "dir") continue
      expect([entry.name, parse(entry, [type.print(initial)], initial)]).toEqual([entry.name, Either.right(initial)])
    }
  })

  it("names nothing twice, older names included", () => {
    const spelled = entries.flatMap((entry) => [entry.name, ...entry.setting.aliases])
    expect(new Set(spelled).size).toBe(spelled.length)
    expect(names.size).toBe(spelled.length)
  })

  it("has the property and the variable of a setting follow from its name", () => {
    expect(find("MaxMemory-Policy")).toMatchObject({
      property: "maxmemoryPolicy",
      variable: "TINY_REDIS_MAXMEMORY_POLICY",
    })
    expect(find("lua-time-limit")!.name).toBe("busy-reply-threshold")
  })

  it("counts classes of keyspace events as the store does", () => {
    const {
      generic,
      string,
      list,
      set,
      hash,
      sortedSet,
      expired,
      evicted,
      stream,
      keyMiss,
      module,
      newKey,
      keyspace,
      keyevent,
    } = EventClass
    const classes = [
      generic,
      string,
      list,
      set,
      hash,
      sortedSet,
      expired,
      evicted,
      stream,
      keyMiss,
      module,
      newKey,
      keyspace,
      keyevent,
    ]
    expect(classes).toEqual([...eventLetters].map((_, i) => 1 << i))
  })
})

/** What CONFIG SET makes of a text, then what CONFIG GET shows: [setting, text, shown]. */
const accepted: ReadonlyArray<readonly [SettingName, string, string]> = [
  ["timeout", "5", "5"],
  ["maxclients", "4294967295", "4294967295"],
  ["slowlog-log-slower-than", "-1", "-1"],
  ["list-max-listpack-size", "-2147483648", "-2147483648"],
  ["maxmemory", "100MB", "104857600"],
  ["maxmemory", "1g", "1000000000"],
  ["maxmemory", "1Gb", "1073741824"],
  ["maxmemory", "1b", "1"],
  ["maxmemory", "2k", "2000"],
  ["maxmemory", "", "0"],
  ["maxmemory", "kb", "0"],
  ["hll-sparse-max-bytes", "1k", "1000"],
  ["maxmemory-clients", "50%", "50%"],
  ["maxmemory-clients", "1gb", "1073741824"],
  ["maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru"],
  ["appendonly", "YES", "yes"],
  ["requirepass", 'a b"\x01', 'a b"\x01'],
  ["dbfilename", "", ""],
  ["bind", "127.0.0.1 ::1", "127.0.0.1 ::1"],
  ["bind", "", ""],
  ["save", "900 1 300 10", "900 1 300 10"],
  ["save", "5 0", "5 0"],
  ["save", "", ""],
  [
    "client-output-buffer-limit",
    "normal 1mb 2mb 10",
    "normal 1048576 2097152 10 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
  ],
  ["client-output-buffer-limit", "replica 1 2 3 PUBSUB 4 5 6", "normal 0 0 0 slave 1 2 3 pubsub 4 5 6"],
  ["client-output-buffer-limit", "", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"],
  ["notify-keyspace-events", "KEA", "AKE"],
  ["notify-keyspace-events", "Kg$", "g$K"],
  ["notify-keyspace-events", "xKEzgtml", "glzxtKEm"],
  ["notify-keyspace-events", "AKEmnd", "AKEm"],
  ["notify-keyspace-events", "n", "n"],
  ["latency-tracking-info-percentiles", "50 99 99.99", "50 99 99.99"],
  ["latency-tracking-info-percentiles", "99.123456 1e1 0", "99.123456 10 0"],
  ["latency-tracking-info-percentiles", "99.9999999999", "100"],
  ["latency-tracking-info-percentiles", "", ""],
  ["shutdown-on-sigterm", "now now", "now"],
  ["shutdown-on-sigterm", "force NOW nosave", "nosave now force"],
  ["shutdown-on-sigint", "default save", "save"],
]

/** What CONFIG SET refuses: [setting, text, reason]. */
const refused: ReadonlyArray<readonly [SettingName, string, string]> = [
  ["timeout", "abc", "argument couldn't be parsed into an integer"],
  ["timeout", "", "argument couldn't be parsed into an integer"],
  ["timeout", "+5", "argument couldn't be parsed into an integer"],
  ["timeout", "05", "argument couldn't be parsed into an integer"],
  ["timeout", "-1", "argument must be between 0 and 2147483647 inclusive"],
  ["maxmemory-samples", "0", "argument must be between 1 and 2147483647 inclusive"],
  ["maxclients", "9999999999", "argument must be between 1 and 4294967295 inclusive"],
  ["port", "70000", "argument must be between 0 and 65535 inclusive"],
  ["slowlog-log-slower-than", "-2", "argument must be between -1 and 9223372036854775807 inclusive"],
  ["list-max-listpack-size", "99999999999", "argument must be between -2147483648 and 2147483647 inclusive"],
  ["hash-max-listpack-entries", "1kb", "argument couldn't be parsed into an integer"],
  ["proto-max-bulk-len", "1", "argument must be between 1048576 and 9223372036854775807 inclusive"],
  ["zset-max-listpack-value", "99999999999999999999", "argument must be between 0 and 9223372036854775807 inclusive"],
  ["maxmemory", "abc", "argument must be a memory value"],
  ["maxmemory", "-1", "argument must be a memory value"],
  ["maxmemory", "1.5gb", "argument must be a memory value"],
  ["maxmemory", " 5", "argument must be a memory value"],
  ["maxmemory-clients", "101%", "percentage argument must be less or equal to 100"],
  ["maxmemory-clients", "-5%", "argument must be a memory or percent value"],
  ["maxmemory-clients", "05%", "argument must be a memory or percent value"],
  ["maxmemory-clients", "%", "argument must be a memory or percent value"],
  ["appendonly", "maybe", "argument must be 'yes' or 'no'"],
  ["appendfsync", "foo", "argument(s) must be one of the following: everysec, always, no"],
  ["loglevel", "foo", "argument(s) must be one of the following: debug, verbose, notice, warning"],
  ["dbfilename", "a/b", "dbfilename can't be a path, just a filename"],
  ["dir", "/nonexistent/directory", "No such file or directory"],
  ["dir", "", "No such file or directory"],
  ["bind", Array.from({ length: 17 }, (_, i) => `127.0.0.${i}`).join(" "), "Too many bind addresses specified."],
  ["save", "900 1 300", "Invalid save parameters"],
  ["save", " 900   1 ", "Invalid save parameters"],
  ["save", "0 1", "Invalid save parameters"],
  ["save", "10 -1", "Invalid save parameters"],
  ["save", "5.5 1", "Invalid save parameters"],
  ["client-output-buffer-limit", "normal 0 0", "Wrong number of arguments in buffer limit configuration."],
  ["client-output-buffer-limit", "master 1 2 3", "Invalid client class specified in buffer limit configuration."],
  [
    "client-output-buffer-limit",
    "normal 1 2 -1",
    "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
  ],
  [
    "client-output-buffer-limit",
    "normal abc 2 1",
    "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
  ],
  ["notify-keyspace-events", "q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."],
  [
    "latency-tracking-info-percentiles",
    "50 101",
    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
  ],
  [
    "latency-tracking-info-percentiles",
    "inf",
    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
  ],
  ["latency-tracking-info-percentiles", "1  2", "Invalid latency-tracking-info-percentiles parameters"],
  ["shutdown-on-sigterm", "save nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"],
  ["shutdown-on-sigterm", "", "argument(s) must be one of the following: default, save, nosave, now, force"],
  ["shutdown-on-sigint", "save  now", "argument(s) must be one of the following: default, save, nosave, now, force"],
  ["latency-tracking-info-percentiles", "nan", "Invalid latency-tracking-info-percentiles parameters"],
  ["databases", "3", "can't set immutable config"],
  ["unixsocket", "/tmp/x", "can't set immutable config"],
]

describe("CONFIG SET", () => {
  it.each(accepted)("takes %s %j", (name, text, shown) => {
    const config = build(Config.layer({ enableProtectedConfigs: "yes" }))
    expect([set(config, name, text), get(config, name)]).toEqual(["OK", { [name]: shown }])
  })

  it.each(refused)("refuses %s %j", (name, text, reason) => {
    const config = build(Config.layer({ enableProtectedConfigs: "yes" }))
    const before = get(config, "*")
    expect(set(config, name, text)).toBe(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`)
    expect(get(config, "*")).toEqual(before)
  })

  it("changes nothing when one of several is refused, and names the first in redis-server's order", () => {
    const config = build(Config.layer())
    const failed = (name: string, reason: string) =>
      `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
    expect(set(config, "maxmemory", "100MB", "maxmemory-samples", "0")).toBe(
      failed("maxmemory-samples", "argument must be between 1 and 2147483647 inclusive"),
    )
    expect(set(config, "port", "1", "nosuch", "2")).toBe(
      "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
    )
    expect(set(config, "timeout", "3", "databases", "4", "nosuch", "5")).toBe(
      failed("databases", "can't set immutable config"),
    )
    expect(set(config, "timeout", "1", "TIMEOUT", "2")).toBe(failed("TIMEOUT", "duplicate parameter"))
    expect(set(config, "DIR", "/tmp")).toBe(failed("DIR", "can't set protected config"))
    expect(config.current).toEqual(build(Config.layer()).current)
  })

  it("lets clients of this machine change protected settings where enable-protected-configs says local", () => {
    const config = build(Config.layer({ enableProtectedConfigs: "local" }))
    expect(set(config, "dbfilename", "x")).toContain("can't set protected config")
    expect(Effect.runSync(Effect.either(config.set([["dbfilename", "x"]], { local: true, loading: false })))).toEqual(
      Either.void,
    )
    expect(config.current.dbfilename).toBe("x")
    const whileLoading = { local: true, loading: true }
    expect(Effect.runSync(Effect.flip(config.set([["dir", "x"]], whileLoading))).code).toBe("LOADING")
  })

  it("tells a handler once for several settings, and not when nothing changed", () => {
    const config = build(Config.layer())
    const seen: Array<readonly [number, number]> = []
    const stop = config.onChange(["port", "timeout"], (now, before) => void seen.push([before.port, now.port]))
    set(config, "port", "7000", "timeout", "3")
    set(config, "port", "7000")
    set(config, "maxmemory", "1")
    stop()
    set(config, "port", "1")
    expect(seen).toEqual([[6379, 7000]])
  })

  it("takes everything back when a handler refuses, and tells those who already followed", async () => {
    const config = build(Config.layer())
    const followed: Array<number> = []
    config.onChange(["timeout"], (now) => void followed.push(now.timeout))
    config.onChange(["port"], (now) => (now.port === 80 ? Either.left("Unable to listen on this port.") : Either.void))
    config.onChange(["bind"], () => Effect.zipRight(Effect.yieldNow(), Effect.fail("Failed to bind.")))
    expect(set(config, "timeout", "9", "PORT", "80")).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port.",
    )
    const waiting = config.set([
      ["timeout", "8"],
      ["bind", "::1"],
    ])
    expect(await Effect.runPromise(Effect.flip(waiting))).toMatchObject({
      message: "CONFIG SET failed (possibly related to argument 'bind') - Failed to bind.",
    })
    expect([followed, config.current.timeout, config.current.port]).toEqual([[9, 0, 8, 0], 0, 6379])
  })

  it("keeps the object of current values, so that whoever holds it reads the new ones", () => {
    const config = build(Config.layer())
    const { current } = config
    set(config, "hash-max-ziplist-entries", "3")
    expect(current.hashMaxListpackEntries).toBe(3)
  })
})

describe("CONFIG GET", () => {
  it("shows a name as it was spelled, once, and every name a pattern matches, older ones included", () => {
    const config = build(Config.layer())
    expect(get(config, "MAXmemory", "mAxclients", "maxMEMORY", "nosuch")).toEqual({
      MAXmemory: "0",
      mAxclients: "10000",
    })
    expect(get(config, "*intset*", "HASH-max*")).toEqual({
      "set-max-intset-entries": "512",
      "hash-max-listpack-entries": "512",
      "hash-max-ziplist-entries": "512",
      "hash-max-listpack-value": "64",
      "hash-max-ziplist-value": "64",
    })
  })

  it("shows a hidden setting to who knows its name", () => {
    const config = build(Config.layer())
    const asked = ["*", "rdb-key-save-dela?", "KEY-LOAD-DELAY", "rdb-key-save-delay"]
    const found = config.get(asked).filter(([name]) => /key-save-delay|key-load-delay/i.test(name))
    expect(found).toEqual([
      ["KEY-LOAD-DELAY", "0"],
      ["rdb-key-save-delay", "0"],
    ])
    expect(set(config, "key-load-delay", "2147483648")).toContain(
      "must be between -2147483648 and 2147483647 inclusive",
    )
    expect(Markdown.table()).not.toContain("key-load-delay")
  })

  it("shows the working directory as dir unless another is given", () => {
    expect(get(build(Config.layer()), "dir")).toEqual({ dir: process.cwd() })
    expect(get(build(Config.layer({ dir: folder })), "dir")).toEqual({ dir: folder })
  })
})

describe("settings without a choice", () => {
  it("are not those that no client would see: how lists are compressed", () => {
    const config = start(fileOf("compress.conf", "list-compress-depth 2\n"))
    expect(config.warnings).toEqual([])
    expect(config.get(["list-compress-depth"])).toEqual([["list-compress-depth", "2"]])
    expect(set(config, "list-compress-depth", "1")).toBe("OK")
    expect(get(config, "list-compress-depth")).toEqual({ "list-compress-depth": "1" })
    expect(set(config, "list-compress-depth", "-1")).toContain("argument must be between 0 and 2147483647 inclusive")
  })

  it("are shown and may be set to what they are", () => {
    const config = start(fileOf("constants.conf", "io-threads 1\nlazyfree-lazy-user-del NO\ncluster-enabled no\n"))
    expect(config.warnings).toEqual([])
    expect(config.get(["io-threads", "LAZYFREE-lazy-e*", "hz"])).toEqual([
      ["io-threads", "1"],
      ["lazyfree-lazy-eviction", "no"],
      ["lazyfree-lazy-expire", "no"],
    ])
    expect(set(config, "timeout", "5", "lazyfree-lazy-user-del", "no", "activedefrag", "No")).toBe("OK")
    expect(config.current.timeout).toBe(5)
  })

  it("refuse everything else, and redis-server's immutable ones even what they are", () => {
    const config = start(fileOf("constants.conf", ""))
    const refused = "CONFIG SET failed (possibly related to argument"
    expect(set(config, "timeout", "5", "activedefrag", "yes")).toBe(
      `ERR ${refused} 'activedefrag') - this server has no choice here but 'no'`,
    )
    expect(set(config, "timeout", "5", "io-threads", "1")).toBe(
      `ERR ${refused} 'io-threads') - can't set immutable config`,
    )
    expect(config.current.timeout).toBe(0)
    const [warning] = start(fileOf("other.conf", "io-threads 4\n")).warnings
    expect(warning).toContain("io-threads")
    expect(refusedFile(fileOf("cluster.conf", "cluster-enabled yes\n"))).toContain("cluster-enabled")
  })
})

describe("CONFIG REWRITE", () => {
  const text =
    "# top comment\n\nmaxmemory 10mb\nport 34900\nsave 900 1\nsave   300 10\n# about hash\nhash-max-ziplist-entries 77\n" +
    "client-output-buffer-limit normal 1kb 2kb 3\ndbfilename 'a b'\nio-threads 4\n\n# end\n"
  const dirLine = `dir ${process.cwd()}\n`

  it("leaves lines alone that still hold, and writes the rest under a heading of its own", () => {
    const config = start(fileOf("keep.conf", text), [flag("maxclients", "33")])
    expect(Effect.runSync(Effect.either(config.rewrite))).toEqual(Either.void)
    expect(readFileSync(config.file!, "utf8")).toBe(`${text}\n# Generated by CONFIG REWRITE\nmaxclients 33\n${dirLine}`)
  })

  it("replaces the lines of what changed where they stand, and reads back as the same settings", () => {
    const config = start(fileOf("change.conf", text))
    expect(
      set(
        config,
        "maxmemory",
        "1500",
        "save",
        "60 1",
        "requirepass",
        'a b"\x01',
        "hash-max-listpack-entries",
        "512",
        "dbfilename",
        "a b",
        "notify-keyspace-events",
        "KEA",
      ),
    ).toContain("protected")
    expect(
      set(
        config,
        "maxmemory",
        "1500",
        "save",
        "60 1",
        "requirepass",
        'a b"\x01',
        "hash-max-listpack-entries",
        "512",
        "notify-keyspace-events",
        "KEA",
      ),
    ).toBe("OK")
    Effect.runSync(config.rewrite)
    expect(readFileSync(config.file!, "utf8")).toBe(
      "# top comment\n\nmaxmemory 1500\nport 34900\nsave 60 1\n# about hash\nhash-max-listpack-entries 512\n" +
        "client-output-buffer-limit normal 1kb 2kb 3\ndbfilename 'a b'\nio-threads 4\n\n# end\n\n# Generated by CONFIG REWRITE\n" +
        `requirepass "a b\\"\\x01"\nnotify-keyspace-events AKE\n${dirLine}`,
    )
    expect(start(config.file!).current).toEqual(config.current)
    Effect.runSync(config.rewrite)
    expect(readFileSync(config.file!, "utf8").match(/Generated/g)).toHaveLength(1)
  })

  it("writes the master that REPLICAOF has noted, in place of the one in the file, and none for a master", () => {
    const config = start(fileOf("replica.conf", "port 1\nslaveof 10.0.0.1 6379\n"))
    expect(config.current.replicaof).toEqual({ host: "10.0.0.1", port: 6379 })
    config.note("replicaof", { host: "10.0.0.2", port: 7000 })
    Effect.runSync(config.rewrite)
    expect(readFileSync(config.file!, "utf8")).toContain("port 1\nreplicaof 10.0.0.2 7000\n")
    expect(start(config.file!).current.replicaof).toEqual({ host: "10.0.0.2", port: 7000 })
    config.note("replicaof", undefined)
    Effect.runSync(config.rewrite)
    expect(readFileSync(config.file!, "utf8")).not.toContain("replicaof")
    expect(start(fileOf("none.conf", "replicaof no one\n")).current.replicaof).toBe(undefined)
  })

  it.each(accepted.filter(([name]) => settings[name].change === "always"))(
    "writes %s %j so that it reads back",
    (name, value) => {
      const config = build(Config.layer())
      set(config, name, value)
      const written = rewriteText("port 6379\n", config.current)
      expect(start(fileOf("back.conf", written)).current).toEqual(config.current)
    },
  )

  it("writes every setting where all are wanted, from which a server starts with the same values", () => {
    const file = fileOf("all.conf", "")
    const config = start(file)
    set(config, "maxmemory", "5mb")
    Effect.runSync(config.rewriteAll)
    expect(get(start(file), "*")).toEqual(get(config, "*"))
    const written = readFileSync(file, "utf8")
    expect(entries.filter(({ name }) => !written.includes(`\n${name} `)).map(({ name }) => name)).toEqual(["replicaof"])
  })

  it("is refused without a file, and when the directory is gone", () => {
    expect(Effect.runSync(Effect.flip(build(Config.layer()).rewrite)).message).toBe(
      "The server is running without a config file",
    )
    const gone = mkdtempSync(join(folder, "gone-"))
    writeFileSync(join(gone, "x.conf"), "")
    const config = start(join(gone, "x.conf"))
    rmSync(gone, { recursive: true })
    expect(Effect.runSync(Effect.flip(config.rewrite)).message).toBe("Rewriting config file: No such file or directory")
  })
})

describe("the environment", () => {
  it("sets what TINY_REDIS_ variables name", () => {
    const env = {
      TINY_REDIS_MAXMEMORY_POLICY: "allkeys-lfu",
      TINY_REDIS_SAVE: "900 1",
      TINY_REDIS_REQUIREPASS: "pä",
      OTHER: "1",
    }
    expect(build(Config.layerConfig, env).current).toMatchObject({
      maxmemoryPolicy: "allkeys-lfu",
      save: [{ seconds: 900, changes: 1 }],
      requirepass: "p\xc3\xa4",
    })
  })

  it("names the variable of a bad value", () => {
    expect(refusal(Config.layerConfig, { TINY_REDIS_PORT: "x" })).toBe(
      'Invalid value "x" for port (TINY_REDIS_PORT): port takes an integer from 0 to 65535',
    )
  })

  it("replaces what a file says, and flags replace the environment", () => {
    const path = fileOf("env.conf", "timeout 1\nport 1\nsave 1 1\nmaxclients 5\n")
    const { current } = start(path, [flag("port", "3")], {
      TINY_REDIS_PORT: "2",
      TINY_REDIS_TIMEOUT: "2",
      TINY_REDIS_SAVE: "2 2",
    })
    expect(current).toMatchObject({ port: 3, timeout: 2, maxclients: 5, save: [{ seconds: 2, changes: 2 }] })
  })
})

describe("the README's table", () => {
  it("has a row for each setting that is not hidden", () => {
    const rows = Markdown.table().split("\n")
    expect(rows).toHaveLength(entries.filter(({ setting }) => !setting.hidden).length + 2)
    expect(rows).toContain(
      "| `maxmemory-samples` | `5` | yes | Keys looked at to find one to evict: more is closer to true LRU and slower. |",
    )
  })
})

describe("a program's own values", () => {
  it("obey the same limits as written ones", () => {
    const values: Partial<Values> = {
      port: 0,
      save: [],
      bind: ["::1"],
      appendonly: true,
      maxmemoryClients: { percent: 5 },
    }
    expect(build(Config.layer(values)).current).toMatchObject(values)
    expect(refusal(Config.layer({ port: 70000 }))).toBe(
      'Invalid value "70000" for port (given by the program): port takes an integer from 0 to 65535',
    )
  })
})

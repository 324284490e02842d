/**
 * Bytes that are no proper requests, sent over TCP to this server and to redis-server: what comes back until the connection ends
 * must be the same to the last byte, also before authentication, and wherever the bytes are cut. What each means is told by the
 * tables of codec.test.ts; here the real server judges them. Each conversation ends by half-closing, so nothing is waited for.
 */
import * as net from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import * as Server from "../src/Server.ts"
import { Listener } from "../src/socket/Listener.ts"
import * as RealServer from "./support/RealServer.ts"

const ping = encodeRequest(["PING"])
const nul = "a\0b"

const lengths: ReadonlyArray<string> = [
  ...[
    "*\r\n",
    "*a\r\n",
    "*1a\r\n",
    `*-1\r\n${ping}`,
    `*0\r\n${ping}`,
    `*-5\r\n${ping}`,
    "*+1\r\n",
    "* 1\r\n",
    "*01\r\n",
  ],
  ...["*2147483648\r\n", "*2147483647\r\n", "*9223372036854775808\r\n", "*1\n$4\nPING\n", `*1\rX$4\rXPINGXX${ping}`],
  ...[
    "*1\r\n$-1\r\n",
    "*2\r\n$4\r\nECHO\r\n$-1\r\n",
    "*1\r\n$\r\n",
    "*1\r\n$a\r\n",
    "*1\r\n$4a\r\nPING\r\n",
    "*1\r\n$04\r\n",
  ],
  ...["*1\r\n$+4\r\n", "*1\r\n$536870913\r\n", "*1\r\n$1073741824\r\n", "*1\r\n$9223372036854775808\r\n"],
  ...[
    "*1\r\n4\r\nPING\r\n",
    "*1\r\n*4\r\nPING\r\n",
    "*1\r\n\r\n",
    "*1\r\n\0\r\n",
    "*1\r\n\xff\r\n",
    `*1\r\n$0\r\n\r\n${ping}`,
  ],
  ...[
    `*1\r\n$4\r\nPINGxx${ping}`,
    encodeRequest(["ECHO", ""]),
    `${ping}*1\r\n$a\r\n${ping}`,
    `${ping.repeat(3)}*1\r\nfoo\r\n`,
  ],
  ...[`*${"1".repeat(65_537)}`, `*${"1".repeat(30)}\r\n`, `*1\r\n$${"1".repeat(65_537)}`],
]

const lines: ReadonlyArray<string> = [
  ...[
    `\r\n\r\n\n${ping}`,
    "PING\n",
    "PING\r",
    `   \r\n${ping}`,
    "\tping\tx\r\n",
    "ping \xff\xfe\r\n",
    "ping \x0b\r\n",
    "ping a\0b\r\n",
  ],
  ...['ping "a b"\r\n', "ping 'it\\'s'\r\n", 'ping "\\x41\\n\\t\\r\\a\\b\\q\\\\\\""\r\n', 'ping "\\xZZ\\x4"\r\n'],
  ...['ping "a\r\n', "ping 'a\r\n", 'ping "a"b\r\n', "ping 'a'b\r\n", 'ping a"b c"\r\n'],
  ...[
    "x".repeat(65_536),
    "x".repeat(65_537),
    `ping ${"y".repeat(65_600)}\r\n`,
    "$4\r\nPING\r\n",
    "+PING\r\n",
    "_\r\n",
    "%1\r\n",
  ],
  ...[
    "QUIT\r\nPING\r\n",
    "foo bar\r\n",
    `foo ${"a ".repeat(100)}\r\n`,
    encodeRequest(["x".repeat(200), "y".repeat(200)]),
  ],
]

/** What is answered by silence, and for how long. */
const silence: ReadonlyArray<string> = [
  ...[
    "SKIP\r\nCLIENT REPLY SKIP",
    "SKIP\r\nPING\r\nCLIENT REPLY SKIP",
    "OFF\r\nCLIENT REPLY SKIP",
    "SKIP\r\nCLIENT REPLY OFF",
  ],
  ...[
    "SKIP\r\nCLIENT REPLY ON",
    "OFF\r\nCLIENT REPLY ON",
    "SKIP\r\nNOSUCH",
    "OFF\r\nRESET",
    "SKIP\r\nRESET",
    "SKIP",
    "OFF",
  ],
].map((words) => `CLIENT REPLY ${words}\r\nPING\r\nPING\r\nPING\r\n`)

/** HTTP, as a browser speaks it. A request line that is a command of Redis is answered if it comes by itself. */
const web: ReadonlyArray<string> = [
  ...["POST / HTTP/1.1\r\nHost: x\r\n\r\n", `post\r\n${ping}`, `hOST: x\r\n${ping}`, encodeRequest(["POST", "/"])],
  ...["MULTI\r\nPOST / HTTP/1.1\r\n", `posts\r\n${ping}`, encodeRequest(["SET", "post", "1"])],
]

/** Errors show words as C prints them. */
const words: ReadonlyArray<string> = [
  ...[[nul], [nul, nul, "c"], ["x", "p", nul, "q"], ["x", "a\r\nb"], ["client", nul], ["config", "set", nul, "1"]],
  ...[
    ["object", nul],
    ["client", "list", "type", nul],
    ["client", "kill", "type", nul],
    ["hello", "3", nul],
    ["debug", nul],
  ],
  ...[
    ["xreadgroup", "group", nul, "c", "streams", nul, ">"],
    ["xgroup", nul],
    ["xinfo", nul],
    ["xpending", nul, nul],
  ],
  ...[
    ["function", nul],
    ["script", nul],
    ["latency", "graph", nul],
    ["pfdebug", nul, "k"],
  ],
  ...[
    ["client", "tracking", "on", "bcast", "prefix", nul, "prefix", `${nul}c`],
    ["function", "delete", "a", nul],
  ],
].map(encodeRequest)

const large = encodeRequest(["MGET", ..."abcdefghij"])
const sizes: ReadonlyArray<string> = [
  ...["*10\r\n", "*11\r\n", "*99999999999\r\n", "*1\r\n$16384\r\n", "*1\r\n$16385\r\n", "*1\r\n$536870912\r\n", large],
  ...[encodeRequest(["PING", "v".repeat(16_384)]), encodeRequest(["PING", "v".repeat(16_385)])],
]
const authenticated = encodeRequest(["AUTH", "secret"])

/** Sends the pieces and half-closes; gives all that comes back until the connection ends. */
const converse = (port: number, pieces: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve) => {
    let answer = ""
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    socket.on("data", (chunk) => (answer += chunk.latin1Slice()))
    // A server that closes while requests are unread resets the connection.
    socket.on("error", () => {})
    socket.on("close", () => resolve(answer))
    socket.on("end", () => socket.destroy())
    const send = (i: number): void => {
      if (i === pieces.length) socket.end()
      else socket.write(pieces[i]!, "latin1", () => setImmediate(send, i + 1))
    }
    socket.on("connect", () => send(0))
  })

/** The same bytes whole, and cut in two where `cut` says. */
const ways = (bytes: string): ReadonlyArray<ReadonlyArray<string>> => {
  const cut = Math.floor(bytes.length / 2)
  return [[bytes], [bytes.slice(0, cut), bytes.slice(cut)]]
}

/** In one piece: whether what came before the end of a connection is answered would depend on when it came. */
const whole = (cases: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => cases.map((bytes) => [bytes])

interface Options {
  readonly requirepass?: string
  readonly enableDebugCommand?: "yes" | "no" | "local"
}

const compare = (options: Options, conversations: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.gen(function* () {
    const { port } = yield* Listener
    const { requirepass = "", enableDebugCommand = "yes" } = options
    const flags = ["--requirepass", requirepass, "--enable-debug-command", enableDebugCommand]
    const real = yield* Effect.acquireRelease(
      Effect.promise(() => RealServer.start(flags)),
      (server) => Effect.promise(server.stop),
    )
    const hear = (at: number) =>
      Effect.forEach(conversations, (pieces) => Effect.promise(() => converse(at, pieces)), { concurrency: 8 })
    const [ours, theirs] = yield* Effect.all([hear(port), hear(real.port)])
    const told = (answers: ReadonlyArray<string>) => answers.map((answer, i) => [conversations[i]!.map(short), answer])
    expect(told(ours)).toEqual(told(theirs))
  }).pipe(
    Effect.provide(Server.layer({ port: 0, save: [], appendonly: false, enableDebugCommand: "yes", ...options })),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.scoped,
  )

const short = (bytes: string): string => (bytes.length > 60 ? `${bytes.slice(0, 60)}... of ${bytes.length}` : bytes)

describe.skipIf(!RealServer.isInstalled)("in the words of redis-server", () => {
  it.live("lengths", () => compare({}, lengths.flatMap(ways)))
  it.live("lines", () => compare({}, lines.flatMap(ways)))
  it.live("words in errors", () => compare({}, words.flatMap(ways)))
  it.live("silence", () => compare({}, silence.flatMap(ways)))
  it.live("commands that take their time, and a half-closed connection", () =>
    compare({}, whole(["DEBUG SLEEP 0.01\r\nPING\r\n", "BLPOP none 0\r\nPING\r\n"])),
  )
  it.live("HTTP", () => compare({}, whole(web)))

  it.live("what is too large before authentication", () =>
    compare({ requirepass: "secret" }, [
      ...[...sizes, ...lengths].flatMap(ways),
      ...whole(web),
      // Announcing 512 MiB is too much for V8 (see Decoder.ts), though not for redis-server.
      ...whole(sizes.filter((bytes) => !bytes.includes("536870912")).map((bytes) => authenticated + bytes)),
    ]),
  )

  it.live.each(["yes", "no", "local"] as const)("DEBUG when it is allowed to: %s", (enableDebugCommand) =>
    compare({ enableDebugCommand }, whole(["DEBUG\r\n", "DEBUG FOO\r\n", "DEBUG SLEEP\r\n", "DEBUG OBJECT none\r\n"])),
  )
})

/**
 * A master that a test plays: links connect to it in memory, it sees their requests one by one and says what it likes.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { request as encodeRequest } from "../../src/persistence/log/LogText.ts"
import { ConnectFailed, type ConnectionEvents, Connector } from "../../src/replication/link/Connector.ts"
import { LogReader } from "../../src/persistence/log/LogText.ts"

/** One link, as its master sees it. */
export class MasterEnd {
  isClosed = false
  /** What it has not taken yet of what was sent. */
  queuedBytes = 0
  private events: ConnectionEvents | undefined
  private readonly requests: Array<ReadonlyArray<string>> = []
  private readonly waiting: Array<(request: ReadonlyArray<string>) => void> = []
  private readonly reader = new LogReader({
    command: (argv) => this.arrived(argv),
    timestamp: () => true,
  })

  private arrived(argv: ReadonlyArray<string>): void {
    const waiter = this.waiting.shift()
    if (waiter === undefined) this.requests.push(argv)
    else waiter(argv)
  }

  /** Its end, as the link holds it. */
  readonly connection = {
    remoteAddress: "127.0.0.1:7000",
    localAddress: "127.0.0.1:7001",
    fd: -1,
    start: (events: ConnectionEvents) => {
      this.events = events
    },
    // Empty lines are signs of life.
    write: (bytes: string) => (bytes === "\n" ? undefined : this.reader.feed(Buffer.from(bytes, "latin1"))),
    queuedBytes: () => this.queuedBytes,
    pause: () => {},
    resume: () => {},
    destroy: () => this.close(),
  }

  /** The link's next request. */
  readonly request = Effect.promise(
    () =>
      new Promise<ReadonlyArray<string>>((resolve) => {
        const argv = this.requests.shift()
        if (argv !== undefined) resolve(argv)
        else this.waiting.push(resolve)
      }),
  )

  /** Sends bytes, each piece by itself. */
  say(...pieces: ReadonlyArray<string>): void {
    for (const piece of pieces) this.events?.data(Buffer.from(piece, "latin1"))
  }

  /** Sends requests as the stream has them. */
  stream(...requests: ReadonlyArray<ReadonlyArray<string>>): void {
    this.say(requests.map(encodeRequest).join(""))
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.events?.closed()
  }

  /** Answers the handshake up to PSYNC, whose words it gives. */
  readonly greet: Effect.Effect<ReadonlyArray<string>> = Effect.flatMap(this.request, (argv) => {
    if (argv[0] === "PSYNC") return Effect.succeed(argv.slice(1))
    this.say(argv[0] === "PING" ? "+PONG\r\n" : "+OK\r\n")
    return this.greet
  })

  /** Ends when the link has taken all that was said before; gives the offset that it has come to. */
  readonly settled: Effect.Effect<number> = Effect.suspend(() => {
    this.requests.length = 0
    this.stream(["REPLCONF", "GETACK", "*"])
    return Effect.map(this.request, (argv) => Number(argv[2]))
  })
}

export const make = () => {
  const arrived: Array<MasterEnd> = []
  const waiting: Array<(end: MasterEnd) => void> = []
  /** Set, nobody can connect, for this reason. */
  let refusal: string | undefined
  const layer = Layer.succeed(Connector, {
    connect: () =>
      Effect.suspend(() => {
        if (refusal !== undefined) return Effect.fail(new ConnectFailed({ reason: refusal }))
        const end = new MasterEnd()
        const waiter = waiting.shift()
        if (waiter === undefined) arrived.push(end)
        else waiter(end)
        return Effect.succeed(end.connection)
      }),
  })
  return {
    layer,
    refuse: (reason: string | undefined) => {
      refusal = reason
    },
    /** The next connection. */
    connection: Effect.promise(
      () =>
        new Promise<MasterEnd>((resolve) => {
          const end = arrived.shift()
          if (end !== undefined) resolve(end)
          else waiting.push(resolve)
        }),
    ),
    /** Connections that nobody has asked for yet. */
    arrived,
  }
}

/** A snapshot of short strings in database 0, without a checksum. */
export const snapshot = (keys: Readonly<Record<string, string>>, deadlines: Readonly<Record<string, number>> = {}) => {
  const text = (value: string) => String.fromCharCode(value.length) + value
  const deadline = (key: string): string => {
    const atMs = deadlines[key]
    if (atMs === undefined) return ""
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(atMs))
    return `\xfc${bytes.latin1Slice()}`
  }
  const entries = Object.entries(keys).map(([key, value]) => `${deadline(key)}\0${text(key)}${text(value)}`)
  return `REDIS0010\xfe\0${entries.join("")}\xff${"\0".repeat(8)}`
}

export const id = "0123456789012345678901234567890123456789"
const mark = "abcdefabcdefabcdefabcdefabcdefabcdefabcd"

/** What a master says to a link that gets all of its data. */
export const fullSync = (data: string, offset: number, form: "length" | "mark" = "mark") =>
  `+FULLRESYNC ${id} ${offset}\r\n${form === "mark" ? `$EOF:${mark}\r\n${data}${mark}` : `$${data.length}\r\n${data}`}`

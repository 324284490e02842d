/**
 * The smallest client that the benchmark needs: it writes a pipeline of commands and resolves with the raw bytes of each
 * reply, as latin1 text. It shares no code with the server, so a mistake in our codec cannot hide here, and it understands
 * a reply only so far as to find its end.
 */
import { connect, type Socket } from "node:net"

export type Argv = ReadonlyArray<string>

const bulk = (argument: string): string => `$${argument.length}\r\n${argument}\r\n`

/** One request, as latin1 text with one char per byte. */
export const request = (argv: Argv): string => `*${argv.length}\r\n${argv.map(bulk).join("")}`

/**
 * Finds where replies end in text that arrives in pieces. It remembers how far it has read and how many elements are still
 * to come at each depth, so a reply of a million elements is read once, however many pieces it comes in.
 */
class ReplyEnd {
  private at = 0
  /** Where the text must reach before there is anything more to read. */
  private needed = 0
  private readonly missing: Array<number> = []

  /** The end of the first reply in `text`, which has only grown since the last call; -1 while it is not complete. */
  find(text: string): number {
    if (text.length < this.needed) return -1
    this.needed = 0
    for (;;) {
      const lineEnd = text.indexOf("\r\n", this.at)
      if (lineEnd < 0) return this.wait(text.length + 1)
      const kind = text[this.at]!
      const count = Number(text.slice(this.at + 1, lineEnd))
      let next = lineEnd + 2
      if ((kind === "$" || kind === "=") && count >= 0) next += count + 2
      if (next > text.length) return this.wait(next)
      this.at = next
      if ("*~>%".includes(kind) && count > 0) this.missing.push(kind === "%" ? count * 2 : count)
      else if (this.elementDone()) return this.restart()
    }
  }

  /** What has been read of an incomplete reply, which the caller takes off the text. */
  passed(): number {
    const passed = this.restart()
    this.needed -= passed
    return passed
  }

  private wait(needed: number): number {
    this.needed = needed
    return -1
  }

  /** Counts one element as read; true when that was the last one of the whole reply. */
  private elementDone(): boolean {
    while (this.missing.length > 0 && --this.missing[this.missing.length - 1]! === 0) this.missing.pop()
    return this.missing.length === 0
  }

  private restart(): number {
    const end = this.at
    this.at = 0
    return end
  }
}

interface Waiting {
  readonly replies: Array<string>
  readonly count: number
  readonly done: (replies: ReadonlyArray<string>) => void
  readonly failed: (error: Error) => void
}

export class Client {
  private readonly socket: Socket
  private readonly waiting: Array<Waiting> = []
  private readonly replyEnd = new ReplyEnd()
  private received = ""
  /** What has been read of the reply that is coming: searching text that grows would copy all of it each time. */
  private begun = ""

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => this.receive(String(chunk)))
    socket.on("error", (error) => this.fail(error))
    socket.on("close", () => this.fail(new Error("the server closed the connection")))
  }

  static connect(server: { readonly host: string; readonly port: number }): Promise<Client> {
    return new Promise((done, failed) => {
      const socket = connect(server.port, server.host)
      socket.once("error", failed)
      socket.once("connect", () => {
        socket.off("error", failed)
        done(new Client(socket))
      })
    })
  }

  /** Writes all commands at once and resolves with their replies in order. */
  send(commands: ReadonlyArray<Argv>): Promise<ReadonlyArray<string>> {
    return this.sendText(commands.map(request).join(""), commands.length)
  }

  /** The same for commands written out before, so that writing them is not part of a measurement. */
  sendText(text: string, count: number): Promise<ReadonlyArray<string>> {
    if (count === 0) return Promise.resolve([])
    return new Promise((done, failed) => {
      this.waiting.push({ replies: [], count, done, failed })
      this.socket.write(text, "latin1")
    })
  }

  async call(...argv: Argv): Promise<string> {
    return (await this.send([argv]))[0]!
  }

  close(): void {
    this.socket.removeAllListeners("close")
    this.socket.destroy()
  }

  private receive(chunk: string): void {
    this.received += chunk
    while (this.received.length > 0 && this.waiting.length > 0) {
      const end = this.replyEnd.find(this.received)
      if (end < 0) {
        const passed = this.replyEnd.passed()
        this.begun += this.received.slice(0, passed)
        this.received = this.received.slice(passed)
        break
      }
      const first = this.waiting[0]!
      first.replies.push(this.begun + this.received.slice(0, end))
      this.begun = ""
      this.received = this.received.slice(end)
      if (first.replies.length === first.count) {
        this.waiting.shift()
        first.done(first.replies)
      }
    }
  }

  private fail(error: Error): void {
    for (const waiting of this.waiting.splice(0)) waiting.failed(error)
  }
}

const batchLength = 1000

/** Sends `count` commands in pipelines of a thousand; an error reply ends it. */
export const fill = async (client: Client, count: number, argv: (index: number) => Argv): Promise<void> => {
  for (let from = 0; from < count; from += batchLength) {
    const length = Math.min(batchLength, count - from)
    const replies = await client.send(Array.from({ length }, (_, i) => argv(from + i)))
    const error = replies.find((reply) => reply.startsWith("-"))
    if (error !== undefined) throw new Error(`${argv(from)[0]} answered ${error.trim()}`)
  }
}

/** The number after `field:` in an INFO reply; undefined when the field is missing. */
export const infoNumber = (info: string, field: string): number | undefined => {
  const match = new RegExp(`(?:^|\\n)${field}:(-?[0-9.]+)`).exec(info)
  return match === null ? undefined : Number(match[1])
}

/**
 * The commands of an append-only file as text: requests in the form clients send them (`*3`, `$3`, `SET`, ...), and between them, if
 * wanted, lines `#TS:seconds` that say when what follows was written.
 *
 * The idea to hold: a reader hands out whole transactions only, so what a crash cut in the middle of one is as if it had not begun; the
 * offset it then names is that of the first byte to cut off.
 */
import { flat, ownLengthMin } from "../../bytes/Bytes.ts"
import { pieceChars } from "../../bytes/Pieces.ts"
import type { Change } from "../Persistence.ts"
import { Damaged } from "../rdb/Format.ts"

/** One request, as clients send it too. Strings grow as ropes, which costs a third of writing each part into a buffer. */
export const request = (argv: ReadonlyArray<string>): string => {
  let text = `*${argv.length}\r\n`
  for (const arg of argv) text += `$${arg.length}\r\n` + arg + "\r\n"
  return text
}

export const timestamp = (seconds: number): string => `#TS:${seconds}\r\n`

export const select = (index: number): string => {
  const digits = String(index)
  return `*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`
}

/** Where text goes. */
export interface Sink {
  readonly add: (text: string) => void
}

/**
 * Writes changes behind what has `selected` a database (-1: none); gives the one that is selected then. What belongs together may be longer
 * than a string can be, so long text comes in parts.
 */
export const write = (changes: ReadonlyArray<Change>, selected: number, sink: Sink): number => {
  let at = selected
  let text = ""
  for (const { db, argv } of changes) {
    if (db !== at) {
      at = db
      text += select(db)
    }
    text += `*${argv.length}\r\n`
    for (const arg of argv) {
      text += `$${arg.length}\r\n`
      if (arg.length > pieceChars) {
        sink.add(text)
        sink.add(arg)
        text = "\r\n"
      } else text += arg + "\r\n"
      if (text.length > pieceChars) {
        sink.add(text)
        text = ""
      }
    }
  }
  sink.add(text)
  return at
}

export interface LogVisitor {
  /** A command to carry out; those of a transaction come one after the other once it is whole. */
  readonly command: (argv: Array<string>) => void
  /** All commands of a transaction, in place of calls of `command`. */
  readonly transaction?: (commands: ReadonlyArray<ReadonlyArray<string>>) => void
  /** What follows was written in this second or later. False: stop reading here. */
  readonly timestamp: (seconds: number) => boolean
}

const starCode = 42
const dollarCode = 36
const hashCode = 35
const crCode = 13
const lfCode = 10
/** A line that is neither a count nor an annotation is at most this long before it is damage. */
const lineCharsMax = 64
const annotationCharsMax = 1024

const isWord = (arg: string, word: string): boolean => arg.length === word.length && arg.toLowerCase() === word

/** Reads an append-only file, chunk by chunk. */
export class LogReader {
  /** Set when the visitor asked to stop; `offset` is where the first unwanted byte is. */
  stopped = false
  private readonly visitor: LogVisitor
  private text = ""
  private position = 0
  /** Offset in the file of the first char of `text`. */
  private base: number
  /** Where the last complete command or transaction ended. */
  private complete: number
  /** Chars that `text` must have before another attempt makes sense. */
  private wanted = 0
  private waiting: Array<string> = []
  private waitingSize = 0
  private transaction: Array<Array<string>> | undefined
  /** The command that has come in part, and how many arguments it has. */
  private argv: Array<string> | undefined
  private count = 0

  constructor(visitor: LogVisitor, offset = 0) {
    this.visitor = visitor
    this.base = offset
    this.complete = offset
  }

  /** Where a file that ends here has to be cut to end in a whole command. */
  get offset(): number {
    return this.complete
  }

  /** Whether what was read so far ends between two commands. */
  get whole(): boolean {
    return this.complete === this.base + this.text.length + this.waitingSize
  }

  /** Takes the next bytes of the file. Throws `Damaged`. */
  feed(chunk: Buffer): void {
    if (this.stopped) return
    this.waiting.push(chunk.latin1Slice())
    this.waitingSize += chunk.length
    const left = this.text.length - this.position
    if (left + this.waitingSize < this.wanted) return
    this.base += this.position
    this.text = this.text.slice(this.position) + this.waiting.join("")
    this.position = 0
    this.wanted = 0
    this.waiting = []
    this.waitingSize = 0
    while (this.position < this.text.length && !this.stopped) if (!this.next()) break
  }

  private fail(at: number, reason: string): never {
    throw new Damaged(this.base + at, reason)
  }

  /** Reads one command or annotation. False if the text ends before it does. */
  private next(): boolean {
    const first = this.text.charCodeAt(this.position)
    if (first === starCode || this.argv !== undefined) return this.command()
    if (first === hashCode) return this.annotation()
    this.fail(this.position, `expected a command or an annotation`)
  }

  private annotation(): boolean {
    const end = this.text.indexOf("\n", this.position)
    if (end < 0) {
      if (this.text.length - this.position > annotationCharsMax) this.fail(this.position, "annotation without an end")
      return false
    }
    if (end - this.position > annotationCharsMax) this.fail(this.position, "annotation too long")
    const line = this.text.slice(this.position, end).trimEnd()
    const seconds = /^#TS:(\d+)$/.exec(line)
    if (seconds !== null && !this.visitor.timestamp(Number(seconds[1]))) {
      this.stopped = true
      return false
    }
    this.advance(end + 1)
    return true
  }

  private command(): boolean {
    let at = this.position
    let { argv } = this
    if (argv === undefined) {
      at = this.number(at + 1)
      if (at < 0) return false
      this.count = this.value
      if (this.count < 1) this.fail(this.position, "command without arguments")
      argv = []
    }
    while (argv.length < this.count) {
      const start = at
      if (at < this.text.length && this.text.charCodeAt(at) !== dollarCode) {
        this.fail(at, "expected the length of an argument")
      }
      at = at < this.text.length ? this.number(at + 1) : -1
      const end = at + this.value
      if (at < 0 || end + 2 > this.text.length) {
        // What has come is not read again: all of it may be longer than a string can be.
        this.argv = argv
        this.position = start
        if (at >= 0) this.wanted = end + 2 - start
        return false
      }
      if (this.text.charCodeAt(end) !== crCode || this.text.charCodeAt(end + 1) !== lfCode) {
        this.fail(end, "argument does not end where its length says")
      }
      const arg = this.text.slice(at, end)
      // As requests of clients are: the store takes it that long strings hold nothing else.
      argv.push(this.value > ownLengthMin ? flat(arg) : arg)
      at = end + 2
    }
    this.argv = undefined
    this.deliver(argv, at)
    return true
  }

  private value = 0

  /** Reads digits and a line end into `value`; returns what follows them, or -1 if the text ends first. */
  private number(at: number): number {
    const text = this.text
    let value = 0
    let index = at
    for (; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code === crCode) break
      if (code < 48 || code > 57) this.fail(index, "expected a number")
      value = value * 10 + (code - 48)
      if (value > 0x7fff_ffff || index - at > lineCharsMax) this.fail(at, "number out of range")
    }
    if (index + 2 > text.length) return -1
    if (index === at) this.fail(at, "expected a number")
    if (text.charCodeAt(index + 1) !== lfCode) this.fail(index + 1, "expected the end of a line")
    this.value = value
    return index + 2
  }

  private deliver(argv: Array<string>, end: number): void {
    const { transaction } = this
    const name = argv[0]
    if (transaction === undefined) {
      if (isWord(name, "multi")) {
        this.transaction = []
        this.position = end
        return
      }
      this.visitor.command(argv)
      this.advance(end)
      return
    }
    if (isWord(name, "multi")) this.fail(this.position, "MULTI inside of a transaction")
    if (!isWord(name, "exec")) {
      transaction.push(argv)
      this.position = end
      return
    }
    this.transaction = undefined
    if (this.visitor.transaction !== undefined) this.visitor.transaction(transaction)
    else for (const command of transaction) this.visitor.command(command)
    this.advance(end)
  }

  private advance(end: number): void {
    this.position = end
    if (this.transaction === undefined) this.complete = this.base + end
  }
}

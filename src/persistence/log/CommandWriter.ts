/**
 * The base of a rewritten log as commands (`aof-use-rdb-preamble no`): for each key the fewest requests that make it again.
 *
 * The idea to hold: a request holds at most 64 elements, so that reading it back needs no more memory than that. For the same reason
 * a very long string comes in pieces; the longest would not fit into one text here either.
 */
import { formatDouble } from "../../bytes/Numbers.ts"
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { Stream, type StreamState } from "../../store/Stream.ts"
import { StringBuffer } from "../../store/StringBuffer.ts"
import * as Id from "../../store/StreamId.ts"
import { Entry, type StreamNode } from "../../store/StreamNode.ts"
import { bytesOf, type StringValue, type Value } from "../../store/Value.ts"
import { type Elements, isLarge, of as elementsOf } from "../snapshot/Elements.ts"
import * as LogText from "./LogText.ts"

const elementsMax = 64
/** Bytes of a string that one request sets. */
const stringBytesMax = 64 * 1024 * 1024

export class CommandWriter {
  private text = ""
  /** What comes before `text`. */
  private before: Array<Buffer> = []
  private beforeBytes = 0
  private selected = -1
  private readonly stringMax: number

  /** `second`: when the log tells that, the Unix time whose state this is. */
  constructor(functionLibraries: ReadonlyArray<string>, second: number | undefined, stringMax = stringBytesMax) {
    this.stringMax = stringMax
    if (second !== undefined) this.text += LogText.timestamp(second)
    for (const source of functionLibraries) this.request("FUNCTION", "LOAD", source)
  }

  get size(): number {
    return this.beforeBytes + this.text.length
  }

  take(): Buffer {
    const text = Buffer.from(this.text, "latin1")
    const bytes = this.before.length === 0 ? text : Buffer.concat([...this.before, text])
    this.text = ""
    this.before = []
    this.beforeBytes = 0
    return bytes
  }

  end(): Buffer {
    return this.take()
  }

  /** Large collections are returned to be written in pieces; requests for other keys may come between those for them. */
  key(db: number, key: string, value: Value, deadline: number | undefined): Elements | undefined {
    this.select(db)
    const expire = () => {
      if (deadline !== undefined) this.request("PEXPIREAT", key, String(deadline))
    }
    if (isLarge(value)) return this.pieces(db, key, value, expire)
    this.value(key, value)
    expire()
    return undefined
  }

  private select(db: number): void {
    if (db === this.selected) return
    this.selected = db
    this.text += LogText.select(db)
  }

  private pieces(db: number, key: string, value: Value, end: () => void): Elements {
    const name =
      value instanceof List ? "RPUSH" : value instanceof SetValue ? "SADD" : value instanceof Hash ? "HSET" : "ZADD"
    let words: Array<string> = []
    let deadlines: Array<readonly [field: string, deadline: number]> = []
    const flush = () => {
      if (words.length > 0) this.request(name, key, ...words)
      for (const [field, deadline] of deadlines) this.expireField(key, field, deadline)
      words = []
      deadlines = []
    }
    const add = (wordsEach: number) => {
      if (words.length < elementsMax * wordsEach) return
      this.select(db)
      flush()
    }
    return elementsOf(value, {
      member: (member) => {
        words.push(member)
        add(1)
      },
      field: (field, content, deadline) => {
        words.push(field, content)
        if (deadline !== undefined) deadlines.push([field, deadline])
        add(2)
      },
      scored: (member, score) => {
        words.push(formatDouble(score), member)
        add(2)
      },
      item: (item) => {
        words.push(item)
        add(1)
      },
      node: (node) => {
        this.select(db)
        this.entries(key, node)
      },
      rest: (stream) => this.restOf(db, key, stream),
      end: () => {
        this.select(db)
        flush()
        end()
      },
    })
  }

  private expireField(key: string, field: string, deadline: number): void {
    this.request("HPEXPIREAT", key, String(deadline), "FIELDS", "1", field)
  }

  private request(...argv: ReadonlyArray<string>): void {
    this.text += LogText.request(argv)
  }

  /** Requests of `name` with up to 64 groups of words each. */
  private elements(name: string, key: string, words: ReadonlyArray<string>, wordsEach: number): void {
    const step = elementsMax * wordsEach
    for (let at = 0; at < words.length; at += step) this.request(name, key, ...words.slice(at, at + step))
  }

  private value(key: string, value: Value): void {
    if (value instanceof List) this.elements("RPUSH", key, [...value], 1)
    else if (value instanceof SetValue) this.elements("SADD", key, [...value], 1)
    else if (value instanceof Hash) {
      const words: Array<string> = []
      value.forEach((field, content) => words.push(field, content))
      this.elements("HSET", key, words, 2)
      if (value.nextDeadline === Infinity) return
      value.forEach((field) => {
        const deadline = value.deadline(field)
        if (deadline !== undefined) this.expireField(key, field, deadline)
      })
    } else if (value instanceof SortedSet) {
      const words: Array<string> = []
      value.forEach((member, score) => words.push(formatDouble(score), member))
      this.elements("ZADD", key, words, 2)
    } else if (value instanceof Stream) {
      for (const node of value.nodes) this.entries(key, node)
      for (const rest = this.restOf(this.selected, key, value.state(false)); rest.next().done !== true;);
    } else if (value instanceof StringBuffer && value.length > this.stringMax) this.long(key, value)
    else this.request("SET", key, bytesOf(value as StringValue))
  }

  /** From the end to the beginning, so that the first piece makes room for all. */
  private long(key: string, value: StringBuffer): void {
    const bytes = value.view()
    for (let end = bytes.length; end > 0;) {
      const start = Math.max(0, end - this.stringMax)
      const offset = String(start)
      const head = `*4\r\n$8\r\nSETRANGE\r\n$${key.length}\r\n${key}\r\n$${offset.length}\r\n${offset}\r\n`
      // A copy, since the value may change before it is taken.
      const piece = Buffer.from(bytes.subarray(start, end))
      const text = Buffer.from(`${this.text}${head}$${piece.length}\r\n`, "latin1")
      this.before.push(text, piece)
      this.beforeBytes += text.length + piece.length
      this.text = "\r\n"
      end = start
    }
  }

  private entries(key: string, node: StreamNode): void {
    const entry = new Entry(node)
    while (entry.forward()) {
      if (entry.isDeleted) continue
      // Appended to an array, not spread: an entry may have more fields than a call takes arguments.
      this.text += LogText.request(["XADD", key, Id.format(entry)].concat(entry.pairs()))
    }
  }

  /** What comes behind the entries of a stream, some requests with each step. Between two of them requests for other databases may come. */
  private *restOf(db: number, key: string, stream: StreamState): Generator<void> {
    this.select(db)
    // An empty stream is made by adding an entry that is trimmed at once.
    if (stream.length === 0) this.request("XADD", key, "MAXLEN", "0", "0-1", "x", "y")
    this.request(
      ...["XSETID", key, Id.format(stream.lastId)],
      ...["ENTRIESADDED", String(stream.entriesAdded), "MAXDELETEDID", Id.format(stream.maxDeletedId)],
    )
    let left = elementsMax
    for (const group of stream.groups) {
      const { name, lastId, entriesRead } = group
      const read = entriesRead === undefined ? "-1" : String(entriesRead)
      this.request("XGROUP", "CREATE", key, name, Id.format(lastId), "ENTRIESREAD", read)
      for (const consumer of group.consumers) {
        this.request("XGROUP", "CREATECONSUMER", key, name, consumer.name)
        for (const entry of consumer.pending) {
          this.request(
            ...["XCLAIM", key, name, consumer.name, "0", Id.format(entry)],
            ...["TIME", String(entry.deliveredMs), "RETRYCOUNT", String(entry.deliveries), "JUSTID", "FORCE"],
          )
          if (--left > 0) continue
          left = elementsMax
          yield
          this.select(db)
        }
      }
    }
  }
}

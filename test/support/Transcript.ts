/**
 * Transcripts: recorded conversations as text, one file per family. They read as documentation, are recorded from a real
 * redis-server by `npm run record`, and are replayed against ours in memory and live against the real one.
 *
 * ```
 * # A comment.
 * > SET k "a b\x00" PX 100        a request (quoted as in redis-cli), then its reply
 * +OK
 * @advance 100ms                  time passes: slept when recording, moved by hand in the replay
 * > GET k
 * $-1
 * 2> BLPOP list 0                 another connection; in RESP3 after a HELLO 3
 * ...                             no reply comes yet
 * > RPUSH list x
 * :1
 * 2<                              what connection 2 receives next
 * *2
 *   "list"
 *   "x"
 * @unordered                      the elements of the next reply may come in any order
 * @masked                         in the next reply, the values of fields that no two servers agree on (see `maskedFields`) are "..."
 * @ignore                         the next reply is not compared (and recorded as @ignored)
 * @held                           the next request goes out in one piece with the one after it on the same connection
 * ```
 * Replies: `+` simple, `-` error, `:` integer, `"..."` bulk, `$-1` nil, `*-1` nil array, `_` RESP3 null, `,` double, `#` boolean,
 * `(` big number, `=txt "..."` verbatim, `*n` `%n` `~n` `>n` followed by their elements, indented.
 */
import type { Reply } from "../../src/codec/Reply.ts"
import { formatDouble } from "../../src/bytes/Numbers.ts"
import { request as encodeRequest } from "../../src/persistence/log/LogText.ts"

export interface Step {
  readonly _tag: "Request" | "Receive" | "Advance" | "Comment"
  /** Which connection. */
  readonly client: string
  readonly argv: ReadonlyArray<string>
  /** The line as it stands in the file. */
  readonly line: string
  /** Milliseconds to advance. */
  readonly ms: number
  readonly mode: "exact" | "unordered" | "masked" | "ignore" | "held"
  /** The reply's lines; `["..."]` when none comes yet. */
  readonly reply: ReadonlyArray<string>
  readonly lineNumber: number
}

const stepOf = (fields: Partial<Step> & Pick<Step, "_tag" | "line" | "lineNumber">): Step => ({
  client: "",
  argv: [],
  ms: 0,
  mode: "exact",
  reply: [],
  ...fields,
})

/** Splits a request line as redis-cli does: words, "..." with escapes, '...'. */
export const splitWords = (text: string): ReadonlyArray<string> => {
  const words: Array<string> = []
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))/gy
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    words.push(match[1] !== undefined ? unescape(match[1]) : (match[2] ?? Buffer.from(match[3]!, "utf8").latin1Slice()))
  }
  return words
}

const unescape = (text: string): string =>
  Buffer.from(text, "utf8")
    .latin1Slice()
    .replace(/\\(x[0-9a-fA-F]{2}|.)/gs, (_, escape: string) =>
      escape.length === 3
        ? String.fromCharCode(Number.parseInt(escape.slice(1), 16))
        : ({ n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" }[escape] ?? escape),
    )

export const quote = (bytes: string): string =>
  `"${bytes.replace(/[\\"]|[^ -~]/g, (char) =>
    char === "\\" || char === '"'
      ? `\\${char}`
      : char === "\n"
        ? "\\n"
        : char === "\r"
          ? "\\r"
          : char === "\t"
            ? "\\t"
            : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  )}"`

export const parseTranscript = (text: string): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  let mode: Step["mode"] = "exact"
  text.split("\n").forEach((line, index) => {
    const lineNumber = index + 1
    const request = /^(\w*)> (.*)$/.exec(line)
    const receive = /^(\w*)<$/.exec(line)
    const advance = /^@advance (\d+)(ms|s)$/.exec(line)
    if (request !== null) {
      steps.push(
        stepOf({ _tag: "Request", client: request[1]!, argv: splitWords(request[2]!), line, mode, lineNumber }),
      )
      mode = "exact"
    } else if (receive !== null) {
      steps.push(stepOf({ _tag: "Receive", client: receive[1]!, line, mode, lineNumber }))
      mode = "exact"
    } else if (advance !== null) {
      const ms = Number(advance[1]) * (advance[2] === "s" ? 1000 : 1)
      steps.push(stepOf({ _tag: "Advance", ms, line, lineNumber }))
    } else if (line === "@unordered" || line === "@masked" || line === "@ignore" || line === "@held")
      mode = line.slice(1) as Step["mode"]
    else if (line === "@ignored") (steps.at(-1)!.reply as Array<string>).push(line)
    else if ((line.startsWith("#") && !/^#[tf]$/.test(line)) || line === "")
      steps.push(stepOf({ _tag: "Comment", line, lineNumber }))
    else {
      const last = steps.at(-1)
      if (last === undefined || last._tag === "Comment" || last._tag === "Advance") {
        throw new Error(`line ${lineNumber}: a reply without a request: ${line}`)
      }
      ;(last.reply as Array<string>).push(line)
    }
  })
  return steps
}

export const formatTranscript = (steps: ReadonlyArray<Step>): string =>
  steps
    .flatMap((step) => [...(step.mode === "exact" ? [] : [`@${step.mode}`]), step.line, ...step.reply])
    .join("\n")
    .replace(/\n*$/, "\n")

/** A reply as the lines of a transcript. With `unordered`, its elements (pairs, for a map) are sorted. */
export const formatReply = (reply: Reply, unordered = false): ReadonlyArray<string> => {
  const nested = (sign: string, values: ReadonlyArray<Reply>, size = 1): ReadonlyArray<string> => {
    const groups: Array<ReadonlyArray<string>> = []
    for (let i = 0; i < values.length; i += size) {
      groups.push(values.slice(i, i + size).flatMap((value) => formatReply(value).map((line) => `  ${line}`)))
    }
    if (unordered) groups.sort((a, b) => (a.join("\n") < b.join("\n") ? -1 : 1))
    return [`${sign}${groups.length}`, ...groups.flat()]
  }
  switch (reply._tag) {
    case "Raw":
      return [reply.bytes]
    case "Simple":
      return [`+${reply.value}`]
    case "Failure":
      return [`-${reply.code} ${reply.message}`]
    case "Int":
      return [`:${reply.value}`]
    case "Bulk":
      return [quote(reply.value)]
    case "Nil":
      return ["$-1"]
    case "NilArray":
      return ["*-1"]
    case "Array":
      return nested("*", reply.values)
    case "Bulks":
      return nested(
        "*",
        reply.values.map((value): Reply => (value === undefined ? { _tag: "Nil" } : { _tag: "Bulk", value })),
      )
    case "Map":
      return nested("%", reply.entries, 2)
    case "Set":
      return nested("~", reply.values)
    case "Push":
      return nested(">", reply.values)
    case "Double":
      return [`,${formatDouble(reply.value)}`]
    case "Bool":
      return [reply.value ? "#t" : "#f"]
    case "BigNumber":
      return [`(${reply.value}`]
    case "Verbatim":
      return [`=${reply.format} ${quote(reply.value)}`]
    case "Attribute":
      return [...nested("|", reply.entries, 2), ...formatReply(reply.reply)]
    case "Torn":
      return nested("*", reply.values)
    case "Sequence":
      return reply.replies.flatMap((one) => formatReply(one))
  }
}

/** Fields of ACL LOG that depend on when and where something was. */
const maskedFields = new Set(["age-seconds", "client-info"])
const mask: Reply = { _tag: "Bulk", value: "..." }

const masked = (reply: Reply): Reply => {
  const cover = (values: ReadonlyArray<Reply>): ReadonlyArray<Reply> =>
    values.map((value, i) => {
      const before = values[i - 1]
      return before?._tag === "Bulk" && maskedFields.has(before.value) ? mask : masked(value)
    })
  if (reply._tag === "Array") return { _tag: "Array", values: cover(reply.values) }
  return reply._tag === "Map" ? { _tag: "Map", entries: cover(reply.entries) } : reply
}

/** A connection as a transcript needs it. */
export interface Speaker {
  readonly sendRaw: (bytes: string) => void
  readonly receive: () => Promise<Reply>
}

export interface Conversation {
  /** Opens a connection; its first request goes out on it. */
  readonly connect: () => Promise<Speaker>
  readonly advance: (ms: number) => Promise<void>
}

/** Plays a transcript and returns it with the replies that came. */
export const play = async (steps: ReadonlyArray<Step>, conversation: Conversation): Promise<ReadonlyArray<Step>> => {
  const speakers = new Map<string, Speaker>()
  const held = new Map<string, string>()
  const played: Array<Step> = []
  for (const step of steps) {
    if (step._tag === "Comment") {
      played.push(step)
      continue
    }
    if (step._tag === "Advance") {
      await conversation.advance(step.ms)
      played.push(step)
      continue
    }
    let speaker = speakers.get(step.client)
    if (speaker === undefined) speakers.set(step.client, (speaker = await conversation.connect()))
    if (step._tag === "Request") {
      const bytes = (held.get(step.client) ?? "") + encodeRequest(step.argv)
      held.set(step.client, step.mode === "held" ? bytes : "")
      if (step.mode !== "held") speaker.sendRaw(bytes)
    }
    if (step.reply[0] === "...") {
      played.push(step)
      continue
    }
    const reply = await speaker.receive()
    played.push({
      ...step,
      reply:
        step.mode === "ignore"
          ? ["@ignored"]
          : formatReply(step.mode === "masked" ? masked(reply) : reply, step.mode === "unordered"),
    })
  }
  return played
}

/**
 * Reading what is new: XREAD, and XREADGROUP for the consumers of a group, both able to wait for it.
 *
 * The idea to hold: a request becomes a list of streams with the id to read after. It is served at once when any of them
 * has more, and otherwise parked; then each stream that grows is tried alone, against the state at that instant. A group's
 * reader waits for whatever is new to its *group*, so being woken is no promise that anything is left for it.
 */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Answers from "../../command/Answers.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import type { Ctx } from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { type CommandError, SyntaxError } from "../../errors/CommandError.ts"
import { InvalidGroupArgument, InvalidStreamId, NoGroup, StreamGone } from "../../errors/StreamErrors.ts"
import { Stream } from "../../store/Stream.ts"
import type { Consumer, Group } from "../../store/StreamGroup.ts"
import type { StreamId } from "../../store/StreamId.ts"
import * as Id from "../../store/StreamId.ts"
import { consumerOf } from "./consumers.ts"
import { parseStrict } from "./ids.ts"
import * as Log from "./log.ts"
import * as Replies from "./replies.ts"

interface Reader {
  readonly group: string
  readonly consumer: string
}

interface Request {
  readonly reader: Reader | undefined
  /** Entries are not to become pending. */
  readonly noAck: boolean
  /** 0: all. */
  readonly count: number
  /** Absent: do not wait. 0: for ever. */
  readonly timeoutMs: number | undefined
  readonly keys: ReadonlyArray<string>
  /** As the request spells them: whether an id is right is asked after its key. */
  readonly ids: ReadonlyArray<string>
}

/** Where to read on in one stream. `>` is the greatest id. */
interface Source {
  readonly key: string
  readonly after: StreamId
  /** What was there, to notice that it is no longer. */
  readonly stream: Stream | undefined
}

/** A client that waits without a COUNT gets at most so many entries, should far more arrive at once. */
const countWhenWoken = 1000

const parse = (args: Args, grouped: boolean): Request => {
  let reader: Reader | undefined
  let noAck = false
  let count = 0
  let timeoutMs: number | undefined
  while (args.more) {
    if (args.optionWith("BLOCK", 1)) {
      timeoutMs = args.int(InvalidGroupArgument.timeout)
      if (timeoutMs < 0) args.fail(InvalidGroupArgument.timeoutNegative)
    } else if (args.optionWith("COUNT", 1)) {
      count = Math.max(0, args.int())
    } else if (args.optionWith("STREAMS", 1)) {
      const words = args.rest()
      if (words.length % 2 !== 0) args.fail(InvalidGroupArgument.unbalanced)
      if (grouped && reader === undefined) args.fail(InvalidGroupArgument.groupMissing)
      const half = words.length >> 1
      return { reader, noAck, count, timeoutMs, keys: words.slice(0, half), ids: words.slice(half) }
    } else if (args.optionWith("GROUP", 2)) {
      if (!grouped) args.fail(InvalidGroupArgument.groupInXread)
      reader = { group: args.next(), consumer: args.next() }
    } else if (args.option("NOACK")) {
      if (!grouped) args.fail(InvalidGroupArgument.noackInXread)
      noAck = true
    } else args.fail(SyntaxError.error)
  }
  return args.fail(SyntaxError.error)
}

/** Finds the streams and groups, and reads the ids, in the order of the request. */
const resolve = ({ reader, keys, ids }: Request, { db }: Ctx): Either.Either<ReadonlyArray<Source>, CommandError> => {
  const sources: Array<Source> = []
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    const found = db.readAs(key, Stream)
    if (Either.isLeft(found)) return Either.left(found.left)
    const stream = found.right
    if (reader !== undefined && !stream?.groups.has(reader.group))
      return Either.left(NoGroup.reading(key, reader.group))
    const text = ids[i]!
    let after: StreamId | undefined
    if (text === "$") {
      if (reader !== undefined) return Either.left(InvalidStreamId.lastOnly)
      after = stream?.lastId ?? Id.zero
    } else if (text === ">") {
      if (reader === undefined) return Either.left(InvalidStreamId.newOnly)
      after = Id.max
    } else {
      after = parseStrict(text)
      if (after === undefined) return Either.left(InvalidStreamId.error)
    }
    sources.push({ key, after, stream })
  }
  return Either.right(sources)
}

/** One delivery to a consumer: what it adds to the log goes out as the command's own form. */
interface Delivery {
  readonly key: string
  readonly group: Group
  readonly consumer: Consumer
  readonly noAck: boolean
  readonly log: Array<ReadonlyArray<string>>
}

/** Gives the consumer what its group has not read yet. */
const deliverNew = (
  stream: Stream,
  count: number,
  { key, group, consumer, noAck, log }: Delivery,
  ctx: Ctx,
): Reply.Reply => {
  const entries: Array<Reply.Reply> = []
  // After the greatest id there is nothing, and nothing is read then.
  const walk = stream.walk(Id.next(group.lastId)!, Id.max, false)
  for (let entry = walk.next(); entry !== undefined; entry = walk.next()) {
    group.advance(stream, entry)
    entries.push(Replies.entry(entry))
    if (!noAck) log.push(Log.claim(key, group, group.deliver(entry, consumer, ctx.now)))
    if (entries.length === count) break
  }
  if (entries.length > 0) log.push(Log.position(key, group))
  return Reply.array(entries)
}

/** Gives the consumer again what it has pending after `after`; an entry that is gone has no fields. */
const deliverHistory = (
  stream: Stream,
  after: StreamId,
  count: number,
  { key, group, consumer, log }: Delivery,
  ctx: Ctx,
): Reply.Reply => {
  const entries: Array<Reply.Reply> = []
  for (let next = consumer.pending.after(after); next !== undefined; next = consumer.pending.after(next)) {
    const entry = stream.find(next)
    if (entry === undefined) {
      entries.push(Reply.array([Replies.id(next), Reply.nilArray]))
    } else {
      entries.push(Replies.entry(entry))
      const given = group.renew(next, consumer, ctx.now, Id.addU64(next.deliveries, 1))
      log.push(Log.claim(key, group, given))
    }
    if (entries.length === count) break
  }
  return Reply.array(entries)
}

/** Reads for a consumer, which is made if need be. `after` is `Id.max` for what is new to the group. */
const readForGroup = (
  request: Request,
  { key, after }: Source,
  count: number,
  stream: Stream,
  group: Group,
  ctx: Ctx,
  log: Array<ReadonlyArray<string>>,
): Reply.Reply => {
  ctx.db.write(key)
  const name = request.reader!.consumer
  if (!group.consumers.has(name)) log.push(Log.newConsumer(key, group, name))
  const consumer = consumerOf(group, name, key, ctx)
  const delivery: Delivery = { key, group, consumer, noAck: request.noAck, log }
  ctx.db.touched()
  return Id.isMax(after)
    ? deliverNew(stream, count, delivery, ctx)
    : deliverHistory(stream, after, count, delivery, ctx)
}

const serveNow = (request: Request, sources: ReadonlyArray<Source>, ctx: Ctx): ReadonlyArray<Reply.Reply> => {
  const served: Array<Reply.Reply> = []
  const log: Array<ReadonlyArray<string>> = []
  for (const source of sources) {
    const { key, after } = source
    const stream = ctx.db.read(key)
    if (!(stream instanceof Stream)) continue
    if (request.reader === undefined) {
      if (stream.length === 0 || Id.compare(stream.edgeId(true), after) <= 0) continue
      served.push(Reply.bulk(key), Replies.entries(stream, Id.next(after)!, Id.max, request.count))
      continue
    }
    const group = stream.groups.get(request.reader.group)!
    if (Id.isMax(after) && (stream.length === 0 || Id.compare(stream.edgeId(true), group.lastId) <= 0)) continue
    served.push(Reply.bulk(key), readForGroup(request, source, request.count, stream, group, ctx, log))
  }
  if (log.length > 0 || request.reader !== undefined) ctx.propagateAll(log)
  return served
}

/** Tries one stream for a client that waits; `undefined` keeps it waiting. */
const serveWoken = (
  request: Request,
  sources: ReadonlyArray<Source>,
  woken: string,
  ctx: Ctx,
): Either.Either<Reply.Reply | undefined, CommandError> => {
  const { reader } = request
  const source = sources.find(({ key }) => key === woken)!
  const count = request.count === 0 ? countWhenWoken : request.count
  const stream = ctx.db.peek(woken)
  let entries: Reply.Reply
  if (reader === undefined) {
    if (!(stream instanceof Stream) || Id.compare(stream.lastId, source.after) <= 0) return keepWaiting
    entries = Replies.entries(stream, Id.next(source.after)!, Id.max, count)
  } else {
    if (!(stream instanceof Stream)) return Either.left(StreamGone.error)
    const group = stream.groups.get(reader.group)
    if (group === undefined) return Either.left(NoGroup.gone)
    if (Id.compare(stream.lastId, group.lastId) <= 0) return keepWaiting
    const log: Array<ReadonlyArray<string>> = []
    entries = readForGroup(request, source, count, stream, group, ctx, log)
    ctx.propagateAll(log)
  }
  return Either.right(Replies.byStream([Reply.bulk(source.key), entries], ctx.client.replyProtocol))
}

const keepWaiting = Either.right(undefined)

const read = (request: Request, ctx: Ctx): Command.Result => {
  const resolved = resolve(request, ctx)
  if (Either.isLeft(resolved)) return Either.left(resolved.left)
  const sources = resolved.right
  const served = serveNow(request, sources, ctx)
  if (served.length > 0) return Either.right(Replies.byStream(served, ctx.client.replyProtocol))
  if (request.timeoutMs === undefined) return Answers.nilArray
  return ctx.wait({
    keys: request.keys,
    timeoutMs: request.timeoutMs,
    attempt: (key) => serveWoken(request, sources, key, ctx),
    onTimeout: Reply.nilArray,
    // A group's reader must learn that its stream was removed or replaced; XREAD waits for a new one.
    ...(request.reader !== undefined && {
      replaced: (key) => ctx.db.peek(key) !== sources.find((source) => source.key === key)!.stream,
    }),
  })
}

const xread = Command.suspending({
  name: "xread",
  summary:
    "Return never seen elements in multiple streams, with IDs greater than the ones reported by the caller for each stream. Can block.",
  since: "5.0.0",
  group: "stream",
  complexity:
    "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
  arity: -4,
  flags: "readonly blocking",
  acl: "stream",
  keys: [Key.after("STREAMS", 1, "RO access", { last: -1, limit: 2 })],
  args: [
    Arg.integer("count", { token: "COUNT", optional: true }),
    Arg.integer("milliseconds", { token: "BLOCK", optional: true }),
    Arg.block("streams", [Arg.key("key", { multiple: true }), Arg.string("id", { multiple: true })], {
      token: "STREAMS",
    }),
  ],
  parse: (args) => parse(args, false),
  run: read,
})

const xreadgroup = Command.suspending({
  name: "xreadgroup",
  summary:
    "Return new entries from a stream using a consumer group, or access the history of the pending entries for a given consumer. Can block.",
  since: "5.0.0",
  group: "stream",
  complexity:
    "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
  arity: -7,
  flags: "write blocking",
  acl: "stream",
  keys: [Key.after("STREAMS", 4, "RO access", { last: -1, limit: 2 })],
  args: [
    Arg.block("group_consumer", [Arg.string("group"), Arg.string("consumer")], { token: "GROUP" }),
    Arg.integer("count", { token: "COUNT", optional: true }),
    Arg.integer("milliseconds", { token: "BLOCK", optional: true }),
    Arg.token("NOACK", { optional: true }),
    Arg.block("streams", [Arg.key("key", { multiple: true }), Arg.string("id", { multiple: true })], {
      token: "STREAMS",
    }),
  ],
  parse: (args) => parse(args, true),
  run: read,
})

export const readingCommands = [xread, xreadgroup]

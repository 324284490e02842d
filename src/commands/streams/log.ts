/**
 * What is logged in place of commands that hand entries to consumers: who owns which entry since when, in absolute terms.
 *
 * The idea to hold: an XCLAIM with FORCE, TIME, RETRYCOUNT and JUSTID recreates one pending entry exactly, whatever it was
 * before, and removes it when the stream has lost the entry itself.
 * Differs: Redis 7.0 logs neither the number of entries a group has read, nor a consumer that only looked at its history,
 * nor that history was delivered again, and so loses them on a restart. They are logged here, with commands it has.
 */
import type { Group, Pending } from "../../store/StreamGroup.ts"
import * as Id from "../../store/StreamId.ts"

type Request = ReadonlyArray<string>

/** The state of one pending entry. */
export const claim = (key: string, group: Group, pending: Pending): Request => [
  "XCLAIM",
  key,
  group.name,
  pending.consumer.name,
  "0",
  Id.format(pending),
  "TIME",
  String(pending.deliveredMs),
  "RETRYCOUNT",
  String(pending.deliveries),
  "FORCE",
  "JUSTID",
  "LASTID",
  Id.format(group.lastId),
]

/** How far a group has read. */
export const position = (key: string, group: Group): Request => [
  "XGROUP",
  "SETID",
  key,
  group.name,
  Id.format(group.lastId),
  "ENTRIESREAD",
  String(group.entriesRead ?? -1),
]

export const newConsumer = (key: string, group: Group, name: string): Request => [
  "XGROUP",
  "CREATECONSUMER",
  key,
  group.name,
  name,
]

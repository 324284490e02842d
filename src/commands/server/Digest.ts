/**
 * The signature DEBUG DIGEST gives of a data set: the same as redis-server's for the same data, whatever the order in which
 * things are kept. SHA-1 hashes are chained where order counts and combined by exclusive or where it does not.
 */
import { createHash } from "node:crypto"
import { formatDouble } from "../../bytes/Numbers.ts"
import type { Database } from "../../store/Database.ts"
import { Hash } from "../../store/Hash.ts"
import { List } from "../../store/List.ts"
import { SetValue } from "../../store/SetValue.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { Stream } from "../../store/Stream.ts"
import * as StreamId from "../../store/StreamId.ts"
import { bytesOf, type StringValue, typeOf, type Value } from "../../store/Value.ts"

const sha1 = (bytes: string | Buffer): Buffer<ArrayBufferLike> =>
  createHash("sha1")
    .update(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes)
    .digest()

/** 20 bytes that take in parts one after the other. */
class Digest {
  bytes: Buffer<ArrayBufferLike> = Buffer.alloc(20)

  /** Takes in a part whose order does not count. */
  combine(part: string | Buffer): this {
    const hash = sha1(part)
    for (let i = 0; i < 20; i++) this.bytes[i]! ^= hash[i]!
    return this
  }

  /** Takes in a part whose place counts. */
  chain(part: string | Buffer): this {
    this.combine(part)
    this.bytes = sha1(this.bytes)
    return this
  }
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const typeNumbers = { string: 0, list: 1, set: 2, zset: 3, hash: 4, stream: 6 } as const

const takeIn = (digest: Digest, value: Value): void => {
  const element = (...parts: ReadonlyArray<string>) => {
    const one = new Digest()
    for (const part of parts) one.chain(part)
    digest.combine(one.bytes)
  }
  if (value instanceof List) for (const item of value.slice(0, value.size)) digest.chain(item)
  else if (value instanceof SetValue) for (const member of value) digest.combine(member)
  else if (value instanceof SortedSet) value.forEach((member, score) => element(member, formatDouble(score)))
  else if (value instanceof Hash) value.forEach((field, text) => element(field, text))
  else if (value instanceof Stream) {
    const walk = value.walk(StreamId.zero, StreamId.max, false)
    for (let entry = walk.next(); entry !== undefined; entry = walk.next()) {
      digest.chain(`${entry.ms}.${entry.seq}`)
      for (const part of entry.pairs()) digest.chain(part)
    }
  } else digest.chain(bytesOf(value as StringValue))
}

const ofValue = (digest: Digest, db: Database, key: string, value: Value): Digest => {
  digest.chain(uint32(typeNumbers[typeOf(value)]))
  takeIn(digest, value)
  if (db.deadline(key) !== undefined) digest.combine("!!expire!!")
  return digest
}

/** The signature of one value, in hex; zeros when the key does not exist. */
export const digestOfKey = (db: Database, key: string): string => {
  const value = db.peek(key)
  const digest = new Digest()
  return (value === undefined ? digest : ofValue(digest, db, key, value)).bytes.toString("hex")
}

/** The signature of all databases, in hex. */
export const digestOfAll = (databases: ReadonlyArray<Database>): string => {
  const all = new Digest()
  for (const db of databases) {
    if (db.size === 0) continue
    all.chain(uint32(db.index))
    db.keyspace.scan(0, db.size, (key, value) => {
      if (!db.isExpired(key)) all.combine(ofValue(new Digest().chain(key), db, key, value).bytes)
    })
  }
  return all.bytes.toString("hex")
}

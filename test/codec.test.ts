/**
 * The codec: bytes to requests, replies to bytes. Errors and answers in the tables were recorded from redis-server 7.0.15
 * over a raw socket, those of the encoder by DEBUG PROTOCOL.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import { quote, splitArguments } from "../src/bytes/Quoting.ts"
import * as BulkRun from "../src/codec/BulkRun.ts"
import { Codec } from "../src/codec/Codec.ts"
import { Decoder } from "../src/codec/Decoder.ts"
import { encode } from "../src/codec/Encoder.ts"
import { request as encodeRequest } from "../src/persistence/log/LogText.ts"
import * as Reply from "../src/codec/Reply.ts"
import { smallReplyMax, writeSmall } from "../src/codec/SmallReply.ts"
import { NotInteger } from "../src/errors/CommandError.ts"
import { parseReplies, ReplyParser } from "./support/ReplyParser.ts"

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1")

interface Outcome {
  readonly requests: ReadonlyArray<ReadonlyArray<string>>
  readonly failure: string | undefined
}

/** What a decoder makes of these chunks, asked after each of them as a connection does. */
const decode = (chunks: ReadonlyArray<string>, decoder = new Decoder()): Outcome => {
  const requests: Array<ReadonlyArray<string>> = []
  for (const chunk of chunks) {
    decoder.push(bytesOf(chunk))
    for (let args = decoder.next(); args !== undefined; args = decoder.next()) requests.push([...args])
  }
  return { requests, failure: decoder.failure?.message }
}

const unauthenticated = (): Decoder => {
  const decoder = new Decoder()
  decoder.authenticated = false
  return decoder
}

const ping = "*1\r\n$4\r\nPING\r\n"
const byteString = (lengthMax: number) =>
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: lengthMax }).map((codes) => String.fromCharCode(...codes))
const request = fc.array(byteString(40), { minLength: 1, maxLength: 5 })

/** `text` cut at these positions. */
const split = (text: string, cuts: ReadonlyArray<number>): Array<string> => {
  const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b)
  return ends.map((end, i) => text.slice(i === 0 ? 0 : ends[i - 1], end))
}

describe("requests", () => {
  it.each<[string, ReadonlyArray<ReadonlyArray<string>>]>([
    ["*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", [["GET", "k"]]],
    ["*1\r\n$0\r\n\r\n", [[""]]],
    ["*2\r\n$4\r\nECHO\r\n$6\r\na\r\n\0\xff$\r\n", [["ECHO", "a\r\n\0\xff$"]]],
    ["*0\r\n*-1\r\n*-10\r\n*-2147483649\r\n" + ping, [["PING"]]],
    [ping + "PING\r\n" + ping + "\r\n" + ping, [["PING"], ["PING"], ["PING"], ["PING"]]],
    // The two bytes after a count and after an argument are not looked at.
    ["*1\rx$4\rxPINGxx" + ping, [["PING"], ["PING"]]],
    ["*1\r\n$3\r\nPING\r\n", [["PIN"]]],
    ["*1\n$4\nPING\n", []],
  ])("decodes %j", (bytes, requests) => expect(decode([bytes])).toEqual({ requests, failure: undefined }))

  it.each<[string, ReadonlyArray<ReadonlyArray<string>>]>([
    ["PING\r\n", [["PING"]]],
    ["PING\n", [["PING"]]],
    ["PING\r\r\n", [["PING"]]],
    ["\n\n\r\n  \r\nPING\n", [["PING"]]],
    ["  SET\tk  v \r\n", [["SET", "k", "v"]]],
    ["$4\r\n", [["$4"]]],
    ['ECHO "a\\x41\\n\\t\\r\\b\\a\\q\\"\'"\n', [["ECHO", "aA\n\t\r\b\x07q\"'"]]],
    ["ECHO 'a\\'b\\n\"'\r\n", [["ECHO", "a'b\\n\""]]],
    ['ECHO a"b c"\r\n', [["ECHO", "ab c"]]],
    ['ECHO ""\r\n', [["ECHO", ""]]],
    ['ECHO "\\xZZ\\x4"\r\n', [["ECHO", "xZZx4"]]],
    ["ECHO a\rb\r\n", [["ECHO", "a", "b"]]],
    ['ECHO "a\rb"\r\n', [["ECHO", "a\rb"]]],
    ["\x0bECHO\x0ba\x0cb\r\n", [["ECHO\x0ba\x0cb"]]],
    ["ECHO\xa0a\r\n", [["ECHO\xa0a"]]],
    // Redis looks for the end of the line as C does, and a NUL byte ends the search.
    ["PI\0NG\r\n" + ping, []],
  ])("decodes the inline request %j", (bytes, requests) => {
    expect(decode([bytes])).toEqual({ requests, failure: undefined })
  })

  it("takes lines and arguments longer than the limit for unfinished ones, once they are complete", () => {
    const long = "a".repeat(70_000)
    expect(decode([`ECHO ${long}\r\n`]).requests).toEqual([["ECHO", long]])
    expect(decode([encodeRequest(["ECHO", long])]).requests).toEqual([["ECHO", long]])
  })

  it.prop("decodes what was encoded", [fc.array(request, { maxLength: 5 })], ([requests]) => {
    expect(decode([requests.map(encodeRequest).join("")])).toEqual({ requests, failure: undefined })
  })

  it.prop(
    "decodes the same however the bytes are split",
    [
      fc.array(
        fc.oneof(request.map(encodeRequest), fc.constantFrom("PING\r\n", "\r\n", "*0\r\n", 'ECHO "a b"\n', "*x\r\n")),
      ),
      fc.array(fc.nat(500)),
    ],
    ([parts, cuts]) => {
      const bytes = parts.join("")
      expect(decode(split(bytes, cuts))).toEqual(decode([bytes]))
    },
  )

  it.prop(
    "decodes the same whether it is asked to look ahead or not",
    [
      fc.array(
        fc.oneof(
          request.map(encodeRequest),
          fc.constantFrom("PING\r\n", "\r\n", "*0\r\n", "*x\r\n", encodeRequest(["SET", "k", "v".repeat(40_000)])),
        ),
      ),
      fc.array(fc.nat(500)),
      fc.array(fc.nat(4), { minLength: 1 }),
    ],
    ([parts, cuts, depths]) => {
      const bytes = parts.join("")
      const decoder = new Decoder()
      const requests: Array<ReadonlyArray<string>> = []
      for (const piece of split(bytes, cuts)) {
        decoder.push(Buffer.from(piece, "latin1"))
        for (let i = 0, more = true; more; i++) {
          const { bufferedBytes } = decoder
          const ahead = decoder.lookAhead(depths[i % depths.length]!)
          expect(decoder.bufferedBytes).toBe(bufferedBytes)
          // Some of what has been seen may be left for the next look.
          for (const expected of ahead.slice(0, 2)) {
            const next = [...decoder.next()!]
            expect(next).toEqual([...expected])
            requests.push(next)
          }
          if (ahead.length >= 2) continue
          const next = decoder.next()
          more = next !== undefined
          if (next !== undefined) requests.push([...next])
        }
      }
      expect({ requests, failure: decoder.failure?.message }).toEqual(decode([bytes]))
    },
  )

  it("decodes a stream that arrives byte by byte", () => {
    const bytes = ping + encodeRequest(["SET", "k", "\r\n"]) + "GET k\r\n" + ping
    expect(decode([...bytes]).requests).toEqual([["PING"], ["SET", "k", "\r\n"], ["GET", "k"], ["PING"]])
  })

  it.prop(
    "collects a large argument from pieces of any size",
    [fc.integer({ min: 30_000, max: 300_000 }), fc.array(fc.nat(400_000))],
    ([length, cuts]) => {
      const value = "0123456789".repeat(30_000).slice(0, length)
      const requests = [["SET", "k", value], ["MSET", "a", value, "b", "c"], ["PING"]]
      expect(decode(split(requests.map(encodeRequest).join(""), cuts)).requests).toEqual(requests)
    },
    { fastCheck: { numRuns: 20 } },
  )

  it("looks ahead at requests that no limit refuses, and no further", () => {
    const decoder = new Decoder()
    decoder.authenticated = false
    const long = encodeRequest(["SET", "k", "v".repeat(20_000)])
    decoder.push(Buffer.from(ping + encodeRequest(["AUTH", "secret"]) + ping + long, "latin1"))
    expect(decoder.lookAhead(2)).toEqual([["PING"], ["AUTH", "secret"]])
    expect(decoder.lookAhead(9)).toEqual([["PING"], ["AUTH", "secret"], ["PING"]])
    expect([decoder.next(), decoder.next(), decoder.next()]).toEqual([["PING"], ["AUTH", "secret"], ["PING"]])
    expect(decoder.lookAhead(9)).toEqual([])
    expect(decoder.hasMore).toBe(true)
    decoder.authenticated = true
    expect(decoder.next()).toHaveLength(3)
    expect(decoder.hasMore).toBe(false)
  })

  it("counts the bytes that wait for the rest of their request", () => {
    const decoder = new Decoder()
    expect(decode(["*2\r\n$4\r\nECHO\r\n$100000\r\n"], decoder).requests).toEqual([])
    expect(decoder.bufferedBytes).toBe(0)
    decode(["abc"], decoder)
    expect(decoder.bufferedBytes).toBe(3)
    decode(["d".repeat(50_000)], decoder)
    expect(decoder.bufferedBytes).toBe(50_003)
    expect(decoder.argumentBytes).toBe(4)
    expect(decoder.freeBytes).toBeGreaterThan(0)
    expect(decode(["e".repeat(49_997) + "\r\nPING"], decoder).requests[0]?.[1]).toHaveLength(100_000)
    expect(decoder.bufferedBytes).toBe(4)
    expect(decoder.argumentBytes + decoder.freeBytes).toBe(0)
  })
})

describe("protocol errors", () => {
  it.each([
    ["*x\r\n", "invalid multibulk length"],
    ["*1x\r\n", "invalid multibulk length"],
    ["*\r\n", "invalid multibulk length"],
    ["*+1\r\n", "invalid multibulk length"],
    ["*01\r\n", "invalid multibulk length"],
    ["* 1\r\n", "invalid multibulk length"],
    ["*1 \r\n", "invalid multibulk length"],
    ["*2147483648\r\n", "invalid multibulk length"],
    ["*9223372036854775808\r\n", "invalid multibulk length"],
    ["*1\r\n4\r\nPING\r\n", "expected '$', got '4'"],
    ["*2\r\n$4\r\nPING\r\nxx\r\n", "expected '$', got 'x'"],
    ["*1\r\n\x01\r\n", "expected '$', got '\x01'"],
    ["*1\r\n\r\n", "expected '$', got '\r'"],
    ["*1\r\n*1\r\n", "expected '$', got '*'"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$\r\n", "invalid bulk length"],
    ["*1\r\n$x\r\n", "invalid bulk length"],
    ["*1\r\n$+4\r\n", "invalid bulk length"],
    ["*1\r\n$04\r\n", "invalid bulk length"],
    ["*1\r\n$536870913\r\n", "invalid bulk length"],
    ['ECHO "a\r\n', "unbalanced quotes in request"],
    ["ECHO 'a\r\n", "unbalanced quotes in request"],
    ['ECHO "a"b\r\n', "unbalanced quotes in request"],
    ["ECHO 'a'b\r\n", "unbalanced quotes in request"],
    ['ECHO "a\\\r\n', "unbalanced quotes in request"],
    ["a".repeat(65_537), "too big inline request"],
    ["\0" + "a".repeat(65_530) + "\r\nPING\r\n", "too big inline request"],
    ["*" + "0".repeat(65_536), "too big mbulk count string"],
    ["*" + "0".repeat(70_000) + "\r\n", "invalid multibulk length"],
    ["*1\r\n$" + "0".repeat(65_536), "too big bulk count string"],
    ["*1\r\nx" + "0".repeat(65_536), "too big bulk count string"],
  ])("%.30j fails", (bytes, what) => {
    expect(decode([ping + bytes])).toEqual({ requests: [["PING"]], failure: `Protocol error: ${what}` })
  })

  it.each([
    "*2147483647\r\n",
    "*1\r\n$536870888\r\nx",
    "*1\r\nx",
    "a".repeat(65_536),
    "*" + "0".repeat(65_535),
    "*1\r\n$" + "0".repeat(65_535),
  ])("%.30j does not fail yet", (bytes) => {
    expect(decode([bytes])).toEqual({ requests: [], failure: undefined })
  })

  it("Differs: an argument longer than a string can be is refused although proto-max-bulk-len allows it", () => {
    expect(decode(["*1\r\n$536870889\r\n"]).failure).toBe("Protocol error: invalid bulk length")
  })

  it("fails when an unfinished line has passed its limit in small pieces", () => {
    expect(decode(["a".repeat(60_000), "b".repeat(5_536)]).failure).toBe(undefined)
    expect(decode(["a".repeat(60_000), "b".repeat(5_536), "c"]).failure).toBe("Protocol error: too big inline request")
  })

  it("keeps to proto-max-bulk-len as it is when the argument is announced", () => {
    const decoder = new Decoder()
    decoder.bulkLengthMax = 1024 * 1024
    expect(decode(["*1\r\n$1048576\r\n"], decoder).failure).toBe(undefined)
    decoder.bulkLengthMax = 10
    expect(decode(["a".repeat(1024 * 1024) + "\r\n"], decoder).requests).toHaveLength(1)
    expect(decode(["*1\r\n$11\r\n"], decoder).failure).toBe("Protocol error: invalid bulk length")
  })

  it("accepts and gives out nothing after a failure", () => {
    const decoder = new Decoder()
    expect(decode([ping + "*x\r\n" + ping, ping], decoder).requests).toEqual([["PING"]])
    expect(decoder.bufferedBytes).toBe(0)
  })
})

describe("before authentication", () => {
  it.each([
    ["*11\r\n", "unauthenticated multibulk length"],
    ["*1\r\n$16385\r\n", "unauthenticated bulk length"],
    ["*99999999999\r\n", "invalid multibulk length"],
    ["*1\r\n$999999999999\r\n", "invalid bulk length"],
    ["*x\r\n", "invalid multibulk length"],
  ])("%j fails", (bytes, what) => {
    expect(decode([bytes], unauthenticated()).failure).toBe(`Protocol error: ${what}`)
  })

  it.each(["*10\r\n", "*-11\r\n", "*1\r\n$16384\r\n", "a b c d e f g h i j k l\r\n"])("%j is fine", (bytes) => {
    expect(decode([bytes], unauthenticated()).failure).toBe(undefined)
  })

  it("ends with the request that authenticates, also for what came in the same packet", () => {
    const decoder = unauthenticated()
    const many = ["MGET", ..."abcdefghijklm"]
    decoder.push(bytesOf(encodeRequest(["AUTH", "pw"]) + encodeRequest(many)))
    expect(decoder.next()).toEqual(["AUTH", "pw"])
    decoder.authenticated = true
    expect(decoder.next()).toEqual(many)
  })
})

describe("replies", () => {
  const three = [Reply.int(0), Reply.int(1), Reply.int(2)]
  it.each<[string, Reply.Reply, string, string]>([
    ["OK", Reply.ok, "+OK\r\n", "+OK\r\n"],
    ["a simple string with a line end", Reply.simple("a\r\nb"), "+a  b\r\n", "+a  b\r\n"],
    [
      "an error",
      Reply.failure(NotInteger.error),
      "-ERR value is not an integer or out of range\r\n",
      "-ERR value is not an integer or out of range\r\n",
    ],
    [
      "an error with a line end",
      { _tag: "Failure", code: "ERR", message: "unknown command 'a\r\nb', with args beginning with: 'x\r\n' " },
      "-ERR unknown command 'a  b', with args beginning with: 'x  ' \r\n",
      "-ERR unknown command 'a  b', with args beginning with: 'x  ' \r\n",
    ],
    ["an integer", Reply.int(12345), ":12345\r\n", ":12345\r\n"],
    ["a negative integer", Reply.int(-1), ":-1\r\n", ":-1\r\n"],
    ["a large integer", Reply.int(9223372036854775807n), ":9223372036854775807\r\n", ":9223372036854775807\r\n"],
    ["a bulk string", Reply.bulk("Hello World"), "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"],
    ["an empty bulk string", Reply.bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"],
    [
      "a long bulk string",
      Reply.bulk("x".repeat(5000)),
      `$5000\r\n${"x".repeat(5000)}\r\n`,
      `$5000\r\n${"x".repeat(5000)}\r\n`,
    ],
    ["nil", Reply.nil, "$-1\r\n", "_\r\n"],
    ["a nil array", Reply.nilArray, "*-1\r\n", "_\r\n"],
    ["an empty array", Reply.emptyArray, "*0\r\n", "*0\r\n"],
    ["an array", Reply.array(three), "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"],
    [
      "nil within an array",
      Reply.array([Reply.nil, Reply.array([Reply.nilArray])]),
      "*2\r\n$-1\r\n*1\r\n*-1\r\n",
      "*2\r\n_\r\n*1\r\n_\r\n",
    ],
    [
      "bulk strings",
      Reply.bulks(["a", undefined, ""]),
      "*3\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n",
      "*3\r\n$1\r\na\r\n_\r\n$0\r\n\r\n",
    ],
    ["no bulk strings", Reply.bulks([]), "*0\r\n", "*0\r\n"],
    ["a set", Reply.set(three), "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"],
    [
      "a map",
      Reply.record({ a: Reply.int(1), b: Reply.bool(true) }),
      "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:1\r\n",
      "%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n#t\r\n",
    ],
    ["a double", Reply.double(3.141), "$5\r\n3.141\r\n", ",3.141\r\n"],
    ["infinity", Reply.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
    ["true", Reply.bool(true), ":1\r\n", "#t\r\n"],
    ["false", Reply.bool(false), ":0\r\n", "#f\r\n"],
    [
      "a big number",
      Reply.bigNumber("1234567999999999999999999999999999999"),
      "$37\r\n1234567999999999999999999999999999999\r\n",
      "(1234567999999999999999999999999999999\r\n",
    ],
    [
      "verbatim text",
      Reply.verbatim("txt", "This is a verbatim\nstring"),
      "$25\r\nThis is a verbatim\nstring\r\n",
      "=29\r\ntxt:This is a verbatim\nstring\r\n",
    ],
    [
      "an attribute",
      Reply.attribute(
        [Reply.bulk("key-popularity"), Reply.array([Reply.bulk("key:123"), Reply.int(90)])],
        Reply.bulk("real"),
      ),
      "$4\r\nreal\r\n",
      "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$4\r\nreal\r\n",
    ],
    [
      "a push",
      Reply.push([Reply.bulk("server-cpu-usage"), Reply.int(42)]),
      "*2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
      ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
    ],
    ["several replies", Reply.sequence([Reply.ok, Reply.zero]), "+OK\r\n:0\r\n", "+OK\r\n:0\r\n"],
    ["no reply", Reply.none, "", ""],
  ])("encodes %s for both protocol versions", (_, reply, resp2, resp3) => {
    expect(encode(reply, 2)).toBe(resp2)
    expect(encode(reply, 3)).toBe(resp3)
  })

  const leaf = fc.oneof(
    byteString(20).map(Reply.bulk),
    fc.maxSafeInteger().map(Reply.int),
    fc.double({ noNaN: true }).map(Reply.double),
    fc.boolean().map(Reply.bool),
    fc.constantFrom(Reply.nil, Reply.ok, Reply.verbatim("txt", "a\r\n"), Reply.bigNumber("-123")),
  )
  const { reply } = fc.letrec<{ readonly reply: Reply.Reply }>((tie) => {
    const children = fc.array(tie("reply"), { maxLength: 4 })
    const pairs = fc.array(fc.tuple(tie("reply"), tie("reply")), { maxLength: 3 }).map((entries) => entries.flat())
    return {
      reply: fc.oneof(
        { maxDepth: 3 },
        leaf,
        children.map(Reply.array),
        children.map(Reply.set),
        children.map(Reply.push),
        pairs.map(Reply.map),
      ),
    }
  })

  it.prop(
    "parse as what they were, however they are split",
    [fc.array(reply, { maxLength: 4 }), fc.array(fc.nat(300))],
    ([replies, cuts]) => {
      const bytes = replies.map((one) => encode(one, 3)).join("")
      expect(parseReplies(bytes)).toEqual(replies)
      const parser = new ReplyParser()
      const parsed = split(bytes, cuts).flatMap((chunk) => {
        parser.push(chunk)
        return parser.drain()
      })
      expect(parsed).toEqual(replies)
    },
  )
})

describe("the parser of replies", () => {
  it("takes what is nested deeper than anybody reads for one reply", () => {
    const open = "*2\r\n$2\r\nab\r\n"
    const [deep, after] = parseReplies(`${open.repeat(10_000)}%1\r\n+a\r\n$-1\r\n:5\r\n`)
    expect(JSON.stringify(deep)).toContain("nested deeper")
    expect(after).toEqual(Reply.int(5))
  })
})

describe("a run of bulk strings", () => {
  /** As the encoder sends few of them. */
  const sent = (values: ReadonlyArray<string>): string =>
    `*${values.length}\r\n${values.map((value) => `$${value.length}\r\n${value}\r\n`).join("")}`
  const run = (values: ReadonlyArray<string>): Reply.Reply => {
    BulkRun.begin()
    for (const value of values) BulkRun.add(`<${value}>`, 1, value.length + 1)
    return BulkRun.end()
  }
  const lengths = [0, 1, 9, 10, 24, 25, 99, 100, 101, 255, 256, 511, 512]

  it("is sent as the array of its elements, which can be had one by one", () => {
    const values = lengths.map((length) => "\r\n$".repeat(length).slice(0, length))
    const reply = run(values)
    expect([encode(reply, 2), encode(reply, 3)]).toEqual([sent(values), sent(values)])
    expect(reply._tag === "Bulks" && reply.values).toEqual(values)
    expect(encode(Reply.bulks(values), 2)).toBe(sent(values))
    const many = Array.from({ length: 20_000 }, (_, i) => String(i))
    expect(encode(run(many), 2)).toBe(sent(many))
    expect(encode(Reply.bulks(many), 3)).toBe(sent(many))
  })

  it("comes in pieces where it or an element is long", () => {
    const mixed = ["a", "x".repeat(513), "b", "", "y".repeat(2000)]
    const million = Array.from({ length: 5_000 }, (_, i) => String(i).padEnd(500, "x"))
    for (const values of [mixed, million]) {
      const reply = run(values)
      expect(encode(reply, 2) === sent(values)).toBe(true)
      expect(reply._tag === "Bulks" && reply.values).toEqual(values)
    }
  })

  it("may hold arrays, of strings and of numbers written without making strings of them", () => {
    const numbers = [0, 7, 9, 10, 99, 9_999_999, 10_000_000, 10_000_001, 1_700_000_000_000, 2 ** 53 - 1]
    const rows = numbers.map((first, i) => ({
      first,
      second: numbers[numbers.length - 1 - i]!,
      values: lengths.slice(0, i),
    }))
    const plain = Reply.array(
      rows.map(({ first, second, values }) =>
        Reply.array([Reply.bulk(`${first}-${second}`), Reply.array(values.map((n) => Reply.bulk("*$\r\n".repeat(n))))]),
      ),
    )
    BulkRun.begin()
    for (const { first, second, values } of rows) {
      BulkRun.addArray(2)
      BulkRun.addNumbers(first, 45, second)
      BulkRun.addArray(values.length)
      for (const n of values) BulkRun.addText("*$\r\n".repeat(n))
    }
    const nested = BulkRun.endNested(rows.length)
    expect([encode(nested, 2), encode(nested, 3)]).toEqual([encode(plain, 2), encode(plain, 3)])
    expect(nested).toMatchObject({ values: (plain as Reply.Array).values })
  })

  it("is given up where elements that stand alone are long or nil", () => {
    const long = Array.from({ length: 9 }, (_, i) => "x".repeat(i * 100))
    expect(encode(Reply.bulks(long), 2)).toBe(sent(long))
    const some = ["a", "b", "c", "d", undefined, "e", "f", "g", "h"]
    expect(encode(Reply.bulks(some), 2)).toBe(
      sent(some.map((value) => value ?? "nil")).replace("$3\r\nnil\r\n", "$-1\r\n"),
    )
    expect(encode(run(["still works"]), 2)).toBe(sent(["still works"]))
  })
})

describe("quoting", () => {
  it.prop("reads back what it quotes", [fc.array(byteString(20))], ([words]) => {
    expect(splitArguments(words.map(quote).join(" "))).toEqual(words)
  })

  it("escapes what is not printable", () => expect(quote('a\n\x07\x1b"\\\xff')).toBe('"a\\n\\a\\x1b\\"\\\\\\xff"'))
})

describe("short replies written as bytes", () => {
  const bytes = Buffer.alloc(smallReplyMax + 10)
  const written = (reply: Reply.Reply, protocol: 2 | 3) => {
    const end = writeSmall(reply, protocol, bytes, 3)
    return end === -1 ? undefined : bytes.latin1Slice(3, end)
  }

  it.prop(
    "are what the encoder makes of them",
    [
      fc.oneof(
        fc.integer({ min: -5, max: 2 ** 31 + 5 }).map(Reply.int),
        fc.maxSafeInteger().map(Reply.int),
        fc.nat(12).map((power) => Reply.int(10 ** power - (power % 2))),
        fc
          .tuple(fc.nat(300), fc.nat(255))
          .map(([length, code]) => Reply.bulk(String.fromCharCode(code).repeat(length))),
        fc.constantFrom(Reply.ok, Reply.pong, Reply.queued, Reply.nil, Reply.nilArray, Reply.simple("other")),
        fc.array(fc.option(byteString(60), { nil: undefined }), { maxLength: 10 }).map(Reply.bulks),
      ),
      fc.constantFrom(2 as const, 3 as const),
    ],
    ([reply, protocol]) => {
      expect([encode(reply, protocol), undefined]).toContain(written(reply, protocol))
    },
  )

  it("are those of pipelines", () => {
    for (const reply of [Reply.ok, Reply.pong, Reply.queued, Reply.nil, Reply.int(0), Reply.int(2 ** 31 - 1)]) {
      expect(written(reply, 2)).toBe(encode(reply, 2))
    }
    for (const length of [0, 9, 10, 24, 25, 256]) {
      expect(written(Reply.bulk("x".repeat(length)), 3)).toBe(`$${length}\r\n${"x".repeat(length)}\r\n`)
    }
    for (const values of [
      [],
      ["member", "17"],
      ["", undefined, "x".repeat(99)],
      Array<string>(8).fill("x".repeat(25)),
    ]) {
      expect(written(Reply.bulks(values), 2)).toBe(encode(Reply.bulks(values), 2))
    }
    for (const reply of [
      Reply.bulks(Array<string>(9).fill("x")),
      Reply.bulks(["x".repeat(200), "x".repeat(60)]),
      Reply.int(-1),
      Reply.int(2 ** 31),
      Reply.int(5n),
      Reply.bulk("x".repeat(257)),
      Reply.simple("x"),
    ]) {
      expect(written(reply, 2)).toBe(undefined)
    }
  })
})

it.effect("Codec.layerResp makes a decoder for each connection", () =>
  Effect.gen(function* () {
    const codec = yield* Codec
    const [one, other] = [codec.makeDecoder(), codec.makeDecoder()]
    one.push(bytesOf(ping))
    expect([other.next(), one.next(), one.next()]).toEqual([undefined, ["PING"], undefined])
    expect(codec.encode(Reply.nil, 3)).toBe("_\r\n")
  }).pipe(Effect.provide(Codec.layerResp)),
)

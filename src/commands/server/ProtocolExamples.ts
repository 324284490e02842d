/** DEBUG PROTOCOL: one reply of each type, with which client libraries are tested; the values are redis-server's. */
import * as Reply from "../../codec/Reply.ts"

const numbers = (count: number): ReadonlyArray<Reply.Reply> => Array.from({ length: count }, (_, i) => Reply.int(i))

const attributed = "Some real reply following the attribute"

/** The example of `type`, in lower case; absent when there is no such type. */
export const protocolExample = (type: string, protocol: 2 | 3): Reply.Reply | undefined => {
  switch (type) {
    case "string":
      return Reply.bulk("Hello World")
    case "integer":
      return Reply.int(12345)
    case "double":
      return Reply.double(3.141)
    case "bignum":
      return Reply.bigNumber("1234567999999999999999999999999999999")
    case "null":
      return Reply.nil
    case "array":
      return Reply.array(numbers(3))
    case "set":
      return Reply.set(numbers(3))
    case "map":
      return Reply.map(numbers(3).flatMap((number, i) => [number, Reply.bool(i === 1)]))
    case "attrib":
      return protocol === 2
        ? Reply.bulk(attributed)
        : Reply.attribute(
            [Reply.bulk("key-popularity"), Reply.array([Reply.bulk("key:123"), Reply.int(90)])],
            Reply.bulk(attributed),
          )
    case "push":
      return protocol === 2
        ? undefined
        : Reply.sequence([
            Reply.push([Reply.bulk("server-cpu-usage"), Reply.int(42)]),
            Reply.bulk("Some real reply following the push reply"),
          ])
    case "verbatim":
      return Reply.verbatim("txt", "This is a verbatim\nstring")
    case "true":
      return Reply.bool(true)
    case "false":
      return Reply.bool(false)
    default:
      return undefined
  }
}

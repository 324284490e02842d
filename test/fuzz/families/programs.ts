/**
 * Whole small Lua programs from a grammar: variables, control flow, closures, tables, protected calls, commands and what
 * they answer in both protocols, as scripts and as functions of a library. Programs are spread over lines, so that the
 * lines in errors are compared as well.
 *
 * The idea to hold: every program ends. Loops count, strings grow by literals only, and functions do not call themselves.
 */
import { createHash } from "node:crypto"
import * as fc from "fast-check"
import { type Family, key } from "../Fuzz.ts"

const names = ["a", "b", "c", "t"]
const name = fc.constantFrom(...names)
const number = fc.constantFrom("0", "1", "2", "-1", "3.5", "1e15", "2^53", "1/0", "0/0", "10", "7")
const string = fc.constantFrom("'x'", "''", "'10'", "'0x10'", "'a b'", "'key'", "'%d'", "'1e2'", "'\\0z'")
const binary = fc.constantFrom("+", "-", "*", "/", "%", "^", "==", "~=", "<", ">", "<=", ">=", "and", "or")
const command = fc.oneof(
  key.map((k) => `'get','${k}'`),
  fc.tuple(key, string).map(([k, v]) => `'set','${k}',${v}`),
  key.map((k) => `'incr','${k}'`),
  key.map((k) => `'hgetall','${k}'`),
  fc.tuple(key, string).map(([k, v]) => `'hset','${k}','f',${v}`),
  key.map((k) => `'smembers','${k}'`),
  fc.tuple(key, string).map(([k, v]) => `'sadd','${k}',${v}`),
  fc.tuple(key, fc.constantFrom("1", "2.5", "1/0")).map(([k, v]) => `'zadd','${k}',${v},'m'`),
  key.map((k) => `'zscore','${k}','m'`),
  key.map((k) => `'zrange','${k}',0,-1,'withscores'`),
  fc.tuple(key, name).map(([k, v]) => `'rpush','${k}',${v}`),
  key.map((k) => `'lrange','${k}',0,-1`),
  key.map((k) => `'del','${k}'`),
  key.map((k) => `'type','${k}'`),
  key.map((k) => `'blpop','${k}',0`),
  fc.constantFrom(
    "'ping'",
    "'nope'",
    "'get'",
    "'config','get','maxmemory'",
    "'object','encoding','a'",
    "'subscribe','x'",
    "'multi'",
    "'eval','return 1',0",
    "'debug','protocol','map'",
    "'select',1",
    "'echo',a",
    "'script','exists','x'",
  ),
)

interface Grammar {
  expression: string
  statement: string
  block: string
}

const { statement, block, expression } = fc.letrec<Grammar>((tie) => {
  const inner = tie("expression")
  return {
    expression: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 4, arbitrary: name },
      { weight: 3, arbitrary: number },
      { weight: 3, arbitrary: string },
      { weight: 2, arbitrary: fc.constantFrom("nil", "true", "false", "#ARGV", "KEYS[1]", "ARGV[1]", "ARGV[9]") },
      { weight: 3, arbitrary: fc.tuple(inner, binary, inner).map(([l, o, r]) => `(${l} ${o} ${r})`) },
      { weight: 2, arbitrary: fc.tuple(inner, string).map(([l, r]) => `(${l}..${r})`) },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom("-", "not ", "#"), inner).map(([o, e]) => `(${o}${e})`) },
      { weight: 2, arbitrary: fc.tuple(name, inner).map(([t, i]) => `${t}[${i}]`) },
      { weight: 1, arbitrary: name.map((t) => `${t}.x`) },
      { weight: 1, arbitrary: name.map((t) => `${t}.x.y`) },
      { weight: 2, arbitrary: fc.tuple(inner, inner).map(([x, y]) => `{${x},${y},x=${x}}`) },
      { weight: 2, arbitrary: fc.tuple(inner, inner).map(([x, y]) => `f(${x},${y})`) },
      { weight: 1, arbitrary: fc.tuple(name, inner).map(([g, x]) => `${g}(${x})`) },
      { weight: 1, arbitrary: fc.tuple(name, inner).map(([s, x]) => `${s}:upper(${x})`) },
      { weight: 1, arbitrary: inner.map((x) => `type(${x})`) },
      { weight: 1, arbitrary: inner.map((x) => `tonumber(${x})`) },
      { weight: 1, arbitrary: inner.map((x) => `ts(${x})`) },
      { weight: 1, arbitrary: inner.map((x) => `cjson.encode(${x})`) },
      { weight: 1, arbitrary: fc.tuple(inner, inner).map(([x, y]) => `math.max(${x},${y})`) },
      { weight: 1, arbitrary: fc.tuple(inner, string).map(([x, y]) => `table.concat(${x},${y})`) },
      { weight: 1, arbitrary: fc.tuple(inner, inner).map(([x, y]) => `select('#',${x},${y})`) },
      { weight: 3, arbitrary: command.map((c) => `redis.call(${c})`) },
      { weight: 3, arbitrary: command.map((c) => `redis.pcall(${c})`) },
      { weight: 1, arbitrary: inner.map((x) => `redis.error_reply(${x})`) },
      { weight: 1, arbitrary: inner.map((x) => `redis.status_reply(${x})`) },
      { weight: 1, arbitrary: fc.constantFrom("nothere", "string.nothere", "redis.nothere", "_G.x", "table.getn(t)") },
    ),
    statement: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 5, arbitrary: fc.tuple(name, inner).map(([v, e]) => `${v} = ${e}`) },
      { weight: 2, arbitrary: fc.tuple(name, inner).map(([v, e]) => `local ${v} = ${e}`) },
      { weight: 2, arbitrary: fc.tuple(name, inner, inner).map(([v, i, e]) => `${v}[${i}] = ${e}`) },
      { weight: 4, arbitrary: command.map((c) => `redis.call(${c})`) },
      { weight: 2, arbitrary: fc.tuple(name, command).map(([v, c]) => `${v} = redis.pcall(${c})`) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(inner, tie("block"), tie("block"))
          .map(([e, yes, no]) => `if ${e} then\n${yes}\nelse\n${no}\nend`),
      },
      { weight: 1, arbitrary: tie("block").map((body) => `for i=1,3 do\n${body}\nend`) },
      {
        weight: 1,
        arbitrary: fc.tuple(inner, tie("block")).map(([e, body]) => `for k,v in ipairs(${e}) do\n${body}\nend`),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(inner, tie("block"))
          .map(([e, body]) => `do local n=0 while n<3 and ${e} do n=n+1\n${body}\nend end`),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(name, name, tie("block"))
          .map(([ok, message, body]) => `${ok},${message} = pcall(function()\n${body}\nend)`),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(name, tie("block"))
          .map(([message, body]) => `_,${message} = xpcall(function()\n${body}\nend, ts)`.replace("_,", "local _,")),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(name, tie("block"))
          .map(([v, body]) => `do local co=coroutine.wrap(function()\n${body}\nend) ${v}=co() end`),
      },
      { weight: 1, arbitrary: inner.map((e) => `if true then return ${e} end`) },
      { weight: 1, arbitrary: fc.tuple(name, inner).map(([v, e]) => `if ${v} then return ${e},${v} end`) },
      { weight: 1, arbitrary: inner.map((e) => `if a then error(ts(${e})) end`) },
      { weight: 1, arbitrary: inner.map((e) => `if b then error({err=ts(${e})}) end`) },
      {
        weight: 1,
        arbitrary: fc.constantFrom("redis.setresp(3)", "redis.setresp(2)", "newglobal = 1", "string.x = 1"),
      },
    ),
    block: fc.array(tie("statement"), { minLength: 1, maxLength: 3 }).map((lines) => lines.join("\n")),
  }
})

const preamble =
  "local function ts(x) local y=type(x) if y=='table' or y=='function' then return y end return tostring(x) end\n" +
  "local a,b,c,t=1,'2',nil,{1,'two',{3},x={y=5}} local function f(x,y) return y,x end\n"

const body = fc
  .tuple(fc.array(statement, { minLength: 1, maxLength: 6 }), expression)
  .map(([lines, e]) => `${preamble}${lines.join("\n")}\nreturn ${e}`)

const flags = fc.constantFrom(
  "",
  "",
  "",
  "#!lua\n",
  "#!lua flags=no-writes\n",
  "#!lua flags=allow-oom\n",
  "#!lua x=y\n",
)
const script = fc.tuple(flags, body).map(([head, rest]) => head + rest)

/** One function each: of several, Redis gives them in no order. */
const library = fc.oneof(
  fc
    .tuple(body, fc.constantFrom("", "flags={'no-writes'}", "flags={'allow-stale'}", "description='d'"))
    .map(
      ([run, more]) =>
        `#!lua name=l\n${preamble}` +
        `redis.register_function{function_name='f', callback=function(KEYS,ARGV)\n${run}\nend${more === "" ? "" : `,${more}`}}`,
    ),
  block.map(
    (own) =>
      `#!lua name=m\n${preamble}local calls=0\n` +
      `redis.register_function('g', function(KEYS,ARGV)\ncalls=calls+1\n${own}\nreturn {calls,a,b}\nend)`,
  ),
)

/** Few, so that they are sometimes in the cache. */
const shared = [
  "return redis.call('incr',KEYS[1])",
  "return {KEYS,ARGV}",
  "redis.call('set',KEYS[1],ARGV[1]) return redis.call('get',KEYS[1])",
  "return redis.call('nope')",
]
const sha = fc.constantFrom(
  ...shared.map((source) => createHash("sha1").update(source).digest("hex")),
  "x",
  "f".repeat(40),
)
const word = fc.constantFrom("x", "", "10", "1.5", "a b", "\0")

export const programs: Family = {
  name: "programs",
  command: fc.oneof(
    { weight: 12, arbitrary: fc.tuple(script, key, word).map(([source, k, v]) => ["EVAL", source, "1", k, v]) },
    { weight: 3, arbitrary: fc.tuple(script, key, word).map(([source, k, v]) => ["EVAL_RO", source, "1", k, v]) },
    { weight: 3, arbitrary: library.map((source) => ["FUNCTION", "LOAD", "REPLACE", source]) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom("FCALL", "FCALL_RO"), fc.constantFrom("f", "g", "h"), key, word)
        .map(([call, f, k, v]) => [call, f, "1", k, v]),
    },
    { weight: 2, arbitrary: fc.constantFrom(...shared).map((source) => ["SCRIPT", "LOAD", source]) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom("EVALSHA", "EVALSHA_RO"), sha, key, word)
        .map(([call, s, k, v]) => [call, s, "1", k, v]),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ["HELLO", "3"],
        ["HELLO", "2"],
        ["SCRIPT", "FLUSH"],
        ["SCRIPT", "FLUSH", "ASYNC"],
        ["FUNCTION", "LIST", "WITHCODE"],
        ["FUNCTION", "LIST", "LIBRARYNAME", "l*"],
        ["FUNCTION", "STATS"],
        ["FUNCTION", "FLUSH"],
        ["FUNCTION", "DELETE", "l"],
        ["EVAL", "return 1", "2", "a"],
        ["EVAL", "return 1", "-1"],
        ["EVAL", "return 1", "x"],
        ["FCALL", "f", "x"],
        ["FCALL", "f", "-1"],
        ["FCALL", "f", "3", "a"],
      ),
    },
  ),
  unordered: (argv) => argv[0] === "FUNCTION" && argv[1] === "LIST",
  ignored: (argv) => argv[0] === "HELLO",
}

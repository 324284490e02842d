/**
 * Random small scripts: calls of the libraries with random values, and their results, the order of tables included. Whatever
 * is raised is part of the result, so error texts are compared word for word.
 */
import * as fc from "fast-check"
import { type Family, integer, key, value } from "../Fuzz.ts"

/** A Lua literal for a byte string. */
const quoted = (bytes: string): string =>
  `"${[...bytes]
    .map((char) => {
      const code = char.charCodeAt(0)
      return code >= 32 && code < 127 && char !== '"' && char !== "\\" ? char : `\\${String(code).padStart(3, "0")}`
    })
    .join("")}"`

const number = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -300, max: 300 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "0",
      "1.5",
      "-0.5",
      "2^31",
      "2^31-1",
      "-2^31",
      "2^32",
      "2^33+1",
      "2^53",
      "2^53+2",
      "1e15",
      "1e100",
      "-1e15",
      "0.1",
      "1/3",
      "1e-7",
      "12345678901234.5",
      "2^63",
      "-2^63",
      "2^64",
      "65535",
      "65536",
      "255",
      "256",
      "127",
      "128",
      "-32",
      "-33",
      "-128",
      "-129",
      "-32768",
      "-32769",
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom("1/0", "-1/0", "0/0", "-0") },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n.toExponential(17)) },
)
// Of longer strings as keys the order in a table differs, see Vm.ts.
const bytes = fc.oneof(
  fc.constantFrom("", "a", "abc", "hello world", "1", "10", "-5", "0x1F", "3.5", "x=1, y=2", "%d", "key", "a\0b", "é"),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 31 }).map((codes) => String.fromCharCode(...codes)),
  fc.integer({ min: 0, max: 31 }).map((length) => "z".repeat(length)),
)
const text = bytes.map(quoted)
const plain = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: fc.constantFrom("true", "false", "nil") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("cjson.null", "print == nil", "redis.call", "KEYS[1]", "ARGV[1]", "tostring", "{}"),
  },
)
const { literal } = fc.letrec<{ literal: string; table: string }>((tie) => ({
  literal: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 4, arbitrary: plain },
    { weight: 2, arbitrary: tie("table") },
  ),
  table: fc.oneof(
    fc.array(tie("literal"), { maxLength: 5 }).map((items) => `{${items.join(",")}}`),
    fc
      .array(
        fc.tuple(
          plain.filter((k) => !["nil", "0/0", "{}", "redis.call", "tostring", "KEYS[1]", "ARGV[1]"].includes(k)),
          tie("literal"),
        ),
        { maxLength: 5 },
      )
      .map(
        (fields) =>
          `{${fields.map(([k, v]) => `[(${k}) ~= nil and (${k}) == (${k}) and (${k}) or 7]=${v}`).join(",")}}`,
      ),
  ),
}))
const list = (one: fc.Arbitrary<string>, minLength = 0, maxLength = 4) =>
  fc.array(one, { minLength, maxLength }).map((items) => items.join(","))
const call = (
  name: string | fc.Arbitrary<string>,
  ...args: ReadonlyArray<fc.Arbitrary<string>>
): fc.Arbitrary<string> =>
  fc
    .tuple(typeof name === "string" ? fc.constant(name) : name, ...args)
    .map(([f, ...words]) => [f, ...words.filter((word) => word !== "")].join(","))

const json = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .jsonValue({ maxDepth: 3 })
      .map((v) => JSON.stringify(v))
      .map((t) => Buffer.from(t).toString("latin1")),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "",
      "{",
      "[",
      "]",
      "[1,]",
      '{"a":}',
      '{"a" 1}',
      "{a:1}",
      "nul",
      "true false",
      "[1 2]",
      '"\\u00e9\\ud83d\\ude00"',
      '"\\ud800"',
      '"\\x"',
      '"abc',
      "0x10",
      "01",
      "-",
      "+1",
      ".5",
      "1e5",
      "nan",
      "inf",
      "-inf",
      "Infinity",
      "[1.5e300]",
      " \t\n1",
      '"a\0b"',
      '{"a":1,"a":2}',
      "[[[[]]]]",
      "1e",
      "--1",
      "0x1p4",
      "123456789012345678",
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.jsonValue({ maxDepth: 2 }).map((v) => JSON.stringify(v)),
        fc.nat(20),
      )
      .map(([t, n]) => Buffer.from(t.slice(0, n)).toString("latin1")),
  },
)
const structFormat = fc
  .array(
    fc.constantFrom(
      "b",
      "B",
      "h",
      "H",
      "l",
      "L",
      "i",
      "I",
      "i3",
      "I5",
      "i8",
      "I16",
      "T",
      "f",
      "d",
      "s",
      "c0",
      "c3",
      "c",
      "x",
      "<",
      ">",
      "!",
      "!4",
      "!3",
      " ",
      "i33",
      "z",
      "i99999999999",
    ),
    { maxLength: 6 },
  )
  .map((f) => quoted(f.join("")))
const pattern = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        "a",
        ".",
        "%a",
        "%d",
        "%s",
        "%w",
        "%W",
        "[a-z]",
        "[^a-z]",
        "[%d]",
        "%b()",
        "%f[%w]",
        "(",
        ")",
        "()",
        "(.)",
        "%1",
        "x",
        "=",
        "%%",
        "^",
        "$",
        "[",
        "]",
        "%",
        "-",
        "%z",
        "[a-]",
        "[]]",
        "[^]]",
      ),
      fc.constantFrom("", "", "", "*", "+", "-", "?"),
    ),
    { maxLength: 6 },
  )
  .map((items) => quoted(items.flat().join("")))
const subject = fc.oneof(
  text,
  fc.constantFrom('"hello world from lua"', '"x=1, y=2, z = (3 (4))"', '"THE (quick) fox"', '"aaa"', '"a.b-c"'),
)
const specifier = fc
  .tuple(
    fc.constantFrom("", "-", "+", " ", "#", "0", "-0"),
    fc.constantFrom("", "5", "12", "100"),
    fc.constantFrom("", ".0", ".3", ".15", "."),
    fc.constantFrom("d", "i", "u", "x", "X", "o", "c", "e", "g", "f", "s", "q", "%", "y"),
  )
  .map((parts) => `%${parts.join("")}`)
const format = fc
  .array(fc.oneof(specifier, fc.constantFrom("a", " ", "%%", "%5")), { maxLength: 3 })
  .map((parts) => quoted(parts.join("")))
const anyNumber = fc.oneof({ weight: 5, arbitrary: number }, { weight: 1, arbitrary: plain })

/** A function and its arguments, separated by commas, as `pcall` takes them. */
const operation = fc.oneof(
  { weight: 3, arbitrary: call("cjson.encode", literal) },
  { weight: 3, arbitrary: call("cjson.decode", json.map(quoted)) },
  { weight: 3, arbitrary: call("cmsgpack.pack", list(literal, 0, 3)) },
  { weight: 2, arbitrary: call("cmsgpack.unpack", text) },
  { weight: 2, arbitrary: literal.map((v) => `cmsgpack.unpack,cmsgpack.pack(${v})`) },
  {
    weight: 1,
    arbitrary: call(
      fc.constantFrom("cmsgpack.unpack_one", "cmsgpack.unpack_limit"),
      fc.oneof(
        text,
        list(literal, 1, 3).map((v) => `cmsgpack.pack(${v})`),
      ),
      list(
        integer.filter((n) => n !== "" && n !== "x"),
        0,
        2,
      ),
    ),
  },
  { weight: 3, arbitrary: call("struct.pack", structFormat, list(plain, 0, 5)) },
  { weight: 3, arbitrary: call("struct.unpack", structFormat, text, list(anyNumber, 0, 1)) },
  { weight: 1, arbitrary: call("struct.size", structFormat) },
  {
    weight: 2,
    arbitrary: call(
      fc.constantFrom(
        "bit.tobit",
        "bit.bnot",
        "bit.band",
        "bit.bor",
        "bit.bxor",
        "bit.lshift",
        "bit.rshift",
        "bit.arshift",
        "bit.rol",
        "bit.ror",
        "bit.bswap",
        "bit.tohex",
      ),
      list(anyNumber, 0, 3),
    ),
  },
  {
    weight: 4,
    arbitrary: call(
      fc.constantFrom("string.find", "string.match"),
      subject,
      pattern,
      list(fc.constantFrom("1", "3", "-2", "100", "nil", "1,true"), 0, 1),
    ),
  },
  {
    weight: 3,
    arbitrary: call(
      "string.gsub",
      subject,
      pattern,
      fc.oneof(
        pattern,
        fc.constantFrom(
          '"<%0>"',
          '"%1%2"',
          "string.upper",
          "{a=1,b=false}",
          "function(a) return a end",
          "true",
          "7",
          "function() return {} end",
        ),
      ),
      list(fc.constantFrom("1", "0", "-1", "2"), 0, 1),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(subject, pattern)
      .map(
        ([s, p]) =>
          `function() local o={} for a,b in string.gmatch(${s},${p}) do o[#o+1]=a o[#o+1]=b if #o>50 then break end end return o end`,
      ),
  },
  { weight: 3, arbitrary: call("string.format", format, list(plain, 0, 3)) },
  {
    weight: 2,
    arbitrary: call(
      "tonumber",
      fc.oneof(
        text,
        number,
        fc.constantFrom(
          '"0x1f"',
          '"ff"',
          '" 12 "',
          '"1e5"',
          '"-z"',
          '"7fffffffffffffff"',
          '"ffffffffffffffffff"',
          '"-1"',
        ),
      ),
      fc.constantFrom("", "10", "16", "2", "36", "8", "1", "37", "nil", '"16"'),
    ),
  },
  { weight: 1, arbitrary: call("tostring", fc.oneof(number, text)) },
  {
    weight: 1,
    arbitrary: list(fc.constantFrom("1", "5", "100", "-3", "2^31-1", "2^31", "0"), 0, 2).map(
      (args) => `function() math.randomseed(7) return math.random(${args}) end`,
    ),
  },
  {
    weight: 1,
    arbitrary: call(
      fc.constantFrom("string.rep", "string.sub", "string.byte"),
      subject,
      list(fc.constantFrom("0", "1", "3", "-2", '"2"', "nil", "100"), 0, 2),
    ),
  },
  {
    weight: 1,
    arbitrary: call(
      fc.constantFrom(
        "redis.error_reply",
        "redis.status_reply",
        "redis.sha1hex",
        "redis.setresp",
        "redis.set_repl",
        "redis.log",
        "redis.acl_check_cmd",
        "redis.call",
        "redis.pcall",
      ),
      list(plain, 0, 2),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("redis.call", "redis.pcall"), key, value.map(quoted))
      .map(([f, k, v]) => `${f},"set","${k}",${v}`),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("redis.call", "redis.pcall"),
        fc.constantFrom("get", "incr", "zrange", "hgetall", "ttl", "strlen", "GETDEL"),
        key,
      )
      .map(([f, name, k]) => `${f},"${name}","${k}"`),
  },
  {
    weight: 1,
    arbitrary: call(
      fc.constantFrom(
        "pcall",
        "error",
        "unpack",
        "select",
        "rawget",
        "next",
        "type",
        "ipairs",
        "setmetatable",
        "rawset",
        "table.concat",
        "table.insert",
        "table.getn",
        "table.maxn",
      ),
      list(fc.oneof(plain, literal, fc.constantFrom("_G", "string", "redis")), 0, 3),
    ),
  },
)

const preamble =
  "local function show(v) local t=type(v) if t=='table' then local o={} for k,x in pairs(v) do o[#o+1]=show(k)..'='..show(x) end return '{'..table.concat(o,',')..'}' " +
  "elseif t=='string' then return #v..':'..v elseif t=='number' then return v~=v and 'nan' or string.format('%.17g',v) elseif t=='boolean' then return tostring(v) else return t end end " +
  "local r={} local function try(...) local p={pcall(...)} local o={} for i=1,6 do o[i]=show(p[i]) end r[#r+1]=table.concat(o,' ') end "

const collected = fc
  .array(operation, { minLength: 1, maxLength: 4 })
  .map((all) => `${preamble}${all.map((one) => `try(${one})`).join(" ")} return r`)
const returned = fc.oneof(
  literal.map((v) => `return ${v}`),
  literal.map((v) => `redis.setresp(3) return ${v}`),
  operation.map((one) => `local function call(f,...) return f(...) end\nreturn call(${one})`),
  fc.constantFrom(
    "return {double=1.5}",
    "return {map={a={1,2}}}",
    "return {set={x=true}}",
    "return {big_number='12'}",
    "return {verbatim_string={format='txt',string='x'}}",
    "error('x')",
    "error({err='A b'})",
    "local t=nil t.x=1",
    "foo=1",
    "return bar",
    "return {KEYS,ARGV}",
    "return redis.call('nope')",
    "x x",
  ),
)

const script = fc.oneof({ weight: 3, arbitrary: collected }, { weight: 1, arbitrary: returned })

/** What can bring redis-server 7.0.15 itself down, takes the address of something, or differs as Vm.ts says. */
const isUnfit = (source: string): boolean =>
  /(select|unpack|table\.concat|string\.(rep|sub|byte)),[^)]*(2\^[3-6]|e\+|1e1|5678|1\/0)|error,\s*\{|error,(nil|true|false|redis|cjson|tostring|print|KEYS|\{|_G|string)|tostring,(redis|tostring|\{|cjson)/.test(
    source,
  )

export const scripting: Family = {
  name: "scripting",
  command: fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .tuple(
          script.filter((source) => !isUnfit(source)),
          key,
          value,
        )
        .map(([source, k, v]) => ["EVAL", source, "1", k, v]),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(["HELLO", "3"], ["HELLO", "2"], ["ZADD", "d", "1.5", "m"], ["HSET", "c", "f", "v"]),
    },
    { weight: 1, arbitrary: script.filter((source) => !isUnfit(source)).map((source) => ["EVAL_RO", source, "0"]) },
  ),
  ignored: (argv) => argv[0] === "HELLO",
}

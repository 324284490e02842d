/**
 * Words as people type them: the quoting of inline requests, configuration files and MONITOR.
 *
 * In double quotes a backslash escapes (`\n`, `\r`, `\t`, `\a`, `\b`, `\xHH`, or the char itself); in single quotes it
 * escapes the quote alone. A quoted part may begin inside a word, but the word ends with it.
 */

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)

const controls: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["b", "\b"],
  ["a", "\x07"],
])

/** Cuts a line into its words, or `undefined` if a quote is not closed or is followed by something other than a space. */
export const splitArguments = (line: string): Array<string> | undefined => {
  const words: Array<string> = []
  let i = 0
  for (;;) {
    while (i < line.length && isSpace(line.charCodeAt(i))) i++
    if (i === line.length) return words
    let word = ""
    let quote = ""
    for (; i < line.length; i++) {
      const char = line[i]!
      if (quote === "") {
        // Inside a word a vertical tab or form feed is an ordinary char, as in Redis.
        if (char === " " || char === "\n" || char === "\r" || char === "\t" || char === "\0") break
        if (char === '"' || char === "'") quote = char
        else word += char
      } else if (char === quote) {
        if (i + 1 < line.length && !isSpace(line.charCodeAt(i + 1))) return undefined
        quote = ""
        i++
        break
      } else if (char === "\\" && quote === '"' && i + 1 < line.length) {
        const hex = /^x[\da-f]{2}/i.exec(line.slice(i + 1, i + 4))
        const escaped = line[i + 1]!
        word += hex === null ? (controls.get(escaped) ?? escaped) : String.fromCharCode(parseInt(hex[0].slice(1), 16))
        i += hex === null ? 1 : 3
      } else if (char === "\\" && line[i + 1] === "'") {
        word += "'"
        i++
      } else word += char
    }
    if (quote !== "") return undefined
    words.push(word)
    if (line[i] === "\0") i++
  }
}

/** A byte string in double quotes, with escapes for what is not printable ASCII, so that `splitArguments` reads it back. */
export const quote = (bytes: string): string => {
  let quoted = '"'
  for (let i = 0; i < bytes.length; i++) {
    const char = bytes[i]!
    const code = bytes.charCodeAt(i)
    if (char === '"' || char === "\\") quoted += `\\${char}`
    else if (code >= 32 && code < 127) quoted += char
    else quoted += escapes.get(char) ?? `\\x${code < 16 ? "0" : ""}${code.toString(16)}`
  }
  return quoted + '"'
}

const escapes: ReadonlyMap<string, string> = new Map([...controls].map(([letter, char]) => [char, `\\${letter}`]))

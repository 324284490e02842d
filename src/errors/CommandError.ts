/**
 * The typed errors a command can answer with: one class per meaning, each with the wire code and the text that
 * redis-server 7.0.15 sends. A `CommandError` is a mistake of the client and stays in the error channel (`E`); failures of
 * sockets and disks have their own types, and bugs are defects.
 *
 * The idea to hold: constructing one costs no stack trace, and an error without parameters is one shared instance
 * (`WrongType.error`), so failing is as cheap as answering. How an error becomes a reply is decided in `dispatch/`.
 */
import { upToNul } from "../bytes/Bytes.ts"

/** Any client error: `-${code} ${message}` on the wire. */
export interface CommandError extends Error {
  readonly _tag: string
  /** The first word of the error reply: `ERR`, `WRONGTYPE`, `NOAUTH`, ... */
  readonly code: string
}

type CommandErrorClass<Tag extends string> = abstract new (message: string) => CommandError & { readonly _tag: Tag }

const TypeId: unique symbol = Symbol.for("tiny-redis/CommandError")

/** Builds the base class of one kind of client error. `tag` is for `catchTag`, `code` goes on the wire. */
export const CommandError = <const Tag extends string>(tag: Tag, code: string): CommandErrorClass<Tag> => {
  abstract class Base extends Error {
    readonly _tag: Tag = tag
    readonly code = code
    readonly [TypeId] = TypeId
    constructor(message: string) {
      // A stack costs 4 us and would only ever point here; measured 0.5 us without.
      const limit = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      super(message)
      Error.stackTraceLimit = limit
    }
  }
  return Base
}

/** Tells a client's mistake from a bug, where something was thrown. */
export const isCommandError = (u: unknown): u is CommandError => typeof u === "object" && u !== null && TypeId in u

/** The key holds a value of another type than the command works on. */
export class WrongType extends CommandError("WrongType", "WRONGTYPE") {
  static readonly error = new WrongType("Operation against a key holding the wrong kind of value")
}

/** The words of the request do not follow the command's grammar. */
export class SyntaxError extends CommandError("SyntaxError", "ERR") {
  static readonly error = new SyntaxError("syntax error")
}

/** An argument, or a stored value, is not a 64-bit signed integer. */
export class NotInteger extends CommandError("NotInteger", "ERR") {
  static readonly error = new NotInteger("value is not an integer or out of range")
}

/** An argument, or a stored value, is not a floating point number. */
export class NotFloat extends CommandError("NotFloat", "ERR") {
  static readonly error = new NotFloat("value is not a valid float")
}

/** A number is syntactically right but outside of what the command takes. */
export class OutOfRange extends CommandError("OutOfRange", "ERR") {
  static readonly error = new OutOfRange("value is out of range")
  static readonly positive = new OutOfRange("value is out of range, must be positive")
  static readonly index = new OutOfRange("index out of range")
}

/** The command needs a key that does not exist. */
export class NoSuchKey extends CommandError("NoSuchKey", "ERR") {
  static readonly error = new NoSuchKey("no such key")
}

/** Fewer or more arguments than the command takes. */
export class WrongArity extends CommandError("WrongArity", "ERR") {
  static of(name: string): WrongArity {
    return new WrongArity(`wrong number of arguments for '${name}' command`)
  }
}

/** A subcommand was given more or fewer words than it takes, or there is none of that name where Redis does not tell. */
export class WrongForm extends CommandError("WrongForm", "ERR") {
  static of(container: string, word: string): WrongForm {
    const shown = upToNul(word).slice(0, 128)
    return new WrongForm(`unknown subcommand or wrong number of arguments for '${shown}'. Try ${container} HELP.`)
  }
}

/** An argument has the right form and a value the command refuses; the text says which. */
export class InvalidArgument extends CommandError("InvalidArgument", "ERR") {}

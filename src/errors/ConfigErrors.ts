/**
 * What goes wrong with settings. Two kinds: what CONFIG answers a client (`CommandError`s with Redis's texts), and what stops
 * a start, whose message is one line for the person who started the server.
 */
import * as Data from "effect/Data"
import { upToNul } from "../bytes/Bytes.ts"
import { CommandError } from "./CommandError.ts"

/** CONFIG SET names something that is no setting. */
export class UnknownOption extends CommandError("UnknownOption", "ERR") {
  static of(name: string): UnknownOption {
    return new UnknownOption(`Unknown option or number of arguments for CONFIG SET - '${upToNul(name)}'`)
  }
}

/** CONFIG SET was refused as a whole, because of the argument named. */
export class SettingRefused extends CommandError("SettingRefused", "ERR") {
  static of(name: string, reason: string): SettingRefused {
    return new SettingRefused(`CONFIG SET failed (possibly related to argument '${name}') - ${reason}`)
  }
  /** For a value that is not taken Redis names the setting in its own spelling, else in the client's. */
  static value(name: string, reason: string): SettingRefused {
    return SettingRefused.of(name.toLowerCase(), reason)
  }
}

/** CONFIG REWRITE without a file, or one that cannot be written. */
export class RewriteRefused extends CommandError("RewriteRefused", "ERR") {
  static readonly noFile = new RewriteRefused("The server is running without a config file")
  static of(reason: string): RewriteRefused {
    return new RewriteRefused(`Rewriting config file: ${reason}`)
  }
}

/** A value that a setting does not take. `origin` says where it was given: a flag, a variable, a line of a file. */
export class InvalidSetting extends Data.TaggedError("InvalidSetting")<{
  readonly setting: string
  readonly value: string
  readonly origin: string
  readonly reason: string
}> {
  override get message(): string {
    return `Invalid value "${this.value}" for ${this.setting} (${this.origin}): ${this.reason}`
  }
}

/** Something that is no setting at all. */
export class UnknownSetting extends Data.TaggedError("UnknownSetting")<{
  readonly setting: string
  readonly origin: string
}> {
  override get message(): string {
    return `Unknown setting "${this.setting}" (${this.origin})`
  }
}

/** A settings file that cannot be read, or a line of it that cannot be cut into words. */
export class UnreadableFile extends Data.TaggedError("UnreadableFile")<{
  readonly path: string
  readonly reason: string
}> {
  override get message(): string {
    return `Cannot read the settings file ${this.path}: ${this.reason}`
  }
}

/** Users that a settings file or the ACL file declares, and that cannot be made. */
export class InvalidUsers extends Data.TaggedError("InvalidUsers")<{ readonly reason: string }> {
  override get message(): string {
    return `No start without the users as they were declared: ${this.reason}`
  }
}

/** The replies of HELP subcommands: a heading and lines, as redis-server 7.0.15 words them. */
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import * as Command from "./Command.ts"

/** `lines` between the heading and the two lines about HELP itself. */
export const helpText = (container: string, lines: ReadonlyArray<string>): Reply.Reply => {
  const heading = `${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`
  return Reply.array([heading, ...lines, "HELP", "    Prints this help."].map(Reply.simple))
}

/** The HELP subcommand of `container`. */
export const help = (
  container: string,
  meta: Omit<Command.Meta, "name" | "arity">,
  lines: ReadonlyArray<string>,
): Command.Command => {
  const reply = helpText(container, lines)
  return Command.make({
    ...meta,
    name: `${container}|help`,
    arity: 2,
    parse: () => undefined,
    run: () => Either.right(reply),
  })
}

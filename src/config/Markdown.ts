/** The table of settings as the README shows it. A test compares the two, so the README is never behind. */
import { toUtf8 } from "../bytes/Bytes.ts"
import { type Entry, entries } from "./Settings.ts"

const change = { always: "yes", never: "no", protected: "if `enable-protected-configs` allows it" } as const

/** `|` would end a cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|")

const row = ({ name, setting }: Entry): string => {
  const shown = toUtf8(setting.type.print(setting.default))
  const older = setting.aliases.map((alias) => `, \`${alias}\``).join("")
  const unit = setting.unit === undefined ? "" : ` (${setting.unit})`
  const cells = [
    `\`${name}\`${older}`,
    `\`${shown === "" ? '""' : shown}\`${unit}`,
    change[setting.change],
    setting.about,
  ]
  return `| ${cells.map(cell).join(" | ")} |`
}

/** A table in Markdown: name, default with its unit, whether CONFIG SET may change it, what it is for. */
export const table = (): string =>
  [
    "| setting | default | CONFIG SET | |",
    "|---|---|---|---|",
    ...entries.filter(({ setting }) => !setting.hidden).map(row),
  ].join("\n")

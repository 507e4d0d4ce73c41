/** What a completion needs to know of a command. */
interface CommandLike {
  name(): string;
  description(): string;
  readonly commands: readonly CommandLike[];
  readonly options: readonly OptionLike[];
}

interface OptionLike {
  readonly long?: string | undefined;
  readonly short?: string | undefined;
  readonly description: string;
  readonly argChoices?: string[] | undefined;
  isBoolean(): boolean;
}

/** The completions of a shell: commands, their options, and the values of options that have few. */
export function completion(shell: "bash" | "zsh" | "fish", program: CommandLike): string {
  switch (shell) {
    case "bash":
      return toBash(program);
    case "zsh":
      return toZsh(program);
    case "fish":
      return toFish(program);
  }
}

const longsOf = ({ options }: CommandLike) => options.flatMap(({ long }) => long ?? []);

function toBash(program: CommandLike): string {
  const { commands } = program;
  const choices = commands
    .flatMap(({ options }) => options)
    .filter(({ argChoices }) => argChoices)
    .map(
      ({ long, argChoices = [] }) =>
        `    ${long}) COMPREPLY=($(compgen -W "${argChoices.join(" ")}" -- "$word")); return ;;`,
    );
  const cases = commands.map(
    (command) => `    ${command.name()}) words="${longsOf(command).join(" ")} --help" ;;`,
  );
  return `_toolmeter() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  case "$before" in
${[...new Set(choices)].join("\n")}
    --db|--output|-o) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map((command) => command.name()).join(" ")} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -F _toolmeter toolmeter
`;
}

function toZsh(program: CommandLike): string {
  const quote = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, String.raw`\$&`);
  const commands = program.commands.map(
    (each) => `    '${each.name()}:${quote(each.description())}'`,
  );
  const cases = program.commands.map((command) => {
    const options = command.options.map((option) => {
      const values = option.argChoices
        ? `:value:(${option.argChoices.join(" ")})`
        : ":value:_files";
      return `'${option.long}[${quote(option.description)}]${option.isBoolean() ? "" : values}'`;
    });
    return `    ${command.name()}) _arguments ${[...options, "'*:file:_files'"].join(" ")} ;;`;
  });
  return `#compdef toolmeter
_toolmeter() {
  local -a commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _toolmeter ]; then _toolmeter "$@"; else compdef _toolmeter toolmeter; fi
`;
}

function toFish(program: CommandLike): string {
  const quote = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`);
  const lines = program.commands.flatMap((command) => [
    `complete -c toolmeter -n __fish_use_subcommand -a ${command.name()} -d '${quote(command.description())}'`,
    ...command.options.map((option) => {
      const choices = option.argChoices ? ` -x -a '${option.argChoices.join(" ")}'` : "";
      const needsValue = option.isBoolean() || option.argChoices ? "" : " -r";
      const short = option.short ? ` -s ${option.short.slice(1)}` : "";
      return `complete -c toolmeter -n '__fish_seen_subcommand_from ${command.name()}' -l ${option.long?.slice(2)}${short}${choices}${needsValue} -d '${quote(option.description)}'`;
    }),
  ]);
  return `${lines.join("\n")}\n`;
}

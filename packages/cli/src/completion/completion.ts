/** The properties of a command that a completion script needs. */
interface CommandLike {
  name(): string;
  description(): string;
  readonly options: readonly OptionLike[];
  readonly registeredArguments: readonly ArgumentLike[];
}

interface OptionLike {
  readonly long?: string | undefined;
  readonly short?: string | undefined;
  readonly description: string;
  readonly argChoices?: string[] | undefined;
  isBoolean(): boolean;
}

interface ArgumentLike {
  readonly argChoices?: string[] | undefined;
}

/** Returns the completion script of a shell, with commands, options, and the values of arguments with fixed choices. */
export function completion(
  shell: "bash" | "fish" | "zsh",
  commands: readonly CommandLike[],
): string {
  switch (shell) {
    case "bash":
      return toBash(commands);
    case "zsh":
      return toZsh(commands);
    default:
      return toFish(commands);
  }
}

const choicesOf = ({ registeredArguments }: CommandLike) =>
  registeredArguments.flatMap(({ argChoices = [] }) => argChoices);

function toBash(commands: readonly CommandLike[]): string {
  const names = commands.map((command) => command.name()).join(" ");
  const cases = commands.map((command) => {
    const options = command.options.flatMap(({ long }) => long ?? []).join(" ");
    return `    ${command.name()}) options="${options} --help" words="${choicesOf(command).join(" ")}" ;;`;
  });
  const values = commands.flatMap((command) =>
    command.options
      .filter(({ argChoices }) => argChoices)
      .map(
        ({ long, argChoices = [] }) =>
          `    "${command.name()} ${long}") options="" words="${argChoices.join(" ")}" ;;`,
      ),
  );
  return `_toolmeter() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" options="" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "\${COMP_WORDS[1]} $before" in
${values.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi ;;
  esac
}
complete -F _toolmeter toolmeter
`;
}

/** Escapes a description of `_arguments` for single quotes. */
function quoteZsh(text: string): string {
  return text.replaceAll("'", String.raw`'\''`).replaceAll(/[[\]:]/g, String.raw`\$&`);
}

function toZsh(commands: readonly CommandLike[]): string {
  const names = commands.map((each) => `    '${each.name()}:${quoteZsh(each.description())}'`);
  const cases = commands.map((command) => {
    const options = command.options.map((option) => {
      const values = option.argChoices
        ? `:value:(${option.argChoices.join(" ")})`
        : ":value:_files";
      return `'${option.long}[${quoteZsh(option.description)}]${option.isBoolean() ? "" : values}'`;
    });
    const choices = choicesOf(command);
    const words = choices.length > 0 ? `'*:value:(${choices.join(" ")})'` : "'*:file:_files'";
    return `    ${command.name()}) _arguments ${[...options, words].join(" ")} ;;`;
  });
  return `#compdef toolmeter
_toolmeter() {
  local -a commands=(
${names.join("\n")}
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

function quoteFish(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`);
}

function toFish(commands: readonly CommandLike[]): string {
  const lines = commands.flatMap((command) => {
    const inside = `complete -c toolmeter -n '__fish_seen_subcommand_from ${command.name()}'`;
    const choices = choicesOf(command);
    return [
      `complete -c toolmeter -n __fish_use_subcommand -a ${command.name()} -d '${quoteFish(command.description())}'`,
      ...(choices.length > 0 ? [`${inside} -f -a '${choices.join(" ")}'`] : []),
      ...command.options.map((option) => {
        const { long, short, argChoices, description } = option;
        const argument = option.isBoolean() ? "" : " -r";
        const values = argChoices ? ` -x -a '${argChoices.join(" ")}'` : argument;
        return `${inside} -l ${long?.slice(2)}${short ? ` -s ${short.slice(1)}` : ""}${values} -d '${quoteFish(description)}'`;
      }),
    ];
  });
  return `${lines.join("\n")}\n`;
}

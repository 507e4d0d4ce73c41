import { Argument } from "@commander-js/extra-typings";
import type { CommandLine } from "./command-line.ts";

export function completion({ command, commands, terminal }: CommandLine): void {
  command("completion", "print a shell's completion script", [
    "source <(toolmeter completion bash)",
    "toolmeter completion fish > ~/.config/fish/completions/toolmeter.fish",
  ])
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .action(async (shell) => {
      const { completion: scriptFor } = await import("../completion/completion.ts");
      await terminal.out(scriptFor(shell, commands()));
    });
}

/** `completion SHELL`: prints a script that completes commands, options and their values. */
import { type Command, defineCommand } from '../command.ts';
import type { Shell } from '../completion/shells.ts';

const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];

export interface Table {
  readonly commands: readonly Command[];
  readonly groups: Readonly<Record<string, string>>;
}

/** @param table gives the table of commands, which holds this command too. */
export function completionCommand(table: () => Table): Command {
  return defineCommand({
    name: 'completion',
    summary: 'a completion script for bash, zsh or fish',
    description: `  bash: clients-mirror completion bash > ~/.local/share/bash-completion/completions/clients-mirror
  zsh:  clients-mirror completion zsh > "\${fpath[1]}/_clients-mirror"
  fish: clients-mirror completion fish > ~/.config/fish/completions/clients-mirror.fish`,
    arguments: { shell: { help: 'the shell that will read it', required: true, choices: SHELLS } },
    needs: [],
    ignoresSettings: true,
    json: false,
    async run(context, { args }) {
      const { renderCompletion } = await import('../completion/shells.ts');
      const { commands, groups } = table();
      // The command line has checked the word against the choices.
      context.stdout.write(renderCompletion(args.shell as Shell, commands, groups));
      return 0;
    },
  });
}

/** The shells that completion is written for. */
import type { Command } from '../command.ts';
import { renderBash } from './bash.ts';
import { renderFish } from './fish.ts';
import { completionModel, type Position } from './model.ts';
import { renderZsh } from './zsh.ts';

const RENDERERS: Readonly<Record<Shell, (positions: readonly Position[]) => string>> = {
  bash: renderBash,
  zsh: renderZsh,
  fish: renderFish,
};

export type Shell = 'bash' | 'zsh' | 'fish';

export function renderCompletion(
  shell: Shell,
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): string {
  return RENDERERS[shell](completionModel(commands, groups));
}

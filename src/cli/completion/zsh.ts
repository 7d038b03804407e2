/** The model of the command line → a zsh script. */
import { type Position, valueFlags } from './model.ts';

export function renderZsh(positions: readonly Position[]): string {
  const values = valueFlags(positions);
  const steps = positions.flatMap((position) =>
    position.words
      .filter((word) => word.isCommand)
      .map(({ word }) => `      '${position.path}/${word}') at='${`${position.path} ${word}`.trim()}' ;;`),
  );
  const offered = values.map((flag) => {
    if (flag.choices.length > 0) return `    ${flag.flag}) compadd -- ${flag.choices.join(' ')}; return ;;`;
    return `    ${flag.flag}) ${flag.isFile ? '_files; ' : ''}return ;;`;
  });
  const offers = positions.map(
    (position) => `    '${position.path}')
      offered=(${position.words.map(({ word, help }) => described(word, help)).join(' ')})
      flags=(${position.flags.map(({ flag, help }) => described(flag, help)).join(' ')}) ;;`,
  );
  return `#compdef clients-mirror
# Completion of clients-mirror for zsh; written by \`clients-mirror completion zsh\`.
_clients_mirror() {
  local at='' word i
  local -a offered flags
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$word" in
      ${values.map((flag) => flag.flag).join('|')}) ((i++)); continue ;;
    esac
    case "$at/$word" in
${steps.join('\n')}
    esac
  done
  case "\${words[CURRENT-1]}" in
${offered.join('\n')}
  esac
  case "$at" in
${offers.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* || \${#offered} -eq 0 ]]; then
    _describe -o 'option' flags
  else
    _describe 'command' offered
  fi
}
if [[ \${funcstack[1]} == _clients_mirror ]]; then
  _clients_mirror "$@"
else
  compdef _clients_mirror clients-mirror
fi
`;
}

/** `word:help`, quoted for the shell. */
function described(word: string, help: string): string {
  const pair = help === '' ? word : `${word}:${help}`;
  return `'${pair.replaceAll("'", "'\\''")}'`;
}

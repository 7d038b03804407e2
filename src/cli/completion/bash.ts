/** The model of the command line → a bash script. It uses nothing newer than bash 3.2, which macOS has. */
import { type Position, valueFlags } from './model.ts';

export function renderBash(positions: readonly Position[]): string {
  const values = valueFlags(positions);
  const withChoices = values.filter((flag) => flag.choices.length > 0);
  const files = values.filter((flag) => flag.isFile).map((flag) => flag.flag);
  const free = values.filter((flag) => flag.choices.length === 0 && !flag.isFile).map((flag) => flag.flag);
  const steps = positions.flatMap((position) =>
    position.words
      .filter((word) => word.isCommand)
      .map((word) => `      '${position.path}/${word.word}') at='${join(position.path, word.word)}' ;;`),
  );
  const offers = positions.map((position) => {
    const words = position.words.map((word) => word.word).join(' ');
    const flags = position.flags.map((flag) => flag.flag).join(' ');
    return `    '${position.path}') words='${words}' flags='${flags}' ;;`;
  });
  return `# Completion of clients-mirror for bash; written by \`clients-mirror completion bash\`.
_clients_mirror() {
  local cur prev at='' word words='' flags='' i
  COMPREPLY=()
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  # bash takes --flag=value for three words.
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$word" in
      ${values.map((flag) => flag.flag).join('|')}) ((i++)); [[ \${COMP_WORDS[i]} == '=' ]] && ((i++)); continue ;;
    esac
    case "$at/$word" in
${steps.join('\n')}
    esac
  done
  case "$prev" in
${withChoices.map((flag) => `    ${flag.flag}) COMPREPLY=($(compgen -W '${flag.choices.join(' ')}' -- "$cur")); return ;;`).join('\n')}
    ${files.join('|')})
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null
      return ;;
    ${free.join('|')}) return ;;
  esac
  case "$at" in
${offers.join('\n')}
  esac
  if [[ $cur == -* || -z $words ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _clients_mirror clients-mirror
`;
}

function join(path: string, word: string): string {
  return path === '' ? word : `${path} ${word}`;
}

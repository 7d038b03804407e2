/** The model of the command line → a fish script. */
import { type FlagWords, type Position, valueFlags } from './model.ts';

export function renderFish(positions: readonly Position[]): string {
  const values = valueFlags(positions).map((flag) => flag.flag);
  const steps = positions.flatMap((position) =>
    position.words
      .filter((word) => word.isCommand)
      .map(
        ({ word }) =>
          `      case '${position.path}/${word}'\n        set at '${`${position.path} ${word}`.trim()}'`,
      ),
  );
  const lines = positions.flatMap((position) => {
    const when = `complete -c clients-mirror -n '__clients_mirror_at "${position.path}"'`;
    return [
      ...position.words.map(({ word, help }) => `${when} -f -a ${quoted(word)}${described(help)}`),
      ...position.flags.map((flag) => `${when} ${flagWords(flag)}${described(flag.help)}`),
    ];
  });
  return `# Completion of clients-mirror for fish; written by \`clients-mirror completion fish\`.
function __clients_mirror_at
  set -l at ''
  set -l skip no
  for word in (commandline -opc)[2..-1]
    if test $skip = yes
      set skip no
      continue
    end
    if contains -- $word ${values.join(' ')}
      set skip yes
      continue
    end
    switch "$at/$word"
${steps.join('\n')}
    end
  end
  test "$at" = "$argv[1]"
end
complete -c clients-mirror -f
${lines.join('\n')}
`;
}

function flagWords(flag: FlagWords): string {
  const name = `-l ${flag.flag.slice(2)}`;
  if (!flag.takesValue) return `-f ${name}`;
  if (flag.isFile) return `${name} -r -F`;
  return flag.choices.length === 0 ? `${name} -x` : `${name} -x -a ${quoted(flag.choices.join(' '))}`;
}

function described(help: string): string {
  return help === '' ? '' : ` -d ${quoted(help)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

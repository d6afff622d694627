/** completion: the script that a shell sources. What TAB then asks is answered by completion.ts. */
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import type { completionTable } from '../tables/other.ts';

/** Where nothing is offered, both shells fall back to file names. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_poplin() {
  local IFS=$'\\n'
  COMPREPLY=($(poplin --complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _poplin poplin
`,
  zsh: `_poplin() {
  local -a found
  found=("\${(@f)$(poplin --complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _poplin poplin
`,
};

export const completion: Action<Arguments<typeof completionTable>> = (args, terminal) => {
  const script = SCRIPTS[args.shell ?? 'bash'];
  if (script === undefined) {
    throw new UsageError(
      `there is no completion for ${args.shell}; use one of ${Object.keys(SCRIPTS).join(', ')}`,
    );
  }
  terminal.out(script);
  return Promise.resolve(EXIT.ok);
};

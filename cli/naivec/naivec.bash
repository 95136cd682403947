# bash completion for naivec

_naivec_ids()
{
        naivec list --no-pager --no-legend --no-ask-password -q 2>/dev/null | cut -d' ' -f1
}

_naivec()
{
        local cur=${COMP_WORDS[COMP_CWORD]} word verb='' i
        local verbs='run create exec start list status inspect ps stats events wait kill stop pause resume update delete logs attach features version'

        for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                [[ $word == -* ]] && continue
                # A value that stands apart from its option is no verb.
                [[ " $verbs " == *" $word "* ]] && verb=$word && break
        done
        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(naivec $verb --help 2>/dev/null |
                        grep -oE -- '--[a-z-]+')" -- "$cur")
        elif [[ -z $verb ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
        elif [[ $verb == run || $verb == create ]]; then
                mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        elif [[ $verb != list && $verb != features && $verb != version ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_naivec_ids)" -- "$cur")
        fi
}

complete -o filenames -F _naivec naivec

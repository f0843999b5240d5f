# SPDX-License-Identifier: MIT
# Completion of fam10h's commands and options for bash.
_fam10h() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'run boot gate isa counters help --help --version' -- "$word")
        return
    fi
    case $before in
        --engine) mapfile -t COMPREPLY < <(compgen -W 'fast reference' -- "$word"); return ;;
        --model) mapfile -t COMPREPLY < <(compgen -W '10h-b3 10h-c2 10h-d0 k8-b k8-c k8-d k8-e k8-f k8-g' -- "$word"); return ;;
        --snapshots) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
        --set | -s | --allow | --append | --memory | --host-memory | --nodes | --cores | --limit) return ;;
    esac
    case ${COMP_WORDS[1]} in
        run) options='--set --json --junit --tap --engine --snapshots --coverage --check --progress --step --list --help' ;;
        boot) options='--kernel --initrd --append --firmware --memory --nodes --cores --model --engine --host-memory
                  --limit --no-reboot --no-svm-lock --report --json --coverage --record --replay --help' ;;
        gate) options='--allow --other-images --update --help' ;;
        isa) options='--coverage --help' ;;
        counters) options='--help' ;;
    esac
    case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
        *)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            if [ "${COMP_WORDS[1]}" = run ]; then
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(fam10h run --list 2>/dev/null |
                    sed 's/\.lua .*//')" -- "$word")
            fi
            ;;
    esac
}
complete -o filenames -F _fam10h fam10h

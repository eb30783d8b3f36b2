# bash completion for sgctl and streamgated: source it, or install it as
# /usr/share/bash-completion/completions/sgctl
_sgctl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" i
    local commands="status stat top log explain origins chain purge reload drain token grant key list own feed rule config"
    case $previous in
    -c | --config | -s | --socket | --output | --facts | --state | --key | --file | --proofs)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        case " $commands " in
        *" ${COMP_WORDS[i]} "*) command=${COMP_WORDS[i]} ;;
        esac
    done
    case $command in
    "") commands="$commands --config --socket --json --version --help" ;;
    log) commands="--follow --from-start --output --help" ;;
    top) commands="--count --interval --help" ;;
    purge) commands="--soft --tenant url prefix tag tenant --help" ;;
    token) commands="mint inspect revoke --tenant --path --path-exact --path-suffix --host --host-suffix
        --lifetime --not-before --method --network --country --fact --owner --index --subject --renewal
        --viewers --cti --all --rule --wait --help" ;;
    key) commands="tenant generate seal reseal unseal --tenant --from --help" ;;
    chain) commands="status rebuild --help" ;;
    grant) commands="inspect revoke --help" ;;
    list) commands="set remove show proof --file --root --proofs --tenant --wait --help" ;;
    own) commands="set transfer show list digest feed --amount --of --block --head-only --every --help" ;;
    feed) commands="status --help" ;;
    rule) commands="test list --account --facts --state --tenant --at --country --provisional --contract --help" ;;
    config) commands="keygen sign verify --key --help" ;;
    *) commands="--help" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
}
complete -F _sgctl sgctl

_streamgated() {
    local word=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -c | --config | -k | --trust) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    -r | --role) mapfile -t COMPREPLY < <(compgen -W "all edge control" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "--config --trust --check --role --config-doc --version --help" -- "$word") ;;
    esac
}
complete -F _streamgated streamgated

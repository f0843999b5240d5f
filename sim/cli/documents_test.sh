#!/bin/sh
# SPDX-License-Identifier: MIT
# The documents say what is: every example of doc/scenarios.md runs, doc/counters.md is as the program prints it,
# man pages and shell completion know every command, option, model, call of the language and environment variable.
set -u
top=${top_srcdir:-.}
fam10h=${top_builddir:-.}/fam10h
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0

result() { # result STATUS NAME
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        sed 's/^/# /' "$scratch/out"
    fi
}

# Examples: example-LINE.lua, LINE being where it begins in the document.
awk -v dir="$scratch" '
/^```lua$/ { file = dir "/example-" NR + 1 ".lua"; next }
/^```$/ { if (file) close(file); file = "" }
file { print > file }' "$top/doc/scenarios.md"
for example in "$scratch"/example-*.lua; do
    "$fam10h" run "$example" --snapshots "$scratch" >"$scratch/out" 2>&1
    result $? "doc/scenarios.md, $(basename "$example" .lua)"
done

"$fam10h" counters >"$scratch/counters.md" && diff "$top/doc/counters.md" "$scratch/counters.md" >"$scratch/out" 2>&1
result $? "doc/counters.md is fresh (fam10h counters > doc/counters.md)"

# Every call of the language has its place in the document.
: >"$scratch/out"
for call in $(grep -ho 'lua_register(L, "[a-z_]*"' "$top"/sim/script/*.c | sed 's/.*"\(.*\)"/\1/' | sort -u); do
    case $call in tostring | pairs | next | print) continue ;; esac
    grep -q "\`\{0,1\}${call}[({]" "$top/doc/scenarios.md" || echo "$call is not in doc/scenarios.md" >>"$scratch/out"
    grep -Eq "(^\.B|[, ])[ ]?$call\>" "$top/doc/fam10h-scenario.5" || echo "$call is not in fam10h-scenario.5" >>"$scratch/out"
done
test ! -s "$scratch/out"
result $? "doc/scenarios.md and fam10h-scenario.5 have every call"

# Every key that a call takes; of machine{} and boot{} in the man page, too.
: >"$scratch/out"
sed -n 's/^    { "\([a-z_0-9]*\)", ARG_.*/\1/p' "$top"/sim/script/*.c | sort -u >"$scratch/keys"
while read -r key; do
    grep -q "\<$key\>" "$top/doc/scenarios.md" || echo "$key= is not in doc/scenarios.md" >>"$scratch/out"
done <"$scratch/keys"
for call in machine boot; do
    for key in $(sed -n "/ ${call}_keys\[\]/,/^};/s/^    { \"\([a-z_]*\)\", ARG_.*/\1/p" "$top"/sim/script/*.c); do
        grep -q "^\.B $call{.*\<$key=" "$top/doc/fam10h-scenario.5" ||
            echo "$call{$key=} is not in fam10h-scenario.5" >>"$scratch/out"
    done
done
test "$(wc -l <"$scratch/keys")" -ge 50 && test ! -s "$scratch/out"
result $? "doc/scenarios.md has every key, fam10h-scenario.5 those of machine and boot"

: >"$scratch/out"
for command in run boot gate isa counters; do
    for option in $("$fam10h" $command --help | sed -n 's/.*\(--[a-z-]*\).*/\1/p'); do
        escaped=$(printf '%s' "$option" | sed 's/-/\\\\-/g')
        grep -q -e "$escaped" "$top/doc/fam10h.1" || echo "$command $option is not in fam10h.1" >>"$scratch/out"
        grep -q -e "$option" "$top/doc/fam10h.bash" || echo "$command $option is not in fam10h.bash" >>"$scratch/out"
    done
done
for model in $("$fam10h" boot --model none --kernel hv.elf 2>&1 | sed -n 's/.*one of \(.*\) is right/\1/p' | tr -d ,); do
    echo "$model" >>"$scratch/models"
    grep -q -e "\<$model\>" "$top/doc/fam10h.1" || echo "model $model is not in fam10h.1" >>"$scratch/out"
    grep -q -e "\<$model\>" "$top/doc/fam10h.bash" || echo "model $model is not in fam10h.bash" >>"$scratch/out"
done
for variable in $(grep -ho 'g_getenv("FAM10H_[A-Z]*")' "$top"/sim/cli/*.c | sed 's/.*"\(.*\)".*/\1/' | sort -u); do
    grep -q "^\.B $variable\$" "$top/doc/fam10h.1" || echo "$variable is not in fam10h.1" >>"$scratch/out"
done
test -s "$scratch/models" && test ! -s "$scratch/out"
result $? "man page and completion have every option and model, the man page each environment variable"

echo "1..$count"

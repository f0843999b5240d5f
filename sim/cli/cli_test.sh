#!/bin/sh
# SPDX-License-Identifier: MIT
# The program as its users start it: exit status and the one line that says what is wrong.
set -u
fam10h=$(cd "${top_builddir:-.}" && pwd)/fam10h
FAM10H_SCENARIOS=$(cd "${top_srcdir:-.}" && pwd)/scenarios # the build directory may lie anywhere
export FAM10H_SCENARIOS
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
count=0

# expect STATUS PATTERN COMMAND...: the status, and a line of stdout or stderr that the pattern (grep -E) matches.
expect() {
    local status=$1 pattern=$2 found
    shift 2
    "$@" >out 2>err </dev/null
    found=$?
    count=$((count + 1))
    if [ $found -eq "$status" ] && [ "$(wc -l <err)" -le 1 ] &&
        { [ -z "$pattern" ] || cat out err | grep -Eq -e "$pattern"; }; then
        echo "ok $count - $* -> $status"
    else
        echo "not ok $count - $* -> $status"
        echo "# status $found, wanted $status and /$pattern/"
        cat out err | head -n 20 | sed 's/^/# /'
    fi
}

printf 'expect(1, {equals = 1, name = "one"})\n' >good.lua
printf 'expect(1, {equals = 2, name = "two # x"})\n' >bad.lua
printf 'log("1..9\\nok 1 - said")\nexpect("a\\nok 2 - found", {equals = "b\\nok 3 - wanted"})\n' >lines.lua
printf 'x =\n' >syntax.lua
printf 'while true do end\n' >endless.lua
printf 'machine{} boot{kernel = "hv.elf", modules = {"sums64.elf"}} run{limit = param.limit}\n' >hv.lua
printf 'machine{} boot{kernel = "good.lua"}\n' >noimage.lua
head -c 3000 /dev/zero >zeros.img

expect 0 'fam10h run SCENARIO' "$fam10h" --help
expect 0 '^fam10h [0-9]' "$fam10h" --version
expect 2 "did you mean 'gate'" "$fam10h" gat
expect 2 'Unknown option --jsn; fam10h run --help lists' "$fam10h" run --jsn x good.lua
expect 2 'Missing argument for --json' "$fam10h" run good.lua --json
expect 2 '0 scenarios; fam10h run FILE' "$fam10h" run
expect 2 'none.lua: No such file' "$fam10h" run none.lua
expect 2 'not a regular file' "$fam10h" run .
expect 2 '^--engine|--engine quick; reference and fast' "$fam10h" run good.lua --engine quick
expect 0 'good.lua: 1 expectations, 0 failed' "$fam10h" run good.lua
expect 1 'bad.lua:1: expected two # x: found 1; 2 would be right' "$fam10h" run bad.lua
expect 1 '^not ok 1 - two \\# x' "$fam10h" run bad.lua --tap
expect 1 '^# ok 1 - said' "$fam10h" run lines.lua --tap
mv out said
expect 1 '' grep -v -e '^# ' -e '^not ok 1 - ' -e '^1\.\.1$' said
expect 2 '^not ok 1 - the scenario runs to its end' "$fam10h" run syntax.lua --tap
expect 2 '^syntax.lua:2: unexpected symbol near <eof>' "$fam10h" run syntax.lua
expect 3 '^endless.lua:1: the script has run' "$fam10h" run endless.lua
expect 2 '^noimage.lua:1: boot: .*multiboot' "$fam10h" run noimage.lua
expect 2 '^-s limt: hv.lua reads no such parameter; did you mean .limit' "$fam10h" run hv.lua -s limit=20s -s limt=3
expect 3 '^hv.lua:1: run: what it waits for has not come within 1000 us' "$fam10h" run hv.lua -s limit=1ms
expect 0 'claims.lua' "$fam10h" run --list

# Reports: the same document from both engines, JUnit, the gate on them.
expect 0 '' "$fam10h" run hv.lua -s limit=20s --json fast.json --junit fast.xml
expect 0 '' "$fam10h" run hv.lua -s limit=20s --json reference.json --engine reference
expect 0 '' cmp fast.json reference.json
expect 0 '^<testsuite name="hv.lua" tests="0" failures="0"' cat fast.xml
expect 0 '' "$fam10h" gate fast.json reference.json
sed 's/"instructions" : /"instructions" : 1/' fast.json >moved.json
expect 1 '^moved: outcome.instructions: [0-9]* -> 1[0-9]*$' "$fam10h" gate fast.json moved.json
expect 0 '^allowed: outcome.instructions' "$fam10h" gate fast.json moved.json --allow outcome.instructions
expect 1 '^moved' "$fam10h" gate fast.json moved.json --allow 'outcome.instructions=±2%'
expect 2 "write 'path=" "$fam10h" gate fast.json moved.json --allow 'outcome.instructions=±two'
sed 's/"sha256" : "./"sha256" : "x/' fast.json >images.json
expect 2 'sha256 differs from fast.json; run the same images, or say' "$fam10h" gate fast.json images.json
expect 0 '^allowed: images.0..sha256' "$fam10h" gate fast.json images.json --other-images
head -c 1000 fast.json >cut.json
expect 2 '^fam10h gate: cut.json' "$fam10h" gate fast.json cut.json
expect 2 'good.lua:1: a character that JSON does not have' "$fam10h" gate fast.json good.lua
head -c 100000 /dev/zero | tr '\0' '[' >deep.json
expect 2 'deep.json:1: nested more than 64 levels deep' "$fam10h" gate fast.json deep.json
expect 2 '1 files; fam10h gate BASELINE REPORT' "$fam10h" gate fast.json
expect 0 '' "$fam10h" gate new.json fast.json --update
expect 0 '' cmp new.json fast.json
expect 0 '^moved: outcome.instructions' "$fam10h" gate new.json moved.json --update
expect 0 '' cmp new.json moved.json
sed 's/"external" : false/"external" : true/' fast.json >external.json
expect 2 'an image from elsewhere' "$fam10h" gate new.json external.json --update
expect 2 'No such file or directory' "$fam10h" run good.lua --json none/x.json

# boot, as QEMU's users would write it.
expect 1 'hv: done, 1 of 1 guests finished' "$fam10h" boot --kernel hv.elf --initrd "sums64.elf name=x"
expect 1 'hv: done, 2 of 2 guests finished' "$fam10h" boot -kernel hv.elf -initrd "sums64.elf,sums32.elf width=32" -m 1G
expect 2 'nothing to boot; one of --kernel and --firmware' "$fam10h" boot
expect 2 'zeros.img' "$fam10h" boot --kernel zeros.img
expect 2 'none.elf: No such file' "$fam10h" boot --kernel none.elf
expect 2 'nodes is 9; 1 to 8 is right' "$fam10h" boot --kernel hv.elf --nodes 9
expect 2 'cores is 0; 1 to 4' "$fam10h" boot --kernel hv.elf --cores 0
expect 2 '10h-b9' "$fam10h" boot --kernel hv.elf --model 10h-b9
expect 2 'memory' "$fam10h" boot --kernel hv.elf --memory 513M --nodes 8
expect 2 '--memory 4X; bytes such as' "$fam10h" boot --kernel hv.elf --memory 4X
expect 2 'Unknown option --intrd' "$fam10h" boot --intrd x
expect 2 'is not an option; the image goes with --kernel' "$fam10h" boot hv.elf
expect 3 '--limit 1ms of machine time is over' "$fam10h" boot --kernel hv.elf --initrd sums64.elf --limit 1ms
expect 3 'host-memory allows' "$fam10h" boot --kernel hv.elf --initrd sums64.elf --host-memory 6M
expect 2 'x.rec' "$fam10h" boot --kernel hv.elf --replay x.rec
expect 1 '"reproducible" : true' "$fam10h" boot --kernel hv.elf --initrd sums64.elf --json -

# Input: a guest that echoes COM1 until a q and then writes 5 to port F4h. Multiboot header with address fields; then
# mov edx,3FDh; in al,dx; test al,1; jz; mov edx,3F8h; in al,dx; out dx,al; cmp al,'q'; jne; mov al,5; out F4h,al.
printf '%b' '\002\260\255\033\000\000\001\000\376\117\121\344\000\000\020\000\000\000\020\000\071\000\020\000\071\000\020\000\040\000\020\000' \
    '\272\375\003\000\000\354\250\001\164\373\272\370\003\000\000\354\356\074\161\165\353\260\005\346\364' >echo.img
echo hello quit >input
echo="$fam10h boot --kernel echo.img --limit 20s"
expect 11 '^hello q$' sh -c "$echo --json file.json <input"
expect 0 '"reproducible" : true' cat file.json
expect 11 '^hello q$' sh -c "cat input | $echo --json pipe.json"
expect 0 '"reproducible" : false' cat pipe.json
expect 11 '^hello q$' sh -c "(sleep 0.2; cat input) | $echo --record r --json live.json"
expect 0 '"reproducible" : true' cat live.json
expect 11 '^hello q$' $echo --replay r --json again.json
expect 0 '' cmp live.json again.json
printf '5 q\n' >wrong
expect 2 'wrong:1: not a line of a record' $echo --replay wrong
expect 143 '' sh -c "$echo </dev/null & sleep 0.3; kill \$!; wait \$!"
expect 0 'ended by the key' sh -c "(sleep 0.3; printf 'x\001x') | script -qec '$echo && echo ended by the key' /dev/null"

expect 0 '^00 +add' "$fam10h" isa
expect 2 'nowhere' "$fam10h" isa --coverage nowhere
expect 0 'walk.refs' "$fam10h" counters
echo "1..$count"

#!/bin/sh
# SPDX-License-Identifier: MIT
# What users get wrong: one line on stderr that says what and where, the documented exit status, never a crash.
set -u
. "${top_srcdir:-.}/tests/system/images.sh"

# refused STATUS WORDS COMMAND...: exits with STATUS; stderr is one line and has every one of WORDS (separated by |)
refused() {
    wanted=$1 words=$2
    shift 2
    timeout 120 "$@" >"$work/out" 2>"$work/errors" </dev/null
    status=$?
    lines=$(wc -l <"$work/errors")
    good=0
    [ $status -eq "$wanted" ] && [ "$lines" -eq 1 ] || good=1
    rest=$words
    while [ -n "$rest" ]; do
        word=${rest%%|*}
        [ "$word" = "$rest" ] && rest= || rest=${rest#*|}
        grep -qF -- "$word" "$work/errors" || good=1
    done
    shift
    result $good "status $wanted, one line with '$words': $(echo "$*" | sed "s#$work/##g; s/#/ /g" | cut -c1-100)"
    [ $good -eq 0 ] || { echo "# status $status, $lines lines"; comment "$work/errors" 5; }
}

# scenario STATUS WORDS TEXT: a script with this text
scenario() {
    printf '%b\n' "$3" >"$work/s$n.lua"
    refused "$1" "$2" "$FAM10H" run "$work/s$n.lua"
}

# bytes FILE OCTAL-ESCAPES: a file with these bytes
bytes() { printf "$2" >"$work/$1"; }

hv=$top_builddir/hv/hv.elf

# ---- Commands and options
refused 2 "nonsense" "$FAM10H" nonsense
refused 2 "--nonsense" "$FAM10H" run --nonsense
refused 2 "nothere.lua" "$FAM10H" run "$work/nothere.lua"
refused 2 "$work" "$FAM10H" run "$work"
refused 2 "--engine warp|reference|fast" "$FAM10H" run --engine warp "$top_srcdir/tests/system/image.lua"
refused 2 "nothing to boot|--kernel" "$FAM10H" boot
refused 2 "nothere" "$FAM10H" boot --kernel "$work/nothere"
refused 2 "--limit soon" "$FAM10H" boot --kernel "$hv" --limit soon
refused 2 "--memory lots" "$FAM10H" boot --kernel "$hv" --memory lots

# ---- Impossible machines
refused 2 "9|8" "$FAM10H" boot --kernel "$hv" --nodes 9
refused 2 "0|1" "$FAM10H" boot --kernel "$hv" --nodes 0
refused 2 "cores is 0|1 to 4" "$FAM10H" boot --kernel "$hv" --cores 0
refused 2 "--cores -1|1" "$FAM10H" boot --kernel "$hv" --cores=-1
refused 2 "cores is 6|1 to 4|10h-b3" "$FAM10H" boot --kernel "$hv" --cores 6
refused 2 "k8|10h-b3" "$FAM10H" boot --kernel "$hv" --model k8
refused 2 "memory" "$FAM10H" boot --kernel "$hv" --memory 12345
refused 2 "memory" "$FAM10H" boot --kernel "$hv" --memory 0
refused 2 "memory" "$FAM10H" boot --kernel "$hv" --memory 1000G
refused 2 "memory" "$FAM10H" boot --kernel "$hv" --memory 99999999999999999999G
scenario 2 "s$n.lua:1|nodes|8" 'machine{nodes=9}'
scenario 2 "s$n.lua:1|cores" 'machine{cores=0}'
scenario 2 "s$n.lua:1|cores" 'machine{cores=4294967297}'
scenario 2 "s$n.lua:1|nodse|nodes" 'machine{nodse=1}'
scenario 2 "s$n.lua:1|model|10h-b3" 'machine{model="k8"}'
scenario 2 "s$n.lua:1|memory" 'machine{memory=-1}'

# ---- Scenarios
scenario 2 "s$n.lua:2" 'machine{}\nboot{kernel=}'
scenario 2 "s$n.lua:1|run" 'run{}'
scenario 2 "s$n.lua:2|untl|until" 'machine{} boot{kernel="sums64.elf"}\nrun{untl="halt"}'
scenario 2 "s$n.lua:3" 'machine{}\n\nnosuchcall()'
scenario 2 "s$n.lua:2|hv.efl" 'machine{}\nboot{kernel="hv.efl"}'
scenario 3 "s$n.lua:1|instructions" 'while true do end'
scenario 3 "s$n.lua|instructions" 'while true do pcall(function() while true do end end) end'
scenario 3 "s$n.lua|instructions" 'local function f() return f() end f()'
scenario 3 "s$n.lua:1|bytes, its limit" 'local t = {} while true do t[#t + 1] = ("x"):rep(1000000) .. #t end'
scenario 2 "s$n.lua:1|too large" 'local s = ("x"):rep(1 << 40)'
scenario 2 "s$n.lua:1|os is not available" 'os.execute("ls")'
scenario 2 "s$n.lua:1|io is not available" 'io.open("/etc/passwd")'
scenario 2 "s$n.lua:1|os is not available" 'log(os.time())'
scenario 2 "s$n.lua:1|lib/io.lua" 'require("io")'
scenario 2 "s$n.lua:1|plain name" 'require("../io")'
scenario 2 "s$n.lua:1|no link adapter" 'link{ machine{}, machine{} }'
scenario 2 "s$n.lua:1|both ends are machine 1" 'local m = machine{ link = true } link{ m, m }'
scenario 2 "s$n.lua:1|latency" 'link{ machine{ link = true }, machine{ link = true }, latency = "10ns" }'
scenario 2 "s$n.lua:1|did you mean" 'link{ machine{ link = true }, machine{ link = true }, latncy = "10us" }'
scenario 2 "s$n.lua:1|not linked" 'machine{} cut()'
scenario 2 "s$n.lua:1|dofile is not available" 'dofile("/etc/passwd")'
scenario 2 "s$n.lua:1|debug is not available" 'debug.sethook()'
scenario 2 "s$n.lua:1|bytecode" 'load("\\27Lua")'
scenario 2 "s$n.lua:2|/etc/x" 'machine{} boot{kernel="hv.elf"}\nsave("/etc/x")'
scenario 2 "s$n.lua:1|../x" 'machine{} boot{kernel="hv.elf"} save("../x")'
scenario 2 "s$n.lua:1|bad argument" 'log(("%d"):format("x"))'
scenario 2 "s$n.lua:1|attempt" 'log(nil .. "x")'
scenario 2 "s$n.lua:1|error object" 'error({})'

# ---- Images
: >"$work/empty"
bytes short '\177ELF'
head -c 1000 "$hv" >"$work/cut"
head -c 100 "$hv" >"$work/cut100"
{ head -c 40 "$hv"; head -c 16 /dev/zero | tr '\000' '\377'; tail -c +57 "$hv"; } >"$work/wild"
head -c 4096 /dev/zero >"$work/zeros"
for image in empty short cut cut100 wild zeros; do
    refused 2 "$image" "$FAM10H" boot --kernel "$work/$image"
done
refused 2 "zeros|65536" "$FAM10H" boot --firmware "$work/zeros"
refused 2 "nothere" "$FAM10H" boot --kernel "$hv" --initrd "$work/nothere"
refused 2 "$work" "$FAM10H" boot --kernel "$work"

# ---- Reports and baselines
"$FAM10H" run "$top_srcdir/tests/system/image.lua" -s kernel=sums64.elf -s insns=1000 --json "$work/report" >"$work/out"
head -c 500 "$work/report" >"$work/cutreport"
head -c 100000 /dev/zero | tr '\0' '[' >"$work/deep"
bytes utf8 '{"a":"\377"}'
for report in empty cutreport deep utf8 zeros hv.elf nothere; do
    [ $report = hv.elf ] && cp "$hv" "$work/hv.elf"
    refused 2 "$report" "$FAM10H" gate "$work/$report" "$work/report"
    refused 2 "$report" "$FAM10H" gate "$work/report" "$work/$report"
done
refused 2 "x=lots|path=+-2%" "$FAM10H" gate --allow 'x=lots' "$work/report" "$work/report"

# ---- Snapshots
printf 'machine{} boot{kernel="sums64.elf"} run{until={insns=1000}} save("good")' >"$work/save.lua"
"$FAM10H" run "$work/save.lua" --snapshots "$work" || echo "# no snapshot"
restore() { # restore WORDS FILE [MACHINE]
    echo "machine{${3:-}} restore(\"$2\")" >"$work/restore$n.lua"
    refused 2 "restore$n.lua:1|$1" "$FAM10H" run "$work/restore$n.lua" --snapshots "$work"
}
head -c 1000 "$work/good" >"$work/cutsnap"
{ head -c 5000 "$work/good"; printf 'XXXXXXXX'; tail -c +5009 "$work/good"; } >"$work/flipped"
restore "empty|magic" empty
restore "zeros|magic" zeros
restore "cutsnap|checksum" cutsnap
restore "flipped|checksum" flipped
restore "nothere" nothere
restore "good|configuration" good 'cores=2'
restore "good|configuration" good 'memory="1G"'

# ---- Guests. A multiboot image of 36 bytes: header, then code at 1 MiB + 32 (flat 32-bit, interrupts off)
guest() { # guest NAME CODE
    { printf '\002\260\255\033\000\000\001\000\376\117\121\344\000\000\020\000\000\000\020\000'
      printf '\000\000\000\000\000\000\000\000\040\000\020\000'; printf "$2"; } >"$work/$1"
}
guest triple '\017\001\035\000\000\000\000\017\013'                  # lidt [0]; ud2
guest hang '\372\364'                                                # cli; hlt
guest spin '\372\353\376'                                            # cli; jmp itself
# xor edi,edi; l: mov [edi],eax; add edi,11003h; jmp l
guest everywhere '\061\377\211\007\201\307\003\020\001\000\353\366'
guest stomp '\277\000\000\020\000\061\300\271\377\377\377\377\363\252' # mov edi,100000h; xor eax,eax; rep stosb: itself
refused 1 "triple fault" "$FAM10H" boot --kernel "$work/triple"
refused 1 "halted" "$FAM10H" boot --kernel "$work/hang"
refused 3 "--limit 1ms" "$FAM10H" boot --kernel "$work/spin" --limit 1ms
refused 3 "--limit 30ms" "$FAM10H" boot --kernel "$work/everywhere" --limit 30ms
refused 3 "--host-memory" "$FAM10H" boot --kernel "$work/everywhere" --memory 3G --host-memory 64M --limit 30ms
refused 3 "--limit 5ms" "$FAM10H" boot --kernel "$work/stomp" --limit 5ms
scenario 3 "s$n.lua:1|limit" "machine{} boot{kernel=\"$work/spin\"} run{limit=\"1ms\"}"
scenario 1 "s$n.lua:1|triple fault" "machine{} boot{kernel=\"$work/triple\"} run{limit=\"1ms\"}"
scenario 1 "s$n.lua:1|halted" "machine{} boot{kernel=\"$work/hang\"} run{limit=\"1ms\"}"
echo "1..$n"

#!/bin/bash
# SPDX-License-Identifier: MIT
# linux.sh PROGRAM DIR: Debian's kernel on the bare model, in TAP. By bzImage on one core and by PVH on two nodes of
# four cores, each twice; its self-check against this processor; a shell on the serial line; both engines on the first
# of it. And as a guest of hv: guest.lua (its table is DIR/guest.said, all counts DIR/guest.json), migrate.lua,
# guest_mce.lua.
# Images, logs and reports stay in DIR:
#   PROGRAM boot --kernel DIR/vmlinuz --initrd DIR/root.cpio.gz --append 'console=ttyS0 shell'    is interactive.
set -u
program=$1 dir=$2
here=$(cd "$(dirname "$0")" && pwd)
tests=0 failures=0
selfchecks=17 # lines "ok - " of init and of selfcheck.c
append='console=ttyS0 panic=-1' # panic=-1: a panic resets, and --no-reboot ends the run there
quick='cryptomgr.notests' # the kernel's tests of its ciphers are half of what comes before /init: run by bzImage alone
compare_ps=60ms

check() { # check WHAT COMMAND...
    local what=$1
    shift
    tests=$((tests + 1))
    if "$@"; then
        echo "ok $tests - $what"
    else
        failures=$((failures + 1))
        echo "not ok $tests - $what"
    fi
}

# ---- Images ---------------------------------------------------------------------------------------------------------

modules="virt/lib/irqbypass drivers/crypto/ccp/ccp arch/x86/kvm/kvm arch/x86/kvm/kvm-amd drivers/edac/edac_mce_amd
    drivers/edac/amd64_edac drivers/hwmon/k10temp drivers/cpufreq/acpi-cpufreq drivers/block/brd"

make_archive() { # make_archive OUT
    local module list=()
    for module in $modules; do
        list+=("$dir/modules/kernel/$module.ko")
    done
    "$here/make-initramfs" "$1" "$here/init" "$dir/busybox" "$dir/selfcheck" "${list[@]}"
}

make_guest_archive() { # for hv's guest: no module but the RAM disk's, whose hardware every machine has
    "$here/make-initramfs" "$1" "$here/init" "$dir/busybox" "$dir/selfcheck" "$dir/modules/kernel/drivers/block/brd.ko"
}

build_images() {
    "$here/../../tools/fetch-linux" "$dir" &&
        ${GUEST_CC:-gcc} -std=gnu11 -Wall -Wextra -O2 -static -pthread -o "$dir/selfcheck" "$here/selfcheck.c" -lm &&
        make_archive "$dir/root.cpio.gz" && make_guest_archive "$dir/guest.cpio.gz"
}

archive_again() {
    make_archive "$dir/again.cpio.gz" && cmp "$dir/root.cpio.gz" "$dir/again.cpio.gz" && rm "$dir/again.cpio.gz"
}

# ---- Boots ----------------------------------------------------------------------------------------------------------

# Side by side, one on each processor; on more than four the native memory would count.
workers=$(nproc)
[ "$workers" -le 4 ] || workers=4

job() { # job NAME COMMAND...: beside the others; what it prints and its status stay in DIR/NAME.said, DIR/NAME.status
    local name=$1
    shift
    while [ "$(jobs -pr | wc -l)" -ge "$workers" ]; do
        wait -n
    done
    rm -f "$dir/$name.status"
    {
        "$@" >"$dir/$name.said" 2>&1
        echo $? >"$dir/$name.status"
    } &
}

succeeded() { # succeeded NAME: a job
    [ "$(cat "$dir/$1.status")" = 0 ] || { said "$1"; return 1; }
}

said() { # said NAME: its last words, as comments
    tail -n 60 "$dir/$1.said" | sed 's/^/# /'
}

# boot NAME KERNEL WORDS OPTIONS...: log and report in DIR/NAME.*
boot() {
    local name=$1 kernel=$2 words=$3
    shift 3
    "$program" boot --kernel "$dir/$kernel" --initrd "$dir/root.cpio.gz" --append "$append $words" --no-reboot \
        --limit 60s --json "$dir/$name.json" "$@" </dev/null >"$dir/$name.log" 2>"$dir/$name.err"
}

single=(--memory 512M)
numa=(--memory 1G --nodes 2 --cores 4)

# The longest first. What follows looks at what they have left.
run_all() {
    job guest "$program" run "$here/guest.lua" -s dir="$dir" --json "$dir/guest.json"
    for run in single single2; do
        job $run boot $run vmlinuz '' "${single[@]}"
    done
    job migrate "$program" run "$here/migrate.lua" -s dir="$dir"
    for run in numa numa2; do
        job $run boot $run vmlinux $quick "${numa[@]}"
    done
    job engines engines_agree
    job mce "$program" run "$here/mce.lua" -s dir="$dir" --snapshots "$dir"
    job guest_mce "$program" run "$here/guest_mce.lua" -s dir="$dir"
    job shell shell_answers
    wait
    for run in single numa; do
        tr -d '\r' <"$dir/$run.log" >"$dir/$run.text"
    done
    tr -d '\r' <"$dir/mce.said" >"$dir/mce.text"
    rm -f "$dir/mce.snapshot"
}

# ---- What the logs say ----------------------------------------------------------------------------------------------

powered_off() {
    [ "$(cat "$dir/$1.status")" = 0 ] && grep -q 'reboot: Power down' "$dir/$1.text" || {
        sed 's/^/# /' "$dir/$1.err"
        tail -n 15 "$dir/$1.text" | sed 's/^/# /'
        return 1
    }
}

fact() { # fact LOG NAME VALUE
    grep -qxF "fact $2 $3" "$dir/$1.text" || {
        echo "# expected: fact $2 $3"
        grep "^fact $2" "$dir/$1.text" | sed 's/^/# /'
        return 1
    }
}

has() { # has LOG TEXT
    grep -qF "$2" "$dir/$1.text" || { echo "# no line has: $2"; return 1; }
}

flags() { # flags LOG: the features of a DR-B3 (fact sheets of real parts), none of a hypervisor or a later processor
    local word line
    line=" $(sed -n 's/^fact flags //p' "$dir/$1.text") "
    for word in fpu sse2 syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm 3dnowext 3dnow constant_tsc nonstop_tsc pni \
        monitor cx16 popcnt lahf_lm svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs hw_pstate npt \
        lbrv svm_lock; do
        [[ $line == *" $word "* ]] || { echo "# flag $word is missing"; return 1; }
    done
    for word in hypervisor ssse3 sse4_1 x2apic xsave avx nrip_save pausefilter skinit wdt; do
        [[ $line != *" $word "* ]] || { echo "# flag $word is not this processor's"; return 1; }
    done
}

self_check() { # self_check LOG: every line is there and none failed
    grep '^not ok' "$dir/$1.text" | sed 's/^/# /'
    ! grep -q '^not ok' "$dir/$1.text" && [ "$(grep -c '^ok - ' "$dir/$1.text")" -eq $selfchecks ]
}

values() { # values LOG: floating point as this processor computes it
    diff <("$dir/selfcheck" --values | grep ^value) <(grep ^value "$dir/$1.text") | sed 's/^/# /'
    [ "$("$dir/selfcheck" --values | grep ^value)" = "$(grep ^value "$dir/$1.text")" ]
}

# Barcelona's own: k10temp does not trust the sensor of socket F parts (erratum 319).
expected_warnings='k10temp .*: unreliable CPU thermal sensor; monitoring disabled'

no_warning() { # no_warning LOG: nothing of level "warning" or above but what a real machine gives
    local found
    found=$(grep '^warning: ' "$dir/$1.text" | grep -vE "^warning: ($expected_warnings)\$")
    found+=$(grep -E 'Firmware Bug|Call Trace|Kernel panic|BUG:|unstable' "$dir/$1.text")
    [ -z "$found" ] || { echo "$found" | sed 's/^/# /'; return 1; }
}

modelled() { # modelled LOG: the guest touched nothing that the model lacks
    local rows
    grep -q '"unmodelled"' "$dir/$1.json" || return 1
    rows=$(sed -n '/"unmodelled"/,/^  [}"]/p' "$dir/$1.json" | grep '^    "')
    [ -z "$rows" ] || { echo "$rows" | sed 's/^/# /'; return 1; }
}

same_end() { # same_end ONE OTHER: report and hash
    cmp "$dir/$1.json" "$dir/$2.json"
}

engines_agree() {
    local engine
    for engine in fast reference; do
        "$program" boot --kernel "$dir/vmlinux" --initrd "$dir/root.cpio.gz" --append "$append" --limit $compare_ps \
            "${numa[@]}" --engine $engine --json "$dir/$engine.json" </dev/null >"$dir/$engine.log" 2>/dev/null
    done
    [ -s "$dir/fast.json" ] && cmp "$dir/fast.json" "$dir/reference.json" && cmp "$dir/fast.log" "$dir/reference.log"
}

shell_answers() { # types at the prompt when it is there
    local input=$dir/shell.fifo log=$dir/shell.log pid tries=0
    rm -f "$input"
    mkfifo "$input"
    "$program" boot --kernel "$dir/vmlinux" --initrd "$dir/root.cpio.gz" --append "$append $quick quiet shell" \
        --no-reboot --limit 3600s "${single[@]}" <"$input" >"$log" 2>&1 &
    pid=$!
    exec 3>"$input"
    until grep -q '^/ # ' "$log" || [ $tries -ge 300 ] || ! kill -0 $pid 2>/dev/null; do
        sleep 1
        tries=$((tries + 1))
    done
    kill -0 $pid 2>/dev/null || { exec 3>&-; tail -n 5 "$log"; return 1; } # nobody would read
    printf 'echo "$((6 * 7))" of %s\nexit\n' '$(uname -s)' >&3
    tries=0
    while kill -0 $pid 2>/dev/null && [ $tries -lt 300 ]; do
        sleep 1
        tries=$((tries + 1))
    done
    kill $pid 2>/dev/null
    exec 3>&-
    wait $pid
    rm -f "$input"
    tr -d '\r' <"$log" | grep -qx '42 of Linux' || { tail -n 5 "$log"; return 1; }
}

# ---- Machine checks (mce.lua) ----------------------------------------------------------------------------------------

check_machine_checks() {
    # 9400_4000_0008_0813h (fact sheet 5.5), syndrome 0001 in bits 54:47, ErrCpu: core 0, bit 32
    check "machine check: a corrected error is polled and decoded" has mce \
        'MC4_STATUS[-|CE|-|AddrV|-|CECC]: 0x9400c00100080813'
    check "machine check: its address" has mce 'Error Addr: 0x0000000012345670'
    check "machine check: its words" has mce 'MC4 Error (node 0): DRAM ECC error detected on the NB.'
    check "machine check: the error code's words" has mce \
        'cache level: L3/GEN, mem/io: MEM, mem-tx: RD, part-proc: SRC (no timeout)'
    check "machine check: EDAC finds symbol and chip select" has mce \
        '(csrow:0 channel:0 page:0x12345 offset:0x670 grain:64 syndrome:0x1)'
    check "machine check: no threshold interrupt before" fact mce 'thresholds before' 0
    check "machine check: 10 errors, a threshold of 4: two interrupts" fact mce 'thresholds after' 2
    # Debian's 6.1 recovers on processors with MCA recovery only (mce_severity_amd): it says so, and panics.
    check "machine check: an uncorrected error in user mode, and a fatal one: two panics" succeeded mce
    check "machine check: the record of the error in user mode" has mce \
        'Machine Check Exception: 7 Bank 3: b400000000000833'
    check "machine check: and its address" has mce 'ADDR 3456780'
    check "machine check: why the kernel gives up" has mce 'Uncorrected error without MCA Recovery'
    check "machine check: the fatal error's record" has mce 'Machine Check Exception: 4 Bank 4: b600000100070f0f'
    check "machine check: why it is fatal" has mce 'Machine check: Processor Context Corrupt'
}

check "kernel, busybox and self-check make an initramfs" build_images
if [ $failures -gt 0 ]; then
    echo "1..$tests"
    exit 1
fi
check "the archive has the same bytes each time" archive_again
run_all
for log in single numa; do
    check "$log: powers off by ACPI" powered_off $log
    check "$log: the self-check passes" self_check $log
    check "$log: floating point as on this processor" values $log
    check "$log: family 16" fact $log family 16
    check "$log: model 2" fact $log model 2
    check "$log: stepping 3" fact $log stepping 3
    check "$log: features" flags $log
    check "$log: SVM with nested paging" has $log 'SVM: kvm: Nested Paging enabled'
    check "$log: six machine-check banks" fact $log banks 6
    check "$log: HPET" has $log 'hpet0: 3 comparators, 64-bit 14.318180 MHz counter'
    check "$log: the clock source is the TSC" has $log 'clocksource: Switched to clocksource tsc'
    check "$log: two P-states" fact $log frequencies '2300000 1150000 '
    check "$log: no warning that a real machine would not give" no_warning $log
    check "$log: nothing unmodelled" modelled $log
    check "$log: twice the same report and hash" same_end $log ${log}2
done
check "single: one core" fact single cpus 1
check "numa: eight cores" fact numa cpus 8
check "numa: two nodes" fact numa nodes 0-1
check "numa: distances of node 0" fact numa 'distance 0' '10 16'
check "numa: distances of node 1" fact numa 'distance 1' '16 10'
check "numa: cores of node 1" fact numa 'cpulist 1' 4-7
check "both engines give the same report up to $compare_ps" succeeded engines
check "a shell answers on the serial line" succeeded shell
check "a guest of hv boots, passes its self-check and powers off" succeeded guest
said guest
check "a guest of hv is moved while it runs its self-check, and to another machine" succeeded migrate
said migrate
check "machine checks in a guest of hv: it goes on, or is killed and dom0 goes on" succeeded guest_mce
check_machine_checks
echo "1..$tests"
[ $failures -eq 0 ]

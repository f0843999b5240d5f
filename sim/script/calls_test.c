/* SPDX-License-Identifier: MIT */
/* The calls of a scenario on a real machine, with guests of a few instructions. */
#include "sim/script/test_images.h"

/* ---- machine and boot ------------------------------------------------------------------------ */

START_TEST(impossible_machines_are_refused)
{
    ends(SCRIPT_USER, "machine{nodes = 9}", "t.lua:1: machine: nodes is 9; 1 to 8 is right");
    ends(SCRIPT_USER, "machine{cores = 0}", "t.lua:1: machine: cores is 0; 1 to 4 in each node is right for model "
         "10h-b3");
    ends(SCRIPT_USER, "machine{nodes = -1}", "t.lua:1: machine: nodes is -1; 1 to 8 is right");
    ends(SCRIPT_USER, "machine{memory = '4x'}", "t.lua:1: machine: memory is 4x; it is bytes, such as \"64K\", "
         "\"512M\" or \"4G\"");
    ends(SCRIPT_USER, "machine{coers = 2}", "t.lua:1: machine: unknown key 'coers'; did you mean 'cores'?");
    ends(SCRIPT_USER, "machine{cores = '2'}", "t.lua:1: machine: cores is 2; it is cores in each node, 1 to 6");
    ends(SCRIPT_USER, "machine{5}", "t.lua:1: machine: a value without a name ([1]); name it, such as "
         "machine{model=...}");
    ends(SCRIPT_USER, "machine('x')", "t.lua:1: machine: found string; a table with named values is right: "
         "machine{model=...}");
    ends(SCRIPT_USER, "machine{mmu = {l1d = {entries = 48, ways = 5}}}", "t.lua:1: machine: mmu.l1d has 48 entries "
         "in 5 ways; 0 to 65535 entries are right, a multiple of the ways");
    ends(SCRIPT_USER, "machine{mmu = {l1x = 5}}", "t.lua:1: machine: mmu: unknown key 'l1x'; did you mean 'l1d'?");
    ends(SCRIPT_LIMIT, "local t = {} for i = 1, 100 do t[i] = machine{} end",
         "t.lua:1: machine: 16 machines are alive, the limit; drop what holds them");
}
END_TEST

START_TEST(what_cannot_boot_is_told)
{
    ends(SCRIPT_USER, "boot{kernel = 'x'}", "t.lua:1: boot: there is no machine yet; machine{} builds one");
    ends(SCRIPT_USER, "machine{}\nrun{}", "t.lua:2: run: nothing is booted; boot{kernel=...} comes first");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'none.img'}", "t.lua:1: boot: none.img is neither beside the script "
         "nor among the images; write its full path");
    ends(SCRIPT_USER, "machine{} boot{kernel = '/dev/null'}", "t.lua:1: boot: /dev/null: not a regular file");
    ends(SCRIPT_USER, "machine{} boot{}", "t.lua:1: boot: nothing to boot; one of kernel= and firmware= is right");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'count.img', firmware = 'count.img'}",
         "t.lua:1: boot: both; one of kernel= and firmware= is right");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'count.img', modules = {5}}",
         "t.lua:1: boot: module 1 is number; \"file arguments\" or {file=, string=} is right");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'count.img'} boot{kernel = 'count.img'}",
         "t.lua:1: boot: this machine has booted already; warm=true, or another machine{}, is right");
}
END_TEST

/* ---- run ------------------------------------------------------------------------------------- */

START_TEST(a_guest_runs_to_its_end)
{
    says("machine{} boot{kernel = 'count.img'}\n"
         "local e = run{}\n"
         "log(e.reason, e.value, e.insns, uart{})",
         "exit 7 26 OK\n"); /* mov, 16 loops, mov, 3 x (mov, out), mov, out */
    ends(SCRIPT_FAILED, "machine{} boot{kernel = 'count.img'}\nrun{until = {stop = 'shutdown'}}",
         "t.lua:2: run: the guest stopped: debug exit; until={stop=\"exit\"} would expect that");
    says("machine{debug_exit = false} boot{kernel = 'count.img'} log(run('3ms').reason)", "time\n");
}
END_TEST

START_TEST(counts_addresses_and_times_stop_a_run)
{
    says("machine{} boot{kernel = 'count.img'}\n"
         "run{until = {insns = 5}} log(reg('rip'), reg('rcx'))\n"
         "run{until = {insns = 1}} log(reg('rcx'))\n"
         "local e = run{until = {address = 0x100027}} log(e.reason, e.rip, e.core, reg('rcx'))\n"
         "run{until = {insns = 1}} log(reg('rdx'))\n"
         "run{until = {address = 0x100037, time = '1ms'}} log(reg('rax') & 0xff)\n",
         "1048613 12\n11\naddress 1048615 0 0\n1016\n7\n");
    says("machine{} boot{kernel = 'hang.img'}\n"
         "local e = run('2ms') log(e.reason, e.time_ps // 1000000000)\n"
         "e = run{until = {time = '500us'}} log(e.reason, e.time_ps // 1000000)",
         "time 2\ntime 2500\n");
}
END_TEST

START_TEST(a_loop_stops_at_the_same_address_each_time)
{
    says("machine{} boot{kernel = 'count.img'}\n"
         "local rcx = {}\n"
         "for i = 1, 4 do run{until = {address = 0x100025}} rcx[i] = reg('rcx') end\n"
         "log(table.concat(rcx, ' '))\n"
         "run{until = {address = 0x100025, count = 3}} log(reg('rcx'))",
         "16 15 14 13\n10\n");
}
END_TEST

START_TEST(breakpoints_and_at_work_together)
{
    says("machine{} boot{kernel = 'count.img'}\n"
         "local seen = 0\n"
         "at({address = 0x100025}, function(e) seen = seen + 1 end)\n"
         "at({insns = 3}, function(e) log('at', e.reason, e.insns) end)\n"
         "local b = break_at(0x100027)\n"
         "local e = run{} log(e.reason, seen)\n"
         "log(cancel(b), cancel(b)) log(run{}.reason, seen)",
         "at insns 3\naddress 16\ntrue false\nexit 16\n");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} at('1us', function() run{} end) run('1ms')",
         "t.lua:1: run: the machine is running already; inside at() there are only reg, msr, mem, inject and the "
         "like");
    ends(SCRIPT_USER, "machine{} at('1us', function() end, 5) at('5', print)",
         "t.lua:1: at: \"5\" is not a time; a number with ps, ns, us, ms or s is right");
    ends(SCRIPT_USER, "machine{} at({}, print)",
         "t.lua:1: at: no condition; one of time=, insns=, exit=, address=, symbol=, output= and stored= is right");
    ends(SCRIPT_USER, "machine{} at({exit = 'VMCALL'}, print)",
         "t.lua:1: at: no #VMEXIT is called 'VMCALL'; did you mean 'VMMCALL'?");
}
END_TEST

START_TEST(step_goes_instruction_by_instruction)
{
    says("machine{} boot{kernel = 'count.img'}\n"
         "log(reg('rip')) step() log(reg('rip')) step(16) log(reg('rip'), reg('rcx'))\n"
         "at({address = 0x10002c}, function() log('here') end) step(5)",
         "1048608\n1048613\n1048615 0\nhere\n");
}
END_TEST

START_TEST(guests_that_go_wrong_are_told)
{
    ends(SCRIPT_LIMIT, "machine{} boot{kernel = 'hang.img'}\nrun{limit = '3ms'}",
         "t.lua:2: run: what it waits for has not come within 3000 us of machine time; raise limit=, or is the guest "
         "stuck?");
    ends(SCRIPT_FAILED, "machine{} boot{kernel = 'halt.img'} run{}",
         "t.lua:1: run: the guest stopped: all cores halted, nothing pending; until={stop=\"halted\"} would expect "
         "that");
    ends(SCRIPT_FAILED, "machine{} boot{kernel = 'fault.img'} run{}",
         "t.lua:1: run: the guest stopped: shutdown (triple fault); until={stop=\"shutdown\"} would expect that");
    says("machine{} boot{kernel = 'fault.img'} log(run{until = {stop = {'halted', 'shutdown'}}}.reason)",
         "shutdown\n");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'halt.img'} run{until = {stop = 'halt'}}",
         "t.lua:1: run: no stop is called 'halt'; did you mean 'halted'?");
}
END_TEST

START_TEST(the_uart_takes_and_gives)
{
    says("machine{} boot{kernel = 'echo.img'}\n"
         "uart{send = 'hello', expect = 'hell', limit = '100ms'}\n"
         "uart{expect = 'o', limit = '100ms'} uart{send = 'x\\ny', expect = 'y', limit = '100ms'}\n"
         "log(#uart{})",
         "8\n");
    ends(SCRIPT_LIMIT, "machine{} boot{kernel = 'echo.img'} uart{send = 'a', expect = 'b', limit = '10ms'}",
         "t.lua:1: uart: what it waits for has not come within 10000 us of machine time; raise limit=, or is the "
         "guest stuck?");
}
END_TEST

/* ---- Looking --------------------------------------------------------------------------------- */

START_TEST(registers_memory_and_configuration_can_be_seen)
{
    says("machine{} boot{kernel = 'count.img'}\n"
         "log(mem(0x100020, 1), mem(0x100021, 4), mem(0x100020, 5) == '\\xb9\\x10\\0\\0\\0')\n"
         "mem(0x200000, 8, -2) log(mem(0x200000, 8), mem(0x200004, 4), mem(0x200000, 4, {space = 'linear'}))\n"
         "reg('rcx', 3) log(reg('rcx'), reg('rcx', {core = 0}))\n"
         "log(msr(0x1b) & 0xfffff000 == 0xfee00000) log(pci(0, 24, 0, 0) == 0x12001022)",
         "185 16 true\n-2 4294967295 4294967294\n3 3\ntrue\ntrue\n");
    says("machine{} reg('xmm15.high', -2) log(reg('xmm15.high'), reg('xmm15.low'))\n"
         "reg('fsw', 0x3800) reg('st0.significand', 5) reg('st0.exponent', 0x1bfff)\n"
         "log(reg('mm7'), reg('st0.exponent'), reg('fsw'), reg('fcw'))\n"
         "reg('fcw', 0) reg('fsw', 1) log(reg('fsw'), reg('fcw')) reg('mxcsr', -1) log(reg('mxcsr'))",
         "-2 0\n5 49151 14336 64\n32897 64\n196607\n"); /* not masked: ES and B, 8081h; MXCSR_MASK 2FFFFh */
    ends(SCRIPT_USER, "machine{} reg('ripp')", "t.lua:1: reg: no register is called 'ripp'; did you mean 'rip'?");
    ends(SCRIPT_USER, "machine{} reg('rip', {core = 1})", "t.lua:1: reg: core 1; the machine has cores 0 to 0");
    ends(SCRIPT_USER, "machine{} msr(0x12345678)", "t.lua:1: msr: this model has no MSR 0x12345678; a guest would "
         "get #GP");
    ends(SCRIPT_USER, "machine{} mem(0xfee00000, 4)", "t.lua:1: mem: 0xfee00000 is not RAM; reading a device's "
         "register could change it");
    says("machine{} log(next(counters('*\\xf4*')))", "nil\n");
    ends(SCRIPT_USER, "machine{} mem(0, 0)", "t.lua:1: mem: 0 bytes; 1 to 1048576 are right");
    ends(SCRIPT_USER, "machine{} pci(0, 24, 0, 2)", "t.lua:1: pci: register is 2; 0 to 4092, a multiple of 4, is "
         "right");
    ends(SCRIPT_USER, "machine{} counter('node[0].core[0].walk.reffs')", "t.lua:1: counter: no counter is named "
         "\"node[0].core[0].walk.reffs\"; `fam10h counters` lists them");
}
END_TEST

START_TEST(walk_references_can_be_traced)
{
    /* With paging off nothing walks: the list is there and empty. */
    says("machine{} boot{kernel = 'count.img'} trace{walks = true} run{}\n"
         "local refs, lost = trace{walks = false} log(#refs, lost, trace{core = 0})",
         "0 0 table 1 0\n");
    ends(SCRIPT_USER, "machine{} trace{walks = true, limit = 0}", "t.lua:1: trace: limit is 0; 1 to 1000000 are "
         "right");
}
END_TEST

START_TEST(the_model_sees_every_store)
{
    says("machine{} boot{kernel = 'store.img'} log(#stores{}) stores{begin = true} run{until = {insns = 5}}\n"
         "for _, f in ipairs(stores{}) do log(string.format('%x', f)) end\n"
         "stores{begin = true} run{}\n"
         "for _, f in ipairs(stores{begin = false}) do log(string.format('%x', f)) end log(#stores{})",
         "0\n200000\n205000\n20a000\n20f000\n0\n");
    /* Watching changes neither time nor any counter. */
    says("local function go(watch) machine{} boot{kernel = 'store.img'}\n"
         "if watch then stores{begin = true} end local e = run{} return hash() .. e.time_ps end\n"
         "log(go(true) == go(false))", "true\n");
}
END_TEST

START_TEST(an_nmi_without_a_table_for_it_shuts_down)
{
    says("machine{} boot{kernel = 'hang.img'} run('1us') inject{nmi = true}\n"
         "log(run{until = {stop = 'shutdown'}}.reason)", "shutdown\n");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{interrupt = 5}",
         "t.lua:1: inject: interrupt 5; an APIC takes vectors 16 to 255");
}
END_TEST

START_TEST(an_error_is_injected_by_name_by_registers_and_from_a_file)
{
    /* MCG_CTL and MC4_CTL are 0 after reset: a named error is logged by nobody; raw registers are as they are. */
    says("machine{nodes = 2, cores = 2, memory = '256M'} boot{kernel = 'hang.img'}\n"
         "log(inject{error = 'DRAM ECC corrected', node = 1, address = 0x8000000, mask = 1}.fate)\n"
         "local r = inject{bank = 4, node = 1, status = 0x9400400000080813, address = 0x8000000}\n"
         "log(r.fate, r.bank, r.words)\n"
         "log(#machine_checks(), machine_checks()[2].node, machine_checks()[2].core, "
         "counter('node[1].mca.corrected'))\n"
         "log(('%x'):format(msr(0x411, {core = 2})), msr(0x411, {core = 3}), msr(0x411))",
         "masked\n"
         "logged 4 MC4 NB: corrected DRAM ECC error, address 8000000, syndrome 0000; bus, source, read, memory, L3 or "
         "generic\n"
         "2 1 nil 1\n"
         "9400400000080813 0 0\n");
    says("machine{sync_flood = true} boot{kernel = 'hang.img'} run('1us')\n"
         "inject{bank = 4, status = 0xB400200000080813, address = 0}\n"
         "log(run{until = {stop = 'flood'}}.reason, run{until = {stop = 'any'}}.reason, counter('node[0].mca.floods'))",
         "flood flood 1\n");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{error = 'DRAM ECC correct'}",
         "t.lua:1: inject: no error is called 'DRAM ECC correct'; did you mean 'DRAM ECC corrected'?");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{error = 'DRAM ECC corrected', mask = 0x11}",
         "t.lua:1: inject: these wrong bits are not correctable, but the error is 'DRAM ECC corrected'; bits of one "
         "4-bit symbol are right");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{error = 'DRAM ECC corrected', on = 'read'}",
         "t.lua:1: inject: on= needs an address; address=, linear=, guest_physical= or symbol= is right");
    ends(SCRIPT_USER,
         "machine{} boot{kernel = 'hang.img'} inject{error = 'DRAM ECC corrected', on = 'look', address = 0}",
         "t.lua:1: inject: on is 'look'; \"read\", \"write\", \"fetch\", \"walk\", \"access\" and \"scrub\" are right");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{error = 'load system read', on = 'read', "
         "address = 0xfee00000}", "t.lua:1: inject: address 0xfee00000 is not DRAM of this machine");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{status = 1}",
         "t.lua:1: inject: status= needs bank=, 0 to 5");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{error = 'L3 LRU', node = 1}",
         "t.lua:1: inject: node 1; the machine has nodes 0 to 0");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} inject{guest_physical = 0, error = 'L3 LRU'}",
         "t.lua:1: inject: core 0 runs no guest whose nested tables map 0x0");
}
END_TEST

/* Two cores that loop: core 1 started by an IPI would take more code; the first core's own count is enough to tell. */
START_TEST(a_count_of_one_cores_instructions_stops_at_the_very_one)
{
    says("machine{cores = 2} boot{kernel = 'count.img'}\n"
         "at({insns = 7, core = 0}, function(e) log('at', e.reason, e.core, e.insns, reg('rcx')) end)\n"
         "local e = run{until = {insns = 9, core = 0}} log(e.reason, e.core, reg('rcx'))\n"
         "e = run{until = {insns = 3, core = 0}} log(reg('rcx'))\n"
         "log(run{until = {insns = 1, core = 1, time = '1ns'}}.reason)", /* it waits for its SIPI */
         "at insns 0 7 10\ninsns 0 8\n5\ntime\n");
}
END_TEST

/* 31 x 5 ns are 357 cycles at 2.3 GHz; the walk of the one page costs 1000, no other instruction has one. */
START_TEST(the_cpu_watchdog_logs_an_instruction_that_takes_too_long)
{
    says("machine{mmu = {cost_ref = 1000}} boot{kernel = 'hang.img'}\n"
         "mem(0x200000, 4, 0x83) reg('cr3', 0x200000) reg('cr4', 0x10) reg('cr0', 0x80000011)\n"
         "msr(0x17b, 0x20) msr(0xc0010074, 7 << 3 | 2 << 1 | 1)\n"
         "step(5)\n"
         "local c = machine_checks() log(#c, c[1].bank)\n"
         "log(('%x %x'):format(msr(0x415), msr(0x416)))\n"
         "msr(0x415, 0) msr(0xc0010074, 7 << 3 | 2 << 1) reg('cr3', 0x200000) step(5) log(#machine_checks())",
         "1 5\n"
         "a600000000000f0f 100020\n1\n");
}
END_TEST

START_TEST(a_warm_reset_keeps_the_banks)
{
    says("machine{nodes = 2} boot{kernel = 'hang.img'}\n"
         "inject{bank = 4, node = 1, status = 0x9400400000080813, address = 0x10000000}\n"
         "inject{bank = 0, core = 1, status = 0x9400000000000136, address = 0x40}\n"
         "msr(0x17a, 4) boot{kernel = 'count.img', warm = true}\n"
         "log(('%x %x %x'):format(msr(0x411, {core = 1}), msr(0x412, {core = 1}), msr(0x401, {core = 1})))\n"
         "log(msr(0x17a), #machine_checks(), run{}.value)\n",
         "9400400000080813 10000000 9400000000000136\n0 2 7\n");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img', warm = true}",
         "t.lua:1: boot: warm=true is for a machine that has booted before");
}
END_TEST

/* Thresholds of two nodes: each interrupts the cores of its own node alone (fact sheet 5.7), by LVT entry 0. */
START_TEST(a_threshold_interrupts_its_own_nodes_cores)
{
    says("machine{nodes = 2, cores = 2} boot{kernel = 'hang.img'}\n"
         "for c = 0, 3 do msr(0x17b, 0x3f, {core = c}) end\n"
         "for n = 0, 1 do msr(0x413, 0xC00A0FFE01000000, {core = n * 2}) end\n" /* APIC, ErrCnt FFEh */
         "inject{error = 'DRAM ECC corrected', node = 1, address = 0x10000000} run('2us')\n"
         "log(counter('node[0].threshold.interrupts'), counter('node[1].threshold.interrupts'))\n"
         "log(('%x %x'):format(msr(0x413), msr(0x413, {core = 2})))",
         "0 1\nc00a0ffe01000000 c00b0fff01000000\n");
}
END_TEST

/* MSRC001_0022: to a vector (no IDT: a triple fault shows that it was one, and not a #MC), or to an SMI. */
START_TEST(a_machine_check_is_redirected)
{
    says("machine{} boot{kernel = 'hang.img'} run('1us')\n"
         "msr(0xc0010022, 0x200) reg('cr4', 0x40)\n"
         "inject{bank = 4, status = 0xB400200000080813, address = 0} run('1us')\n"
         "local function count(what) return counter('node[0].core[0].mca.' .. what) end\n"
         "log(count('redirected'), count('raised'), msr(0x17a), ('%x'):format(reg('cs.base')))\n"
         "machine{} boot{kernel = 'hang.img'} run('1us')\n"
         "msr(0xc0010022, 0x155) reg('cr4', 0x40) msr(0x411, 0) reg('rflags', 0x202)\n"
         "inject{bank = 4, status = 0xB400200000080813, address = 0}\n"
         "log(run{until = {stop = 'shutdown'}}.reason, count('redirected'), count('raised'), msr(0x17a))",
         "1 0 0 30000\nshutdown 1 0 0\n");
}
END_TEST

/* ---- State ----------------------------------------------------------------------------------- */

START_TEST(a_machine_whose_restore_failed_is_of_no_use)
{
    ends(SCRIPT_USER, "machine{}\npcall(restore, 'none.snapshot')\nrun{}",
         "t.lua:3: run: a restore of this machine has failed half-way; machine{} builds another");
}
END_TEST

START_TEST(a_restored_machine_goes_on_the_same)
{
    says("local function build() machine{} boot{kernel = 'count.img'} end\n"
         "build() run{until = {insns = 9}} save('here.snapshot') run{} local whole = hash()\n"
         "machine{} restore('here.snapshot') log(reg('rcx')) run{} log(hash() == whole)",
         "8\ntrue\n");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} save('/tmp/x')", "t.lua:1: save: found /tmp/x; a plain "
         "name of letters, digits, '.', '-' and '_' is right (--snapshots DIR says where)");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'hang.img'} save('../x')", "t.lua:1: save: found ../x; a plain "
         "name of letters, digits, '.', '-' and '_' is right (--snapshots DIR says where)");
}
END_TEST

START_TEST(two_machines_do_not_disturb_each_other)
{
    says("local a = machine{} boot{kernel = 'count.img'} run{until = {insns = 4}}\n"
         "local b = machine{} boot{kernel = 'count.img'} run{until = {insns = 8}}\n"
         "log(a, b, reg('rcx')) use(a) log(reg('rcx')) run{} local ha = hash()\n"
         "use(b) run{} log(hash() == ha)",
         "machine 1 machine 2 9\n13\ntrue\n");
    ends(SCRIPT_USER, "machine{} use(5)", "t.lua:1: use: found 5; a value that machine{} returned is right");
}
END_TEST

START_TEST(named_reports_are_kept_for_the_document)
{
    struct test_run run;

    make_images();
    run = run_text("machine{} boot{kernel = 'count.img'} run{until = {insns = 4}}\n"
                   "report{name = 'early', text = false}\n"
                   "run{} report{name = 'late', text = false}", ENGINE_FAST);
    ck_assert_int_eq(run.status, SCRIPT_OK);
    ck_assert_str_eq(run.output->str, "");
    ck_assert_ptr_nonnull(strstr(run.json, "\"early\" : {"));
    ck_assert_ptr_nonnull(strstr(run.json, "\"late\" : {"));
    ck_assert_ptr_nonnull(strstr(run.json, "\"exit_value\" : 7"));
    test_run_free(&run);
    remove_images();
    ends(SCRIPT_USER, "machine{} report{name = 'a', text = false} report{name = 'a'}",
         "t.lua:1: report: the name 'a' is taken; each report has its own");
}
END_TEST

UNIT_TESTS("calls", impossible_machines_are_refused, what_cannot_boot_is_told, a_guest_runs_to_its_end,
           counts_addresses_and_times_stop_a_run, a_loop_stops_at_the_same_address_each_time,
           breakpoints_and_at_work_together, step_goes_instruction_by_instruction, guests_that_go_wrong_are_told,
           the_uart_takes_and_gives, registers_memory_and_configuration_can_be_seen, walk_references_can_be_traced,
           the_model_sees_every_store, a_count_of_one_cores_instructions_stops_at_the_very_one,
           the_cpu_watchdog_logs_an_instruction_that_takes_too_long, a_warm_reset_keeps_the_banks,
           a_threshold_interrupts_its_own_nodes_cores, a_machine_check_is_redirected,
           an_nmi_without_a_table_for_it_shuts_down,
           an_error_is_injected_by_name_by_registers_and_from_a_file, a_restored_machine_goes_on_the_same,
           a_machine_whose_restore_failed_is_of_no_use,
           two_machines_do_not_disturb_each_other, named_reports_are_kept_for_the_document)

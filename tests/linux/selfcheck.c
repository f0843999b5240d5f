/* SPDX-License-Identifier: MIT */
/*
 * A static program for a Linux guest: checks what only a whole system shows (processes, signals, threads, files,
 * timers, floating point through context switches) and prints "ok - WHAT" or "not ok - WHAT" for each. Lines that
 * begin with "value" hold results of floating point, bit for bit: whoever runs it compares them with those of a real
 * processor, where the same program gives the same lines.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 20000
#define FILE_WORDS (1u << 19) /* 4 MiB */
#define CHILD_STATUS 42

static bool failed;

static void report(bool passed, const char *what)
{
    printf("%s - %s\n", passed ? "ok" : "not ok", what);
    failed |= !passed;
}

/* ---- Floating point ---------------------------------------------------------------------------------------------- */

static void print_value(const char *name, const void *bytes, size_t size)
{
    printf("value %s ", name);
    for (size_t i = size; i-- > 0;)
        printf("%02x", ((const uint8_t *)bytes)[i]);
    printf("\n");
}

/* The logistic map: one wrong bit anywhere changes all later digits. */
static double logistic(unsigned steps)
{
    double x = 0.3;

    for (unsigned i = 0; i < steps; i++)
        x = 3.9999 * x * (1 - x);
    return x;
}

static float harmonic(unsigned terms)
{
    float sum = 0;

    for (unsigned i = 1; i <= terms; i++)
        sum += 1.0f / (float)i;
    return sum;
}

/* x87: the square root of 2 by Newton, and a product that needs 64 bits of mantissa. */
static long double newton(void)
{
    long double x = 1;

    for (unsigned i = 0; i < 8; i++)
        x = (x + 2 / x) / 2;
    return x * 1.0000000000000000002L;
}

static double determinant(void)
{
    enum { N = 12 };
    double m[N][N], product = 1;

    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            m[i][k] = 1.0 / (i + k + 1) + (i == k);
    for (int i = 0; i < N; i++) {
        product *= m[i][i];
        for (int r = i + 1; r < N; r++) {
            double factor = m[r][i] / m[i][i];

            for (int k = i; k < N; k++)
                m[r][k] -= factor * m[i][k];
        }
    }
    return product;
}

static void check_arithmetic(void)
{
    double chaos = logistic(1000), product = determinant(), root = sqrt(3.0);
    long double fine = newton();
    float sum = harmonic(10000);

    print_value("logistic", &chaos, sizeof chaos);
    print_value("determinant", &product, sizeof product);
    print_value("newton", &fine, 10); /* of the 16 bytes the processor writes 10 */
    print_value("harmonic", &sum, sizeof sum);
    report(root * root - 3.0 < 1e-15 && fabs((double)fine - 1.4142135623730951) < 1e-15, "floating point");
}

/* ---- Processes --------------------------------------------------------------------------------------------------- */

static void check_fork_and_exec(const char *self)
{
    int pipes[2], status = 0;
    char text[8] = "";
    pid_t child;

    if (pipe(pipes) != 0 || (child = fork()) < 0) {
        report(false, "fork");
        return;
    }
    if (child == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        execl(self, self, "--child", (char *)NULL);
        _exit(1);
    }
    close(pipes[1]);
    report(read(pipes[0], text, sizeof text) == 5 && memcmp(text, "child", 5) == 0, "a pipe from a forked program");
    report(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == CHILD_STATUS,
           "fork, exec and wait");
    close(pipes[0]);
}

/* Parent and child write to the same private page: each sees its own. */
static void check_copy_on_write(void)
{
    volatile uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t child;

    page[0] = 1;
    child = fork();
    if (child == 0) {
        page[0] = 2;
        _exit(page[0] == 2 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    report(status == 0 && page[0] == 1, "copy on write");
    munmap((void *)(uintptr_t)page, 4096);
}

/* ---- Signals ----------------------------------------------------------------------------------------------------- */

static sigjmp_buf escape;
static volatile sig_atomic_t caught, caught_code;
static void *volatile caught_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    caught = number;
    caught_code = info->si_code;
    caught_address = info->si_addr;
    siglongjmp(escape, 1);
}

static void on_signal(int number)
{
    caught = number;
}

static void handle_faults(int number)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

    sigaction(number, &action, NULL);
}

static void check_faults(void)
{
    volatile int one = 1, zero = 0;
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    handle_faults(SIGSEGV);
    handle_faults(SIGFPE);
    handle_faults(SIGILL);
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        *(volatile char *)(page + 123) = 1;
    report(caught == SIGSEGV && caught_code == SEGV_ACCERR && caught_address == page + 123,
           "SIGSEGV on a read-only page");
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        one /= zero;
    report(caught == SIGFPE && caught_code == FPE_INTDIV, "SIGFPE on division by zero");
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("ud2");
    report(caught == SIGILL, "SIGILL on UD2");
    munmap(page, 4096);
}

/* Registers of x87 and SSE survive a handler that uses them. */
static void check_kill(void)
{
    double before = logistic(500), after;

    signal(SIGUSR1, on_signal);
    caught = 0;
    kill(getpid(), SIGUSR1);
    after = logistic(500);
    report(caught == SIGUSR1 && memcmp(&before, &after, sizeof before) == 0, "kill to oneself");
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

static atomic_uint together;
static unsigned guarded;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static double thread_value[THREADS];

static void *thread_main(void *argument)
{
    size_t number = (size_t)argument;
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(number % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    for (unsigned i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&together, 1);
        if (i % 64 == 0) {
            pthread_mutex_lock(&mutex);
            guarded++;
            pthread_mutex_unlock(&mutex);
        }
    }
    thread_value[number] = logistic(2000 + (unsigned)number);
    return NULL;
}

static void check_threads(void)
{
    pthread_t thread[THREADS];
    bool right = true;

    for (size_t i = 0; i < THREADS; i++)
        right &= pthread_create(&thread[i], NULL, thread_main, (void *)i) == 0;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        double expected = logistic(2000 + i);

        right &= memcmp(&expected, &thread_value[i], sizeof expected) == 0;
    }
    report(right && together == THREADS * ROUNDS && guarded == THREADS * ((ROUNDS + 63) / 64), "threads on every CPU");
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void check_file(const char *directory)
{
    char name[256];
    uint64_t *words;
    bool right = true;
    int file;

    snprintf(name, sizeof name, "%s/selfcheck.data", directory);
    file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    right &= file >= 0 && ftruncate(file, FILE_WORDS * 8) == 0;
    words = mmap(NULL, FILE_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (uint64_t i = 0; right && i < FILE_WORDS; i++)
        words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    for (uint64_t i = 0; right && i < FILE_WORDS; i += 511) {
        uint64_t word = 0;

        right &= pread(file, &word, 8, (off_t)(i * 8)) == 8 && word == i * UINT64_C(0x9e3779b97f4a7c15);
    }
    munmap(words, FILE_WORDS * 8);
    close(file);
    unlink(name);
    report(right, "a mapped file");
}

/* ---- Timers ------------------------------------------------------------------------------------------------------ */

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Not before its time, and at most 100 ms late. */
static bool on_time(uint64_t elapsed_ns, uint64_t expected_ms)
{
    return elapsed_ns >= expected_ms * 1000000 && elapsed_ns < (expected_ms + 100) * 1000000;
}

static void check_timers(void)
{
    const struct timespec nap = { 0, 200000000 };
    const struct itimerspec periodic = { { 0, 50000000 }, { 0, 50000000 } };
    const struct itimerval alarm_in = { { 0, 0 }, { 0, 200000 } };
    volatile uint64_t divisor = 3, quotient = 0;
    uint64_t start = now_ns(CLOCK_MONOTONIC), ticks = 0, sum = 0;
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);

    nanosleep(&nap, NULL);
    report(on_time(now_ns(CLOCK_MONOTONIC) - start, 200), "a sleep of 200 ms");
    start = now_ns(CLOCK_MONOTONIC);
    timerfd_settime(timer, 0, &periodic, NULL);
    while (sum < 4 && read(timer, &ticks, 8) == 8)
        sum += ticks;
    report(sum == 4 && on_time(now_ns(CLOCK_MONOTONIC) - start, 200), "a timer of 4 x 50 ms");
    close(timer);
    signal(SIGALRM, on_signal);
    caught = 0;
    start = now_ns(CLOCK_MONOTONIC);
    setitimer(ITIMER_REAL, &alarm_in, NULL);
    while (!caught) /* busy: the tick must interrupt user code. Divisions: the time passes in few instructions */
        quotient = UINT64_MAX / divisor;
    report(caught == SIGALRM && quotient == UINT64_MAX / 3 && on_time(now_ns(CLOCK_MONOTONIC) - start, 200),
           "an alarm after 200 ms of running");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--child") == 0) {
        if (write(STDOUT_FILENO, "child", 5) != 5)
            return 1;
        return CHILD_STATUS;
    }
    if (argc == 2 && strcmp(argv[1], "--values") == 0) {
        check_arithmetic();
        return failed;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_arithmetic();
    check_fork_and_exec(argv[0]);
    check_copy_on_write();
    check_faults();
    check_kill();
    check_threads();
    check_file(argc > 1 ? argv[1] : "/tmp");
    check_timers();
    printf("%s - selfcheck\n", failed ? "not ok" : "ok");
    return failed;
}

/* SPDX-License-Identifier: MIT */
/* Floating point: long double is x87, double is SSE2. Results are exact bits on every peer: no approximations. */
#include "bench.h"

#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u

void float_enable(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    __asm__ volatile("mov %0, %%cr0" : : "r"((value & ~(uint64_t)CR0_EM) | CR0_MP));
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    __asm__ volatile("mov %0, %%cr4" : : "r"(value | CR4_OSFXSR | CR4_OSXMMEXCPT));
    __asm__ volatile("fninit");
}

/* The logistic map in its chaotic range, and a sum of quotients: FMUL, FSUB, FADD, FDIV, FILD, loads and exchanges. */
uint64_t row_x87(void)
{
    long double x = 0.375L, sum = 0;

    for (int32_t i = 1; i <= 4000000; i++) {
        x = 3.75L * x * (1 - x);
        sum += x / i;
    }
    return (uint64_t)(int64_t)(sum * 0x1p48L);
}

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t mask __attribute__((vector_size(16)));

#define ALL(x) ((lanes){ (x), (x), (x), (x) })
#define SIDE 64
#define DEPTH 64

/* Iterations until |z| > 2, in four points at once. */
static mask escape(lanes re, lanes im)
{
    lanes x = re, y = im;
    mask count = { 0 };

    for (unsigned i = 0; i < DEPTH; i++) {
        lanes xx = x * x, yy = y * y, xy = x * y;
        mask within = xx + yy <= ALL(4.0f);

        if (!__builtin_ia32_movmskps((lanes)within))
            break;
        count -= within;
        x = xx - yy + re;
        y = xy + xy + im;
    }
    return count;
}

/* The Mandelbrot set in packed single precision, then its mean and deviation in scalar double precision. */
uint64_t row_sse(void)
{
    double sum = 0, squares = 0;

    for (unsigned round = 0; round < 48; round++)
        for (unsigned row = 0; row < SIDE; row++)
            for (unsigned column = 0; column < SIDE; column += 4) {
                lanes re = (lanes){ 0, 1, 2, 3 } + ALL((float)column);
                mask count = escape(re * ALL(3.0f / SIDE) - ALL(2.0f), ALL((float)row * (2.0f / SIDE) - 1.0f));

                for (unsigned i = 0; i < 4; i++) {
                    sum += count[i];
                    squares += (double)count[i] * count[i];
                }
            }
    return (uint64_t)(int64_t)((squares / sum + sum / squares) * 0x1p40);
}

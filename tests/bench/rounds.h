#pragma once

/* How tests/bench/bench talks with its measuring programs, so that their samples can be interleaved
 * in one run: each stays alive, reads a number of runs from stdin, makes them one after the other
 * and prints one line "MICROSECONDS STATUS [MICROSECONDS]" for each, then an empty line. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct Sample {
        uint64_t nsec;       /* until the exit is known */
        uint64_t whole_nsec; /* until nothing is left of the run; 0: not measured */
        int status;          /* 0: the command ended with exit code 0 */
} Sample;

static inline uint64_t now_nsec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static inline void print_sample(const Sample *sample)
{
        printf("%.1f %d %.1f\n", (double) sample->nsec / 1e3, sample->status,
               (double) sample->whole_nsec / 1e3);
}

static inline bool serve_rounds(Sample (*run)(void *data), void *data)
{
        char line[32];

        while (fgets(line, sizeof line, stdin)) {
                for (long n = strtol(line, NULL, 10); n > 0; n--) {
                        Sample sample = run(data);
                        print_sample(&sample);
                }
                putchar('\n');
                if (fflush(stdout) != 0)
                        return false;
        }
        return true;
}

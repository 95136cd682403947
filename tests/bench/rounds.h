#pragma once

/* How tests/bench/bench talks with its measuring programs, so that their samples can be interleaved
 * in one run: each has a file of orders, one a line, words between tabs; it stays alive, reads
 * lines "N FIRST" from stdin, makes N runs after the orders FIRST, FIRST + 1, … (around the end of
 * the file) and answers with a line "MICROSECONDS STATUS MICROSECONDS", means of the N. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef struct Sample {
        uint64_t nsec;       /* until the exit is known */
        uint64_t whole_nsec; /* until nothing is left of the run; 0: not measured */
        int status;          /* 0: the command ended with exit code 0 */
} Sample;

/* Each order is a NULL-terminated array of words. */
typedef struct Orders {
        size_t n;
        char ***list;
} Orders;

static inline uint64_t now_nsec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

/* Ends the program with a message if the file cannot be read or an order has too few words. */
Orders orders_load(const char *path, size_t words_min);

/* Until the end of stdin; `run` makes one run after the order of that number. */
bool serve_rounds(size_t n_orders, Sample (*run)(size_t order, void *data), void *data);

/* The same for whoever makes several runs at a time: `run` makes all `n`, its Sample holds sums. */
bool serve_batches(size_t n_orders, Sample (*run)(size_t n, size_t first, void *data), void *data);

/* An order for a container says in words:
 * MEMORY TASKS ROOTFS HOSTNAME [NAME=VALUE…] -- COMMAND [ARGUMENT…]
 * with 0 for no limit of memory. */
typedef struct ContainerOrder {
        uint64_t memory, tasks;
        const char *memory_text, *tasks_text, *rootfs, *hostname;
        char **environment, **argv;
} ContainerOrder;

typedef struct ContainerOrders {
        size_t n;
        ContainerOrder *list;
} ContainerOrders;

ContainerOrders container_orders_load(const char *path);

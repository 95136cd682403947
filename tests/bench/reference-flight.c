/* Several at a time, as plain C does it: so many processes, each of which makes one run after the
 * other, as long as there are any to make. */

#include <err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/reference.h"

static struct Flight {
        size_t workers;
        int go[2], done[2]; /* a byte for each worker, for each batch */
        struct Batch {
                atomic_size_t next;
                size_t n, first;
                atomic_int status;
        } * batch; /* shared by all */
} flight;

static _Noreturn void work(size_t number)
{
        struct Batch *batch = flight.batch;
        char byte;

        close(flight.go[1]);
        shared = shared_new();
        reference.serial = (unsigned) number;
        reference.serial_step = (unsigned) flight.workers;
        while (read(flight.go[0], &byte, 1) == 1) {
                size_t i;
                while ((i = atomic_fetch_add(&batch->next, 1)) < batch->n) {
                        size_t order = (batch->first + i) % reference.orders.n;
                        int status = run_once(&reference.orders.list[order]).status;
                        if (status != 0)
                                atomic_store(&batch->status, status);
                }
                if (write(flight.done[1], &byte, 1) != 1)
                        break;
        }
        _exit(0);
}

void flight_start(size_t n)
{
        flight.workers = n;
        flight.batch = mmap(NULL, sizeof *flight.batch, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (flight.batch == MAP_FAILED || pipe(flight.go) < 0 || pipe(flight.done) < 0)
                err(1, "cannot make what the processes share");
        for (size_t i = 0; i < n; i++) {
                pid_t pid = fork();
                if (pid < 0)
                        err(1, "cannot fork");
                if (pid == 0)
                        work(i);
        }
        close(flight.go[0]);
        close(flight.done[1]);
}

Sample flight_run(size_t runs, size_t first, void *data)
{
        struct Batch *batch = flight.batch;
        char byte = 0;
        uint64_t begin = now_nsec();

        batch->n = runs;
        batch->first = first;
        batch->status = 0;
        batch->next = 0;
        for (size_t i = 0; i < flight.workers; i++)
                if (write(flight.go[1], &byte, 1) != 1)
                        err(1, "cannot start a batch");
        for (size_t i = 0; i < flight.workers; i++)
                if (read(flight.done[0], &byte, 1) != 1)
                        errx(1, "a process has ended");
        return (Sample){.nsec = now_nsec() - begin, .status = batch->status};
}

void flight_stop(void)
{
        close(flight.go[1]);
        while (wait(NULL) > 0)
                ;
}

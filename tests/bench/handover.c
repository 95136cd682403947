/* What it costs to go from one process to another and back: a byte through a pipe each way, to a
 * process that sleeps on another processor, if there is one. A Run goes through the bus daemon to
 * the service, to the container, and back by the same way; the reference has a parent and a child.
 */

#include <err.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/bench/rounds.h"

typedef struct Pair {
        int there, back; /* our ends */
} Pair;

/* The `index`th of those that we may have; the last, if there are fewer. */
static void stay_on(unsigned index)
{
        cpu_set_t may, one;
        int found = -1;

        CPU_ZERO(&one);
        if (sched_getaffinity(0, sizeof may, &may) < 0)
                err(1, "sched_getaffinity");
        for (int cpu = 0; cpu < CPU_SETSIZE && found < (int) index; cpu++)
                if (CPU_ISSET(cpu, &may)) {
                        CPU_ZERO(&one);
                        CPU_SET(cpu, &one);
                        found++;
                }
        if (sched_setaffinity(0, sizeof one, &one) < 0)
                err(1, "sched_setaffinity");
}

static _Noreturn void echo(int in, int out)
{
        char byte;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stay_on(1);
        while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1)
                ;
        _exit(0);
}

static Sample run(size_t order, void *data)
{
        const Pair *pair = data;
        Sample sample = {.status = -1};
        uint64_t begin = now_nsec();
        char byte = 0;

        if (write(pair->there, &byte, 1) == 1 && read(pair->back, &byte, 1) == 1)
                sample.status = 0;
        sample.nsec = now_nsec() - begin;
        return sample;
}

int main(int argc, char **argv)
{
        int there[2], back[2];

        if (pipe(there) < 0 || pipe(back) < 0)
                err(1, "pipe");
        pid_t pid = fork();
        if (pid < 0)
                err(1, "fork");
        if (pid == 0) {
                close(there[1]);
                close(back[0]);
                echo(there[0], back[1]);
        }
        close(there[0]);
        close(back[1]);
        stay_on(0);
        return serve_rounds(1, run, &(Pair){there[1], back[0]}) ? 0 : 1;
}

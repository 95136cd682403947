/* swap CPU PAUSE A B: exchanges the two names over and over until SIGTERM, with pauses of up to
 * PAUSE microseconds that are the same in each run; says how often. Ends as it began: A is A. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
        (void) number;
        ended = 1;
}

int main(int argc, char **argv)
{
        unsigned long swaps = 0;
        cpu_set_t cpus;

        if (argc != 5)
                return 2;
        CPU_ZERO(&cpus);
        CPU_SET((int) strtol(argv[1], NULL, 10), &cpus);
        sched_setaffinity(0, sizeof cpus, &cpus);
        signal(SIGTERM, end);
        srandom(1);
        while (!ended || swaps % 2) {
                if (renameat2(AT_FDCWD, argv[3], AT_FDCWD, argv[4], RENAME_EXCHANGE) < 0) {
                        fprintf(stderr, "%s, %s: %s\n", argv[3], argv[4], strerror(errno));
                        return 1;
                }
                swaps++;
                usleep((useconds_t) (random() % (strtol(argv[2], NULL, 10) + 1)));
        }
        printf("%lu\n", swaps);
        return 0;
}

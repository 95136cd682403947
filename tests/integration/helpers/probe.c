/* probe WHAT: tries one thing that the shell cannot, and prints the outcome. */
#define _GNU_SOURCE /* getresuid, unshare */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif

static void report(const char *what, long result)
{
        printf("%s: %s\n", what, result < 0 ? strerror(errno) : "ok");
}

static void signals(void)
{
        sigset_t mask;
        int blocked = 0, ignored = 0;

        sigprocmask(SIG_SETMASK, NULL, &mask);
        for (int i = 1; i < 64; i++) {
                struct sigaction action;
                blocked += sigismember(&mask, i) == 1;
                ignored += sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
        }
        printf("blocked %d ignored %d\n", blocked, ignored);
}

static void old_root(void)
{
        /* Ways back that a wrong pivot leaves: "..", and a second chroot (which needs a
         * capability). */
        report("chdir ..", chdir(".."));
        report("access /etc/marker", access("/etc/marker", F_OK));
        report("access ../../../../etc/marker", access("../../../../etc/marker", F_OK));
        report("umount /", umount2("/", MNT_DETACH));
        report("umount .", umount2(".", MNT_DETACH));
        report("remount /", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
        report("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}

/* Out of a root below the own one, up as far as it goes, and with rights over mounts of one's own:
 * what is there? */
static void climb(void)
{
        int top = open("/", O_PATH | O_DIRECTORY);

        mkdir("/tmp/below", 0755);
        report("chroot", chroot("/tmp/below"));
        report("out of it", fchdir(top));
        for (int i = 0; i < 64; i++)
                if (chdir("..") < 0)
                        report("up", -1);
        report("chroot to the top", chroot("."));
        report("marker at the top", access("/etc/marker", F_OK));
        report("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
        report("umount", umount2("/", MNT_DETACH));
        report("umount .", umount2(".", MNT_DETACH));
        report("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
        report("marker", access("/etc/marker", F_OK));
}

static void ids(void)
{
        uid_t uid[3];
        gid_t gid[3];
        char line[256];
        unsigned long long permitted = 0, effective = 0;
        FILE *status = fopen("/proc/self/status", "re");

        while (status && fgets(line, sizeof line, status)) {
                sscanf(line, "CapPrm: %llx", &permitted);
                sscanf(line, "CapEff: %llx", &effective);
        }
        getresuid(&uid[0], &uid[1], &uid[2]);
        getresgid(&gid[0], &gid[1], &gid[2]);
        printf("uid %u %u %u gid %u %u %u effective %llx permitted %llx\n", uid[0], uid[1], uid[2],
               gid[0], gid[1], gid[2], effective, permitted);
}

/* drop UID PROGRAM…: executes it as that user. */
static int drop(char **argv)
{
        uid_t uid = (uid_t) strtoul(argv[0], NULL, 10);

        if (setresuid(uid, uid, uid) < 0)
                return 1;
        execv(argv[1], argv + 1);
        return 1;
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (strcmp(what, "signals") == 0)
                signals();
        else if (strcmp(what, "old-root") == 0)
                old_root();
        else if (strcmp(what, "climb") == 0)
                climb();
        else if (strcmp(what, "ids") == 0)
                ids();
        else if (strcmp(what, "abort") == 0)
                raise(SIGABRT);
        else if (strcmp(what, "euid") == 0)
                printf("%u\n", geteuid());
        else if (strcmp(what, "drop") == 0 && argc > 3)
                return drop(argv + 2);
        else if (strcmp(what, "sleep") == 0)
                pause();
        else
                return 2;
        return 0;
}

#pragma once

/* Keeps descriptors of the service's own beyond its end, each under a name: the masters of
 * terminals ("pty-SERIAL" of the container), and the sockets to tellers ("status-UID"). The program
 * decides what is behind these functions (fd-store.c: systemd). All zero: nothing is kept. Nothing
 * that a caller passed may be kept, nor be in an envelope there: its close could hang PID 1. */

typedef struct FdKeeper {
        void (*keep)(const char *name, int fd, void *data); /* fd is borrowed */
        int (*take)(const char *name, void *data); /* what a predecessor kept (owned), or -1 */
        void (*drop)(const char *name, void *data);
        void *data;
} FdKeeper;

/* The one program of the tests' own root trees, without any library: "exit N" ends with N, "open"
 * with the number of fds that it finds open, anything else with 0. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        int n = 0;

        if (argc > 2 && strcmp(argv[1], "exit") == 0)
                return (int) strtol(argv[2], NULL, 10);
        for (int fd = 0; argc > 1 && strcmp(argv[1], "open") == 0 && fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

/* touchmem MIB: touches that many MiB of memory, then says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
        size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 0) * 1024 * 1024;
        char *memory = malloc(size + 1);

        if (!memory)
                return 3;
        for (size_t i = 0; i < size; i += 4096)
                memory[i] = (char) i | 1;
        printf("touched %zu MiB\n", size / 1024 / 1024);
        return memory[size / 2] == 42;
}

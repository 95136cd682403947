#include "tests/bench/rounds.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_WORDS_MIN 6u

static char **split(char *line)
{
        size_t n = 1, i = 0;

        for (const char *c = line; *c; c++)
                n += *c == '\t';
        char **words = calloc(n + 1, sizeof *words);
        if (!words)
                err(1, "orders");
        for (char *word = strsep(&line, "\t"); word; word = strsep(&line, "\t"))
                words[i++] = word;
        return words;
}

static size_t count(char **words)
{
        size_t n = 0;

        while (words[n])
                n++;
        return n;
}

Orders orders_load(const char *path, size_t words_min)
{
        FILE *file = fopen(path, "re");
        Orders orders = {0};
        char *line = NULL;
        size_t size = 0;
        ssize_t length;

        if (!file)
                err(1, "cannot open '%s'", path);
        while ((length = getline(&line, &size, file)) > 0) {
                if (line[length - 1] == '\n')
                        line[length - 1] = '\0';
                orders.list = realloc(orders.list, (orders.n + 1) * sizeof *orders.list);
                if (!orders.list)
                        err(1, "orders");
                char **words = split(line);
                if (count(words) < words_min)
                        errx(1, "%s:%zu: fewer than %zu words", path, orders.n + 1, words_min);
                orders.list[orders.n++] = words;
                line = NULL; /* the words lie in it */
        }
        free(line);
        fclose(file);
        if (orders.n == 0)
                errx(1, "there is no order in '%s'", path);
        return orders;
}

bool serve_batches(size_t n_orders, Sample (*run)(size_t n, size_t first, void *data), void *data)
{
        char line[64];
        size_t n, first;

        while (fgets(line, sizeof line, stdin)) {
                if (sscanf(line, "%zu %zu", &n, &first) != 2 || n == 0)
                        errx(1, "not \"N FIRST\": %s", line);
                Sample sum = run(n, first % n_orders, data);
                printf("%.2f %d %.2f\n", (double) sum.nsec / 1e3 / (double) n, sum.status,
                       (double) sum.whole_nsec / 1e3 / (double) n);
                if (fflush(stdout) != 0)
                        return false;
        }
        return true;
}

typedef struct OneByOne {
        size_t n_orders;
        Sample (*run)(size_t order, void *data);
        void *data;
} OneByOne;

static Sample run_one_by_one(size_t n, size_t first, void *data)
{
        const OneByOne *one = data;
        Sample sum = {0};

        for (size_t i = 0; i < n; i++) {
                Sample sample = one->run((first + i) % one->n_orders, one->data);
                sum.nsec += sample.nsec;
                sum.whole_nsec += sample.whole_nsec;
                sum.status = sum.status ? sum.status : sample.status;
        }
        return sum;
}

bool serve_rounds(size_t n_orders, Sample (*run)(size_t order, void *data), void *data)
{
        OneByOne one = {n_orders, run, data};

        return serve_batches(n_orders, run_one_by_one, &one);
}

/* The "--" becomes the NULL that ends the environment. */
static ContainerOrder read_container(char **words)
{
        ContainerOrder order = {
                .memory_text = words[0],
                .tasks_text = words[1],
                .rootfs = words[2],
                .hostname = words[3],
                .memory = strtoull(words[0], NULL, 10),
                .tasks = strtoull(words[1], NULL, 10),
                .environment = words + 4,
        };
        char **word = order.environment;

        while (*word && strcmp(*word, "--") != 0)
                word++;
        if (!*word || !word[1])
                errx(1, "no \"-- COMMAND\" in an order");
        order.argv = word + 1;
        *word = NULL;
        return order;
}

ContainerOrders container_orders_load(const char *path)
{
        Orders orders = orders_load(path, CONTAINER_WORDS_MIN);
        ContainerOrders containers = {.n = orders.n,
                                      .list = calloc(orders.n, sizeof *containers.list)};

        if (!containers.list)
                err(1, "orders");
        for (size_t i = 0; i < orders.n; i++)
                containers.list[i] = read_container(orders.list[i]);
        return containers;
}

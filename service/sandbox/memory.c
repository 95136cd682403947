#include "service/sandbox/memory.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/sandbox/child/child.h"

typedef struct Mapping {
        uintptr_t start, end;
        char file[32]; /* device and inode; "00:00 0" for none */
        bool is_of_kernel, is_heap, is_needed;
} Mapping;

/* "55d0c8a00000-55d0c8a0d000 r--p 00000000 08:01 123456 /path"; instead of a path there may be
 * "[stack]" */
static bool parse_mapping(const char *line, Mapping *ret)
{
        char device[16], name[16] = "";
        unsigned long inode;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %15s %lu %15s", &ret->start, &ret->end,
                   device, &inode, name) < 4)
                return false;
        snprintf(ret->file, sizeof ret->file, "%s %lu", device, inode);
        ret->is_heap = strcmp(name, "[heap]") == 0;
        ret->is_of_kernel = name[0] == '[' && !ret->is_heap && !g_str_has_prefix(name, "[anon");
        return true;
}

static GArray *read_mappings(void)
{
        GArray *mappings = g_array_new(FALSE, TRUE, sizeof(Mapping));
        g_autofree char *text = NULL;
        Mapping mapping = {0};

        if (!g_file_get_contents("/proc/self/maps", &text, NULL, NULL))
                return mappings;
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                if (parse_mapping(*line, &mapping))
                        g_array_append_val(mappings, mapping);
        return mappings;
}

static Mapping *find(const GArray *mappings, const void *address)
{
        for (guint i = 0; i < mappings->len; i++) {
                Mapping *mapping = &g_array_index(mappings, Mapping, i);
                if ((uintptr_t) address >= mapping->start && (uintptr_t) address < mapping->end)
                        return mapping;
        }
        return NULL;
}

static bool is_anonymous(const Mapping *mapping)
{
        return strcmp(mapping->file, "00:00 0") == 0;
}

/* Marks all mappings of the needed files, and the anonymous memory right behind such a mapping,
 * which holds the data of the file that begins as zeros. */
static void mark(GArray *mappings, const Mapping *const files[], size_t n)
{
        const Mapping *last = NULL;

        for (guint i = 0; i < mappings->len; i++) {
                Mapping *mapping = &g_array_index(mappings, Mapping, i);
                mapping->is_needed =
                        mapping->is_needed || mapping->is_of_kernel ||
                        (last && last->is_needed && !last->is_of_kernel && !mapping->is_heap &&
                         last->end == mapping->start && is_anonymous(mapping));
                for (size_t k = 0; k < n; k++)
                        if (files[k] && strcmp(mapping->file, files[k]->file) == 0)
                                mapping->is_needed = true;
                last = mapping;
        }
}

/* Returns all mappings, and marks those that even a child in child/child.c needs, and those of the
 * file in which `extra` lies. NULL: what a child needs cannot be told. */
static GArray *judge_mappings(const void *extra)
{
        g_autoptr(GArray) mappings = read_mappings();
        Mapping *program = find(mappings, (const void *) (uintptr_t) sandbox_child);
        Mapping *libc = find(mappings, (const void *) (uintptr_t) syscall);
        Mapping *thread = find(mappings, &errno);
        /* the dynamic loader: on some architectures the stack protector's guard lies in it */
        Mapping *loader = find(mappings, (const void *) getauxval(AT_BASE));

        /* a sanitizer has a memcpy() of its own, and memory of which we know nothing */
        if (!program || !libc || !thread || program == libc ||
            find(mappings, (const void *) (uintptr_t) memcpy) != libc)
                return NULL;
        thread->is_needed = true;
        mark(mappings, (const Mapping *const[]){program, libc, loader, find(mappings, extra)}, 4);
        return g_steal_pointer(&mappings);
}

static void hide(const Mapping *mapping)
{
        madvise((void *) mapping->start, mapping->end - mapping->start, MADV_DONTFORK);
}

void memory_hide_from_children(void)
{
        g_autoptr(GArray) mappings = judge_mappings(NULL);

        for (guint i = 0; mappings && i < mappings->len; i++) {
                const Mapping *mapping = &g_array_index(mappings, Mapping, i);
                if (!mapping->is_needed)
                        hide(mapping);
        }
}

static uintptr_t heap; /* where the heap begins; 0: it is not to be hidden */

/* Keeps GLib, with which look-ups, the maker and other copies of the service work; they use no
 * other library. */
void memory_hide_libraries(void)
{
        g_autoptr(GArray) mappings = judge_mappings((const void *) (uintptr_t) g_malloc);

        for (guint i = 0; mappings && i < mappings->len; i++) {
                const Mapping *mapping = &g_array_index(mappings, Mapping, i);
                if (mapping->is_heap)
                        heap = mapping->start;
                else if (!mapping->is_needed && !is_anonymous(mapping))
                        hide(mapping);
        }
}

void memory_hide_heap(bool hidden)
{
        int saved = errno;

        if (heap)
                madvise((void *) heap, (uintptr_t) sbrk(0) - heap,
                        hidden ? MADV_DONTFORK : MADV_DOFORK);
        errno = saved;
}

#include "dbus/line/line.h"

typedef struct Queue {
        uid_t uid;
        size_t weight;
        GQueue places; /* LinePlace, borrowed; never empty */
        GList turn;    /* in the line's `turns` */
} Queue;

struct Line {
        GHashTable *queues; /* uid → Queue, owned */
        GQueue turns;       /* Queue, borrowed: whose turn is next comes first */
        size_t weight, weight_max;
};

static Queue *queue_of(const Line *line, uid_t uid)
{
        return g_hash_table_lookup(line->queues, GUINT_TO_POINTER(uid));
}

bool line_is_empty(const Line *line)
{
        return !line->turns.head;
}

unsigned line_length(const Line *line, uid_t uid)
{
        Queue *queue = queue_of(line, uid);

        return queue ? queue->places.length : 0;
}

void line_join(Line *line, LinePlace *place)
{
        Queue *queue = queue_of(line, place->uid);

        if (!queue) {
                queue = g_new0(Queue, 1);
                queue->uid = place->uid;
                queue->turn.data = queue;
                g_hash_table_insert(line->queues, GUINT_TO_POINTER(place->uid), queue);
                g_queue_push_tail_link(&line->turns, &queue->turn);
        }
        place->link = (GList){.data = place};
        g_queue_push_tail_link(&queue->places, &place->link);
        queue->weight += place->weight;
        line->weight += place->weight;
}

void line_leave(Line *line, LinePlace *place)
{
        Queue *queue = queue_of(line, place->uid);

        g_queue_unlink(&queue->places, &place->link);
        queue->weight -= place->weight;
        line->weight -= place->weight;
        if (queue->places.head)
                return;
        g_queue_unlink(&line->turns, &queue->turn);
        g_hash_table_remove(line->queues, GUINT_TO_POINTER(place->uid));
}

LinePlace *line_surplus(Line *line)
{
        const Queue *heaviest = NULL;

        if (line->weight <= line->weight_max)
                return NULL;
        for (const GList *link = line->turns.head; link; link = link->next) {
                const Queue *queue = link->data;
                if (!heaviest || queue->weight > heaviest->weight)
                        heaviest = queue;
        }
        LinePlace *newest = heaviest->places.tail->data;
        line_leave(line, newest);
        return newest;
}

LinePlace *line_next(Line *line, LineMay may, const void *data)
{
        for (GList *link = line->turns.head; link; link = link->next) {
                Queue *queue = link->data;
                if (may && !may(queue->uid, data))
                        continue;
                LinePlace *first = queue->places.head->data;
                g_queue_unlink(&line->turns, &queue->turn);
                g_queue_push_tail_link(&line->turns, &queue->turn);
                line_leave(line, first);
                return first;
        }
        return NULL;
}

Line *line_new(size_t weight_max)
{
        Line *line = g_new0(Line, 1);

        line->queues = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        line->weight_max = weight_max;
        return line;
}

void line_free(Line *line)
{
        if (!line)
                return;
        g_hash_table_destroy(line->queues);
        g_free(line);
}

#include "dbus/live/live-methods.h"
#include "service/container/processes.h"
#include "service/spec/error.h"

static int append_lines(sd_bus_message *reply, const GArray *lines)
{
        int r = sd_bus_message_open_container(reply, 'a', "(us)");

        for (guint i = 0; i < lines->len && r >= 0; i++) {
                const ProcessLine *line = &g_array_index(lines, ProcessLine, i);
                r = sd_bus_message_append(reply, "(us)", (uint32_t) line->pid, line->command);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void on_lines(GArray *lines, void *data)
{
        Request *request = data;
        sd_bus_message *reply = NULL;

        request_set_work(request, NULL, NULL);
        int r = sd_bus_message_new_method_return(request_message(request), &reply);
        if (r >= 0)
                r = append_lines(reply, lines);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                g_warning("cannot answer a call: %s", g_strerror(-r));
        sd_bus_message_unref(reply);
        request_drop(request);
}

void processes_answer(Server *server, const Container *container, Request *request)
{
        g_autoptr(GError) error = NULL;
        ProcessesLook *look = processes_look(container, server->lookups, on_lines, request, &error);

        if (look)
                request_set_work(request, processes_cancel, look);
        else
                request_fail(request, error);
}
